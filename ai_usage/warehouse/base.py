"""The protocol that every engine keeps, and its errors.

Belongs here: what the rest of the platform may ask of a warehouse. SQL that is passed in is BigQuery dialect with
`@name` parameters and unqualified table names; each engine translates for itself. Data goes in and out as Arrow, since
pandas would turn NUMERIC into float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from ai_usage.tables.schema import Table

Value = str | int | bool | Decimal | date | datetime | Sequence[str] | None
Parameters = Mapping[str, Value]


class WarehouseError(Exception):
    """The warehouse could not do what was asked; the message is one sentence with the remedy."""


class WarehouseBusyError(WarehouseError):
    """Another process held the warehouse longer than the bounded wait."""


@dataclass(frozen=True)
class Fact:
    """An assertion proved inside the transaction that writes: `difference_sql` must yield 0 in every column."""

    name: str
    difference_sql: str
    remedy: str


class Warehouse(Protocol):
    """One engine. Every method opens late and closes early; none leaves anything half-written."""

    name: str

    def ensure(self) -> None:
        """Create what is declared and absent: tables, new nullable columns, staging and mart views. Idempotent."""

    def publish(self, rows: Mapping[Table, pa.Table], fetches: pa.Table) -> None:
        """Append raw rows, then the `raw_fetches` rows that make them visible."""

    def replace(self, table: Table, model: str, parameters: Parameters, facts: Sequence[Fact] = ()) -> int:
        """Replace the rows of the model's day range (or all, for a table without day column) by the model's answer, in one
        transaction that also proves `facts`; returns the rows written."""

    def create_view(self, table: Table) -> None:
        """Create or replace one declared view from its file."""

    def select(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """Answer one read-only statement."""

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one data-changing statement, for cleaners; returns the rows changed, -1 where the engine does not say."""
