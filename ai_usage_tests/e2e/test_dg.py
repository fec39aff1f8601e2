"""Dagster's own tool on a clean clone: `dg list defs` loads what the daemon loads, and names all of it.

Belongs here: the settings of `[tool.dg]`. Does not belong here: what is defined (`test_dagster.py`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from ai_usage_tests import proving

ROOT = Path(__file__).parents[2]


def dg(*words: str) -> str:
    """What it prints; no setting of whoever runs the tests reaches it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AI_USAGE_", "DAGSTER", "CURSOR_", "ANTHROPIC_"))}
    tool = Path(sys.executable).with_name("dg")
    done = subprocess.run([tool, *words], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dg_lists_every_asset_check_job_schedule_and_sensor() -> None:
    """Against the page that is written from the definitions, which another test holds to be whole."""
    page = (ROOT / "docs" / "assets.md").read_text(encoding="utf-8")
    listed = json.loads(dg("list", "defs", "--json"))
    assert {one["asset_key"] for one in listed["assets"]} == set(re.findall(r"^### `(\w+)`$", page, re.M))
    assert {one["name"] for one in listed["asset_checks"]} >= {"certified", "prices_explain", "conservation", "lists_whole"}
    assert all(one["description"] for kind in ("assets", "asset_checks", "jobs") for one in listed[kind])
    for kind in ("jobs", "schedules", "sensors"):
        assert [one["name"] for one in listed[kind] if f"| `{one['name']}` |" not in page] == [], kind
    if proving.PROVE:  # it loads the same definitions once more
        assert "All definitions loaded successfully." in dg("check", "defs")
