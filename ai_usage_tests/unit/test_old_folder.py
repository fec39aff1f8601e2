"""A data folder of an earlier version works on: its warehouse by the documented command, and its DAGSTER_HOME as it is.

`fixtures/before/390f086.tar.xz` was made by that version's `ai-usage demo`: 27 to 30 November 2026, three people, of whom two used included
requests that bear a price tag, as live accounts send them. That version billed them, and noticed itself that its total was not the simulator's.
Belongs here: what an upgrade does to it. Does not belong here: how each rule of an upgrade works (`test_upgrade.py`).
"""

from __future__ import annotations

import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from ai_usage.cli.app import app
from ai_usage.runs.execution import instance
from ai_usage.settings import load_settings

ARCHIVE = Path(__file__).parents[1] / "fixtures/before/390f086.tar.xz"
COST = "SELECT source, platform, SUM(cost_usd) FROM fct_cost_daily GROUP BY ALL ORDER BY ALL"
USE = "SELECT source, usage_date, SUM(requests), SUM(input_tokens), SUM(output_tokens), SUM(loc_accepted) FROM fct_usage_daily GROUP BY ALL ORDER BY ALL"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AI_USAGE_START_DATE", "2026-11-27")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path


def asked(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "ai_usage.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_a_folder_of_before_works_on(folder: Path) -> None:
    # By hand from the raw rows: what is billed is Usage-based, and what bears a price tag and is included is not.
    events = {
        (kind, tag): usd
        for kind, tag, usd in asked(folder, "SELECT kind, is_chargeable, SUM(charged_usd) FROM raw_cursor_events GROUP BY ALL")
    }
    billed, tagged = events["Usage-based", True], events["Included in Business", True]
    tags = "SELECT usage_date FROM raw_cursor_events WHERE is_chargeable AND kind = 'Included in Business'"
    [(days, was)] = asked(
        folder, f"SELECT COUNT(DISTINCT usage_date), SUM(charged_usd) FROM raw_cursor_events WHERE is_chargeable AND usage_date IN ({tags})"
    )
    before, use = asked(folder, COST), asked(folder, USE)
    assert {s: usd for s, _, usd in before if s == "cursor_events"} == {"cursor_events": billed + tagged} and tagged > 0

    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0, done.output
    assert f"{days} days moved, {was:f} USD before, {was - tagged:f} USD now" in " ".join(done.output.split())

    assert asked(folder, COST) == [(s, p, billed if s == "cursor_events" else usd) for s, p, usd in before], "no other figure moves"
    assert asked(folder, USE) == use
    moved = asked(folder, "SELECT source, changed_by, SUM(change_usd) FROM vw_restatements WHERE change_usd != 0 GROUP BY ALL")
    assert moved == [("cursor", "rule", -tagged)]
    assert asked(folder, "SELECT SUM(cost_usd) FROM vw_cost_months") == [(sum((usd for *_, usd in before), Decimal(0)) - tagged,)]
    assert asked(folder, "SELECT COUNT(*) FROM held_back") == [(0,)]

    copied = (folder / "dagster" / "dagster.yaml").read_bytes()
    with instance(load_settings()) as dagster:
        assert type(dagster.run_launcher).__name__ == "WatchfulRunLauncher", "the copied file names the old module"
        [run] = dagster.get_runs()
        assert run.job_name == "daily" and run.is_success
    assert (folder / "dagster" / "dagster.yaml").read_bytes() == copied
