"""Anthropic: one asset for each raw table. What is fetched and how is in ai_usage/sources/anthropic/README.md."""

from typing import Any

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import DAYS, OWNERS, RANGES, day_range, table_metadata
from ai_usage.defs.loading import load_days
from ai_usage.runtime import Runtime
from ai_usage.sources.anthropic import records
from ai_usage.sources.endpoint import Endpoint, Window

# How each endpoint that reports days is asked: the method of the client, and how many days one walk may hold.
DAILY = ((records.USAGE, "usage", 31), (records.COST, "cost", 31), (records.CLAUDE_CODE, "claude_code", 1))
DIRECTORIES = (
    (records.USERS, "users"),
    (records.API_KEYS, "api_keys"),
    (records.WORKSPACES, "workspaces"),
    (records.WORKSPACE_MEMBERS, "workspace_members"),
)


def _declared(endpoint: Endpoint) -> dict[str, Any]:
    table = endpoint.table
    return {
        "name": table.name, "description": table.description, "metadata": table_metadata(table), "code_version": endpoint.parser_version,
        "check_specs": checks.raw_specs(endpoint), "group_name": "anthropic", "owners": OWNERS, "kinds": {"python", "anthropic"},
    }  # fmt: skip


def _daily(endpoint: Endpoint, method: str, days: int) -> dg.AssetsDefinition:
    @dg.asset(**_declared(endpoint), partitions_def=DAYS, backfill_policy=RANGES)
    def daily(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        return load_days(context, runtime, endpoint, day_range(context), getattr(runtime.anthropic, method), days)

    return daily


def _directory(endpoint: Endpoint, method: str) -> dg.AssetsDefinition:
    @dg.asset(**_declared(endpoint))
    def directory(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        return load_days(context, runtime, endpoint, Window(runtime.today, runtime.today), getattr(runtime.anthropic, method))

    return directory


assets = [*(_daily(*d) for d in DAILY), *(_directory(*d) for d in DIRECTORIES)]
