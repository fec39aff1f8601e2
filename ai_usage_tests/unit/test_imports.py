"""What a command loads before it answers: Dagster takes two seconds, and a question to the warehouse needs none of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DATA = {"duckdb", "pyarrow", "sqlglot", "numpy"}
SETTINGS = {"pydantic_settings"}  # Typer itself loads pydantic
REST = {
    "dagster",
    "dagster_gcp",
    "pandas",
    "pandera",
    "gspread",
    "apprise",
    "requests",
    "google.cloud.bigquery",
    "openpyxl",
    "vl_convert",
    "jinja2",
}
ASK = """
import json, sys
from ai_usage.cli.app import main
sys.argv = ["ai-usage", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit:
    pass
print("\\n" + json.dumps([name for name in json.loads(sys.stdin.read()) if name in sys.modules]))
"""


@pytest.mark.parametrize(
    ("words", "may_load"),
    [
        (["--help"], set()),
        (["--version"], set()),
        (["metabase", "--help"], set()),
        (["run", "--to", "yesterday"], set()),
        (["nonsense"], set()),
        (["export", "vw_nothing", "--month", "2026-13"], DATA | {"openpyxl"}),
        (["query", "SELECT 1"], DATA | SETTINGS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_what_it_needs(words: list[str], may_load: set[str], tmp_path: Path) -> None:
    """In a process of its own, since this one has loaded everything."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(words)],
        input=json.dumps(sorted(DATA | SETTINGS | REST)), capture_output=True, text=True, cwd=tmp_path, check=True,
        env={"AI_USAGE_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded <= may_load, f"`ai-usage {' '.join(words)}` loads {sorted(loaded - may_load)} before it answers"
