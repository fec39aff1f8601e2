"""The metrics file, read by Prometheus' own parser, against fetches and requests laid by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ai_usage.operations import metrics
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources.traffic import Line
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.desk import NOON, Desk

D, N = date, Decimal
HOUR = datetime(2026, 11, 22, 13, tzinfo=UTC)
LINES = [
    Line(HOUR, "cursor", "events", 200, 3, 1, 1.5, [0.2, 0.3, 1.0]),
    Line(HOUR, "cursor", "events", 429, 12, 11, 0.25, [0.01] * 12),
    Line(HOUR, 'odd"source\\', "e", None, 1, 0, 0.000001, [0.000001]),
]


@pytest.fixture
def runtime(desk: Desk) -> Runtime:
    found = Runtime(Settings(_env_file=None, data_dir=desk.folder, cursor_admin_api_key="k", settle_days=366))  # type: ignore[call-arg]
    found.__dict__["warehouse"] = desk.warehouse
    return found


def facts(**changes: object) -> metrics.RunFacts:
    fields = {
        "job": "daily", "run_id": "r", "success": False, "began": NOON, "ended": NOON + timedelta(seconds=90), "checks": {"passed": 7, "warning": 1},
        "asset_seconds": {"raw_cursor_events": 12.5}, "last_success": {"daily": NOON - timedelta(days=1), "rebuild": NOON}, "recent_runs": 3,
        "recent_successes": 2,
    }  # fmt: skip
    return metrics.RunFacts(**fields | changes)  # type: ignore[arg-type]


def read(path: Path) -> dict[str, dict[frozenset, float]]:
    """{sample: {labels: value}}; every family has its help and its type."""
    found: dict[str, dict[frozenset, float]] = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        assert family.name.startswith("ai_usage_") and family.documentation.endswith(".") and family.type in ("gauge", "counter"), family
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total")
            labels = frozenset(sample.labels.items())
            assert labels not in found.setdefault(sample.name, {}), f"{sample.name} {labels} stands twice"
            found[sample.name][labels] = sample.value
    return found


def one(found: dict[frozenset, float], **labels: str) -> float:
    return found[frozenset(labels.items())]


def test_what_followed_the_sources_tells_their_answers_and_whether_they_were_read(runtime: Runtime, tmp_path: Path) -> None:
    """The last run asks nobody, and its file takes the place of theirs."""
    path = tmp_path / "a.prom"
    before = {("cursor", "members"): {0.5: 0.2, 0.95: 0.9}}
    metrics.write(runtime, path, facts(sources={"cursor": False, "uploads": True}, responses=before), [])
    found = read(path)
    assert one(found["ai_usage_source_success"], source="cursor") == 0 and one(found["ai_usage_source_success"], source="uploads") == 1
    timed = found["ai_usage_last_run_response_seconds"]
    assert one(timed, source="cursor", endpoint="members", quantile="0.95") == 0.9 and len(timed) == 2


def test_requests_of_two_runs_are_kept_by_hour_endpoint_and_status(desk: Desk, runtime: Runtime) -> None:
    """What the alert "more than 10 answers of 429 in an hour" reads by SQL; a run without requests appends nothing."""
    metrics.record(runtime, "run-1", LINES)
    metrics.record(runtime, "run-2", LINES[:1])
    metrics.record(runtime, "run-3", [])
    rows = desk.ask(
        "SELECT hour, source, endpoint, status, requests, retries, seconds, run_id FROM vendor_requests ORDER BY run_id, status DESC, source"
    )
    assert [tuple(r.values()) for r in rows if r["source"] == "cursor"] == [
        (HOUR, "cursor", "events", 429, 12, 11, N("0.25"), "run-1"),
        (HOUR, "cursor", "events", 200, 3, 1, N("1.5"), "run-1"),
        (HOUR, "cursor", "events", 200, 3, 1, N("1.5"), "run-2"),
    ]
    assert [r["seconds"] for r in rows if r["status"] is None] == [N("0.000001")]
    limited = desk.ask(
        "SELECT hour, source, SUM(requests) AS n FROM vendor_requests WHERE status = 429 GROUP BY hour, source HAVING SUM(requests) > 10"
    )
    assert limited == [{"hour": HOUR, "source": "cursor", "n": 12}]
    assert desk.one("SELECT COUNT(*) FROM raw_fetches") == 0


def test_the_file_says_what_was_laid(desk: Desk, runtime: Runtime, tmp_path: Path) -> None:
    metrics.record(runtime, "run-0", LINES[:2])
    metrics.record(runtime, "run-1", LINES)
    day = runtime.yesterday - timedelta(days=2)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, hours=14)
    desk.events(day, {"charged_usd": N(1)}, {"charged_usd": N(2)}, at=at, rejected_count=1)
    desk.events(day + timedelta(days=1), state="failed", row_count=None, at=at + timedelta(days=1))
    cost = {"cost_date": day, "platform": "cursor", "vendor": "Cursor", "attribution": "direct", "settle_state": "settled", "source": "s"}
    desk.lay(
        "fct_cost_daily", {**cost, "cost_type": "usage", "cost_usd": N(3), "user_email": "ana@example.com"},
        {**cost, "cost_type": "usage", "cost_usd": N(1)}, {**cost, "cost_type": "subscription", "cost_usd": N(100)},
    )  # fmt: skip
    path = tmp_path / "new" / "ai_usage.prom"
    metrics.write(runtime, path, facts(), LINES)
    found = read(path)
    assert one(found["ai_usage_last_run_success"], job="daily") == 0
    assert one(found["ai_usage_last_run_duration_seconds"], job="daily") == 90
    assert one(found["ai_usage_last_run_asset_duration_seconds"], job="daily", asset="raw_cursor_events") == 12.5
    assert one(found["ai_usage_last_run_checks"], job="daily", outcome="passed") == 7
    assert one(found["ai_usage_last_success_timestamp_seconds"], job="daily") == (NOON - timedelta(days=1)).timestamp(), "this run failed"
    assert one(found["ai_usage_recent_runs_success_ratio"]) == 0.5
    assert one(found["ai_usage_vendor_requests_total"], source="cursor", endpoint="events", status="429") == 24, (
        "a counter goes on over runs"
    )
    assert one(found["ai_usage_vendor_retries_total"], source="cursor", endpoint="events", status="200") == 2
    assert one(found["ai_usage_vendor_requests_total"], source='odd"source\\', endpoint="e", status="none") == 1
    assert one(found["ai_usage_vendor_response_seconds_total"], source="cursor", endpoint="events", status="200") == 3.0
    assert one(found["ai_usage_last_run_response_seconds"], source="cursor", endpoint="events", quantile="0.5") == 0.01
    assert one(found["ai_usage_last_run_response_seconds"], source="cursor", endpoint="events", quantile="0.95") == 1.0
    events = {"source": "cursor", "endpoint": "filtered-usage-events"}
    assert one(found["ai_usage_last_fetch_timestamp_seconds"], **events) == at.timestamp()
    assert (
        one(found["ai_usage_last_held_day_timestamp_seconds"], **events) == datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    )
    assert (one(found["ai_usage_records"], **events), one(found["ai_usage_rejected_records"], **events)) == (2, 1)
    assert (one(found["ai_usage_days"], **events, state="complete"), one(found["ai_usage_days"], **events, state="failed")) == (1, 1)
    assert one(found["ai_usage_attributed_cost_ratio"]) == 0.75


def test_a_new_file_takes_the_old_ones_place_and_leaves_nothing_beside_it(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "ai_usage.prom"
    for success in (False, True):
        metrics.write(runtime, path, facts(success=success), [])
    assert one(read(path)["ai_usage_last_run_success"], job="daily") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["ai_usage.prom"], "a collector would read what is left over"
    assert "ai_usage_attributed_cost_ratio" not in read(path), "of no cost there is no share"


def test_a_folder_that_cannot_be_written_is_one_sentence(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="AI_USAGE_METRICS_FILE"):
        metrics.write(runtime, tmp_path / "file" / "m.prom", facts(), [])
    with pytest.raises(ValueError, match=r"\.prom"):
        Settings(_env_file=None, metrics_file=tmp_path / "metrics.txt")  # type: ignore[call-arg]
