"""The formats of an export. Each writer takes pieces of one table and holds one piece at a time.

Belongs here: bytes of CSV, JSON and Parquet, and what every writer counts. XLSX has a module of its own. Does not belong here: which rows, and where
the file lies.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from ai_usage.errors import Kind, PlatformError
from ai_usage.outputs.text import cell_text, exact_sum, json_text, person_cell
from ai_usage.tables.schema import Table


class ExportError(PlatformError):
    """The export cannot be made; the message is one sentence with the remedy."""

    kind: ClassVar[Kind] = "transient"  # a full disk is the usual reason


@dataclass(frozen=True)
class About:
    """What a file may say about itself: the title, what was asked, and the version of its columns where they have one."""

    table: Table
    title: str
    scope: str
    version: str | None = None
    exact: bool = False
    """Of CSV: text as it is stored, for programs; else safe to open in a spreadsheet."""


@dataclass
class Written:
    """What stands in a file: rows, and the exact sum of each USD column as it was written (NULLs left out)."""

    rows: int = 0
    totals: dict[str, Decimal] = field(default_factory=dict)


Writer = Callable[[Iterable[pa.Table], BinaryIO, About], None]


def counted(parts: Iterable[pa.Table], table: Table, into: Written) -> Iterator[pa.Table]:
    """Hand the pieces through, adding up what passes."""
    money = [c.name for c in table.columns if c.unit == "USD"]
    into.totals |= {name: Decimal(0) for name in money}
    for part in parts:
        into.rows += part.num_rows
        for name in money:
            into.totals[name] = exact_sum([into.totals[name], *part[name].to_pylist()])
        yield part


def rows_of(parts: Iterable[pa.Table]) -> Iterator[tuple[Any, ...]]:
    for part in parts:
        for batch in part.to_batches(max_chunksize=10_000):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def write_csv(parts: Iterable[pa.Table], target: BinaryIO, about: About) -> None:
    """RFC 4180, UTF-8 without a byte order mark, CRLF; NULL is an empty cell and an empty text is `""`; decimals are exact.

    People open CSV files in spreadsheets, so no text can become a formula there, unless `about` asks for exact text.
    """
    cell = cell_text if about.exact else person_cell
    text = io.TextIOWrapper(target, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(about.table.column_names)
    for row in rows_of(parts):
        if "" in row:  # the csv module would write NULL and an empty text alike
            text.write(",".join("" if v is None else '"' + cell(v).replace('"', '""') + '"' for v in row) + "\r\n")
        else:
            writer.writerow([cell(v) for v in row])
    text.flush()
    text.detach()


def write_json(parts: Iterable[pa.Table], target: BinaryIO, about: About) -> None:
    """One array, an object a line; decimals are numbers with every digit, so read them with `parse_float=Decimal` or the like."""
    names = about.table.column_names
    target.write(b"[")
    before = b"\n"
    for row in rows_of(parts):
        target.write(before + json_text(dict(zip(names, row, strict=True))).encode())
        before = b",\n"
    target.write(b"\n]\n")


def write_parquet(parts: Iterable[pa.Table], target: BinaryIO, about: About) -> None:
    """Parquet with the declared types: decimal128(38, 9), date32, timestamps in UTC; what the file is stands in its metadata."""
    said = {"ai_usage.table": about.table.name, "ai_usage.scope": about.scope}
    if about.version:
        said["ai_usage.columns_version"] = about.version
    schema = pa.schema([f.with_nullable(True) for f in about.table.arrow_schema()], metadata=said)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part.cast(schema), row_group_size=100_000)


def write_xlsx(parts: Iterable[pa.Table], target: BinaryIO, about: About) -> None:
    """XLSX; see `xlsx.py`."""
    from ai_usage.outputs.xlsx import write

    write(rows_of(parts), target, about)


FORMATS: dict[str, Writer] = {"csv": write_csv, "xlsx": write_xlsx, "json": write_json, "parquet": write_parquet}
