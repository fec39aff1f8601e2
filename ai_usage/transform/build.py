"""Compute dimensions, facts and stored totals for a range of days: what a run's assets do one by one, as one call.

Belongs here: the order of the curated models, taken from what their SQL reads. Does not belong here: what a model says (`sql/`), what must hold of it
(`proofs.py`), Dagster.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import ProofError, Warehouse, models
from ai_usage.warehouse.base import Parameters

MAX_DAYS = 366  # BigQuery changes at most 4,000 partitions in one statement


@lru_cache(maxsize=1)
def order() -> tuple[str, ...]:
    """Names of the dimensions and facts, each after those that it reads; stored totals follow them and are not in it."""
    return tuple(m.table.name for m in models.all_models().values() if m.table.layer == "curated" and m.table.name not in totals.NAMES)


def build(
    warehouse: Warehouse, first: date, last: date, *, as_of: date, processed_at: datetime | None = None, only: Collection[str] | None = None
) -> None:
    """Compute everything after raw for these UTC days, as a run on the day `as_of` would; with a range that was billed as one all its days.

    Args:
        warehouse: where raw is held and the tables are written.
        first: the first day.
        last: the last day, inclusive; at most `MAX_DAYS` later on BigQuery.
        as_of: the UTC day that counts as today for what may still change.
        processed_at: the instant written into the rows; now by default.
        only: names of dimensions and facts, where not all are needed; stored totals are always written.

    Raises:
        WarehouseError: an invariant does not hold; the table that it is of stays as it was.
    """
    first, last = totals.whole_ranges(warehouse, first, last)
    parameters = {"start_date": first, "end_date": last, "as_of_date": as_of, "processed_at": processed_at or datetime.now(UTC)}
    for name in order():
        if only is None or name in only:
            model = models.model(name)
            warehouse.replace(model.table, model.sql, parameters, FACTS.get(name, ()))
    totals.write_all(warehouse, parameters)


@dataclass
class Written:
    """What was written of a range of days: ranges, both days inclusive, and the rows; `left_out` are those that could not be proved, with the reason. They
    stand as they were."""

    rows: int = 0
    days: list[tuple[date, date]] = field(default_factory=list)
    left_out: list[tuple[date, date, str]] = field(default_factory=list)


def write_days(warehouse: Warehouse, name: str, first: date, last: date, parameters: Parameters) -> Written:
    """Write a fact for whole ranges of days: all days that can be proved, so that a day of one source which cannot holds no other day back.

    Raises `WarehouseError` for anything else.
    """
    model = models.model(name)
    try:
        rows = warehouse.replace(model.table, model.sql, {**parameters, "start_date": first, "end_date": last}, FACTS[name])
    except ProofError as error:
        halves = _halves(warehouse, first, last)
        if not halves:
            return Written(left_out=[(first, last, str(error))])
        parts = [write_days(warehouse, name, *half, parameters) for half in halves]
        return Written(sum(p.rows for p in parts), [d for p in parts for d in p.days], [d for p in parts for d in p.left_out])
    return Written(rows, [(first, last)])


def _halves(warehouse: Warehouse, first: date, last: date) -> list[tuple[date, date]]:
    """Two parts of a range that cut through nothing that was billed as one; none where there are none."""
    one = timedelta(days=1)
    middle = first + (last - first) // 2
    _, until = totals.whole_ranges(warehouse, first, middle)
    if until >= last:
        begins, _ = totals.whole_ranges(warehouse, last, last)
        until = begins - one
    return [(first, until), (until + one, last)] if first <= until < last else []
