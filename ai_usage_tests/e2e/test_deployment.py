"""The containers' processes without containers: a real Postgres, and the commands, files and health checks of docker-compose.yml.

What Compose would change (host names, ports, paths) is replaced and nothing else, so that the code server, the webserver and the daemon
run on the image's own dagster.yaml and workspace.yaml.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from ai_usage.simulator import Fault
from ai_usage_tests.e2e.test_dagster import ALL, ANTHROPIC
from ai_usage_tests.fixtures.company import FIRST, IS_BILLED, KEY, PATHS, ROOT, Company, Prepared, company, free_port, rows, wait_until
from ai_usage_tests.fixtures.postgres import Postgres, postgres

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PASSWORD, METABASE_PASSWORD = "pg-canary-4e1b", "mb-canary-77aa"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
# The daemon loads the code anew each minute, and a dead run is told only after that. Here both come sooner and in the same order, however slow the
# machine: the code is loaded anew each second, and a dead run is told 15 s after the test has seen the code server healthy again.
HURRY = """
import pathlib, time
import ai_usage.runs.launcher as launcher, dagster._daemon.controller as daemon
assert launcher.DAEMON_RELOADS_WITHIN_S > daemon.RELOAD_WORKSPACE_INTERVAL
class Until:
    ready = pathlib.Path(__file__).with_name("code-is-back")
    def __gt__(self, waited):
        return not self.ready.exists() or time.time() - self.ready.stat().st_mtime < 15
launcher.DAEMON_RELOADS_WITHIN_S, daemon.RELOAD_WORKSPACE_INTERVAL = Until(), 1
"""


class Stack:
    """The services, started and killed one by one, as Compose would."""

    def __init__(self, firm: Company, server: Postgres, folder: Path) -> None:
        self.firm, self.server, self.folder = firm, server, folder
        self.home = folder / "home"
        self.home.mkdir()
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(ROOT / "deploy" / name, self.home / name)
        text = (self.home / "dagster.yaml").read_text()
        assert text.count("poll_interval_seconds: 60") == 1
        (self.home / "dagster.yaml").write_text(text.replace("poll_interval_seconds: 60", "poll_interval_seconds: 1"))
        self.ports = {"code": free_port(), "webserver": free_port()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "hurry").mkdir()
        (folder / "hurry" / "sitecustomize.py").write_text(HURRY)
        (folder / "dagster_db_password").write_text(PASSWORD + "\n")
        (folder / "key").write_text(KEY + "\n")
        self.log = folder / "log"

    def env(self, service: str) -> dict[str, str]:
        """What Compose would set for this service, with this machine's addresses; the vendors' keys only where Compose gives them."""
        here = {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1", "DAGSTER_POSTGRES_PORT": str(self.server.port), "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": str(self.ports["code"]), "DAGSTER_POSTGRES_PASSWORD_FILE": str(self.folder / "dagster_db_password"),
        }  # fmt: skip
        asked = COMPOSE[service]["environment"]
        assert set(here) <= set(asked)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AI_USAGE", "CURSOR", "ANTHROPIC", "GOOGLE", "DAGSTER", "PYTEST"))}
        env |= {k: v for k, v in asked.items() if k.startswith("DAGSTER_")} | here
        env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "DAGSTER_HOME": str(self.home)}
        env |= {"DAGSTER_ARTIFACTS": str(self.folder / "artifacts"), "DAGSTER_COMPUTE_LOGS": str(self.folder / "logs")}
        if service == "daemon":
            env["PYTHONPATH"] = str(self.folder / "hurry")
        if service == "code":
            assert "CURSOR_ADMIN_API_KEY" in asked
            env |= self.firm.settings | {"CURSOR_ADMIN_API_KEY": f"file://{self.folder}/key"}
        return env

    def argv(self, words: list[str]) -> list[str]:
        ports = {"4000": str(self.ports["code"]), "3000": str(self.ports["webserver"])}
        ports |= dict.fromkeys(("0.0.0.0", COMPOSE["code"]["environment"]["DAGSTER_CODE_HOST"]), "127.0.0.1")
        return [ports.get(w, w).replace("/opt/dagster", str(self.home)).replace(":3000/", f":{self.ports['webserver']}/") for w in words]

    def start(self, service: str) -> None:
        words = COMPOSE[service].get("command") or image_command()
        with self.log.open("a") as log:
            self.running[service] = subprocess.Popen(
                [str(ROOT / "deploy" / "entrypoint"), *self.argv(words)], env=self.env(service), cwd=self.firm.cwd, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def healthy(self, service: str) -> bool:
        """The service's own health check."""
        kind, *words = COMPOSE[service]["healthcheck"]["test"]
        assert kind == "CMD"
        entry = [str(ROOT / "deploy" / "entrypoint")]  # the password is in the environment of an exec only through it
        done = subprocess.run(
            [*entry, *self.argv(words)], env=self.env(service), cwd=self.firm.cwd, capture_output=True, timeout=60, check=False
        )
        return done.returncode == 0

    def kill(self, service: str) -> None:
        """As a container dies: the process and its children, without a word."""
        process = self.running.pop(service)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def alive(self, service: str) -> bool:
        assert self.running[service].poll() is None, f"{service} ended by itself:\n{self.tail()}"
        return True

    def graphql(self, query: str, **variables: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['webserver']}/graphql", json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=120) as answer:  # a busy machine is no failure
            return json.load(answer)["data"]

    def launch(self) -> str:
        """One asset of the sources' job for one day, followed by nothing, as a click on "Materialize" does it; returns the run's id."""
        [repository] = self.graphql("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")["repositoriesOrError"][
            "nodes"
        ]
        answer = self.graphql(
            "mutation ($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename ... on LaunchRunSuccess { run { runId } } "
            "... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }",
            p={
                "selector": {
                    "repositoryLocationName": "ai_usage",
                    "repositoryName": repository["name"],
                    "jobName": "sources",
                    "assetSelection": [{"path": ["raw_cursor_events"]}],
                },
                "runConfigData": {},
                "executionMetadata": {
                    "tags": [{"key": f"dagster/asset_partition_range_{e}", "value": FIRST.isoformat()} for e in ("start", "end")]
                    + [{"key": "ai_usage/batch", "value": "the test's own"}]
                },
            },
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run: str) -> str:
        """From Postgres itself."""
        return self.server.ask(f"SELECT status FROM runs WHERE run_id = '{run}'", "dagster")

    def ended(self, run: str, seconds: float = 240) -> str:
        return str(wait_until(lambda: s if (s := self.status(run)) in ENDED else None, seconds, f"the end of run {run}:\n{self.tail()}"))

    def tail(self) -> str:
        return self.log.read_text()[-3000:]


def assert_money(stack: Stack) -> None:
    """What was published of the day is what the books say, once: the retry of a run that died published nothing twice."""
    current = "SELECT version_fetch_id FROM stg_current_fetches"
    sql = f"SELECT usage_date, SUM(charged_usd) FILTER ({IS_BILLED}) FROM raw_cursor_events WHERE fetch_id IN ({current}) GROUP BY 1"
    assert dict(rows(stack.firm.db, sql)) == stack.firm.world.truth.billed_usd_by_day(FIRST, FIRST)


def image_command() -> list[str]:
    """The CMD of the Dockerfile."""
    lines = [line for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")]
    return list(json.loads(lines[-1].removeprefix("CMD ")))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """What the image makes of POSTGRES_USER, POSTGRES_DB and the password's file, then our own script for Metabase."""
    asked = COMPOSE["postgres"]["environment"]
    with postgres(asked["POSTGRES_USER"], PASSWORD) as found:
        found.ask(f"CREATE DATABASE {asked['POSTGRES_DB']}", "postgres")
        yield found


@pytest.fixture(scope="module")
def stack(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with company(folder / "firm") as firm:
        found = Stack(firm, server, folder)
        try:
            found.start("code")
            wait_until(lambda: found.alive("code") and found.healthy("code"), 300, "the code server's health")
            found.start("webserver")
            wait_until(lambda: found.alive("webserver") and found.healthy("webserver"), 300, "the webserver's health")
            yield found
        finally:
            found.stop()


def prepare(server: Postgres, script: str, secrets: Path) -> subprocess.CompletedProcess[str]:
    """What the image does with a script of deploy/postgres when its volume is empty."""
    text = (ROOT / "deploy" / "postgres" / script).read_text().replace("/run/secrets", str(secrets))
    env = {"PATH": f"{server.programs}:{os.environ['PATH']}", "POSTGRES_USER": "dagster", "POSTGRES_DB": "dagster"}
    env |= {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": PASSWORD}
    return subprocess.run(["bash", "-c", text], env=env, capture_output=True, text=True, check=False)


def test_metabase_has_a_database_of_its_own(server: Postgres, tmp_path: Path) -> None:
    (tmp_path / "metabase_db_password").write_text(METABASE_PASSWORD)
    done = prepare(server, "10-metabase.sh", tmp_path)
    assert done.returncode == 0, done.stderr
    assert METABASE_PASSWORD not in done.stdout + done.stderr
    owner = {"user": "metabase", "password": METABASE_PASSWORD}
    assert server.psql("CREATE TABLE t (x int)", **owner, database="metabase").returncode == 0
    assert "permission denied" in server.psql("SELECT 1", **owner, database="dagster").stderr
    (tmp_path / "metabase_db_password").write_text("")
    empty = prepare(server, "10-metabase.sh", tmp_path)
    assert empty.returncode == 1 and "run scripts/secrets" in empty.stderr


def test_metabase_reads_the_serving_copy_and_cannot_write_it(server: Postgres, prepared: Prepared, tmp_path: Path) -> None:
    """scripts/secrets, the script of the database, a day of the pipeline and `metabase publish`: what an installation with DuckDB does."""
    secrets = tmp_path / "secrets"

    def make() -> dict[str, str]:
        env = {"SECRETS_DIR": str(secrets), "PATH": os.environ["PATH"]}
        subprocess.run([str(ROOT / "scripts" / "secrets")], env=env, check=True, capture_output=True)
        return {p.name: p.read_text() for p in secrets.iterdir()}

    made = make()
    reader = {"user": "marts_reader", "password": made["marts_reader_password"]}
    for _ in range(2):  # by hand on an older volume, too
        done = prepare(server, "20-marts.sh", secrets)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with company(tmp_path / "firm", data=prepared.data) as firm:
        (tmp_path / "url").write_text(made["serving_url"].replace("@postgres:5432", f"@127.0.0.1:{server.port}") + "\n")
        published = firm.cli("metabase", "publish", AI_USAGE_SERVING_URL=f"file://{tmp_path}/url")
        assert published.returncode == 0, published.stderr
        [(billed,)] = rows(firm.db, "SELECT SUM(cost_usd) FROM vw_cost_allocation")
    read = server.psql("SELECT sum(cost_usd) FROM ai_usage.vw_cost_allocation", **reader, database="marts")
    assert Decimal(read.stdout) == billed > 0
    for sql in ("DELETE FROM ai_usage.vw_cost_allocation", "CREATE TABLE ai_usage.t (x int)", "CREATE TABLE public.t (x int)"):
        assert "permission denied" in server.psql(sql, **reader, database="marts").stderr, sql
    # A new password: the old one ends, what was granted stays.
    (secrets / "marts_reader_password").unlink()
    fresh = make()
    assert prepare(server, "20-marts.sh", secrets).returncode == 0
    sql = "SELECT count(*) > 0 FROM ai_usage.vw_cost_allocation"
    assert "password authentication failed" in server.psql(sql, **reader, database="marts").stderr
    assert server.psql(sql, user="marts_reader", password=fresh["marts_reader_password"], database="marts").stdout.strip() == "t"
    (secrets / "marts_writer_password").chmod(0o644)
    (secrets / "marts_writer_password").write_text("")
    empty = prepare(server, "20-marts.sh", secrets)
    assert empty.returncode == 1 and "marts_writer_password is missing or empty; run scripts/secrets" in empty.stderr


@pytest.mark.slow
def test_the_pages_show_every_asset(stack: Stack) -> None:
    found = stack.graphql("{ assetNodes { assetKey { path } groupName owners { __typename } hasMaterializePermission } }")["assetNodes"]
    assert {name for node in found if not (name := node["assetKey"]["path"][-1]).startswith(ANTHROPIC)} == ALL
    assert all(node["groupName"] and node["owners"] for node in found)
    entries = stack.graphql(
        "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename "
        "... on PythonError { message } } } } } }"
    )["workspaceOrError"]["locationEntries"]
    assert [(e["name"], e["loadStatus"], e["locationOrLoadError"]["__typename"]) for e in entries] == [
        ("ai_usage", "LOADED", "RepositoryLocation")
    ]


@pytest.mark.slow
def test_a_run_waits_for_the_daemon_and_is_recorded_in_postgres(stack: Stack) -> None:
    run = stack.launch()
    assert stack.status(run) == "QUEUED"
    stack.start("daemon")
    assert stack.ended(run) == "SUCCESS", stack.tail()
    assert int(stack.server.ask(f"SELECT COUNT(*) FROM event_logs WHERE run_id = '{run}'", "dagster")) > 20
    assert_money(stack)
    assert not list(stack.folder.rglob("*.db")), "no SQLite beside it"
    # The webserver makes two empty folders for telemetry where it can, and goes on where it cannot.
    assert sorted(p.name for p in stack.home.rglob("*") if p.is_file()) == ["dagster.yaml", "workspace.yaml"], (
        "DAGSTER_HOME may be read-only"
    )
    wait_until(lambda: stack.healthy("daemon"), 300, "the daemon's health")


@pytest.mark.slow
def test_a_run_whose_code_server_dies_is_found_and_made_again(stack: Stack) -> None:
    stack.firm.sim.add_fault(Fault("slow", PATHS["filtered-usage-events"], times=None, seconds=60))
    run = stack.launch()
    wait_until(lambda: stack.status(run) == "STARTED", 300, "the run's start")
    stack.kill("code")
    assert stack.status(run) == "STARTED", "nobody could say that it died"
    stack.firm.sim.clear_faults()
    stack.start("code")
    wait_until(lambda: stack.alive("code") and stack.healthy("code"), 300, "the code server's health")
    (stack.folder / "hurry" / "code-is-back").touch()
    assert stack.ended(run) == "FAILURE"
    query = f"SELECT run_id FROM run_tags WHERE key = 'dagster/parent_run_id' AND value = '{run}'"
    again = wait_until(lambda: stack.server.ask(query, "dagster"), 300, f"the second try\n{stack.tail()}")
    assert stack.ended(again) == "SUCCESS", stack.tail()
    assert_money(stack)


@pytest.mark.slow
def test_no_password_and_no_key_is_shown(stack: Stack) -> None:
    """In the pages' configuration, in Dagster's records, in what the processes printed. `pg_dump` shows the records."""
    shown = json.dumps(stack.graphql("{ instance { info runLauncher { name } } version }"))
    assert "WatchfulRunLauncher" in shown and "max_concurrent_runs" in shown, "the configuration is on the page, so the test sees it"
    env = {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD}
    dump = subprocess.run(
        [str(stack.server.programs / "pg_dump"), "-h", "127.0.0.1", "-p", str(stack.server.port), "-U", "dagster", "dagster"],
        env=env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    printed = "".join(p.read_text(errors="replace") for p in [stack.log, *stack.folder.glob("logs/**/*")] if p.is_file())
    assert "raw_cursor_events" in dump and "dagster" in printed
    for hidden in (PASSWORD, KEY):
        assert hidden not in shown + dump + printed
