"""`python -m ai_usage_tests.soak --seed 7 --days 30`: the rehearsal, its table, its report; exit code 1 when a target is missed.

Belongs here: arguments and the two steps, outside (the clock's environment) and inside (simulated time).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from ai_usage_tests.soak import clock, plan

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ai_usage_tests.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument(
        "--trials", type=lambda text: text.split(",") if text else [], default=[], help="these, by comma, instead of what the seed draws"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no morning after so many minutes of real time")
    parser.add_argument("--folder", type=Path, help="where everything lies; default: a temporary folder, removed when all went well")
    parser.add_argument("--report", type=Path, help="the Markdown file to write")
    given = parser.parse_args()
    unknown = [t for t in given.trials if t not in plan.TRIALS]
    if unknown:
        parser.error(f"there is no trial {unknown[0]!r}; there are {', '.join(plan.TRIALS)}.")
    return inside(given) if clock.FILE in os.environ else outside(given)


def outside(given: argparse.Namespace) -> int:
    """Start this program again in simulated time, where possible with the right to mount a small disk."""
    folder = given.folder or Path(tempfile.mkdtemp(prefix="rehearsal-"))
    folder.mkdir(parents=True, exist_ok=True)
    from ai_usage_tests.soak.rehearsal import begins

    env = clock.prepare(folder.resolve(), begins(plan.draw(given.seed, given.days, given.trials)))
    # A namespace of its own: what is mounted there is gone with the process, and nobody else sees it.
    own = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0 if shutil.which("unshare") else False
    argv = [sys.executable, "-m", "ai_usage_tests.soak", "--seed", str(given.seed), "--days", str(given.days), "--folder", str(folder)]
    argv += ["--trials", ",".join(given.trials)] if given.trials else []
    argv += ["--minutes", str(given.minutes), *(["--report", str(given.report)] if given.report else [])]
    child = subprocess.Popen([*(["unshare", "-rm"] if own else []), *argv], env=os.environ | env)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    if code == 0 and given.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}", file=sys.stderr)
    return code


def inside(given: argparse.Namespace) -> int:
    from ai_usage_tests.soak import report
    from ai_usage_tests.soak.rehearsal import Rehearsal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services end with it
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # and it with the one that started it, however that ended
    out = Console(soft_wrap=True)
    mornings = plan.draw(given.seed, given.days, given.trials)
    result = Rehearsal(given.folder.resolve(), given.seed, mornings, lambda line: out.print(line, markup=False, highlight=False)).hold(
        60 * given.minutes
    )
    out.print(report.grid(result))
    asked = f"make soak SEED={given.seed} DAYS={given.days}" + (f' TRIALS="{",".join(given.trials)}"' if given.trials else "")
    text = report.markdown(result, asked, f"{os.cpu_count()} cores, {platform.system()}")
    (given.folder / "report.md").write_text(text, encoding="utf-8")
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(text, encoding="utf-8")
    shutil.copytree(given.folder / "records", given.folder / "records.kept", dirs_exist_ok=True)
    shutil.copytree(given.folder / "disk", given.folder / "disk.kept", dirs_exist_ok=True)
    if not report.passed(result):
        out.print(text, markup=False, highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
