"""What BigQuery is told: declarations as its tables, views as DDL, a replacement as one script.

Belongs here: text and descriptions, made from `ai_usage/tables/` and `sql/`. Does not belong here: sending them. The files under `sql/` reach
BigQuery letter for letter; only a view's table names gain their dataset.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from google.cloud import bigquery

from ai_usage import tables
from ai_usage.tables.schema import Column, Table
from ai_usage.warehouse import dialect, models
from ai_usage.warehouse.base import Fact

LABELS = {"managed_by": "ai_usage"}


def field(column: Column) -> bigquery.SchemaField:
    """A column with its mode and its description (BigQuery takes 1,024 characters of it)."""
    mode = "NULLABLE" if column.nullable else "REQUIRED"
    unit = f" Unit: {column.unit}." if column.unit else ""
    return bigquery.SchemaField(column.name, column.type.value, mode=mode, description=f"{column.description}{unit}"[:1024])


def definition(table: Table, place: str) -> bigquery.Table:
    """The table as it is to be created: a partition a day, clustered, described, labelled."""
    made = bigquery.Table(f"{place}.{table.name}", schema=[field(c) for c in table.columns])
    if table.date_column:
        made.time_partitioning = bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.DAY, field=table.date_column)
        made.require_partition_filter = table.always_by_day
    if table.cluster_by:
        made.clustering_fields = list(table.cluster_by)
    made.description = description(table)
    made.labels = {**LABELS, "layer": table.layer}
    return made


def description(table: Table) -> str:
    return f"{table.description} Grain: {table.grain}." + (f" Do not {table.do_not}" if table.do_not else "")


def view_ddl(table: Table, place: str) -> str:
    """CREATE OR REPLACE VIEW with the view's and its columns' descriptions."""
    text = dialect.qualified(models.view_sql(models.model(table.name)), place, tables.BY_NAME.keys())
    columns = ",\n  ".join(f"`{c.name}` OPTIONS(description={quoted(field(c).description)})" for c in table.columns)
    labels = ", ".join(f"({quoted(k)}, {quoted(v)})" for k, v in {**LABELS, "layer": table.layer}.items())
    names = ", ".join(f"`{c.name}`" for c in table.columns)
    return (
        f"CREATE OR REPLACE VIEW `{place}.{table.name}` (\n  {columns}\n)\n"
        f"OPTIONS(description={quoted(description(table))}, labels=[{labels}])\nAS SELECT {names} FROM (\n{text.strip().rstrip(';')}\n)"
    )


def replacement(table: Table, model: str, facts: Sequence[Fact]) -> str:
    """One script: compute, delete the range, insert, prove, commit; it answers with the number of rows written.

    A script that ends before COMMIT is rolled back by BigQuery. The model is computed first, since it may read the table that it replaces. Staging
    that the model and its proofs share is computed, and billed, once.
    """
    held = models.shared((model, *(fact.difference_sql for fact in facts)))
    names = ", ".join(f"`{c}`" for c in table.column_names)
    typed = ", ".join(f"CAST(`{c.name}` AS {c.type.value}) AS `{c.name}`" for c in table.columns)
    where = f"`{table.date_column}` BETWEEN @start_date AND @end_date" if table.date_column else "TRUE"
    lines = [
        "DECLARE wrong STRING;",
        "DECLARE written INT64;",
        "BEGIN TRANSACTION;",
        *(f"CREATE TEMP TABLE held_{name} AS {_bare(models.staged(name, table.date_column))};" for name in held),
        f"CREATE TEMP TABLE fresh AS SELECT {typed} FROM (\n{_over(model, held)}\n) AS model;",
        f"DELETE FROM `{table.name}` WHERE {where};",
        f"INSERT INTO `{table.name}` ({names}) SELECT {names} FROM fresh;",
    ]
    for number, fact in enumerate(facts):
        lines += [
            f"SET wrong = (\n{_difference(fact, held)}\n);",
            f"IF wrong IS NOT NULL THEN RAISE USING MESSAGE = CONCAT('fact {number} [', wrong, ']'); END IF;",
        ]
    lines += ["SET written = (SELECT COUNT(*) FROM fresh);", "COMMIT TRANSACTION;", "SELECT written;"]
    return "\n".join(lines)


def rewriting(changes: Sequence[str], unchanged: Sequence[str]) -> str:
    """One script: ask, change, ask again, compare, commit; a script that ends before COMMIT is rolled back."""
    lines = ["DECLARE wrong STRING;", "BEGIN TRANSACTION;"]
    lines += [f"CREATE TEMP TABLE before_{n} AS {_bare(sql)};" for n, sql in enumerate(unchanged)]
    lines += [f"{_bare(sql)};" for sql in changes]
    for n, sql in enumerate(unchanged):
        one, other = f"SELECT * FROM before_{n}", f"SELECT * FROM after_{n}"
        lines += [
            f"CREATE TEMP TABLE after_{n} AS {_bare(sql)};",
            f"SET wrong = (SELECT MIN(TO_JSON_STRING(d)) FROM (({one} EXCEPT DISTINCT {other}) UNION ALL ({other} EXCEPT DISTINCT {one})) AS d);",
            f"IF wrong IS NOT NULL THEN RAISE USING MESSAGE = CONCAT('question {n} [', wrong, ']'); END IF;",
        ]
    return "\n".join([*lines, "COMMIT TRANSACTION;"])


def _bare(sql: str) -> str:
    return sql.strip().rstrip(";")


def _over(sql: str, held: tuple[str, ...]) -> str:
    return _bare(models.over(models.expand(sql, held), held))


def _difference(fact: Fact, held: tuple[str, ...]) -> str:
    """The first row of a fact that is not all zeros, as text; 'no row' where there is none; NULL where the fact holds.

    A fact's columns have no names: the empty first part of the union gives them some.
    """
    names = [f"d{n}" for n in range(dialect.width(fact.difference_sql))]
    heads = ", ".join(f"CAST(NULL AS NUMERIC) AS {n}" for n in names)
    off = " OR ".join(f"{n} IS NULL OR {n} != 0" for n in names)
    text = ", ', ', ".join(f"COALESCE(CAST({n} AS STRING), 'None')" for n in names)
    return (
        f"  SELECT CASE WHEN COUNT(*) = 0 THEN 'no row' ELSE MAX(CASE WHEN {off} THEN CONCAT({text}) END) END\n  FROM (\n"
        f"    SELECT {heads} FROM UNNEST([1]) AS nothing WHERE FALSE\n    UNION ALL\n"
        f"    ({_over(fact.difference_sql, held)})\n  ) AS differences"
    )


def parameter(name: str, value: Any) -> Any:
    """A named query parameter of the type that the value has."""
    if isinstance(value, list | tuple):
        return bigquery.ArrayQueryParameter(name, "STRING", list(value))
    kind = next((bq for python, bq in _TYPES if isinstance(value, python)), "STRING")
    return bigquery.ScalarQueryParameter(name, kind, value)


def quoted(text: str | None) -> str:
    """A string literal: JSON's escapes are BigQuery's too."""
    return json.dumps(text or "", ensure_ascii=False)


def _types() -> tuple[tuple[type, str], ...]:
    from datetime import date, datetime
    from decimal import Decimal

    # bool is an int and datetime is a date in Python, so they come first.
    return (bool, "BOOL"), (int, "INT64"), (Decimal, "NUMERIC"), (datetime, "TIMESTAMP"), (date, "DATE"), (str, "STRING")


_TYPES = _types()
