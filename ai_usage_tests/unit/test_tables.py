"""One declaration per table: DDL, Arrow, pandera and the database itself agree with it, for every table."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import duckdb
import pandas as pd
import pandera.errors
import pyarrow as pa
import pytest

from ai_usage import tables
from ai_usage.tables.schema import Column, Table, Type
from ai_usage_tests.fixtures.desk import NOON

VALUE = {
    Type.STRING: "x",
    Type.INT64: 1,
    Type.NUMERIC: Decimal("0.123456789"),
    Type.BOOL: True,
    Type.DATE: date(2026, 11, 1),
    Type.TIMESTAMP: NOON,
}
DUCKDB = {
    Type.STRING: "VARCHAR",
    Type.INT64: "BIGINT",
    Type.NUMERIC: "DECIMAL(38,9)",
    Type.BOOL: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}
every_table = pytest.mark.parametrize("table", tables.ALL, ids=lambda t: t.name)


def good_row(table: Table) -> dict:
    return {c.name: c.allowed[0] if c.allowed else VALUE[c.type] for c in table.columns}


def frame(table: Table, row: dict) -> pd.DataFrame:
    return pa.Table.from_pylist([row], schema=pa.schema([(c.name, c.arrow_type) for c in table.columns])).to_pandas(
        types_mapper=pd.ArrowDtype
    )


@every_table
def test_ddl_arrow_and_pandera_agree(table: Table) -> None:
    """Same columns in the same order, same types, same nullability, on an engine and not on paper."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(table.duckdb_ddl())
        there = con.execute(f'DESCRIBE "{table.name}"').fetchall()
        assert [(r[0], r[1], r[2] == "YES") for r in there] == [(c.name, DUCKDB[c.type], c.nullable) for c in table.columns]
        data = pa.Table.from_pylist([good_row(table)], schema=table.arrow_schema())
        con.register("data", data)
        con.execute(f'INSERT INTO "{table.name}" SELECT * FROM data')
        back = con.execute(f'SELECT * FROM "{table.name}"').to_arrow_table()
        assert [f.type for f in back.schema] == [f.type for f in table.arrow_schema()]
        assert back.to_pylist() == [good_row(table)]
    assert [f.nullable for f in table.arrow_schema()] == [c.nullable for c in table.columns]
    table.pandera_schema().validate(frame(table, good_row(table)))


@every_table
def test_pandera_refuses_each_kind_of_wrong_row(table: Table) -> None:
    """NULL where it must not be, a value outside the list, a negative count, a missing and a further column."""
    schema, good = table.pandera_schema(), good_row(table)
    wrong = [{**good, c.name: None} for c in table.columns if not c.nullable]
    wrong += [{**good, c.name: "something else"} for c in table.columns if c.allowed]
    wrong += [{**good, c.name: c.minimum - 1} for c in table.columns if c.minimum is not None]
    for row in wrong:
        with pytest.raises(pandera.errors.SchemaError):
            schema.validate(frame(table, row))
    for bad in (frame(table, good).iloc[:, 1:], frame(table, good).assign(further=1)):
        with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors)):
            schema.validate(bad)


@every_table
def test_money_is_never_float(table: Table) -> None:
    """Every `_usd` column is NUMERIC with unit USD, and says so in its name when its unit is USD."""
    for column in table.columns:
        if column.name.endswith("_usd"):
            assert (column.type, column.unit) == (Type.NUMERIC, "USD"), column
        if column.unit == "USD":
            assert column.name.endswith(("_usd", "Cost")) or column.name == "usd", column  # FOCUS names its own columns
        assert not column.name.endswith("_cents")


@every_table
def test_names_say_the_type(table: Table) -> None:
    """`_at` is an instant, `_date` and `_from`/`_to` are UTC days, `is_` is true or false, `_tokens` counts."""
    for c in table.columns:
        for ending, kind in (("_at", Type.TIMESTAMP), ("_date", Type.DATE), ("_tokens", Type.INT64)):
            assert not c.name.endswith(ending) or c.type is kind, c
        assert not c.name.startswith("is_") or c.type is Type.BOOL, c
        assert not c.name.startswith("valid_") or c.type is Type.DATE, c


@every_table
def test_every_table_is_described(table: Table) -> None:
    assert table.description.endswith(".") and table.grain and table.layer in {"raw", "staging", "curated", "books", "operations", "mart"}
    assert all(c.description for c in table.columns)
    text = table.markdown()
    assert all(f"| `{c.name}` | {c.type} |" in text for c in table.columns)


def test_raw_tables_carry_their_lineage() -> None:
    for table in tables.RAW:
        if table.name not in {"raw_fetches", "raw_rejects"}:
            assert table.column_names[:5] == ("usage_date", "fetch_id", "fetched_at", "ingest_date", "extra"), table


def test_names_are_unique() -> None:
    assert len(tables.BY_NAME) == len(tables.ALL)


def test_a_declaration_with_a_mistake_is_refused() -> None:
    a = Column("a", Type.STRING, "A.")
    for more in (
        {"columns": (a, a)},
        {"columns": (a,), "key": ("b",)},
        {"columns": (a,), "date_column": "b"},
        {"columns": (a,), "cluster_by": ("b",)},
    ):
        with pytest.raises(ValueError, match="table t "):
            Table(name="t", layer="raw", description="T.", grain="one", **more)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no column 'b'"):
        Table(name="t", layer="raw", description="T.", grain="one", columns=(a,)).column("b")


def test_an_instant_keeps_its_microseconds_and_its_zone() -> None:
    at = datetime.fromisoformat("2026-11-22T23:59:59.999999+00:00")
    assert pa.array([at], Column("a_at", Type.TIMESTAMP, "A.").arrow_type).to_pylist() == [at]
