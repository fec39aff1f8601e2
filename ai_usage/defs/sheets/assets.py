"""The Google Sheet: one asset for each tab. All tabs of a run are read at one moment."""

from typing import Any

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import OWNERS, load_result, table_metadata
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.google_sheets import records

_READ_FOR: dict[int, str] = {}


def _of_this_run(context: dg.AssetExecutionContext, runtime: Runtime) -> Any:
    """The sheet as this run sees it: the first tab of a run reads it, the others look at the same cells."""
    if _READ_FOR.get(id(runtime)) != context.run.run_id:
        _READ_FOR.clear()
        _READ_FOR[id(runtime)] = context.run.run_id
        return runtime.fresh_sheets()
    return runtime.sheets


def _tab(endpoint: Endpoint) -> dg.AssetsDefinition:
    @dg.asset(
        name=endpoint.table.name, description=endpoint.table.description, metadata=table_metadata(endpoint.table),
        group_name="google_sheets", owners=OWNERS, kinds={"python", "googlesheets"}, code_version=endpoint.parser_version,
        check_specs=checks.raw_specs(endpoint),
    )  # fmt: skip
    def tab(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        today = Window(runtime.today, runtime.today)
        walk = _of_this_run(context, runtime).tab(endpoint)
        report = runtime.loader(context.run.run_id).load(endpoint, [walk])
        return load_result(context, endpoint, report, runtime, checks.raw_checks(runtime.warehouse, endpoint, today, report))

    return tab


tabs = [_tab(endpoint) for endpoint in records.ENDPOINTS]
