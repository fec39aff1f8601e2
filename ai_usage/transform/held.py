"""Which sources' days of a fact are proved as one, and what of them stands as it was: `held_back`, its rows and what they mean.

Belongs here: the record, and which sources it names. Does not belong here: what must hold (`invariants.py`), which rows raw has lost (`lost.py`), writing
(`days.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path

import pyarrow as pa

from ai_usage.sources import registry
from ai_usage.sources.endpoint import Window
from ai_usage.tables import BY_NAME
from ai_usage.warehouse import Warehouse, models
from ai_usage.warehouse.base import Parameters

STAGED = {"fct_cost_daily": ("stg_cost", "cost_date"), "fct_usage_daily": ("stg_usage", "usage_date")}
"""{fact: (what it is made of, its column of days)}; both are proved by source."""
ONE_BILL = tuple(sorted(s for s, told in registry.TELLS.items() if any(set(told) & set(registry.TELLS[f]) for f in registry.EXPORTED)))
"""Files and the API that tell of one platform are two reports of one bill and are proved together: on each day one of them counts."""


@dataclass(frozen=True, order=True)
class HeldBack:
    """Days, both inclusive, of which these sources' figures stand as they were, and why; of a dimension the day of the list that is not whole. `endpoint`:
    source and name of the one whose rows are gone; None where a proof failed."""

    first: date
    last: date
    sources: tuple[str, ...]
    why: str
    endpoint: tuple[str, str] | None = None


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
    a vendor's list of a day names."""
    union = models.model(STAGED[name][0])
    units = {told_by(f"{Path(models.model(m).path).parent.name}_") for m in union.inputs if table in models.tables_read(m)}
    return tuple(sorted(chain.from_iterable(units)))


def record(warehouse: Warehouse, name: str, window: Window, held: Iterable[HeldBack]) -> None:
    """Keep what is held back of a table and these days now, in place of what was."""
    now = datetime.now(UTC)
    rows = [
        {"table_name": name, "source": source, "endpoint": endpoint, "usage_date": day, "reason": one.why, "found_at": now}
        for one in held
        for source, endpoint in ([one.endpoint] if one.endpoint else _speaking(name, one.sources))
        for day in Window(one.first, one.last).days
    ]
    before: Parameters = {"name": name, "start_date": window.first, "end_date": window.last, "now": now}
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
