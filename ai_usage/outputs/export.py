"""One export: which table, which days, where the file lies. Files appear whole or not at all.

Belongs here: names that people may ask for, the statement, the file. Does not belong here: formats (`formats.py`), settings, Dagster.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ai_usage import tables
from ai_usage.guards import files
from ai_usage.months import last_day
from ai_usage.outputs.formats import FORMATS, About, ExportError, Written, counted
from ai_usage.tables.schema import Table, Type
from ai_usage.warehouse.base import Warehouse

CHARGEBACK = "chargeback"
ALIASES = {CHARGEBACK: "vw_chargeback"}
UNBOUNDED = (date(1, 1, 1), date(9999, 12, 31))  # some tables want to hear that all days are meant


def exportable() -> dict[str, Table]:
    """{name: table} of everything that can be exported: marts, facts, dimensions, and `chargeback`."""
    found = {t.name: t for t in (*tables.MARTS, *tables.CURATED)}
    return {name: tables.BY_NAME[of] for name, of in ALIASES.items()} | found


@dataclass(frozen=True)
class Export:
    """What is asked: a table by name, a format, and inclusive UTC days (None is open). A table by month has the first day of each as its day.
    `exact`: of CSV, text as it is stored."""

    name: str
    format: str = "csv"
    first: date | None = None
    last: date | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.name not in exportable():
            raise ExportError(f"there is no mart or fact {self.name!r}; there are {', '.join(exportable())}.")
        if self.format not in FORMATS:
            raise ExportError(f"--format is {self.format!r}; use {', '.join(FORMATS)}.")
        if self.exact and self.format != "csv":
            raise ExportError(f"--exact is about csv, and {self.format} is always exact; leave it out.")
        if (self.first or self.last) and not self.table.date_column:
            raise ExportError(f"{self.name} has no days, so none can be chosen; leave --from, --to and --month out.")
        if self.first and self.last and self.first > self.last:
            raise ExportError(f"--from {self.first} lies after --to {self.last}; exchange them.")

    @property
    def table(self) -> Table:
        return exportable()[self.name]

    @property
    def version(self) -> str | None:
        """Of the columns, where they are promised to stay."""
        return self.table.tags.get("columns_version")

    @property
    def file_name(self) -> str:
        """`chargeback-v2-2026-10.csv`, `vw_cost_allocation-2026-10-01_2026-10-07.csv`, `dim_users.csv`."""
        parts = [self.name, *([f"v{self.version}"] if self.version else [])]
        if self.first and self.last and self.first.day == 1 and self.last == last_day(self.first):
            parts.append(f"{self.first:%Y-%m}")
        elif self.first or self.last:
            parts.append(f"{self.first or ''}_{self.last or ''}")
        return "-".join(parts) + f".{self.format}"

    @property
    def about(self) -> About:
        days = f"{self.table.date_column} {self.first or 'from the start'} to {self.last or 'the end'}"
        return About(self.table, self.name, days if self.first or self.last else "everything on record", self.version, self.exact)

    def statement(self) -> tuple[str, dict[str, date]]:
        """The rows in an order that depends on their values alone, so that the same rows make the same file."""
        names = ", ".join(self.table.column_names)
        day = self.table.date_column
        where = f" WHERE {day} BETWEEN @date_from AND @date_to" if day else ""
        order = [day] if day else []
        order += [c.name for c in self.table.columns if c.name != day and c.type is not Type.NUMERIC]
        order += [c.name for c in self.table.columns if c.type is Type.NUMERIC]
        bounds = {"date_from": self.first or UNBOUNDED[0], "date_to": self.last or UNBOUNDED[1]} if day else {}
        return f"SELECT {names} FROM {self.table.name}{where} ORDER BY {', '.join(order)}", bounds

    def rows(self, warehouse: Warehouse) -> Iterator[pa.Table]:
        """The rows in pieces, with the declared columns."""
        sql, bounds = self.statement()
        for part in warehouse.stream(sql, bounds):
            yield part.select(list(self.table.column_names))


def write_export(warehouse: Warehouse, asked: Export, target: Path | BinaryIO) -> Written:
    """Write the file, or the bytes to an open stream; returns what was written.

    A file is written beside its place and then renamed: whoever reads the folder sees the old file or the new one. `ExportError` where it cannot be.
    """
    warehouse.ensure()  # after an upgrade the view may not be there yet
    written = Written()
    rows = counted(asked.rows(warehouse), asked.table, written)
    if not isinstance(target, Path):
        _to_stream(asked, rows, target)
        return written
    try:
        with _whole(target) as file:
            FORMATS[asked.format](rows, file, asked.about)
    except OSError as error:
        raise ExportError(f"{target} cannot be written ({error.strerror or error}); name another file with --output.") from None
    return written


@contextmanager
def _whole(target: Path) -> Iterator[BinaryIO]:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        files.finished(part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _to_stream(asked: Export, rows: Iterator[pa.Table], target: BinaryIO) -> None:
    if asked.format in ("csv", "json"):
        FORMATS[asked.format](rows, target, asked.about)
        return
    with tempfile.TemporaryFile() as whole:  # these formats are finished at their end, by going back
        FORMATS[asked.format](rows, whole, asked.about)
        whole.seek(0)
        while piece := whole.read(1_000_000):
            target.write(piece)
