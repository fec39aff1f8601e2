"""When something is wrong: one clear sentence on standard error, a non-zero exit, and tables as they were."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from ai_usage.operations.uploads import load_uploads
from ai_usage.simulator import Fault
from ai_usage.simulator.events import day_start
from ai_usage_tests.fixtures.company import (
    DAYS,
    KEY,
    LAST,
    MARTS,
    PATHS,
    Company,
    Prepared,
    assert_books,
    assert_same,
    assert_sentence,
    build,
    company,
    held,
    load_raw,
    new_world,
    nobody,
    plain,
    rows,
    snapshot,
    stored,
)  # fmt: skip


@pytest.fixture
def firm(tmp_path: Path, prepared: Prepared) -> Iterator[Company]:
    """A company that holds its ten days, of which the vendor has just restated one."""
    with company(tmp_path, data=prepared.data) as found:
        found.world.restate(DAYS[3], "up")
        yield found


def said(done: subprocess.CompletedProcess[str]) -> str:
    return plain(done.stderr)


def facts(db: Path) -> dict[str, list[str]]:
    return snapshot(
        db, only=("fct_cost_daily", "fct_usage_daily", "dim_users", "dim_user_assignments", "raw_cursor_events", "vw_restatements")
    )


def billed(db: Path) -> dict[date, Decimal]:
    return dict(rows(db, "SELECT cost_date, SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage' GROUP BY 1"))


def test_a_wrong_key_and_an_unreachable_host(firm: Company) -> None:
    before = facts(firm.db)
    with nobody() as address:
        done = firm.run_to_facts(CURSOR_ADMIN_API_KEY="wrong-" + KEY, AI_USAGE_SHEETS_BASE_URL=address, AI_USAGE_HTTP_PATIENCE_S="1")
    assert_sentence(done, "raw_cursor_events", "401", "CURSOR_ADMIN_API_KEY")
    assert_sentence(done, "raw_sheet_people", "connection was refused", "base URL")
    assert facts(firm.db) == before
    # Asset by asset, not again and again: one refused request each, or one for each window in flight.
    assert len(firm.sim.log) <= 12


def test_a_moved_column_a_missing_tab_and_an_api_that_is_down_with_its_file(firm: Company) -> None:
    """The sheet lost a required column and the required tab: both are named, the other tabs are read, no department is lost. The events' API answers 500,
    and somebody dropped the file of a day that it never gave: the fetch fails, the file is read all the same, the exit says that the API failed. (Cursor
    read while the sheet is down: test_source_down.py.)"""
    before = facts(firm.db)
    firm.world.sheet.rename_column("people", "email", "mail address")
    firm.world.sheet.drop_tab("api_keys")
    drop = firm.data / "uploads"
    drop.mkdir(exist_ok=True)
    with contextlib.closing(duckdb.connect(str(firm.db))) as con:
        con.execute("DELETE FROM raw_fetches WHERE endpoint = 'filtered-usage-events' AND usage_date = ?", [DAYS[5]])
        con.execute("DELETE FROM raw_cursor_events WHERE usage_date = ?", [DAYS[5]])
        con.execute("DELETE FROM fct_cost_daily WHERE cost_date = ?", [DAYS[5]])
    lines = ["timestamp,userEmail,isChargeable,chargedCents,model,kind"]
    lines += [
        f'{e.ts},{e.email or ""},{str(e.chargeable).lower()},{Decimal(e.charged).scaleb(-6):f},{e.model},"{e.kind}"'
        for e in firm.world.day(DAYS[5]).events
    ]
    (drop / "cursor_events-one-day.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    firm.sim.add_fault(Fault("500", PATHS["filtered-usage-events"], times=None))
    done = firm.run_to_facts(AI_USAGE_HTTP_PATIENCE_S="0.5")
    assert_sentence(done, "people", "'email'", "row 1")
    assert_sentence(done, "api_keys", "add it")
    assert_sentence(done, "failed raw_cursor_events", "500")
    after = facts(firm.db)
    for name in ("dim_user_assignments", "dim_users"):
        assert after[name] == before[name], name
    failed = rows(firm.db, "SELECT DISTINCT endpoint FROM raw_fetches WHERE state = 'failed' ORDER BY 1")
    assert failed == [("api_keys",), ("filtered-usage-events",), ("people",)]
    assert rows(
        firm.db, "SELECT origin, row_count FROM stg_current_fetches WHERE endpoint = 'filtered-usage-events' AND usage_date = ?", [DAYS[5]]
    ) == [("upload", len(lines) - 1)]
    assert billed(firm.db)[DAYS[5]] == firm.world.truth.billed_usd_by_day()[DAYS[5]], "what the file says counts in the same command"


def test_a_locked_database_file(firm: Company) -> None:
    before = facts(firm.db)
    with held(firm.db) as pid:
        done = firm.run(AI_USAGE_DUCKDB_LOCK_WAIT_S="0.3")
    line = assert_sentence(done, "held by another process")
    assert str(pid) in line and "AI_USAGE_DUCKDB_LOCK_WAIT_S" in line
    assert facts(firm.db) == before


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size, which needs root."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # gone from the tree now, whoever still holds a file on it


def fill(folder: Path, leave: int) -> Path:
    """Take all room but `leave` bytes."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    size = max(0, free.f_bavail * free.f_frsize - leave)
    with filler.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, max(1, size - size % 4096))
    return filler


def test_a_full_disk_under_the_database(firm: Company, prepared: Prepared, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        firm.settings["AI_USAGE_DUCKDB_PATH"] = str(disk / "w.duckdb")
        firm.db.write_bytes(prepared.db.read_bytes())
        small = ("raw_cursor_spend", *MARTS)  # a snapshot of a few rows may find room, and waits for no other endpoint; marts are views
        before = snapshot(firm.db, without=small)
        filler = fill(disk, 4096)
        done = firm.run_to_facts()
        assert_sentence(done, "disk", "full")
        filler.unlink()
        assert_same(snapshot(firm.db, without=small), before)
        firm.load()
        assert_books(firm.db, firm.world)


def test_a_full_disk_under_the_data_folder(firm: Company, prepared: Prepared, tmp_path: Path) -> None:
    """Pages, logs and the database all lie on it."""
    with small_disk(tmp_path / "disk", 64) as disk:
        firm.settings["AI_USAGE_DATA_DIR"] = str(disk / "data")
        firm.data = disk / "data"
        firm.data.mkdir()
        firm.db.write_bytes(prepared.db.read_bytes())
        before = snapshot(firm.db, without=MARTS)
        fill(disk, 8192)
        done = firm.run()
        assert_sentence(done, "disk")
        assert_same(snapshot(firm.db, without=MARTS), before)


def test_a_folder_that_cannot_be_written(firm: Company, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    assert_sentence(firm.run(AI_USAGE_DATA_DIR=str(tmp_path / "file" / "data")), "file")


def test_no_source_is_on(firm: Company) -> None:
    before = stored(firm.db)
    done = firm.run(CURSOR_ADMIN_API_KEY=None, AI_USAGE_SHEET_ID=None)
    assert_sentence(done, "no source is on", "CURSOR_ADMIN_API_KEY", "AI_USAGE_SHEET_ID")
    assert_same(stored(firm.db), before)


FEW = DAYS[-3:]


def test_cursor_is_off(tmp_path: Path) -> None:
    with company(tmp_path, new_world(first_day=FEW[0]), empty=True) as found:
        done = found.run_to_facts(FEW[0], CURSOR_ADMIN_API_KEY=None)
        assert done.returncode == 0, said(done)
        assert "Cursor is off: CURSOR_ADMIN_API_KEY is not set." in said(done)
        assert not found.log("/teams")
        held = rows(found.db, "SELECT cost_date, platform, SUM(cost_usd) FROM fct_cost_daily GROUP BY ALL")
        assert {(d, p): v for d, p, v in held} == {k: v for k, v in found.world.truth.subscription_usd_by_day().items() if v}


def test_the_sheet_is_off(tmp_path: Path) -> None:
    with company(tmp_path, new_world(first_day=FEW[0]), empty=True) as found:
        done = found.run_to_facts(FEW[0], AI_USAGE_SHEET_ID=None)
        assert done.returncode == 0, said(done)
        assert "The Google Sheet is off: AI_USAGE_SHEET_ID is not set." in said(done)
        assert not found.log("/v4")
        billed = dict(rows(found.db, "SELECT cost_date, SUM(cost_usd) FROM fct_cost_daily GROUP BY 1"))
        assert billed == found.world.truth.billed_usd_by_day()
        assert rows(found.db, "SELECT DISTINCT department FROM vw_cost_allocation") == [("(no department)",)]


def test_lost_rows_keep_their_day_as_it_was_and_hidden_money_is_named(firm: Company) -> None:
    """One record says "n/a" cents, which is named and stops nothing; somebody deleted rows by hand, so that day's facts stay as they were, the day and the
    source are named, and the day that the vendor restated follows all the same."""
    with contextlib.closing(duckdb.connect(str(firm.db))) as con:
        con.execute("DELETE FROM raw_cursor_usage WHERE usage_date = ?", [DAYS[6]])
    before = facts(firm.db)
    firm.sim.add_fault(
        Fault("malformed_record", PATHS["filtered-usage-events"], field="chargedCents", match={"startDate": day_start(DAYS[5])})
    )
    done = firm.run_to_facts()
    assert_sentence(done, "raw_cursor_events/money_readable")
    assert_sentence(done, "raw_cursor_usage/versions_are_whole")
    line = assert_sentence(done, "fct_usage_daily/days_proved", "expected 10, found 9")
    assert f"cursor/daily-usage-data of {DAYS[6]} has 0 rows" in line and "restore the warehouse from backup" in line
    assert_sentence(done, "fct_cost_daily/days_proved", str(DAYS[6]))
    after = facts(firm.db)
    for name in ("fct_cost_daily", "fct_usage_daily"):
        of_day = [[row for row in held[name] if repr(DAYS[6]) in row] for held in (before, after)]
        assert of_day[0] == of_day[1] != [], name
    truth = firm.world.truth.billed_usd_by_day()
    assert {d: usd for d, usd in billed(firm.db).items() if d != DAYS[5]} == {d: usd for d, usd in truth.items() if d != DAYS[5]}


def test_files_stand_in_for_an_api_that_is_down(tmp_path: Path) -> None:
    """Events of two days from CSV while the API answers 500; when it is back, its own answer supersedes the files."""
    with company(tmp_path, new_world(first_day=DAYS[6]), empty=True) as found:
        first, last = DAYS[7], DAYS[8]
        found.load(DAYS[6], DAYS[6])
        drop = found.data / "uploads"
        drop.mkdir(parents=True)
        billed = found.world.truth.billed_usd_by_day_user(first, last)
        lines = ["timestamp,userEmail,isChargeable,chargedCents,model,kind"]
        for day in (first, last):
            for event in found.world.day(day).events:
                cents = Decimal(event.charged).scaleb(-6)
                lines.append(f'{event.ts},{event.email or ""},{str(event.chargeable).lower()},{cents:f},{event.model},"{event.kind}"')
        (drop / "cursor_events-two-days.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (drop / "cursor_events-broken.csv").write_text("when,who\n1,2\n", encoding="utf-8")
        found.sim.add_fault(Fault("500", PATHS["filtered-usage-events"], times=None))
        with found.runtime(http_patience_s=0.5) as runtime:
            reports = load_raw(runtime, first, last)
            assert reports["filtered-usage-events"].failures
            outcomes = {o.file: o for o in load_uploads(runtime)}
            build(runtime, first, last)
        assert outcomes["cursor_events-two-days.csv"].reason is None and outcomes["cursor_events-two-days.csv"].rows == len(lines) - 1
        refused = outcomes["cursor_events-broken.csv"].reason
        assert refused and "timestamp" in refused
        assert {re.sub(r"^[\dT]+-", "", p.name) for p in drop.glob("*/*")} == {
            "cursor_events-two-days.csv",
            "cursor_events-broken.csv",
            "cursor_events-broken.txt",
        }
        held = rows(
            found.db,
            f"SELECT cost_date, user_email, SUM(cost_usd) FROM fct_cost_daily WHERE "
            f"cost_type = 'usage' AND cost_date BETWEEN '{first}' AND '{last}' GROUP BY ALL",
        )
        assert {(d, e): v for d, e, v in held} == billed
        assert set(
            rows(
                found.db,
                f"SELECT origin FROM stg_current_fetches WHERE endpoint = "
                f"'filtered-usage-events' AND usage_date BETWEEN '{first}' AND '{last}'",
            )
        ) == {("upload",)}
        found.sim.clear_faults()
        found.load(DAYS[6], LAST)
        assert_books(found.db, found.world, DAYS[6])
        assert set(rows(found.db, "SELECT origin FROM stg_current_fetches WHERE endpoint = 'filtered-usage-events'")) == {("api",)}


def test_the_demo_empties_no_folder_that_it_did_not_make(tmp_path: Path) -> None:
    """`test_wheel.py` runs a whole one."""
    with company(tmp_path) as found:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "precious").write_text("x")
        assert_sentence(
            found.process("demo", "--days", "5", "--data-dir", str(tmp_path / "mine"), **dict.fromkeys(found.settings)), "--data-dir"
        )
        assert (tmp_path / "mine" / "precious").exists()
