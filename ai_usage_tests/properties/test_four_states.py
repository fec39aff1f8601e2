"""Nothing happened, nobody asked, the call failed, this key may not ask: four states, whatever was tried in whatever order.

Belongs here: law 6 over `vw_certificate`, `vw_data_health` and the facts, judged here from the attempts in plain Python. Does not belong here: what
makes an answer a refusal (`contract/`), what people are told of it (`unit/test_days_tell.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.sources.endpoint import Window
from ai_usage_tests.fixtures.desk import Desk

ONE = timedelta(days=1)
DAYS = Window(date(2026, 11, 3), date(2026, 11, 8)).days
# What came of one attempt at a day after its end, in cents where money came. `part` was read before the day ended: it is not the day.
ATTEMPT = st.one_of(st.integers(-500, 500), st.sampled_from(("empty", "failed", "failed", "refused", "part")))
HISTORIES = st.lists(st.lists(ATTEMPT, max_size=3), min_size=len(DAYS), max_size=len(DAYS))
Attempt = int | str


def state_of(history: list[Attempt]) -> tuple[str, Decimal | None]:
    """(state, USD or None where they are not known), by the words of the law: an answer stands until the next answer, whatever fails after it."""
    whole = [a for a in history if a not in ("failed", "refused", "part")]
    if whole:
        return ("empty", Decimal(0)) if whole[-1] == "empty" else ("complete", Decimal(whole[-1]) / 100)
    if "part" in history:
        return "open", None
    return (str(history[-1]), None) if history else ("missing", None)


def lay(desk: Desk, histories: list[list[Attempt]]) -> None:
    fetches, events = [], []
    for day, history in zip(DAYS, histories, strict=True):
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + ONE
        # What is read before the day ends is read before all else.
        for n, one in enumerate(sorted(history, key=lambda a: a != "part")):
            at, name = end + timedelta(hours=n + 1 if one != "part" else n - 9), f"{day}-{n}"
            state = one if one in ("empty", "failed", "refused") else "complete"
            usd = Decimal(7) if one == "part" else Decimal(one) / 100 if isinstance(one, int) else Decimal(0)
            fetches.append({
                "fetch_id": name, "version_fetch_id": name, "source": "cursor", "endpoint": "filtered-usage-events", "usage_date": day, "fetched_at": at,
                "state": state, "origin": "api", "changed": True, "row_count": int(state == "complete"), "rejected_count": 0,
                "vendor_total_usd": usd if state in ("complete", "empty") else None, "window_start": end - ONE,
            })  # fmt: skip
            if state == "complete":
                events.append({
                    "usage_date": day, "fetch_id": name, "fetched_at": at, "ingest_date": day, "event_at": end - ONE, "is_chargeable": True,
                    "kind": "Usage-based", "user_email": "ana@example.com", "charged_usd": usd,
                })  # fmt: skip
    for table, rows in (("raw_fetches", fetches), ("raw_cursor_events", events)):
        desk.warehouse.execute(f"DELETE FROM {table} WHERE TRUE")
        if rows:
            desk.lay(table, *rows)


@settings(max_examples=5)
@example([[300], ["empty"], ["failed"], ["refused"], [], [0]])
@example([[300, "failed"], ["empty", "refused"], ["failed", "refused"], ["refused", "failed"], ["part"], ["part", "failed"]])
@example([["failed"], [5, "empty"], ["empty", 5], ["part", 5], [], ["refused"]])
@given(HISTORIES)
def test_empty_failed_refused_and_never_asked_are_four_states(new_desk: Callable[[], Desk], histories: list[list[Attempt]]) -> None:
    """Law 6: empty is not zero, and not failed, and not refused. "Nothing happened", "we did not ask", "the call failed", "this key may not ask" are
    four states: each day is in one of them, its money is known in the first alone, and what failed leaves what was known before."""
    desk = new_desk()
    lay(desk, histories)
    judged = dict(zip(DAYS, map(state_of, histories), strict=True))
    asked = [day for day, history in zip(DAYS, histories, strict=True) if set(history) - {"part"}]
    span = Window(asked[0], asked[-1]).days if asked else []
    found = desk.ask("SELECT usage_date, state, vendor_total_usd FROM vw_certificate ORDER BY usage_date")
    assert {r["usage_date"]: (r["state"], r["vendor_total_usd"] if r["state"] != "open" else None) for r in found} == {
        d: judged[d] for d in span
    }
    health = desk.ask("SELECT days_complete, days_empty, days_failed, days_refused, days_missing, vendor_total_usd FROM vw_data_health")
    if span:
        said = Counter(judged[day][0] for day in span)
        for day in span:  # of a day of which a part is held the last attempt at all of it is counted
            if judged[day][0] == "open":
                last = [a for a in histories[DAYS.index(day)] if a != "part"]
                said["failed" if "failed" in last else "refused" if last else "missing"] += 1
        (row,) = health
        assert [row[f"days_{one}"] for one in ("complete", "empty", "missing")] == [said[one] for one in ("complete", "empty", "missing")]
        assert row["days_failed"] + row["days_refused"] == said["failed"] + said["refused"]
        known = [usd for _, usd in (judged[day] for day in span) if usd is not None]
        assert row["vendor_total_usd"] == (sum(known) if known else None), "days of which nothing is known are no zero"
    desk.run("fct_cost_daily")
    billed = {r["cost_date"]: r["usd"] for r in desk.ask("SELECT cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date")}
    told = {day: usd for day, (state, usd) in judged.items() if state == "complete"} | {
        day: Decimal(7) for day, (state, _) in judged.items() if state == "open"
    }
    assert billed == told
    unknown = {r["usage_date"] for r in desk.ask("SELECT usage_date FROM stg_unknown_days")}
    held = [day for day, history in zip(DAYS, histories, strict=True) if set(history) - {"failed", "refused"}]
    assert unknown == ({d for d in Window(held[0], held[-1]).days if d not in held} if held else set())


def test_a_second_report_that_knows_of_no_money_does_not_answer_for_the_first(desk: Desk) -> None:
    """The cost report failed on the 4th and 5th. The analytics API, which some keys may read, is silent of the 4th and knows 2 USD of the 5th: the 4th is
    unknown. Where it is the only report, its silence is its answer."""
    for day, first, second in ((3, "complete", "empty"), (4, "failed", "empty"), (5, "failed", "complete"), (6, "empty", "empty")):
        usd = {"failed": None, "empty": Decimal(0), "complete": Decimal(2)}
        at = date(2026, 11, day)
        desk.fetch("anthropic", "cost_report", at, state=first, vendor_total_usd=usd[first])
        desk.fetch("anthropic", "analytics/cost", at, state=second, vendor_total_usd=usd[second])
        desk.fetch("claude_enterprise", "analytics/cost", at, state=second, vendor_total_usd=usd[second])
    assert [tuple(r.values()) for r in desk.ask("SELECT source, usage_date FROM stg_unknown_days")] == [("anthropic", date(2026, 11, 4))]
