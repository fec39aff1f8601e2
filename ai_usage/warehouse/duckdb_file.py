"""DuckDB's file: opened when asked, held for a while, let go as soon as another wants it.

Opening costs 35 ms of CPU (20 of them to read the file's views), and a run asks 170 times. Inside `held()` it stays open from one call to the next, until
another process wants it (which says so by touching a file beside it), nobody has asked for `IDLE_S`, or `HOLD_S` have passed.

Belongs here: opening, locking, transactions, a copy of the whole file, and DuckDB's errors as sentences. Does not belong here: what is asked (`duckdb.py`).
"""

from __future__ import annotations

import difflib
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from ai_usage import tables
from ai_usage.warehouse import dialect
from ai_usage.warehouse.base import WarehouseBusyError, WarehouseError, WarehouseFullError

_BUSY = ("Could not set lock", "Conflicting lock", "being used by another process", "different configuration")
_FULL = ("No space left", "write file", "not enough space", "disk is full", "Disk quota")
_DAMAGED = ("Corrupt database", "corrupted", "Could not read enough bytes", "replaying WAL")
IDLE_S = 0.25  # a run that waits for a vendor keeps nobody out
HOLD_S = 2.0  # for programs that cannot say that they wait, such as DuckDB's own shell
_WANTED_S = 2.0  # who waits asks again every 0.5 s at most; an older mark is of a process that was killed
# 1.5.5 answers `QUALIFY ROW_NUMBER() OVER (ORDER BY ...) = 1` over no rows with one row of NULLs when this optimizer is on.
_SESSION = "SET GLOBAL TimeZone = 'UTC'; SET GLOBAL disabled_optimizers = 'top_n_window_elimination'"


class DuckDBFile:
    """One file, one process at a time, so every hold is short and every wait bounded. Each opening computes with `threads`."""

    threads = 2

    def __init__(self, path: Path, *, lock_wait_s: float = 60.0, memory_limit: str | None = None) -> None:
        self.path = path
        self._lock_wait_s = lock_wait_s
        self._wanted = path.with_name(path.name + ".wanted")
        # The warehouse is read and written, the other files of this machine are not.
        self._config: dict[str, Any] = {
            "threads": self.threads, "enable_external_access": "false", "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
        }  # fmt: skip
        if memory_limit:
            self._config["memory_limit"] = memory_limit
        self._here = threading.RLock()
        self._holders = 0
        self._writes = False
        self._ended = threading.Event()
        self._kept: _Kept | None = None
        self._ensured = False

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({self.path})"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Calls inside may share one opening of the file; see the module's first lines. Holds may lie inside each other, in any thread."""
        with self._here:
            self._holders += 1
            if self._holders == 1:
                self._ended = threading.Event()
                threading.Thread(target=self._watch, args=(self._ended,), name="duckdb-idle", daemon=True).start()
        try:
            yield
        finally:
            with self._here:
                self._holders -= 1
                if not self._holders:
                    self._writes = False
                    self._ended.set()
                    self._let_go()

    def _watch(self, ended: threading.Event) -> None:
        """Let go of a file that nobody asks."""
        while not ended.wait(IDLE_S / 2):
            if self._here.acquire(blocking=False):
                try:
                    if self._kept and time.monotonic() - self._kept.used > IDLE_S:
                        self._let_go()
                finally:
                    self._here.release()

    @contextmanager
    def _open(self, read_only: bool = False, fills: Collection[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """`fills`: the stored tables into which rows may be written; None: any."""
        with self._here:
            kept = self._opened(read_only)
            con = kept.con.cursor()
            try:
                if read_only and not kept.read_only:
                    con.execute("BEGIN TRANSACTION READ ONLY")
                yield con
            except BaseException as error:
                kept.spoiled = True  # after some errors, a full disk among them, DuckDB wants to be opened anew
                if isinstance(error, duckdb.Error):
                    raise _worded(error, self.path) from error
                raise
            finally:
                with suppress(duckdb.Error):
                    con.close()
                if not read_only:
                    kept.empty = None if fills is None or kept.empty is None else kept.empty - set(fills)
                kept.used = time.monotonic()
                if not self._holders or kept.spoiled or kept.used - kept.since > HOLD_S or self._is_wanted():
                    self._let_go()

    def _opened(self, read_only: bool) -> _Kept:
        """The file as it is open, or opened now; one that was opened for reading is opened again by the first who writes. Who has written inside a hold
        will write again, so the file is opened for that at once."""
        if self._holders:
            self._writes |= not read_only
            read_only = not self._writes
        if self._kept and ((self._kept.read_only and not read_only) or self._kept.file != _identity(self.path)):
            self._let_go()
        if not self._kept:
            con = self._connect(read_only)
            try:
                con.execute(_SESSION)
            except duckdb.Error as error:
                con.close()
                raise _worded(error, self.path) from error
            self._kept = _Kept(con, read_only, _identity(self.path))
        return self._kept

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept:
            with suppress(duckdb.Error):
                kept.con.close()

    def _is_wanted(self) -> bool:
        try:
            return time.time() - self._wanted.stat().st_mtime < _WANTED_S
        except OSError:
            return False

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(
                f"the folder of {self.path} cannot be made ({error.strerror}); set AI_USAGE_DUCKDB_PATH elsewhere."
            ) from None
        deadline = time.monotonic() + self._lock_wait_s
        pause = 0.02
        while True:
            try:
                opened = duckdb.connect(str(self.path), read_only=read_only, config=self._config)
                if pause > 0.02:
                    self._wanted.unlink(missing_ok=True)
                return opened
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if not any(sign in str(error) for sign in _BUSY):
                    raise _worded(error, self.path) from error
                if time.monotonic() + pause > deadline:
                    holder = re.search(r"PID (\d+)", str(error))
                    raise WarehouseBusyError(
                        f"{self.path} is held by another process{f' (PID {holder.group(1)})' if holder else ''} for more than "
                        f"{self._lock_wait_s:.0f} s; close that program or raise AI_USAGE_DUCKDB_LOCK_WAIT_S."
                    ) from None
                with suppress(OSError):
                    self._wanted.touch()
                time.sleep(pause)
                pause = min(pause * 1.5, 0.5)
            except duckdb.Error as error:
                raise _worded(error, self.path) from error

    @contextmanager
    def _transaction(self, con: duckdb.DuckDBPyConnection) -> Iterator[None]:
        con.execute("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(duckdb.Error):
                con.execute("ROLLBACK")
            raise
        con.execute("COMMIT")

    def _must_exist(self) -> None:
        if not self.path.exists():
            raise WarehouseError(f"there is no warehouse at {self.path} yet; run `ai-usage run` or `make demo` first.")

    def _copied(self, target: Path, then: Callable[[duckdb.DuckDBPyConnection], bool]) -> None:
        """Copy every table and view into a new file; `then` runs while the old one is held for reading, so that nobody writes into it. It
        answers whether the copy is good; otherwise all begins again, within the patience for a lock."""
        if shutil.disk_usage(target.parent).free < 1.1 * self.path.stat().st_size:
            raise WarehouseError(
                f"{self.path} cannot be copied to {target.parent}, which has less free space than it takes; free space there."
            )
        deadline = time.monotonic() + self._lock_wait_s
        held = "'" + str(self.path).replace("'", "''") + "'"
        while True:
            with self._open() as con:
                con.execute("CHECKPOINT")
            self._let_go()
            for name in (target, target.with_name(target.name + ".wal")):
                name.unlink(missing_ok=True)
            con = duckdb.connect(str(target), config={k: v for k, v in self._config.items() if k != "enable_external_access"})
            try:
                con.execute(f"ATTACH {held} AS held (READ_ONLY)")
                con.execute(f'COPY FROM DATABASE held TO "{con.execute("SELECT current_database()").fetchall()[0][0]}"')
                con.execute("CHECKPOINT")
                if then(con):
                    return
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _BUSY):
                    raise _worded(error, self.path) from error
            finally:
                con.close()
            if time.monotonic() > deadline:
                raise WarehouseBusyError(
                    f"{self.path} is written by another process for more than {self._lock_wait_s:.0f} s; end it and run again."
                )
            time.sleep(0.1)


@dataclass
class _Kept:
    """An open file: since when, when it was last asked, which file it is, and which of its tables hold no row, where somebody asked."""

    con: duckdb.DuckDBPyConnection
    read_only: bool
    file: tuple[int, int] | None
    since: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    spoiled: bool = False
    empty: frozenset[str] | None = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _worded(error: duckdb.Error, path: Path) -> WarehouseError:
    said = str(error).splitlines()[0]
    missing = re.search(r'Table with name (\S+) does not exist|column (?:named )?"([^"]+)"(?: not found|$)', said)
    if missing and (unknown := missing[1] or missing[2]):
        if missing[1] and unknown in tables.BY_NAME:
            return WarehouseError(
                f"{path} does not hold {unknown} yet, an earlier version made it; `ai-usage upgrade` brings it to this one."
            )
        known = (
            sorted(tables.BY_NAME)
            if missing[1]
            else re.findall(r'"([^"]+)"', str(error).partition("Candidate bindings")[2].partition("LINE 1")[0])
        )
        near = ", ".join(difflib.get_close_matches(unknown, known or {c for t in tables.ALL for c in t.column_names}, 3))
        return WarehouseError(
            f"there is no {'table' if missing[1] else 'column'} {unknown} here; {f'did you mean {near}? ' if near else ''}"
            "SELECT table_name, column_name FROM information_schema.columns lists all."
        )
    if any(sign in str(error) for sign in _FULL):
        return WarehouseFullError(
            f"{path} could not be written, the disk seems full ({said}); free space and run again, nothing is half-written."
        )
    if any(sign in said for sign in _DAMAGED):
        return WarehouseError(f"{path} is damaged ({said}); move it and its .wal away and bring a backup back with `ai-usage restore`.")
    if "not a valid DuckDB database" in said or "serialization" in said.lower():
        return WarehouseError(
            f"{path} is damaged or no DuckDB file of this version ({said}); bring a backup back with `ai-usage restore`, or set AI_USAGE_DUCKDB_PATH to another file."
        )
    if "expression depth" in said:
        return WarehouseError(dialect.TOO_DEEP)
    if "Read-only file system" in said:
        return WarehouseError(
            f"{path} lies on a disk that cannot be written ({said}); mount it for writing, or set AI_USAGE_DATA_DIR elsewhere."
        )
    if "Permission denied" in said:
        return WarehouseError(f"{path} may not be opened (permission denied); correct its owner or set AI_USAGE_DUCKDB_PATH.")
    return WarehouseError(f"DuckDB said: {said}")
