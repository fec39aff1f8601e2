"""Whether a month can be closed: what keeps it open, what a person must answer for, and what is good to know.

Belongs here: questions about a month before it is closed. Does not belong here: closing it (`closing.py`), what was decided (`ledger.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from ai_usage.finance.ledger import BOOKED, ClosingError, closed, days_of
from ai_usage.months import last_day
from ai_usage.settings import Settings
from ai_usage.sources import registry
from ai_usage.sources.endpoint import Window
from ai_usage.warehouse import Warehouse


@dataclass(frozen=True)
class Question:
    """What keeps a month open until a person answers for it by name and reason: the month's ledger then keeps both.

    `sql` has a row for each thing to answer for and reads @first_day and @last_day; `sentence` takes that row's columns.
    """

    name: str
    sql: str
    sentence: str


# Days that no reading can bring: before a source's first connection, after its end, beyond the vendor's history.
UNREAD = "unread_days"

QUESTIONS: tuple[Question, ...] = (
    Question(
        "unknown_money",
        """
        SELECT f.source, f.endpoint, SUM(f.unknown_money_count) AS records, MIN(f.first_day) AS first_day
        FROM (
          -- A spend report stands on the last day of its range, and a record of it that hides its money may be of any of them.
          SELECT
            c.source, c.endpoint, c.usage_date, c.unknown_money_count,
            CASE WHEN c.source = 'claude_ai' AND c.endpoint = 'spend' THEN DATE(r.window_start) ELSE c.usage_date END AS first_day
          FROM stg_current_fetches AS c INNER JOIN raw_fetches AS r ON c.fetch_id = r.fetch_id AND c.usage_date = r.usage_date
          WHERE c.unknown_money_count > 0
        ) AS f
        LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
        WHERE f.first_day <= @last_day AND f.usage_date >= @first_day AND x.usage_date IS NULL
        GROUP BY f.source, f.endpoint ORDER BY f.source, f.endpoint
        """,
        "{source}: {records} records of {endpoint} could not be read, so their money is not known; the first is of {first_day}.",
    ),
    Question(
        "unknown_kinds",
        """
        SELECT kind, SUM(events) AS events, SUM(cost_usd) AS cost_usd FROM stg_cursor_unknown_kinds
        WHERE usage_date BETWEEN @first_day AND @last_day AND events > 0 GROUP BY kind ORDER BY kind
        """,
        "cursor: {events} events of the unknown kind {kind!r} are booked as billed, {cost_usd:f} USD.",
    ),
)

ANSWERS = (UNREAD, *(q.name for q in QUESTIONS))
"""What `--accept` may name."""


def refusal(warehouse: Warehouse, month: date, today: date) -> str | None:
    """Why the month cannot be closed whatever its facts say; None when they decide."""
    if last_day(month) >= today:
        return f"{month:%Y-%m} has not ended in UTC; close it after {last_day(month)}."
    on_record = closed(warehouse)
    if month in on_record:
        return f"{month:%Y-%m} was closed on {on_record[month].closed_at:%Y-%m-%d}; reopen it first with --reopen and a --reason."
    return None


def open_before(warehouse: Warehouse, month: date) -> list[date]:
    """Months before this one that have cost and are not closed, in order."""
    found = warehouse.select(
        """
        SELECT DISTINCT DATE_TRUNC(f.cost_date, MONTH) AS month FROM fct_cost_daily AS f
        LEFT JOIN stg_closed_months AS k ON DATE_TRUNC(f.cost_date, MONTH) = k.month
        WHERE f.cost_date < @first_day AND k.month IS NULL ORDER BY month
        """,
        {"first_day": month},
    )
    return list(found["month"].to_pylist())


def blockers(warehouse: Warehouse, month: date, today: date, settings: Settings | None = None, accepted: Collection[str] = ()) -> list[str]:
    """Why the month cannot be closed now, one sentence each; empty when it can. The facts should be fresh: run the job `close_month`.

    Args:
        warehouse: where the facts stand.
        month: its first day.
        today: the UTC day that counts as today.
        settings: which sources are on, and how far back vendors answer; None for a warehouse alone, whose sources are those it was ever read from.
        accepted: names of `ANSWERS` that a person answers for.
    """
    refused = refusal(warehouse, month, today)
    if refused:
        return [refused]
    found: list[str] = []
    earlier = open_before(warehouse, month)
    if earlier:
        found.append(f"{earlier[0]:%Y-%m} is still open; months are closed in order, so close it first, or both with --with-earlier.")
    later = [m for m in closed(warehouse) if m > month]
    if later:
        found.append(f"{min(later):%Y-%m} is closed already; reopen it first, since months are closed in order.")
    moving = warehouse.select(
        f"""
        SELECT platform, COUNT(DISTINCT cost_date) AS days, MAX(cost_date) AS last_day, SUM(cost_usd) AS cost_usd
        FROM vw_cost_booked WHERE {BOOKED} AND settle_state IN ('open', 'provisional') GROUP BY platform ORDER BY platform
        """,
        days_of(month),
    ).to_pylist()
    found += [
        f"{row['platform']}: {row['days']} days up to {row['last_day']} ({row['cost_usd']:f} USD) may still be changed by the vendor; "
        "close when they are settled."
        for row in moving
    ]
    found += [
        f"{u.source}: {len(u.days)} days are not held, the first is {u.days[0]}; run ai-usage run --from {u.days[0]} --to {u.days[-1]}."
        for u in _unread(warehouse, month, today, settings)
        if u.why is None
    ]
    unproved = warehouse.select(
        """
        SELECT source, COUNT(DISTINCT usage_date) AS days, MIN(usage_date) AS first_day, MIN(reason) AS reason
        FROM held_back WHERE usage_date BETWEEN @first_day AND @last_day GROUP BY source ORDER BY source
        """,
        days_of(month),
    ).to_pylist()
    found += [f"{r['source']}: {r['days']} days could not be proved, the first is {r['first_day']}; {r['reason']}" for r in unproved]
    found += [
        f"{sentence} Close without it by --accept {name} and a --reason, which the ledger keeps with your name."
        for name, sentence in questions(warehouse, month, today, settings)
        if name not in accepted
    ]
    if not warehouse.select(f"SELECT COUNT(*) AS n FROM vw_cost_booked WHERE {BOOKED}", days_of(month))["n"][0].as_py():
        found.append(f"nothing is booked to {month:%Y-%m}; check the month, or AI_USAGE_START_DATE.")
    return found


@dataclass(frozen=True)
class _Unread:
    """Days of a month that a source which bills was not read for, in order; `why` no reading can bring them, None where one can."""

    source: str
    days: list[date]
    why: str | None


def _unread(warehouse: Warehouse, month: date, today: date, settings: Settings | None) -> Iterator[_Unread]:
    """What no vendor's API was read for. A day read before it ended is a part of a day and not held; an uploaded file's day is."""
    bills = {(e.source, e.name): e for e in registry.ASKED if e.vendor_total is not None}
    asked = warehouse.select(
        "SELECT DISTINCT source, endpoint FROM raw_fetches WHERE origin = 'api' AND window_start IS NOT NULL"
    ).to_pylist()
    off = settings.off() if settings else {}
    sources = {r["source"] for r in asked if (r["source"], r["endpoint"]) in bills}
    sources |= {source for source, _ in bills if settings and source not in off}
    answers = warehouse.select(
        """
        SELECT source, endpoint, usage_date, origin, COALESCE(vendor_total_usd, CAST(0 AS NUMERIC)) != CAST(0 AS NUMERIC) AS has_money
        FROM stg_current_fetches WHERE origin != 'api' OR DATE(told_at) > usage_date
        """
    ).to_pylist()
    # What every key may read. A second report that only some keys may read, and that says nothing of a day, does not say what this one would.
    plain = {
        (s, e)
        for (s, e), one in bills.items()
        if not one.by_permission and not registry.left_out(one, settings.leave_out if settings else ())
    }
    has_plain = {r["source"] for r in answers if (r["source"], r["endpoint"]) in plain}
    held: dict[str, set[date]] = defaultdict(set)
    connected: dict[str, set[date]] = defaultdict(set)
    for row in answers:
        key = row["source"], row["endpoint"]
        if key in bills:
            if row["has_money"] or key in plain or row["source"] not in has_plain:
                held[row["source"]].add(row["usage_date"])
            if row["origin"] == "api":
                connected[row["source"]].add(row["usage_date"])
    for source in sorted(sources):
        own, reaches = (
            connected[source],
            [registry.history(e, settings.history_days if settings else {}) for (s, _), e in bills.items() if s == source],
        )
        oldest = date.min if None in reaches or not reaches else today - timedelta(days=max(r for r in reaches if r is not None) - 1)

        def why(day: date, own: set[date] = own, source: str = source, oldest: date = oldest) -> str | None:
            if not own:
                return "it was never read"
            if day < min(own):
                return f"its first day that was read is {min(own)}"
            if day > max(own) and source in off:
                return f"it is off since its last day that was read, {max(own)}"
            return "the vendor no longer answers about them" if day < oldest else None

        missing = [day for day in Window(month, last_day(month)).days if day not in held[source]]
        for reason, days in groupby(sorted(missing, key=lambda d: (why(d) or "", d)), key=why):
            yield _Unread(source, list(days), reason)


def questions(warehouse: Warehouse, month: date, today: date, settings: Settings | None) -> Iterator[tuple[str, str]]:
    """(name, sentence) of what the month closes with only by a name and a reason."""
    for unread in _unread(warehouse, month, today, settings):
        if unread.why is not None:
            first, last = unread.days[0], unread.days[-1]
            yield (
                UNREAD,
                f"{unread.source}: {len(unread.days)} days are not held, {first} to {last}, and {unread.why}; "
                f"ai-usage run --from {first} --to {last} reads them where the vendor still answers.",
            )
    for question in QUESTIONS:
        for row in warehouse.select(question.sql, days_of(month)).to_pylist():
            yield question.name, question.sentence.format(**row)


def warnings(warehouse: Warehouse, month: date) -> list[str]:
    """What a person should know who closes the month and what does not keep it open, one sentence each: days that no upload covers, and money of a
    range that crosses the month, of which the month's part is an estimate."""
    files = warehouse.select(
        """
        WITH covered AS (
          SELECT 'claude_ai' AS source, day AS usage_date FROM stg_claude_ai_ranges AS r
          CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(r.first_day, r.last_day)) AS day
          UNION ALL
          SELECT 'claude_ai' AS source, usage_date FROM stg_billed_days WHERE source = 'claude_enterprise'
          UNION ALL
          SELECT source, usage_date FROM stg_current_fetches WHERE vendor_total_usd IS NOT NULL AND source != 'claude_ai'
        ),
        uploaded AS (
          SELECT DISTINCT source FROM stg_current_fetches
          WHERE origin = 'upload' AND vendor_total_usd IS NOT NULL AND source NOT IN (SELECT source FROM raw_fetches WHERE origin = 'api')
        )
        SELECT u.source, COUNT(*) AS days, MIN(day) AS first_day, MAX(day) AS last_day
        FROM uploaded AS u
        CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(@first_day, @last_day)) AS day
        LEFT JOIN (SELECT DISTINCT source, usage_date FROM covered) AS c ON u.source = c.source AND day = c.usage_date
        WHERE c.usage_date IS NULL
        GROUP BY u.source ORDER BY u.source
        """,
        days_of(month),
    ).to_pylist()
    crossing = warehouse.select(
        """
        SELECT r.first_day, r.last_day, SUM(c.cost_usd) AS cost_usd
        FROM stg_claude_ai_ranges AS r
        INNER JOIN fct_cost_daily AS c ON c.source = 'claude_ai_spend' AND c.cost_date BETWEEN r.first_day AND r.last_day
        WHERE
          DATE_TRUNC(r.first_day, MONTH) != DATE_TRUNC(r.last_day, MONTH) AND r.first_day <= @last_day AND r.last_day >= @first_day
          AND c.cost_date BETWEEN @first_day AND @last_day
        GROUP BY r.first_day, r.last_day ORDER BY r.first_day
        """,
        days_of(month),
    ).to_pylist()
    return [
        f"{r['source']}: {r['days']} days of {month:%Y-%m} are in no uploaded file, between {r['first_day']} and {r['last_day']}; upload them, or what was "
        "spent on them is missing."
        for r in files
    ] + [
        f"claude_ai: the spend report of {r['first_day']} to {r['last_day']} crosses the month, so its {r['cost_usd']:f} USD in {month:%Y-%m} are an "
        "estimate, spread evenly over its days; export the month by itself to know."
        for r in crossing
    ]


def not_computed(month: date, first: date, last: date) -> str | None:
    """Why a run that computes the days from `first` to `last` may not freeze the month; None when it computes all of it."""
    if first <= month and last_day(month) <= last:
        return None
    return (
        f"{month:%Y-%m} cannot be closed: all its days are frozen, and this run computes {first} to {last} only; give it "
        f"{month} to {last_day(month)} as range, with AI_USAGE_START_DATE={month} or earlier."
    )


def check_answers(accepted: Collection[str], reason: str | None) -> None:
    """Raises `ClosingError` where a name is not one of `ANSWERS`, or no reason is given."""
    unknown = sorted(set(accepted) - set(ANSWERS))
    if unknown:
        raise ClosingError(f"--accept {unknown[0]} is not known; use {' or '.join(ANSWERS)}.")
    if accepted and not (reason or "").strip():
        raise ClosingError(f"--accept {sorted(accepted)[0]} needs a reason; give it with --reason.")
