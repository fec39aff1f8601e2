"""DuckDB: the embedded default.

Belongs here: the warehouse's protocol on DuckDB, and Arrow in and out. Does not belong here: the file and its locks (`duckdb_file.py`), what tables
mean. Decimals leave through Arrow only: `.df()` would turn them into float64.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ai_usage import tables
from ai_usage.tables.schema import Table
from ai_usage.warehouse import dialect, duckdb_sql, emptiness, guard, models
from ai_usage.warehouse.base import Fact, Parameters, ProofError, Stuck, WarehouseError, not_the_same, used
from ai_usage.warehouse.duckdb_file import DuckDBFile

_GRACE_S = 2.0


class DuckDBWarehouse(DuckDBFile):
    """The warehouse in one DuckDB file, created when first used.

    `lock_wait_s` bounds how long a call waits for another process that holds the file; then `WarehouseBusyError`.
    """

    name = "duckdb"
    publish_bytes = 16_000_000
    orphan_age = timedelta(0)  # rows and publication are one transaction, so what is unpublished was left by a crash of an older version

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
                _create_view(con, model.table)
            con.execute(f"COMMENT ON TABLE raw_fetches IS '{stamp}'")
        self._ensured = True

    def publish(self, rows: Mapping[Table, pa.Table], fetches: pa.Table) -> None:
        self.ensure()
        with self._open(fills={"raw_fetches", *(table.name for table in rows)}) as con:
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
        shared = models.shared((model, *(fact.difference_sql for fact in facts)))
        columns = ", ".join(f'"{c}"' for c in table.column_names)
        with self._open(fills={table.name}) as con, self._transaction(con):
            empty = self._empty_tables(con) - {table.name}
            held = tuple(name for name in shared if name not in emptiness.empty_models(empty))
            # Planning staging costs more than reading it: a quarter of a second for each statement about a day of cost.
            for name in held:
                staged = duckdb_sql.statement(models.rows_of_days(name, table.date_column), ranged=True, empty=empty)
                con.execute(f"CREATE OR REPLACE TEMP TABLE held_{name} AS {staged.text}", _used(staged, parameters))
            select = duckdb_sql.statement(model, ranged=True, held=held, empty=empty)
            # Computed first, since a model may read the table that it replaces.
            con.execute(f'CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM "{table.name}" LIMIT 0')
            con.execute(f"INSERT INTO fresh ({columns}) SELECT {columns} FROM ({select.text})", _used(select, parameters))
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
                proof = duckdb_sql.statement(fact.difference_sql, ranged=True, held=held, empty=empty)
                _prove(table, fact, con.execute(proof.text, _used(proof, parameters)).fetchall())
            for name in ("fresh", *(f"held_{name}" for name in held)):
                con.execute(f"DROP TABLE {name}")
        return written

    def create_view(self, table: Table) -> None:
        self.ensure()
        with self._open(fills=()) as con:
            # Binding a mart takes 10 ms, and a run deploys 35 of them. Whoever replaces a view by hand takes its comment away.
            there = "SELECT 1 FROM duckdb_views() WHERE view_name = ? AND comment = ?"
            if not con.execute(there, [table.name, models.fingerprint()]).fetchone():
                _create_view(con, table)

    def select(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        with self._asked(sql, parameters) as answer:
            return _plain(answer.to_arrow_table())

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[pa.Table]:
        with self._asked(sql, parameters) as answer:
            for batch in answer.to_arrow_reader(50_000):
                yield _plain(pa.Table.from_batches([batch]))

    def ask(self, sql: str, *, seconds: float, memory_mb: int, stuck: Stuck = lambda sentence: None) -> Iterator[pa.Table]:
        guard.check(sql)
        deadline = time.monotonic() + seconds
        models.may_be_asked(sql)
        translated = dialect.to_duckdb(sql)
        self._must_exist()
        with self._open(read_only=True) as con, ThreadPoolExecutor(1) as apart:

            def ended(call: Callable[[], Any]) -> Any:
                """In a thread of its own: while DuckDB computes, the thread that called it hears no signal."""
                answer: Future[Any] = apart.submit(call)
                try:
                    while not wait([answer], 0.1).done:  # again and again: a signal that another thread took wakes nobody
                        if time.monotonic() > deadline:
                            raise TimeoutError
                    return answer.result()
                except BaseException as error:
                    con.interrupt()
                    sentence = _beyond(error, seconds, memory_mb)
                    # It hears of that between rows: one function over one long text may take minutes.
                    if not wait([answer], _GRACE_S).done:
                        stuck(sentence)
                    if sentence:
                        raise WarehouseError(sentence) from None
                    raise

            con.execute(f"SET memory_limit = '{memory_mb:d}MB'; SET max_temp_directory_size = '{memory_mb:d}MB'")
            reader = ended(lambda: con.execute(translated).to_arrow_reader(10_000))
            yield _plain(reader.schema.empty_table())
            while (batch := ended(lambda: next(reader, None))) is not None:
                yield _plain(pa.Table.from_batches([batch]))

    @contextmanager
    def _asked(self, sql: str, parameters: Parameters | None) -> Iterator[duckdb.DuckDBPyConnection]:
        models.may_be_asked(sql)
        given = parameters or {}
        asked = duckdb_sql.statement(sql, ranged="start_date" in given)
        self._must_exist()
        with self._open(read_only=True) as con:
            if duckdb_sql.reads_views(sql) and (empty := self._empty_tables(con)):
                asked = duckdb_sql.statement(sql, ranged="start_date" in given, empty=empty)
            yield con.execute(asked.text, _used(asked, given))

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        self.ensure()
        changed = duckdb_sql.statement(sql, ranged=False)
        with self._open(fills=() if sql.lstrip().startswith(("DELETE", "UPDATE")) else None) as con, self._transaction(con):
            answer = con.execute(changed.text, _used(changed, parameters or {})).fetchall()
        return int(answer[0][0]) if answer and answer[0] and isinstance(answer[0][0], int) else -1

    def rewrite(self, changes: Sequence[str], parameters: Parameters, unchanged: Mapping[str, str]) -> None:
        self.ensure()
        with self._open() as con, self._transaction(con):
            for number, sql in enumerate(unchanged.values()):
                asked = duckdb_sql.statement(sql, ranged=False)
                con.execute(f"CREATE OR REPLACE TEMP TABLE before_{number} AS {asked.text}", _used(asked, parameters))
            for sql in changes:
                change = duckdb_sql.statement(sql, ranged=False)
                con.execute(change.text, _used(change, parameters))
            for number, (name, sql) in enumerate(unchanged.items()):
                asked = duckdb_sql.statement(sql, ranged=False)
                con.execute(f"CREATE OR REPLACE TEMP TABLE after_{number} AS {asked.text}", _used(asked, parameters))
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

    def probe(self) -> str:
        if not self.path.exists():
            return f"{self.path} will be made by the first run."
        rows = self.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py()
        return f"{self.path} opens; {rows} fetches are recorded."

    def spent(self) -> Mapping[str, int]:
        return {}

    # How it is done -------------------------------------------------------------------------------------------

    def _empty_tables(self, con: duckdb.DuckDBPyConnection) -> frozenset[str]:
        """The stored tables that hold no row, asked once for each opening of the file and each write that may have filled one: nobody else writes meanwhile."""
        assert self._kept is not None  # inside `_open`
        if self._kept.empty is None:
            self._kept.empty = duckdb_sql.empty_tables(con)
        return self._kept.empty

    def _insert(self, con: duckdb.DuckDBPyConnection, table: Table, data: pa.Table) -> None:
        columns = ", ".join(f'"{c}"' for c in table.column_names)
        con.register("incoming", data)
        try:
            con.execute(f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM incoming')
        finally:
            con.unregister("incoming")

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


def _create_view(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    con.execute(f'CREATE OR REPLACE VIEW "{table.name}" AS {duckdb_sql.view(table)}')
    con.execute(f"COMMENT ON VIEW \"{table.name}\" IS '{models.fingerprint()}'")


def _prove(table: Table, fact: Fact, rows: list[tuple[Any, ...]]) -> None:
    row = next((r for r in rows if any(value is None or value != 0 for value in r)), rows[0] if rows else ("no row",))
    if not rows or any(value is None or value != 0 for value in row):
        raise ProofError(
            f"{table.name}: {fact.name} does not hold, the difference is {', '.join(map(str, row))}; nothing was written. {fact.remedy}"
        )


def _beyond(error: BaseException, seconds: float, memory_mb: int) -> str | None:
    """The sentence of a question that went beyond its bounds."""
    if isinstance(error, TimeoutError):
        return f"the query did not end within {seconds:.0f} s; ask for fewer days or rows, or raise AI_USAGE_QUERY_TIMEOUT_S."
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return f"the query needs more than {memory_mb} MB of memory; ask for fewer days or rows, or raise AI_USAGE_QUERY_MEMORY_MB."
    return None


def _used(statement: duckdb_sql.Statement, parameters: Parameters) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in used(statement.parameters, parameters).items()}


def _plain(found: pa.Table) -> pa.Table:
    """Sums of BIGINT are HUGEINT, which Arrow carries as DECIMAL(38, 0); BigQuery's are INT64."""
    huge = pa.decimal128(38, 0)
    if huge not in found.schema.types:
        return found
    return found.cast(pa.schema([f.with_type(pa.int64()) if f.type == huge else f for f in found.schema]))
