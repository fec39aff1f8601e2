"""A company of three people, a stand-in Metabase over it on both engines, and a real Postgres where one can be started."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage import tables
from ai_usage.outputs.postgres import copy_marts
from ai_usage.warehouse import DuckDBWarehouse
from ai_usage_tests.fixtures.desk import NOON, Desk, rows_for_views
from ai_usage_tests.fixtures.postgres import postgres as running_postgres
from ai_usage_tests.metabase.engines import BigQuery, Postgres

SCHEMA = "ai_usage"
LAST_DAY = date(2026, 11, 21)
PEOPLE = {
    "ana@example.com": ("Ana", "Eng", "cursor"), "ben@example.com": ("Ben", "Eng", "claude_code"),
    "cem@example.com": ("Cem", "Sales", "cursor"), "dia@example.com": ("Dia", "Eng", "cursor"),
    "eve@example.com": ("Eve", "Eng", "claude_code"), "fay@example.com": ("Fay", "Eng", "cursor"),
}  # fmt: skip


def company(desk: Desk) -> None:
    """Six people, two departments, two platforms, forty days; some cost belongs to nobody."""
    for number, (email, (name, department, platform)) in enumerate(PEOPLE.items()):
        desk.lay("dim_users", {"user_id": str(number), "email": email, "first_name": name, "last_name": "Doe"})
        assigned = {"email": email, "department": department, "cost_center": "C", "valid_from": date(1900, 1, 1)}
        desk.lay("dim_user_assignments", {**assigned, "valid_to": date(9999, 12, 31)})
    cost, usage = [], []
    for back in range(40):
        day = LAST_DAY - timedelta(days=back)
        state = "provisional" if back < 10 else "settled"
        for number, (email, (_, _, platform)) in enumerate(PEOPLE.items()):
            shared = {"platform": platform, "user_email": email, "source": "s"}
            cost.append(
                {**shared, "cost_date": day, "vendor": "V", "cost_type": "usage", "cost_usd": Decimal(number + 1) / 8, "attribution": "direct",
                 "settle_state": state}
            )  # fmt: skip
            usage.append(
                {**shared, "usage_date": day, "requests": 10 + number, "sessions": 2, "loc_added": 50, "loc_accepted": 20 + number,
                 "suggestions_shown": 9, "suggestions_accepted": 5, "suggestions_rejected": 1, "commits": 1, "pull_requests": 1,
                 "input_tokens": 1000, "output_tokens": 100}
            )  # fmt: skip
        cost.append(
            {"cost_date": day, "platform": "cursor", "vendor": "V", "user_email": None, "cost_type": "subscription", "cost_usd": Decimal(1),
             "attribution": "unattributed", "settle_state": state, "source": "s"}
        )  # fmt: skip
    desk.lay("fct_cost_daily", *cost)
    desk.lay("fct_usage_daily", *usage)


@pytest.fixture(scope="session")
def company_file(new_desk: Callable[[], Desk]) -> Path:
    """The company's warehouse, which nobody holds open. Its views are rows: what is proved here is what Metabase makes of them."""
    desk = new_desk()
    company(desk)
    desk.total()
    assert NOON.date() > LAST_DAY
    rows_for_views(desk.warehouse, tables.MARTS)
    return desk.path


@pytest.fixture(scope="session")
def company_warehouse(company_file: Path, tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A copy of the file, held open for all that is asked of it."""
    folder = tmp_path_factory.mktemp("company")
    desk = Desk(DuckDBWarehouse(Path(shutil.copyfile(company_file, folder / "w.duckdb"))), folder)
    desk.keep_open()
    return desk.warehouse


@pytest.fixture(scope="session")
def bigquery(company_warehouse: DuckDBWarehouse) -> BigQuery:
    return BigQuery(company_warehouse, SCHEMA)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real Postgres of the tests' own, on a free port."""
    with running_postgres("owner", "unused") as server:
        yield f"postgresql://owner:unused@127.0.0.1:{server.port}/postgres"


@pytest.fixture(scope="session")
def postgres(postgres_url: str, company_warehouse: DuckDBWarehouse) -> Postgres:
    copied = copy_marts(company_warehouse, postgres_url, SCHEMA, tables.MARTS)
    assert copied["vw_cost_allocation"] > 200
    return Postgres(postgres_url, SCHEMA)
