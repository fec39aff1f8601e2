"""Dagster's records are bounded, and what was made still looks made."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ai_usage.defs.operations import assets
from ai_usage.defs.operations import purge as module
from ai_usage.defs.operations.purge import purge

DAYS = dg.StaticPartitionsDefinition(["2026-01-01", "2026-01-02", "2026-01-03"])
KEY = dg.AssetKey("day_of_records")


@dg.asset(name="day_of_records", partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("whole", asset="day_of_records")])
def day_of_records(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    print("x" * 1000)
    return dg.MaterializeResult(
        metadata={"padding": "x" * 20_000}, tags={"told": "yes"}, check_results=[dg.AssetCheckResult(passed=True, check_name="whole")]
    )


@dg.asset(name="page")
def page() -> None: ...


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def run(instance: dg.DagsterInstance, day: str | None) -> str:
    done = dg.materialize([day_of_records if day else page], partition_key=day, instance=instance)
    assert done.success
    return done.run_id


def later(days: int = 1) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def files(folder: Path, run_id: str) -> list[Path]:
    return [p for p in folder.rglob(f"*{run_id}*") if p.is_file() or p.is_dir()]


def test_runs_go_and_each_partitions_latest_materialization_and_check_stay(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    first = [run(instance, day) for day in DAYS.get_partition_keys()]
    again = run(instance, "2026-01-02")
    last_page = run(instance, None)
    made = instance.get_latest_storage_id_by_partition(KEY, dg.DagsterEventType.ASSET_MATERIALIZATION)
    check_key = dg.AssetCheckKey(KEY, "whole")
    checked = instance.event_log_storage.get_latest_asset_check_execution_by_key([check_key])[check_key]

    assert purge(instance, later(-1)) == 0, "none is so old"
    assert purge(instance, later()) == 5

    assert instance.get_runs() == [] and not [p for run_id in (*first, again, last_page) for p in files(tmp_path, run_id)]
    assert instance.get_materialized_partitions(KEY) == set(DAYS.get_partition_keys())
    assert instance.get_latest_storage_id_by_partition(KEY, dg.DagsterEventType.ASSET_MATERIALIZATION) == made
    found = {r.partition_key: r.run_id for r in instance.fetch_materializations(KEY, limit=10).records}
    assert found == {"2026-01-01": first[0], "2026-01-02": again, "2026-01-03": first[2]}
    event = instance.get_latest_materialization_event(KEY)
    assert event and event.asset_materialization and event.asset_materialization.metadata["padding"].value == "x" * 20_000
    assert instance.get_latest_materialization_event(dg.AssetKey("page"))
    stays = instance.event_log_storage.get_latest_asset_check_execution_by_key([check_key])[check_key]
    assert stays.id == checked.id and stays.event and instance.event_log_storage.get_event_tags_for_asset(KEY)
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        rows = connection.execute(sa.text("SELECT dagster_event_type, COUNT(*) FROM event_logs GROUP BY 1 ORDER BY 1")).fetchall()
    assert rows == [("ASSET_CHECK_EVALUATION", 1), ("ASSET_MATERIALIZATION", 4)], "one for the check, three days and the page"
    assert purge(instance, later()) == 0


def test_a_partition_that_is_made_is_not_asked_for_again(instance: dg.DagsterInstance) -> None:
    """What Dagster's own conditions see: nothing is missing after the purge."""
    for day in DAYS.get_partition_keys():
        run(instance, day)
    purge(instance, later())
    asked = day_of_records.with_attributes(automation_condition=dg.AutomationCondition.missing())
    result = dg.evaluate_automation_conditions(defs=dg.Definitions(assets=[asked]), instance=instance)
    assert result.total_requested == 0
    fresh = dg.evaluate_automation_conditions(defs=dg.Definitions(assets=[asked]), instance=dg.DagsterInstance.ephemeral())
    assert fresh.total_requested == 3, "as it would be for days that were never made"


def test_a_run_that_goes_on_and_a_young_one_stay(instance: dg.DagsterInstance) -> None:
    young = run(instance, "2026-01-01")
    going = instance.add_run(dg.DagsterRun(job_name="j", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED))
    assert purge(instance, later(-1)) == 0
    assert purge(instance, later()) == 1
    assert [r.run_id for r in instance.get_runs()] == [going.run_id] != [young]


def test_a_purge_is_bounded_and_ends_with_the_next_ones(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    runs = [run(instance, day) for day in DAYS.get_partition_keys()]
    assert purge(instance, later()) == 2
    assert [r.run_id for r in instance.get_runs()] == [runs[2]], "the oldest first"
    assert purge(instance, later()) == 1
    assert instance.get_materialized_partitions(KEY) == set(DAYS.get_partition_keys())


def test_free_pages_are_given_back(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, randomblob(2000) AS b FROM n"
        )
        connection.execute("DELETE FROM t WHERE i > 50")
    size = file.stat().st_size
    module._vacuum(file)
    assert file.stat().st_size < size / 5
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM t").fetchone() == (50,)
    module._vacuum(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_the_daily_cleaning_purges_by_the_setting(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime] = []
    monkeypatch.setattr(assets, "clean_up", lambda runtime: {"orphan_rows": 0})
    monkeypatch.setattr(assets, "spent", lambda runtime: {})
    monkeypatch.setattr(assets, "purge", lambda instance, before: asked.append(before) or 7)
    runtime: Any = SimpleNamespace(settings=SimpleNamespace(dagster_keep_days=30))
    result: Any = assets.cleaning(dg.build_asset_context(instance=instance, resources={"runtime": runtime}))
    assert result.metadata["runs"] == 7 and abs(asked[0] - later(-30)) < timedelta(minutes=5)
