"""Dagster's own records past their retention: runs, their events and what their steps printed.

Belongs here: what goes and what outlives its run. Does not belong here: raw rows and the spool (`operations/retention.py`); ticks of schedules and sensors, which
Dagster purges by `dagster.yaml`.

Each partition's latest materialization and each check's latest evaluation stay, however old: without them a day would look as if it had never been made. They are
what pages, partitions and conditions are computed from; the rest of a run is its story, and it goes with the run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster import DagsterEventType as Event
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

AT_ONCE = 200
"""Runs of one cleaning: the first one after years has many, and others wait for the records meanwhile."""
_PARTS = ("", "-wal", "-shm")
_LASTING = [e.value for e in (Event.ASSET_MATERIALIZATION, Event.ASSET_OBSERVATION, Event.ASSET_FAILED_TO_MATERIALIZE)]
_FOUND = [s.value for s in (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)]


def purge(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove the runs that were made before that moment and have ended, the oldest first, and give their bytes back; returns how many went."""
    ended = dg.RunsFilter(statuses=FINISHED_STATUSES, created_before=before)
    runs = [record.dagster_run.run_id for record in instance.get_run_records(ended, limit=AT_ONCE, ascending=True)]
    storage = instance.event_log_storage
    if not runs or not isinstance(storage, SqlEventLogStorage):
        return 0
    with storage.index_connection() as connection:
        _forget(connection, runs)
    if isinstance(storage, SqliteEventLogStorage):
        for run in runs:
            for part in _PARTS:
                Path(storage.path_for_shard(run) + part).unlink(missing_ok=True)
        for file in (Path(storage.path_for_shard("index")), Path(storage.path_for_shard("index")).parents[1] / "runs.db"):
            _vacuum(file)
    printed: ComputeLogManager = instance.compute_log_manager
    for run in runs:
        printed.delete_logs(prefix=[run])
        instance.run_storage.delete_run(run)  # last: a purge that is cut off finds the run again
    return len(runs)


def _forget(connection: sa.Connection, runs: Sequence[str]) -> None:
    """Delete these runs' events but those that outlive them."""
    events, checks, tags = SqlEventLogStorageTable, AssetCheckExecutionsTable, AssetEventTagsTable
    found = checks.c.execution_status.in_(_FOUND)  # a run of many days plans its checks for each of them, and evaluates each once
    evaluated = sa.select(sa.func.max(checks.c.id)).where(found).group_by(checks.c.asset_key, checks.c.check_name, checks.c.partition)
    connection.execute(sa.delete(checks).where(checks.c.run_id.in_(runs), checks.c.id.not_in(evaluated)))
    made = (
        sa.select(sa.func.max(events.c.id))
        .where(events.c.dagster_event_type.in_(_LASTING), events.c.asset_key.is_not(None))
        .group_by(events.c.asset_key, events.c.partition, events.c.dagster_event_type)
    )
    still = sa.select(checks.c.evaluation_event_storage_id).where(found, checks.c.evaluation_event_storage_id.is_not(None))
    gone = sa.and_(events.c.run_id.in_(runs), events.c.id.not_in(made), events.c.id.not_in(still))
    connection.execute(sa.delete(tags).where(tags.c.event_id.in_(sa.select(events.c.id).where(gone))))
    connection.execute(sa.delete(events).where(gone))


def _vacuum(file: Path) -> None:
    """Give free pages back where they are a quarter of the file. Whoever writes meanwhile waits; one who holds it longer keeps it as it is."""
    if not file.exists():
        return
    with closing(sqlite3.connect(file, timeout=5, isolation_level=None)) as connection:
        free, pages = (connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("freelist_count", "page_count"))
        if 4 * free > pages:
            try:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError:
                return
