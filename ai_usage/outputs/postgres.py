"""The serving copy: the marts as tables in a Postgres, for a Metabase on a single machine.

DuckDB admits one process, so Metabase may not hold its file. Belongs here: copying declared marts, whole, in one transaction, so that
a reader sees the old copy or the new one. Does not belong here: the warehouse's own tables, Metabase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pyarrow as pa
from psycopg import sql

from ai_usage.tables.schema import Table, Type
from ai_usage.warehouse.base import Warehouse, WarehouseError

TYPES = {
    Type.STRING: "text", Type.INT64: "bigint", Type.NUMERIC: "numeric(38, 9)", Type.BOOL: "boolean", Type.DATE: "date",
    Type.TIMESTAMP: "timestamp with time zone",
}  # fmt: skip


def copy_marts(warehouse: Warehouse, url: str, schema: str, marts: Iterable[Table]) -> dict[str, int]:
    """Copy these marts into `schema`; returns the rows of each. Tables stay, so that what was granted on them stays.

    Each USD column's sum is compared with the warehouse's before anything is published; WarehouseError when one differs.
    """
    copied = {}
    try:
        with psycopg.connect(_without_schema(url), connect_timeout=20) as con:
            con.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            for table in marts:  # one in memory at a time
                rows = warehouse.select(f"SELECT {', '.join(table.column_names)} FROM {table.name}")
                _copy(con, schema, table, rows)
                copied[table.name] = rows.num_rows
    except psycopg.Error as error:
        raise _worded(error) from None
    return copied


@dataclass(frozen=True)
class Difference:
    """One figure of a mart that is not the same on both sides: `what` is rows or a USD column."""

    mart: str
    what: str
    warehouse: str
    serving: str


def differences(warehouse: Warehouse, url: str, schema: str, marts: Iterable[Table]) -> list[Difference]:
    """Where the published copy has other rows or other sums of money than the marts; asked of both sides anew."""
    found = []
    try:
        with psycopg.connect(_without_schema(url), connect_timeout=20) as con:
            for table in marts:
                names = ["rows", *(c.name for c in table.columns if c.unit == "USD")]
                sums = ", ".join(["COUNT(*) AS n", *(f"SUM({name}) AS {name}" for name in names[1:])])
                held = tuple(warehouse.select(f"SELECT {sums} FROM {table.name}").to_pylist()[0].values())
                asked = [sql.SQL("count(*)"), *(sql.SQL("sum({})").format(sql.Identifier(name)) for name in names[1:])]
                there = con.execute(
                    sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(asked), sql.Identifier(schema, table.name))
                ).fetchone()
                pairs = zip(names, held, there or [None] * len(names), strict=True)
                found += [Difference(table.name, name, str(ours), str(theirs)) for name, ours, theirs in pairs if ours != theirs]
    except psycopg.Error as error:
        raise _worded(error) from None
    return found


def _worded(error: psycopg.Error) -> WarehouseError:
    said = " ".join(str(error).split())
    return WarehouseError(f"the serving copy was not written, the old one stands: Postgres said {said[:300]!r}; see AI_USAGE_SERVING_URL.")


def _without_schema(url: str) -> str:
    """libpq knows no option `schema`; in our settings it stands in the URL."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(o for o in parts.query.split("&") if o and not o.startswith("schema="))))


def _copy(con: psycopg.Connection, schema: str, table: Table, rows: pa.Table) -> None:
    place = sql.Identifier(schema, table.name)
    declared = [(c.name, TYPES[c.type].split("(")[0]) for c in table.columns]
    there = con.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        [schema, table.name],
    ).fetchall()
    if there and there != declared:
        con.execute(sql.SQL("DROP TABLE {}").format(place))
    if there != declared:
        columns = sql.SQL(", ").join(sql.SQL("{} " + TYPES[c.type]).format(sql.Identifier(c.name)) for c in table.columns)
        con.execute(sql.SQL("CREATE TABLE {} ({})").format(place, columns))
    con.execute(sql.SQL("DELETE FROM {}").format(place))  # not TRUNCATE: readers go on reading the old rows until the commit
    names = sql.SQL(", ").join(sql.Identifier(c) for c in table.column_names)
    with con.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(place, names)) as stream:
        for batch in rows.to_batches(max_chunksize=10_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                stream.write_row(row)
    _prove(con, place, table, rows)


def _prove(con: psycopg.Connection, place: sql.Identifier, table: Table, rows: pa.Table) -> None:
    count = con.execute(sql.SQL("SELECT count(*) FROM {}").format(place)).fetchone()
    if count is None or count[0] != rows.num_rows:
        raise WarehouseError(f"{table.name}: {rows.num_rows} rows were sent and {count and count[0]} arrived; nothing was published.")
    for column in (c for c in table.columns if c.unit == "USD"):
        sent = sum((v for v in rows[column.name].to_pylist() if v is not None), Decimal(0))
        got = con.execute(sql.SQL("SELECT coalesce(sum({}), 0) FROM {}").format(sql.Identifier(column.name), place)).fetchone()
        if got is None or got[0] != sent:
            raise WarehouseError(f"{table.name}.{column.name}: {sent} USD were sent and {got and got[0]} arrived; nothing was published.")
