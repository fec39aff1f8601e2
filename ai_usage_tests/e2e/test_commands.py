"""The other commands: what they print and where, what they refuse, and what they say when something is wrong."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage.cli import console
from ai_usage.operations.doctor import examine
from ai_usage.simulator import Fault
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.company import (
    DAYS,
    FIRST,
    KEY,
    LAST,
    PATHS,
    Company,
    Prepared,
    assert_same,
    assert_sentence,
    company,
    held,
    nobody,
    plain,
    rows,
    stored,
)


@pytest.fixture(scope="module")
def firm(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("commands"), data=prepared.data) as found:
        yield found


@pytest.fixture(scope="module")
def intact(firm: Company) -> Iterator[None]:
    """Whatever the tests of this module ask, nothing is written."""
    before = stored(firm.db)
    yield
    assert_same(stored(firm.db), before)


pytestmark = pytest.mark.usefixtures("intact")


def test_query_json_is_only_json_and_exact(firm: Company) -> None:
    """In a process of its own, since whatever a library prints there would be in the file too."""
    done = firm.process(
        "query",
        "SELECT cost_date, user_email, SUM(cost_usd) AS usd, COUNT(*) AS n FROM fct_cost_daily "
        "WHERE cost_type = 'usage' GROUP BY cost_date, user_email ORDER BY 1, 2",
        "--format",
        "json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout, parse_float=Decimal)
    assert {(r["cost_date"], r["user_email"]): r["usd"] for r in found} == {
        (str(d), e): v for (d, e), v in firm.world.truth.billed_usd_by_day_user().items()
    }
    assert all(isinstance(r["usd"], Decimal) and isinstance(r["n"], int) for r in found)


def test_query_json_of_every_type(firm: Company) -> None:
    sql = (
        "SELECT NUMERIC '12345678901234567890.123456789' AS n, TRUE AS b, CAST(NULL AS STRING) AS z, "
        "'ü\"\\n' AS s, DATE '2026-11-01' AS d, TIMESTAMP '2026-11-01 10:00:00+00:00' AS t, [1, 2] AS a"
    )
    [row] = json.loads(firm.cli("query", sql, "--format", "json").stdout, parse_float=Decimal)
    assert row["n"] == Decimal("12345678901234567890.123456789") and row["b"] is True and row["z"] is None
    assert row["s"] == 'ü"\n' and row["d"] == "2026-11-01" and row["t"].startswith("2026-11-01T10:00:00") and row["a"] == [1, 2]


def test_query_json_of_no_rows(firm: Company) -> None:
    done = firm.cli("query", "SELECT * FROM fct_cost_daily WHERE FALSE", "--format", "json")
    assert done.returncode == 0 and json.loads(done.stdout) == []


def test_query_csv(firm: Company) -> None:
    done = firm.cli("query", "SELECT email, department, SUM(1) AS n FROM dim_users GROUP BY 1, 2 ORDER BY 1", "--format", "csv")
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [r["email"] for r in found] == sorted(r["email"] for r in found)
    assert {r["email"] for r in found} == {p.email for p in firm.world.cast.people} | {"agent-runner@example.com"}
    assert next(r for r in found if r["email"].startswith("dana."))["department"] == "", "unknown is empty, not a word"


def test_query_table(firm: Company) -> None:
    done = firm.cli("query", "SELECT SUM(cost_usd) AS usd FROM fct_cost_daily WHERE cost_type = 'usage'")
    assert done.returncode == 0 and "usd" in done.stdout
    assert f"{sum(firm.world.truth.billed_usd_by_day().values()):.9f}" in plain(done.stdout)


WRITING = (
    "DELETE FROM fct_cost_daily WHERE TRUE",
    "SELECT 1; DROP TABLE fct_cost_daily",
    "DROP TABLE fct_cost_daily",
    "UPDATE fct_cost_daily SET cost_usd = 0 WHERE TRUE",
    "CREATE TABLE x AS SELECT 1 AS a",
    "INSERT INTO dim_users SELECT * FROM dim_users",
    "TRUNCATE TABLE fct_cost_daily",
    "ATTACH 'x' AS y",
    "COPY dim_users TO 'x.csv'",
    "EXPORT DATA OPTIONS (uri = 'x') AS SELECT 1",
    "PRAGMA version",
    "SET threads = 1",
    "INSTALL httpfs",
    "WITH a AS (SELECT 1) DELETE FROM dim_users WHERE TRUE",
)


def test_query_refuses_to_write(firm: Company) -> None:
    for sql in WRITING[:2]:
        done = firm.cli("query", sql, "--format", "json")
        assert_sentence(done)
        assert done.stdout == ""
    with firm.runtime() as runtime:
        for sql in WRITING:
            with pytest.raises(WarehouseError):
                runtime.warehouse.select(sql)


@pytest.mark.parametrize(
    "reading", ["SELECT * FROM read_csv('{}')", "SELECT * FROM `{}`", "SELECT content FROM read_text('{}')", "SELECT * FROM glob('{}')"]
)
def test_query_reads_only_the_warehouse(reading: str, firm: Company, tmp_path: Path) -> None:
    """Read only also means: not the files of the machine that answers."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nwhat-nobody-may-read\n")
    with firm.runtime() as runtime, pytest.raises(WarehouseError):
        runtime.warehouse.select(reading.format(secret))


def test_query_speaks_bigquery(firm: Company) -> None:
    sql = (
        "SELECT FORMAT_DATE('%Y-%m', DATE_TRUNC(cost_date, MONTH)) AS month, COUNTIF(cost_usd > 0) AS n, SAFE_DIVIDE(1, 0) AS z, "
        "DATE_SUB(MAX(cost_date), INTERVAL 1 DAY) AS d FROM `fct_cost_daily` GROUP BY month ORDER BY month"
    )
    done = firm.cli("query", sql, "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found[-1]["month"] == f"{LAST:%Y-%m}" and found[-1]["z"] is None and found[-1]["n"] > 0
    assert found[-1]["d"] == str(LAST - timedelta(days=1))


@pytest.mark.parametrize(
    ("sql", "needed"),
    [
        ("SELECT FROM WHERE", "SQL"),
        ("SELECT nothing FROM fct_cost_daily", "nothing"),
        ("SELECT 1 FROM no_such_table", "no_such_table"),
        ("", ""),
    ],
)
def test_query_says_what_is_wrong(sql: str, needed: str, firm: Company) -> None:
    assert_sentence(firm.cli("query", sql), needed)


def test_query_of_an_unknown_format(firm: Company) -> None:
    assert_sentence(firm.cli("query", "SELECT 1", "--format", "xml"), "--format", "json")


def test_query_before_the_first_run(firm: Company, tmp_path: Path) -> None:
    assert_sentence(firm.cli("query", "SELECT 1 AS a FROM dim_users", AI_USAGE_DATA_DIR=str(tmp_path / "new")), "no warehouse", "run")
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").glob("*.duckdb"))


def test_report_writes_the_file(firm: Company, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "costs.html"
    done = firm.cli("report", "--output", str(target))
    assert done.returncode == 0, done.stderr
    assert str(target) in plain(done.stdout).replace("\n", "") and target.stat().st_size > 10_000


def test_report_to_a_place_that_cannot_be_written(firm: Company) -> None:
    assert_sentence(firm.cli("report", "--output", "/proc/nowhere/report.html"))


def test_status(firm: Company) -> None:
    done = firm.cli("status")
    said = plain(done.stdout)
    assert done.returncode == 0, done.stderr
    for word in ("filtered-usage-events", "daily-usage-data", "people", "subscriptions", "cursor", "claude_ai"):
        assert word in said
    total = rows(firm.db, "SELECT SUM(cost_usd) FROM fct_cost_daily WHERE platform = 'cursor'")[0][0]
    assert f"{total:,.2f}" in said


def test_status_before_the_first_run(firm: Company, tmp_path: Path) -> None:
    assert_sentence(firm.cli("status", AI_USAGE_DATA_DIR=str(tmp_path / "new")), "no warehouse")


def test_a_wrong_setting_is_one_sentence(firm: Company) -> None:
    assert_sentence(firm.cli("status", AI_USAGE_START_DATE="yesterday"), "AI_USAGE_START_DATE", "yesterday")
    assert_sentence(firm.cli("status", AI_USAGE_CURSOR_BASE_URL="ftp://x"), "AI_USAGE_CURSOR_BASE_URL")
    assert_sentence(firm.cli("status", AI_USAGE_WAREHOUSE="oracle"), "AI_USAGE_WAREHOUSE")


# The two ways to call a command -------------------------------------------------------------------------------------


def _around() -> list[object]:
    """What a command in this process might leave changed."""
    loggers = [logging.getLogger(name) for name in ("", "ai_usage", "ai_usage.http", "dagster")]
    ours = {name: id(module) for name, module in sys.modules.items() if name.startswith(("ai_usage.defs", "ai_usage.runs.execution"))}
    return [
        dict(os.environ), Path.cwd(), sys.argv, sys.stdout, sys.stderr, signal.getsignal(signal.SIGTERM), console.err.width, ours,
        [(found.handlers[:], found.level) for found in loggers],
    ]  # fmt: skip


@pytest.mark.parametrize("args", [("status",), ("query", "SELECT 1", "--format", "xml")])
def test_a_process_of_its_own_says_the_same(args: tuple[str, ...], firm: Company) -> None:
    """Else the tests of this folder, most of which call commands in this process, would prove another program."""
    import ai_usage.runs.execution  # noqa: F401 (what a command imports anew is there before)

    before = _around()
    here = firm.cli(*args, AI_USAGE_LOG_FORMAT="json")
    assert _around() == before
    there = firm.process(*args, AI_USAGE_LOG_FORMAT="json")
    assert (here.returncode, here.stdout, here.stderr) == (there.returncode, there.stdout, there.stderr)
    assert here.stdout + here.stderr


# Doctor -------------------------------------------------------------------------------------------------------------


def bad(firm: Company, *needed: str, **changes: object) -> None:
    """`examine` finds it bad in one sentence with those words. (The command that prints it is run by the first three tests.)"""
    with firm.runtime(**changes) as runtime:
        found = [f for f in examine(runtime) if f.state == "bad"]
    sentences = [f"{f.what}: {f.sentence}" for f in found]
    assert all(KEY not in s and "\n" not in s and s.rstrip().endswith(".") for s in sentences), sentences
    assert [s for s in sentences if all(n.lower() in s.lower() for n in needed)], sentences


def test_doctor_when_all_is_well(firm: Company) -> None:
    done = firm.cli("doctor")
    said = plain(done.stdout)
    assert done.returncode == 0, said
    found = {line.partition(":")[0].split(None, 1)[1]: line.split()[0] for line in said.splitlines()}
    assert {what: found.pop(what, None) for what in ("data folder", "warehouse", "Cursor", "clock", "Google Sheet")} == dict.fromkeys(
        ("data folder", "warehouse", "Cursor", "clock", "Google Sheet"), "ok"
    )
    assert found.pop("CURSOR_ADMIN_API_KEY") == "ok", "where the key comes from"
    assert set(found.values()) <= {"off"}, f"{found}: a vendor that has no key here is off"
    assert KEY not in said


def test_doctor_says_what_is_off(firm: Company) -> None:
    done = firm.cli("doctor", CURSOR_ADMIN_API_KEY=None, AI_USAGE_SHEET_ID=None)
    assert done.returncode == 0
    assert plain(done.stdout).count("off") >= 2 and "CURSOR_ADMIN_API_KEY" in done.stdout and "AI_USAGE_SHEET_ID" in done.stdout


def test_a_misspelled_setting_stops_every_command(firm: Company) -> None:
    for command in (["doctor"], ["run"], ["query", "SELECT 1"]):
        done = firm.cli(*command, AI_USAGE_STRT_DATE="2026-11-01")
        assert done.returncode == 1
        assert "AI_USAGE_STRT_DATE is not a setting; did you mean AI_USAGE_START_DATE?" in done.stderr


def test_doctor_finds_a_wrong_key(firm: Company) -> None:
    done = firm.cli("doctor", CURSOR_ADMIN_API_KEY="wrong-" + KEY)
    [line] = [line for line in plain(done.stdout).splitlines() if line.startswith("bad")]
    assert (
        done.returncode == 1
        and "Cursor" in line
        and "401" in line
        and "CURSOR_ADMIN_API_KEY" in line
        and KEY not in done.stdout + done.stderr
    )


def test_doctor_finds_a_key_that_may_not(firm: Company) -> None:
    firm.sim.add_fault(Fault("403", PATHS["members"], times=None))
    firm.sim.add_fault(Fault("403", PATHS["sheet"], times=None))
    try:
        bad(firm, "Cursor", "403", "administrator")
        bad(firm, "Sheet", "403", "share")
    finally:
        firm.sim.clear_faults()


def test_doctor_finds_unreachable_hosts(firm: Company) -> None:
    with nobody() as address:
        bad(firm, "Cursor", "refused", cursor_base_url=address, http_patience_s=0.3)
        bad(firm, "clock", cursor_base_url=address, sheets_base_url=address, http_patience_s=0.3)
        bad(firm, "Sheet", "refused", sheets_base_url=address, http_patience_s=0.3)
    bad(firm, "Cursor", "resolved", cursor_base_url="https://no-such-host.invalid", http_patience_s=0.3)


def test_doctor_finds_the_sheets_troubles(firm: Company, tmp_path: Path) -> None:
    bad(firm, "Sheet", "another", "AI_USAGE_SHEET_ID", sheet_id="another")
    bad(firm, "Sheet", "GOOGLE_APPLICATION_CREDENTIALS", "no such file", google_application_credentials=tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    bad(firm, "Sheet", "service account", google_application_credentials=tmp_path / "bad.json")
    kept = firm.world.sheet.tab("api_keys")
    firm.world.sheet.drop_tab("api_keys")
    try:
        bad(firm, "Sheet", "api_keys", "add it")
    finally:
        firm.world.sheet._tabs.insert(0, kept)


def test_doctor_finds_a_folder_that_cannot_be_written(firm: Company, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    bad(firm, "data folder", "AI_USAGE_DATA_DIR", data_dir=tmp_path / "file" / "data")


def test_doctor_finds_a_locked_warehouse(firm: Company) -> None:
    with held(firm.db):
        done = firm.cli("doctor", AI_USAGE_DUCKDB_LOCK_WAIT_S="0.5")
    [line] = [line for line in plain(done.stdout).splitlines() if line.startswith("bad")]
    assert done.returncode == 1 and "warehouse" in line and "another process" in line


def test_doctor_finds_a_file_that_is_no_warehouse(firm: Company, tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("no database")
    bad(firm, "warehouse", "AI_USAGE_DUCKDB_PATH", duckdb_path=tmp_path / "x.duckdb")


def test_days_are_those_of_the_fixture() -> None:
    assert (DAYS[0], DAYS[-1]) == (FIRST, LAST)
