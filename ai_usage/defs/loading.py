"""One raw asset: read an endpoint for the days of a run, publish what came, check it.

Belongs here: what every endpoint's asset does. Does not belong here: what a vendor is asked (`sources/`), how checks are worded (`checks.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import failed, load_result
from ai_usage.loading import LoadReport
from ai_usage.runtime import Runtime
from ai_usage.sources import registry
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import PermanentError
from ai_usage.sources.spool import Spooled
from ai_usage.sources.walk import FailedWalk, walk_all


def load_days(
    context: dg.AssetExecutionContext,
    runtime: Runtime,
    endpoint: Endpoint,
    window: Window,
    one: Callable[[Window], Spooled | FailedWalk],
    days: int = 1,
    more: Callable[[], Iterable[dg.AssetCheckResult]] = tuple,
    notes: Sequence[str] = (),
) -> dg.MaterializeResult:
    """Read an endpoint and publish its days.

    Args:
        context: the asset's.
        runtime: where it is read from and written to.
        endpoint: what is read.
        window: the UTC days; today for a snapshot.
        one: reads one window into the spool.
        days: how many days one window may hold.
        more: checks of the endpoint's own, made after it was read.
        notes: why days of the run are not in the window.

    Returns:
        Metadata of the load, and the results of the checks.

    Raises:
        dg.Failure: a window failed, or was refused although the endpoint bills or answered before; what could be read is published.
    """
    walks = walk_all(window.split(days), one, endpoint, runtime.settings.windows_in_flight)
    report = runtime.loader(context.run.run_id).load(endpoint, walks)
    report.skipped.extend(notes)
    found = checks.raw_checks(runtime.warehouse, endpoint, window, report)
    return load_result(context, endpoint, report, runtime, itertools.chain(found, more()))


def nothing(context: dg.AssetExecutionContext, endpoint: Endpoint, window: Window, runtime: Runtime, why: str) -> dg.MaterializeResult:
    """An endpoint that was not asked: nothing is known of its days, so none is empty and none failed."""
    runtime.warehouse.ensure()
    report = LoadReport(skipped=[why])
    return load_result(context, endpoint, report, runtime, checks.raw_checks(runtime.warehouse, endpoint, window, report, asked=[]))


def left_out(runtime: Runtime, endpoint: Endpoint) -> bool:
    """Whether AI_USAGE_LEAVE_OUT names the endpoint; a name that no endpoint has is a failure."""
    try:
        registry.check_names(runtime.settings.leave_out)
    except PermanentError as error:
        raise failed(error) from None
    return registry.left_out(endpoint, runtime.settings.leave_out)
