"""The databases behind the stand-in: it runs each card's own SQL for real.

Belongs here: listing tables and columns, expanding a field filter as each engine's driver does, running. BigQuery's SQL runs on the
project's DuckDB warehouse, with BigQuery's rule that a field filter matches only a table written as one unaliased token.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import sqlglot
from sqlglot import exp

from ai_usage import tables
from ai_usage.warehouse import DuckDBWarehouse


class QueryError(Exception):
    """The database refused; Metabase answers 202 with status failed."""


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


class BigQuery:
    engine = "bigquery-cloud-sdk"

    def __init__(self, warehouse: DuckDBWarehouse, dataset: str) -> None:
        self.warehouse, self.dataset = warehouse, dataset
        self._answers: dict[str, list[list[Any]]] = {}

    def catalog(self) -> dict[str, list[str]]:
        return {t.name: list(t.column_names) for t in tables.MARTS}

    def column(self, table: str, column: str) -> str:
        return f"`{self.dataset}.{table}`.`{column}`"

    def run(self, sql: str) -> list[list[Any]]:
        """Kept by text: the rows do not change during a test run, and translating costs 0.3 s."""
        if sql not in self._answers:
            self._answers[sql] = self._run(sql)
        return self._answers[sql]

    def _run(self, sql: str) -> list[list[Any]]:
        try:
            tree = sqlglot.parse_one(sql, read="bigquery")
        except sqlglot.errors.SqlglotError as error:
            raise QueryError(str(error)) from None
        for select in tree.find_all(exp.Select):
            tables_here = [t for t in ([select.args["from_"].this] if select.args.get("from_") else []) if isinstance(t, exp.Table)]
            tokens = {f"{t.db}.{t.name}" for t in tables_here if not t.alias and f"`{t.db}.{t.name}`" in sql}
            where = select.args.get("where")
            for column in [c for c in where.find_all(exp.Column) if c.parent_select is select] if where else []:
                written = ".".join(p.name for p in column.parts[:-1])
                if "." in written or "." in column.table:
                    if (written if "." in written else column.table) not in tokens:
                        raise QueryError(f"Unrecognized name: {column.sql(dialect='bigquery')}")
                    column.replace(exp.column(column.name))
        for table in tree.find_all(exp.Table):
            table.set("db", None)
        try:
            found = self.warehouse.select(tree.sql(dialect="bigquery"))
        except Exception as error:
            raise QueryError(str(error)) from None
        return [[plain(row[name]) for name in found.column_names] for row in found.to_pylist()]


class Postgres:
    engine = "postgres"

    def __init__(self, url: str, schema: str) -> None:
        self.url, self.schema = url, schema

    def catalog(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with psycopg.connect(self.url) as con:
            for table, column in con.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, ordinal_position",
                [self.schema],
            ):
                found.setdefault(table, []).append(column)
        return found

    def column(self, table: str, column: str) -> str:
        return f'"{self.schema}"."{table}"."{column}"'

    def run(self, sql: str) -> list[list[Any]]:
        try:
            with psycopg.connect(self.url) as con:
                con.read_only = True
                return [[plain(v) for v in row] for row in con.execute(sql.encode()).fetchall()]
        except psycopg.Error as error:
            raise QueryError(str(error)) from None
