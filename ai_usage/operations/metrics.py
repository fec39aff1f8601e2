"""The Prometheus text file: what the last run did, what vendors answered so far, what is held.

Belongs here: names, help texts and where each number comes from. Does not belong here: Dagster (a run's facts arrive as `RunFacts`) and thresholds,
which are the alerting rules' business. Counters are sums over `vendor_requests`, so they go on counting over runs and machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ai_usage.runtime import Runtime
from ai_usage.sources.traffic import Line, quantile
from ai_usage.tables import BY_NAME
from ai_usage.warehouse import WarehouseError

QUANTILES = (0.5, 0.95)


@dataclass
class RunFacts:
    """What Dagster knows of the run that ends now, and of the last successful one of each job."""

    job: str
    run_id: str
    success: bool
    began: datetime
    ended: datetime
    checks: Mapping[str, int] = field(default_factory=dict)  # passed, warning, failed
    asset_seconds: Mapping[str, float] = field(default_factory=dict)
    last_success: Mapping[str, datetime] = field(default_factory=dict)
    recent_runs: int = 0
    recent_successes: int = 0
    sources: Mapping[str, bool] = field(default_factory=dict)  # whether each source's last run could read it
    responses: Mapping[tuple[str, str], Mapping[float, float]] = field(
        default_factory=dict
    )  # of the sources' runs before this one, by QUANTILES


def record(runtime: Runtime, run_id: str, lines: Sequence[Line]) -> None:
    """Append a run's requests to `vendor_requests`: one publication a run."""
    if not lines:
        return
    table = BY_NAME["vendor_requests"]
    rows = [
        {
            "hour": line.hour, "source": line.source, "endpoint": line.endpoint, "status": line.status, "requests": line.requests,
            "retries": line.retries, "seconds": line.exact_seconds, "run_id": run_id,
        }
        for line in lines
    ]  # fmt: skip
    data = pa.Table.from_pylist(rows, schema=table.arrow_schema())
    runtime.warehouse.publish({table: data}, BY_NAME["raw_fetches"].arrow_schema().empty_table())


def write(runtime: Runtime, path: Path, run: RunFacts, lines: Sequence[Line]) -> None:
    """Write the file in one piece, so that a collector never reads half of it."""
    registry = CollectorRegistry(auto_describe=False)
    found = [*of_run(run), *of_responses(lines, run.responses), *of_warehouse(runtime)]
    registry.register(_Fixed(found))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), registry)
        path.chmod(0o644)  # the collector has an account of its own; no figure names a person
    except OSError as error:
        raise WarehouseError(f"the metrics cannot be written to {path} ({error.strerror}); correct AI_USAGE_METRICS_FILE.") from None


class _Fixed:
    """A collector of what has been measured already."""

    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _gauge(name: str, documentation: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    found = GaugeMetricFamily(name, documentation, labels=labels)
    for given, value in values:
        found.add_metric(list(given), value)
    return found


def _counter(name: str, documentation: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    found = CounterMetricFamily(name, documentation, labels=labels)
    for given, value in values:
        found.add_metric(list(given), value)
    return found


def of_run(run: RunFacts) -> list[Metric]:
    """The run that wrote the file."""
    job = [run.job]
    known = dict(run.last_success) | ({run.job: run.ended} if run.success else {})
    runs, good = run.recent_runs + 1, run.recent_successes + run.success
    return [
        _gauge("ai_usage_last_run_success", "Whether the last run ended with every asset made: 1 or 0.", ["job"], [(job, int(run.success))]),
        _gauge("ai_usage_last_run_timestamp_seconds", "When the last run ended.", ["job"], [(job, run.ended.timestamp())]),
        _gauge("ai_usage_last_run_duration_seconds", "How long the last run took.", ["job"], [(job, (run.ended - run.began).total_seconds())]),
        _gauge(
            "ai_usage_last_run_asset_duration_seconds", "How long each asset of the last run took.", ["job", "asset"],
            [((run.job, name), seconds) for name, seconds in sorted(run.asset_seconds.items())],
        ),
        _gauge(
            "ai_usage_last_run_checks", "How the checks of the last run ended.", ["job", "outcome"],
            [((run.job, outcome), n) for outcome, n in sorted(run.checks.items())],
        ),
        _gauge(
            "ai_usage_last_success_timestamp_seconds", "When the last successful run of each job ended.", ["job"],
            [([name], at.timestamp()) for name, at in sorted(known.items())],
        ),
        _gauge(
            "ai_usage_source_success", "Whether the last run that read a source could read it: 1 or 0.", ["source"],
            [([name], int(good)) for name, good in sorted(run.sources.items())],
        ),
        _gauge("ai_usage_recent_runs_success_ratio", "Share of the last runs, at most 30, that succeeded: 0 to 1.", [], [([], good / runs)]),
    ]  # fmt: skip


def of_responses(lines: Sequence[Line], before: Mapping[tuple[str, str], Mapping[float, float]] | None = None) -> list[Metric]:
    """How fast the vendors answered this run, and the runs before it whose quantiles are known."""
    endpoints: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        endpoints.setdefault((line.source, line.endpoint), []).append(line)
    found = dict(before or {}) | {
        key: {q: s for q in QUANTILES if (s := quantile(group, q)) is not None} for key, group in endpoints.items()
    }
    values = [((*key, str(q)), seconds) for key in sorted(found) for q, seconds in found[key].items()]
    return [
        _gauge(
            "ai_usage_last_run_response_seconds",
            "Response time of the last run's requests, by quantile.",
            ["source", "endpoint", "quantile"],
            values,
        )
    ]


def of_warehouse(runtime: Runtime) -> list[Metric]:
    """What the warehouse knows: requests so far, freshness, records, days, attribution."""
    ask = runtime.warehouse.select
    asked = ask(
        """
        SELECT source, endpoint, COALESCE(CAST(status AS STRING), 'none') AS status, SUM(requests) AS requests, SUM(retries) AS retries,
          SUM(seconds) AS seconds
        FROM vendor_requests GROUP BY source, endpoint, status ORDER BY source, endpoint, status
        """
    ).to_pylist()
    held = ask("SELECT * FROM vw_data_health ORDER BY source, endpoint").to_pylist()
    days = ask(
        "SELECT source, endpoint, state, COUNT(*) AS days, MAX(usage_date) AS last_day FROM vw_certificate GROUP BY source, endpoint, state "
        "ORDER BY source, endpoint, state"
    ).to_pylist()
    last_day: dict[tuple[str, str], date] = {}
    for row in days:
        if row["state"] in ("complete", "empty"):
            key = (row["source"], row["endpoint"])
            last_day[key] = max(row["last_day"], last_day.get(key, date.min))
    state_labels, labels = ["source", "endpoint", "status"], ["source", "endpoint"]
    found = [
        _counter(
            "ai_usage_vendor_requests", "Requests to vendors, by HTTP status; none where no answer came.", state_labels,
            [((r["source"], r["endpoint"], r["status"]), float(r["requests"])) for r in asked],
        ),
        _counter(
            "ai_usage_vendor_retries", "Requests among them that repeated one before.", state_labels,
            [((r["source"], r["endpoint"], r["status"]), float(r["retries"])) for r in asked],
        ),
        _counter(
            "ai_usage_vendor_response_seconds", "Time spent on answers, summed.", state_labels,
            [((r["source"], r["endpoint"], r["status"]), float(r["seconds"])) for r in asked],
        ),
        _gauge(
            "ai_usage_last_fetch_timestamp_seconds", "When an endpoint was last read.", labels,
            [((r["source"], r["endpoint"]), r["last_fetched_at"].timestamp()) for r in held if r["last_fetched_at"]],
        ),
        _gauge(
            "ai_usage_last_held_day_timestamp_seconds", "Midnight UTC at the beginning of the last whole day that is held.", labels,
            [(key, datetime.combine(day, time(), UTC).timestamp()) for key, day in sorted(last_day.items())],
        ),
        _gauge(
            "ai_usage_records", "Rows of the versions that count.", labels,
            [((r["source"], r["endpoint"]), float(r["row_count"] or 0)) for r in held],
        ),
        _gauge(
            "ai_usage_rejected_records", "Records of those versions that failed validation.", labels,
            [((r["source"], r["endpoint"]), float(r["rejected_rows"] or 0)) for r in held],
        ),
        _gauge(
            "ai_usage_days", "UTC days since a source's first, by state: complete and empty are held.", ["source", "endpoint", "state"],
            [((r["source"], r["endpoint"], r["state"]), float(r["days"])) for r in days],
        ),
    ]  # fmt: skip
    share = _attributed(runtime)
    if share is not None:
        documentation = "Share of billed cost other than subscriptions that has an owner, over the settle window: 0 to 1."
        found.append(_gauge("ai_usage_attributed_cost_ratio", documentation, [], [([], share)]))
    return found


def _attributed(runtime: Runtime) -> float | None:
    """None where nothing was billed: that is no share."""
    last = runtime.yesterday
    first = last - timedelta(days=runtime.settings.settle_days - 1)
    row = runtime.warehouse.select(
        """
        SELECT SUM(cost_usd) AS usage_usd, SUM(CASE WHEN user_email IS NOT NULL THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS owned_usd
        FROM fct_cost_daily WHERE cost_date BETWEEN @first AND @last AND cost_type != 'subscription'
        """,
        {"first": first, "last": last},
    ).to_pylist()[0]
    return float(row["owned_usd"] / row["usage_usd"]) if row["usage_usd"] else None
