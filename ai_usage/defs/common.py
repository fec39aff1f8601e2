"""What every asset shares: partitions, metadata, how a failure of a source ends, how a check is worded.

Belongs here: the vocabulary of the asset modules. Assets read `partition_time_window`, never `partition_key`, so that a range of
days is one call: see `day_range`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from ai_usage import tables
from ai_usage.defs.sentences import OneSentence
from ai_usage.errors import PlatformError
from ai_usage.guards.outside import markdown_cell
from ai_usage.loading import LoadReport
from ai_usage.runtime import Runtime
from ai_usage.settings import load_settings
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.traffic import Line, quantile
from ai_usage.sources.uploads import client as uploads
from ai_usage.tables.schema import Table
from ai_usage.warehouse import models

GIVEN = load_settings()  # Dagster wants to know these before a run brings its own
OWNERS = GIVEN.owners
SAMPLE = 20  # rows that a failed check shows at most
DAYS = dg.DailyPartitionsDefinition(start_date=GIVEN.start_date.isoformat(), timezone="UTC", end_offset=0)
RANGES = dg.BackfillPolicy.multi_run(max_partitions_per_run=30)


def day_range(context: dg.AssetExecutionContext) -> Window:
    """The UTC days of this run, whether one partition or a range of them."""
    window = context.partition_time_window
    return Window(window.start.date(), (window.end - timedelta(microseconds=1)).date())


def run_parameters(context: dg.AssetExecutionContext, runtime: Runtime) -> dict[str, Any]:
    """Parameters of a model: its day range (yesterday alone for an asset without partitions) and the run's clock."""
    window = day_range(context) if context.assets_def.partitions_def else job_range(context, runtime)
    return {
        "start_date": window.first, "end_date": window.last, "as_of_date": runtime.today, "processed_at": datetime.now(UTC),
    }  # fmt: skip


def job_range(context: dg.AssetExecutionContext, runtime: Runtime) -> Window:
    """Assets without partitions look at the days that their run is about: its range tags, its partition, or yesterday."""
    return range_of(context.run) or Window(runtime.yesterday, runtime.yesterday)


def range_of(run: dg.DagsterRun) -> Window | None:
    """The UTC days that a run's tags say it is about; None where they say nothing."""
    tags = run.tags
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or tags.get("dagster/partition")
    return Window(date.fromisoformat(first), date.fromisoformat(last)) if first and last else None


def failed(error: PlatformError) -> dg.Failure:
    """A source's or the warehouse's error as Dagster's. Retries were made below; a permanent error must not be tried again at all."""
    return OneSentence(str(error), metadata={"kind": error.kind}, allow_retries=False)


@lru_cache(maxsize=1)
def _lineage() -> dict[str, dict[str, list[list[str]]]]:
    """{table: {column: [[asset, column], ...]}}: staging views, which are no assets, are seen through to what they read."""
    path = Path(tables.__file__).with_name("lineage.json")
    direct: dict[str, dict[str, list[list[str]]]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def through(table: str, column: str) -> set[tuple[str, str]]:
        if not table.startswith("stg_"):
            return {(table, column)}
        return {leaf for source, name in direct.get(table, {}).get(column, []) for leaf in through(source, name)}

    return {
        table: {column: [list(leaf) for leaf in sorted(set().union(*(through(*i) for i in inputs)))] for column, inputs in columns.items()}
        for table, columns in direct.items()
        if not table.startswith("stg_")
    }


def table_metadata(table: Table) -> dict[str, Any]:
    """Static metadata: name, grain, columns with descriptions, where each column comes from."""
    constraints = {
        c.name: dg.TableColumnConstraints(nullable=c.nullable, other=[f"one of {', '.join(c.allowed)}"] if c.allowed else None)
        for c in table.columns
    }
    metadata: dict[str, Any] = {
        "dagster/table_name": table.name,
        "grain": table.grain,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    c.name,
                    c.type.value,
                    description=c.description,
                    constraints=constraints[c.name],
                    tags={"unit": c.unit.replace(" ", "_")} if c.unit and c.unit != "%" else {},
                )
                for c in table.columns
            ]
        ),
    }
    lineage = _lineage().get(table.name)
    if lineage:
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(
            {column: [dg.TableColumnDep(dg.AssetKey(source), name) for source, name in inputs] for column, inputs in lineage.items()}
        )
    return metadata


def usd(value: Decimal | None, name: str = "cost_usd") -> dict[str, Any]:
    """Money in metadata: a number for Dagster's plots, which is a float and rounded, and beside it the exact decimal as text."""
    if value is None:
        return {f"{name}_exact": "unknown"}
    return {name: float(value), f"{name}_exact": f"{value:f}"}


def tell_days(context: dg.AssetExecutionContext, days: Mapping[date, Mapping[str, Any]], absent: Mapping[str, Any]) -> None:
    """Give each partition of the run its own numbers beside the step's; `absent` is said of a day that has none. A snapshot in a run of days has no
    partitions, and tells none."""
    if context.assets_def.partitions_def is None or not (context.has_partition_key or context.has_partition_key_range):
        return
    for key in context.partition_keys:
        context.add_asset_metadata(days.get(date.fromisoformat(key), absent), partition_key=key)


def load_metadata(report: LoadReport, settle_days: int, lines: Sequence[Line] = ()) -> dict[str, Any]:
    """What a load did, as the run's page shows it; `lines` are its endpoint's requests in this run."""
    metadata: dict[str, Any] = {
        "dagster/row_count": report.rows, "rows_written": report.rows_written, "days": report.days, "days_empty": report.days_empty,
        "days_unchanged": report.days_unchanged, "rejected": report.rejected, "incomplete": report.incomplete,
        "unknown_money_records": report.unknown_money, "pages": report.pages, "requests": report.requests,
        "retries": max(0, report.requests - report.pages), "settle_days": settle_days,
    }  # fmt: skip
    if lines:
        metadata |= {
            "retries": sum(line.retries for line in lines),
            "rate_limited": sum(line.requests for line in lines if line.status == 429),
            "answered_200": f"{sum(line.requests for line in lines if line.status == 200)} of {sum(line.requests for line in lines)}",
            "response_p50_s": round(quantile(lines, 0.5) or 0.0, 3),
            "response_p95_s": round(quantile(lines, 0.95) or 0.0, 3),
        }
    if report.vendor_total_usd is not None:
        metadata |= usd(report.vendor_total_usd)
    if report.unknown_fields:
        metadata["unknown_fields"] = sorted(report.unknown_fields)
    if report.skipped:
        metadata["skipped"] = report.skipped[:SAMPLE]
    return metadata


def check(
    name: str,
    passed: bool,
    *,
    expected: Any,
    actual: Any,
    remedy: str,
    sample: pa.Table | Sequence[Mapping[str, Any]] = (),
    blocking: bool = False,
    severe: bool = False,
    difference: Any = None,
    description: str | None = None,
) -> dg.AssetCheckResult:
    """A check's result in one wording: expected, actual, difference, at most 20 sample rows, and what to do. `severe`: an error, though
    nothing downstream is stopped."""
    rows = sample.slice(0, SAMPLE).to_pylist() if isinstance(sample, pa.Table) else list(sample)[:SAMPLE]
    metadata: dict[str, Any] = {"expected": _said(expected), "actual": _said(actual)}
    if difference is not None:
        metadata["difference"] = _said(difference)
    if not passed:
        metadata["what_to_do"] = remedy
    if rows:
        metadata["sample"] = dg.MetadataValue.md(_markdown(rows))
    severity = dg.AssetCheckSeverity.ERROR if blocking or severe else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, metadata=metadata, description=description)


def _said(value: Any) -> str:
    """A value as people write it: a Decimal of nine places would say 0E-9."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0])
    cells = (["" if row[n] is None else markdown_cell(_said(row[n])) for n in names] for row in rows)
    return "\n".join(["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *("| " + " | ".join(c) + " |" for c in cells)])


def spent(runtime: Runtime) -> dict[str, Any]:
    """What the asset's work cost, checks included, where the engine bills: for the end of every asset that asks the warehouse."""
    return dict(runtime.warehouse.spent())


# Every raw asset writes the ledger of fetches; no asset writes the others: who was erased, and how vendors answered.
_LEDGER = frozenset({"raw_fetches", "raw_rejects"})
_JUDGED = frozenset({"held_back", "source_states"})
_NO_ASSETS = _LEDGER | _JUDGED | {"forgotten_people", "forget_log", "vendor_requests"}


def upstream(name: str) -> list[str]:
    """The assets that fill what a model's SQL reads, staging seen through.

    Files of the drop folder fill the vendors' own tables, so whatever reads one of those waits for them too. What shows the ledger itself
    waits for the facts, which come after everything that writes it.
    """
    read = models.tables_read(name)
    found = {other for other in read if tables.BY_NAME[other].layer != "books"} - _NO_ASSETS
    if any(endpoint.table.name in read for endpoint in uploads.KINDS.values()):
        found.add("uploaded_files")
    if (_LEDGER | _JUDGED) & set(models.model(name).inputs):
        found |= {"fct_cost_daily", "fct_usage_daily"}
    return sorted(found)


def asset_key(table: Table) -> dg.AssetKey:
    return dg.AssetKey(table.name)


def load_result(
    context: dg.AssetExecutionContext, endpoint: Endpoint, report: LoadReport, runtime: Runtime, checks: Iterator[dg.AssetCheckResult]
) -> dg.MaterializeResult:
    """The end of every raw asset: raise for failed windows (what could be read is published), else metadata and checks."""
    error = report.error()
    if error is not None:
        raise failed(error)
    numbers = {
        day: {"dagster/row_count": held.rows, "rejected": held.rejected, "unknown_money_records": held.unknown_money}
        | ({} if held.vendor_total_usd is None else usd(held.vendor_total_usd))
        for day, held in report.by_day.items()
    }
    tell_days(context, numbers, {"dagster/row_count": 0})
    settle = runtime.settings.settle_days if endpoint.usage_date else 0
    lines = [line for line in runtime.traffic.lines() if (line.source, line.endpoint) == (endpoint.source, endpoint.name)]
    results = list(checks)
    return dg.MaterializeResult(metadata=load_metadata(report, settle, lines) | spent(runtime), check_results=results)
