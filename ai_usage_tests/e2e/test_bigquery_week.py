"""The whole platform on BigQuery: days of every source through the real command, and each table equals DuckDB's row by row.

Against the emulator, or against a real project where `make test-bigquery` names one. A week at a real project and in `make prove`, in a dataset of
its own that is made anew for the copy; else the week's last two days, the company is the same, in the worker's dataset, whose tables stand. That a run
makes them is proved by `unit/test_bigquery.py::test_tables_and_views_are_as_declared`. The tests go on with one dataset, in this order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from ai_usage import tables
from ai_usage.operations import copying
from ai_usage.runtime import Runtime
from ai_usage.simulator import Simulator
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError
from ai_usage.warehouse.bigquery import BigQueryWarehouse
from ai_usage_tests.fixtures.bigquery import Place, everything, identical, live
from ai_usage_tests.fixtures.company import KEY, LAST, Company, assert_books, assert_same, assert_sentence, new_world, plain
from ai_usage_tests.proving import PROVE

pytestmark = [pytest.mark.timeout(1800), pytest.mark.xdist_group("bigquery")]
WHOLE = PROVE or live() is not None
DAYS = 7 if WHOLE else 2
# A view is its statement over tables. Both engines' views are compared after the run; a copy brings the tables that they read.
VIEWS = () if WHOLE else tuple(t.name for t in tables.ALL if t.view)
WEEK = (LAST - timedelta(days=DAYS - 1), LAST)


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Place:
    return live() or request.getfixturevalue("bigquery_place")


@dataclass
class Firms:
    """One company read twice: into a BigQuery dataset and into a DuckDB file."""

    place: Place
    dataset: str
    there: Company
    here: Company

    @property
    def bigquery(self) -> BigQueryWarehouse:
        return self.place.warehouse(self.dataset)

    @property
    def duckdb(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.here.db)

    @cached_property
    def truth(self) -> dict[str, list[str]]:
        """What stands in the DuckDB file, which nothing changes after the run."""
        return everything(self.duckdb)

    def without_views(self) -> dict[str, list[str]]:
        return {name: rows for name, rows in self.truth.items() if name not in VIEWS}


@contextmanager
def dataset_of(request: pytest.FixtureRequest, place: Place) -> Iterator[str]:
    if WHOLE:
        with place.dataset() as dataset:
            yield dataset
        return
    dataset = request.getfixturevalue("bigquery_dataset").place.split(".")[1]
    place.without_rows(dataset)
    yield dataset


@pytest.fixture(scope="module")
def firms(request: pytest.FixtureRequest, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firms]:
    with dataset_of(request, place) as dataset, Simulator(new_world(anthropic=True), cursor_key=KEY, anthropic_key=KEY) as sim:
        pair = []
        for name in ("there", "here"):
            company = Company(sim, tmp_path_factory.mktemp(name))
            company.patience_s = 1200.0  # the emulator translates each of some 150 statements for a new dataset
            company.settings |= {
                "AI_USAGE_ANTHROPIC_BASE_URL": sim.url, "ANTHROPIC_ADMIN_API_KEY": KEY, "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0",
            }  # fmt: skip
            pair.append(company)
        there, here = pair
        there.settings |= place.settings(dataset)
        for company in pair:
            done = company.run(*WEEK)
            assert done.returncode == 0, plain(done.stderr)
            assert re.search(r"(\d+) assets, \d+ checks passed, 0 warnings, 0 failed", plain(done.stderr).replace("\n", " "))
        yield Firms(place, dataset, there, here)


def test_every_table_equals_duckdbs_row_by_row_and_the_books(firms: Firms) -> None:
    assert_books(firms.here.db, firms.here.world, *WEEK)
    there, here = everything(firms.bigquery), firms.truth
    assert_same(there, here, "BigQuery and DuckDB")
    for name in ("fct_cost_daily", "fct_usage_daily", "dim_users", "raw_cursor_events", "raw_anthropic_cost", "raw_sheet_people"):
        assert len(here[name]) > 5, f"{name} is too empty to prove anything"
    assert not firms.there.db.exists(), "a run on BigQuery needs no DuckDB file"


def test_the_bill_of_the_week_is_the_books(firms: Firms) -> None:
    books = firms.there.world.truth
    held = firms.bigquery.select("SELECT SUM(cost_usd) AS usd FROM vw_monthly_finance WHERE cost_type = 'usage'")["usd"][0].as_py()
    truth = [usd for day, usd in (*books.billed_usd_by_day().items(), *books.anthropic.usd_by_day().items()) if WEEK[0] <= day <= WEEK[1]]
    assert held == sum(truth, Decimal(0)) > 0


def test_jobs_carry_asset_run_and_partition_and_assets_what_they_cost(firms: Firms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(firms.there.home))
    with DagsterInstance.get() as instance:
        runs = {record.dagster_run.run_id for record in instance.get_run_records()}  # each source's, and what comes after them
        for asset, jobs in {"fct_cost_daily": 3, "raw_cursor_events": 3, "raw_sheet_people": 3, "vw_cost_allocation": 2}.items():
            event = instance.get_latest_materialization_event(AssetKey(asset))
            assert event is not None and event.asset_materialization is not None
            assert int(event.asset_materialization.metadata["jobs"].value) >= jobs, asset  # type: ignore[call-overload]
    labels = [job.labels for job in firms.place.client.list_jobs(max_results=3000) if job.labels.get("run") in runs]
    assert len(labels) > 100 and all(found["asset"] and found["managed_by"] == "ai_usage" for found in labels)
    ranged = {found.get("partition") for found in labels if found["asset"] in ("fct_cost_daily", "raw_cursor_events")}
    assert ranged == {f"{WEEK[0]}_{WEEK[1]}"}


def test_commands_that_look(firms: Firms) -> None:
    done = firms.there.cli("query", "SELECT COUNT(*) AS n FROM fct_cost_daily", "--format", "json")
    assert done.returncode == 0 and re.fullmatch(r'\[\{"n": \d+\}\]\n', done.stdout), plain(done.stderr)
    assert_sentence(firms.there.cli("query", "SELECT 1", AI_USAGE_BIGQUERY_PROJECT=None), "AI_USAGE_BIGQUERY_PROJECT", "not set")
    assert_sentence(firms.there.cli("copy", "--to", "paper"), "--to is 'paper'")


# Copies ---------------------------------------------------------------------------------------------------------------


def test_everything_can_be_taken_home(firms: Firms, tmp_path: Path) -> None:
    """BigQuery to DuckDB by the command: raw to the last column, the rest computed anew; a second copy moves nothing."""
    path = tmp_path / "home.duckdb"
    done = firms.there.cli("copy", "--to", "duckdb", AI_USAGE_DUCKDB_PATH=str(path))
    assert done.returncode == 0, plain(done.stderr)
    said = " ".join(plain(done.stderr).split())
    home = DuckDBWarehouse(path)
    assert_same(identical(home), identical(firms.bigquery), "raw")
    assert_same(everything(home, without=VIEWS), firms.without_views(), "copied home")
    fetches = home.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py()
    assert f"{fetches} fetches with" in said and "differs" not in said
    again = copying.copy(firms.bigquery, home, today=LAST)
    assert (again.fetches, again.rows, again.already_there, again.differences) == (0, 0, fetches, [])


def test_an_interrupted_copy_goes_on(firms: Firms, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB to an emptied dataset, stopped right before a publication: what was published stays, what was not is moved again, once."""
    if WHOLE:
        firms.place.emptied(firms.dataset)
    else:
        firms.place.without_rows(firms.dataset)
    monkeypatch.setattr(copying, "BATCH_FETCHES", 20)
    target = firms.bigquery
    load, published = target._load, []

    def stopped(table: Any, data: Any) -> None:
        if table.name == "raw_fetches" and data.num_rows:
            if published:
                raise KeyboardInterrupt
            published.append(data.num_rows)
        load(table, data)

    monkeypatch.setattr(target, "_load", stopped)
    today = Runtime.today.fget(None)  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        copying.copy(firms.duckdb, target, today=today)
    again = firms.bigquery
    assert again.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py() == published[0] == 20
    report = copying.copy(firms.duckdb, again, today=today)
    assert report.already_there == 20 and report.removed > 0 and report.differences == []
    assert_same(identical(again), identical(firms.duckdb), "raw")
    assert_same(everything(again, without=VIEWS), firms.without_views(), "copied there")


def test_rows_that_get_lost_on_the_way_are_not_published(firms: Firms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = DuckDBWarehouse(tmp_path / "lossy.duckdb")
    insert = target._insert

    def lossy(con: Any, table: Any, data: Any) -> Any:
        return insert(con, table, data.slice(0, max(0, data.num_rows - 1)) if table.name.startswith("raw_") else data)

    monkeypatch.setattr(target, "_insert", lossy)
    with pytest.raises(WarehouseError, match="rows left and .* arrived; nothing of these fetches was published"):
        copying.copy(firms.duckdb, target, today=LAST)
    assert target.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py() == 0


def test_the_live_check_needs_a_project() -> None:
    if live() is None:
        pytest.skip("not run against Google: make test-bigquery PROJECT=... DATASET=... names a project and an empty scratch dataset.")
    assert os.environ["AI_USAGE_TEST_BIGQUERY_DATASET"]
