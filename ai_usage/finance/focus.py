"""FOCUS files: a month of booked cost as Parquet and CSV with its metadata, the same bytes for the same content.

Belongs here: asking for a month, writing its files, proving that they hold the books' money. Does not belong here: what the columns mean
(`tables/focus.py`, `sql/marts/vw_focus.sql`), Dagster, arguments.

Memory holds one group of rows at a time. Files are written under other names and take their own when all are whole and the sums are right; the
metadata comes last, so that whoever sees it finds the files that it describes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ai_usage import __version__, months
from ai_usage.errors import SettingsError
from ai_usage.runtime import Runtime
from ai_usage.tables.focus import TAG_PREFIX, VERSIONS, focus_columns
from ai_usage.tables.schema import Column, Type
from ai_usage.warehouse import Warehouse, WarehouseError, models

GROUP_ROWS = 50_000  # of Parquet; fixed, since its bytes depend on it
SCHEMA_CREATED = "2026-11-22T00:00:00Z"  # FOCUS wants the day on which the columns were fixed; a test asks for another when they change
FIRST_IN_ORDER = ("ChargePeriodStart", "ServiceName", "x_Source", "SkuId", "SubAccountId", "ResourceId", "x_UserEmail")
DATA_TYPES = {
    Type.STRING: "STRING", Type.NUMERIC: "DECIMAL", Type.TIMESTAMP: "DATETIME", Type.DATE: "DATE", Type.INT64: "INTEGER", Type.BOOL: "BOOLEAN",
}  # fmt: skip
JSON_COLUMNS = frozenset({"Tags", "SkuPriceDetails"})


@dataclass
class Export:
    """What was written for one month. `billed` is BilledCost in USD by platform; `files` are CSV, Parquet and metadata."""

    month: date
    version: str
    rows: int = 0
    billed: dict[str, Decimal] = field(default_factory=dict)
    settle: dict[str, Decimal] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    @property
    def billed_usd(self) -> Decimal:
        return sum(self.billed.values(), Decimal(0))

    @property
    def stem(self) -> str:
        return f"focus-{self.version}-{self.month:%Y-%m}"


def month_to_write(text: str, today: date) -> date:
    """The first day of a month written as 2026-10; `SettingsError` for anything else and for a month that has not begun."""
    month = months.parse(text)
    if month > today:
        raise SettingsError(f"--month {text} has not begun; the latest month is {today:%Y-%m}.")
    return month


def recent_months(today: date, start: date) -> list[date]:
    """The month before today's, unless history begins later, and today's."""
    return [month for month in months.with_before(today) if month >= start.replace(day=1)]


def export(runtime: Runtime, month: date, folder: Path | None = None, version: str = VERSIONS[0]) -> Export:
    """Write the month's FOCUS files into `folder`, by default `focus` in the export folder; a month without cost makes files without rows.

    Raises `SettingsError` for an unknown version; `WarehouseError` when the files' BilledCost is not the books' money, by platform and to the last
    digit, or when they cannot be written: the files of before then stand.
    """
    if version not in VERSIONS:
        raise SettingsError(f"--version is {version!r}; use {' or '.join(VERSIONS)}.")
    folder = folder or runtime.settings.exports / "focus"
    runtime.warehouse.ensure()  # after an upgrade the mart may not be there yet
    written = Export(month, version)
    schema = _schema(version)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{written.stem}{ending}" for ending in (".csv", ".parquet", ".json")]
        parts = [path.with_name(f"{path.name}.{os.getpid()}.part") for path in paths]
        try:
            with ExitStack() as stack:
                lines = csv.writer(stack.enter_context(parts[0].open("w", encoding="utf-8", newline="")), lineterminator="\n")
                lines.writerow(schema.names)
                parquet = stack.enter_context(pq.ParquetWriter(parts[1], schema, compression="zstd", store_schema=True))
                texts = stack.enter_context(duckdb.connect(":memory:", config={"threads": 1}))
                texts.execute("SET TimeZone = 'UTC'")
                for group in _groups(_asked(runtime.warehouse, month, version), schema):
                    parquet.write_table(group, row_group_size=GROUP_ROWS)
                    lines.writerows(_as_text(texts, group, version))
                    _count(written, group)
            _prove(runtime.warehouse, written)
            parts[2].write_text(
                json.dumps(_metadata(written, dict(zip(paths, parts[:2], strict=False))), indent=2) + "\n", encoding="utf-8"
            )
            paths[2].unlink(missing_ok=True)  # it described the files of before
            for part, path in zip(parts, paths, strict=True):
                part.replace(path)
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise WarehouseError(
            f"the FOCUS files cannot be written to {folder} ({error.strerror}); name another folder with --output or set AI_USAGE_EXPORT_DIR."
        ) from None
    written.files = tuple(paths)
    return written


def schema_id(version: str) -> str:
    """Names the columns of a version, their order and types: another set of columns has another id."""
    said = repr([(c.name, c.type.value, c.nullable) for c in focus_columns(version)])
    return f"ai-usage-focus-{version}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


# Reading ------------------------------------------------------------------------------------------------------------


def _asked(warehouse: Warehouse, month: date, version: str) -> Iterator[pa.Table]:
    """The month's rows in one order."""
    return warehouse.stream(statement(version), {"start_date": month, "end_date": months.last_day(month)})


def statement(version: str) -> str:
    """What is asked. The model, not its view: the day range then reaches the raw tables, and a month costs a month."""
    names = [c.name for c in focus_columns(version)]
    order = [*FIRST_IN_ORDER, *(name for name in names if name not in FIRST_IN_ORDER)]
    return (
        f"SELECT {', '.join(names)} FROM (\n{models.model('vw_focus').sql}\n) AS focus "
        f"WHERE x_BookedOn BETWEEN @start_date AND @end_date ORDER BY {', '.join(order)}"
    )


def _schema(version: str) -> pa.Schema:
    fields = [pa.field(c.name, c.arrow_type, nullable=c.nullable, metadata={"description": c.description}) for c in focus_columns(version)]
    return pa.schema(fields, metadata={"FocusVersion": version, "SchemaId": schema_id(version)})


def _groups(parts: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in groups of one size, whatever pieces an engine answers in."""
    held = schema.empty_table()
    for part in parts:
        held = pa.concat_tables([held, part.cast(schema)])
        while held.num_rows >= GROUP_ROWS:
            yield held.slice(0, GROUP_ROWS).combine_chunks()
            held = held.slice(GROUP_ROWS)
    if held.num_rows:
        yield held.combine_chunks()


# Writing ------------------------------------------------------------------------------------------------------------


def _as_text(con: duckdb.DuckDBPyConnection, group: pa.Table, version: str) -> list[tuple[str | None, ...]]:
    """Rows of cells as FOCUS writes them. DuckDB writes a decimal with all its places; others write the smallest ones as 1E-9."""

    def cell(column: Column) -> str:
        if column.type is Type.TIMESTAMP:
            return f"strftime(\"{column.name}\", '%Y-%m-%dT%H:%M:%SZ')"
        return f'CAST("{column.name}" AS VARCHAR)'

    con.register("written", group)
    rows = con.execute(f"SELECT {', '.join(map(cell, focus_columns(version)))} FROM written").fetchall()
    con.unregister("written")
    return rows


def _count(written: Export, group: pa.Table) -> None:
    written.rows += group.num_rows
    for name, totals in (("x_Platform", written.billed), ("x_SettleState", written.settle)):
        for row in group.group_by(name).aggregate([("BilledCost", "sum")]).to_pylist():
            totals[row[name]] = totals.get(row[name], Decimal(0)) + row["BilledCost_sum"]


def _prove(warehouse: Warehouse, written: Export) -> None:
    """The files hold the books' money, by platform."""
    booked = warehouse.select(
        "SELECT platform, SUM(cost_usd) AS usd FROM vw_cost_booked WHERE booked_month = @month GROUP BY platform ORDER BY platform",
        {"month": written.month},
    ).to_pylist()
    expected = {row["platform"]: row["usd"] for row in booked}
    for platform in sorted(expected.keys() | written.billed.keys()):
        books, file = expected.get(platform, Decimal(0)), written.billed.get(platform, Decimal(0))
        if books != file:
            raise WarehouseError(
                f"FOCUS of {written.month:%Y-%m} holds {file:f} USD of {platform} where the books hold {books:f}; nothing was written. Run it "
                "again, and if it stays look at the check conservation of vw_focus."
            )


def _metadata(written: Export, files: dict[Path, Path]) -> dict[str, Any]:
    """FOCUS's metadata and, with x_, what finance needs to recognise the files. No clock in it: the same content gives the same bytes."""
    return {
        "DataGenerator": {"DataGenerator": "AI Usage Analytics"},
        "Schema": {
            "SchemaId": schema_id(written.version),
            "FocusVersion": written.version,
            "CreationDate": SCHEMA_CREATED,
            "DataGeneratorVersion": __version__,
            "Dataset": "CostAndUsage",
            "ColumnDefinition": [_definition(c) for c in focus_columns(written.version)],
        },
        "x_Content": {
            "BillingPeriodStart": f"{written.month}T00:00:00Z",
            "BillingPeriodEnd": f"{months.last_day(written.month) + timedelta(days=1)}T00:00:00Z",
            "Rows": written.rows,
            "BilledCost": f"{written.billed_usd:f}",
            "BilledCostByPlatform": {name: f"{usd:f}" for name, usd in sorted(written.billed.items())},
            "BilledCostBySettleState": {name: f"{usd:f}" for name, usd in sorted(written.settle.items())},
        },
        "x_Files": [{"Name": path.name, "Bytes": part.stat().st_size, "Sha256": sha256(part)} for path, part in files.items()],
    }


def _definition(column: Column) -> dict[str, Any]:
    if column.name in JSON_COLUMNS:
        more: dict[str, Any] = {"DataType": "JSON"} | ({"ProviderTagPrefixes": [TAG_PREFIX]} if column.name == "Tags" else {})
    elif column.type is Type.NUMERIC:
        more = {"DataType": "DECIMAL", "NumericPrecision": 38, "NumberScale": 9}
    elif column.type is Type.STRING:
        more = {"DataType": "STRING", "StringEncoding": "UTF-8"}
    else:
        more = {"DataType": DATA_TYPES[column.type]}
    return {"ColumnName": column.name, **more}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
