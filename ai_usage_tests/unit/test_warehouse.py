"""DuckDB as the warehouse: short holds, bounded waits, whole transactions, one clear sentence for what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ai_usage import tables
from ai_usage.tables.schema import Column, Type
from ai_usage.warehouse import DuckDBWarehouse, Fact, WarehouseBusyError, WarehouseError, WarehouseFullError, models
from ai_usage_tests.fixtures.desk import NOON, Desk

HOLDER = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
con.close()
print("released", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(desk: Desk):
    """A real second process that holds the file until it is told to let go."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(desk.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_wait_for_the_lock_is_bounded_and_its_end_names_the_holder(desk: Desk, holder: subprocess.Popen) -> None:
    impatient = DuckDBWarehouse(desk.path, lock_wait_s=0.3)
    begun = time.monotonic()
    with pytest.raises(WarehouseBusyError) as caught:
        impatient.select("SELECT 1")
    assert time.monotonic() - begun < 30
    said = str(caught.value)
    assert str(holder.pid) in said and str(desk.path) in said and "AI_USAGE_DUCKDB_LOCK_WAIT_S" in said and "\n" not in said


def test_a_lock_that_is_let_go_in_time_costs_nothing_but_the_wait(desk: Desk, holder: subprocess.Popen) -> None:

    patient = DuckDBWarehouse(desk.path, lock_wait_s=30)
    answers: list = []
    asking = threading.Thread(target=lambda: answers.append(patient.select("SELECT COUNT(*) AS n FROM raw_fetches").to_pylist()))
    asking.start()
    assert holder.stdin
    holder.stdin.write("\n")
    holder.stdin.flush()
    asking.join(30)
    assert answers == [[{"n": 0}]]


def test_the_file_is_free_between_calls(desk: Desk) -> None:
    """Opened late and closed early: another process may write between two calls of ours."""
    desk.warehouse.select("SELECT 1")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE other (a INT)')",
            str(desk.path),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


# Transactions ---------------------------------------------------------------------------------------------------------

DAY = date(2026, 11, 1)


def costs(desk: Desk) -> None:
    desk.events(DAY, {"user_email": "a@example.com", "charged_usd": Decimal("0.5")})
    desk.run("fct_cost_daily", DAY, DAY)
    desk.events(DAY, {"user_email": "a@example.com", "charged_usd": Decimal("0.7")}, at=NOON.replace(hour=13))


def replace_costs(desk: Desk, *facts: Fact) -> int:
    model = models.model("fct_cost_daily")
    parameters = {"start_date": DAY, "end_date": DAY, "as_of_date": DAY, "processed_at": NOON}
    return desk.warehouse.replace(model.table, model.sql, parameters, facts)


@pytest.mark.parametrize(
    "difference",
    ["SELECT 1", "SELECT 0, NULL", "SELECT CAST('0.000000001' AS NUMERIC)", "SELECT -1", "SELECT no_such_column FROM raw_fetches"],
)
def test_a_fact_that_fails_rolls_everything_back(desk: Desk, difference: str) -> None:
    """The old rows stand as if nothing had been tried."""
    costs(desk)
    before = desk.ask("SELECT * FROM fct_cost_daily")
    with pytest.raises(WarehouseError):
        replace_costs(desk, Fact("it is so", difference, "Do this."))
    assert desk.ask("SELECT * FROM fct_cost_daily") == before and before[0]["cost_usd"] == Decimal("0.5")


def test_a_failing_fact_says_what_by_how_much_and_what_to_do(desk: Desk) -> None:
    costs(desk)
    with pytest.raises(
        WarehouseError, match=r"^fct_cost_daily: money is kept does not hold, the difference is 3, 0; nothing was written\. Look there\.$"
    ):
        replace_costs(desk, Fact("money is kept", "SELECT 3, 0", "Look there."))


def test_a_fact_that_holds_lets_the_new_rows_stand(desk: Desk) -> None:
    costs(desk)
    assert (
        replace_costs(
            desk, Fact("day total", "SELECT SUM(cost_usd) - CAST('0.7' AS NUMERIC) FROM fct_cost_daily WHERE cost_date = @start_date", "x")
        )
        == 1
    )
    assert desk.one("SELECT cost_usd FROM fct_cost_daily") == Decimal("0.7")


@pytest.mark.parametrize("difference", ["SELECT x FROM UNNEST([0, 5]) AS x ORDER BY x", "SELECT 0 AS x FROM raw_rejects"])
def test_a_fact_that_proves_nothing_does_not_hold(desk: Desk, difference: str) -> None:
    """A difference in a second row is a difference; no row at all is no proof."""
    costs(desk)
    with pytest.raises(WarehouseError):
        replace_costs(desk, Fact("it is so", difference, "Do this."))


def test_replace_touches_its_day_range_only(desk: Desk) -> None:
    for day in (DAY, date(2026, 11, 2), date(2026, 11, 3)):
        desk.events(day, {"user_email": "a@example.com", "charged_usd": Decimal(1)})
    desk.run("fct_cost_daily", DAY, date(2026, 11, 3))
    desk.events(date(2026, 11, 2), at=NOON.replace(hour=13))  # restated to empty
    assert desk.run("fct_cost_daily", date(2026, 11, 2), date(2026, 11, 2)) == 0
    assert [r["cost_date"] for r in desk.ask("SELECT cost_date FROM fct_cost_daily ORDER BY 1")] == [DAY, date(2026, 11, 3)]


def test_publish_writes_rows_and_fetches_together_or_neither(desk: Desk) -> None:
    """A fetch row that cannot be written takes its raw rows with it."""
    table = tables.BY_NAME["raw_cursor_members"]
    row = {"usage_date": DAY, "fetch_id": "f", "fetched_at": NOON, "ingest_date": DAY, "user_id": "u", "email": "e"}
    data = pa.Table.from_pylist([row], schema=table.arrow_schema())
    broken = pa.table({"fetch_id": ["f"]})
    with pytest.raises(WarehouseError):
        desk.warehouse.publish({table: data}, broken)
    assert desk.one("SELECT COUNT(*) FROM raw_cursor_members") == 0


def test_rows_of_an_unpublished_fetch_are_invisible_downstream(desk: Desk) -> None:
    """What a crash between the two writes would leave on an engine without transactions."""
    desk.lay("raw_cursor_events", {"usage_date": DAY, "fetch_id": "orphan", "charged_usd": Decimal(9)})
    desk.events(DAY, {"user_email": "a@example.com", "charged_usd": Decimal(1)})
    desk.run("fct_cost_daily", DAY, DAY)
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cost") == 1 == desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily")


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM raw_fetches WHERE TRUE",
        "DROP TABLE raw_fetches",
        "CREATE TABLE t AS SELECT 1 AS a",
        "INSERT INTO raw_rejects SELECT * FROM raw_rejects",
        "UPDATE raw_fetches SET state = 'x' WHERE TRUE",
    ],
)
def test_select_refuses_to_write(desk: Desk, sql: str) -> None:
    with pytest.raises(WarehouseError, match="only a SELECT"):
        desk.warehouse.select(sql)


def test_a_missing_parameter_is_named(desk: Desk) -> None:
    with pytest.raises(WarehouseError, match="@last"):
        desk.warehouse.select("SELECT @first, @last", {"first": 1})
    with pytest.raises(WarehouseError, match="@start_date"):
        model = models.model("fct_cost_daily")
        desk.warehouse.replace(model.table, model.sql, {"end_date": DAY, "as_of_date": DAY, "processed_at": NOON})


def test_a_mistake_in_sql_is_one_sentence(desk: Desk) -> None:
    for sql in ("SELECT nothing FROM raw_fetches", "SELECT 1 FROM nowhere"):
        with pytest.raises(WarehouseError) as caught:
            desk.warehouse.select(sql)
        assert "\n" not in str(caught.value)


def test_decimals_and_sums_of_counts_leave_exactly(desk: Desk) -> None:
    """No float on the way out: NUMERIC stays Decimal, SUM of INT64 stays int."""
    desk.lay(
        "raw_cursor_events",
        *({"usage_date": DAY, "fetch_id": "f", "charged_usd": Decimal("0.1"), "input_tokens": 2**53 + 1} for _ in range(3)),
    )
    (row,) = desk.ask("SELECT SUM(charged_usd) AS usd, SUM(input_tokens) AS n FROM raw_cursor_events")
    assert row == {"usd": Decimal("0.3"), "n": 3 * (2**53 + 1)}


def test_reading_before_the_first_run_says_what_to_do(tmp_path) -> None:
    with pytest.raises(WarehouseError, match=r"no warehouse at .*run"):
        DuckDBWarehouse(tmp_path / "none.duckdb").select("SELECT 1")
    assert not (tmp_path / "none.duckdb").exists()


# The file -------------------------------------------------------------------------------------------------------------


def test_a_corrupted_file_is_named_and_not_overwritten(tmp_path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_bytes(b"this is no database" * 1000)
    for call in (lambda w: w.ensure(), lambda w: w.select("SELECT 1")):
        with pytest.raises(WarehouseError) as caught:
            call(DuckDBWarehouse(path))
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_bytes() == b"this is no database" * 1000


def test_a_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WarehouseError, match="AI_USAGE_DUCKDB_PATH"):
        DuckDBWarehouse(tmp_path / "file" / "w.duckdb").ensure()


def test_ensure_twice_changes_nothing(desk: Desk) -> None:
    def everything() -> list:
        with duckdb.connect(str(desk.path), read_only=True) as con:
            return con.execute(
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns ORDER BY ALL"
            ).fetchall()

    before = everything()
    DuckDBWarehouse(desk.path).ensure()
    assert everything() == before
    assert {row[0] for row in before} == set(tables.BY_NAME)


def older(desk: Desk, *statements: str) -> None:
    """Make the file look as an older version left it: another stamp."""
    with duckdb.connect(str(desk.path)) as con:
        for statement in statements:
            con.execute(statement)
        con.execute("COMMENT ON TABLE raw_fetches IS 'older'")


def test_a_new_nullable_column_is_added_and_old_rows_keep_their_values(desk: Desk) -> None:
    """An older file gains the column with NULL: what was not asked is not known."""
    desk.lay("fct_cost_daily", {"cost_usd": Decimal(1), "model": "m"})
    views = [t.name for t in tables.ALL if t.view]
    older(desk, *(f'DROP VIEW IF EXISTS "{v}"' for v in views), 'ALTER TABLE fct_cost_daily DROP COLUMN "model"')
    DuckDBWarehouse(desk.path).ensure()
    (row,) = desk.ask("SELECT cost_usd, model FROM fct_cost_daily")
    assert row == {"cost_usd": 1, "model": None}
    assert desk.ask("SELECT * FROM vw_cost_allocation")[0]["cost_usd"] == 1, "views are there again"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ('ALTER TABLE raw_cursor_members DROP COLUMN "email"', "raw_cursor_members lacks the required column email"),
        ('ALTER TABLE raw_cursor_members ALTER "is_removed" TYPE VARCHAR', "raw_cursor_members.is_removed is VARCHAR where BOOLEAN"),
    ],
)
def test_a_change_that_cannot_be_migrated_is_refused_whole(desk: Desk, statement: str, says: str) -> None:
    older(desk, *(f'DROP VIEW IF EXISTS "{t.name}"' for t in tables.ALL if t.view), statement)
    with pytest.raises(WarehouseError, match=says):
        DuckDBWarehouse(desk.path).ensure()
    with duckdb.connect(str(desk.path), read_only=True) as con:
        assert con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'raw_fetches'").fetchall() == [("older",)]
        assert not con.execute("SELECT * FROM duckdb_views() WHERE NOT internal").fetchall(), "nothing half-migrated"


def test_a_declaration_that_changes_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a new column would never reach an old file."""
    before = models.fingerprint()
    changed = replace(tables.ALL[0], columns=(*tables.ALL[0].columns, Column("further", Type.STRING, "Further.")))
    monkeypatch.setattr(tables, "ALL", (changed, *tables.ALL[1:]))
    assert models.fingerprint.__wrapped__() != before


def test_a_full_disk_is_named_and_the_same_call_succeeds_when_there_is_room(desk: Desk, tmp_path: Path) -> None:
    """On a real disk of 40 MB: what could not be written is not half-written, and the error's class says that trying again may help."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        warehouse = DuckDBWarehouse(disk / "w.duckdb")
        warehouse.ensure()
        change = "INSERT INTO dim_users (user_id, email, created_at, updated_at) SELECT x, x, @at, @at FROM UNNEST(GENERATE_ARRAY(1, 200000)) AS n, "
        change += "UNNEST([TO_HEX(SHA256(CONCAT('a', FORMAT_DATE('%Y%m%d', DATE_ADD(DATE '1000-01-01', INTERVAL n DAY)))))]) AS x"
        stat = os.statvfs(disk)
        with (disk / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - 20_000)
        with pytest.raises(WarehouseFullError, match="the disk seems full .*free space and run again, nothing is half-written"):
            warehouse.execute(change, {"at": NOON})
        (disk / "ballast").unlink()
        assert warehouse.select("SELECT COUNT(*) AS n FROM dim_users")["n"].to_pylist() == [0]
        warehouse.execute(change, {"at": NOON})
        assert warehouse.select("SELECT COUNT(*) AS n FROM dim_users")["n"].to_pylist() == [200_000]
    finally:
        subprocess.run(["umount", str(disk)], check=False)
