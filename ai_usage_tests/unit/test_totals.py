"""Stored totals are written for the days that a run touches, and for all when what they rest on changed elsewhere.

Belongs here: which days are written, with answers worked out by hand, and totals that are wrong. That they are the facts' after any history is a law of
test_closing.py and properties/test_laws.py.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ai_usage.transform import totals
from ai_usage.warehouse import WarehouseError, models
from ai_usage_tests.fixtures.desk import NOON, Desk, assert_totals

D, N = date, Decimal
COST = {"platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s"}
ANA = "ana@example.com"


def write(desk: Desk, first: date, last: date, *names: str) -> None:
    desk._outdated = False  # what is not written here stays as it is
    for name in names or totals.NAMES:
        totals.write(desk.warehouse, name, {"start_date": first, "end_date": last, "processed_at": NOON})


def months(desk: Desk) -> list[tuple]:
    return [tuple(r.values()) for r in desk.ask("SELECT month, department, cost_usd FROM agg_cost_months ORDER BY month, department")]


@pytest.fixture
def firm(desk: Desk) -> Desk:
    """Ana's day in September costs 1, in October 2, in November 4; she is of Core."""
    days = ((D(2026, 9, 30), "1"), (D(2026, 10, 15), "2"), (D(2026, 11, 2), "4"))
    desk.lay("fct_cost_daily", *({**COST, "cost_date": d, "user_email": ANA, "cost_usd": N(usd)} for d, usd in days))
    desk.lay(
        "fct_usage_daily", *({"usage_date": d, "platform": "cursor", "user_email": ANA, "source": "s", "requests": 1} for d, _ in days)
    )
    place(desk, "Core")
    return desk


def place(desk: Desk, department: str) -> None:
    desk.warehouse.execute("DELETE FROM dim_user_assignments WHERE TRUE")
    desk.lay("dim_user_assignments", {"email": ANA, "department": department, "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)})


@pytest.mark.either_engine
def test_a_run_writes_its_months_and_a_new_department_all_of_them(firm: Desk) -> None:
    """The first run writes all that facts hold: a warehouse of an earlier version has no totals."""
    write(firm, D(2026, 11, 2), D(2026, 11, 2))
    assert months(firm) == [(D(2026, 9, 1), "Core", N(1)), (D(2026, 10, 1), "Core", N(2)), (D(2026, 11, 1), "Core", N(4))]
    assert_totals(firm)
    firm.lay("fct_cost_daily", *({**COST, "cost_date": D(2026, month, 20), "user_email": ANA, "cost_usd": N(8)} for month in (9, 10)))
    write(firm, D(2026, 10, 15), D(2026, 11, 2))
    assert months(firm) == [(D(2026, 9, 1), "Core", N(1)), (D(2026, 10, 1), "Core", N(10)), (D(2026, 11, 1), "Core", N(4))]
    place(firm, "Web")
    write(firm, D(2026, 11, 2), D(2026, 11, 2))
    assert months(firm) == [(D(2026, 9, 1), "Web", N(9)), (D(2026, 10, 1), "Web", N(10)), (D(2026, 11, 1), "Web", N(4))]
    assert totals.scope(firm.warehouse, "agg_cost_months", D(2026, 11, 2), D(2026, 11, 2)) == (D(2026, 11, 1), D(2026, 11, 30))


@pytest.mark.parametrize(
    ("name", "first", "last", "written"),
    [
        ("agg_person_days", D(2026, 10, 15), D(2026, 10, 16), (D(2026, 10, 15), D(2026, 10, 16))),
        # 15 October 2026 is a Thursday.
        ("agg_person_weeks", D(2026, 10, 15), D(2026, 10, 20), (D(2026, 10, 12), D(2026, 10, 25))),
        ("agg_person_weeks", D(2026, 10, 12), D(2026, 10, 18), (D(2026, 10, 12), D(2026, 10, 18))),
        ("agg_person_months", D(2026, 10, 15), D(2026, 11, 1), (D(2026, 10, 1), D(2026, 11, 30))),
        ("agg_cost_days", D(2026, 10, 15), D(2026, 10, 15), (D(2026, 10, 15), D(2026, 10, 15))),
        ("agg_cost_months", D(2028, 2, 1), D(2028, 2, 1), (D(2028, 2, 1), D(2028, 2, 29))),
    ],
)
def test_whole_weeks_and_months_are_written(firm: Desk, name: str, first: date, last: date, written: tuple[date, date]) -> None:
    firm._outdated = False  # nothing is written yet
    assert totals.scope(firm.warehouse, name, first, last) == totals.EVER
    write(firm, *totals.EVER)
    assert totals.scope(firm.warehouse, name, first, last) == written


def test_the_first_open_month_is_written_with_an_earlier_day(firm: Desk) -> None:
    """Days of a closed September are corrected in October, whatever days the run is of."""
    closing = {
        "month": D(2026, 9, 1),
        "action": "close",
        "closing_id": "c",
        "decided_at": NOON,
        "author": "a",
        "as_of": NOON,
        "sha256": "x",
        "version": "0",
    }
    firm.lay("month_closings", {**closing, "row_count": 0, "cost_usd": N(0)})
    write(firm, D(2026, 9, 30), D(2026, 9, 30))
    assert totals.scope(firm.warehouse, "agg_cost_months", D(2026, 9, 30), D(2026, 9, 30)) == (D(2026, 9, 1), D(2026, 10, 31))
    assert totals.scope(firm.warehouse, "agg_cost_months", D(2026, 11, 2), D(2026, 11, 2)) == (D(2026, 10, 1), D(2026, 11, 30))


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [
        ("agg_person_days", ("SUM(loc_accepted) AS", "SUM(loc_accepted) + SUM(requests) AS")),
        ("agg_person_weeks", ("COUNT(*) AS", "COUNT(*) + 1 AS")),
        ("agg_person_months", ("COUNTIF(is_active) AS", "COUNTIF(NOT is_active) AS")),
        ("agg_cost_days", ("SUM(cost_usd) AS", "SUM(cost_usd) + CAST('0.000000001' AS NUMERIC) AS")),
        ("agg_cost_months", ("SUM(b.cost_usd) AS", "MAX(b.cost_usd) + CAST('0.000000001' AS NUMERIC) AS")),
    ],
)
def test_totals_that_are_not_the_facts_are_not_written(
    firm: Desk, monkeypatch: pytest.MonkeyPatch, name: str, spoiled: tuple[str, str]
) -> None:
    firm.warehouse.execute("UPDATE fct_usage_daily SET loc_accepted = 3 WHERE TRUE")
    write(firm, *totals.EVER)
    before = firm.ask(f"SELECT * FROM {name}")
    real = models.model(name)
    assert spoiled[0] in real.sql
    monkeypatch.setattr(totals.models, "model", lambda _: models.Model(real.table, real.sql.replace(*spoiled), real.path))
    with pytest.raises(WarehouseError, match=f"^{name}: .* does not hold, .*nothing was written"):
        write(firm, D(2026, 9, 1), D(2026, 11, 30), name)
    assert firm.ask(f"SELECT * FROM {name}") == before


@pytest.mark.either_engine
@pytest.mark.parametrize(
    "change",
    [
        {"department": "Web"}, {"department": None}, {"department": ""}, {"cost_center": "1"}, {"valid_to": D(2026, 10, 31)},
        {"email": "ana2@example.com"}, {"department": "Core", "cost_center": ""}, {"department": "C", "cost_center": "ore"},
    ],
)  # fmt: skip
def test_each_change_of_a_person_is_another_basis(desk: Desk, change: dict) -> None:
    row = {"email": ANA, "department": "Core", "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)}
    bases = []
    for found in (row, {**row, **change}, row):
        desk.warehouse.execute("DELETE FROM dim_user_assignments WHERE TRUE")
        desk.lay("dim_user_assignments", found)
        bases.append(desk.one("SELECT basis FROM stg_cost_basis"))
    assert bases[0] == bases[2] != bases[1]
