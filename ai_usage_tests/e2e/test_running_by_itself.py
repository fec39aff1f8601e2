"""A day in the life without a person: what a run leaves for collectors, how a gap is found, and what today looks like before it has ended.
Truth is the simulator's own log and books. What the daemon does by itself is in test_dagster.py."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ai_usage.defs.operations.today import today
from ai_usage.simulator import Fault
from ai_usage_tests.fixtures.company import (
    DAYS,
    FIRST,
    KEY,
    LAST,
    PATHS,
    Company,
    Prepared,
    company,
    new_world,
    plain,
    rows,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def firm(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """What the prepared company's run left: it was started as a service would, and its vendor refused three times."""
    with company(tmp_path_factory.mktemp("told"), data=prepared.data) as found:
        yield found


def test_every_line_of_a_run_is_json_and_holds_no_key(firm: Company, prepared: Prepared) -> None:
    objects, others = [], []
    for line in plain(prepared.stderr).splitlines():
        (objects if line.startswith("{") else others).append(line)
    lines = [json.loads(line) for line in objects]
    assert len({line["run_id"] for line in lines if "run_id" in line}) == 4, "three sources and what follows"
    refused = [line for line in lines if line.get("status") == 429]
    assert len(refused) == 3
    [run] = {line["run_id"] for line in refused}
    for line in refused:
        assert (line["level"], line["source"], line["endpoint"], line["asset"]) == (
            "WARNING",
            "cursor",
            "filtered-usage-events",
            "raw_cursor_events",
        )
        assert line["partition"] == f"{FIRST}_{LAST}" and line["run_id"] == run and line["attempt"] >= 1
    ended = {line["asset"]: line["duration_s"] for line in lines if line.get("event") == "STEP_SUCCESS"}
    assert {"raw_cursor_events", "fct_cost_daily", "vw_certificate", "html_report"} <= ended.keys() and all(s >= 0 for s in ended.values())
    assert KEY not in prepared.stderr + prepared.stdout
    page = rows_of_events(firm.home, run)
    assert any("429" in said for said in page), "Dagster's page of the run says it too"


def rows_of_events(home: Path, run: str) -> list[str]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [entry.user_message for entry in instance.all_logs(run)]


def test_every_request_of_the_run_is_in_the_warehouse_and_in_the_metrics(firm: Company, prepared: Prepared) -> None:
    """The vendor's own log is the truth: as many requests, by path and status."""
    endpoint = {PATHS[name]: name for name in ("filtered-usage-events", "daily-usage-data", "members", "spend")}
    truth = Counter((endpoint[r.path], r.status) for r in prepared.requests if r.path in endpoint)
    assert truth["filtered-usage-events", 429] == 3 and len(truth) >= 5
    held = rows(firm.db, "SELECT endpoint, status, SUM(requests), SUM(retries) FROM vendor_requests WHERE source = 'cursor' GROUP BY ALL")
    assert {(e, s): n for e, s, n, _ in held} == dict(truth)
    assert sum(r for *_, r in held) == 3, "each refusal was asked again"
    assert len(rows(firm.db, "SELECT DISTINCT run_id FROM vendor_requests WHERE source = 'cursor'")) == 1
    families = {f.name: f for f in text_string_to_metric_families(prepared.metrics.read_text())}
    counted = {
        (s.labels["endpoint"], int(s.labels["status"])): s.value
        for s in families["ai_usage_vendor_requests"].samples
        if s.labels["source"] == "cursor"
    }
    assert counted == dict(truth)
    assert [s.value for s in families["ai_usage_last_run_success"].samples] == [1.0]
    # The last run asked nobody: what it says of the sources is of the runs that it follows.
    assert {s.labels["source"]: s.value for s in families["ai_usage_source_success"].samples} == {
        "cursor": 1,
        "google_sheets": 1,
        "uploads": 1,
    }
    timed = {s.labels["endpoint"] for s in families["ai_usage_last_run_response_seconds"].samples if s.labels["source"] == "cursor"}
    assert timed == set(endpoint.values())
    loaded = {s.labels["asset"] for s in families["ai_usage_last_run_asset_duration_seconds"].samples}
    assert {"raw_cursor_events", "raw_sheet_people", "fct_cost_daily"} <= loaded


def test_a_certificate_finds_the_gap_and_names_the_command_that_closes_it(firm: Company) -> None:
    whole = firm.cli("certify", "--format", "json")
    assert whole.returncode == 0, plain(whole.stderr)
    found = json.loads(whole.stdout)
    assert found["complete"] and found["plan"] == [] and found["held"] == 2 * len(DAYS) and len(found["days"]) == 2 * len(DAYS)
    assert all(len(day["content_sha256"]) == 64 for day in found["days"])
    lost = DAYS[3]
    copy = firm.folder / "copy.duckdb"
    shutil.copyfile(firm.db, copy)
    with duckdb.connect(str(copy)) as con:
        con.execute("DELETE FROM raw_fetches WHERE usage_date = ? AND endpoint = 'filtered-usage-events'", [lost])
    gap = firm.cli("certify", "--from", str(FIRST), "--to", str(LAST), AI_USAGE_DUCKDB_PATH=str(copy), COLUMNS="300")
    assert gap.returncode == 1
    assert f"ai-usage run --from {lost} --to {lost}" in plain(gap.stderr) and "missing" in plain(gap.stdout)
    csv = firm.cli("certify", "--format", "csv", AI_USAGE_DUCKDB_PATH=str(copy))
    lines = csv.stdout.splitlines()
    assert csv.returncode == 1 and len(lines) == 1 + 2 * len(DAYS)
    assert [line.split(",")[:4] for line in lines if ",missing," in line] == [["cursor", "filtered-usage-events", str(lost), "missing"]]
    wrong = firm.cli("certify", "--format", "xml")
    assert wrong.returncode == 1 and "table, json or csv" in plain(wrong.stderr)


def test_today_is_shown_open_and_is_held_by_nobody(tmp_path: Path) -> None:
    """The company works today too: its cost so far is in the facts, open, to the last fraction, and no certificate counts it."""
    day = LAST + timedelta(days=1)
    with company(tmp_path, new_world(first_day=LAST, last_day=day), empty=True) as firm, firm.runtime() as runtime:
        os.environ.pop("DAGSTER_HOME", None)
        firm.load(LAST, LAST)
        before = (
            rows(firm.db, "SELECT * FROM vw_data_health WHERE is_daily ORDER BY endpoint"),
            rows(firm.db, "SELECT * FROM vw_certificate ORDER BY 2, 3"),
        )
        for _ in range(2):
            assert dg.materialize([today], resources={"runtime": runtime}).success
        shown = rows(
            firm.db, "SELECT settle_state, SUM(cost_usd) FROM fct_cost_daily WHERE cost_date = ? AND cost_type = 'usage' GROUP BY 1", [day]
        )
        assert shown == [("open", firm.world.truth.billed_usd_by_day(day, day)[day])]
        assert (
            rows(firm.db, "SELECT * FROM vw_data_health WHERE is_daily ORDER BY endpoint"),
            rows(firm.db, "SELECT * FROM vw_certificate ORDER BY 2, 3"),
        ) == before
        assert rows(firm.db, "SELECT * FROM vw_restatements") == []
    with (
        company(tmp_path / "other", new_world(first_day=LAST, last_day=day), empty=True) as firm,
        firm.runtime(http_patience_s=0.3) as runtime,
    ):
        firm.sim.add_fault(Fault("500", PATHS["filtered-usage-events"], times=None))
        assert not dg.materialize([today], resources={"runtime": runtime}, raise_on_error=False).success
        assert rows(firm.db, "SELECT DISTINCT state FROM raw_fetches WHERE endpoint = 'filtered-usage-events'") == [("failed",)]
        assert rows(firm.db, "SELECT * FROM vw_certificate") == []
