"""Faults that no retry heals: recorded for just the days they struck, the other days stand, and nothing wrong is published."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from ai_usage.simulator import Fault
from ai_usage.simulator.events import day_start
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import AuthError, ContractError, TransientError
from ai_usage.sources.google_sheets import records as sheets
from ai_usage.sources.walk import walk_all
from ai_usage.warehouse import DuckDBWarehouse
from ai_usage_tests.fixtures.company import (
    DAYS,
    FIRST,
    KEY,
    LAST,
    MARTS,
    PATHS,
    Company,
    Prepared,
    assert_books,
    assert_same,
    assert_sentence,
    build,
    company,
    load_raw,
    plain,
    rows,
    snapshot,
)  # fmt: skip
from ai_usage_tests.proving import PROVE, once

BAD = DAYS[4]
Filled = tuple[Path, dict[str, list[str]]]
EVENTS = PATHS["filtered-usage-events"]
CHAINS = {"page by number": ["filtered-usage-events", "daily-usage-data"], "one answer": ["members", "spend"], "tabs": ["sheet"]}


def on(day: date) -> dict[str, int]:
    """Requests for that day alone."""
    return {"startDate": day_start(day)}


@pytest.fixture
def firm(tmp_path: Path, empty_file: Path) -> Iterator[Company]:
    with company(tmp_path) as found:
        found.data.mkdir(parents=True)
        shutil.copyfile(empty_file, found.db)
        yield found


@pytest.fixture(scope="module")
def filled(prepared: Prepared) -> Filled:
    """A warehouse that holds everything, to copy from, and its tables."""
    return prepared.db, snapshot(prepared.db)


def take(firm: Company, filled: Filled) -> dict[str, list[str]]:
    shutil.copyfile(filled[0], firm.db)
    return filled[1]


def events(firm: Company, first: date = FIRST, last: date = LAST):
    with firm.runtime() as runtime, runtime.held():
        walks = walk_all(Window(first, last).split(1), runtime.client("cursor").events, cursor.EVENTS, 4)
        return runtime.loader("test").load(cursor.EVENTS, walks)


def states(firm: Company, endpoint: str = "filtered-usage-events") -> dict[date, set[str]]:
    found: dict[date, set[str]] = {}
    for day, state in rows(firm.db, "SELECT usage_date, state FROM raw_fetches WHERE endpoint = ?", [endpoint]):
        found.setdefault(day, set()).add(state)
    return found


@pytest.mark.parametrize("kind", ["429", "500", "503", "529", "truncated", "reset", "reset_mid", "html", "moving_total"])
def test_only_the_day_that_fails_is_failed(kind: str, firm: Company) -> None:
    firm.sim.add_fault(Fault(kind, EVENTS, times=None, match=on(BAD)))
    report = events(firm)
    assert states(firm) == {day: {"failed"} if day == BAD else {"complete"} for day in DAYS}
    [(error,)] = rows(firm.db, "SELECT error FROM raw_fetches WHERE state = 'failed'")
    assert error == str(report.error()) and "\n" not in error and KEY not in error and error.endswith(".")
    assert isinstance(report.error(), TransientError)
    assert rows(firm.db, "SELECT COUNT(*) FROM raw_cursor_events WHERE usage_date = ?", [BAD]) == [(0,)]
    firm.sim.clear_faults()
    assert not events(firm).failures
    held = rows(firm.db, "SELECT usage_date, vendor_total_usd FROM stg_current_fetches WHERE endpoint = 'filtered-usage-events'")
    assert dict(held) == firm.world.truth.billed_usd_by_day(FIRST, LAST)
    if PROVE or kind == "500":
        firm.load()
        assert_books(firm.db, firm.world)


@pytest.mark.parametrize(("kind", "name"), once(["401", "403"], CHAINS))
def test_a_refused_key_is_not_tried_again(name: str, kind: str, firm: Company, filled: Filled) -> None:
    before = take(firm, filled)
    firm.sim.add_fault(Fault(kind, PATHS[name], times=None))
    with firm.runtime() as runtime:
        reports = load_raw(runtime, FIRST, LAST)
    failed = [r for r in reports.values() if r.failures]
    assert len(failed) == (len(sheets.ENDPOINTS) if name == "sheet" else 1)
    for report in failed:
        assert isinstance(report.failures[0].error, AuthError)
        assert kind in str(report.error()) and KEY not in str(report.error())
    asked = firm.log(PATHS[name])
    bodies = [json.dumps([r.path, r.query, r.body], default=str) for r in asked]
    assert len(bodies) == len(set(bodies)) or name == "sheet", "a permanent error was tried again"
    tables = ("fct_cost_daily", "raw_cursor_events", "raw_cursor_usage", "raw_sheet_people", "stg_current_fetches")
    assert_same(snapshot(firm.db, only=tables), {table: before[table] for table in tables})


@pytest.mark.parametrize("name", ["filtered-usage-events", "daily-usage-data", "members", "spend"])
def test_a_missing_required_field_publishes_nothing(name: str, firm: Company, filled: Filled) -> None:
    before = take(firm, filled)
    named = {"members": {"field": "email"}, "spend": {"field": "userId"}}  # a member who spent nothing may lack spendCents
    firm.sim.add_fault(Fault("missing_field", PATHS[name], times=None, **named.get(name, {})))
    with firm.runtime() as runtime:
        report = load_raw(runtime, FIRST, LAST)[name]
    assert report.failures and all(isinstance(f.error, ContractError) for f in report.failures)
    assert "V2" in str(report.error()), "the sentence does not say what was sent instead"
    found = snapshot(firm.db, without=MARTS)
    assert_same(found, {name: before[name] for name in found})


def test_a_required_field_missing_on_one_day_fails_that_day_only(firm: Company, filled: Filled) -> None:
    """The vendor renames a field while a range is read: that day fails, its last good version stands, the others are published."""
    before = take(firm, filled)
    firm.sim.add_fault(Fault("missing_field", EVENTS, times=None, match=on(BAD)))
    report = events(firm)
    assert [(f.window, type(f.error)) for f in report.failures] == [(Window(BAD, BAD), ContractError)]
    assert states(firm)[BAD] == {"complete", "failed"}
    found = snapshot(firm.db, without=MARTS)
    assert_same(found, {name: before[name] for name in found})


@pytest.mark.parametrize(
    ("name", "field", "table"),
    [
        ("filtered-usage-events", "requestsCosts", "raw_cursor_events"),
        ("daily-usage-data", None, "raw_cursor_usage"),
        ("spend", None, "raw_cursor_spend"),
    ],
)
def test_a_malformed_record_costs_only_itself(name: str, field: str | None, table: str, firm: Company) -> None:
    firm.sim.add_fault(Fault("malformed_record", PATHS[name], field=field))
    with firm.runtime() as runtime:
        report = load_raw(runtime, FIRST, LAST)[name]
    assert report.rejected + report.incomplete == 1 and not report.failures
    assert rows(firm.db, "SELECT COUNT(DISTINCT record_number) FROM raw_rejects") == [(1,)]
    for source, endpoint, value, reason, remedy, payload in rows(
        firm.db, "SELECT source, endpoint, value, reason, remedy, payload FROM raw_rejects"
    ):
        assert (source, endpoint, value) == ("cursor", name, "n/a") and reason and remedy
        assert "n/a" in json.loads(payload).values(), "the record is not kept as it came"
    [(loaded, said)] = rows(
        firm.db, f"SELECT (SELECT COUNT(*) FROM {table}), (SELECT SUM(row_count) FROM stg_current_fetches WHERE endpoint = '{name}')"
    )
    assert loaded == said > 0
    assert loaded == report.rows
    firm.sim.clear_faults()
    if PROVE or name == "filtered-usage-events":
        firm.load()
        assert_books(firm.db, firm.world)
    else:
        with firm.runtime() as runtime:
            again = load_raw(runtime, FIRST, LAST)[name]
            assert (again.rejected, again.incomplete) == (0, 0)
    assert rows(firm.db, "SELECT COALESCE(SUM(rejected_count), 0) FROM stg_current_fetches") == [(0,)]


def test_a_bad_record_that_hides_money_is_named_and_the_rest_of_its_day_counts(firm: Company) -> None:
    """One event says "n/a" cents: nobody knows what that day's total lacks, and the check names the day, the record and no other day."""
    from ai_usage.defs.checks import conservation, money_readable

    firm.sim.add_fault(Fault("malformed_record", EVENTS, field="chargedCents", match=on(BAD)))
    events(firm)
    unknown = rows(firm.db, "SELECT usage_date, unknown_money_count FROM stg_current_fetches WHERE unknown_money_count > 0")
    assert unknown == [(BAD, 1)]
    with firm.runtime() as runtime:
        found = money_readable(runtime.warehouse, cursor.EVENTS, Window(FIRST, LAST))
        assert not found.passed and found.severity.value == "ERROR"
        assert str(BAD) in found.metadata["sample"].value and str(DAYS[5]) not in found.metadata["sample"].value
        assert money_readable(runtime.warehouse, cursor.EVENTS, Window(FIRST, DAYS[3])).passed
        assert conservation(runtime.warehouse, cursor.EVENTS, Window(FIRST, LAST)).passed, "what could be read is all there"


def test_conservation_sees_an_amount_that_somebody_edited(firm: Company, filled: Filled) -> None:
    from ai_usage.defs.checks import conservation

    take(firm, filled)
    with closing(duckdb.connect(str(firm.db))) as con:
        con.execute("UPDATE raw_cursor_events SET charged_usd = charged_usd + 0.000000002 WHERE usage_date = ? AND is_chargeable", [BAD])
    with firm.runtime() as runtime:
        found = conservation(runtime.warehouse, cursor.EVENTS, Window(FIRST, LAST))
        assert not found.passed and str(BAD) in found.metadata["sample"].value
        assert conservation(runtime.warehouse, cursor.EVENTS, Window(FIRST, DAYS[3])).passed


def test_the_command_says_which_day_failed_and_keeps_the_others(firm: Company) -> None:
    firm.sim.add_fault(Fault("500", EVENTS, times=None, match=on(BAD)))
    done = firm.run_to_facts()
    line = assert_sentence(done, "failed raw_cursor_events", "500")
    assert "run again" in line
    assert states(firm) == {day: {"failed"} if day == BAD else {"complete"} for day in DAYS}
    assert set(states(firm, "daily-usage-data")) == set(DAYS)
    assert "not read Cursor: raw_cursor_events" in plain(done.stderr) and "not run" not in plain(done.stderr)
    held = dict(rows(firm.db, "SELECT cost_date, SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage' GROUP BY 1"))
    assert held == {day: usd for day, usd in firm.world.truth.billed_usd_by_day(FIRST, LAST).items() if day != BAD}
    assert list(rows(firm.db, "SELECT endpoint, days_failed FROM vw_data_health WHERE days_failed > 0")) == [("filtered-usage-events", 1)]


def test_rows_between_append_and_publication_are_invisible_and_cleaned(firm: Company, filled: Filled) -> None:
    """A crash after the rows and before `raw_fetches`: an engine without one transaction over both (BigQuery) leaves that."""
    from ai_usage.operations.retention import clean_up

    before = take(firm, filled)

    con = duckdb.connect(str(firm.db))
    con.execute(
        "INSERT INTO raw_cursor_events SELECT * REPLACE ('orphan' AS fetch_id, charged_usd + 1000 AS charged_usd) FROM raw_cursor_events"
    )
    con.execute("INSERT INTO raw_sheet_people SELECT * REPLACE ('orphan' AS fetch_id, 'Nowhere' AS department) FROM raw_sheet_people")
    con.execute(
        "INSERT INTO raw_rejects BY NAME SELECT current_date AS usage_date, 'orphan' AS fetch_id, now() AS fetched_at, 'google_sheets' AS source, "
        "'people' AS endpoint, 2 AS record_number, 'email' AS column_name, 'x' AS value, 'r' AS reason, 'm' AS remedy, '{}' AS payload"
    )
    con.close()
    with firm.runtime() as runtime:
        build(runtime, FIRST, LAST)
        assert_same(snapshot(firm.db), before)
        orphans = rows(
            firm.db,
            "SELECT (SELECT COUNT(*) FROM raw_cursor_events WHERE fetch_id = 'orphan') "
            "+ (SELECT COUNT(*) FROM raw_sheet_people WHERE fetch_id = 'orphan') + 1",
        )
        assert clean_up(runtime)["orphan_rows"] == orphans[0][0] > 100
    for table in ("raw_cursor_events", "raw_sheet_people", "raw_rejects"):
        assert rows(firm.db, f"SELECT COUNT(*) FROM {table} WHERE fetch_id = 'orphan'") == [(0,)]
    found = snapshot(firm.db, without=MARTS)
    assert_same(found, {name: before[name] for name in found})


def test_two_loads_of_the_same_days_at_the_same_moment(firm: Company) -> None:
    """Both read what is current before either publishes. The tables are right, and no restatement is invented."""
    second = threading.Thread(target=lambda: events(firm))
    publish = DuckDBWarehouse.publish
    begun: list[bool] = []

    class Late(DuckDBWarehouse):
        def publish(self, data, fetches) -> None:  # type: ignore[no-untyped-def]
            if not begun:
                begun.append(True)
                second.start()
                second.join()
            publish(self, data, fetches)

    with firm.runtime() as runtime:
        runtime.__dict__["warehouse"] = Late(firm.db)
        walks = walk_all(Window(FIRST, LAST).split(1), runtime.client("cursor").events, cursor.EVENTS, 4)
        runtime.loader("first").load(cursor.EVENTS, walks)
    firm.load()
    assert_books(firm.db, firm.world)
    assert rows(firm.db, "SELECT usage_date, change_usd FROM vw_restatements") == []


def test_an_error_counts_its_windows_and_stays_one_sentence(firm: Company) -> None:
    firm.sim.add_fault(Fault("500", EVENTS, times=None))
    report = events(firm)
    assert len(report.failures) == len(DAYS)
    assert f"{len(DAYS)} windows" in str(report.error()) and "\n" not in str(report.error())
    assert rows(firm.db, "SELECT COUNT(*) FROM raw_cursor_events") == [(0,)]
    assert states(firm) == {day: {"failed"} for day in DAYS}


def test_a_failure_after_a_good_load_leaves_the_good_version(firm: Company, filled: Filled) -> None:
    """Failed is a state of the call, not of the day: what was known stays known."""
    before = take(firm, filled)
    firm.sim.add_fault(Fault("reset", EVENTS, times=None))
    events(firm)
    with firm.runtime() as runtime:
        build(runtime, FIRST, LAST)
    found = snapshot(firm.db, without=MARTS)
    assert_same(found, {name: before[name] for name in found})
    assert Decimal(rows(firm.db, "SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage'")[0][0]) > 0
