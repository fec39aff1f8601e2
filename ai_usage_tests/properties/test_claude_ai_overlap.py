"""Files overlap, come late, come twice, come in any order: an event counts once and so does a cent.

Expected values are counted from the simulator's CSV text and books here, without the code under test.
"""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.loading import Loader
from ai_usage.loading.exports import held_ranges, read_export
from ai_usage.simulator import World
from ai_usage.sources.errors import ContractError
from ai_usage.sources.uploads import client as uploads
from ai_usage_tests.fixtures.desk import Desk

FIRST, LAST, TODAY = date(2026, 11, 2), date(2026, 11, 11), date(2026, 11, 22)
HOURS = 24 * 10
Span = tuple[int, int]


@lru_cache(maxsize=1)
def world() -> World:
    return World(seed=11, people=6, first_day=FIRST, last_day=LAST)


def at(hour: int) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(hours=hour)


@lru_cache(maxsize=1)
def log() -> list[tuple[datetime, tuple[date, str], str]]:
    """(instant, (day, e-mail), conversation) of every event that is a conversation's use."""
    found = []
    for row in csv.DictReader(io.StringIO(world().export_audit_log(FIRST, LAST))):
        entity, actor = ast.literal_eval(row["entity_info"]), ast.literal_eval(row["actor_info"])
        if entity.get("type") == "chat_conversation" and row["event"] != "conversation_deleted":
            when = datetime.fromisoformat(row["created_at"])
            found.append((when, (when.date(), actor["metadata"]["email_address"].lower()), entity["uuid"]))
    return found


def take(desk: Desk, name: str, text: str) -> None:
    path = desk.folder / name
    path.write_text(text, encoding="utf-8")
    export = read_export(desk.warehouse, path, uploads.kind_of(name) or "", desk.spool, TODAY, date(2026, 1, 1))
    Loader(desk.warehouse).load(export.endpoint, export.walks, origin="upload", replace=uploads.replaces(path))


def test_the_whole_log_is_the_books(new_desk: Callable[[], Desk]) -> None:
    """What the property below counts is what the simulator's books say: the two ways of counting agree."""
    books = {key: counts["conversations"] for key, counts in world().truth.claude_ai_usage_by_day_user().items()}
    assert {key: len({c for _, k, c in log() if k == key}) for key in books} == books and books


@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(0, HOURS - 1), st.integers(1, 96)), min_size=1, max_size=4))
def test_what_counts_is_the_union_of_the_exports_and_never_shrinks(new_desk: Callable[[], Desk], spans: list[Span]) -> None:
    desk, before = new_desk(), 0
    for n, (begin, length) in enumerate(spans):
        end = min(begin + length, HOURS)
        text = world().export_audit_log(FIRST, LAST, at(begin), at(end))
        if text.count("\n") == 1:
            continue
        take(desk, "claude_ai_audit_log.csv", text)
        seen = [e for e in log() if any(at(b) <= e[0] < at(min(b + w, HOURS)) for b, w in spans[: n + 1])]
        expected: dict[tuple[date, str], set[str]] = {}
        for _, key, conversation in seen:
            expected.setdefault(key, set()).add(conversation)
        held = {
            (r["usage_date"], r["user_email"]): r["conversations"]
            for r in desk.ask("SELECT usage_date, user_email, conversations FROM stg_claude_ai_usage WHERE conversations IS NOT NULL")
        }
        assert held == {key: len(found) for key, found in expected.items()}
        assert sum(held.values()) >= before
        before = sum(held.values())


@settings(max_examples=6)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), min_size=1, max_size=6))
def test_current_ranges_are_apart_and_their_sum_is_the_books_of_their_days(
    new_desk: Callable[[], Desk], files: list[tuple[int, int, bool]]
) -> None:
    desk = new_desk()
    held: list[tuple[date, date]] = []
    for one, other, replace in files:
        first, last = sorted((FIRST + timedelta(days=one), FIRST + timedelta(days=other)))
        others = [r for r in held if r != (first, last) and r[0] <= last and first <= r[1]]
        text = world().export_spend(first, last)
        # A report of days without spend has no rows and holds nothing: it never stands in another's way.
        has_money = text.count("\n") > 1
        allowed = not others or (replace and has_money and all(first <= a and b <= last for a, b in others))
        name = f"claude_ai_spend.{first}_{last}{'.replace' if replace else ''}.csv"
        try:
            take(desk, name, text)
            assert allowed, f"{name} was taken beside {held}"
            held = [r for r in held if r not in others and r != (first, last)] + ([(first, last)] if has_money else [])
        except ContractError:
            assert not allowed, f"{name} was refused beside {held}"
        assert sorted((r.window.first, r.window.last) for r in held_ranges(desk.warehouse) if r.has_money) == sorted(held)
        covered = [a + timedelta(days=n) for a, b in held for n in range((b - a).days + 1)]
        assert len(covered) == len(set(covered))
        books = sum((usd for a, b in held for usd in world().truth.claude_ai_spend_usd_by_day_user(a, b).values()), Decimal(0))
        assert desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM stg_claude_ai_cost") == books
        assert desk.one("SELECT COALESCE(SUM(vendor_total_usd), 0) FROM stg_current_fetches") == books
