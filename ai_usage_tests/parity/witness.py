"""Every statement asked twice: of DuckDB, as the platform does it, and of GoogleSQL, as BigQuery would.

Belongs here: `Witnessed`, a DuckDB warehouse that asks GoogleSQL the same on the same rows and raises `Disagreement` where names, types or any
value differ in the last digit, and `Stepped`, which asks view by view. Does not belong here: what is asked (the tests), and how GoogleSQL is
started (`googlesql.py`).

What GoogleSQL gets is the file's own text: nothing that `dialect.py` does reaches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from ai_usage_tests.parity.answers import KeptAnswers
from ai_usage_tests.parity.googlesql import Row

_TYPES = {
    pa.string(): "STRING", pa.int64(): "INT64", pa.int32(): "INT64", pa.decimal128(38, 9): "NUMERIC", pa.bool_(): "BOOL",
    pa.date32(): "DATE", pa.timestamp("us", tz="UTC"): "TIMESTAMP", pa.float64(): "FLOAT64",
}  # fmt: skip


class Disagreement(AssertionError):
    """The two engines answer differently; the message shows the statement and where."""


@dataclass(frozen=True)
class Question:
    """What GoogleSQL is asked; `content` holds the tables' rows where no answer is kept."""

    google: KeptAnswers
    name: str
    sql: str
    given: Mapping[str, Any]
    content: Mapping[str, Sequence[Row]]
    is_new: bool
    in_order: bool


class Witnessed(DuckDBWarehouse):
    """A DuckDB warehouse each of whose answers and replacements GoogleSQL must confirm. `asked` counts them."""

    def __init__(self, path: Path, google: KeptAnswers) -> None:
        super().__init__(path)
        self.google = google
        self.asked = 0

    def select(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        found = super().select(sql, parameters)
        given = {name: value for name, value in (parameters or {}).items() if name in dialect.parameters(sql)}
        agree(self._question(models.expand(sql) if "start_date" in given else sql, given), found)
        return found

    def replace(self, table: Table, model: str, parameters: Parameters, facts: Sequence[Fact] = ()) -> int:
        statement = models.expand(model)
        given = {name: value for name, value in parameters.items() if name in dialect.parameters(statement)}
        question = self._question(statement, given)
        written = super().replace(table, model, parameters, facts)
        columns = ", ".join(table.column_names)
        where = f"WHERE {table.date_column} BETWEEN $start_date AND $end_date" if table.date_column else ""
        bound = {k: parameters[k] for k in ("start_date", "end_date")} if where else {}
        with self._reading() as con:
            found = con.execute(f"SELECT {columns} FROM {table.name} {where}", bound).to_arrow_table()
        agree(question, found)
        return written

    def _question(self, statement: str, given: Mapping[str, Any]) -> Question:
        """The statement as GoogleSQL gets it, and what stands now in every table that it reads, through views too."""
        self.asked += 1
        self.ensure()
        sql = self._inlined(statement)
        read = [t for t in tables.ALL if t.name in _reads(sql)]
        with self._reading() as con:
            rows = {t.name: _digest(con, t) for t in read}
            name = self.google.question(sql, given, read, rows)
            is_new = self.google.is_asked(name)
            content = {
                t.name: rows_of(con.execute(f"SELECT {', '.join(t.column_names)} FROM {t.name}").to_arrow_table()) for t in read if is_new
            }
        return Question(self.google, name, sql, given, content, is_new, _ordered(statement))

    def _inlined(self, statement: str) -> str:
        return inlined(statement)

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._open(read_only=True) as con:
            yield con


class Stepped(Witnessed):
    """The warehouse with rows in the place of views (`desk.rows_for_views`), so that a question goes one step deep.

    The rows are DuckDB's answer through all views below. `confirm` asks GoogleSQL for the view's own statement over the rows of what it reads
    itself. Where that agrees for each view, GoogleSQL agrees with the rows of all, by induction from the tables up; a card is then asked over the
    rows of its view. So a question is short for both engines, and a view that is written in other words makes only its own questions new.
    """

    def confirm(self, view: Table) -> int:
        """How many rows of the view GoogleSQL confirmed."""
        columns = ", ".join(view.column_names)
        question = self._question(f"SELECT {columns} FROM (\n{bare(models.view_sql(models.model(view.name)))}\n)", {})
        with self._reading() as con:
            found = con.execute(f"SELECT {columns} FROM {view.name}").to_arrow_table()
        agree(question, found)
        return found.num_rows

    def _inlined(self, statement: str) -> str:
        return bare(statement)


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


def _digest(con: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Of the table's rows in any order. A row as text names each value: DuckDB quotes a string that could be taken for another value."""
    row = ", ".join(table.column_names)
    found = con.execute(
        f"SELECT sha256(string_agg(r, chr(10) ORDER BY r)) FROM (SELECT CAST(ROW({row}) AS VARCHAR) AS r FROM {table.name})"
    )
    return str(found.fetchall()[0][0])


def rows_of(data: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in data.columns), strict=True)) if data.num_columns else []


def types_of(data: pa.Table) -> tuple[str, ...]:
    return tuple(_TYPES.get(kind, str(kind)) for kind in data.schema.types)


def agree(question: Question, found: pa.Table) -> None:
    """Raises `Disagreement` unless GoogleSQL's answer has the names, types and rows of `found`; in order, where the statement says ORDER BY."""
    names, types, rows = tuple(found.schema.names), types_of(found), rows_of(found)
    google, sql = question.google, question.sql
    if google.confirms(question.name, sql, question.given, question.content, (names, types, rows), in_order=question.in_order):
        return
    if not question.is_new:
        raise Disagreement(f"GoogleSQL's kept answer is another one; AI_USAGE_TEST_PROVE=1 shows both.\n{len(rows)} rows {names}\n{sql}")
    answer = google.engine.run(sql, question.given, question.content)
    theirs = [row for row in answer.rows if row not in rows]
    ours = [row for row in rows if row not in answer.rows]
    raise Disagreement(
        f"{len(answer.rows)} rows of GoogleSQL and {len(rows)} of DuckDB\n{answer.names} {answer.types}\n{names} {types}\n"
        f"only GoogleSQL {theirs[:3]}\nonly DuckDB    {ours[:3]}\n{sql}"
    )


@lru_cache(maxsize=512)
def _ordered(sql: str) -> bool:
    """Whether the statement's own result has an order, not only a part of it. What `models.expand` made has none, and takes long to parse."""
    if sql.endswith("AS expanded"):
        return False
    tree = dialect.parse(sql)
    while isinstance(tree, exp.Subquery | exp.Paren):
        tree = tree.this
    return bool(tree.args.get("order"))
