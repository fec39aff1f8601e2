"""One fetch is one version of one day: what makes a version, what does not, and how a failure is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ai_usage.sources.anthropic.records import CLAUDE_CODE, COST, USAGE
from ai_usage.sources.cursor.records import DAILY_USAGE, EVENTS, MEMBERS
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError, RefusedError, TransientError
from ai_usage.sources.google_sheets.records import BUDGETS
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.sources.walk import FailedWalk
from ai_usage_tests.fixtures.desk import Desk, event, spooled, work

pytestmark = pytest.mark.either_engine

DAY, NEXT = date(2026, 11, 1), date(2026, 11, 2)
A, B = [event(DAY, cents=10)], [event(DAY, cents=20), event(DAY, cents=5)]


def total(desk: Desk) -> Decimal:
    return desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM stg_cursor_cost")


def versions(desk: Desk) -> list[tuple]:
    rows = desk.ask("SELECT state, changed, row_count, vendor_total_usd FROM raw_fetches ORDER BY fetched_at")
    return [tuple(r.values()) for r in rows]


@pytest.mark.both_engines
def test_seen_again_unchanged_writes_no_rows_and_points_to_the_version(desk: Desk) -> None:
    desk.load_day(EVENTS, DAY, A)
    report = desk.load_day(EVENTS, DAY, A)
    assert (report.days_unchanged, report.rows, report.rows_written) == (1, 1, 0)
    assert desk.one("SELECT COUNT(*) FROM raw_cursor_events") == 1
    first, second = desk.ask("SELECT fetch_id, version_fetch_id, changed FROM raw_fetches ORDER BY fetched_at")
    assert first["changed"] and not second["changed"]
    assert second["version_fetch_id"] == first["fetch_id"] == first["version_fetch_id"] != second["fetch_id"]
    assert total(desk) == Decimal("0.1")


def test_the_order_of_records_makes_no_version(desk: Desk) -> None:
    desk.load_day(EVENTS, DAY, B)
    assert desk.load_day(EVENTS, DAY, B[::-1]).days_unchanged == 1


def test_a_day_that_went_there_and_back_has_three_versions(desk: Desk) -> None:
    """A, B, A: the ledger tells each change, and the last one counts."""
    for records, usd in ((A, "0.1"), (B, "0.25"), (A, "0.1")):
        desk.load_day(EVENTS, DAY, records)
        assert total(desk) == Decimal(usd)
    assert versions(desk) == [
        ("complete", True, 1, Decimal("0.1")),
        ("complete", True, 2, Decimal("0.25")),
        ("complete", True, 1, Decimal("0.1")),
    ]
    assert desk.one("SELECT COUNT(*) FROM raw_cursor_events") == 4, "older versions stay"


@pytest.mark.both_engines
def test_a_day_restated_to_empty_is_empty(desk: Desk) -> None:
    """And to full again; empty twice is one version."""
    for records, usd in ((A, "0.1"), ([], "0"), ([], "0"), (A, "0.1")):
        desk.load_day(EVENTS, DAY, records)
        assert total(desk) == Decimal(usd)
    assert [(v[0], v[1]) for v in versions(desk)] == [("complete", True), ("empty", True), ("empty", False), ("complete", True)]


def test_an_empty_day_is_not_a_day_that_was_not_asked(desk: Desk) -> None:
    desk.load(EVENTS, spooled(desk.spool, EVENTS, DAY, NEXT, [event(NEXT)]))
    rows = desk.ask("SELECT usage_date, state, row_count, vendor_total_usd FROM raw_fetches ORDER BY 1")
    assert [tuple(r.values()) for r in rows] == [(DAY, "empty", 0, Decimal(0)), (NEXT, "complete", 1, Decimal("0.1"))]


def test_a_corrected_parser_makes_a_new_version_of_the_same_bytes(desk: Desk) -> None:
    """An error in a declaration that once turned cents into dollars is repaired by reading again."""
    wrong = replace(EVENTS, columns={**EVENTS.columns, "charged_usd": '"chargedCents"'})
    desk.load(wrong, spooled(desk.spool, wrong, DAY, records=A))
    assert total(desk) == 10
    assert desk.load_day(EVENTS, DAY, A).rows_written == 1
    assert total(desk) == Decimal("0.1")


def test_a_failed_window_is_recorded_as_failed_on_each_of_its_days(desk: Desk) -> None:
    """Nothing is published, nothing is emptied, the reason is kept, and the other windows stand."""
    desk.load_day(EVENTS, DAY, A)
    failed = FailedWalk(EVENTS, Window(DAY, NEXT), TransientError("Cursor answered 500; run again later."))
    third = date(2026, 11, 3)
    report = desk.load(EVENTS, failed, spooled(desk.spool, EVENTS, third, records=[event(third, cents=1)]))
    rows = desk.ask("SELECT usage_date, error, vendor_total_usd, row_count FROM raw_fetches WHERE state = 'failed' ORDER BY 1")
    assert [tuple(r.values()) for r in rows] == [(d, "Cursor answered 500; run again later.", None, None) for d in (DAY, NEXT)]
    assert total(desk) == Decimal("0.11")
    assert isinstance(report.error(), TransientError) and "500" in str(report.error())


def test_a_changed_contract_is_recorded_as_failed_and_the_old_day_stands(desk: Desk) -> None:
    desk.load_day(EVENTS, DAY, A)
    report = desk.load_day(EVENTS, DAY, [{"timestamp": event(DAY)["timestamp"], "renamed": 1}])
    assert isinstance(report.error(), ContractError) and report.rows_written == 0
    assert versions(desk)[-1][0] == "failed" and total(desk) == Decimal("0.1")


def test_a_contract_that_changed_for_one_day_costs_that_day_only(desk: Desk) -> None:
    """Law 3: inside a range as alone, the changed day is failed and keeps what it had, and the days beside it are published."""
    desk.load_day(EVENTS, NEXT, [event(NEXT, cents=30)])
    changed = [{k: v for k, v in event(NEXT).items() if k != "chargedCents"}] * 10
    report = desk.load(EVENTS, spooled(desk.spool, EVENTS, DAY, records=A), spooled(desk.spool, EVENTS, NEXT, records=changed))
    assert isinstance(report.error(), ContractError)
    assert [r["usage_date"] for r in desk.ask("SELECT usage_date FROM raw_fetches WHERE state = 'failed'")] == [NEXT]
    assert total(desk) == Decimal("0.4"), "0.1 of the good day, 0.3 that the other day had"


def refused(endpoint: Endpoint, *days: date) -> list[FailedWalk]:
    error = RefusedError("Vendor GET /x answered 403: not enabled.")
    return [FailedWalk(endpoint, Window(day, day), error) for day in days]


@pytest.mark.parametrize("endpoint", [CLAUDE_CODE, USAGE, DAILY_USAGE, MEMBERS], ids=lambda e: e.name)
def test_an_endpoint_that_bills_nothing_and_never_answered_may_be_refused(desk: Desk, endpoint: Endpoint) -> None:
    """A state of its own: not empty, not failed; said with what stays unknown."""
    report = desk.load(endpoint, *refused(endpoint, DAY, NEXT))
    assert report.error() is None and report.failures == []
    assert report.refused is not None and endpoint.without is not None
    assert report.refused.startswith("Vendor GET /x answered 403") and endpoint.without in report.refused
    states = desk.ask("SELECT usage_date, state, error FROM raw_fetches ORDER BY usage_date")
    assert [(r["usage_date"], r["state"]) for r in states] == [(DAY, "refused"), (NEXT, "refused")]
    assert desk.one("SELECT COUNT(*) FROM stg_current_fetches") == 0, "nothing is known of the days"
    health = desk.ask("SELECT days_refused, days_failed, days_empty FROM vw_data_health")
    assert [tuple(r.values()) for r in health] == [(2, 0, 0)]


@pytest.mark.parametrize("endpoint", [EVENTS, COST, BUDGETS], ids=lambda e: e.name)
def test_what_bills_and_the_sheet_may_not_be_refused(desk: Desk, endpoint: Endpoint) -> None:
    report = desk.load(endpoint, *refused(endpoint, DAY, NEXT))
    assert isinstance(report.error(), RefusedError) and report.refused is None
    assert desk.one("SELECT COUNT(*) FROM raw_fetches WHERE state = 'failed'") == 2


def test_each_endpoint_says_what_is_unknown_without_it() -> None:
    silent = {
        e.name
        for e in ENDPOINTS.values()
        if not e.without and e.vendor_total is None and e.source in {"anthropic", "cursor"} and not e.by_permission
    }
    assert silent == set() and not [e for e in ENDPOINTS.values() if e.without and e.vendor_total]


def test_a_refusal_of_what_answered_before_is_a_failure(desk: Desk) -> None:
    desk.load_day(DAILY_USAGE, DAY, [work(DAY)])
    report = desk.load(DAILY_USAGE, *refused(DAILY_USAGE, NEXT))
    assert isinstance(report.error(), RefusedError) and report.refused is None
    assert desk.one("SELECT COUNT(*) FROM stg_current_fetches") == 1, "what was read stands"


def test_an_answer_after_a_refusal_ends_it(desk: Desk) -> None:
    desk.load(DAILY_USAGE, *refused(DAILY_USAGE, DAY))
    desk.load_day(DAILY_USAGE, DAY, [work(DAY)])
    assert [tuple(r.values()) for r in desk.ask("SELECT days_refused, days_complete FROM vw_data_health")] == [(0, 1)]


def test_several_failures_are_one_error_that_counts_them(desk: Desk) -> None:
    report = desk.load(EVENTS, *(FailedWalk(EVENTS, Window(d, d), TransientError("down.")) for d in (DAY, NEXT)))
    said = str(report.error())
    assert "2 windows failed" in said and "2026-11-01, 2026-11-02" in said and "down." in said


def test_a_clock_that_was_set_back_does_not_make_a_new_version_older(desk: Desk) -> None:
    """The version read last counts, though an earlier one carries a later time."""
    future = datetime.now(UTC) + timedelta(days=400)
    desk.events(DAY, {"charged_usd": Decimal(5), "user_email": "a@example.com"}, at=future, content_sha256="x")
    desk.load_day(EVENTS, DAY, A)
    assert total(desk) == Decimal("0.1")
    desk.load_day(EVENTS, DAY, B)
    assert total(desk) == Decimal("0.25")
    stamps = [r["fetched_at"] for r in desk.ask("SELECT fetched_at FROM raw_fetches ORDER BY fetched_at")]
    assert len(set(stamps)) == 3


def test_a_snapshot_is_compared_with_the_latest_one_of_any_day(desk: Desk) -> None:
    """Members that did not change since yesterday cost no rows today; the snapshot of today is recorded."""
    members = [{"id": "u", "email": "u@example.com"}]
    desk.load_day(MEMBERS, DAY, members)
    assert desk.load_day(MEMBERS, NEXT, members).rows_written == 0
    assert desk.one("SELECT COUNT(*) FROM raw_cursor_members") == 1
    (row,) = desk.ask("SELECT usage_date, version_fetch_id FROM stg_snapshots")
    assert row["usage_date"] == NEXT
    assert desk.one("SELECT fetch_id FROM raw_cursor_members") == row["version_fetch_id"]


def test_a_snapshot_that_changed_within_a_day_is_the_later_one(desk: Desk) -> None:
    for email in ("a@example.com", "b@example.com", "a@example.com"):
        desk.load_day(MEMBERS, DAY, [{"id": "u", "email": email}])
    found = desk.ask("SELECT m.email FROM raw_cursor_members AS m JOIN stg_snapshots AS s ON m.fetch_id = s.version_fetch_id")
    assert [r["email"] for r in found] == ["a@example.com"]
    assert desk.one("SELECT COUNT(*) FROM raw_cursor_members") == 3


def test_rejects_belong_to_the_version_that_brought_them(desk: Desk) -> None:
    """A record that was wrong and is right now is no open reject of the current version; unchanged rejects are not repeated."""
    bad = [event(DAY), event(DAY, cents="n/a")]
    desk.load_day(EVENTS, DAY, bad)
    once = desk.one("SELECT COUNT(*) FROM raw_rejects")
    desk.load_day(EVENTS, DAY, bad)
    assert desk.one("SELECT COUNT(*) FROM raw_rejects") == once > 0
    desk.load_day(EVENTS, DAY, [event(DAY), event(DAY)])
    current = "SELECT COUNT(*) FROM raw_rejects AS r JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id"
    assert desk.one(current) == 0 and desk.one("SELECT rejected_count FROM stg_current_fetches") == 0


@pytest.mark.both_engines
def test_large_loads_arrive_in_batches_with_every_day_once(desk: Desk, monkeypatch) -> None:
    """Batches bound memory; they change nothing."""
    from ai_usage.loading import loader

    monkeypatch.setattr(loader, "BATCH_BYTES", 300)
    days = [DAY + timedelta(days=n) for n in range(5)]
    report = desk.load(EVENTS, *(spooled(desk.spool, EVENTS, d, records=[event(d)] * 3) for d in days))
    assert (report.days, report.rows, report.vendor_total_usd) == (5, 15, Decimal("1.5"))
    assert desk.one("SELECT COUNT(*) FROM raw_fetches") == 5
