"""What is asked of Cursor's tables alone: kinds that nobody has classed, and the vendor's own running total beside the events.

Belongs here: questions to the warehouse and how their answers are judged. Does not belong here: what every raw table is asked (`defs/checks.py`).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from ai_usage.sources.endpoint import Window
from ai_usage.sources.vendor import Asks, Check, Verdict


def kinds_known(warehouse: Asks, window: Window) -> Verdict:
    """Names each unknown kind with its events and USD: chargeable, they are billed until somebody says otherwise."""
    unknown = warehouse.select(
        """
        SELECT
          kind, SUM(events) AS events, SUM(cost_usd) AS cost_usd, SUM(unbilled_events) AS unbilled_events, SUM(unbilled_usd) AS unbilled_usd,
          MIN(usage_date) AS first_day, MAX(usage_date) AS last_day
        FROM stg_cursor_unknown_kinds WHERE usage_date BETWEEN @start_date AND @end_date GROUP BY kind ORDER BY cost_usd DESC, kind
        """,
        {"start_date": window.first, "end_date": window.last},
    ).to_pylist()
    told = [f"{row['kind']}: {row['events']} events, {row['cost_usd']:f} USD" for row in unknown if row["events"]]
    told += [
        f"{row['kind']}, not billed: {row['unbilled_events']} events, {row['unbilled_usd']:f} USD"
        for row in unknown
        if row["unbilled_events"]
    ]
    return Verdict(
        not unknown, expected="no unknown kind", actual="; ".join(told) or "none", sample=unknown,
        remedy="They count as billed where Cursor calls them chargeable. Compare with Cursor's dashboard or invoice (spend_agrees says whether they make a "
        "difference), and class the kind in ai_usage/sources/cursor/kinds.py, then `make docs` and `ai-usage upgrade`; until then the month "
        "closes with a name and a reason.",
    )  # fmt: skip


# Cursor aggregates hourly, so its running total may not hold the last two hours; events of closed days still move a little.
STILL_MOVING = timedelta(hours=2)
ABOVE_USD, ABOVE_SHARE = Decimal("0.01"), Decimal("0.01")


def spend_agrees(warehouse: Asks, window: Window) -> Verdict:
    """Billed events of the members that /teams/spend lists against their running totals there, which Cursor computes on its own, up to the moment at
    which they were read.

    A member's events above the member's total are wrong, whatever part of the cycle is held. Events below may lack the days that are not held, today,
    and events that name nobody: where the whole cycle is held, they may be below by a day's worth (twice the largest) and by what names nobody.
    """
    spend = warehouse.select(
        """
        SELECT LOWER(TRIM(r.email)) AS email, SUM(r.cycle_spend_usd) AS spend_usd, MAX(r.cycle_start_at) AS started_at, MAX(s.fetched_at) AS read_at
        FROM raw_cursor_spend AS r
        INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
        WHERE s.source = 'cursor' AND s.endpoint = 'spend' GROUP BY LOWER(TRIM(r.email))
        """
    ).to_pylist()
    if not spend:
        return Verdict(True, expected=0, actual=0, remedy="", description="Not compared: /teams/spend lists nobody.")
    started, read = max(row["started_at"] for row in spend), max(row["read_at"] for row in spend)
    cycle = {"start_date": started.date(), "end_date": read.date(), "started_at": started, "until": read}
    events = warehouse.select(
        """
        SELECT usage_date, LOWER(TRIM(user_email)) AS email, kind, billing, event_at <= @settled AS is_settled, COUNT(*) AS events, SUM(charged_usd) AS usd
        FROM stg_cursor_events
        WHERE usage_date BETWEEN @start_date AND @end_date AND event_at >= @started_at AND event_at <= @until
        GROUP BY usage_date, LOWER(TRIM(user_email)), kind, billing, event_at <= @settled
        """,
        {**cycle, "settled": read - STILL_MOVING},
    ).to_pylist()
    held = warehouse.select(
        "SELECT COUNT(*) AS days FROM stg_current_fetches "
        "WHERE source = 'cursor' AND endpoint = 'filtered-usage-events' AND usage_date BETWEEN @start_date AND @end_date",
        {"start_date": started.date(), "end_date": read.date() - timedelta(days=1)},
    )["days"][0].as_py()  # fmt: skip
    return _agreement(spend, events, whole=held == (read.date() - started.date()).days)


def _agreement(spend: list[dict[str, Any]], events: list[dict[str, Any]], *, whole: bool) -> Verdict:
    totals = {row["email"]: row["spend_usd"] for row in spend if row["email"] is not None}
    mine = [e for e in events if e["email"] in totals]
    billed = [e for e in mine if e["billing"] == "billed"]
    by_day, settled = Counter[Any](), Counter[Any]()
    for e in billed:
        by_day[e["usage_date"]] += e["usd"]
        settled[e["email"]] += e["usd"] if e["is_settled"] else 0
    above = {m: usd - totals[m] for m, usd in settled.items() if usd - totals[m] > ABOVE_USD + ABOVE_SHARE * abs(totals[m])}
    expected, actual = sum((row["spend_usd"] for row in spend), Decimal(0)), sum((e["usd"] for e in billed), Decimal(0))
    nobodys = sum((e["usd"] for e in events if e["email"] is None and e["billing"] == "billed"), Decimal(0))
    below = whole and expected - actual > max(Decimal(1), 2 * max(by_day.values(), default=Decimal(0))) + max(Decimal(0), nobodys)
    # Which kinds make the difference: of the members that are above, what is counted; otherwise what is left out.
    kinds = Counter[tuple[str, str]]()
    counts = Counter[tuple[str, str]]()
    for e in (e for e in mine if not above or e["email"] in above):
        kinds[e["kind"] or "(none)", e["billing"]] += e["usd"]
        counts[e["kind"] or "(none)", e["billing"]] += e["events"]
    difference = sum(above.values(), Decimal(0)) or actual - expected
    sample = [
        {"kind": kind, "billing": billing, "events": counts[kind, billing], "usd": usd, "difference_left": difference - usd if billing == "billed" else difference + usd}
        for (kind, billing), usd in sorted(kinds.items(), key=lambda item: (abs(difference - item[1] if item[0][1] == "billed" else difference + item[1]), item[0]))
    ]  # fmt: skip
    said = (
        f"The members' events are {difference:f} USD above Cursor's totals"
        if above
        else f"The members' events are {-difference:f} USD below Cursor's total"
    )
    nearest = f"; nearest explanation: the kind {sample[0]['kind']!r} ({sample[0]['billing']}, {sample[0]['usd']:f} USD)" if sample else ""
    partly = "" if whole else "Not the whole billing cycle is held: only events above Cursor's total were judged. "
    return Verdict(
        not above and not below, expected=expected, actual=actual, difference=expected - actual, sample=sample,
        remedy="If one kind makes the difference, class it in ai_usage/sources/cursor/kinds.py; otherwise run the days of this billing cycle again, and if it "
        "stays, events are missing or doubled and Cursor must be asked.",
        description=f"{partly}{said}{nearest}." if above or below else partly.strip() or None,
    )  # fmt: skip


KINDS_KNOWN = Check("kinds_known", "Every kind of an event with a price is one that somebody has classed.", kinds_known)
SPEND_AGREES = Check("spend_agrees", "The cycle's billed events agree with Cursor's own running total, from both sides.", spend_agrees)
