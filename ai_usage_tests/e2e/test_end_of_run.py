"""The end of a run: its checks as rows, also when something failed; the chargeback files; the serving copy in a real PostgreSQL."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from ai_usage import tables
from ai_usage.dashboards.meta import Checks
from ai_usage.definitions import build_defs
from ai_usage.defs.operations import jobs
from ai_usage.months import last_day
from ai_usage.operations.check_results import CheckRecord, record_checks
from ai_usage.outputs.postgres import Difference, differences
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage_tests.fixtures.command import in_process
from ai_usage_tests.fixtures.company import TODAY
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.fixtures.postgres import postgres

N = Decimal
LAST = TODAY - timedelta(days=1)
BEFORE = LAST.replace(day=1) - timedelta(days=1)
COST = {"platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s"}
ANA = {"email": "ana@example.com", "department": "R&D", "valid_from": date(1900, 1, 1), "valid_to": date(9999, 12, 31)}
END = ["vw_cost_allocation", "vw_chargeback", "chargeback", "check_results", "vw_check_results"]


@pytest.fixture
def costs(desk: Desk) -> Desk:
    desk.lay("dim_user_assignments", ANA)
    for day, usd in ((LAST, "0.000000001"), (LAST, "12.5"), (BEFORE, "3")):
        desk.lay("fct_cost_daily", {**COST, "cost_date": day, "user_email": "ana@example.com", "cost_usd": N(usd)})
    desk.total()
    return desk


def runtime_of(desk: Desk, **more: object) -> Runtime:
    folder = Path(desk.path).parent
    return Runtime(Settings(data_dir=folder, duckdb_path=desk.path, start_date=date(2026, 1, 1), **more))  # type: ignore[arg-type]


def run(runtime: Runtime, *assets: str) -> dg.ExecuteInProcessResult:
    defs = build_defs(runtime=runtime)
    with dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(a) for a in assets], raise_on_error=False
        )


def ask_alone(runtime: Runtime, asset: str, name: str) -> dg.ExecuteInProcessResult:
    """One check without its asset, as its page in Dagster runs it."""
    job = build_defs(runtime=runtime).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        only = job.get_subset(asset_selection=set(), asset_check_selection={dg.AssetCheckKey(dg.AssetKey(asset), name)})
        return only.execute_in_process(instance=instance, raise_on_error=False)


def told(result: dg.ExecuteInProcessResult) -> list[str]:
    """Why its steps failed, in their own words."""
    failed = [e.step_failure_data for e in result.all_events if e.is_step_failure]
    return [str(f.user_failure_data.description if f.user_failure_data else f.error) for f in failed]


def begun(result: dg.ExecuteInProcessResult) -> list[str]:
    return [e.step_key for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_START]


# The record of checks -----------------------------------------------------------------------------------------------


def test_a_whole_run_is_recorded_once_and_last(costs: Desk) -> None:
    result = run(runtime_of(costs), *END)
    assert result.success
    assert begun(result)[-2:] == ["check_results", "vw_check_results"], "it needs nothing, and still waits for everything"
    held = costs.ask("SELECT asset, check_name, state, blocking, expected, what_to_do, run_id FROM vw_check_results ORDER BY asset")
    assert [(r["asset"], r["check_name"], r["state"], r["blocking"]) for r in held] == [
        ("chargeback", "chargeback_is_whole", "passed", True), ("vw_cost_allocation", "conservation", "passed", True),
    ]  # fmt: skip
    assert {Decimal(r["expected"]) for r in held} == {N("15.500000001")} and {r["run_id"] for r in held} == {result.run_id}
    assert {r["what_to_do"] for r in held} == {None}


def test_one_question_over_the_warehouse_is_asked_alone_and_recorded(costs: Desk) -> None:
    """Nobody ever read Cursor, which is on: yesterday is missing. No asset is made for it, and no other check of its step is asked."""
    result = ask_alone(runtime_of(costs, cursor_admin_api_key="k"), "vw_data_health", "yesterday_is_there")
    assert result.success and begun(result) == ["completeness"] and not result.asset_materializations_for_node("completeness")
    [found] = result.get_asset_check_evaluations()
    assert (found.asset_key.to_user_string(), found.check_name, found.passed) == ("vw_data_health", "yesterday_is_there", False)
    [row] = costs.ask("SELECT asset, check_name, state, blocking, what_to_do FROM check_results")
    assert (row["asset"], row["check_name"], row["state"], row["blocking"]) == ("vw_data_health", "yesterday_is_there", "warning", False)
    assert "ai-usage run --from" in row["what_to_do"]


def test_a_failure_that_we_worded_is_one_sentence_on_its_page(costs: Desk) -> None:
    """Of the step and of its run; of a mistake that nobody worded the stack trace stays."""

    @dg.asset
    def broken() -> None:
        raise ValueError("unexpected")

    result = run(runtime_of(costs), "raw_cursor_members")
    shown = [
        e.event_specific_data.error for e in result.all_events if e.is_step_failure or e.event_type == dg.DagsterEventType.PIPELINE_FAILURE
    ]
    assert len(shown) == 2 and [(e.stack, e.cause, e.context) for e in shown if e] == [([], None, None)] * len(shown)
    assert {e.message for e in shown if e} == {"Cursor is off: CURSOR_ADMIN_API_KEY is not set."}
    [error] = [e.step_failure_data.error for e in dg.materialize([broken], raise_on_error=False).all_events if e.is_step_failure]
    assert error and error.cause and error.cause.stack and "unexpected" in error.cause.message


def test_what_a_blocking_check_stopped_is_recorded_all_the_same(costs: Desk) -> None:
    """Two departments at once double the view: its blocking check fails, everything after it is skipped, and the record says so."""
    runtime = runtime_of(costs)
    run(runtime, *END)
    costs.lay("dim_user_assignments", {**ANA, "department": "Sales"})
    result = run(runtime, *END)
    assert not result.success and begun(result)[-2:] == ["check_results", "vw_check_results"] and "chargeback" not in begun(result)
    [stopped] = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    assert stopped and stopped.stack == [] and "\n" not in stopped.message
    worst, other = costs.ask("SELECT * FROM vw_check_results ORDER BY severity DESC")
    assert (worst["asset"], worst["check_name"], worst["state"], worst["severity"]) == ("vw_cost_allocation", "conservation", "failed", 2)
    assert (Decimal(worst["expected"]), Decimal(worst["actual"])) == (N("15.500000001"), N("31.000000002"))
    assert worst["what_to_do"] == "A join in the view repeats or drops cost; see sql/marts/vw_cost_allocation.sql."
    assert other["checked_at"] < worst["checked_at"] and other["run_id"] != worst["run_id"], (
        "the check that was not reached is of the run before"
    )
    assert costs.one("SELECT COUNT(*) FROM check_results") == 3


def test_a_month_that_was_left_behind_stops_the_run_and_names_its_days(costs: Desk) -> None:
    """The facts move a cost to somebody else and the run is cut off: the total is right and the stored month charges the wrong person."""
    runtime = runtime_of(costs)
    assert run(runtime, "vw_cost_months", *END).success
    costs.warehouse.execute(
        "UPDATE fct_cost_daily SET user_email = 'other@example.com' WHERE user_email IS NOT NULL AND cost_date >= @first", {"first": BEFORE}
    )
    result = run(runtime, "vw_cost_months", *END)
    assert not result.success and "chargeback" not in begun(result)
    (row,) = costs.ask("SELECT * FROM vw_check_results WHERE asset = 'vw_cost_months'")
    assert (row["check_name"], row["state"], row["severity"]) == ("conservation", "failed", 2)
    assert Decimal(row["expected"]) == Decimal(row["actual"]) == N("15.500000001"), "a total cannot see it"
    first, last = BEFORE.replace(day=1), last_day(LAST)
    assert row["what_to_do"].endswith(f"run their days again with ai-usage run --from {first} --to {last}.")


def test_a_repeated_step_leaves_one_row_and_old_results_go(costs: Desk) -> None:
    runtime = runtime_of(costs, check_keep_days=30)
    now = datetime.now(UTC)

    def found(state: str, at: datetime, name: str = "c") -> CheckRecord:
        return CheckRecord("a", name, state, False, "1", "2", None, at)

    assert record_checks(runtime, {"old": [found("failed", now - timedelta(days=31))]}) == 1
    assert record_checks(runtime, {"new": [found("failed", now), found("passed", now, "d")]}) == 2
    assert record_checks(runtime, {"new": [found("warning", now + timedelta(seconds=1))]}) == 1
    assert record_checks(runtime, {"none": []}) == 0
    held = [(r["run_id"], r["check_name"], r["state"]) for r in costs.ask("SELECT * FROM check_results ORDER BY check_name")]
    assert held == [("new", "c", "warning"), ("new", "d", "passed")]


def test_one_number_of_checks_for_a_source_and_what_followed(costs: Desk) -> None:
    """A run that read a source and the run that followed belong to one batch: record and count hold both, and a repeated check once."""
    from ai_usage.defs.operations.outputs import run_checks

    runtime = runtime_of(costs)
    defs = build_defs(runtime=runtime)
    with dg.DagsterInstance.ephemeral() as instance:

        def made(batch: str, *assets: str) -> str:
            return defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey(a) for a in assets], raise_on_error=False, tags={jobs.BATCH: batch}
            ).run_id  # fmt: skip

        made("another", "uploaded_files")
        first, last = made("morning", "uploaded_files"), made("morning", *END)
        assert (run_checks(instance, last), run_checks(instance, made("morning", *END))) == (Checks(3, 0, 0), Checks(3, 0, 0))
    held = costs.ask("SELECT run_id, asset FROM check_results ORDER BY asset")
    assert [r["asset"] for r in held if r["run_id"] in (first, last)] == ["chargeback", "uploaded_files", "vw_cost_allocation"]


def test_every_job_records_its_checks_and_writes_the_chargeback() -> None:
    defs = build_defs()
    for job in ("daily", "rebuild"):
        held = {k.to_user_string() for k in defs.resolve_job_def(job).asset_layer.executable_asset_keys}
        assert {"check_results", "chargeback", "vw_check_results"} <= held
        assert "serving_copy" not in held, "its setting is not set here"
    assert jobs.SERVING.resolve(defs.resolve_asset_graph()) == {dg.AssetKey("serving_copy")}


# The chargeback files -----------------------------------------------------------------------------------------------


def test_two_months_of_chargeback_lie_in_the_folder(costs: Desk, tmp_path: Path) -> None:
    result = run(runtime_of(costs, export_dir=tmp_path / "books"), *END)
    assert result.success
    wanted = {f"chargeback-v2-{day:%Y-%m}.{kind}" for day in (BEFORE, LAST) for kind in ("csv", "xlsx")}
    assert {p.name for p in (tmp_path / "books").iterdir()} == wanted
    for day, usd in ((BEFORE, N(3)), (LAST, N("12.500000001"))):
        with (tmp_path / "books" / f"chargeback-v2-{day:%Y-%m}.csv").open(newline="") as file:
            assert [Decimal(row["cost_usd"]) for row in csv.DictReader(file)] == [usd]


def test_a_file_that_lacks_a_row_fails_its_check(costs: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_usage.outputs import Export

    whole = Export.statement

    def less(self: Export) -> tuple[str, dict[str, date]]:
        sql, bounds = whole(self)
        return sql + " LIMIT 0", bounds

    monkeypatch.setattr(Export, "statement", less)
    assert not run(runtime_of(costs), *END).success
    row = costs.ask("SELECT * FROM vw_check_results WHERE asset = 'chargeback'")[0]
    assert (row["state"], Decimal(row["expected"]), Decimal(row["actual"])) == ("failed", N("15.500000001"), N(0))


def test_export_on_the_command_line(costs: Desk, tmp_path: Path) -> None:
    """The month's lines on standard output and nothing else there; an unknown mart is one sentence that names the known ones."""
    place = {"AI_USAGE_DUCKDB_PATH": str(costs.path), "AI_USAGE_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return in_process(["export", *arguments], place, tmp_path)

    done = call("chargeback", "--month", f"{LAST:%Y-%m}", "--output", "-")
    assert done.returncode == 0, done.stderr
    assert [Decimal(r["cost_usd"]) for r in csv.DictReader(done.stdout.splitlines())] == [N("12.500000001")]
    assert "1 rows, 12.500000001 USD in standard output" in done.stderr
    done = call("vw_cost_allocation", "--from", f"{BEFORE}", "--to", f"{BEFORE}", "--output", "some.parquet")
    assert done.returncode == 0 and done.stdout.strip() == "some.parquet" and (tmp_path / "some.parquet").read_bytes()[:4] == b"PAR1"
    done = call("vw_nothing")
    assert done.returncode == 1 and "there is no mart or fact 'vw_nothing'; there are chargeback, vw_monthly_finance" in " ".join(
        done.stderr.split()
    )
    assert "Traceback" not in done.stderr


# The serving copy ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres("owner", "unused") as found:
        yield f"postgresql://owner:unused@127.0.0.1:{found.port}/postgres"


def test_a_run_publishes_the_marts_and_proves_the_copy(costs: Desk, server: str) -> None:
    result = run(runtime_of(costs, serving_url=f"{server}?schema=whole"), "check_results", "serving_copy")
    assert result.success, told(result)
    metadata = next(e for e in result.all_events if e.is_step_materialization and e.step_key == "serving_copy").materialization.metadata
    assert (metadata["rows/vw_cost_allocation"].value, metadata["rows/vw_chargeback"].value) == (3, 2), (
        "lines; and the two of one month in one"
    )
    with psycopg.connect(server) as con:
        assert con.execute("SELECT SUM(cost_usd) FROM whole.vw_cost_allocation").fetchone() == (N("15.500000001"),)
        assert {n for (n,) in con.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'whole'")} == {
            t.name for t in tables.MARTS
        }
    assert [(r["check_name"], r["state"]) for r in costs.ask("SELECT * FROM vw_check_results")] == [("serving_copy_is_whole", "passed")]


def test_a_copy_that_something_else_changes_fails_its_check(costs: Desk, server: str) -> None:
    """A deferred trigger adds a billionth of a dollar as the copy is committed, after the copy's own proof."""
    runtime = runtime_of(costs, serving_url=f"{server}?schema=spoiled")
    first = run(runtime, "serving_copy")
    assert first.success, told(first)
    with psycopg.connect(server, autocommit=True) as con:
        con.execute(
            "CREATE FUNCTION spoiled.add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "UPDATE spoiled.vw_cost_allocation SET cost_usd = cost_usd + 0.000000001 WHERE ctid = (SELECT max(ctid) FROM spoiled.vw_cost_allocation); "
            "RETURN NULL; END $$"
        )
        con.execute(
            "CREATE CONSTRAINT TRIGGER add AFTER DELETE ON spoiled.vw_monthly_finance DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION spoiled.add()"
        )
    assert not run(runtime, "serving_copy").success
    row = costs.ask("SELECT * FROM vw_check_results WHERE asset = 'serving_copy'")[0]
    assert (row["state"], row["actual"]) == ("failed", "1 differences") and "ai-usage metabase publish" in row["what_to_do"]
    with psycopg.connect(server, autocommit=True) as con:
        con.execute("DELETE FROM spoiled.vw_chargeback")
    found = differences(costs.warehouse, server, "spoiled", [tables.BY_NAME["vw_chargeback"]])
    assert found == [
        Difference("vw_chargeback", "rows", "2", "0"), Difference("vw_chargeback", "cost_usd", "15.500000001", "None"),
        Difference("vw_chargeback", "booked_usd", "15.500000000", "None"),
    ]  # fmt: skip


def test_without_its_setting_it_says_why(costs: Desk) -> None:
    result = run(runtime_of(costs), "serving_copy")
    failure = next(e for e in result.all_events if e.is_step_failure)
    assert "the serving copy is off: AI_USAGE_SERVING_URL is not set; set it to postgresql://" in str(
        failure.step_failure_data.user_failure_data.description
    )


def test_a_malformed_address_names_its_own_setting(costs: Desk) -> None:
    result = run(runtime_of(costs, serving_url="somewhere"), "serving_copy")
    failure = next(e for e in result.all_events if e.is_step_failure)
    assert "AI_USAGE_SERVING_URL is not of the form" in str(failure.step_failure_data.user_failure_data.description)
