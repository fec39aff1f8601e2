"""Compute dimensions, facts and stored totals for a range of days: what a run's assets do one by one, as one call.

Belongs here: the order of the curated models, taken from what their SQL reads. Does not belong here: what a model says (`sql/`), what must hold of it
(`invariants.py`), what stands where it does not (`days.py`), Dagster.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from functools import lru_cache

from ai_usage.transform import totals
from ai_usage.transform.days import write_days, write_list
from ai_usage.transform.held import STAGED, HeldBack
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import Warehouse, models

MAX_DAYS = 366  # BigQuery changes at most 4,000 partitions in one statement


@lru_cache(maxsize=1)
def order() -> tuple[str, ...]:
    """Names of the dimensions and facts, each after those that it reads; stored totals follow them and are not in it."""
    return tuple(m.table.name for m in models.all_models().values() if m.table.layer == "curated" and m.table.name not in totals.NAMES)


def build(
    warehouse: Warehouse, first: date, last: date, *, as_of: date, processed_at: datetime | None = None, only: Collection[str] | None = None,
    hold_back: bool = False,
) -> list[HeldBack]:  # fmt: skip
    """Compute everything after raw for these UTC days, as a run on the day `as_of` would; with a range that was billed as one all its days.

    Args:
        warehouse: where raw is held and the tables are written.
        first: the first day.
        last: the last day, inclusive; at most `MAX_DAYS` later on BigQuery.
        as_of: the UTC day that counts as today for what may still change.
        processed_at: the instant written into the rows; now by default.
        only: names of dimensions and facts, where not all are needed; stored totals are always written.
        hold_back: leave as they were a source's days that cannot be proved or have lost rows, and dimensions of lists that have; write all others. Otherwise a
            proof that fails is an error.

    Returns:
        What is held back.

    Raises:
        WarehouseError: an invariant does not hold; the table that it is of stays as it was.
    """
    first, last = totals.whole_ranges(warehouse, first, last)
    held: list[HeldBack] = []
    parameters = {"start_date": first, "end_date": last, "as_of_date": as_of, "processed_at": processed_at or datetime.now(UTC)}
    for name in order():
        if only is None or name in only:
            model = models.model(name)
            if hold_back and name in STAGED:
                held += write_days(warehouse, name, first, last, parameters).held
            elif hold_back and model.table.date_column is None:
                held += write_list(warehouse, name, parameters).held
            else:
                warehouse.replace(model.table, model.sql, parameters, FACTS.get(name, ()))
    totals.write_all(warehouse, parameters)
    return held
