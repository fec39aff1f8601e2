"""Every statement asked twice: of DuckDB, as the platform does it, and of GoogleSQL, as BigQuery would.

Belongs here: `Witnessed`, a DuckDB warehouse that asks GoogleSQL the same on the same rows and raises `Disagreement` where names, types or any
value differ in the last digit. Does not belong here: what is asked (the tests), and how GoogleSQL is started (`googlesql.py`).

What GoogleSQL gets is the file's own text: nothing that `dialect.py` does reaches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from ai_usage import tables
from ai_usage.tables.schema import Table
from ai_usage.warehouse import DuckDBWarehouse, Fact, dialect, models
from ai_usage.warehouse.base import Parameters
from ai_usage_tests.parity.googlesql import GoogleSQL, Row

PHYSICAL = [table for table in tables.ALL if not table.view]
_TYPES = {
    pa.string(): "STRING", pa.int64(): "INT64", pa.int32(): "INT64", pa.decimal128(38, 9): "NUMERIC", pa.bool_(): "BOOL",
    pa.date32(): "DATE", pa.timestamp("us", tz="UTC"): "TIMESTAMP", pa.float64(): "FLOAT64",
}  # fmt: skip


class Disagreement(AssertionError):
    """The two engines answer differently; the message shows the statement and where."""


class Witnessed(DuckDBWarehouse):
    """A DuckDB warehouse each of whose answers and replacements GoogleSQL must confirm. `asked` counts them."""

    def __init__(self, path: Path, google: GoogleSQL) -> None:
        super().__init__(path)
        self.google = google
        self.asked = 0

    def select(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        found = super().select(sql, parameters)
        given = {name: value for name, value in (parameters or {}).items() if name in dialect.parameters(sql)}
        statement = models.expand(sql) if "start_date" in given else sql
        self._confirm(statement, given, self._content(statement), found)
        return found

    def replace(self, table: Table, model: str, parameters: Parameters, facts: Sequence[Fact] = ()) -> int:
        statement = models.expand(model)
        before = self._content(statement) if self.path.exists() else {}
        written = super().replace(table, model, parameters, facts)
        columns = ", ".join(table.column_names)
        where = f"WHERE {table.date_column} BETWEEN $start_date AND $end_date" if table.date_column else ""
        bound = {k: parameters[k] for k in ("start_date", "end_date")} if where else {}
        given = {name: value for name, value in parameters.items() if name in dialect.parameters(statement)}
        with self._reading() as con:
            after = con.execute(f"SELECT {columns} FROM {table.name} {where}", bound).to_arrow_table()
        self._confirm(statement, given, before, after)
        return written

    def _confirm(self, statement: str, given: Mapping[str, Any], content: Mapping[str, Sequence[Row]], found: pa.Table) -> None:
        self.asked += 1
        agree(self.google, inlined(statement), given, content, found)

    def _content(self, statement: str) -> dict[str, list[Row]]:
        """The rows of every table that the statement reads, through views too."""
        self.ensure()
        read = [t for t in PHYSICAL if t.name in _reads(inlined(statement))]
        with self._reading() as con:
            return {t.name: rows_of(con.execute(f"SELECT {', '.join(t.column_names)} FROM {t.name}").to_arrow_table()) for t in read}

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(str(self.path), read_only=True, config=self._config) as con:
            con.execute("SET TimeZone = 'UTC'")
            yield con


@lru_cache(maxsize=512)
def _reads(sql: str) -> frozenset[str]:
    return frozenset(dialect.references(sql))


@lru_cache(maxsize=512)
def inlined(sql: str) -> str:
    """The statement with every view that it reads in front of it, so that only tables remain: what views are on BigQuery."""
    wanted: set[str] = set()

    def collect(text: str) -> None:
        for name in _reads(text) & models.all_models().keys():
            if tables.BY_NAME[name].view and name not in wanted:
                wanted.add(name)
                collect(models.all_models()[name].sql)

    collect(sql)
    if not wanted:
        return sql
    parts = ",\n".join(
        f"{m.table.name} AS (\n{bare(models.view_sql(m))}\n)" for m in models.all_models().values() if m.table.name in wanted
    )
    return f"WITH {parts}\n(\n{bare(sql)}\n)"


def bare(sql: str) -> str:
    """Without its final semicolon."""
    return sql.strip().rstrip(";")


def rows_of(data: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in data.columns), strict=True)) if data.num_columns else []


def types_of(data: pa.Table) -> tuple[str, ...]:
    return tuple(_TYPES.get(kind, str(kind)) for kind in data.schema.types)


def agree(google: GoogleSQL, sql: str, given: Mapping[str, Any], content: Mapping[str, Sequence[Row]], found: pa.Table) -> None:
    """Raises `Disagreement` unless GoogleSQL's answer has the names, types and rows of `found`; in order, where the statement says ORDER BY."""
    answer = google.run(sql, given, content)
    names = tuple(found.schema.names)
    if all(answer.names) and answer.names != names:
        raise Disagreement(f"columns\nGoogleSQL {answer.names}\nDuckDB    {names}\n{sql}")
    for name, theirs, ours in zip(names, answer.types, types_of(found), strict=True):
        if theirs != ours:
            raise Disagreement(f"type of {name}: GoogleSQL {theirs}, DuckDB {ours}\n{sql}")
    theirs, ours = answer.rows, rows_of(found)
    if not _ordered(sql):
        theirs, ours = sorted(theirs, key=repr), sorted(ours, key=repr)
    if theirs != ours:
        only_theirs = [row for row in theirs if row not in ours]
        only_ours = [row for row in ours if row not in theirs]
        raise Disagreement(
            f"{len(theirs)} rows of GoogleSQL and {len(ours)} of DuckDB\n{names}\n"
            f"only GoogleSQL {only_theirs[:3]}\nonly DuckDB    {only_ours[:3]}\n{sql}"
        )


@lru_cache(maxsize=512)
def _ordered(sql: str) -> bool:
    """Whether the statement's own result has an order, not only a part of it."""
    tree = dialect.parse(sql)
    while isinstance(tree, exp.Subquery | exp.Paren):
        tree = tree.this
    return bool(tree.args.get("order"))
