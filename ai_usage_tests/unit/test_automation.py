"""Left alone: what the morning adds after a long sleep, when today is read, which failed run is made again. Real Dagster instances and real runs
of small jobs; the daemon's part is in e2e/test_running_by_itself.py."""

import errno
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
import yaml

from ai_usage import execution
from ai_usage.definitions import build_defs
from ai_usage.defs.common import failed
from ai_usage.defs.operations import automation, month_close, repair
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import AuthError, TransientError
from ai_usage.warehouse import WarehouseBusyError, WarehouseFullError
from ai_usage_tests.fixtures.company import ROOT
from ai_usage_tests.fixtures.desk import Desk

ONE = timedelta(days=1)
YESTERDAY = datetime.now(UTC).date() - ONE
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def runtime(desk: Desk) -> Callable[..., Runtime]:
    def make(**changes: object) -> Runtime:
        fields = {
            "cursor_admin_api_key": "k", "start_date": YESTERDAY - 400 * ONE, "data_dir": desk.folder, "duckdb_path": desk.path,
            "repair_after_minutes": 0,
        }  # fmt: skip
        return Runtime(Settings(_env_file=None, **(fields | changes)))  # type: ignore[call-arg]

    return make


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


def held(desk: Desk, *days: date) -> None:
    for day in days:
        at = datetime(day.year, day.month, day.day, 14, tzinfo=UTC) + ONE
        for endpoint in ("filtered-usage-events", "daily-usage-data"):
            desk.fetch("cursor", endpoint, day, at=at)


# The morning --------------------------------------------------------------------------------------------------------


def morning(runtime: Runtime, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime.now(UTC), resources={"runtime": runtime})
    return list(automation.every_morning.evaluate_tick(context).run_requests or [])


def spans(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    return [(r.tags[FIRST], r.tags[LAST]) for r in requests]


def test_after_a_long_sleep_the_morning_asks_for_every_forgotten_day(
    desk: Desk, runtime: Callable[..., Runtime], instance: dg.DagsterInstance
) -> None:
    """Slept 80 days, the window is 35: the window first, then 45 days as 30 and 15, oldest first, behind it in the queue. Then they are held."""
    asleep = YESTERDAY - 80 * ONE
    held(desk, *Window(asleep - 3 * ONE, asleep).days)
    window = (str(YESTERDAY - 34 * ONE), str(YESTERDAY))
    requests = morning(runtime(), instance)
    assert spans(requests) == [
        window, (str(asleep + ONE), str(asleep + 30 * ONE)), (str(asleep + 31 * ONE), str(YESTERDAY - 35 * ONE)),
    ]  # fmt: skip
    assert [r.tags.get("dagster/priority") for r in requests] == [None, "-1", "-1"]
    assert len({r.run_key for r in requests}) == 3, "Dagster drops a run key that it has seen"
    assert spans(morning(runtime(catch_up_runs=1), instance)) == spans(requests)[:2]
    assert spans(morning(runtime(catch_up_runs=0), instance)) == [window]
    held(desk, *Window(asleep + ONE, YESTERDAY - 35 * ONE).days)
    assert spans(morning(runtime(), instance)) == [window]


def test_a_short_sleep_and_a_fresh_start_add_nothing(desk: Desk, runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """Three days lie inside the window; before the first run there is no warehouse, and history is nobody's to read unasked."""
    assert len(morning(runtime(duckdb_path=desk.folder / "none.duckdb"), instance)) == 1
    assert len(morning(runtime(), instance)) == 1
    held(desk, YESTERDAY - 3 * ONE)
    assert len(morning(runtime(), instance)) == 1


def test_a_warehouse_that_is_held_by_another_process_delays_nothing(
    desk: Desk, runtime: Callable[..., Runtime], instance: dg.DagsterInstance
) -> None:
    import subprocess
    import sys

    held(desk, YESTERDAY - 80 * ONE)
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, str(desk.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        assert len(morning(runtime(duckdb_lock_wait_s=0), instance)) == 1, "the window is asked for all the same"
        holder.communicate()
    assert len(morning(runtime(), instance)) > 1


# Today --------------------------------------------------------------------------------------------------------------


def hour(runtime: Runtime, instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime.now(UTC), resources={"runtime": runtime})
    data = automation.every_hour.evaluate_tick(context)
    return list(data.run_requests or []), data.skip_message or ""


def test_today_is_off_by_default_and_gives_way_to_every_other_run(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    assert automation.every_hour.default_status == dg.DefaultScheduleStatus.STOPPED
    requests, said = hour(runtime(), instance)
    assert not requests and "AI_USAGE_HOURLY_REFRESH" in said
    on = runtime(hourly_refresh=True)
    [request] = hour(on, instance)[0]
    assert FIRST not in request.tags and request.tags["dagster/priority"] == "-2", "today is no partition"
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING):
        run = instance.create_run_for_job(small("raw_cursor_events"), status=status)
        requests, said = hour(on, instance)
        assert not requests and run.run_id in said, status
        instance.delete_run(run.run_id)
    assert dg.DagsterRunStatus.QUEUED in automation.UNFINISHED
    instance.create_run_for_job(small("raw_cursor_events"), status=dg.DagsterRunStatus.FAILURE)
    assert hour(on, instance)[0], "a run that has ended is in nobody's way"


def test_no_run_of_days_contains_today(runtime: Callable[..., Runtime]) -> None:
    definitions = build_defs(runtime=runtime())
    graph = definitions.resolve_asset_graph()
    for job in ("daily", "rebuild", "load_uploads"):
        assert dg.AssetKey("today") not in definitions.resolve_job_def(job).asset_layer.executable_asset_keys
    partitions = graph.get(dg.AssetKey("fct_cost_daily")).partitions_def
    assert partitions is not None
    with dg.partition_loading_context(effective_dt=datetime.now(UTC)):
        assert max(partitions.get_partition_keys()) == str(YESTERDAY)


# Repairs ------------------------------------------------------------------------------------------------------------

TRANSIENT = dg.Failure("the vendor is down", metadata={"kind": "transient"}, allow_retries=False)
PERMANENT = dg.Failure("the key is wrong", metadata={"kind": "permanent"}, allow_retries=False)


def small(*names: str, errors: dict[str, Exception] | None = None, job: str = "daily") -> dg.JobDefinition:
    """A job of the daily one's name whose assets only end as told."""

    def made(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def asset() -> None:
            if errors and name in errors:
                raise errors[name]

        return asset

    selection = list(names)
    return dg.Definitions(
        assets=[made(n) for n in names], jobs=[dg.define_asset_job(job, selection=selection)], executor=dg.in_process_executor
    ).resolve_job_def(job)


def ended(
    instance: dg.DagsterInstance,
    errors: dict[str, Exception] | None = None,
    *names: str,
    job: str = "daily",
    first: str = "",
    last: str = "",
    **tags: str,
) -> str:
    """A real run of these days that has ended; returns its id."""
    days = {FIRST: first or str(YESTERDAY), LAST: last or str(YESTERDAY)}
    wanted = names or tuple(errors or ("raw_cursor_events",))
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return (
        small(*wanted, errors=errors, job=job)
        .execute_in_process(instance=instance, raise_on_error=False, tags=days | tags, run_config=quiet)
        .run_id
    )


class Watch:
    """The sensor's looks, one after another, with the cursor that the daemon would keep."""

    def __init__(self, runtime: Runtime, instance: dg.DagsterInstance) -> None:
        self.runtime, self.instance, self.cursor = runtime, instance, None
        self.definitions = build_defs(runtime=runtime)
        self.said = ""

    def look(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions, resources={"runtime": self.runtime}
        )
        data = repair.failed_runs.evaluate_tick(context)
        self.cursor, self.said = data.cursor, data.skip_message or ""
        return list(data.run_requests or ())

    def verdict(self, run_id: str) -> str:
        return json.loads(self.cursor or "{}").get(run_id, "")

    def make(self, request: dg.RunRequest, error: Exception | None = None) -> str:
        """The repair that the daemon would launch."""
        return ended(
            self.instance,
            {"raw_cursor_events": error} if error else None,
            first=request.tags[FIRST],
            last=request.tags[LAST],
            **request.tags,
        )


def test_a_vendor_that_was_down_is_asked_once_more(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """The same days; the asset that failed and what waited for it, and nothing that succeeded."""
    watch = Watch(runtime(), instance)
    first, last = str(YESTERDAY - 34 * ONE), str(YESTERDAY)
    first_run = ended(instance, {"raw_cursor_events": TRANSIENT}, "raw_cursor_events", "raw_cursor_members", first=first, last=last)
    [request] = watch.look()
    assert (request.tags[FIRST], request.tags[LAST], request.tags[repair.REPAIRS]) == (first, last, first_run)
    made = {key.to_user_string() for key in request.asset_selection or []}
    assert {"raw_cursor_events", "fct_cost_daily", "vw_cost_allocation", "html_report"} <= made
    assert not made & {"raw_cursor_members", "raw_cursor_usage", "raw_sheet_people", "cleaning", "today"}
    assert request.run_key and not watch.look(), "one failure, one repair"
    watch.make(request)
    assert not watch.look()


def test_a_repair_that_fails_is_not_repaired_and_its_days_rest_until_tomorrow(
    runtime: Callable[..., Runtime], instance: dg.DagsterInstance
) -> None:
    watch = Watch(runtime(), instance)
    ended(instance, {"raw_cursor_events": TRANSIENT})
    [request] = watch.look()
    again = watch.make(request, TRANSIENT)
    assert not watch.look() and "repair" in watch.verdict(again)
    other = ended(instance, {"raw_cursor_events": TRANSIENT})
    assert not watch.look() and "today already" in watch.verdict(other), "the same days failed once more today"
    older = str(YESTERDAY - ONE)
    ended(instance, {"raw_cursor_events": TRANSIENT}, first=older, last=older)
    assert len(watch.look()) == 1, "other days are another matter"


def test_many_failures_of_the_same_days_make_one_repair(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """A storm that began while the daemon was away: five failures in a row, one look after another."""
    watch = Watch(runtime(), instance)
    for _ in range(5):
        ended(instance, {"raw_cursor_events": TRANSIENT})
    requests = watch.look()
    assert len(requests) == 1
    watch.make(requests[0], TRANSIENT)
    assert [watch.look() for _ in range(6)] == [[]] * 6


def test_what_a_person_must_mend_is_not_repeated(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    watch = Watch(runtime(), instance)
    denied = ended(instance, {"raw_cursor_events": PERMANENT})
    unknown = ended(instance, {"raw_cursor_events": ValueError("a defect")})
    assert not watch.look() and "raw_cursor_events" in watch.verdict(denied) and "a person" in watch.verdict(unknown)
    both = ended(instance, {"raw_cursor_events": PERMANENT, "raw_cursor_members": TRANSIENT})
    [request] = watch.look()
    made = {key.to_user_string() for key in request.asset_selection or []}
    assert request.tags[repair.REPAIRS] == both
    assert "raw_cursor_members" in made and not made & {"raw_cursor_events", "fct_cost_daily", "html_report"}, "facts wait for both"


def test_errors_of_ours_that_reach_dagster_unworded_are_judged_by_their_class(
    runtime: Callable[..., Runtime], instance: dg.DagsterInstance
) -> None:
    watch = Watch(runtime(), instance)
    ended(instance, {"raw_cursor_events": AuthError("no key")})
    ended(instance, {"raw_cursor_events": OSError(errno.EACCES, "Permission denied")})
    assert not watch.look() and not watch.look()
    ended(instance, {"raw_cursor_events": WarehouseBusyError("held")})
    assert len(watch.look()) == 1


def test_a_full_disk_is_repaired_when_somebody_may_have_made_room(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """Some assets fail in the spool, some in the warehouse, on one full disk: all of them are made again, and the facts after them."""
    watch = Watch(runtime(), instance)
    ended(
        instance, {"raw_cursor_events": OSError(errno.ENOSPC, "No space left on device"), "raw_cursor_members": WarehouseFullError("full")}
    )
    [request] = watch.look()
    made = {key.to_user_string() for key in request.asset_selection or []}
    assert {"raw_cursor_events", "raw_cursor_members", "fct_cost_daily", "html_report"} <= made


def test_a_repair_waits_and_is_left_when_somebody_ran_the_days_again(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    watch = Watch(runtime(repair_after_minutes=30), instance)
    first_run = ended(instance, {"raw_cursor_events": TRANSIENT})
    assert not watch.look() and first_run in watch.said and not watch.verdict(first_run), "judged when its time has come"
    watch.runtime = runtime(repair_after_minutes=0)
    ended(instance, first=str(YESTERDAY - 34 * ONE))
    assert not watch.look() and "later run" in watch.verdict(first_run)


def test_a_run_without_days_and_a_success_are_left_alone(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    watch = Watch(runtime(), instance)
    today = small("today", errors={"today": TRANSIENT}, job="hourly").execute_in_process(instance=instance, raise_on_error=False).run_id
    ended(instance)
    assert not watch.look() and "no days" in watch.verdict(today)
    assert len(json.loads(watch.cursor or "{}")) == 1


DAYS = {FIRST: str(YESTERDAY), LAST: str(YESTERDAY)}
DIES = """
import os, sys
import dagster as dg

@dg.asset
def raw_cursor_members(): ...

@dg.asset(deps=[raw_cursor_members])
def raw_cursor_events():
    os._exit(9)

@dg.asset(deps=[raw_cursor_events])
def vw_cost_allocation(): ...

defs = dg.Definitions([raw_cursor_members, raw_cursor_events, vw_cost_allocation], jobs=[dg.define_asset_job("daily")], executor=dg.in_process_executor)
first, last, day = sys.argv[1:]
quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
defs.resolve_job_def("daily").execute_in_process(instance=dg.DagsterInstance.get(), tags={first: day, last: day}, run_config=quiet)
"""


def died(instance: dg.DagsterInstance, **more: object) -> dg.DagsterRun:
    """A run whose process ended before its first step, as Dagster's run monitoring finds it."""
    run = instance.create_run_for_job(small("raw_cursor_events"), status=dg.DagsterRunStatus.STARTED, **{"tags": DAYS, **more})
    instance.report_run_failed(run, "the process is gone")
    return instance.get_run_by_id(run.run_id)


def started_again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    """What Dagster makes of a dead run, with its tags, and that dies too."""
    root = run.root_run_id or run.run_id
    tags = {**DAYS, "dagster/parent_run_id": run.run_id, "dagster/root_run_id": root, "dagster/retry_number": "1"}
    return died(instance, tags=tags, parent_run_id=run.run_id, root_run_id=root)


def test_a_run_that_was_killed_is_repaired_from_where_it_was(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """A real process that dies in its second asset: no asset failed, and without Dagster's own retries nobody would start it again."""
    import subprocess
    import sys

    killed = subprocess.run([sys.executable, "-c", DIES, FIRST, LAST, str(YESTERDAY)], check=False, capture_output=True)
    assert killed.returncode == 9, killed.stderr
    [run] = instance.get_runs()
    watch = Watch(runtime(), instance)
    assert not watch.look(), "it counts as started until the run monitoring finds it dead"
    instance.report_run_failed(run, "the process is gone")
    [request] = watch.look()
    made = {key.to_user_string() for key in request.asset_selection or []}
    assert {"raw_cursor_events", "fct_cost_daily", "html_report"} <= made and not made & {"raw_cursor_members", "raw_cursor_usage"}
    assert (request.tags[repair.REPAIRS], request.tags[FIRST], request.tags[LAST]) == (run.run_id, str(YESTERDAY), str(YESTERDAY))
    repaired = died(instance, tags=dict(request.tags))
    other = died(instance)
    assert [watch.look() for _ in range(4)] == [[]] * 4, "neither its repair nor the next death of the same days today"
    assert "repair itself" in watch.verdict(repaired.run_id) and "today already" in watch.verdict(other.run_id)


def test_a_run_that_dagster_starts_again_is_dagsters_until_its_tries_are_used_up(runtime: Callable[..., Runtime]) -> None:
    """Two retries as in dagster.yaml: of the three runs that died only the last is repaired, and Dagster does not start the repair again."""
    with dg.instance_for_test(
        overrides={"run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}}
    ) as instance:
        watch = Watch(runtime(), instance)
        first = died(instance)
        assert first.tags["dagster/will_retry"] == "true"
        assert not watch.look() and first.run_id in watch.said and not watch.verdict(first.run_id), "it is left to Dagster for a while"
        second = started_again(instance, first)
        assert not watch.look() and second.run_id in watch.verdict(first.run_id) and not watch.verdict(second.run_id)
        third = started_again(instance, second)
        assert third.tags["dagster/will_retry"] == "false"
        [request] = watch.look()
        assert request.tags[repair.REPAIRS] == third.run_id and third.run_id in watch.verdict(second.run_id)
        last = died(instance, tags=dict(request.tags))
        assert last.tags["dagster/will_retry"] == "false" and not watch.look()


def test_a_retry_that_dagster_promised_and_never_made_is_taken_over(
    runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code could not be had at that moment, say. Taken over for good: Dagster, coming late, would make the days twice."""
    with dg.instance_for_test(overrides={"run_retries": {"enabled": True, "max_retries": 2}}) as instance:
        watch = Watch(runtime(), instance)
        run = died(instance)
        assert not watch.look()
        monkeypatch.setattr(repair, "DAGSTER_RETRIES_WITHIN", timedelta(0))
        [request] = watch.look()
        assert request.tags[repair.REPAIRS] == run.run_id
        assert instance.get_run_by_id(run.run_id).tags["dagster/will_retry"] == "false"


def test_a_failed_run_that_a_person_started_again_is_the_persons(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    watch = Watch(runtime(repair_after_minutes=30), instance)
    first = instance.get_run_by_id(ended(instance, {"raw_cursor_events": TRANSIENT}))
    assert not watch.look() and not watch.verdict(first.run_id)
    instance.create_run_for_job(
        small("raw_cursor_events"),
        tags={**DAYS, "dagster/parent_run_id": first.run_id},
        parent_run_id=first.run_id,
        root_run_id=first.run_id,
    )
    assert not watch.look() and "person" in watch.verdict(first.run_id)


def test_the_cursor_forgets_what_is_older_than_a_day(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    watch = Watch(runtime(), instance)
    watch.cursor = json.dumps({f"old-{n}": "repaired" for n in range(1000)})
    ended(instance, {"raw_cursor_events": PERMANENT})
    assert not watch.look() and len(json.loads(watch.cursor)) == 1


# Trying again is done in one place ------------------------------------------------------------------------------------


def test_dagster_itself_tries_no_failed_asset_again(runtime: Callable[..., Runtime]) -> None:
    """Requests are the client's to repeat and failed runs the sensor's: Dagster starts again only what died without a word."""
    for path in (ROOT / "dagster.yaml", ROOT / "deploy" / "dagster.yaml"):
        said = yaml.safe_load(path.read_text(encoding="utf-8"))["run_retries"]
        assert said == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}, path
    for asset in build_defs(runtime=runtime()).assets or []:
        if isinstance(asset, dg.AssetsDefinition):
            assert asset.op.retry_policy is None, asset.key
    for error, kind in ((TransientError("later"), "transient"), (AuthError("no"), "permanent")):
        failure = failed(error)
        assert failure.allow_retries is False and failure.metadata["kind"].value == kind


def test_a_run_builds_the_definitions_once(
    runtime: Callable[..., Runtime], instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its display, its job and the look at every check share them; another runtime, or other settings of the same, has its own."""
    loaded: list[object] = []
    load = dg.load_assets_from_package_module
    monkeypatch.setattr(dg, "load_assets_from_package_module", lambda module: loaded.append(module) or load(module))

    class Reached(Exception):
        pass

    def execute_in_process(job: dg.JobDefinition, **_: object) -> None:
        assert job.name == "close_month"
        raise Reached

    monkeypatch.setattr(dg.JobDefinition, "execute_in_process", execute_in_process)
    one = runtime()
    assert "closed_month" in execution.steps("close_month", one)
    with pytest.raises(Reached):
        execution.execute(one, YESTERDAY, YESTERDAY, job="close_month")
    assert month_close.open_checks(instance, one) == []
    assert len(loaded) == 1
    one.settings = one.settings.model_copy(update={"log_format": "json"})
    build_defs(runtime=one)
    build_defs(runtime=runtime())
    assert len(loaded) == 3
