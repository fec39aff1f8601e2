"""Dagster's entry point: everything under `defs/`, the resources, and how runs are executed.

Belongs here: putting together. `build_defs(runtime=...)` lets tests and the demo bring their own.
"""

from __future__ import annotations

from functools import lru_cache

import dagster as dg

from ai_usage import logs
from ai_usage.defs import alone
from ai_usage.defs import sqlite_records as sqlite_records  # a run's own process may load no launcher
from ai_usage.defs.everything import all_assets
from ai_usage.defs.operations import automation
from ai_usage.defs.telemetry import json_console, log_context, runtime_resource
from ai_usage.guards import files
from ai_usage.runtime import Runtime
from ai_usage.settings import load_settings


def build_defs(**overrides: object) -> dg.Definitions:
    """All definitions; `overrides` replace resources by name (`runtime`).

    Those of a runtime alone are built once: a run asks for them as its display, as its job, and to look at every check.
    """
    runtime = overrides.pop("runtime", None) or Runtime()
    if overrides or not isinstance(runtime, Runtime):
        return _built(runtime, overrides)
    return _of(runtime, runtime.settings.warehouse, runtime.settings.log_format)


@lru_cache(maxsize=1)
def _of(runtime: Runtime, *_: str) -> dg.Definitions:
    return _built(runtime, {})


def _built(runtime: object, overrides: dict[str, object]) -> dg.Definitions:
    """Runs execute in process: DuckDB admits one process, and ten small assets cost 5 times the wall time and 9 times the CPU with
    the default multiprocess executor. BigQuery does its work elsewhere anyway.
    """
    resources: dict[str, object] = {
        "runtime": runtime_resource(runtime) if isinstance(runtime, Runtime) else runtime,
        # Assets hand on nothing through Dagster. Its default here has a setting that a launch could fill from an environment variable.
        "io_manager": dg.mem_io_manager,
    }
    if isinstance(runtime, Runtime) and runtime.settings.warehouse == "bigquery":
        from ai_usage.defs.resources import bind  # dagster-gcp and Google's libraries take seconds to import

        resources |= bind(runtime)
    as_json = isinstance(runtime, Runtime) and runtime.settings.log_format == "json"
    logs.configure("json" if as_json else "text", log_context)
    return dg.Definitions(
        assets=list(all_assets()),
        asset_checks=alone.checks,
        jobs=automation.JOBS,
        schedules=automation.SCHEDULES,
        sensors=automation.SENSORS,
        resources=resources | overrides,
        executor=dg.in_process_executor,
        loggers={"console": json_console()} if as_json else None,
    )


@dg.definitions
def defs() -> dg.Definitions:
    settings = load_settings()
    files.keep_private(settings.data_dir, settings.file_group)  # in Dagster's own processes no command has done it
    return build_defs()
