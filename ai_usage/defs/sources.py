"""The assets of every vendor, from its declaration: one for each question, in the group of its source.

Belongs here: how a question becomes an asset: its partitions, what it reads, its checks. Does not belong here: what is asked (`sources/<vendor>/vendor.py`),
and assets that files alone fill, which lie in folders of their vendors.
"""

from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import DAYS, OWNERS, RANGES, check, day_range, failed, table_metadata
from ai_usage.defs.loading import left_out, load_days, nothing
from ai_usage.errors import SettingsError
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, SourceError
from ai_usage.sources.registry import VENDORS
from ai_usage.sources.vendor import Check, Client, Question, Reach, Source, Vendor
from ai_usage.warehouse import Warehouse

_READ_FOR: dict[tuple[int, str], str] = {}


def _asset(vendor: Vendor, source: Source, question: Question) -> dg.AssetsDefinition:
    endpoint = question.endpoint
    table = endpoint.table
    own = [dg.AssetCheckSpec(c.name, asset=table.name, description=c.description) for c in question.checks]
    days: dict[str, Any] = {"partitions_def": DAYS, "backfill_policy": RANGES} if endpoint.usage_date else {}

    @dg.asset(
        name=table.name, description=table.description, metadata=table_metadata(table), code_version=endpoint.parser_version,
        check_specs=[*checks.raw_specs(endpoint), *own], group_name=source.name, owners=OWNERS, kinds={"python", vendor.kind or vendor.name},
        op_tags={"dagster/priority": "-1"} if question.last else None,
        freshness_policy=_fresh(endpoint), **days,
    )  # fmt: skip
    def read(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        window = day_range(context) if endpoint.usage_date else Window(runtime.today, runtime.today)
        if left_out(runtime, endpoint):
            return nothing(context, endpoint, window, runtime, f"AI_USAGE_LEAVE_OUT leaves {endpoint.source}/{endpoint.name} out.")
        try:
            client = _client(context, runtime, source, question)
            reach = _reach(runtime, client, question, window) if question.reach else Reach()
        except (SourceError, SettingsError) as error:
            raise failed(error) from None
        asked = reach.of(window)
        if asked is None:
            why = reach.refused or reach.note or f"{endpoint.source}/{endpoint.name} has none of these days."
            context.log.info(why)
            return nothing(context, endpoint, window, runtime, why)
        notes = [reach.note] if reach.note else []
        return load_days(
            context, runtime, endpoint, asked, partial(question.ask, client), question.walk_days, notes=notes,
            more=lambda: [judged(runtime.warehouse, own, window) for own in question.checks],
        )  # fmt: skip

    return read


def _fresh(endpoint: Endpoint) -> dg.FreshnessPolicy:
    """A morning's run an hour late warns; it fails when the next morning did not read it either, or as many days later as the vendor may take."""
    return dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=25), fail_window=timedelta(hours=49 + 24 * endpoint.lag_days))


def _client(context: dg.AssetExecutionContext, runtime: Runtime, source: Source, question: Question) -> Client:
    """The source's client; where all is to be of one moment, the first asset of a run makes it and the others look at what it read."""
    key = (id(runtime), source.name)
    if source.one_moment and _READ_FOR.get(key) != context.run.run_id:
        _READ_FOR[key] = context.run.run_id
        return runtime.fresh(source.name)
    return runtime.client(source.name, question.client)


def _reach(runtime: Runtime, client: Client, question: Question, window: Window) -> Reach:
    """What can be read. A key that lost what it once could read is an error: days held would stand still and nobody would know."""
    assert question.reach is not None
    runtime.warehouse.ensure()
    endpoint = question.endpoint
    reach = question.reach(client, endpoint, window)
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


def judged(warehouse: Warehouse, own: Check, window: Window) -> dg.AssetCheckResult:
    """The result of a check of the vendor's own, over these days."""
    found = own.ask(warehouse, window)
    return check(
        own.name, found.passed, expected=found.expected, actual=found.actual, remedy=found.remedy, sample=found.sample,
        difference=found.difference, description=found.description,
    )  # fmt: skip


assets = [_asset(vendor, source, question) for vendor in VENDORS for source in vendor.sources for question in source.questions]
