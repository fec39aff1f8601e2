"""Today so far: usage and cost of the UTC day that has not ended, for those who want to look before the morning.

Belongs here: the one asset of the job `hourly`. A partition is a day that has ended, so today is none: the asset stands beside the partitions and
calls what their assets call, and no backfill, window or certificate ever takes a part of a day for a day. The versions that it publishes are read
before their day ends; the next morning replaces them, and `vw_certificate` calls a day open that has nothing better.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg

from ai_usage.defs.common import OWNERS, failed, spent, usd
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import SourceError
from ai_usage.sources.registry import SOURCES
from ai_usage.sources.walk import walk_all
from ai_usage.transform import STAGED, build
from ai_usage.warehouse import WarehouseError


def _sources(runtime: Runtime) -> Iterator[tuple[Endpoint, Callable[[Window], Any]]]:
    """Endpoints that answer about a day that has not ended."""
    for source in SOURCES.values():
        for question in source.questions if runtime.settings.is_on(source.name) else ():
            if question.answers_today:
                yield question.endpoint, partial(question.ask, runtime.client(source.name, question.client))


@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"python"},
    description="Usage and cost of today so far, open until the day has ended. Owners and departments are those of the last whole run.",
)  # fmt: skip
def today(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    window = Window(runtime.today, runtime.today)
    loader = runtime.loader(context.run.run_id)
    errors: list[SourceError] = []
    try:
        for endpoint, one in _sources(runtime):
            error = loader.load(endpoint, walk_all([window], one, endpoint)).error()
            errors += [error] if error else []
        held = build(runtime.warehouse, window.first, window.last, as_of=window.last, only=STAGED, hold_back=True)
        billed = runtime.warehouse.select(
            "SELECT COALESCE(SUM(cost_usd), 0) AS cost_usd FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date",
            {"start_date": window.first, "end_date": window.last},
        )["cost_usd"][0].as_py()
    except WarehouseError as error:
        raise failed(error) from None
    if errors:  # what could be read is shown; the next hour tries again
        raise failed(errors[0])
    if held:
        raise failed(WarehouseError(held[0].why))
    return dg.MaterializeResult(metadata={"day": str(window.first), **usd(billed or Decimal(0))} | spent(runtime))
