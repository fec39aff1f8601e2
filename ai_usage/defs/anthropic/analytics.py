"""Anthropic's analytics endpoints: one asset for each raw table. What is fetched and how is in ai_usage/sources/anthropic/README.md."""

from typing import Any

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import DAYS, OWNERS, RANGES, day_range, failed, load_result, table_metadata
from ai_usage.defs.loading import left_out, nothing
from ai_usage.runtime import Runtime
from ai_usage.sources.anthropic import analytics_records as records
from ai_usage.sources.anthropic.analytics import DAYS as SPAN
from ai_usage.sources.anthropic.analytics import AnalyticsClient, Reach
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, SourceError
from ai_usage.sources.walk import walk_all


def _asset(endpoint: Endpoint) -> dg.AssetsDefinition:
    table = endpoint.table
    enterprise = endpoint.source == records.ENTERPRISE

    @dg.asset(
        name=table.name, description=table.description, metadata=table_metadata(table), code_version=endpoint.parser_version,
        check_specs=checks.raw_specs(endpoint), group_name="claude_enterprise" if enterprise else "anthropic", owners=OWNERS,
        kinds={"python", "anthropic"}, partitions_def=DAYS, backfill_policy=RANGES,
    )  # fmt: skip
    def report(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        if left_out(runtime, endpoint):
            return nothing(
                context, endpoint, day_range(context), runtime, f"AI_USAGE_LEAVE_OUT leaves {endpoint.source}/{endpoint.name} out."
            )
        runtime.warehouse.ensure()
        client = runtime.claude_enterprise if enterprise else runtime.anthropic_analytics
        try:
            reach = _reach(runtime, client, endpoint, day_range(context))
        except SourceError as error:
            raise failed(error) from None
        return _load(context, runtime, client, endpoint, reach)

    return report


def _reach(runtime: Runtime, client: AnalyticsClient, endpoint: Endpoint, window: Window) -> Reach:
    """What can be read. A key that lost what it once could read is an error: days held would stand still and nobody would know."""
    reach = client.reach(endpoint, window)
    if reach.refused and window.last >= reach.first:
        held = runtime.warehouse.select(
            "SELECT MAX(usage_date) AS last_day FROM stg_current_fetches WHERE source = @source AND endpoint = @endpoint",
            {"source": endpoint.source, "endpoint": endpoint.name},
        )["last_day"][0].as_py()
        if held is not None:
            raise AuthError(
                f"{reach.refused.rstrip('.')}, although days up to {held} were read with it: give the key its access back, since those days "
                "are not followed any more."
            )
    return reach


def _load(
    context: dg.AssetExecutionContext, runtime: Runtime, client: AnalyticsClient, endpoint: Endpoint, reach: Reach
) -> dg.MaterializeResult:
    window = reach.of(day_range(context))
    if window is None:
        why = reach.refused or reach.note or f"Anthropic {endpoint.name} has none of these days."
        context.log.info(why)
        return nothing(context, endpoint, day_range(context), runtime, why)
    one, days = (client.people, 1) if endpoint is records.ENTERPRISE_USERS else (client.report(endpoint), SPAN)
    walks = walk_all(window.split(days), one, endpoint, runtime.settings.windows_in_flight)
    report = runtime.loader(context.run.run_id).load(endpoint, walks)
    if reach.note:
        report.skipped.append(reach.note)
    return load_result(context, endpoint, report, runtime, checks.raw_checks(runtime.warehouse, endpoint, window, report))


assets: list[Any] = [_asset(endpoint) for endpoint in records.ENDPOINTS]
