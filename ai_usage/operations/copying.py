"""From one engine to the other: every raw version and what the platform noted of itself are moved, everything after raw is computed anew.

Belongs here: what is moved, in which order, and how it goes on after an interruption. Does not belong here: engines, Dagster, printing.

Fetches go in the order in which they were made, in batches. Of each batch the rows go first and the rows of `raw_fetches` last, so at any moment
the target is whole: it knows what the source knew up to some fetch. A fetch that the target has published is not moved again; rows that an
interrupted copy left unpublished are removed and moved again.

Notes (who was told what, what checks found, how vendors answered) cannot be computed anew, and go first: a run on the other engine must know
what was told already.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ai_usage import tables
from ai_usage.tables.forgetting import forget_log, forgotten_people
from ai_usage.tables.schema import Table
from ai_usage.transform import MAX_DAYS, build
from ai_usage.warehouse import Warehouse, WarehouseError
from ai_usage.warehouse.base import every_day

BATCH_ROWS = 500_000  # rows of the versions of one batch
BATCH_FETCHES = 1_000  # their ids are one query parameter
# In this order: whom no load may name, then the rest.
NOTES = (*tables.OPERATIONS, *tables.CHECKS)
# Notes that are kept for good and so show an earlier moment, by the column that says when.
NOTED_AT = {"alert_log": "logged_at"}
RAW_ROWS = tuple(t for t in tables.RAW if t.name != "raw_fetches")
EVERY_DAY = every_day("usage_date")


@dataclass
class CopyReport:
    """What was moved. `differences` are days and platforms whose cost the target computes otherwise: (day, platform, source, target)."""

    fetches: int = 0
    already_there: int = 0
    rows: int = 0
    removed: int = 0
    rebuilt_days: int = 0
    differences: list[tuple[date, str, Decimal, Decimal]] = field(default_factory=list)


@dataclass(frozen=True)
class _Fetch:
    fetch_id: str
    usage_date: date


def copy(
    source: Warehouse, target: Warehouse, *, today: date, progress: Callable[[int, int], None] = lambda done, total: None
) -> CopyReport:
    """Move the platform's notes, every published fetch that the target lacks and the closed months, then rebuild. `progress(done, total)` counts fetches.

    Raises `WarehouseError` when rows arrive in another number than they left; nothing of that batch is published then, and when
    what a run proves of its facts does not hold in the target; those facts are not written then.
    """
    target.ensure()
    move_notes(source, target)
    report = move_raw(source, target, progress=progress)
    move_books(source, target)
    now = datetime.now(UTC)
    for first, last in _ranges(source):
        build(target, first, last, as_of=today, processed_at=now)
        report.rebuilt_days += (last - first).days + 1
    report.differences = _differences(source, target)
    return report


def move_raw(
    source: Warehouse, target: Warehouse, *, until: datetime | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> CopyReport:
    """Move every published fetch that the target lacks; `until` leaves out what was fetched after it."""
    target.ensure()
    for table in (forgotten_people, forget_log):  # first of all: the next load must know whom it may not name
        _add_missing(source, target, table)
    report = CopyReport()
    published = set(target.select("SELECT fetch_id FROM raw_fetches")["fetch_id"].to_pylist())
    wanted: list[_Fetch] = []
    bounded = "WHERE fetched_at <= @until" if until else ""
    listed = f"SELECT fetch_id, usage_date FROM raw_fetches {bounded} ORDER BY fetched_at, fetch_id"
    for part in source.stream(listed, {"until": until} if until else {}):
        wanted += [_Fetch(*row.values()) for row in part.to_pylist() if row["fetch_id"] not in published]
        report.already_there += sum(i in published for i in part["fetch_id"].to_pylist())
    total = len(wanted)
    if wanted:
        ids = {fetch.fetch_id for fetch in wanted}
        held = {table: _counts(source, table, ids) for table in RAW_ROWS}
        report.removed = _remove_leftovers(target, ids)
        for batch in _batches(wanted, held):
            report.rows += _move(source, target, batch, held)
            report.fetches += len(batch)
            progress(report.fetches, total)
    return report


def move_books(source: Warehouse, target: Warehouse, *, until: datetime | None = None) -> None:
    """Bring the target's closed months to those of the source, decided until then: the frozen rows first, the ledger that makes them count last."""
    ledger, frozen, invoices = (tables.BY_NAME[name] for name in ("month_closings", "closed_cost", "closed_invoices"))
    decided = "WHERE decided_at <= @until" if until else ""
    scope: dict[str, Any] = {"until": until} if until else {}
    decisions = source.select(f"SELECT {', '.join(ledger.column_names)} FROM month_closings {decided}", scope)
    there = {tuple(row.values()) for row in target.select("SELECT closing_id, action, decided_at FROM month_closings").to_pylist()}
    new = [i for i, row in enumerate(decisions.to_pylist()) if (row["closing_id"], row["action"], row["decided_at"]) not in there]
    if not new:
        return
    no_fetches = tables.BY_NAME["raw_fetches"].arrow_schema().empty_table()
    target.execute(f"DELETE FROM closed_cost WHERE {every_day('booked_on')} AND closing_id NOT IN (SELECT closing_id FROM month_closings)")
    target.execute("DELETE FROM closed_invoices WHERE closing_id NOT IN (SELECT closing_id FROM month_closings)")
    ids = sorted({decisions["closing_id"][i].as_py() for i in new} - {closing for closing, _, _ in there})
    if ids:
        columns = ", ".join(frozen.column_names)
        asked = f"SELECT {columns} FROM closed_cost WHERE {every_day('booked_on')} AND closing_id IN UNNEST(@ids)"
        for piece in _pieces(source.stream(asked, {"ids": ids}), target.publish_bytes):
            target.publish({frozen: _marked(frozen, piece)}, no_fetches)
        lines = source.select(
            f"SELECT {', '.join(invoices.column_names)} FROM closed_invoices WHERE closing_id IN UNNEST(@ids)", {"ids": ids}
        )
        target.publish({invoices: _marked(invoices, lines)}, no_fetches)
    target.publish({ledger: _marked(ledger, decisions.take(new))}, no_fetches)


def move_notes(source: Warehouse, target: Warehouse, *, until: datetime | None = None) -> None:
    """Add the notes that the target lacks to its own; `until` moves only those that say what was known by then."""
    for table in NOTES:
        if until is None:
            _add_missing(source, target, table)
        elif table.name in NOTED_AT:
            _add_missing(source, target, table, f"WHERE {NOTED_AT[table.name]} <= @until", {"until": until})


def _add_missing(source: Warehouse, target: Warehouse, table: Table, where: str = "", parameters: Mapping[str, Any] | None = None) -> None:
    """Rows whose key the target lacks; its keys fit into memory."""
    keys = target.stream(f"SELECT {', '.join(table.key)} FROM {table.name}")
    held = {tuple(row[k] for k in table.key) for part in keys for row in part.to_pylist()}

    def lacking() -> Iterator[pa.Table]:
        for part in source.stream(f"SELECT {', '.join(table.column_names)} FROM {table.name} {where}", parameters):
            found = zip(*(part[k].to_pylist() for k in table.key), strict=True)
            yield part.filter(pa.array([key not in held for key in found], pa.bool_()))

    no_fetches = tables.BY_NAME["raw_fetches"].arrow_schema().empty_table()
    left = 0
    for piece in _pieces(lacking(), target.publish_bytes):
        if piece.num_rows:
            target.publish({table: _marked(table, piece)}, no_fetches)
            left += piece.num_rows
    arrived = (target.select(f"SELECT COUNT(*) AS n FROM {table.name}")["n"][0].as_py() - len(held)) if left else 0
    if arrived != left:
        raise WarehouseError(f"{table.name}: {left} rows left and {arrived} arrived; run the copy again while no other run works.")


def _counts(warehouse: Warehouse, table: Table, ids: set[str]) -> dict[str, int]:
    """{fetch_id: rows} of these fetches."""
    found: dict[str, int] = {}
    for part in warehouse.stream(f"SELECT fetch_id, COUNT(*) AS n FROM {table.name} WHERE {EVERY_DAY} GROUP BY fetch_id"):
        found |= {row["fetch_id"]: row["n"] for row in part.to_pylist() if row["fetch_id"] in ids}
    return found


def _remove_leftovers(target: Warehouse, ids: set[str]) -> int:
    """Rows of fetches that will be moved now and are there already: a copy was interrupted before it published them."""
    removed = 0
    for table in RAW_ROWS:
        left = _counts(target, table, ids)
        names = sorted(left)
        for start in range(0, len(names), BATCH_FETCHES):
            target.execute(
                f"DELETE FROM {table.name} WHERE {EVERY_DAY} AND fetch_id IN UNNEST(@ids)", {"ids": names[start : start + BATCH_FETCHES]}
            )
        removed += sum(left.values())
    return removed


def _batches(wanted: Sequence[_Fetch], held: Mapping[Table, Mapping[str, int]]) -> Iterator[list[_Fetch]]:
    batch: list[_Fetch] = []
    rows = 0
    for fetch in wanted:
        size = sum(counts.get(fetch.fetch_id, 0) for counts in held.values())
        if batch and (rows + size > BATCH_ROWS or len(batch) >= BATCH_FETCHES):
            yield batch
            batch, rows = [], 0
        batch.append(fetch)
        rows += size
    if batch:
        yield batch


def _move(source: Warehouse, target: Warehouse, batch: Sequence[_Fetch], held: Mapping[Table, Mapping[str, int]]) -> int:
    """Rows of one batch, then its publication; returns the rows moved."""
    moved = 0
    no_fetches = tables.BY_NAME["raw_fetches"].arrow_schema().empty_table()
    for table in RAW_ROWS:
        ids = [fetch for fetch in batch if held[table].get(fetch.fetch_id)]
        if not ids:
            continue
        for piece in _pieces(_read(source, table, ids), target.publish_bytes):
            target.publish({table: piece}, no_fetches)
        expected = {fetch.fetch_id: held[table][fetch.fetch_id] for fetch in ids}
        arrived = _arrived(target, table, ids)
        if arrived != expected:
            raise WarehouseError(
                f"{table.name}: {sum(expected.values())} rows left and {sum(arrived.values())} arrived; nothing of these fetches was published, "
                "so run the copy again while no other run works."
            )
        moved += sum(expected.values())
    published = pa.concat_tables(_read(source, tables.BY_NAME["raw_fetches"], batch))
    target.publish({}, published)
    return moved


def _scope(fetches: Sequence[_Fetch]) -> dict[str, Any]:
    return {
        "ids": [f.fetch_id for f in fetches], "first": min(f.usage_date for f in fetches), "last": max(f.usage_date for f in fetches),
    }  # fmt: skip


def _read(source: Warehouse, table: Table, fetches: Sequence[_Fetch]) -> Iterator[pa.Table]:
    """Rows of these fetches in pieces, each marked with this copy, so that a load job of an earlier one is not taken for it."""
    names = ", ".join(table.column_names)
    sql = f"SELECT {names} FROM {table.name} WHERE usage_date BETWEEN @first AND @last AND fetch_id IN UNNEST(@ids)"
    for part in source.stream(sql, _scope(fetches)):
        yield _marked(table, part)


def _marked(table: Table, rows: pa.Table) -> pa.Table:
    return rows.cast(table.arrow_schema().with_metadata({"copy": uuid.uuid4().hex}))


def _arrived(target: Warehouse, table: Table, fetches: Sequence[_Fetch]) -> dict[str, int]:
    found = target.select(
        f"SELECT fetch_id, COUNT(*) AS n FROM {table.name} WHERE usage_date BETWEEN @first AND @last AND fetch_id IN UNNEST(@ids) GROUP BY fetch_id",
        _scope(fetches),
    )
    return {row["fetch_id"]: row["n"] for row in found.to_pylist()}


def _pieces(parts: Iterator[pa.Table], size: int) -> Iterator[pa.Table]:
    """Small parts together up to about `size` bytes of Arrow."""
    waiting: list[pa.Table] = []
    for part in parts:
        waiting.append(part)
        if sum(p.nbytes for p in waiting) >= size:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _ranges(source: Warehouse) -> list[tuple[date, date]]:
    """The days that the source's facts speak of, as runs of days of at most a year: other days are nobody's to compute."""
    found = source.select(
        "SELECT DISTINCT day FROM (SELECT cost_date AS day FROM fct_cost_daily UNION ALL SELECT usage_date AS day FROM fct_usage_daily) ORDER BY day"
    )["day"].to_pylist()
    ranges: list[tuple[date, date]] = []
    for day in found:
        if ranges and day == ranges[-1][1] + timedelta(days=1) and (day - ranges[-1][0]).days < MAX_DAYS:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def _differences(source: Warehouse, target: Warehouse) -> list[tuple[date, str, Decimal, Decimal]]:
    """Days and platforms whose billed cost is not the same on both sides, to 1e-9 USD."""

    def costs(warehouse: Warehouse) -> dict[tuple[date, str], Decimal]:
        found: dict[tuple[date, str], Decimal] = {}
        for part in warehouse.stream("SELECT cost_date, platform, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date, platform"):
            found |= {(row["cost_date"], row["platform"]): row["usd"] for row in part.to_pylist()}
        return found

    left, right = costs(source), costs(target)
    zero = Decimal(0)
    return [
        (*key, left.get(key, zero), right.get(key, zero))
        for key in sorted(left.keys() | right.keys())
        if left.get(key, zero) != right.get(key, zero)
    ]
