"""Left alone: what the morning adds after a long sleep, when today is read, which failed run is made again. Real Dagster instances and real runs
of small jobs; the daemon's part is in e2e/test_running_by_itself.py."""

import errno
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

import dagster as dg
import pytest
import yaml

from ai_usage.definitions import build_defs
from ai_usage.defs.common import failed
from ai_usage.defs.everything import all_assets
from ai_usage.defs.operations import automation, batches, jobs, month_close, repair
from ai_usage.runs import execution
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import AuthError, TransientError
from ai_usage.warehouse import WarehouseBusyError, WarehouseFullError
from ai_usage_tests.fixtures.company import ROOT
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.fixtures.runs import small

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


def spans(requests: list[dg.RunRequest], source: str = "cursor") -> list[tuple[str, str]]:
    return [(r.tags[FIRST], r.tags[LAST]) for r in requests if r.tags[jobs.SOURCE] == source]


def test_each_source_is_read_by_a_run_of_its_own(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """What is on and the drop folder, all of one morning: together they hold every raw asset of what is on, once. The transformation follows them."""
    requests = morning(runtime(sheet_id="s", wait_for_sources_minutes=7), instance)
    assert [r.tags[jobs.SOURCE] for r in requests] == ["cursor", "google_sheets", "uploads"]
    assert {r.job_name for r in requests} == {"sources"} and len({r.tags[jobs.BATCH] for r in requests}) == 1
    assert {r.tags[jobs.THEN] for r in requests} == {"daily"} and {r.tags["dagster/max_runtime"] for r in requests} == {"420"}
    made = [{key.to_user_string() for key in r.asset_selection or ()} for r in requests]
    assert made[0] == {"raw_cursor_events", "raw_cursor_usage", "raw_cursor_members", "raw_cursor_spend"}
    assert all(name.startswith("raw_sheet_") for name in made[1])
    assert made[2] == {"uploaded_files", "raw_claude_ai_audit_log", "raw_claude_ai_spend"}


def test_every_raw_asset_is_of_a_source_and_no_job_mixes_them_with_what_follows(runtime: Callable[..., Runtime]) -> None:
    definitions = build_defs(runtime=runtime())
    graph = definitions.resolve_asset_graph()
    everything = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert set(jobs.RAW) == {name for name in everything if name.startswith("raw_")} | {"uploaded_files"}

    def of(job: str) -> set[str]:
        return {key.to_user_string() for key in definitions.resolve_job_def(job).asset_layer.executable_asset_keys}

    assert of("sources") <= set(jobs.RAW)
    assert of("daily") == everything - set(jobs.RAW) - {"today", "closed_month", "serving_copy"}
    assert of("rebuild") < of("daily")
    for name in jobs.RAW:  # else one that fails would hold another one back
        assert not graph.get(dg.AssetKey(name)).parent_keys, name


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
    assert [(r.tags[jobs.SOURCE], r.tags.get("dagster/priority")) for r in requests] == [
        ("cursor", None), ("uploads", None), ("cursor", "-1"), ("cursor", "-1"),
    ], "files, like the sheet, have no days that could be forgotten"  # fmt: skip
    assert len({r.run_key for r in requests}) == 4, "Dagster drops a run key that it has seen"
    assert len({r.tags[jobs.BATCH] for r in requests}) == 3, "forgotten days are a batch of their own"
    assert spans(morning(runtime(catch_up_runs=1), instance)) == spans(requests)[:2]
    assert spans(morning(runtime(catch_up_runs=0), instance)) == [window]
    held(desk, *Window(asleep + ONE, YESTERDAY - 35 * ONE).days)
    assert spans(morning(runtime(), instance)) == [window]


def test_a_short_sleep_and_a_fresh_start_add_nothing(desk: Desk, runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """Three days lie inside the window; before the first run there is no warehouse, and history is nobody's to read unasked."""
    assert len(spans(morning(runtime(duckdb_path=desk.folder / "none.duckdb"), instance))) == 1
    assert len(spans(morning(runtime(), instance))) == 1
    held(desk, YESTERDAY - 3 * ONE)
    assert len(spans(morning(runtime(), instance))) == 1


def test_a_warehouse_that_is_held_by_another_process_delays_nothing(
    desk: Desk, runtime: Callable[..., Runtime], instance: dg.DagsterInstance
) -> None:
    import subprocess
    import sys

    held(desk, YESTERDAY - 80 * ONE)
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, str(desk.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        assert len(spans(morning(runtime(duckdb_lock_wait_s=0), instance))) == 1, "the window is asked for all the same"
        holder.communicate()
    assert len(spans(morning(runtime(), instance))) > 1


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
    for job in ("sources", "daily", "rebuild"):
        assert dg.AssetKey("today") not in definitions.resolve_job_def(job).asset_layer.executable_asset_keys
    partitions = graph.get(dg.AssetKey("fct_cost_daily")).partitions_def
    assert partitions is not None
    with dg.partition_loading_context(effective_dt=datetime.now(UTC)):
        assert max(partitions.get_partition_keys()) == str(YESTERDAY)


# Repairs ------------------------------------------------------------------------------------------------------------

TRANSIENT = dg.Failure("the vendor is down", metadata={"kind": "transient"}, allow_retries=False)
PERMANENT = dg.Failure("the key is wrong", metadata={"kind": "permanent"}, allow_retries=False)


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
        self.requests = list(data.run_requests or ())
        return self.requests

    def verdict(self, run_id: str) -> str:
        return json.loads(self.cursor or "{}").get(run_id, "")

    def make(self, request: dg.RunRequest, error: Exception | None = None) -> str:
        """The repair that the daemon would launch."""
        return ended(
            self.instance,
            {"raw_cursor_events": error} if error else None,
            job=request.job_name or "",
            first=request.tags[FIRST],
            last=request.tags[LAST],
            **request.tags,
        )


def made_by(request: dg.RunRequest) -> set[str]:
    return {key.to_user_string() for key in request.asset_selection or []}


def test_a_fact_that_failed_is_made_again_with_what_waited_for_it(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """Its batch stays the same, so that its checks are counted with those of the sources that it follows."""
    watch = Watch(runtime(), instance)
    first_run = ended(instance, {"dim_api_keys": WarehouseBusyError("held")}, "dim_api_keys", "cleaning", **{jobs.BATCH: "morning"})
    [request] = watch.look()
    assert (request.job_name, request.tags[jobs.BATCH], request.tags[repair.REPAIRS]) == ("daily", "morning", first_run)
    assert {"dim_api_keys", "fct_cost_daily", "vw_cost_allocation", "html_report"} <= made_by(request)
    assert not made_by(request) & {"cleaning", "today", "dim_user_assignments", *jobs.RAW}


def test_one_sources_repair_is_not_anothers(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """Two sources fail on the same days: each is read again, once; a later run of one of them is none of the other."""
    watch = Watch(runtime(sheet_id="s"), instance)
    ended(instance, {"raw_cursor_events": TRANSIENT}, job="sources")
    sheet = ended(instance, {"raw_sheet_people": TRANSIENT}, job="sources")
    instance.create_run_for_job(
        small("raw_cursor_members", job="sources"), tags=DAYS, asset_selection=frozenset(jobs.keys_of(["raw_cursor_members"])),
        status=dg.DagsterRunStatus.SUCCESS,
    )  # fmt: skip
    assert [made_by(r) for r in watch.look()] == [{"raw_cursor_events"}]
    watch.make(watch.requests[0], TRANSIENT)
    ended(instance, {"raw_cursor_events": TRANSIENT}, job="sources")
    assert [made_by(r) for r in watch.look()] == [{"raw_sheet_people"}] and watch.requests[0].tags[repair.REPAIRS] == sheet
    assert not watch.look() and not watch.look()


def test_a_vendor_that_was_down_is_asked_once_more(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """The same days of the asset that failed, and nothing that succeeded; what follows is a run of its own."""
    watch = Watch(runtime(), instance)
    first, last = str(YESTERDAY - 34 * ONE), str(YESTERDAY)
    first_run = ended(
        instance, {"raw_cursor_events": TRANSIENT}, "raw_cursor_events", "raw_cursor_members", job="sources", first=first, last=last
    )
    [request] = watch.look()
    assert (request.tags[FIRST], request.tags[LAST], request.tags[repair.REPAIRS]) == (first, last, first_run)
    assert request.job_name == "sources" and made_by(request) == {"raw_cursor_events"}
    assert (request.tags[jobs.BATCH], request.tags[jobs.THEN]) == (f"repair {first_run}", "daily")
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
    assert request.tags[repair.REPAIRS] == both and made_by(request) == {"raw_cursor_members"}


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
    """Some assets fail in the spool, some in the warehouse, on one full disk: all of them are read again."""
    watch = Watch(runtime(), instance)
    ended(
        instance, {"raw_cursor_events": OSError(errno.ENOSPC, "No space left on device"), "raw_cursor_members": WarehouseFullError("full")}
    )
    [request] = watch.look()
    assert made_by(request) == {"raw_cursor_events", "raw_cursor_members"}


def test_a_repair_waits_and_is_left_when_somebody_ran_the_days_again(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    watch = Watch(runtime(repair_after_minutes=30), instance)
    first_run = ended(instance, {"raw_cursor_events": TRANSIENT})
    assert not watch.look() and first_run in watch.said and not watch.verdict(first_run), "judged when its time has come"
    watch.runtime = runtime(repair_after_minutes=0)
    ended(instance, job="sources", first=str(YESTERDAY - 34 * ONE))
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


def died(instance: dg.DagsterInstance, job: str = "daily", **more: object) -> dg.DagsterRun:
    """A run whose process ended before its first step, as Dagster's run monitoring finds it."""
    run = instance.create_run_for_job(small("raw_cursor_events", job=job), status=dg.DagsterRunStatus.STARTED, **{"tags": DAYS, **more})
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
    assert request.job_name == "sources" and made_by(request) == {"raw_cursor_events"}, "sources_ended asks for what follows"
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
    """Its display, its job and the look at every check share them; another runtime, or other settings of the same, has its own. Assets are found once."""
    built: list[object] = []
    build = dg.Definitions
    monkeypatch.setattr(dg, "Definitions", lambda **given: built.append(given) or build(**given))
    all_assets.cache_clear()
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
    assert month_close.open_checks(instance) == []
    assert len(built) == 1
    one.settings = one.settings.model_copy(update={"log_format": "json"})
    build_defs(runtime=one)
    build_defs(runtime=runtime())
    assert len(built) == 3 and len(loaded) == 1


# What follows the sources --------------------------------------------------------------------------------------------


class Following:
    """The looks of `sources_ended`, with the cursor that the daemon would keep."""

    def __init__(self, runtime: Runtime, instance: dg.DagsterInstance) -> None:
        self.runtime, self.instance, self.cursor, self.said = runtime, instance, None, ""

    def look(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources={"runtime": self.runtime})
        data = batches.sources_ended.evaluate_tick(context)
        self.cursor, self.said = data.cursor, data.skip_message or ""
        return list(data.run_requests or ())


class InTwoHours(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(minutes=120)


def of(batch: str) -> dict[str, str]:
    return {jobs.BATCH: batch, jobs.THEN: "daily"}


def waiting(instance: dg.DagsterInstance, name: str, batch: str) -> dg.DagsterRun:
    """A run that has been asked for and has not begun."""
    return instance.create_run_for_job(small(name, job="sources"), tags={**DAYS, **of(batch)})


def test_when_all_sources_of_a_morning_have_ended_the_rest_follows_once(
    runtime: Callable[..., Runtime], instance: dg.DagsterInstance
) -> None:
    """Whatever became of them: one has failed, and the others' figures do not wait for it."""
    after = Following(runtime(), instance)
    assert not after.look()
    first = str(YESTERDAY - 34 * ONE)
    ended(instance, {"raw_cursor_events": PERMANENT}, job="sources", first=first, **of("2026-11-30"))
    sheet = waiting(instance, "raw_sheet_people", "2026-11-30")
    assert not after.look() and "1 of 2" in after.said
    instance.report_run_failed(sheet, "the process is gone")
    [request] = after.look()
    assert (request.job_name, request.tags[FIRST], request.tags[LAST]) == ("daily", first, str(YESTERDAY))
    assert request.tags[jobs.BATCH] == "2026-11-30" and not request.asset_selection
    assert not after.look(), "once"
    ended(instance, job="sources", **of("repair x"))
    assert [r.tags[jobs.BATCH] for r in after.look()] == ["repair x"]
    ended(instance, None, "fct_cost_daily", **{jobs.BATCH: "2026-11-30"})
    ended(instance, job="sources", **{jobs.BATCH: "a command's"})
    assert not after.look(), "what followed is no source, and a command does itself what follows"


def test_an_edit_of_the_sheet_is_followed_by_the_job_that_it_names(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    after = Following(runtime(), instance)
    ended(instance, None, "raw_sheet_people", job="sources", **{jobs.BATCH: "sheet", jobs.THEN: "rebuild"})
    assert [r.job_name for r in after.look()] == ["rebuild"]


def test_a_slow_source_is_waited_for_so_long_and_its_coming_leads_to_another_run(
    runtime: Callable[..., Runtime], instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = Following(runtime(wait_for_sources_minutes=120), instance)
    ended(instance, job="sources", **of("b"))
    slow, other = (waiting(instance, name, "b") for name in ("raw_sheet_people", "raw_cursor_members"))
    assert not after.look()
    monkeypatch.setattr(batches, "datetime", InTwoHours)
    [first] = after.look()
    assert not after.look()
    instance.report_run_failed(slow, "it took too long")
    assert not after.look(), "the rest of them is one more run, not one each"
    instance.report_run_failed(other, "it took too long")
    [second] = after.look()
    assert first.run_key != second.run_key and not after.look()


def test_a_run_that_dagster_starts_again_has_not_ended(runtime: Callable[..., Runtime]) -> None:
    with dg.instance_for_test(overrides={"run_retries": {"enabled": True, "max_retries": 1}}) as instance:
        after = Following(runtime(), instance)
        tags = {**DAYS, **of("b")}
        first = died(instance, "sources", tags=tags)
        assert first.tags["dagster/will_retry"] == "true" and not after.look()
        again = {**tags, "dagster/parent_run_id": first.run_id, "dagster/root_run_id": first.run_id, "dagster/retry_number": "1"}
        died(instance, "sources", tags=again, parent_run_id=first.run_id, root_run_id=first.run_id)
        assert len(after.look()) == 1, after.said


def test_what_a_person_reads_in_the_pages_is_followed_too(runtime: Callable[..., Runtime], instance: dg.DagsterInstance) -> None:
    """Runs of one backfill are one batch over all its days; a run that makes facts as well needs no other; its checks are found by the batch."""
    after = Following(runtime(), instance)
    older = str(YESTERDAY - 9 * ONE)
    one = by_hand(instance, "raw_cursor_events", first=older, last=older, backfill="abcdefgh")
    by_hand(instance, "raw_cursor_events", first=str(YESTERDAY), last=str(YESTERDAY), backfill="abcdefgh")
    alone = by_hand(instance, "raw_sheet_people")
    by_hand(instance, "raw_cursor_events", "fct_cost_daily", first=older, last=older)
    requests = {r.tags[jobs.BATCH]: (r.tags[FIRST], r.tags[LAST]) for r in after.look()}
    window = (str(YESTERDAY - 34 * ONE), str(YESTERDAY))
    assert requests == {"abcdefgh": (older, str(YESTERDAY)), alone: window}, "a tab has no days: those of a morning"
    assert one in batches.runs_of(instance, one) and len(batches.runs_of(instance, one)) == 2
    assert not after.look()


def by_hand(instance: dg.DagsterInstance, *names: str, first: str = "", last: str = "", backfill: str = "") -> str:
    """A run that somebody started for these assets."""
    tags = ({FIRST: first, LAST: last} if first else {}) | ({"dagster/backfill": backfill} if backfill else {})
    run = instance.create_run_for_job(
        small(*names, job=batches.ASSET_JOB), tags=tags, asset_selection=frozenset(jobs.keys_of(names)), status=dg.DagsterRunStatus.STARTED
    )
    instance.report_run_failed(run, "it does not matter how it ended")
    return run.run_id
