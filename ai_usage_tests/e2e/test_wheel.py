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

    said = run(tmp_path / "env" / "bin" / "ai-usage", "demo", "--days", "2", "--people", "3", "--data-dir", tmp_path / "data", cwd=tmp_path)

    assert "equal to the last digit" in " ".join(said.split())
    assert (tmp_path / "data" / "report.html").stat().st_size > 100_000
    config = (tmp_path / "data" / "dagster" / "dagster.yaml").read_text(encoding="utf-8")
    assert config == (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(config)["telemetry"] == {"enabled": False}
