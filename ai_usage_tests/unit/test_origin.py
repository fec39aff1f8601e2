"""A command's runs stand under the code location that Dagster's pages show: on the timeline, and on the page of their job."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from ai_usage.definitions import build_defs
from ai_usage.defs.operations.automation import file_dropped
from ai_usage.runs.origin import MODULE, shown
from ai_usage_tests.fixtures.runs import small


def run_of(instance: dg.DagsterInstance) -> dg.DagsterRun:
    with shown(instance, "daily"):
        done = small("vw_cost_months").execute_in_process(instance=instance)
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    return run


def test_a_run_is_of_what_ai_usage_dev_loads() -> None:
    with dg.instance_for_test() as instance:
        made = run_of(instance)
        [on_its_jobs_page] = instance.get_runs(dg.RunsFilter(job_name="daily", tags={".dagster/repository": f"__repository__@{MODULE}"}))
        assert on_its_jobs_page.run_id == made.run_id
        plain = small("vw_cost_months").execute_in_process(instance=instance)
        later = instance.get_run_by_id(plain.run_id)
        assert later and later.remote_job_origin is None, "nothing stays changed"
    assert build_defs().get_repository_def().name == "__repository__"


def test_a_run_beside_a_daemon_is_of_its_code_location() -> None:
    """Compose names its location ai_usage; its sensors left their states here."""
    location = GrpcServerCodeLocationOrigin(host="code", port=4000, location_name="ai_usage")
    sensor = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), file_dropped.name)
    with dg.instance_for_test() as instance:
        instance.add_instigator_state(InstigatorState(sensor, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData(1.0)))
        origin = run_of(instance).remote_job_origin
        assert origin and (origin.location_name, origin.job_name) == ("ai_usage", "daily")
