"""The protocol that every engine keeps, and its errors.

Belongs here: what the rest of the platform may ask of a warehouse. SQL that is passed in is BigQuery dialect with
`@name` parameters and unqualified table names; each engine translates for itself. Data goes in and out as Arrow, since
pandas would turn NUMERIC into float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Protocol

import pyarrow as pa

from ai_usage.errors import Kind, PlatformError
from ai_usage.tables.schema import Table

Value = str | int | bool | Decimal | date | datetime | Sequence[str] | None
Parameters = Mapping[str, Value]
Stuck = Callable[[str | None], object]
"""Called with the sentence of a question that was told to end and does not; None where the caller was interrupted."""


class WarehouseError(PlatformError):
    """The warehouse could not do what was asked; the message is one sentence with the remedy."""

    kind: ClassVar[Kind] = "transient"


class ProofError(WarehouseError):
    """What was to be written does not hold; nothing was written."""


class WarehouseBusyError(WarehouseError):
    """Another process held the warehouse longer than the bounded wait."""


class WarehouseFullError(WarehouseError):
    """There was no room to write; nothing is half-written, and the same call succeeds when somebody made room."""


@dataclass(frozen=True)
class Fact:
    """An assertion proved inside the transaction that writes: `difference_sql` must yield 0 in every column."""

    name: str
    difference_sql: str
    remedy: str


class Warehouse(Protocol):
    """One engine. Every method opens late and closes early; none leaves anything half-written."""

    name: str
    publish_bytes: int
    """How many bytes of Arrow are worth one publication: each closes a file on DuckDB, and is two jobs on BigQuery."""
    orphan_age: timedelta
    """How old rows must be before a missing `raw_fetches` row means that nobody will publish them."""

    def held(self) -> AbstractContextManager[None]:
        """Many calls follow each other inside: what they can share, they may. Nothing else changes, and others are kept out no longer."""

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

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[pa.Table]:
        """The answer in pieces of at most some ten megabytes, for tables that memory need not hold; read it to the end."""

    def ask(self, sql: str, *, seconds: float, memory_mb: int, stuck: Stuck = lambda sentence: None) -> Iterator[pa.Table]:
        """A person's question, within bounds: batches, at least one. `guard.check` says what may be asked.

        It ends at once on Ctrl-C, and with an error after `seconds`, waiting included. Where the engine does not let go of it, `stuck` may end the process:
        nothing is being written."""

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one data-changing statement, for cleaners; returns the rows changed, -1 where the engine does not say."""

    def rewrite(self, changes: Sequence[str], parameters: Parameters, unchanged: Mapping[str, str]) -> None:
        """Run data-changing statements as one transaction, in which each question of `unchanged` has the same answer before and after,
        row by row; otherwise nothing is changed and `WarehouseError` names the question. Parameters are shared by all."""

    def probe(self) -> str:
        """One sentence about what is there and may be done; writes nothing. Raises `WarehouseError` with the remedy."""

    def spent(self) -> Mapping[str, int]:
        """What the engine says that the work since the last call cost: `jobs`, `bytes_billed`, `slot_ms`; empty where nothing is billed."""


def not_the_same(name: str, row: str) -> str:
    """The sentence of a rewrite that would change what it must not."""
    return f"{name} would not stay as it was, at {row}; nothing was changed, so run the job rebuild over these days and try again."


def every_day(column: str) -> str:
    """A condition that holds of all days: BigQuery wants to hear that they are meant (`Table.always_by_day`)."""
    return f"{column} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"


def used(sql_parameters: frozenset[str], parameters: Parameters) -> dict[str, Value]:
    """The parameters that a statement names; `WarehouseError` names the missing ones."""
    missing = sql_parameters - parameters.keys()
    if missing:
        raise WarehouseError(f"the SQL needs a value for @{', @'.join(sorted(missing))}; give it as a parameter.")
    return {name: parameters[name] for name in sorted(sql_parameters)}
