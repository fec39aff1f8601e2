"""Checks of completeness: what the certificate says of a run's days, what vendors will forget, whether everything is fresh.

Belongs here: how `ai_usage.operations.completeness` is worded as checks. Does not belong here: how it is judged.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from ai_usage.defs.common import check
from ai_usage.operations import completeness, states
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Window


def certified(runtime: Runtime, window: Window) -> dg.AssetCheckResult:
    days = completeness.certificate(runtime, window.first, window.last)
    gaps = [d for d in days if d.is_gap and d.source not in runtime.settings.off()]
    commands = completeness.plan(gaps, runtime.settings)
    return check(
        "certified", not gaps, expected=len(days), actual=len(days) - len(gaps), difference=-len(gaps),
        sample=[{"source": d.source, "endpoint": d.endpoint, "day": d.usage_date, "state": d.state, "error": d.error} for d in gaps],
        remedy=f"Close the gaps: {'; '.join(commands[:5])}. The error, where there is one, says what is in the way.",
    )  # fmt: skip


def history_is_safe(runtime: Runtime) -> dg.AssetCheckResult:
    """A warning while the vendor still answers; a failure once it does not, since the day is then lost to the API."""
    found = list(completeness.leaving(runtime, runtime.settings.history_warn_days))
    gone = [_row(f, day, "gone") for f in found for day in f.gone]
    soon = [_row(f, day, "leaves soon") for f in found for day in f.soon]
    commands = completeness.in_runs(day for f in found for day in f.soon)
    remedy = "; ".join(f"ai-usage run --from {w.first} --to {w.last}" for w in commands[:5])
    if gone:
        remedy = (
            "The vendor no longer answers for the days marked gone: ask it for an export and drop the file (docs/how-to/upload-files.md). "
            + remedy
        )
    return check(
        "history_is_safe", not found, expected="0 gone, 0 leaving", actual=f"{len(gone)} gone, {len(soon)} leaving", sample=[*gone, *soon],
        remedy=remedy.strip(), severe=bool(gone),
    )  # fmt: skip


def _row(found: completeness.Leaving, day: Any, state: str) -> dict[str, Any]:
    return {
        "source": found.endpoint.source,
        "endpoint": found.endpoint.name,
        "day": day,
        "state": state,
        "history_days": found.history_days,
    }


def yesterday_is_there(runtime: Runtime) -> dg.AssetCheckResult:
    """Freshness by content: a policy on materialization times alone turns green after the backfill of an old day."""
    wanted, late = states.stale(runtime)
    first = min((row["missing_day"] for row in late), default=runtime.yesterday)
    return check(
        "yesterday_is_there", not late, expected=wanted, actual=wanted - len(late), sample=late,
        remedy=f"Run these days again: ai-usage run --from {first} --to {runtime.yesterday}.",
    )  # fmt: skip


def no_failed_days(runtime: Runtime) -> dg.AssetCheckResult:
    found = runtime.warehouse.select(
        """
        SELECT r.source, r.endpoint, r.usage_date, ANY_VALUE(r.error HAVING MAX r.fetched_at) AS error
        FROM raw_fetches AS r
        LEFT JOIN stg_current_fetches AS c ON r.source = c.source AND r.endpoint = c.endpoint AND r.usage_date = c.usage_date
        WHERE c.fetch_id IS NULL AND r.window_start IS NOT NULL AND (r.origin != 'api' OR DATE(r.fetched_at) > r.usage_date)
        GROUP BY r.source, r.endpoint, r.usage_date
        HAVING ANY_VALUE(r.state HAVING MAX r.fetched_at) != 'refused'  -- its endpoint's own check says so
        ORDER BY r.usage_date
        """
    )
    missing = runtime.warehouse.select("SELECT COALESCE(SUM(days_missing), 0) AS n FROM vw_data_health")["n"][0].as_py()
    return check(
        "no_failed_days", found.num_rows == 0 and missing == 0, expected="0 failed, 0 missing", actual=f"{found.num_rows} failed, {missing} missing", sample=found,
        remedy="Run these days again with ai-usage run --from DAY --to DAY; the error says why they failed.",
    )  # fmt: skip


def _spec(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description)


QUESTIONS = (
    (_spec("certified", "vw_certificate", "Every endpoint that is on holds every day of this run, read after it ended."), certified),
    (
        _spec("history_is_safe", "vw_certificate", "No day that is not held leaves its vendor's history soon."),
        lambda runtime, _: history_is_safe(runtime),
    ),
    (_spec("no_failed_days", "vw_data_health", "No day is failed or was never asked for."), lambda runtime, _: no_failed_days(runtime)),
    (
        _spec(
            "yesterday_is_there", "vw_data_health", "Every endpoint that is on holds yesterday; every snapshot is of yesterday or today."
        ),
        lambda runtime, _: yesterday_is_there(runtime),
    ),
)
