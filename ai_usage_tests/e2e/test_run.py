"""`ai-usage run` against the simulated vendors: the tables equal the books, whatever the order, and follow every correction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from ai_usage.dashboards.encode import unpack
from ai_usage.simulator.events import day_start
from ai_usage_tests.fixtures.company import (
    DAYS,
    FIRST,
    IS_BILLED,
    LAST,
    PATHS,
    Company,
    Prepared,
    assert_books,
    assert_same,
    assert_sentence,
    build,
    company,
    new_world,
    plain,
    rows,
    snapshot,
    stored,
)  # fmt: skip
from ai_usage_tests.proving import PROVE, some


@pytest.fixture(scope="module")
def firm(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company whose ten days were read by one command, in a process of its own."""
    with company(tmp_path_factory.mktemp("run"), data=prepared.data) as found:
        yield found


@pytest.fixture(scope="module")
def instance(firm: Company) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_config(str(firm.home)) as found:
        yield found


# The tests of this module share one company and go on with it, in this order.


def test_the_tables_equal_the_books(firm: Company, prepared: Prepared) -> None:
    assert "done: " in plain(prepared.stderr) and prepared.stdout == ""
    assert_books(firm.db, firm.world)


def test_every_sum_of_money_is_the_same_sum(firm: Company) -> None:
    """Vendor total = raw = staging = fact = every mart, unattributed included."""
    [totals] = rows(
        firm.db,
        f"""
        SELECT (SELECT SUM(vendor_total_usd) FROM stg_current_fetches),
          (SELECT SUM(charged_usd) FILTER ({IS_BILLED}) FROM raw_cursor_events),
          (SELECT SUM(cost_usd) FROM stg_cursor_cost), (SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage'),
          (SELECT SUM(cost_usd) FROM vw_cost_allocation WHERE cost_type = 'usage'),
          (SELECT SUM(cost_usd) FROM vw_monthly_finance WHERE cost_type = 'usage'),
          (SELECT SUM(cost_usd) FROM vw_productivity_metrics)
        """,
    )
    assert {Decimal(t) for t in totals} == {sum(firm.world.truth.billed_usd_by_day().values())}


def test_people_are_one_each_with_their_names(firm: Company) -> None:
    held = {e: (f, last, active) for e, f, last, active in rows(firm.db, "SELECT email, first_name, last_name, is_active FROM dim_users")}
    for person in firm.world.cast.people:
        assert held.pop(person.email) == (person.first, person.last, not all(a.removed for a in person.accounts))
    assert set(held) == {"agent-runner@example.com"}, "aliases, plus-tags or capital letters made further people"


def test_one_run_a_source_materialized_every_day_and_asked_for_the_whole_range(prepared: Prepared, instance: DagsterInstance) -> None:
    """`partition_time_window`, not the first day: one run a source and one for what follows, ten partitions, and the requests cover the range."""
    runs = [r.dagster_run for r in instance.get_run_records(ascending=True)]
    assert [(r.job_name, r.tags.get("ai_usage/source"), r.status.value) for r in runs] == [
        ("sources", "cursor", "SUCCESS"), ("sources", "google_sheets", "SUCCESS"), ("sources", "uploads", "SUCCESS"), ("daily", None, "SUCCESS"),
    ]  # fmt: skip
    assert len({r.tags["ai_usage/batch"] for r in runs}) == 1
    for asset in ("raw_cursor_events", "raw_cursor_usage", "fct_usage_daily", "fct_cost_daily"):
        assert instance.get_materialized_partitions(AssetKey(asset)) == {d.isoformat() for d in DAYS}, asset
    daily = [r.body for r in prepared.requests if r.path == PATHS["daily-usage-data"]]
    assert [(b["startDate"], b["endDate"]) for b in daily] == [(day_start(FIRST), day_start(LAST) + 86_399_999)]
    events = {(r.body["startDate"], r.body["endDate"]) for r in prepared.requests if r.path == PATHS["filtered-usage-events"]}
    assert events == {(day_start(d), day_start(d) + 86_399_999) for d in DAYS}


def test_metadata_of_materializations(instance: DagsterInstance) -> None:
    for asset in ("raw_cursor_events", "fct_cost_daily", "vw_cost_allocation", "raw_sheet_people", "dim_users"):
        event = instance.get_latest_materialization_event(AssetKey(asset))
        assert event is not None and event.asset_materialization is not None
        keys = set(event.asset_materialization.metadata)
        assert "dagster/row_count" in keys, asset
        if asset == "raw_cursor_events":
            assert {"pages", "requests", "retries", "cost_usd", "days", "days_empty", "days_unchanged", "rejected", "rows_written"} <= keys
        if asset == "fct_cost_daily":
            assert {"cost_usd", "settle_state"} <= keys


def test_the_report_was_written(firm: Company) -> None:
    """What stands in it is proved in test_html_report.py; here that a run leaves it."""
    report = firm.data / "report.html"
    assert report.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    assert report.stat().st_size > 100_000


def test_the_page_counts_the_checks_that_the_run_recorded(firm: Company) -> None:
    """The report's own check is one of them, though the page is written before it is told."""
    found = re.search(r'id="page"[^>]*>([^<]+)<', (firm.data / "report.html").read_text(encoding="utf-8"))
    assert found
    said = unpack(found[1])["meta"]["checks"]
    (recorded,) = rows(firm.db, "SELECT COUNT(*) FILTER (state = 'passed'), COUNT(*) FILTER (state = 'warning') FROM vw_check_results")
    assert (said["passed"], said["warnings"], said["failed"]) == (*recorded, 0)


def test_a_second_run_changes_nothing(firm: Company) -> None:
    before = snapshot(firm.db)
    size = rows(firm.db, "SELECT COUNT(*) FROM raw_cursor_events")
    done = firm.run_to_facts()
    assert done.returncode == 0, plain(done.stderr)
    assert_same(snapshot(firm.db), before)
    assert rows(firm.db, "SELECT COUNT(*) FROM raw_cursor_events") == size, "unchanged days were written again"
    assert rows(firm.db, "SELECT COUNT(*) FROM vw_restatements") == [(0,)]


UP, DOWN, GONE = DAYS[1], DAYS[5], DAYS[8]


def test_corrections_of_vendor_and_sheet(firm: Company) -> None:
    """The vendor restates three days; people correct the sheet; one row of it is nonsense: one run follows all of it."""
    old = firm.world.truth.billed_usd_by_day()
    for day, kind in ((UP, "up"), (DOWN, "down"), (GONE, "empty")):
        firm.world.restate(day, kind)
    sheet = firm.world.sheet
    farah = next(n for n, row in enumerate(sheet.tab("people").rows, 1) if row[0].value == "farah.moor@example.com")
    sheet.set_cell("people", farah, "department", "Research")
    sheet.set_cell("people", farah, "aliases", "Eli.Hill+x@example.com")  # Eli's e-mail turns out to be Farah's
    eli = next(n for n, row in enumerate(sheet.tab("people").rows, 1) if row[0].value == "eli.hill@example.com")
    for column in ("email", "first_name", "last_name", "department", "cost_center", "valid_from"):
        sheet.set_cell("people", eli, column, None)
    bad = sheet.add_row("people", {"email": "not an address", "department": "Nowhere", "valid_from": date(2026, 1, 1)})
    done = firm.run()
    said = plain(done.stderr)
    assert done.returncode == 0, said
    assert "sheet_is_clean" in said and "Correct these rows" in said
    books = firm.world.truth
    new = books.billed_usd_by_day()
    assert new[UP] > old[UP] and new[DOWN] < old[DOWN] and new[GONE] == 0 < old[GONE]

    # The tables follow, and no other day moved.
    held = dict(rows(firm.db, "SELECT cost_date, SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage' GROUP BY 1"))
    assert {d: held.get(d, Decimal(0)) for d in DAYS} == new
    assert rows(firm.db, "SELECT COUNT(*) FROM fct_usage_daily WHERE platform = 'cursor' AND usage_date = ?", [GONE]) == [(0,)]
    assert rows(firm.db, "SELECT state FROM stg_current_fetches WHERE endpoint = 'filtered-usage-events' AND usage_date = ?", [GONE]) == [
        ("empty",)
    ]

    # The ledger of restatements: what, when, by how much.
    ledger = rows(
        firm.db,
        "SELECT usage_date, change_usd, version_no, state, fetched_at > previous_fetched_at "
        "FROM vw_restatements WHERE endpoint = 'filtered-usage-events' ORDER BY 1",
    )
    assert ledger == [
        (UP, new[UP] - old[UP], 2, "complete", True),
        (DOWN, new[DOWN] - old[DOWN], 2, "complete", True),
        (GONE, -old[GONE], 2, "empty", True),
    ]

    # The corrected sheet: Eli is Farah now, on every day, in her new department.
    [(eli_rows,)] = rows(
        firm.db,
        "SELECT COUNT(*) FROM (SELECT user_email FROM fct_cost_daily UNION ALL "
        "SELECT user_email FROM fct_usage_daily) WHERE user_email LIKE 'eli.%'",
    )
    assert eli_rows == 0
    merged: dict[date, Decimal] = {}
    for (day, email), usd in books.billed_usd_by_day_user().items():
        if email in ("eli.hill@example.com", "farah.moor@example.com"):
            merged[day] = merged.get(day, Decimal(0)) + usd
    shown = rows(
        firm.db,
        "SELECT cost_date, department, SUM(cost_usd) FROM vw_cost_allocation WHERE "
        "user_email = 'farah.moor@example.com' AND cost_type = 'usage' GROUP BY ALL",
    )
    assert {(d, dep): v for d, dep, v in shown} == {(d, "Research"): v for d, v in merged.items()}
    assert rows(firm.db, "SELECT COUNT(*) FROM dim_users WHERE email LIKE 'eli.%'") == [(0,)]

    # The nonsense costs only itself and is listed with its row, its value and a remedy. (Keys of Anthropic, which is not read here, match nothing,
    # nor does the budget of the department that Farah left.)
    [(tab, row, column, value, reason, remedy)] = rows(
        firm.db,
        "SELECT tab, sheet_row, column_name, value, reason, remedy FROM sheet_issues WHERE reason != 'matches nothing that is known'",
    )
    assert (tab, row, column, value) == ("people", bad, "email", "not an address") and reason and remedy
    assert (
        rows(
            firm.db,
            "SELECT COUNT(*) FROM raw_sheet_people p JOIN stg_snapshots s ON p.fetch_id = s.version_fetch_id WHERE s.endpoint = 'people'",
        )[0][0]
        == len(firm.world.cast.assignments) - 1
    )


def test_a_range_that_cannot_be_is_refused(firm: Company) -> None:
    before = stored(firm.db)
    assert_sentence(firm.run(LAST, FIRST), "lies after")
    assert_sentence(firm.run(FIRST - timedelta(days=1), LAST), "AI_USAGE_START_DATE")
    assert_sentence(firm.run(FIRST, LAST + timedelta(days=1)), "has not ended")
    assert_same(stored(firm.db), before)


# Order --------------------------------------------------------------------------------------------------------------

READ = some(DAYS[-3:], DAYS[-5:])
"""Enough for ranges that overlap; the last one is the day whose snapshots are the newest."""


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    with company(tmp_path_factory.mktemp("range"), new_world(first_day=READ[0]), empty=True) as found:
        found.load(READ[0])
        assert_books(found.db, found.world, READ[0])
        return snapshot(found.db, without=("vw_data_health",))


def _each_once(*order: int) -> list[tuple[date, date]]:
    return [(READ[n], READ[n]) for n in order]


# Ranges that overlap are the next test's, which reads the second by the command.
ORDERS = (
    {
        "day by day, backwards": _each_once(4, 3, 2, 1, 0),
        "shuffled, one twice": _each_once(2, 0, 4, 3, 1, 3),
        "overlapping ranges": [(READ[2], READ[4]), (READ[0], READ[3]), (READ[1], READ[1])],
    }
    if PROVE
    else {"day by day, backwards, one twice": _each_once(2, 1, 0, 1)}
)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_days_gives_the_same_tables(order: str, at_once: dict[str, list[str]], tmp_path: Path) -> None:
    with company(tmp_path, new_world(first_day=READ[0]), empty=True) as found:
        for first, last in ORDERS[order]:
            found.load(first, last)
        assert_books(found.db, found.world, READ[0])
        assert_same(snapshot(found.db, without=("vw_data_health",)), at_once, order)


def test_a_command_for_earlier_days_than_those_held(at_once: dict[str, list[str]], tmp_path: Path) -> None:
    """The two ranges share a day."""
    with company(tmp_path, new_world(first_day=READ[0]), empty=True) as found:
        found.load(READ[-2], READ[-1])
        done = found.run_to_facts(READ[0], READ[-2])
        assert done.returncode == 0, plain(done.stderr)
        assert_books(found.db, found.world, READ[0])
        assert_same(snapshot(found.db, without=("vw_data_health",)), at_once)


def test_restated_tables_equal_those_of_who_never_saw_the_first_version(tmp_path: Path) -> None:
    """Law 3 with history: after restatements a warehouse that followed them equals one that was built afterwards."""
    first = DAYS[6]
    world = new_world(first_day=first)
    with company(tmp_path / "old", world, empty=True) as found, company(tmp_path / "new", world, empty=True) as later:
        found.load(first)
        for day, kind in ((DAYS[6], "up"), (DAYS[7], "empty"), (DAYS[8], "down"), (DAYS[7], "up")):
            found.world.restate(day, kind)
        found.load(first)
        later.load(first)
        assert_books(found.db, found.world, first)
        without = ("vw_restatements",)
        assert_same(snapshot(found.db, without=without), snapshot(later.db, without=without))
        days = [d for (d,) in rows(found.db, "SELECT DISTINCT usage_date FROM vw_restatements ORDER BY 1")]
        assert days == DAYS[6:9]


def test_a_settled_sheet_rebuild_needs_no_vendor(prepared: Prepared, tmp_path: Path) -> None:
    """A department that changes is followed by rebuilding from raw alone."""
    with company(tmp_path, data=prepared.data) as found:
        asked = len(found.sim.log)
        sheet = found.world.sheet
        ben = next(
            n for n, row in enumerate(sheet.tab("people").rows, 1) if row[0].value == "ben.brook@example.com" and row[7].value is None
        )
        sheet.set_cell("people", ben, "valid_from", DAYS[8])
        before = next(n for n, row in enumerate(sheet.tab("people").rows, 1) if row[0].value == "ben.brook@example.com" and row[7].value)
        sheet.set_cell("people", before, "valid_to", DAYS[7])
        from ai_usage.sources.google_sheets import records

        with found.runtime() as runtime:
            for endpoint in records.ENDPOINTS:
                runtime.loader().load(endpoint, [runtime.client("google_sheets").tab(endpoint)])
            build(runtime, FIRST, LAST)
        assert not [r for r in found.sim.log[asked:] if r.path.startswith("/teams")]
        shown = dict(
            rows(
                found.db,
                "SELECT DISTINCT cost_date, department FROM vw_cost_allocation "
                "WHERE user_email = 'ben.brook@example.com' AND cost_type = 'usage'",
            )
        )
        assert shown and all(dep == ("Product" if day >= DAYS[8] else "Engineering") for day, dep in shown.items())
