"""claude.ai's two exports: each asset loads its files from the drop folder and checks all that it holds. See ai_usage/sources/claude_ai/README.md."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import OWNERS, check, failed, run_parameters, table_metadata, usd
from ai_usage.loading import LoadReport
from ai_usage.loading.exports import Range, held_ranges
from ai_usage.operations.uploads import FileOutcome, load_uploads
from ai_usage.runtime import Runtime
from ai_usage.sources.claude_ai import records
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import SourceError
from ai_usage.warehouse import WarehouseError

# No model's list price is above it, so an average above it means cents: 75 USD is the dearest million of output tokens in the catalogues that
# this project knows.
USD_A_MILLION_TOKENS = Decimal(100)


def _declared(kind: str, *own: dg.AssetCheckSpec) -> dict[str, Any]:
    endpoint = records.ENDPOINTS[kind]
    table = endpoint.table
    # An export claims nothing of days without rows: `complete` would call every weekend a gap.
    specs = [s for s in checks.raw_specs(endpoint) if s.name != "complete"]
    readable = dg.AssetCheckSpec(
        "files_readable", asset=table.name, description="Every dropped export was loaded: none was refused or waits."
    )
    return {
        "name": table.name, "description": table.description, "metadata": table_metadata(table), "code_version": endpoint.parser_version,
        "check_specs": [readable, *specs, *own], "group_name": "claude_ai", "owners": OWNERS, "kinds": {"python", "csv"},
    }  # fmt: skip


@dg.asset(**_declared("claude_ai_audit_log"))
def raw_claude_ai_audit_log(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return _loaded(context, runtime, "claude_ai_audit_log")


@dg.asset(
    **_declared(
        "claude_ai_spend",
        dg.AssetCheckSpec("ranges_are_apart", asset="raw_claude_ai_spend", blocking=True, description="No two ranges with spend overlap."),
        dg.AssetCheckSpec("no_gaps", asset="raw_claude_ai_spend", description="Between the first and the last range every day is in one."),
        dg.AssetCheckSpec("dollars_not_cents", asset="raw_claude_ai_spend", description="No range costs more per token than any model does."),
    )
)  # fmt: skip
def raw_claude_ai_spend(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    result = _loaded(context, runtime, "claude_ai_spend")
    ranges = held_ranges(runtime.warehouse)
    return result._replace(check_results=[*(result.check_results or []), _apart(ranges), _gaps(ranges), _dollars(runtime)])


def _loaded(context: dg.AssetExecutionContext, runtime: Runtime, kind: str) -> dg.MaterializeResult:
    endpoint = records.ENDPOINTS[kind]
    run = run_parameters(context, runtime)
    try:
        runtime.warehouse.ensure()
        outcomes = load_uploads(runtime, context.run.run_id, {kind}, Window(run["start_date"], run["end_date"]))
        [held] = runtime.warehouse.select(
            """
            SELECT MIN(usage_date) AS first_day, MAX(usage_date) AS last_day, SUM(row_count) AS row_count, SUM(rejected_count) AS rejected,
              SUM(vendor_total_usd) AS cost_usd
            FROM stg_current_fetches WHERE source = @source AND endpoint = @endpoint
            """,
            {"source": endpoint.source, "endpoint": endpoint.name},
        ).to_pylist()
        window = Window(held["first_day"] or runtime.yesterday, held["last_day"] or runtime.yesterday)
        report = LoadReport(rejected=held["rejected"] or 0, unknown_fields={f for o in outcomes for f in o.unknown_fields})
        results = [_readable(outcomes), *_checked(runtime, endpoint, window, report)]
    except (SourceError, WarehouseError) as error:
        raise failed(error) from None
    metadata: dict[str, Any] = {
        "dagster/row_count": held["row_count"] or 0, "rows_written": sum(o.rows for o in outcomes), "files": len(outcomes),
        "rejected": held["rejected"] or 0, "held": f"{held['first_day']} to {held['last_day']}",
    }  # fmt: skip
    if endpoint.vendor_total:
        metadata |= usd(held["cost_usd"] or Decimal(0))
    return dg.MaterializeResult(metadata=metadata, check_results=results)


def _checked(runtime: Runtime, endpoint: Endpoint, window: Window, report: LoadReport) -> Iterator[dg.AssetCheckResult]:
    return (r for r in checks.raw_checks(runtime.warehouse, endpoint, window, report) if r.check_name != "complete")


def _readable(outcomes: list[FileOutcome]) -> dg.AssetCheckResult:
    left = [{"file": o.file, "reason": o.reason or o.waits} for o in outcomes if o.reason or o.waits]
    return check(
        "files_readable", not left, expected=len(outcomes), actual=len(outcomes) - len(left), sample=left,
        remedy="; ".join(str(row["reason"]) for row in left[:3]),
    )  # fmt: skip


def _apart(ranges: list[Range]) -> dg.AssetCheckResult:
    money = sorted((r for r in ranges if r.has_money), key=lambda r: r.window)
    both = [{"one": str(a), "other": str(b)} for a, b in pairwise(money) if b.window.first <= a.window.last]
    return check(
        "ranges_are_apart", not both, expected=0, actual=len(both), sample=both, blocking=True,
        remedy="Money of these days counts twice, which no load can cause: drop an export of both ranges together, named .replace.csv.",
    )  # fmt: skip


def _gaps(ranges: list[Range]) -> dg.AssetCheckResult:
    gaps, until = [], None
    for window in sorted(r.window for r in ranges):
        if until and window.first > until + timedelta(days=1):
            gaps.append({"first_day": until + timedelta(days=1), "last_day": window.first - timedelta(days=1)})
        until = max(until or window.last, window.last)
    return check(
        "no_gaps", not gaps, expected=0, actual=len(gaps), sample=gaps,
        remedy="Export these days from claude.ai and drop the file (docs/how-to/upload-claude-ai-exports.md); one without rows says that nothing was spent.",
    )  # fmt: skip


def _dollars(runtime: Runtime) -> dg.AssetCheckResult:
    dear = runtime.warehouse.select(
        """
        SELECT r.period_start, r.period_end, SUM(COALESCE(r.gross_usd, r.net_usd)) AS gross_usd, SUM(r.prompt_tokens + r.completion_tokens) AS tokens
        FROM raw_claude_ai_spend AS r
        INNER JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date
        WHERE f.source = 'claude_ai' AND f.endpoint = 'spend'
        GROUP BY r.period_start, r.period_end
        HAVING SUM(r.prompt_tokens + r.completion_tokens) > 0
          AND SUM(COALESCE(r.gross_usd, r.net_usd)) * 1000000 > @limit * SUM(r.prompt_tokens + r.completion_tokens)
        ORDER BY r.period_end DESC LIMIT 20
        """,
        {"limit": USD_A_MILLION_TOKENS},
    )
    return check(
        "dollars_not_cents", dear.num_rows == 0, expected=f"at most {USD_A_MILLION_TOKENS} USD a million tokens", actual=f"{dear.num_rows} ranges above",
        sample=dear, remedy="Compare with claude.ai's own page: if these amounts are cents, drop the same range again in dollars.",
    )  # fmt: skip
