"""When a month may be closed, for whatever was read of it.

Belongs here: law 10 over `finance.readiness`, judged here from what was laid, day by day, in plain Python. Does not belong here: what closing freezes
(`unit/test_closing.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.finance import readiness
from ai_usage.settings import Settings
from ai_usage.sources.endpoint import Window
from ai_usage_tests.fixtures.desk import Desk

D, ONE = date, timedelta(days=1)
SEP = Window(D(2026, 9, 1), D(2026, 9, 30))
TODAY = D(2027, 2, 1)
# What is known of an endpoint's day. `open` was read before it ended; `second` failed when it was read again.
READ, UNREAD = ("money", "zero", "empty", "second", "file"), ("nobody", "failed", "refused", "open")
MAIN = {"cursor": "filtered-usage-events", "anthropic": "cost_report", "claude_enterprise": "analytics/cost"}
KEYS = {
    "cursor": {"cursor_admin_api_key": "key_of_a_test"},
    "anthropic": {"anthropic_admin_api_key": "key-of-a-test"},
    "claude_enterprise": {"anthropic_analytics_api_key": "key-of-a-test"},
}


class Told(NamedTuple):
    """A source: from when and until when it was read, days in between that say otherwise, whether it is on, and how far back its vendor answers. `second`:
    what Anthropic's other report of the bill says of days."""

    first: date
    last: date
    otherwise: dict[date, str]
    is_on: bool
    reach: int | None
    second: dict[date, str]


DAYS = st.integers(-5, 35).map(lambda n: SEP.first + n * ONE)
STATES = st.sampled_from((*READ, *UNREAD))
GAPS = st.dictionaries(DAYS, STATES, max_size=4)
TOLD = st.builds(
    lambda ends, gaps, on, reach, second: Told(min(ends), max(ends), gaps, on, reach, second),
    st.one_of(st.just((D(2026, 8, 28), D(2026, 10, 3))), st.tuples(DAYS, DAYS)),
    GAPS, st.booleans(), st.sampled_from((None, None, 365, 140)), GAPS,
)  # fmt: skip
SCENES = st.dictionaries(st.sampled_from(sorted(MAIN)), TOLD, max_size=3)
WHOLE = Told(D(2026, 8, 28), D(2026, 10, 3), {}, True, None, {})
ALWAYS: list[dict[str, Told]] = [
    {"cursor": WHOLE},
    {"cursor": WHOLE._replace(first=D(2026, 9, 25))},
    {"cursor": WHOLE._replace(first=D(2026, 10, 2))},
    {"cursor": WHOLE._replace(otherwise={D(2026, 9, 30): "open"})},
    {"cursor": WHOLE._replace(otherwise={D(2026, 9, 1): "failed"}), "claude_enterprise": WHOLE},
    {"cursor": WHOLE._replace(last=D(2026, 9, 20), is_on=False)},
    {"cursor": WHOLE._replace(otherwise={D(2026, 9, 5): "nobody", D(2026, 9, 25): "nobody"}, reach=140)},
    {
        "anthropic": WHOLE._replace(
            otherwise={D(2026, 9, 3): "failed", D(2026, 9, 4): "nobody"}, second={D(2026, 9, 3): "empty", D(2026, 9, 4): "money"}
        )
    },
]


def said(told: Told, day: date) -> str:
    return told.otherwise.get(day, "money" if told.first <= day <= told.last else "nobody")


def judged(told: Told, source: str) -> tuple[list[date], list[date]]:
    """(days of September that must be read before it is closed, days that a person may answer for), from the words of the law."""
    span = Window(SEP.first - 5 * ONE, SEP.last + 10 * ONE).days
    read = {day for day in span if said(told, day) in READ}
    by_api = {day for day in read if said(told, day) != "file"}
    if source == "anthropic":
        second = {day: state for day, state in told.second.items() if state in READ}
        # Of two reports of one bill the second may know of money; that it knows of none says nothing of what the first would.
        read |= {day for day, state in second.items() if state in ("money", "second", "file") or not read}
        by_api |= {day for day, state in second.items() if state != "file"}
    to_read, to_answer = [], []
    for day in (d for d in SEP.days if d not in read):
        before = not by_api or day < min(by_api)
        after = not told.is_on and bool(by_api) and day > max(by_api)
        beyond = told.reach is not None and (TODAY - day).days >= told.reach
        (to_answer if before or after or beyond else to_read).append(day)
    return to_read, to_answer


def lay(desk: Desk, scene: dict[str, Told]) -> None:
    """The attempts of the scene, in one insert."""
    rows = []
    for source, told in scene.items():
        asked = [(MAIN[source], day, said(told, day)) for day in Window(SEP.first - 5 * ONE, SEP.last + 10 * ONE).days]
        asked += [("analytics/cost", day, state) for day, state in told.second.items()] if source == "anthropic" else []
        for endpoint, day, state in asked:
            tries = {
                "nobody": [],
                "second": ["complete", "failed"],
                "open": ["complete"],
                "money": ["complete"],
                "zero": ["complete"],
                "file": ["complete"],
            }
            for n, one in enumerate(tries.get(state, [state])):
                at = datetime(day.year, day.month, day.day, 20, tzinfo=UTC) + (n + (state != "open")) * ONE
                name, total = f"{source}-{endpoint}-{day}-{n}", Decimal({"money": 3, "second": 3, "open": 3, "file": 3}.get(state, 0))
                rows.append({
                    "fetch_id": name, "version_fetch_id": name, "source": source, "endpoint": endpoint, "usage_date": day, "fetched_at": at, "state": one,
                    "origin": "upload" if state == "file" else "api", "changed": True, "row_count": 0, "rejected_count": 0,
                    "vendor_total_usd": total if one in ("complete", "empty") else None, "window_start": datetime(day.year, day.month, day.day, tzinfo=UTC),
                })  # fmt: skip
    if rows:
        desk.lay("raw_fetches", *rows)


@pytest.fixture(scope="module")
def office(new_desk: Callable[[], Desk]) -> Desk:
    """A September that has a settled line, so that only what was read of it decides."""
    desk = new_desk()
    line = {"platform": "x", "vendor": "X", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s"}
    desk.lay("fct_cost_daily", {**line, "cost_date": SEP.first, "cost_usd": Decimal(1)})
    desk.total()
    return desk


@settings(max_examples=3)
@example(ALWAYS)
@given(st.lists(SCENES, min_size=4, max_size=4))
def test_a_month_closes_when_every_day_of_it_was_read(office: Desk, scenes: list[dict[str, Told]]) -> None:
    """Law 10: a month closes when each source that bills and is read by API was read, complete or empty, for all days of the whole month. Days before a
    source's first connection, after its end, or beyond the vendor's history need a name and a reason."""
    for scene in scenes:
        office.warehouse.execute("DELETE FROM raw_fetches WHERE TRUE")
        lay(office, scene)
        keys = {name: value for source, told in scene.items() if told.is_on for name, value in KEYS[source].items()}
        reach = {source: told.reach for source, told in scene.items() if told.reach}
        on = Settings(_env_file=None, history_days=reach, **keys)
        must, may = defaultdict(list), defaultdict(list)
        for source, told in scene.items():
            asked = any(said(told, d) not in ("nobody", "file") for d in Window(SEP.first - 5 * ONE, SEP.last + 10 * ONE).days)
            asked |= source == "anthropic" and any(s not in ("nobody", "file") for s in told.second.values())
            if told.is_on or asked:
                must[source], may[source] = judged(told, source)
        plainly = readiness.blockers(office.warehouse, SEP.first, TODAY, on)
        answered = readiness.blockers(office.warehouse, SEP.first, TODAY, on, ["unread_days"])
        assert bool(plainly) == any((*must.values(), *may.values())), (scene, plainly)
        to_read = [f"{s}: {len(days)} days are not held, the first is {days[0]}; " for s, days in sorted(must.items()) if days]
        assert len(answered) == len(to_read) and all(map(str.startswith, answered, to_read)), (scene, answered)
        told_of = sum(int(sentence.split(": ")[1].split()[0]) for sentence in plainly)
        assert told_of == sum(map(len, (*must.values(), *may.values()))), "every day that was not read is named once"
