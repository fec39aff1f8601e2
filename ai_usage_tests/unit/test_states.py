"""One word for what a source has told: each state, each two side by side, and the words that people read.

Belongs here: the rule over fetches laid by hand. Does not belong here: how one day is judged (`test_completeness.py`), a source that is really down
(`e2e/test_source_down.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pytest

from ai_usage.dashboards.metabase.desired import STATES_SQL
from ai_usage.operations import states
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources.endpoint import Window
from ai_usage.sources.registry import ENDPOINTS
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_completeness import DAILY, EVENTS, ONE, TODAY, D, N, after, held, runtime

__all__ = ["runtime"]
At = Callable[..., Runtime]
YESTERDAY = TODAY - ONE
FIRST = YESTERDAY - 2 * ONE
COMPLETE, FAILED, REFUSED, OPEN = ("complete", None), ("failed", "no answer"), ("refused", "not enabled"), ("open", None)


# The rule --------------------------------------------------------------------------------------------------------------

# {state: what is known of three days; the third is due}
SHOWN = {
    "read": {FIRST: COMPLETE, FIRST + ONE: ("empty", None), YESTERDAY: COMPLETE},
    "late": {FIRST: COMPLETE, FIRST + ONE: COMPLETE},
    "missing": {FIRST: COMPLETE, YESTERDAY: COMPLETE},
    "refused": {FIRST: COMPLETE, FIRST + ONE: COMPLETE, YESTERDAY: REFUSED},
    "failed": {FIRST: COMPLETE, FIRST + ONE: COMPLETE, YESTERDAY: FAILED},
}


@pytest.mark.parametrize("state", states.STATES)
def test_each_state(state: str) -> None:
    found = states.judge(ENDPOINTS["cursor", EVENTS], YESTERDAY, FIRST, YESTERDAY, SHOWN[state])
    assert found.state == state
    assert found.lacking == {"read": (), "missing": (FIRST + ONE,)}.get(state, (YESTERDAY,))
    assert found.is_behind == (state in ("late", "refused", "failed"))
    assert found.reason == {"failed": "no answer", "refused": "not enabled"}.get(state)


@pytest.mark.parametrize(
    ("tries", "state"),
    [
        ({}, "missing"),  # nobody ever asked
        ({**SHOWN["late"], YESTERDAY: OPEN}, "late"),  # read before the day ended
        ({**SHOWN["read"], FIRST: FAILED}, "failed"),  # what is due is held, an earlier day is not
        ({FIRST: FAILED, FIRST + ONE: REFUSED}, "failed"),  # failed, refused and late: the worst
        ({FIRST: REFUSED, FIRST + ONE: COMPLETE}, "refused"),
        ({FIRST: COMPLETE}, "late"),
    ],
)
def test_more_days_in_other_states(tries: states.Tries, state: str) -> None:
    assert states.judge(ENDPOINTS["cursor", EVENTS], YESTERDAY, FIRST, YESTERDAY, tries).state == state


def test_a_day_is_late_when_its_morning_and_the_lag_have_passed() -> None:
    """Six in Los Angeles is 14:00 UTC in winter; the sources have two hours. The 21st ends at midnight, is read at 14:00, and is late at 16:00."""
    settings = Settings(_env_file=None, wait_for_sources_minutes=120, schedule_at="06:00", schedule_zone="America/Los_Angeles")
    for hour, minute, due in ((0, 5, 20), (13, 59, 20), (15, 59, 20), (16, 0, 21), (23, 59, 21)):
        assert states.due_day(settings, datetime(2026, 11, 22, hour, minute, tzinfo=UTC)) == D(2026, 11, due)
    # At one in the night nothing of the 21st is late, but what failed at half past twelve has failed.
    night = {FIRST: COMPLETE, FIRST + ONE: COMPLETE}
    assert states.judge(ENDPOINTS["cursor", EVENTS], YESTERDAY - ONE, FIRST, YESTERDAY, night).state == "read"
    failed = states.judge(ENDPOINTS["cursor", EVENTS], YESTERDAY - ONE, FIRST, YESTERDAY, {**night, YESTERDAY: FAILED})
    assert [one.said for one in states.by_source([failed], TODAY)] == ["Cursor: not read since 20 Nov (failed)"]
    # A vendor that may finish a day later owes the day before.
    slow = ENDPOINTS["anthropic", "analytics/cost"]
    told = {FIRST: COMPLETE, FIRST + ONE - timedelta(days=slow.lag_days - 1): COMPLETE}
    assert slow.lag_days and states.judge(slow, YESTERDAY, FIRST, YESTERDAY, told).state == "read"
    assert states.judge(slow, YESTERDAY + ONE, FIRST, YESTERDAY + ONE, told).state == "late"


@pytest.mark.parametrize(
    ("tries", "state"),
    [({}, "missing"), ({YESTERDAY: COMPLETE}, "read"), ({FIRST: COMPLETE}, "late"), ({FIRST: COMPLETE, TODAY: FAILED}, "failed"),
     ({YESTERDAY: COMPLETE, TODAY: FAILED}, "read"), ({TODAY: REFUSED}, "refused")],
)  # fmt: skip
def test_a_list_of_people_is_of_yesterday_or_today(tries: states.Tries, state: str) -> None:
    assert states.judge(ENDPOINTS["cursor", "members"], YESTERDAY, FIRST, YESTERDAY, tries).state == state


# Sources ---------------------------------------------------------------------------------------------------------------

SAID = {
    "read": "read", "late": "not read since 20 Nov (late)", "missing": "1 day missing, the first 20 Nov",
    "refused": "not read since 20 Nov (refused)", "failed": "not read since 20 Nov (failed)",
}  # fmt: skip


@pytest.mark.parametrize("pair", list(combinations(states.STATES, 2)), ids="-".join)
def test_two_sources_in_two_states_are_told_apart(pair: tuple[str, str]) -> None:
    both = zip(("anthropic", "cursor"), pair, strict=True)
    endpoints = {"anthropic": ("anthropic", "cost_report"), "cursor": ("cursor", EVENTS)}
    found = [states.judge(ENDPOINTS[endpoints[s]], YESTERDAY, FIRST, YESTERDAY, SHOWN[state]) for s, state in both]
    told = {one.source: (one.state, one.said) for one in states.by_source(found, TODAY)}
    names = {"anthropic": "Claude", "cursor": "Cursor"}
    expected = dict(zip(("anthropic", "cursor"), pair, strict=True))
    narrow = {s: f" ({endpoints[s][1]})" if state == "missing" else "" for s, state in expected.items()}
    assert told == {s: (state, f"{names[s]}{narrow[s]}: {SAID[state]}") for s, state in expected.items()}


@pytest.mark.parametrize("pair", list(combinations(states.STATES, 2)), ids="-".join)
def test_a_source_has_the_worst_state_of_its_endpoints_and_names_them(pair: tuple[str, str]) -> None:
    better, worse = pair
    found = [
        states.judge(ENDPOINTS["cursor", name], YESTERDAY, FIRST, YESTERDAY, SHOWN[s]) for name, s in ((EVENTS, better), (DAILY, worse))
    ]
    [told] = states.by_source(found, TODAY)
    both = better in ("late", "refused", "failed")  # then nothing tells of yesterday
    assert (told.state, told.said) == (worse, f"Cursor{'' if both and worse != 'missing' else f' ({DAILY})'}: {SAID[worse]}")


def test_what_bills_nothing_and_never_answered_is_no_failure_and_hides_none() -> None:
    barred = states.EndpointState("cursor", DAILY, "refused", YESTERDAY, None, (YESTERDAY,), "not enabled", is_owed=False)
    fine, failed = (states.judge(ENDPOINTS["cursor", EVENTS], YESTERDAY, FIRST, YESTERDAY, SHOWN[s]) for s in ("read", "failed"))
    [told] = states.by_source([barred, fine], TODAY)
    assert (told.state, told.is_owed, told.said) == ("refused", False, f"Cursor ({DAILY}): refused by the vendor, and never read")
    [told] = states.by_source([barred, failed], TODAY)
    assert (told.state, told.is_owed, told.said) == ("failed", True, "Cursor: not read since 20 Nov (failed)")


def test_another_year_is_said() -> None:
    old = states.EndpointState("cursor", EVENTS, "late", YESTERDAY, date(2025, 12, 31), (date(2026, 1, 1),))
    assert states.by_source([old], TODAY)[0].said == "Cursor: not read since 31 Dec 2025 (late)"


# In the warehouse ------------------------------------------------------------------------------------------------------


def test_states_are_read_from_what_is_held_and_kept_for_dashboards(desk: Desk, runtime: At) -> None:
    """Events failed yesterday, work was refused after it had answered, people were read, and spend was never asked for."""
    held(desk, FIRST, FIRST + ONE)
    desk.fetch("cursor", EVENTS, YESTERDAY, at=after(YESTERDAY), state="failed", error="no answer")
    desk.fetch("cursor", DAILY, YESTERDAY, at=after(YESTERDAY), state="refused", error="not enabled")
    desk.fetch("cursor", "members", TODAY, at=after(YESTERDAY), window_start=None)
    told = states.record(runtime())
    assert [(one.source, one.said) for one in told] == [("cursor", "Cursor: not read since 20 Nov (failed)")]
    found = {r["endpoint"]: (r["state"], r["last_held"], r["lacking_since"], r["reason"]) for r in desk.ask("SELECT * FROM vw_sources")}
    assert found == {
        EVENTS: ("failed", FIRST + ONE, YESTERDAY, "no answer"),
        DAILY: ("refused", FIRST + ONE, YESTERDAY, "not enabled"),
        "members": ("read", TODAY, None, None),
        "spend": ("missing", None, None, None),
    }
    health = {r["endpoint"]: r["state"] for r in desk.ask("SELECT endpoint, state FROM vw_data_health")}
    assert health == {EVENTS: "failed", DAILY: "refused", "members": "read"}, "spend has no row: nobody asked"
    # Today is in progress: a part of it is held, and nothing of it is late.
    desk.events(TODAY, {"charged_usd": N(1)}, at=datetime(2026, 11, 22, 12, tzinfo=UTC))
    for name in (EVENTS, DAILY):
        desk.fetch("cursor", name, YESTERDAY, at=after(YESTERDAY, 20))
    desk.fetch("cursor", "spend", TODAY, at=after(YESTERDAY), window_start=None)
    assert [one.said for one in states.record(runtime())] == ["Cursor: read"]
    assert {r["state"] for r in desk.ask("SELECT state FROM vw_sources")} == {"read"} and desk.one(
        "SELECT COUNT(*) FROM source_states"
    ) == 4


@pytest.mark.parametrize(
    ("days_ago", "told", "shown"),
    [
        (0, {"cursor": "read", "anthropic": "read"}, ["All sources are read"]),
        (1, {"cursor": "failed", "anthropic": "late"}, ["anthropic: late", "cursor: failed"]),
        (3, {"cursor": "read", "anthropic": "read"}, ["Nothing was read or judged since", "All sources are read"]),
    ],
)
def test_metabase_shows_the_same_lines_and_a_machine_that_stands_still(
    desk: Desk, days_ago: int, told: dict[str, str], shown: list[str]
) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    for source, state in told.items():
        row = {
            "source": source,
            "state": state,
            "is_owed": True,
            "due_day": at.date(),
            "source_state": state,
            "source_said": f"{source}: {state}",
        }
        desk.lay("source_states", *({**row, "endpoint": name, "judged_at": at} for name in ("one", "two")))
    lines = [row["state_of_the_data"] for row in desk.ask(STATES_SQL.format(sources="vw_sources"))]
    assert [line if n else line.split(" 2")[0] for n, line in enumerate(lines)] == shown


def test_a_source_that_nobody_ever_asked_is_missing(desk: Desk, runtime: At) -> None:
    assert [(one.state, one.said) for one in states.record(runtime(sheet_id="s"))] == [
        ("missing", "Cursor: never read (missing)"), ("missing", "Google Sheet: never read (missing)"),
    ]  # fmt: skip


def test_a_day_that_could_not_be_proved_has_failed(desk: Desk, runtime: At) -> None:
    held(desk, FIRST, FIRST + ONE, YESTERDAY)
    for name in ("members", "spend"):
        desk.fetch("cursor", name, TODAY, at=after(YESTERDAY), window_start=None)
    desk.lay(
        "held_back", {"table_name": "fct_cost_daily", "source": "cursor", "endpoint": EVENTS, "usage_date": FIRST, "reason": "off by 0.001"}
    )
    [told] = states.record(runtime())
    assert (told.state, told.said) == ("failed", f"Cursor ({EVENTS}): 1 day failed, the first 19 Nov")
    assert desk.one("SELECT reason FROM vw_sources WHERE endpoint = @e", e=EVENTS) == "off by 0.001"


def test_every_endpoint_that_is_on_is_expected_to_be_fresh(desk: Desk, runtime: At) -> None:
    yesterday = TODAY - ONE
    wanted, late = states.stale(runtime(anthropic_admin_api_key="k", sheet_id="s"))
    assert wanted == len(late) == 3 + 4 + 4 + 8, "Claude's reports and directories, Cursor's four, eight tabs"
    held(desk, yesterday)
    desk.fetch("cursor", "members", yesterday, at=after(yesterday), window_start=None)
    desk.fetch("cursor", "spend", TODAY, at=after(yesterday), window_start=None)
    assert states.stale(runtime()) == (4, [])
    # A part of yesterday, read before it ended, is not yesterday; a snapshot of two days ago is old.
    wanted, late = states.stale(runtime(TODAY + ONE))
    assert {(row["endpoint"], row["missing_day"], row["last_held"]) for row in late} == {
        (EVENTS, TODAY, yesterday), (DAILY, TODAY, yesterday), ("members", TODAY, yesterday),
    }  # fmt: skip
    desk.events(TODAY, {"charged_usd": N(1)}, at=datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert EVENTS in {row["endpoint"] for row in states.stale(runtime(TODAY + ONE))[1]}


def test_a_run_is_not_complete_where_the_page_says_that_a_source_was_not_read(desk: Desk, runtime: At) -> None:
    """Of three days the second failed: a run of the first or the third owes nothing, one of the second or of all does."""
    held(desk, FIRST, YESTERDAY)
    for name in (EVENTS, DAILY):
        desk.fetch("cursor", name, FIRST + ONE, at=after(FIRST + ONE), state="failed", error="no answer")
    for name in ("members", "spend"):
        desk.fetch("cursor", name, TODAY, at=after(YESTERDAY), window_start=None)
    for first, last, owed in ((FIRST, FIRST, 0), (FIRST + ONE, FIRST + ONE, 1), (YESTERDAY, YESTERDAY, 0), (FIRST, YESTERDAY, 1)):
        [told] = states.by_source(states.states(runtime(), within=Window(first, last)), TODAY)
        assert (told.state, told.owes) == ("failed" if owed else "read", bool(owed)), (first, last)
    assert states.by_source(states.states(runtime()), TODAY) == [told], "of all its days the page says the same"


def test_a_source_is_held_up_to_the_day_that_all_its_endpoints_hold() -> None:
    """Events up to yesterday, work up to the day before, which lags; people of today tell of no day."""
    told = [
        states.EndpointState("cursor", EVENTS, states.READ, YESTERDAY, YESTERDAY),
        states.EndpointState("cursor", DAILY, states.READ, YESTERDAY - ONE, YESTERDAY - ONE),
        states.EndpointState("cursor", "members", states.READ, YESTERDAY, TODAY, is_daily=False),
    ]
    assert [one.last_held for one in states.by_source(told, TODAY)] == [YESTERDAY - ONE]
    assert [one.last_held for one in states.by_source(told[2:], TODAY)] == [TODAY]
