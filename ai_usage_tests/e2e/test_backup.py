"""Backup, loss, restore, and the next day on what was restored: by the real commands."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ai_usage import tables
from ai_usage_tests.fixtures.company import (
    KEY,
    LAST,
    Company,
    assert_books,
    assert_same,
    assert_sentence,
    company,
    new_world,
    opened,
    plain,
    rows,
    snapshot,
)

BEGIN = LAST - timedelta(days=3)


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """All days but the last; a file was loaded, and one waits."""
    with company(tmp_path_factory.mktemp("backup"), new_world(first_day=BEGIN), empty=True) as found:
        found.load(BEGIN, LAST - timedelta(days=1))
        assert found.cli("status").returncode == 0  # makes Dagster's databases
        (found.data / "uploads" / "loaded").mkdir(parents=True)
        (found.data / "uploads" / "loaded" / "old.csv").write_text("a\n1\n")
        (found.data / "uploads" / "cursor_members-2.txt").write_text("waits")
        (found.data / "spool" / "broken.ndjson.zst.part").write_bytes(b"half")
        yield found


@pytest.fixture(scope="module")
def backup(firm: Company) -> Path:
    done = firm.cli("backup", str(firm.folder / "safe"))
    assert done.returncode == 0, plain(done.stderr)
    [made] = (firm.folder / "safe").iterdir()
    assert plain(done.stdout).startswith(str(made)) and made.stat().st_mode & 0o077 == 0
    return made


def contents(db: Path) -> dict[str, list[str]]:
    """Every stored table to the last digit, clocks and identities included."""
    with opened(db) as con:
        return {t.name: sorted(map(repr, con.execute(f"SELECT * FROM {t.name}").fetchall())) for t in tables.ALL if not t.view}


def files(data: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(data)): p.read_bytes()
        for top in ("spool", "uploads")
        for p in (data / top).rglob("*")
        if p.is_file() and p.suffix != ".part"
    }


def test_a_backup_says_what_it_holds_and_holds_no_key(backup: Path) -> None:
    said = json.loads((backup / "manifest.json").read_text())
    assert said["rows"]["fct_cost_daily"] > 0 and set(said["rows"]) == {t.name for t in tables.ALL if not t.view}
    held = {str(p.relative_to(backup)) for p in backup.rglob("*") if p.is_file()} - {"manifest.json"}
    assert set(said["files"]) == held >= {"ai_usage.duckdb", "uploads/loaded/old.csv", "dagster/dagster.yaml", "dagster/history/runs.db"}
    assert not [name for name in held if name.endswith((".part", "-wal", ".env"))]
    assert not [p for p in backup.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


def test_a_damaged_backup_is_refused_before_anything_is_written(backup: Path, firm: Company, tmp_path: Path) -> None:
    damaged, empty = tmp_path / "damaged", tmp_path / "data"
    shutil.copytree(backup, damaged)
    with (damaged / "ai_usage.duckdb").open("r+b") as file:
        file.seek(9000)
        file.write(b"\xff\x00\xff")
    assert_sentence(
        firm.cli("restore", str(damaged), AI_USAGE_DATA_DIR=str(empty)), "ai_usage.duckdb", "missing or damaged", "take another backup"
    )
    (damaged / "ai_usage.duckdb").unlink()
    assert_sentence(firm.cli("restore", str(damaged), AI_USAGE_DATA_DIR=str(empty)), "missing or damaged")
    (damaged / "manifest.json").unlink()
    assert_sentence(firm.cli("restore", str(damaged), AI_USAGE_DATA_DIR=str(empty)), "is no backup")
    assert not empty.exists()


def test_nothing_is_overwritten(backup: Path, firm: Company) -> None:
    before = firm.db.read_bytes()
    assert_sentence(firm.cli("restore", str(backup)), "is there already", "move it away first")
    assert firm.db.read_bytes() == before


def test_a_backup_into_itself_and_of_nothing(firm: Company, tmp_path: Path) -> None:
    assert_sentence(firm.cli("backup", str(firm.data / "spool" / "b")), "lies inside a folder that is backed up")
    said = assert_sentence(firm.cli("backup", str(tmp_path / "safe"), AI_USAGE_DATA_DIR=str(tmp_path / "none")), "to back up")
    assert "run `ai-usage run` first" in said and not list((tmp_path / "safe").glob("*"))


def test_what_is_lost_comes_back_to_the_last_digit_and_the_next_day_runs_on_it(firm: Company, backup: Path) -> None:
    before, evidence, marts = contents(firm.db), files(firm.data), snapshot(firm.db)
    assert sum(map(len, before.values())) > 250 and len(evidence) > 15
    with sqlite3.connect(firm.home / "history" / "runs.db") as con:
        con.execute("CREATE TABLE planted AS SELECT 7 AS seven")
    shutil.rmtree(backup)
    assert firm.cli("backup", str(backup.parent)).returncode == 0
    [backup] = backup.parent.iterdir()
    shutil.rmtree(firm.data)
    done = firm.cli("restore", str(backup))
    assert done.returncode == 0, plain(done.stderr)
    assert contents(firm.db) == before and files(firm.data) == evidence
    assert_same(snapshot(firm.db), marts, "marts")
    assert sqlite3.connect(firm.home / "history" / "runs.db").execute("SELECT seven FROM planted").fetchall() == [(7,)]
    fetched = len(before["raw_fetches"])
    firm.load(BEGIN, LAST)
    assert_books(firm.db, firm.world, BEGIN)
    [(changed, asked)] = rows(
        firm.db,
        "SELECT count(*) FILTER (changed AND usage_date < ?), count(*) FROM raw_fetches WHERE endpoint = 'filtered-usage-events'",
        [LAST],
    )
    assert changed == 3 and asked == 3 + 4, "the days of the backup are known again: nothing of them was loaded twice"
    assert len(contents(firm.db)["raw_fetches"]) > fetched
