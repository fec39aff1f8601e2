"""The two jobs that schedules and the repair speak of: which assets each runs.

Belongs here: selections. When they run is `automation.py`'s and `repair.py`'s business.
"""

from typing import Any

import dagster as dg

from ai_usage.settings import Settings, load_settings

SOURCES = {
    "cursor": dg.AssetSelection.groups("cursor"),
    "anthropic": dg.AssetSelection.groups("anthropic"),
    "claude_enterprise": dg.AssetSelection.groups("claude_enterprise"),
    "google_sheets": dg.AssetSelection.groups("google_sheets"),
}
SERVING = dg.AssetSelection.assets("serving_copy")
_SQL = dg.AssetSelection.groups("curated", "marts") | dg.AssetSelection.assets("html_report", "chargeback", "check_results")
SQL = _SQL if load_settings().serving_url is None else _SQL | SERVING
# What no run does unasked: a person decides.
BY_HAND = dg.AssetSelection.assets("closed_month")


def everything_on(settings: Settings) -> dg.AssetSelection:
    """Everything but the sources that are off, and the serving copy without a place: their assets stay in the graph and say why when asked for."""
    selection: dg.AssetSelection = dg.AssetSelection.all() - dg.AssetSelection.assets("today") - BY_HAND
    for name in settings.off():
        selection = selection - SOURCES[name]
    return selection - SERVING if settings.serving_url is None else selection


# Dagster takes a console logger other than its own only where a run's configuration names one.
LOGS: dict[str, Any] | None = {"loggers": {"console": {"config": {}}}} if load_settings().log_format == "json" else None

daily = dg.define_asset_job(
    "daily", config=LOGS, selection=everything_on(load_settings()), description="Every source that is on, every table, every check."
)
hourly = dg.define_asset_job(
    "hourly",
    config=LOGS,
    selection=dg.AssetSelection.assets("today"),
    description="Today so far: usage and cost of the day that has not ended.",
)


def range_tags(first: str, last: str) -> dict[str, str]:
    """Run tags that make one run of a range of days."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
