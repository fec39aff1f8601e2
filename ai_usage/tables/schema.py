"""What a table is: columns, types, units, grain, key. Everything that needs a schema is made from here.

Belongs here: the vocabulary (`Column`, `Table`) and the mechanical translations of it into DDL, Arrow, pandera
and Markdown. Does not belong here: any particular table (its module lies beside this one), and any SQL that reads data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import pandera.pandas as pandera


class Type(StrEnum):
    """The types that BigQuery, DuckDB and Arrow hold alike. JSON is kept as text: BigQuery cannot load Parquet into JSON."""

    STRING = "STRING"
    INT64 = "INT64"
    NUMERIC = "NUMERIC"
    BOOL = "BOOL"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"


class Personal(StrEnum):
    """How a column names a person; `forgetting.py` acts on it. A text column without it is searched for addresses all the same."""

    EMAIL = "email"  # one address: it becomes the token
    ADDRESSES = "addresses"  # a list of a person's addresses: emptied in the person's rows
    NAME = "name"  # emptied in the person's rows
    RECORD = "record"  # what a vendor sent, as text: emptied in the person's rows; without an EMAIL column it says whose row it is
    DIGEST = "digest"  # SHA-256 of the address: becomes the token's


_DUCKDB = {
    Type.STRING: "VARCHAR",
    Type.INT64: "BIGINT",
    Type.NUMERIC: "DECIMAL(38, 9)",
    Type.BOOL: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}
_ARROW = {
    Type.STRING: pa.string(),
    Type.INT64: pa.int64(),
    Type.NUMERIC: pa.decimal128(38, 9),
    Type.BOOL: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Column:
    """One column. `unit` is what a reader must know to add the number up: USD, tokens, lines, requests."""

    name: str
    type: Type
    description: str
    nullable: bool = True
    unit: str | None = None
    allowed: tuple[str, ...] = ()
    minimum: int | None = None
    personal: Personal | None = None

    @property
    def duckdb_type(self) -> str:
        return _DUCKDB[self.type]

    @property
    def arrow_type(self) -> pa.DataType:
        return _ARROW[self.type]


@dataclass(frozen=True)
class Table:
    """One table or view.

    `grain` says in words what one row is; `key` are the columns that are unique together (empty where equal rows are
    real, as with events that carry no id). `date_column` is the column that a day range replaces and that
    BigQuery partitions on; `always_by_day` says that every reader names a range of it, so that BigQuery refuses one that
    does not. `cluster_by` is the order of rows inside a partition, at most four columns.
    """

    name: str
    layer: str  # raw | staging | curated | books | operations | mart
    description: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    date_column: str | None = None
    cluster_by: tuple[str, ...] = ()
    always_by_day: bool = False
    view: bool = False
    do_not: str = ""
    tags: dict[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        names = self.column_names
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name} declares a column twice: {sorted(names)}; remove one.")
        for name in (*self.key, *self.cluster_by, *([self.date_column] if self.date_column else [])):
            if name not in names:
                raise ValueError(f"table {self.name} uses {name!r} as key, cluster or date but has no such column; declare it.")

    def __repr__(self) -> str:
        return f"Table({self.name})"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError names the table and the column."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}")

    def personal(self, *kinds: Personal) -> tuple[Column, ...]:
        """The columns that name a person in one of these ways."""
        return tuple(c for c in self.columns if c.personal in kinds)

    def duckdb_ddl(self) -> str:
        """CREATE TABLE IF NOT EXISTS for DuckDB."""
        lines = [f'"{c.name}" {c.duckdb_type}{"" if c.nullable else " NOT NULL"}' for c in self.columns]
        return f'CREATE TABLE IF NOT EXISTS "{self.name}" ({", ".join(lines)})'

    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema; nullability and descriptions included."""
        return pa.schema(pa.field(c.name, c.arrow_type, nullable=c.nullable, metadata={"description": c.description}) for c in self.columns)

    def pandera_schema(self) -> pandera.DataFrameSchema:
        """A strict pandera schema for a pandas frame read through Arrow with `types_mapper=pandas.ArrowDtype`."""
        import pandas as pd
        import pandera.pandas as pandera

        def checks(column: Column) -> list[Any]:
            found: list[Any] = []
            if column.allowed:
                found.append(pandera.Check.isin(column.allowed))
            if column.minimum is not None:
                found.append(pandera.Check.ge(column.minimum))
            return found

        return pandera.DataFrameSchema(
            {
                c.name: pandera.Column(pd.ArrowDtype(c.arrow_type), checks(c), nullable=c.nullable, description=c.description)
                for c in self.columns
            },
            strict=True,
            name=self.name,
        )

    def markdown(self) -> str:
        """This table's section of `docs/tables.md`."""
        head = [f"### `{self.name}`", "", self.description, ""]
        head.append(f"Grain: {self.grain}. " + (f"Key: {', '.join(f'`{k}`' for k in self.key)}." if self.key else "No key."))
        if self.date_column:
            head.append(f"Day column: `{self.date_column}`.")
        if self.do_not:
            head += ["", f"**Do not** {self.do_not}"]
        rows = ["", "| column | type | unit | null | meaning |", "|---|---|---|---|---|"]
        for c in self.columns:
            meaning = c.description + (f" One of: {', '.join(f'`{a}`' for a in c.allowed)}." if c.allowed else "")
            rows.append(f"| `{c.name}` | {c.type} | {c.unit or ''} | {'yes' if c.nullable else 'no'} | {meaning} |")
        return "\n".join(head + rows) + "\n"


def string(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.STRING, description, **more)


def email(name: str, description: str, **more: Any) -> Column:
    """One person's e-mail address."""
    return Column(name, Type.STRING, description, personal=Personal.EMAIL, **more)


def integer(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.INT64, description, **more)


def count(name: str, description: str, unit: str, **more: Any) -> Column:
    """A count that vendors never send negative."""
    return Column(name, Type.INT64, description, unit=unit, minimum=0, **more)


def numeric(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.NUMERIC, description, **more)


def usd(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.NUMERIC, description, unit="USD", **more)


def boolean(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.BOOL, description, **more)


def date(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.DATE, description, **more)


def timestamp(name: str, description: str, **more: Any) -> Column:
    return Column(name, Type.TIMESTAMP, description, **more)
