"""The wheel is the product: installed alone, far from the repository, it runs the demo with the settings of a clone."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str | Path, cwd: Path, **variables: str) -> str:
    kept = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=kept | variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_runs_the_demo_as_the_clone_does(tmp_path: Path) -> None:
    """The environment holds the wheel and, by a path, the libraries of this one without its link to the checkout."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist", cwd=ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    where = Path(run(python, "-c", "import ai_usage; print(ai_usage.__file__)", cwd=tmp_path).strip())
    assert site in where.parents, "the wheel's own package, not the checkout's"

    # A key and an address of somebody else's vendor: the demo leaves no setting as it was, or it would fail there.
    other = {"CURSOR_ADMIN_API_KEY": "another", "AI_USAGE_CURSOR_BASE_URL": "http://127.0.0.1:9", "AI_USAGE_SHEET_ID": "another"}
    demo = ("demo", "--days", "5", "--people", "6", "--data-dir", tmp_path / "data")
    said = " ".join(run(tmp_path / "env" / "bin" / "ai-usage", *demo, cwd=tmp_path, **other).split())

    shown = (
        "days",
        "records",
        "billed USD, cursor",
        "billed USD, claude_ai",
        "equal to the last digit",
        "checks",
        "0 warnings",
        "dashboard",
        "database",
    )
    assert [word for word in shown if word not in said] == [], said
    assert (tmp_path / "data" / "report.html").stat().st_size > 100_000
    config = (tmp_path / "data" / "dagster" / "dagster.yaml").read_text(encoding="utf-8")
    assert config == (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(config)["telemetry"] == {"enabled": False}
