"""Each partition of a range shows its own day's numbers: truth is the simulator's books."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from ai_usage.definitions import build_defs
from ai_usage.defs.operations.jobs import range_tags
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.simulator import Simulator, World

FIRST, LAST = date(2026, 10, 30), date(2026, 11, 2)  # a Friday, a weekend, a Monday: the days differ


@pytest.mark.parametrize("first", [FIRST, LAST], ids=["four days", "one day"])
def test_a_range_writes_each_days_own_rows_and_money(first: date, tmp_path: Path) -> None:
    world = World(seed=3, people=4, first_day=first, last_day=LAST)
    with Simulator(world, cursor_key="simulator") as sim, dg.DagsterInstance.ephemeral() as instance:
        settings = Settings(
            data_dir=tmp_path, start_date=FIRST, cursor_base_url=sim.url, cursor_admin_api_key="simulator", cursor_rate_factor=0
        )  # type: ignore[call-arg]
        job = build_defs(runtime=Runtime(settings)).resolve_implicit_global_asset_job_def()
        for asset in ("raw_cursor_events", "fct_cost_daily"):
            done = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(asset)], tags=range_tags(str(first), str(LAST)))
            told = {e.partition: e.step_materialization_data.materialization.metadata for e in done.get_asset_materialization_events()}
            assert sorted(told) == [str(first + timedelta(days=n)) for n in range((LAST - first).days + 1)]
            truth = world.truth.billed_usd_by_day()
            for day, said in told.items():
                usd = truth.get(date.fromisoformat(day), Decimal(0))
                assert Decimal(said["cost_usd_exact"].text) == usd, f"{asset} of {day}"
                assert said["cost_usd"].value == pytest.approx(float(usd)), "a number, so that Dagster draws it"
                assert (said["dagster/row_count"].value > 0) == (usd > 0)


def test_a_snapshot_in_a_run_of_days_has_no_partitions_and_is_read(tmp_path: Path) -> None:
    world = World(seed=3, people=4, first_day=FIRST, last_day=LAST)
    with Simulator(world, cursor_key="simulator") as sim, dg.DagsterInstance.ephemeral() as instance:
        settings = Settings(
            data_dir=tmp_path, start_date=FIRST, cursor_base_url=sim.url, cursor_admin_api_key="simulator", cursor_rate_factor=0
        )  # type: ignore[call-arg]
        job = build_defs(runtime=Runtime(settings)).resolve_implicit_global_asset_job_def()
        members = dg.AssetKey("raw_cursor_members")
        done = job.execute_in_process(instance=instance, asset_selection=[members], tags=range_tags(str(FIRST), str(LAST)))
        [event] = done.get_asset_materialization_events()
        assert (event.asset_key, event.partition) == (members, None)
