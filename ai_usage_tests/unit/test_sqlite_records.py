"""Dagster's SQLite storages share one engine per file, and lose nothing by it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import check_alembic_revision, get_alembic_config
from sqlalchemy.pool import NullPool

from ai_usage.defs import sqlite_records

WRITER = """
import sys, sqlalchemy
from ai_usage.defs import sqlite_records
for n in range(40):
    with sqlite_records.engine(sys.argv[1], poolclass=sqlalchemy.pool.NullPool, connect_args={"timeout": 60}).begin() as con:
        con.execute(sqlalchemy.text("INSERT INTO t VALUES (:n)"), {"n": n})
"""


def opened(path: Path) -> sqlalchemy.Engine:
    return sqlite_records.engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": 60})


def run(path: Path, sql: str) -> None:
    with opened(path).begin() as con:
        con.execute(sqlalchemy.text(sql))


def count(path: Path) -> int:
    with opened(path).connect() as con:
        return con.execute(sqlalchemy.text("SELECT COUNT(*) FROM t")).scalar_one()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "records.db"
    with closing(sqlite3.connect(made)) as con:
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("CREATE TABLE t (n INTEGER)")
    return made


def test_dagster_makes_its_engines_with_ours() -> None:
    """The contract with Dagster's private modules: each asks the name `create_engine` of itself, with a URL, and calls nothing else of SQLAlchemy to connect."""
    for storage in sqlite_records.STORAGES:
        assert storage.create_engine is sqlite_records.engine
        source = Path(str(storage.__file__)).read_text(encoding="utf-8")
        assert source.count("create_engine(") >= 2 and "db.create_engine" not in source, storage.__name__


def test_the_revisions_of_a_schema_are_read_once(tmp_path: Path) -> None:
    """Dagster reads them for the file of each run, through the name that is ours here. Another folder has others."""
    configs = [get_alembic_config(str(storage.__file__)) for storage in (sqlite_event_log, sqlite_run_storage)]
    events, runs = (ScriptDirectory.from_config(config) for config in configs)
    assert events is runs, "Dagster keeps the revisions of all its files in one folder"
    with sqlalchemy.create_engine("sqlite://").connect() as con:
        assert check_alembic_revision(configs[0], con) == (None, events.as_revision_number("head"))
    other = Config()
    other.set_main_option("script_location", str(tmp_path))
    assert ScriptDirectory.from_config(other) is not events


def test_a_file_is_opened_once_for_many_operations(path: Path) -> None:
    made: list[object] = []
    sqlalchemy.event.listen(opened(path), "connect", lambda connection, _: made.append(connection))
    for _ in range(20):
        run(path, "INSERT INTO t VALUES (1)")
        opened(path).dispose()  # as Dagster does after each
    assert count(path) == 20 and len(made) == 1


def test_what_is_committed_is_there_for_others_at_once_and_for_all_after_a_kill(path: Path) -> None:
    run(path, "INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect(path)) as con:
        assert con.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)
    script = WRITER + "\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", script, f"sqlite:///{path}"], check=False, timeout=120).returncode == -9
    assert count(path) == 41


def test_threads_and_two_processes_write_at_once(path: Path) -> None:
    others = [subprocess.Popen([sys.executable, "-c", WRITER, f"sqlite:///{path}"]) for _ in range(2)]
    threads = [threading.Thread(target=lambda: [run(path, "INSERT INTO t VALUES (1)") for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [o.wait(120) for o in others] == [0, 0]
    assert count(path) == 160


def test_a_forked_child_opens_its_own(path: Path) -> None:
    run(path, "INSERT INTO t VALUES (1)")
    parent = opened(path)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(path, "INSERT INTO t VALUES (2)")
            code = 0 if opened(path) is not parent else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    run(path, "INSERT INTO t VALUES (3)")
    assert count(path) == 3 and opened(path) is parent


def test_a_file_that_was_removed_or_replaced_is_opened_anew(path: Path) -> None:
    run(path, "INSERT INTO t VALUES (1)")
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as con:
        con.execute("CREATE TABLE t (n INTEGER)")
    other.replace(path)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    assert count(path) == 0
    run(path, "INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect(path)) as con:
        assert con.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)


def test_few_files_stay_open_however_many_are_read(tmp_path: Path) -> None:
    for n in range(3 * sqlite_records.KEPT):
        run(tmp_path / f"{n}.db", "CREATE TABLE t (n INTEGER)")
    held = [str(f.readlink()) for f in Path("/proc/self/fd").iterdir() if f.exists()] if Path("/proc/self/fd").exists() else []
    assert len({f for f in held if f.startswith(str(tmp_path)) and f.endswith(".db")}) <= sqlite_records.KEPT


def test_released_files_hold_everything_themselves(path: Path) -> None:
    run(path, "INSERT INTO t VALUES (1)")
    sqlite_records.release()
    assert not path.with_name(path.name + "-wal").exists()
    assert count(path) == 1


def test_a_database_in_memory_is_left_alone() -> None:
    made = sqlite_records.engine("sqlite:///:memory:")
    assert made is not sqlite_records.engine("sqlite:///:memory:")
