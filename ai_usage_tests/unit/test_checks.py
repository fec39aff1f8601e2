"""Checks that can fail: each is shown a day that is right and the same day made wrong by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import dagster as dg

from ai_usage.defs import checks
from ai_usage.loading import LoadReport
from ai_usage.sources.cursor.records import EVENTS
from ai_usage.sources.endpoint import Window
from ai_usage.sources.google_sheets.records import ENDPOINTS as TABS
from ai_usage.tables import BY_NAME
from ai_usage_tests.fixtures.desk import Desk, event

DAY, NEXT = date(2026, 11, 1), date(2026, 11, 2)
BOTH = Window(DAY, NEXT)
PEOPLE = next(tab for tab in TABS if tab.name == "people")


def judged(desk: Desk, window: Window) -> dict[str, dg.AssetCheckResult]:
    return {str(r.check_name): r for r in checks.raw_checks(desk.warehouse, EVENTS, window, LoadReport())}


def failing(desk: Desk, window: Window) -> set[str]:
    return {name for name, result in judged(desk, window).items() if not result.passed}


def test_days_that_are_held_whole_pass(desk: Desk) -> None:
    desk.load_day(EVENTS, DAY, [event(DAY, cents=125)])
    desk.load_day(EVENTS, NEXT, [])
    assert failing(desk, BOTH) == set(), "an empty day is an answer"


def test_a_day_that_nobody_holds_is_named(desk: Desk) -> None:
    desk.load_day(EVENTS, DAY, [event(DAY, cents=125)])
    result = judged(desk, BOTH)["complete"]
    assert not result.passed and result.metadata["expected"].value == "2" and result.metadata["actual"].value == "1"
    assert "2026-11-02" in str(result.metadata["sample"].value)


def test_a_total_that_staging_does_not_hold_blocks(desk: Desk) -> None:
    """The vendor's records sum to 1.25 USD, and a tenth of a cent of it is nowhere."""
    desk.load_day(EVENTS, DAY, [event(DAY, cents=125)])
    desk.warehouse.execute("UPDATE raw_fetches SET vendor_total_usd = CAST('1.251' AS NUMERIC) WHERE usage_date = DATE '2026-11-01'")
    result = judged(desk, BOTH)["conservation"]
    assert not result.passed and result.severity == dg.AssetCheckSeverity.ERROR
    assert Decimal(result.metadata["difference"].value) == Decimal("0.001")


def test_rows_of_a_published_version_that_are_gone_block(desk: Desk) -> None:
    desk.load_day(EVENTS, DAY, [event(DAY, cents=125), event(DAY, cents=5)])
    desk.warehouse.execute("DELETE FROM raw_cursor_events WHERE usage_date = DATE '2026-11-01' AND charged_usd < CAST('0.1' AS NUMERIC)")
    assert "versions_are_whole" in failing(desk, BOTH)


def test_a_snapshot_that_has_lost_rows_is_found_whenever_it_was_read(desk: Desk) -> None:
    """It counts until the next one is read, so its day lies in no run's window; an older one that is superseded counts no more."""
    ana, ben = ({"email": f"{name}@example.com"} for name in ("ana", "ben"))
    desk.tab("people", ana, ben, day=date(2026, 10, 2))
    desk.events(DAY, {"charged_usd": Decimal(1)})
    endpoints = [EVENTS, PEOPLE]
    assert checks.lost_rows(desk.warehouse, endpoints, BOTH) == []
    desk.warehouse.execute("DELETE FROM raw_sheet_people WHERE email = 'ben@example.com'")
    [lost] = checks.lost_rows(desk.warehouse, endpoints, BOTH)
    assert (lost["endpoint"], lost["usage_date"], lost["expected_rows"], lost["found_rows"]) == ("people", date(2026, 10, 2), 2, 1)
    desk.tab("people", ana, day=date(2026, 10, 3))
    assert checks.lost_rows(desk.warehouse, endpoints, BOTH) == []
    desk.warehouse.execute("DELETE FROM raw_cursor_events WHERE TRUE")
    assert [row["endpoint"] for row in checks.lost_rows(desk.warehouse, endpoints, BOTH)] == ["filtered-usage-events"]


def test_two_rows_of_one_key_are_found(desk: Desk) -> None:
    line = {"email": "ana@example.com", "valid_from": date(1900, 1, 1), "valid_to": date(9999, 12, 31)}
    table = BY_NAME["dim_user_assignments"]
    desk.lay(table.name, line)
    assert checks.grain(desk.warehouse, table).passed
    desk.lay(table.name, line)
    assert not checks.grain(desk.warehouse, table).passed
