"""DuckDB's file stays open between the calls of a run, and others get it all the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ai_usage.warehouse import DuckDBWarehouse, WarehouseError
from ai_usage.warehouse import duckdb_file as engine
from ai_usage_tests.fixtures.company import wait_until
from ai_usage_tests.fixtures.desk import Desk

ASK = "SELECT COUNT(*) AS n FROM raw_fetches"
OTHER = """
import sys
from pathlib import Path
from ai_usage.warehouse import DuckDBWarehouse
print(DuckDBWarehouse(Path(sys.argv[1])).select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py())
"""


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    """A desk that holds nothing by itself."""
    made = new_desk()
    assert made.path.exists()
    return made


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whether each opening is for reading only, as they happen."""
    made: list[Any] = []
    connect = DuckDBWarehouse._connect

    def counted(self: DuckDBWarehouse, read_only: bool) -> Any:
        made.append(read_only)
        return connect(self, read_only)

    monkeypatch.setattr(DuckDBWarehouse, "_connect", counted)
    monkeypatch.setattr(engine, "HOLD_S", 600.0)
    monkeypatch.setattr(engine, "IDLE_S", 600.0)
    return made


def is_free(path: Path) -> bool:
    try:
        duckdb.connect(str(path), read_only=True).close()  # another configuration than ours, so refused while ours is open
    except duckdb.Error:
        return False
    return True


def test_many_calls_open_once_and_a_first_write_once_more(desk: Desk, openings: list[Any]) -> None:
    with desk.warehouse.held():
        for _ in range(3):
            desk.ask(ASK)
        with desk.warehouse.held():
            desk.warehouse.execute("DELETE FROM raw_fetches WHERE TRUE")
        assert desk.one(ASK) == 0 and not is_free(desk.path)
    assert openings == [True, False] and is_free(desk.path)


def test_who_has_written_inside_a_hold_opens_for_writing_at_once(desk: Desk, openings: list[Any]) -> None:
    """Else a run would open the file twice whenever it had let go of it: to read, and then to write."""
    with desk.warehouse.held():
        desk.warehouse.execute("DELETE FROM raw_fetches WHERE TRUE")
        desk.warehouse._let_go()
        assert desk.one(ASK) == 0
        desk.warehouse.execute("DELETE FROM raw_fetches WHERE TRUE")
    desk.ask(ASK)
    assert openings == [False, False, True]


def test_without_a_hold_each_call_opens_and_lets_go(desk: Desk, openings: list[Any]) -> None:
    desk.ask(ASK)
    assert is_free(desk.path)
    desk.ask(ASK)
    assert openings == [True, True]


def test_a_question_cannot_write_or_read_other_files_through_a_file_open_for_writing(
    desk: Desk, openings: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with desk.warehouse.held():
        desk.warehouse.execute("DELETE FROM raw_fetches WHERE TRUE")
        with pytest.raises(WarehouseError, match="read-only"), desk.warehouse._open(read_only=True) as con:
            con.execute("DELETE FROM raw_fetches")
        with pytest.raises(WarehouseError, match="Permission"), desk.warehouse._open() as con:
            con.execute(f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")


def test_another_process_gets_the_file_within_a_hold(desk: Desk, openings: list[Any]) -> None:
    """It says that it waits, and the holder's next call ends the hold. The mark goes when it has been served."""
    with desk.warehouse.held():
        desk.ask(ASK)
        desk.warehouse.execute("DELETE FROM raw_fetches WHERE TRUE")
        other = subprocess.Popen([sys.executable, "-c", OTHER, str(desk.path)], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: desk.warehouse._wanted.exists(), 120, "another process' waiting")
        desk.ask(ASK)
        assert other.communicate(timeout=120)[0].strip() == "0"
    assert not desk.warehouse._wanted.exists()


def test_a_mark_of_a_killed_process_is_not_waited_for(desk: Desk, openings: list[Any]) -> None:
    desk.warehouse._wanted.touch()
    with desk.warehouse.held():
        desk.ask(ASK)
        assert is_free(desk.path)
        os.utime(desk.warehouse._wanted, (time.time() - 60, time.time() - 60))
        desk.ask(ASK)
        assert not is_free(desk.path)


def test_an_idle_hold_and_a_long_one_let_go(desk: Desk, openings: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "IDLE_S", 0.01)
    with desk.warehouse.held():
        desk.ask(ASK)
        wait_until(lambda: is_free(desk.path), 60, "the end of an idle hold")
    monkeypatch.setattr(engine, "IDLE_S", 600.0)
    monkeypatch.setattr(engine, "HOLD_S", 0.0)
    with desk.warehouse.held():
        desk.ask(ASK)
        assert is_free(desk.path)


def test_a_failed_call_opens_anew_and_nothing_of_it_stays(desk: Desk, openings: list[Any]) -> None:
    with desk.warehouse.held():
        with pytest.raises(WarehouseError):
            desk.ask("SELECT 1 / CAST(no_such AS INT64) FROM raw_fetches")
        assert is_free(desk.path)
        assert desk.one(ASK) == 0
    assert openings == [True, True]


def test_a_file_that_was_replaced_is_opened_anew(desk: Desk, openings: list[Any]) -> None:
    with desk.warehouse.held():
        desk.ask(ASK)
        desk.warehouse.compact()
        assert desk.one(ASK) == 0
        other = desk.path.with_name("other.duckdb")
        other.write_bytes(desk.path.read_bytes())
        other.replace(desk.path)
        before = len(openings)
        assert desk.one(ASK) == 0
        assert len(openings) == before + 1


def test_threads_share_a_hold(desk: Desk, openings: list[Any]) -> None:
    found: list[int] = []
    with desk.warehouse.held():
        threads = [threading.Thread(target=lambda: found.append(desk.one(ASK))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [0] * 4 and openings == [True]


def damaged(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    match kind:
        case "cut":
            content = content[: len(content) // 2]
        case "emptied":
            content.clear()
        case "head":
            content[:20_000] = os.urandom(20_000)
        case "middle":  # every block but the first
            content[20_000:] = bytes(len(content) - 20_000)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["cut", "emptied", "head", "middle"])
def test_a_damaged_file_is_named_with_the_remedy(desk: Desk, kind: str) -> None:
    desk.events(date(2026, 11, 1), {"charged_usd": 1})
    damaged(desk.path, kind)
    with pytest.raises(WarehouseError, match=f"^{re.escape(str(desk.path))} is damaged .*`ai-usage restore`"):
        DuckDBWarehouse(desk.path).select("SELECT * FROM raw_cursor_events")


def test_a_declared_table_that_an_earlier_file_lacks_is_made_by_the_upgrade(desk: Desk) -> None:
    """Not "did you mean" the same name."""
    with duckdb.connect(str(desk.path)) as con:
        con.execute("DROP TABLE raw_rejects CASCADE")
    with pytest.raises(WarehouseError, match="does not hold raw_rejects yet, an earlier version made it; `ai-usage upgrade`"):
        DuckDBWarehouse(desk.path).select("SELECT COUNT(*) AS n FROM raw_rejects")
