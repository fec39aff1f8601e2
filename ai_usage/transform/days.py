"""Write a fact for a range of days, of each source and day what can be proved, and a dimension where its lists are whole: so none holds another back.

Belongs here: which rows stand as they were. Does not belong here: what must hold (`invariants.py`), which rows raw has lost (`lost.py`), the record of what
stands (`held.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain

from ai_usage.sources.endpoint import Window, ranges
from ai_usage.transform import totals
from ai_usage.transform.held import STAGED, HeldBack, record, told_by
from ai_usage.transform.invariants import CLAUDE_AI, FACTS, facts_of
from ai_usage.transform.lost import lost
from ai_usage.warehouse import ProofError, Warehouse, models
from ai_usage.warehouse.base import Parameters

ONE_DAY = timedelta(days=1)
EVER = Window(*totals.EVER)


@dataclass
class Written:
    """The rows that a range of days holds now, and what of it stands as it was."""

    rows: int = 0
    held: list[HeldBack] = field(default_factory=list)


def write_list(warehouse: Warehouse, name: str, parameters: Parameters) -> Written:
    """Write a dimension whole, unless a list that it reads has lost rows: then it stands as it was, and that is recorded.

    Args:
        warehouse: where it is written.
        name: the dimension.
        parameters: of its model.

    Returns:
        The rows that it holds now, and the lists that are not whole.

    Raises:
        WarehouseError: it could not be computed or written.
    """
    model = models.model(name)
    held = lost(warehouse, name, EVER)
    if held:
        rows = int(warehouse.select(f"SELECT COUNT(*) AS n FROM {name}")["n"][0].as_py())
    else:
        rows = warehouse.replace(model.table, model.sql, parameters)
    record(warehouse, name, EVER, held)
    return Written(rows, held)


def write_days(warehouse: Warehouse, name: str, first: date, last: date, parameters: Parameters) -> Written:
    """Write `fct_usage_daily` or `fct_cost_daily` for whole ranges of days (`totals.whole_ranges`), and record what is held back.

    Args:
        warehouse: where it is written.
        name: the fact.
        first: the first UTC day.
        last: the last one, inclusive.
        parameters: of the model, but for the days.

    Returns:
        The rows of these days, and each source's days that could not be proved, or are lost: they stand as they were. All others are written.

    Raises:
        WarehouseError: anything but a proof that fails.
    """
    model = models.model(name)
    given: Parameters = {**parameters, "start_date": first, "end_date": last}
    gone_rows = lost(warehouse, name, Window(first, last))
    held = list(gone_rows)
    rows = None
    if not held:  # as nearly always
        try:
            rows = warehouse.replace(model.table, model.sql, given, FACTS[name])
        except ProofError:
            rows = None
    if rows is None:
        for sources, staged in _units(warehouse, name, given).items():
            gone = {day for one in gone_rows if set(one.sources) & set(sources) for day in Window(one.first, one.last).days}
            for window in ranges(day for day in Window(first, last).days if day not in gone):
                held += _write(warehouse, name, sources, staged, window, parameters)
        day = STAGED[name][1]
        rows = int(
            warehouse.select(f"SELECT COUNT(*) AS n FROM {name} WHERE {day} BETWEEN @start_date AND @end_date", given)["n"][0].as_py()
        )
    record(warehouse, name, Window(first, last), held)
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
