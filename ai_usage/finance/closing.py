"""Closing a month: what finance has booked stands still, and what vendors change later is booked to the first open month.

Belongs here: what must hold before a month is closed, freezing its rows, reopening it, and proving that frozen rows are still what they were.
Does not belong here: how corrections are computed (sql/curated/fct_cost_corrections.sql), Dagster, printing.

The rows go first and the row of the ledger last: that row closes the month, so a crash in between closes nothing. Months are closed in order and
reopened in the opposite one, so that every later correction has exactly one open month to stand in.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from ai_usage import __version__, tables
from ai_usage.months import last_day
from ai_usage.settings import Settings
from ai_usage.sources import registry
from ai_usage.sources.endpoint import Window
from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import Warehouse, WarehouseError, models
from ai_usage.warehouse.base import Value, every_day

FROZEN = tuple(c for c in tables.BY_NAME["closed_cost"].column_names if c != "closing_id")
BOOKED = "booked_on BETWEEN @first_day AND @last_day"


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
# A platform without a line is frozen with 0, so that an invoice that comes later is a line of a later month.
_INVOICES = """
    INSERT INTO closed_invoices (closing_id, month, corrects_month, platform, vendor, booked_usd)
    SELECT
      @closing_id, month, corrects_month, platform, MAX(vendor),
      SUM(CASE WHEN cost_type = 'invoice_difference' THEN booked_usd ELSE CAST(0 AS NUMERIC) END)
    FROM vw_chargeback WHERE month = @first_day GROUP BY month, corrects_month, platform
"""
ANSWERS = (UNREAD, *(q.name for q in QUESTIONS))
"""What `--accept` may name."""


class ClosingError(WarehouseError):
    """The month cannot be closed or reopened; one sentence with the remedy."""


@dataclass(frozen=True)
class Closing:
    """One decision of the ledger. `cost_usd` is what the month holds on the books, `sha256` the hash over its frozen rows."""

    month: date
    closing_id: str
    rows: int
    cost_usd: Decimal
    sha256: str
    accepted: str | None = None


def refusal(warehouse: Warehouse, month: date, today: date) -> str | None:
    """Why the month cannot be closed whatever its facts say; None when they decide."""
    if last_day(month) >= today:
        return f"{month:%Y-%m} has not ended in UTC; close it after {last_day(month)}."
    closed = _closed(warehouse)
    if month in closed:
        return f"{month:%Y-%m} was closed on {closed[month].closed_at:%Y-%m-%d}; reopen it first with --reopen and a --reason."
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
    later = [m for m in _closed(warehouse) if m > month]
    if later:
        found.append(f"{min(later):%Y-%m} is closed already; reopen it first, since months are closed in order.")
    moving = warehouse.select(
        f"""
        SELECT platform, COUNT(DISTINCT cost_date) AS days, MAX(cost_date) AS last_day, SUM(cost_usd) AS cost_usd
        FROM vw_cost_booked WHERE {BOOKED} AND settle_state IN ('open', 'provisional') GROUP BY platform ORDER BY platform
        """,
        _scope(month),
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
        _scope(month),
    ).to_pylist()
    found += [f"{r['source']}: {r['days']} days could not be proved, the first is {r['first_day']}; {r['reason']}" for r in unproved]
    found += [
        f"{sentence} Close without it by --accept {name} and a --reason, which the ledger keeps with your name."
        for name, sentence in _questions(warehouse, month, today, settings)
        if name not in accepted
    ]
    if not warehouse.select(f"SELECT COUNT(*) AS n FROM vw_cost_booked WHERE {BOOKED}", _scope(month))["n"][0].as_py():
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
    held: dict[str, set[date]] = defaultdict(set)
    connected: dict[str, set[date]] = defaultdict(set)
    for row in warehouse.select(
        "SELECT source, endpoint, usage_date, origin FROM stg_current_fetches WHERE origin != 'api' OR DATE(told_at) > usage_date"
    ).to_pylist():
        if (row["source"], row["endpoint"]) in bills:
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


def _questions(warehouse: Warehouse, month: date, today: date, settings: Settings | None) -> Iterator[tuple[str, str]]:
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
        for row in warehouse.select(question.sql, _scope(month)).to_pylist():
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
        _scope(month),
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
        _scope(month),
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


def close(
    warehouse: Warehouse, month: date, *, author: str, today: date, reason: str | None = None, settings: Settings | None = None,
    accepted: Collection[str] = (),
) -> Closing:  # fmt: skip
    """Freeze the month. Raises `ClosingError` naming every blocker; then nothing is changed. What is accepted goes into the ledger in words."""
    author = _author(author)
    check_answers(accepted, reason)
    problems = blockers(warehouse, month, today, settings, accepted)
    if problems:
        raise ClosingError(f"{month:%Y-%m} cannot be closed: " + " ".join(problems))
    answered = " ".join(sentence for _, sentence in _questions(warehouse, month, today, settings)) if accepted else ""
    as_of = datetime.now(UTC)
    closing_id = uuid.uuid4().hex
    scope = _scope(month)
    # Rows of an attempt that ended before its ledger row.
    unfinished = "closing_id NOT IN (SELECT closing_id FROM month_closings)"
    warehouse.execute(f"DELETE FROM closed_cost WHERE {BOOKED} AND {unfinished}", scope)
    warehouse.execute(f"DELETE FROM closed_invoices WHERE {unfinished}")
    columns = ", ".join(FROZEN)
    expected = warehouse.select(f"SELECT COUNT(*) AS n, SUM(cost_usd) AS usd FROM vw_cost_booked WHERE {BOOKED}", scope).to_pylist()[0]
    warehouse.execute(
        f"INSERT INTO closed_cost (closing_id, {columns}) SELECT @closing_id, {columns} FROM vw_cost_booked WHERE {BOOKED}",
        {"closing_id": closing_id, **scope},
    )
    warehouse.execute(_INVOICES, {"closing_id": closing_id, "first_day": month})
    rows, cost_usd, sha256 = frozen(warehouse, closing_id, month)
    if (rows, cost_usd) != (expected["n"], expected["usd"]):
        raise ClosingError(
            f"{month:%Y-%m}: {expected['n']} rows with {expected['usd']} USD were booked and {rows} with {cost_usd} were frozen; another run wrote "
            "meanwhile, nothing is closed, so close again while no run works."
        )
    closing = Closing(month, closing_id, rows, cost_usd, sha256, answered or None)
    _decide(warehouse, closing, "close", author, reason, as_of)
    correct(warehouse)
    return closing


def reopen(warehouse: Warehouse, month: date, *, author: str, reason: str) -> Closing:
    """Open a closed month again. The frozen rows and both decisions stay in the ledger."""
    author = _author(author)
    if not reason.strip():
        raise ClosingError(f"{month:%Y-%m} is reopened only for a reason; give it with --reason.")
    closed = _closed(warehouse)
    if month not in closed:
        raise ClosingError(f"{month:%Y-%m} is not closed, so it needs no reopening.")
    if max(closed) != month:
        raise ClosingError(f"{max(closed):%Y-%m} was closed after {month:%Y-%m} and may hold its corrections; reopen that month first.")
    was = closed[month]
    _decide(warehouse, Closing(month, was.closing_id, was.rows, was.cost_usd, was.sha256), "reopen", author, reason, datetime.now(UTC))
    correct(warehouse, also=month)
    return Closing(month, was.closing_id, was.rows, was.cost_usd, was.sha256)


def correct(warehouse: Warehouse, also: date | None = None) -> None:
    """Compute the corrections of every closed month anew, and those of `also`, a month that was just reopened."""
    months = sorted({*_closed(warehouse), *([also] if also else [])})
    if not months:
        return
    model = models.model("fct_cost_corrections")
    parameters = {"start_date": months[0], "end_date": last_day(months[-1]), "processed_at": datetime.now(UTC)}
    warehouse.replace(model.table, model.sql, parameters, FACTS[model.table.name])
    totals.rebook(warehouse, months[0], months[-1])


def _hashes(where: str) -> str:
    """SQL: rows, USD and SHA-256 of each closing whose rows `where` names."""

    def line(table: str) -> str:
        return ", '|', ".join(_text(c) for c in tables.BY_NAME[table].columns if c.name != "closing_id")

    return f"""
        WITH lines AS (
          SELECT closing_id, booked_on, cost_usd, 1 AS n, CONCAT({line("closed_cost")}) AS line FROM closed_cost WHERE {where}
          UNION ALL
          SELECT closing_id, month, CAST(0 AS NUMERIC), 0, CONCAT('invoice|', {line("closed_invoices")})
          FROM (SELECT *, month AS booked_on FROM closed_invoices) AS i WHERE {where}
        ),
        days AS (
          SELECT closing_id, booked_on, SUM(n) AS n, SUM(cost_usd) AS usd, TO_HEX(SHA256(STRING_AGG(line, '\\n' ORDER BY line))) AS hash
          FROM lines GROUP BY closing_id, booked_on
        )
        SELECT
          closing_id, SUM(n) AS n, SUM(usd) AS usd,
          LOWER(TO_HEX(SHA256(STRING_AGG(CONCAT(CAST(booked_on AS STRING), ' ', hash), '\\n' ORDER BY booked_on)))) AS sha256
        FROM days GROUP BY closing_id
    """


def frozen(warehouse: Warehouse, closing_id: str, month: date) -> tuple[int, Decimal, str]:
    """(rows, USD, SHA-256) of a closing as its rows are now. Both engines compute the same hash: money is written without trailing zeros, NULL as -."""
    found = warehouse.select(_hashes(f"closing_id = @closing_id AND {BOOKED}"), {"closing_id": closing_id, **_scope(month)}).to_pylist()
    return (int(found[0]["n"]), Decimal(found[0]["usd"]), str(found[0]["sha256"])) if found else (0, Decimal(0), "no rows")


def damaged(warehouse: Warehouse, months: Sequence[date] | None = None) -> list[str]:
    """Closed months whose frozen rows are not what was closed, one sentence each; default: all closed months."""
    closed = _closed(warehouse)
    said = []
    for month in closed if months is None else months:
        rows, cost_usd, sha256 = frozen(warehouse, closed[month].closing_id, month)
        was = closed[month]
        if (rows, cost_usd, sha256) != (was.rows, was.cost_usd, was.sha256):
            said.append(
                f"{month:%Y-%m} was closed with {was.rows} rows and {was.cost_usd:f} USD and holds {rows} rows and {cost_usd:f} USD with "
                f"{'the same' if sha256 == was.sha256 else 'another'} hash; somebody changed closed_cost or closed_invoices by hand, so restore it from backup."
            )
    return said


def rewritten() -> list[str]:
    """Statements for the transaction that removes a person from frozen rows: each closed month whose rows changed gets its new hash on record, with
    rows and money as they were, which the transaction proves. They name @acted_at, @acted_by and @version."""
    table = tables.BY_NAME["month_closings"]
    return [
        f"""
        INSERT INTO {table.name} ({", ".join(table.column_names)})
        SELECT
          k.month, 'rewrite', k.closing_id, @acted_at, @acted_by, 'a person was forgotten', k.as_of, k.row_count, k.cost_usd, h.sha256,
          @version, CAST(NULL AS STRING)
        FROM stg_closed_months AS k
        INNER JOIN ({_hashes(every_day("booked_on"))}) AS h ON k.closing_id = h.closing_id
        WHERE h.sha256 != k.sha256
        """
    ]


@dataclass(frozen=True)
class _Closed:
    closing_id: str
    closed_at: datetime
    as_of: datetime
    rows: int
    cost_usd: Decimal
    sha256: str


def _closed(warehouse: Warehouse) -> dict[date, _Closed]:
    found = warehouse.select(
        "SELECT month, closing_id, closed_at, as_of, row_count, cost_usd, sha256 FROM stg_closed_months ORDER BY month"
    )
    return {
        r["month"]: _Closed(r["closing_id"], r["closed_at"], r["as_of"], r["row_count"], r["cost_usd"], r["sha256"])
        for r in found.to_pylist()
    }


def closed_months(warehouse: Warehouse) -> list[date]:
    """The months that are closed now, in order."""
    return list(_closed(warehouse))


def check_answers(accepted: Collection[str], reason: str | None) -> None:
    """Raises `ClosingError` where a name is not one of `ANSWERS`, or no reason is given."""
    unknown = sorted(set(accepted) - set(ANSWERS))
    if unknown:
        raise ClosingError(f"--accept {unknown[0]} is not known; use {' or '.join(ANSWERS)}.")
    if accepted and not (reason or "").strip():
        raise ClosingError(f"--accept {sorted(accepted)[0]} needs a reason; give it with --reason.")


def _scope(month: date) -> dict[str, Value]:
    return {"first_day": month, "last_day": last_day(month)}


def _author(name: str) -> str:
    if not name.strip():
        raise ClosingError("nobody is named who decides; give --author.")
    return name.strip()


def _decide(warehouse: Warehouse, closing: Closing, action: str, author: str, reason: str | None, as_of: datetime) -> None:
    table = tables.BY_NAME["month_closings"]
    row: dict[str, Value] = {
        "month": closing.month, "action": action, "closing_id": closing.closing_id, "decided_at": datetime.now(UTC), "author": author,
        "reason": reason.strip() if reason and reason.strip() else None, "accepted": closing.accepted,
        "as_of": as_of, "row_count": closing.rows, "cost_usd": closing.cost_usd,
        "sha256": closing.sha256, "version": __version__,
    }  # fmt: skip
    names = [c for c in table.column_names if row[c] is not None]
    given = {c: row[c] for c in names}
    warehouse.execute(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('@' + c for c in names)})", given)


def _text(column: tables.Column) -> str:
    """The column as text that both engines write alike."""
    name = column.name
    if column.type is tables.Type.STRING:
        text = name
    elif column.type is tables.Type.BOOL:
        text = f"CASE WHEN {name} THEN 'yes' ELSE 'no' END"
    elif column.type is tables.Type.NUMERIC:
        # 1.500000000 on DuckDB is 1.5 on BigQuery.
        written = f"CAST({name} AS STRING)"
        text = f"RTRIM(RTRIM(CASE WHEN STRPOS({written}, '.') > 0 THEN {written} ELSE CONCAT({written}, '.') END, '0'), '.')"
    else:
        text = f"CAST({name} AS STRING)"
    # The length in front keeps two columns apart whatever they say.
    return f"COALESCE(CONCAT(CAST(LENGTH({text}) AS STRING), ':', {text}), '-')"
