"""DuckDB: the embedded default. One file, one process at a time, so every hold is short and every wait bounded.

Opening the file costs 35 ms of CPU (20 of them to read its views), and a run asks 170 times. Inside `held()` it stays open from one call to the next, until
another process wants it (which says so by touching a file beside it), nobody has asked for `IDLE_S`, or `HOLD_S` have passed.

Belongs here: opening, locking, transactions and Arrow on DuckDB. Does not belong here: what tables mean. Decimals leave
through Arrow only: `.df()` would turn them into float64.
"""

from __future__ import annotations

import difflib
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ai_usage import tables
from ai_usage.tables.schema import Table
from ai_usage.warehouse import dialect, models
from ai_usage.warehouse.base import Fact, Parameters, ProofError, WarehouseBusyError, WarehouseError, WarehouseFullError, not_the_same, used

_BUSY = ("Could not set lock", "Conflicting lock", "being used by another process", "different configuration")
_FULL = ("No space left", "write file", "not enough space", "disk is full", "Disk quota")
IDLE_S = 0.25  # a run that waits for a vendor keeps nobody out
HOLD_S = 2.0  # for programs that cannot say that they wait, such as DuckDB's own shell
_WANTED_S = 2.0  # who waits asks again every 0.5 s at most; an older mark is of a process that was killed
# 1.5.5 answers `QUALIFY ROW_NUMBER() OVER (ORDER BY ...) = 1` over no rows with one row of NULLs when this optimizer is on.
_SESSION = "SET GLOBAL TimeZone = 'UTC'; SET GLOBAL disabled_optimizers = 'top_n_window_elimination'"


class DuckDBWarehouse:
    """The warehouse in one DuckDB file, created when first used.

    `lock_wait_s` bounds how long a call waits for another process that holds the file; then `WarehouseBusyError`.
    """

    name = "duckdb"
    publish_bytes = 16_000_000
    orphan_age = timedelta(0)  # rows and publication are one transaction, so what is unpublished was left by a crash of an older version

    def __init__(self, path: Path, *, lock_wait_s: float = 60.0, memory_limit: str | None = None) -> None:
        self.path = path
        self._lock_wait_s = lock_wait_s
        self._wanted = path.with_name(path.name + ".wanted")
        # The warehouse is read and written, the other files of this machine are not.
        self._config: dict[str, Any] = {"threads": 2, "enable_external_access": "false"}
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

    # The protocol ---------------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Create tables and views; add nullable columns that a newer version declares, and let go of NULL where it does."""
        if self._ensured and self.path.exists():
            return
        stamp = models.fingerprint()
        with self._open() as con, self._transaction(con):
            # Translating and creating some forty objects costs a second of CPU: a comment says that it has been done.
            made = con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'raw_fetches'").fetchone()
            if made and made[0] == stamp:
                self._ensured = True
                return
            there: dict[str, dict[str, tuple[str, bool]]] = {}
            for name, column, kind, nullable in con.execute(
                "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal"
            ).fetchall():
                there.setdefault(name, {})[column] = (kind, nullable)
            for table in (t for t in tables.ALL if not t.view):
                if table.name in there:
                    self._migrate(con, table, there[table.name])
                else:
                    con.execute(table.duckdb_ddl())
            for model in models.views():
                self._create_view(con, model.table)
            con.execute(f"COMMENT ON TABLE raw_fetches IS '{stamp}'")
        self._ensured = True

    def publish(self, rows: Mapping[Table, pa.Table], fetches: pa.Table) -> None:
        self.ensure()
        with self._open() as con:
            con.execute("SET threads = 1")  # two threads writing one small table cost 1.3 s of CPU where one costs 0.8
            try:
                with self._transaction(con):
                    self._publish(con, rows, fetches)
            finally:
                con.execute(f"SET threads = {self._config['threads']}")

    def _publish(self, con: duckdb.DuckDBPyConnection, rows: Mapping[Table, pa.Table], fetches: pa.Table) -> None:
        for table, data in rows.items():
            if data.num_rows:
                self._insert(con, table, data)
        self._insert(con, tables.BY_NAME["raw_fetches"], fetches)

    def replace(self, table: Table, model: str, parameters: Parameters, facts: Sequence[Fact] = ()) -> int:
        self.ensure()
        model = models.expand(model)
        select = dialect.to_duckdb(model)
        columns = ", ".join(f'"{c}"' for c in table.column_names)
        with self._open() as con, self._transaction(con):
            # Computed first, since a model may read the table that it replaces.
            con.execute(f'CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM "{table.name}" LIMIT 0')
            con.execute(f"INSERT INTO fresh ({columns}) SELECT {columns} FROM ({select})", _used(model, parameters))
            if table.date_column:
                con.execute(
                    f'DELETE FROM "{table.name}" WHERE "{table.date_column}" BETWEEN $start_date AND $end_date',
                    {"start_date": parameters["start_date"], "end_date": parameters["end_date"]},
                )
            else:
                con.execute(f'DELETE FROM "{table.name}"')
            # In the order of days, so that a question of some days reads theirs: DuckDB skips blocks by their least and greatest value.
            order = ", ".join(f'"{c}"' for c in (table.date_column, *table.cluster_by) if c)
            con.execute(f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM fresh' + (f" ORDER BY {order}" if order else ""))
            written = int(con.execute("SELECT count(*) FROM fresh").fetchall()[0][0])
            for fact in facts:
                self._prove(con, table, fact, parameters)
            con.execute("DROP TABLE fresh")
        return written

    def create_view(self, table: Table) -> None:
        self.ensure()
        with self._open() as con:
            self._create_view(con, table)

    def select(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        with self._asked(sql, parameters) as answer:
            return _plain(answer.to_arrow_table())

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[pa.Table]:
        with self._asked(sql, parameters) as answer:
            for batch in answer.to_arrow_reader(50_000):
                yield _plain(pa.Table.from_batches([batch]))

    def ask(self, sql: str, *, seconds: float, memory_mb: int) -> Iterator[pa.Table]:
        """A person's question, within bounds: batches, at least one. It ends at once on Ctrl-C, and with an error after `seconds`, waiting included."""
        deadline = time.monotonic() + seconds
        translated = dialect.to_duckdb(models.question(sql, None))
        self._must_exist()
        with self._open(read_only=True) as con, ThreadPoolExecutor(1) as apart:

            def ended(call: Callable[[], Any]) -> Any:
                """In a thread of its own: while DuckDB computes, the thread that called it hears no signal."""
                answer = apart.submit(call)
                try:
                    while not wait([answer], 0.1).done:  # again and again: a signal that another thread took wakes nobody
                        if time.monotonic() > deadline:
                            raise TimeoutError
                    return answer.result()
                except BaseException as error:
                    con.interrupt()
                    if isinstance(error, TimeoutError):
                        raise WarehouseError(
                            f"the query did not end within {seconds:.0f} s; ask for fewer days or rows, or raise AI_USAGE_QUERY_TIMEOUT_S."
                        ) from None
                    if isinstance(error, duckdb.OutOfMemoryException):
                        raise WarehouseError(
                            f"the query needs more than {memory_mb} MB of memory; ask for fewer days or rows, or raise AI_USAGE_QUERY_MEMORY_MB."
                        ) from None
                    raise

            con.execute(f"SET memory_limit = '{memory_mb:d}MB'; SET max_temp_directory_size = '{memory_mb:d}MB'")
            reader = ended(lambda: con.execute(translated, _used(sql, {})).to_arrow_reader(10_000))
            yield _plain(reader.schema.empty_table())
            while (batch := ended(lambda: next(reader, None))) is not None:
                yield _plain(pa.Table.from_batches([batch]))

    def _must_exist(self) -> None:
        if not self.path.exists():
            raise WarehouseError(f"there is no warehouse at {self.path} yet; run `ai-usage run` or `make demo` first.")

    @contextmanager
    def _asked(self, sql: str, parameters: Parameters | None) -> Iterator[duckdb.DuckDBPyConnection]:
        sql = models.question(sql, parameters)
        translated = dialect.to_duckdb(sql)
        self._must_exist()
        with self._open(read_only=True) as con:
            yield con.execute(translated, _used(sql, parameters or {}))

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        self.ensure()
        translated = dialect.to_duckdb(sql)
        with self._open() as con, self._transaction(con):
            answer = con.execute(translated, _used(sql, parameters or {})).fetchall()
        return int(answer[0][0]) if answer and answer[0] and isinstance(answer[0][0], int) else -1

    def rewrite(self, changes: Sequence[str], parameters: Parameters, unchanged: Mapping[str, str]) -> None:
        self.ensure()
        with self._open() as con, self._transaction(con):
            for number, sql in enumerate(unchanged.values()):
                con.execute(f"CREATE OR REPLACE TEMP TABLE before_{number} AS {dialect.to_duckdb(sql)}", _used(sql, parameters))
            for sql in changes:
                con.execute(dialect.to_duckdb(sql), _used(sql, parameters))
            for number, (name, sql) in enumerate(unchanged.items()):
                con.execute(f"CREATE OR REPLACE TEMP TABLE after_{number} AS {dialect.to_duckdb(sql)}", _used(sql, parameters))
                one, other = f"SELECT * FROM before_{number}", f"SELECT * FROM after_{number}"
                wrong = con.execute(f"SELECT * FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one})) LIMIT 1").fetchone()
                if wrong:
                    raise WarehouseError(not_the_same(name, ", ".join(map(str, wrong))))
                con.execute(f"DROP TABLE before_{number}; DROP TABLE after_{number}")

    def compact(self) -> None:
        """Write the file anew: blocks that deleted and changed rows left behind hold their bytes until they are used again.

        Needs as much free space as the file takes. Readers wait, and a crash leaves the old file as it was.
        """
        part = self.path.with_name(self.path.name + ".compacting")

        def stands(_: duckdb.DuckDBPyConnection) -> bool:
            if Path(f"{self.path}.wal").exists():
                return False  # another process wrote between the checkpoint and the copy, and its log belongs to the old file
            part.chmod(self.path.stat().st_mode & 0o777)
            part.replace(self.path)
            return True

        with self._here:
            self._copied(part, stands)
            self._ensured = False
        self.ensure()  # a copy has no comments, so the mark of a made schema is set again

    def copy_to(self, target: Path) -> dict[str, int]:
        """A whole, consistent copy of the file while nobody writes; returns the rows of each table."""
        self.ensure()
        counts: dict[str, int] = {}

        def counted(con: duckdb.DuckDBPyConnection) -> bool:
            for table in tables.ALL:
                if not table.view:
                    counts[table.name] = int(con.execute(f'SELECT count(*) FROM held."{table.name}"').fetchall()[0][0])
            return True

        with self._here:
            self._copied(target, counted)
        return counts

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

    def probe(self) -> str:
        if not self.path.exists():
            return f"{self.path} will be made by the first run."
        rows = self.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py()
        return f"{self.path} opens; {rows} fetches are recorded."

    def spent(self) -> Mapping[str, int]:
        return {}

    # How it is done -------------------------------------------------------------------------------------------

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
    def _open(self, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
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

    def _insert(self, con: duckdb.DuckDBPyConnection, table: Table, data: pa.Table) -> None:
        columns = ", ".join(f'"{c}"' for c in table.column_names)
        con.register("incoming", data)
        try:
            con.execute(f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM incoming')
        finally:
            con.unregister("incoming")

    def _create_view(self, con: duckdb.DuckDBPyConnection, table: Table) -> None:
        # Cast to the declared types: a SUM of BIGINT is HUGEINT in DuckDB, which Arrow would hand on as a float.
        columns = ", ".join(f'CAST("{c.name}" AS {c.duckdb_type}) AS "{c.name}"' for c in table.columns)
        con.execute(
            f'CREATE OR REPLACE VIEW "{table.name}" AS SELECT {columns} FROM ({dialect.to_duckdb(models.view_sql(models.model(table.name)))})'
        )

    def _migrate(self, con: duckdb.DuckDBPyConnection, table: Table, held: Mapping[str, tuple[str, bool]]) -> None:
        """Bring a table that an earlier version made to the declaration; `held` is {column: (type, nullable)}."""
        there = {name: kind for name, (kind, _) in held.items()}
        required = {name for name, (_, is_nullable) in held.items() if not is_nullable}
        for column in table.columns:
            if column.name not in there:
                if not column.nullable:
                    raise WarehouseError(
                        f"{self.path}: table {table.name} lacks the required column {column.name}; it was made by another version, "
                        "so move the file away and run again from the start date."
                    )
                con.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {column.duckdb_type}')
            elif there[column.name].replace(" ", "") != column.duckdb_type.replace(" ", ""):
                raise WarehouseError(
                    f"{self.path}: {table.name}.{column.name} is {there[column.name]} where {column.duckdb_type} is declared; move the "
                    "file away and run again from the start date."
                )
            elif column.nullable and column.name in required:
                con.execute(f'ALTER TABLE "{table.name}" ALTER COLUMN "{column.name}" DROP NOT NULL')

    def _prove(self, con: duckdb.DuckDBPyConnection, table: Table, fact: Fact, parameters: Parameters) -> None:
        sql = models.expand(fact.difference_sql)
        rows = con.execute(dialect.to_duckdb(sql), _used(sql, parameters)).fetchall()
        row = next((r for r in rows if any(value is None or value != 0 for value in r)), rows[0] if rows else ("no row",))
        if not rows or any(value is None or value != 0 for value in row):
            raise ProofError(
                f"{table.name}: {fact.name} does not hold, the difference is {', '.join(map(str, row))}; nothing was written. {fact.remedy}"
            )


@dataclass
class _Kept:
    """An open file: since when, when it was last asked, and which file it is."""

    con: duckdb.DuckDBPyConnection
    read_only: bool
    file: tuple[int, int] | None
    since: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    spoiled: bool = False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _used(sql: str, parameters: Parameters) -> dict[str, Any]:
    """The parameters that the BigQuery statement names: DuckDB refuses others."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in used(dialect.parameters(sql), parameters).items()}


def _plain(found: pa.Table) -> pa.Table:
    """Sums of BIGINT are HUGEINT, which Arrow carries as DECIMAL(38, 0); BigQuery's are INT64."""
    huge = pa.decimal128(38, 0)
    if huge not in found.schema.types:
        return found
    return found.cast(pa.schema([f.with_type(pa.int64()) if f.type == huge else f for f in found.schema]))


def _worded(error: duckdb.Error, path: Path) -> WarehouseError:
    said = str(error).splitlines()[0]
    missing = re.search(r'Table with name (\S+) does not exist|column (?:named )?"([^"]+)"(?: not found|$)', said)
    if missing and (unknown := missing[1] or missing[2]):
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
    if "not a valid DuckDB database" in said or "serialization" in said.lower():
        return WarehouseError(f"{path} is not a DuckDB file of this version ({said}); set AI_USAGE_DUCKDB_PATH to another file.")
    if "expression depth" in said:
        return WarehouseError(dialect.TOO_DEEP)
    if "Read-only file system" in said:
        return WarehouseError(
            f"{path} lies on a disk that cannot be written ({said}); mount it for writing, or set AI_USAGE_DATA_DIR elsewhere."
        )
    if "Permission denied" in said:
        return WarehouseError(f"{path} may not be opened (permission denied); correct its owner or set AI_USAGE_DUCKDB_PATH.")
    return WarehouseError(f"DuckDB said: {said}")
