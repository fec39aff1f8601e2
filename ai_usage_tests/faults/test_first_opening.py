"""Commands that begin at the same moment in a new data folder: Dagster's log is made once, and all of them read it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ai_usage_tests.proving import PROVE

# Everything is imported before the start, so that the openings themselves meet and not the imports.
OPENER = """
import pathlib, sys, time
from ai_usage.runs.execution import instance
from ai_usage.settings import load_settings
settings = load_settings()
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.001)
with instance(settings) as found:
    print(found.get_runs_count(), len(found.all_asset_keys()))
"""


COMMANDS = 6 if PROVE else 3  # each imports Dagster, 3 s of CPU


def test_first_openings_at_once(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"} | {"AI_USAGE_DATA_DIR": str(tmp_path / "data")}
    go, ready = tmp_path / "go", [tmp_path / f"ready{n}" for n in range(COMMANDS)]
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(mark), str(go)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for mark in ready
    ]
    while not all(mark.exists() for mark in ready) and all(opener.poll() is None for opener in openers):
        time.sleep(0.01)
    go.touch()
    said = [opener.communicate(timeout=500) for opener in openers]
    assert [(opener.returncode, out.strip()) for opener, (out, _) in zip(openers, said, strict=True)] == [(0, "0 0")] * COMMANDS, [
        e for _, e in said
    ]
