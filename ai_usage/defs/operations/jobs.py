"""The jobs that schedules, sensors and the command line speak of: which assets each runs, and how its runs are marked.

Belongs here: selections and tags. When they run is the business of `automation.py`, `batches.py` and `repair.py`.

Dagster skips whatever waits for a step that failed. So each source is read in a run of its own (`sources`), and what is made of the sources is another
run (`daily`, `rebuild`), which uses what is held: a vendor that fails holds nobody back.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from ai_usage.settings import Settings, load_settings
from ai_usage.sources import registry

UPLOADS = "uploads"
RAW = {e.table.name: UPLOADS if e.source in registry.EXPORTED else e.source for e in registry.ENDPOINTS.values()} | {
    "uploaded_files": UPLOADS
}
"""{asset: its source}, of every asset that reads one."""
# Files of the drop folder come last: they stand in for what a vendor did not give.
SOURCES = (*registry.SOURCES, UPLOADS)
SERVING = dg.AssetSelection.assets("serving_copy")
_SQL = dg.AssetSelection.groups("curated", "marts") | dg.AssetSelection.assets("html_report", "chargeback", "check_results")
SQL = _SQL if load_settings().serving_url is None else _SQL | SERVING
# What no run does unasked: a person decides.
BY_HAND = dg.AssetSelection.assets("closed_month")

# Marks of a run: what it belongs to (a morning, a command, a repair, a dropped file), what it reads, and the job that follows when all have ended.
BATCH, SOURCE, THEN = "ai_usage/batch", "ai_usage/source", "ai_usage/then"
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def on(settings: Settings) -> list[str]:
    """The sources that a run reads. The drop folder is always on."""
    off = settings.off()
    return [name for name in SOURCES if name not in off]


def assets_of(source: str) -> list[str]:
    return [asset for asset, name in RAW.items() if name == source]


def keys_of(assets: Iterable[str]) -> list[dg.AssetKey]:
    return [dg.AssetKey(name) for name in assets]


def reading(settings: Settings) -> dg.AssetSelection:
    """The assets of the sources that are on. Those of a source that is off stay in the graph and say why when asked for."""
    return dg.AssetSelection.assets(*keys_of(asset for source in on(settings) for asset in assets_of(source)))


def afterwards(settings: Settings) -> dg.AssetSelection:
    """Everything that is made of what the sources gave, but for the serving copy without a place."""
    selection: dg.AssetSelection = (
        dg.AssetSelection.all() - dg.AssetSelection.assets("today") - BY_HAND - dg.AssetSelection.assets(*keys_of(RAW))
    )
    return selection - SERVING if settings.serving_url is None else selection


# Dagster takes a console logger other than its own only where a run's configuration names one.
LOGS: dict[str, Any] | None = {"loggers": {"console": {"config": {}}}} if load_settings().log_format == "json" else None

sources = dg.define_asset_job(
    "sources",
    config=LOGS,
    selection=reading(load_settings()),
    description="Reads the sources that are on. The schedule, the sensors and `ai-usage run` make one run of it for each source; what follows is another job's.",
)
daily = dg.define_asset_job(
    "daily",
    config=LOGS,
    selection=afterwards(load_settings()),
    description="Every table, check and output, from what is held. Asks no vendor; follows the runs of the sources.",
)
rebuild = dg.define_asset_job(
    "rebuild", config=LOGS, selection=SQL, description="Dimensions, facts and marts from what raw holds; asks no vendor."
)
hourly = dg.define_asset_job(
    "hourly",
    config=LOGS,
    selection=dg.AssetSelection.assets("today"),
    description="Today so far: usage and cost of the day that has not ended.",
)
close_month = dg.define_asset_job(
    "close_month",
    config=LOGS,
    selection=dg.AssetSelection.groups("curated", "marts") | BY_HAND,
    description="A month's facts and marts once more, then the month is frozen. Give it the month's days as range and month and author as config.",
)


def range_tags(first: str, last: str) -> dict[str, str]:
    """Run tags that make one run of a range of days."""
    return {FIRST: first, LAST: last}


def days_of(run: dg.DagsterRun) -> tuple[str, str]:
    """The first and the last day that a run is about; empty where it is about none."""
    day = run.tags.get("dagster/partition", "")
    return run.tags.get(FIRST, day), run.tags.get(LAST, day)


def source_runs(
    settings: Settings, names: Iterable[str], batch: str, first: str, last: str, then: str = "daily", **tags: str
) -> list[dg.RunRequest]:
    """One run for each of these sources. One that is slower than what follows would wait for is ended: what it published stands."""
    return [
        dg.RunRequest(
            job_name=sources.name, run_key=f"{batch} {name}", asset_selection=keys_of(assets_of(name)),
            tags={
                **range_tags(first, last), BATCH: batch, SOURCE: name, THEN: then,
                "dagster/max_runtime": str(settings.wait_for_sources_minutes * 60), **tags,
            },
        )
        for name in names
    ]  # fmt: skip
