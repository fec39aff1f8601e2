"""Which days are held, which are open, which will be forgotten: told from fetches laid by hand, against answers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ai_usage.defs.completeness import no_failed_days
from ai_usage.operations import completeness, states
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import registry
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import PermanentError
from ai_usage_tests.fixtures.desk import Desk

D, N = date, Decimal
EVENTS, DAILY = "filtered-usage-events", "daily-usage-data"
TODAY = D(2026, 11, 22)
ONE = timedelta(days=1)


class At(Runtime):
    """A runtime whose clock stands still."""

    now = TODAY

    @property
    def today(self) -> date:
        return self.now


@pytest.fixture
def runtime(desk: Desk) -> Callable[..., At]:
    def make(today: date = TODAY, **changes: object) -> At:
        fields = {"cursor_admin_api_key": "k", "start_date": D(2026, 1, 1), "data_dir": desk.folder} | changes
        found = At(Settings(_env_file=None, **fields))  # type: ignore[call-arg]
        found.__dict__["warehouse"] = desk.warehouse
        found.now = today
        return found

    return make


def after(day: date, hours: int = 14) -> datetime:
    """An instant on the next UTC day: when the morning's run reads it."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + ONE + timedelta(hours=hours)


def held(desk: Desk, *days: date, endpoints: tuple[str, ...] = (EVENTS, DAILY), **fetch: object) -> None:
    for day in days:
        for endpoint in endpoints:
            desk.fetch("cursor", endpoint, day, at=after(day), **fetch)


def days(first: date, last: date) -> list[date]:
    return Window(first, last).days


# The view -----------------------------------------------------------------------------------------------------------


@pytest.mark.both_engines
def test_the_certificate_tells_five_states_apart(desk: Desk) -> None:
    """1 to 6 November of Cursor. The other endpoint of the same source owes the same days, though it was asked about one of them only."""
    desk.events(D(2026, 11, 1), {"charged_usd": N(2)}, at=after(D(2026, 11, 1)), vendor_total_usd=N(2), content_sha256="s1")
    desk.events(D(2026, 11, 2), at=after(D(2026, 11, 2)), content_sha256="s2")
    desk.events(D(2026, 11, 3), state="failed", row_count=None, at=after(D(2026, 11, 3)), error="no answer")
    # 4: nobody asked. 5: read while it was still open, and failed when it was read again.
    desk.events(D(2026, 11, 5), {"charged_usd": N(1)}, at=datetime(2026, 11, 5, 23, 59, 59, tzinfo=UTC), content_sha256="s5")
    desk.events(D(2026, 11, 5), state="failed", row_count=None, at=after(D(2026, 11, 5)), error="down")
    # 6: held, though a later attempt failed.
    desk.events(D(2026, 11, 6), {"charged_usd": N(1)}, at=after(D(2026, 11, 6)), content_sha256="s6")
    desk.events(D(2026, 11, 6), state="failed", row_count=None, at=after(D(2026, 11, 6), 20), error="later")
    desk.fetch("cursor", DAILY, D(2026, 11, 2), at=after(D(2026, 11, 2)), content_sha256="s7")
    # A file speaks of its own days alone, also before the API's first.
    desk.events(D(2026, 10, 1), {"charged_usd": N(1)}, at=after(D(2026, 11, 6)), origin="upload", content_sha256="s8")
    desk.tab("people", {"email": "ana@example.com"})
    found = {
        (r["endpoint"], r["usage_date"]): (r["state"], r["content_sha256"], r["error"])
        for r in desk.ask("SELECT endpoint, usage_date, state, content_sha256, error FROM vw_certificate")
    }
    assert {day: said for (name, day), said in found.items() if name == EVENTS} == {
        D(2026, 10, 1): ("complete", "s8", None),
        D(2026, 11, 1): ("complete", "s1", None),
        D(2026, 11, 2): ("empty", "s2", None),
        D(2026, 11, 3): ("failed", None, "no answer"),
        D(2026, 11, 4): ("missing", None, None),
        D(2026, 11, 5): ("open", "s5", "down"),
        D(2026, 11, 6): ("complete", "s6", "later"),
    }
    other = {day: said[0] for (name, day), said in found.items() if name == DAILY}
    assert other == {day: "empty" if day == D(2026, 11, 2) else "missing" for day in days(D(2026, 11, 1), D(2026, 11, 6))}
    assert {name for name, _ in found} == {EVENTS, DAILY}, "a snapshot has no days"


@pytest.mark.either_engine
def test_what_was_read_before_the_day_ended_is_no_statement_of_the_vendor(desk: Desk) -> None:
    """Two readings of an open day, then the whole day, then a real restatement: one restatement; and the day held is one, not asked before."""
    day = D(2026, 11, 5)
    for hour, usd in ((9, 1), (10, 2)):
        at = datetime(2026, 11, 5, hour, tzinfo=UTC)
        desk.events(day, {"charged_usd": N(usd)}, at=at, vendor_total_usd=N(usd), content_sha256=f"open{usd}")
    assert desk.ask("SELECT * FROM vw_data_health") == []
    # Nothing happened after ten o'clock, so the whole day equals the last reading.
    desk.events(day, at=after(day), vendor_total_usd=N(2), content_sha256="open2", changed=False, state="complete", row_count=1)
    assert desk.ask("SELECT * FROM vw_restatements") == []
    desk.events(day, {"charged_usd": N(5)}, at=after(day + ONE), vendor_total_usd=N(5), content_sha256="later")
    [row] = desk.ask("SELECT version_no, change_usd FROM vw_restatements")
    assert row == {"version_no": 2, "change_usd": N(3)}
    [health] = desk.ask("SELECT days_complete, days_missing, days_failed FROM vw_data_health")
    assert health == {"days_complete": 1, "days_missing": 0, "days_failed": 0}


# The certificate ----------------------------------------------------------------------------------------------------


def test_a_source_that_is_on_owes_also_days_that_nobody_asked_about(desk: Desk, runtime: Callable[..., At]) -> None:
    held(desk, *days(D(2026, 11, 1), D(2026, 11, 3)))
    found = completeness.certificate(runtime(D(2026, 11, 6)), D(2026, 10, 31), D(2026, 11, 6))
    gaps = [(d.endpoint, d.usage_date) for d in found if d.is_gap]
    assert gaps == [(name, day) for name in (DAILY, EVENTS) for day in (D(2026, 10, 31), D(2026, 11, 4), D(2026, 11, 5))]
    assert len(found) == 2 * 6, "today has not ended and is owed by nobody"
    off = completeness.certificate(runtime(D(2026, 11, 6), cursor_admin_api_key=None), D(2026, 10, 31), D(2026, 11, 6))
    assert len(off) == 6 and not any(d.is_gap for d in off), "a source that is off owes nothing beyond what it was asked"


def test_what_only_some_keys_may_read_is_owed_once_it_was_read_and_a_day_later(desk: Desk, runtime: Callable[..., At]) -> None:
    on = {"anthropic_admin_api_key": "k", "cursor_admin_api_key": None}
    names = lambda: {d.endpoint for d in completeness.certificate(runtime(**on), TODAY - 4 * ONE, TODAY)}  # noqa: E731
    assert names() == {"cost_report", "usage_report/messages", "usage_report/claude_code"}
    desk.fetch("anthropic", "analytics/cost", TODAY - 3 * ONE, at=after(TODAY - 3 * ONE))
    owed = [d for d in completeness.certificate(runtime(**on), TODAY - 4 * ONE, TODAY) if d.endpoint == "analytics/cost"]
    assert [(d.usage_date, d.state) for d in owed] == [(TODAY - 3 * ONE, "empty"), (TODAY - 2 * ONE, "missing")]


def test_a_plan_is_ranges_of_at_most_thirty_days_oldest_first(runtime: Callable[..., At]) -> None:
    gaps = [*days(D(2026, 1, 1), D(2026, 2, 9)), D(2026, 3, 5)]
    found = [completeness.Day("cursor", EVENTS, day, "missing") for day in reversed(gaps)]
    found += [completeness.Day("cursor", DAILY, day, "failed") for day in gaps]
    found += [
        completeness.Day("cursor", EVENTS, D(2026, 2, 20), "empty"),
        completeness.Day("anthropic", "cost_report", D(2026, 4, 1), "failed"),
    ]
    assert completeness.plan(found, runtime().settings) == [
        "ai-usage run --from 2026-01-01 --to 2026-01-30",
        "ai-usage run --from 2026-01-31 --to 2026-02-09",
        "ai-usage run --from 2026-03-05 --to 2026-03-05",
        "Claude is off: ANTHROPIC_ADMIN_API_KEY is not set.",
    ]


# Catching up --------------------------------------------------------------------------------------------------------


def test_a_machine_that_slept_longer_than_the_window_finds_what_it_forgot(desk: Desk, runtime: Callable[..., At]) -> None:
    """Held to 1 June; one day in May failed; the window of today's run begins on 19 October."""
    begun, asleep, window = D(2026, 5, 1), D(2026, 6, 1), D(2026, 10, 19)
    held(desk, *(d for d in days(begun, asleep) if d != D(2026, 5, 9)))
    held(desk, D(2026, 5, 9), endpoints=(DAILY,))
    desk.events(D(2026, 5, 9), state="failed", row_count=None, at=after(D(2026, 5, 9)))
    assert completeness.forgotten(runtime(), window) == [D(2026, 5, 9), *days(asleep + ONE, window - ONE)]
    assert completeness.forgotten(runtime(), begun) == [], "history before the first run is nobody's"
    assert completeness.forgotten(runtime(start_date=D(2026, 10, 10)), window) == days(D(2026, 10, 10), window - ONE)
    assert completeness.forgotten(runtime(cursor_admin_api_key=None), window) == []
    # What the vendor has forgotten is not asked for each morning: since it was first read on 2 May, the days of June have left 60 days of history.
    short = completeness.forgotten(runtime(history_days={"cursor": 60}), window)
    assert short == days(TODAY - 59 * ONE, window - ONE)


def test_nothing_is_forgotten_before_the_first_run(desk: Desk, runtime: Callable[..., At]) -> None:
    assert completeness.forgotten(runtime(), TODAY) == []


# What vendors forget ------------------------------------------------------------------------------------------------


def test_a_day_that_will_leave_the_history_is_named_before_and_after(desk: Desk, runtime: Callable[..., At]) -> None:
    """A history of 30 days: today and the 29 before it. Held daily since 1 October, but for 20 October and 25 October."""
    held(desk, *(d for d in days(D(2026, 10, 1), TODAY - ONE) if d not in (D(2026, 10, 20), D(2026, 10, 25))))
    on = {"history_days": {"cursor": 30}, "start_date": D(2026, 10, 1)}
    ask = lambda today, **more: list(completeness.leaving(runtime(today, **on | more), 7))  # noqa: E731
    # On 11 November the first day answered is 13 October: the 20th leaves on the 19th of November, in 8 days.
    assert ask(D(2026, 11, 11)) == []
    [events, daily] = sorted(ask(D(2026, 11, 12)), key=lambda found: found.endpoint.name, reverse=True)
    assert (events.soon, events.gone, events.history_days) == ([D(2026, 10, 20)], [], 30) and daily.soon == [D(2026, 10, 20)]
    [found] = [f for f in ask(D(2026, 11, 18)) if f.endpoint.name == EVENTS]
    assert (found.soon, found.gone) == ([D(2026, 10, 20), D(2026, 10, 25)], [])
    [found] = [f for f in ask(D(2026, 11, 19)) if f.endpoint.name == EVENTS]
    assert (found.soon, found.gone) == ([D(2026, 10, 25)], [D(2026, 10, 20)]), "on the 19th the vendor answers from the 21st on"
    assert ask(D(2026, 11, 19), history_days={}) == [], "without a known history nothing is known to leave it"
    # With a start date before: when the platform first read, on 2 October, the vendor answered from 3 September on. Those days could have been had.
    early = [d for f in ask(D(2026, 11, 19), start_date=D(2026, 1, 1)) for d in f.gone if d < D(2026, 10, 1)]
    assert set(early) == set(days(D(2026, 9, 3), D(2026, 9, 30)))


# Refused, left out --------------------------------------------------------------------------------------------------


def test_what_the_vendor_refuses_is_no_gap_unless_it_bills_or_answered_before(desk: Desk, runtime: Callable[..., At]) -> None:
    """Nobody can close such a gap by running again: it is a state of the certificate, and no day of it is owed or late."""
    first, last = TODAY - 3 * ONE, TODAY - ONE
    for day in days(first, last):
        desk.fetch("cursor", DAILY, day, at=after(day), state="refused", error="not enabled")
        desk.fetch("cursor", EVENTS, day, at=after(day))
    found = completeness.certificate(runtime(), first, last)
    assert {(d.endpoint, d.state, d.is_gap) for d in found} == {(EVENTS, "empty", False), (DAILY, "refused", False)}
    assert DAILY not in {row["endpoint"] for row in states.stale(runtime())[1]}
    assert completeness.certificate(runtime(), first - ONE, first - ONE) == [completeness.Day("cursor", EVENTS, first - ONE, "missing")], (
        "days that were never asked are owed by the endpoint that may be read alone"
    )

    desk.fetch("cursor", DAILY, first - 5 * ONE, at=after(first - 5 * ONE))  # it did answer once
    again = completeness.certificate(runtime(), first, last)
    assert {(d.endpoint, d.state, d.is_gap) for d in again} == {(EVENTS, "empty", False), (DAILY, "refused", True)}


def test_an_endpoint_that_is_left_out_owes_nothing(desk: Desk, runtime: Callable[..., At]) -> None:
    held(desk, TODAY - ONE, endpoints=(EVENTS,))
    at = runtime(leave_out=[f"cursor/{DAILY}"])
    assert [d.endpoint for d in completeness.certificate(at, TODAY - ONE, TODAY - ONE)] == [EVENTS]


@pytest.mark.parametrize("name", ["cursor/daily-usage", "cursor", "anthropic/usage_report/claudecode"])
def test_a_name_that_no_endpoint_has_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(PermanentError, match=r"AI_USAGE_LEAVE_OUT names '.*', which is not an endpoint; (did you mean|name one of)"):
        registry.check_names([name])


def test_a_refused_day_is_not_a_failed_one(desk: Desk, runtime: Callable[..., At]) -> None:
    """Its endpoint's own check says what the refusal costs; running the day again would not help."""
    for n, tries in ((18, ["refused"]), (19, ["failed", "refused"]), (20, ["refused", "failed"])):
        for hour, state in enumerate(tries):
            desk.fetch(
                "anthropic",
                "usage_report/claude_code",
                D(2026, 11, n),
                state=state,
                at=datetime(2026, 11, 22, hour, tzinfo=UTC),
                error="403",
            )
    result = no_failed_days(runtime())
    assert (result.passed, result.metadata["actual"].value) == (False, "1 failed, 0 missing")
    assert "2026-11-20" in result.metadata["sample"].value
