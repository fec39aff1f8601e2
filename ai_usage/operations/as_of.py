"""As known on an earlier date: the platform's tables as a run of that moment would have made them, in a file of their own.

Belongs here: which versions, decisions and days belong to a moment, and the refusal where they are gone. Does not belong here: how raw rows are moved
(copying.py), reports, printing.

Nothing is read from facts: raw versions that were fetched by the moment are moved to a new DuckDB file, with the months that were closed and the
alerts that were told by then, and everything after raw is computed with the moment as today. So the same moment gives the same tables, whatever was learned since.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from ai_usage import tables
from ai_usage.loading.again import total_again
from ai_usage.operations import copying
from ai_usage.transform import MAX_DAYS, build
from ai_usage.warehouse import DuckDBWarehouse, Warehouse, WarehouseError


def moment_of(text: str, now: datetime) -> datetime:
    """A moment written as 2026-10-31 (the end of that UTC day) or 2026-10-31T14:00:00Z. Raises `WarehouseError` for anything else, and for the future."""
    try:
        written = datetime.fromisoformat(text.strip())
    except ValueError:
        raise WarehouseError(
            f"--as-of {text!r} is no moment; write a UTC day like 2026-10-31, or a time like 2026-10-31T14:00:00Z."
        ) from None
    if len(text.strip()) == 10:
        written = datetime.combine(written.date(), time.max)
    found = written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    if found > now:
        raise WarehouseError(f"--as-of {text} lies ahead; it is {now:%Y-%m-%dT%H:%M:%SZ} now, and only what was known can be shown.")
    return found


def rebuild(
    source: Warehouse, file: Path, moment: datetime, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> DuckDBWarehouse:
    """Everything as known at `moment`, in the new file `file`.

    Raises `WarehouseError` when nothing was held by then, or when rows of a version that counted then have been cleaned away.
    """
    target = DuckDBWarehouse(file)
    with target.held():
        _fill(source, target, moment, progress)
    return target


def _fill(source: Warehouse, target: Warehouse, moment: datetime, progress: Callable[[int, int], None]) -> None:
    copying.move_raw(source, target, until=moment, progress=progress)
    known = target.select(
        "SELECT COUNT(*) AS fetches, MIN(IF(window_start IS NULL, NULL, usage_date)) AS first_day FROM raw_fetches"
    ).to_pylist()[0]
    if not known["fetches"]:
        earliest = source.select("SELECT MIN(fetched_at) AS at FROM raw_fetches")["at"][0].as_py()
        raise WarehouseError(
            f"nothing was held on {moment:%Y-%m-%d %H:%M} UTC; the first fetch is of {f'{earliest:%Y-%m-%d %H:%M} UTC' if earliest else 'no day yet'}."
        )
    _whole(target, moment)
    total_again(target)  # totals of before an upgrade were made by another rule than the models that are run here
    copying.move_books(source, target, until=moment)
    copying.move_notes(source, target, until=moment)
    last = moment.date() - timedelta(days=1)
    first = known["first_day"] or _first_fact(source) or last
    while first <= last:
        end = min(last, first + timedelta(days=MAX_DAYS - 1))
        build(target, first, end, as_of=moment.date(), processed_at=moment)
        first = end + timedelta(days=1)


def _first_fact(source: Warehouse) -> date | None:
    """Where no vendor's days are held (a sheet alone): the first day that the source's facts speak of."""
    found: date | None = source.select("SELECT MIN(cost_date) AS day FROM fct_cost_daily")["day"][0].as_py()
    return found


def _whole(target: Warehouse, moment: datetime) -> None:
    """Each version that counted at the moment still has its rows."""
    raw = [t.name for t in tables.RAW if t.name not in ("raw_fetches", "raw_rejects")]
    held = "\nUNION ALL\n".join(f"SELECT DISTINCT fetch_id FROM {name} WHERE {copying.EVERY_DAY}" for name in raw)
    gone = target.select(
        f"""
        SELECT COUNT(*) AS days, MIN(f.usage_date) AS first_day, MIN(f.source) AS source
        FROM stg_current_fetches AS f LEFT JOIN (SELECT DISTINCT fetch_id FROM ({held})) AS h ON f.version_fetch_id = h.fetch_id
        WHERE f.row_count > 0 AND h.fetch_id IS NULL
        """
    ).to_pylist()[0]
    if gone["days"]:
        raise WarehouseError(
            f"{moment:%Y-%m-%d} cannot be shown as it was known: the versions of {gone['days']} days ({gone['source']}, first {gone['first_day']}) were "
            "replaced later and cleaned away; ask for a later moment or the moment of a closed month, and raise AI_USAGE_SUPERSEDED_KEEP_DAYS for the future."
        )
