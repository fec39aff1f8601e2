"""Write a fact for a range of days: of each source and day what can be proved, so that none holds another back.

Belongs here: which rows stand as they were where a proof fails, and the record of them, `held_back`. Does not belong here: what must hold
(`invariants.py`), which rows raw has lost (`defs/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path

import pyarrow as pa

from ai_usage.sources import registry
from ai_usage.sources.endpoint import Window, ranges
from ai_usage.tables import BY_NAME
from ai_usage.transform import totals
from ai_usage.transform.invariants import CLAUDE_AI, FACTS, facts_of
from ai_usage.warehouse import ProofError, Warehouse, models
from ai_usage.warehouse.base import Parameters

ONE_DAY = timedelta(days=1)
STAGED = {"fct_cost_daily": ("stg_cost", "cost_date"), "fct_usage_daily": ("stg_usage", "usage_date")}
"""{fact: (what it is made of, its column of days)}; both are proved by source."""
ONE_BILL = tuple(sorted(s for s, told in registry.TELLS.items() if any(set(told) & set(registry.TELLS[f]) for f in registry.EXPORTED)))
"""Files and the API that tell of one platform are two reports of one bill and are proved together: on each day one of them counts."""


@dataclass(frozen=True, order=True)
class HeldBack:
    """Days, both inclusive, of which these sources' figures stand as they were, and why. `endpoint`: source and name of the one whose rows are gone; None where
    a proof failed."""

    first: date
    last: date
    sources: tuple[str, ...]
    why: str
    endpoint: tuple[str, str] | None = None


@dataclass
class Written:
    """The rows that a range of days holds now, and what of it stands as it was."""

    rows: int = 0
    held: list[HeldBack] = field(default_factory=list)


def told_by(staged: str) -> tuple[str, ...]:
    """The sources that tell the rows which staging calls so: the one with which the name begins, else the vendor whose staging says the name."""
    known = sorted({source for source, _ in registry.ENDPOINTS}, key=len, reverse=True)
    source = next((s for s in known if f"{staged}_".startswith(f"{s}_")), None) or _vendor(staged)
    return ONE_BILL if source in ONE_BILL else (source,)


def _vendor(staged: str) -> str:
    """The folder of the staging model that gives its rows this name; the name where none does."""
    read = (models.model(name) for union, _ in STAGED.values() for name in models.model(union).inputs)
    return next((Path(m.path).parent.name for m in read if f"'{staged}'" in m.sql), staged)


def leaning_on(name: str, table: str) -> tuple[str, ...]:
    """The sources whose rows of a fact are made of a raw table: its own, and others that look into it, as the sheet's seats go to the accounts that
    Cursor's list of a day names."""
    union = models.model(STAGED[name][0])
    units = {told_by(f"{Path(models.model(m).path).parent.name}_") for m in union.inputs if table in models.tables_read(m)}
    return tuple(sorted(chain.from_iterable(units)))


def write_days(warehouse: Warehouse, name: str, first: date, last: date, parameters: Parameters, lost: Sequence[HeldBack] = ()) -> Written:
    """Write `fct_usage_daily` or `fct_cost_daily` for whole ranges of days (`totals.whole_ranges`), and record what is held back.

    Args:
        warehouse: where it is written.
        name: the fact.
        first: the first UTC day.
        last: the last one, inclusive.
        parameters: of the model, but for the days.
        lost: what must not be written, since rows of its versions are gone.

    Returns:
        The rows of these days, and each source's days that could not be proved, or are lost: they stand as they were. All others are written.

    Raises:
        WarehouseError: anything but a proof that fails.
    """
    model = models.model(name)
    given: Parameters = {**parameters, "start_date": first, "end_date": last}
    held = list(lost)
    rows = None
    if not lost:  # as nearly always
        try:
            rows = warehouse.replace(model.table, model.sql, given, FACTS[name])
        except ProofError:
            rows = None
    if rows is None:
        for sources, staged in _units(warehouse, name, given).items():
            gone = {day for one in lost if set(one.sources) & set(sources) for day in Window(one.first, one.last).days}
            for window in ranges(day for day in Window(first, last).days if day not in gone):
                held += _write(warehouse, name, sources, staged, window, parameters)
        day = STAGED[name][1]
        rows = int(
            warehouse.select(f"SELECT COUNT(*) AS n FROM {name} WHERE {day} BETWEEN @start_date AND @end_date", given)["n"][0].as_py()
        )
    _record(warehouse, name, given, held)
    return Written(rows, sorted(held, key=lambda one: (one.first, one.sources)))


def _units(warehouse: Warehouse, name: str, given: Parameters) -> dict[tuple[str, ...], list[str]]:
    """What is proved alone: {sources: names in the column `source` of their rows}, of whatever staging, the table or a vendor's total speaks of."""
    staging, day = STAGED[name]
    found = warehouse.select(
        f"""
        SELECT source FROM {staging} WHERE {day} BETWEEN @start_date AND @end_date
        UNION DISTINCT
        SELECT source FROM {name} WHERE {day} BETWEEN @start_date AND @end_date
        UNION DISTINCT
        SELECT COALESCE(b.cost_source, f.endpoint) FROM stg_current_fetches AS f
        LEFT JOIN stg_bill_sources AS b ON f.source = b.source AND f.endpoint = b.endpoint
        WHERE f.usage_date BETWEEN @start_date AND @end_date AND f.vendor_total_usd IS NOT NULL
        """,
        {"start_date": given["start_date"], "end_date": given["end_date"]},
    )["source"].to_pylist()
    units: dict[tuple[str, ...], list[str]] = {}
    for staged in sorted(found):
        units.setdefault(told_by(staged), []).append(staged)
    return units


def _write(
    warehouse: Warehouse, name: str, sources: tuple[str, ...], staged: list[str], window: Window, parameters: Parameters
) -> list[HeldBack]:
    """Write some sources' rows of some days, in halves where they cannot be proved, and answer with the days of which they cannot."""
    table, day = models.model(name).table, STAGED[name][1]
    columns = ", ".join(table.column_names)
    # Computed before the days are deleted: what stands of the others is written as it was.
    sql = f"""
    SELECT {columns} FROM (
    {models.model(name).sql}
    ) AS made WHERE source IN UNNEST(@sources)
    UNION ALL
    SELECT {columns} FROM {name} WHERE {day} BETWEEN @start_date AND @end_date AND source NOT IN UNNEST(@sources)
    """
    given = {**parameters, "start_date": window.first, "end_date": window.last, "sources": staged}
    try:
        warehouse.replace(table, sql, given, facts_of(name, staged))
    except ProofError as error:
        halves = _halves(warehouse, window, by_range=any(s in CLAUDE_AI for s in staged))
        if not halves:
            return [HeldBack(window.first, window.last, sources, str(error))]
        return list(chain.from_iterable(_write(warehouse, name, sources, staged, half, parameters) for half in halves))
    return []


def _halves(warehouse: Warehouse, window: Window, *, by_range: bool) -> list[Window]:
    """Two parts of a window that cut through nothing that was billed as one; none where there are none."""
    until = window.first + (window.last - window.first) // 2
    if by_range:
        _, until = totals.whole_ranges(warehouse, window.first, until)
        if until >= window.last:
            begins, _ = totals.whole_ranges(warehouse, window.last, window.last)
            until = begins - ONE_DAY
    return [Window(window.first, until), Window(until + ONE_DAY, window.last)] if window.first <= until < window.last else []


def _record(warehouse: Warehouse, name: str, given: Parameters, held: Iterable[HeldBack]) -> None:
    """What is held back of these days now, in place of what was."""
    now = datetime.now(UTC)
    rows = [
        {"table_name": name, "source": source, "endpoint": endpoint, "usage_date": day, "reason": one.why, "found_at": now}
        for one in held
        for source, endpoint in ([one.endpoint] if one.endpoint else _speaking(name, one.sources))
        for day in Window(one.first, one.last).days
    ]
    before = {"name": name, "start_date": given["start_date"], "end_date": given["end_date"], "now": now}
    where = "table_name = @name AND usage_date BETWEEN @start_date AND @end_date AND found_at < @now"
    if rows:  # first of all: at no moment is a day that is held back called well
        table = BY_NAME["held_back"]
        warehouse.publish(
            {table: pa.Table.from_pylist(rows, schema=table.arrow_schema())}, BY_NAME["raw_fetches"].arrow_schema().empty_table()
        )
    if warehouse.select(f"SELECT COUNT(*) AS n FROM held_back WHERE {where}", before)["n"][0].as_py():
        warehouse.execute(f"DELETE FROM held_back WHERE {where}", before)


def _speaking(name: str, sources: Sequence[str]) -> list[tuple[str, str]]:
    """The endpoints that a fact is made of: those that bill for cost, the others that tell of days for usage; all of a source that has none."""
    found = []
    for source in sources:
        mine = [e for e in registry.ENDPOINTS.values() if e.source == source]
        best = [(source, e.name) for e in mine if e.usage_date and bool(e.vendor_total) == (name == "fct_cost_daily")]
        found += best or [(source, e.name) for e in mine] or [(source, "")]
    return found
