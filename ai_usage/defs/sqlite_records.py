"""Dagster's records in SQLite, with one engine per file for the life of a process.

Dagster makes a new engine for each operation: a run of 1,805 events opened a file 5,055 times, and closing the last connection to a file copies its
log into it each time. Importing this module hands Dagster's three SQLite storages engines that stay. It works with any `dagster.yaml`, and
every process that loads our launcher or our definitions has it.

Each run has a file of its own, and for each Dagster read the scripts of all its schema's revisions, 0.1 s: they are read once for each process.

Belongs here: how connections to Dagster's SQLite files are made, kept and ended. Does not belong here: what Dagster writes; Postgres.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
KEPT = 16  # each run has a file of its own, and a process that shows runs reads hundreds

_lock = threading.RLock()
# By process too: a connection must not be used on both sides of a fork, and the child must not close the parent's.
_engines: OrderedDict[tuple[int, str], Engine] = OrderedDict()


def engine(url: str, **options: Any) -> Engine:
    """The engine of a SQLite file, made when first asked for; in place of `sqlalchemy.create_engine` in Dagster's storages.

    Args:
        url: a SQLAlchemy URL; one that names no file gets an engine of its own.
        options: Dagster's; its choice of a pool is replaced.

    Returns:
        An engine whose `dispose()` does nothing: Dagster calls it after each operation.
    """
    path = sqlalchemy.make_url(url).database
    if not url.startswith("sqlite") or not path or path == ":memory:" or path.startswith("file:"):
        return sqlalchemy.create_engine(url, **options)
    with _lock:
        found = _engines.get((os.getpid(), url))
        if found is None:
            found = _engines[os.getpid(), url] = _made(url, path, options)
            while len(_engines) > KEPT:
                (pid, _), oldest = _engines.popitem(last=False)
                if pid == os.getpid():
                    oldest.pool.dispose()  # connections in use end when their user is done
        _engines.move_to_end((os.getpid(), url))
        return found


def release() -> None:
    """Close this process' connections. The last one to a file also folds its log into it, as the end of the process would not."""
    with _lock:
        for key in [k for k in _engines if k[0] == os.getpid()]:
            _engines.pop(key).pool.dispose()


def _made(url: str, path: str, options: dict[str, Any]) -> Engine:
    # As many at once as are asked for, as before; the one used last is used next, so that most of the time there is one.
    made = sqlalchemy.create_engine(url, **options | {"poolclass": QueuePool, "max_overflow": -1, "pool_use_lifo": True})
    made.dispose = lambda close=True: None  # type: ignore[method-assign]

    def connected(connection: Any, record: Any) -> None:
        # Each event is committed alone. In WAL mode, which Dagster sets, NORMAL keeps the file whole through any crash and waits for the disk
        # only at checkpoints: for 1,900 events that is half a minute. What a killed process committed stands; a power cut may take the last events.
        connection.execute("PRAGMA synchronous = NORMAL")
        record.info["file"] = _identity(path)

    def borrowed(_: Any, record: Any, __: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError(f"{path} was removed or replaced")  # the pool answers with a new connection

    sqlalchemy.event.listen(made, "connect", connected)
    sqlalchemy.event.listen(made, "checkout", borrowed)
    return made


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


_read = getattr(
    ScriptDirectory.from_config, "in_place_of", ScriptDirectory.from_config
)  # Dagster's own, also when this module is loaded again
_scripts: dict[tuple[str | None, ...], ScriptDirectory] = {}


def scripts(config: Config) -> ScriptDirectory:
    """The revisions of a schema, read once; in place of `ScriptDirectory.from_config`."""
    key = (config.get_main_option("script_location"), config.get_main_option("version_locations"))
    with _lock:
        if key not in _scripts:
            _scripts[key] = _read(config)
        return _scripts[key]


scripts.in_place_of = _read  # type: ignore[attr-defined]
ScriptDirectory.from_config = scripts  # type: ignore[assignment,method-assign]
for storage in STORAGES:
    storage.create_engine = engine  # type: ignore[attr-defined]
