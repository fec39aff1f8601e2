"""What a command costs the person who waits for it: CPU of whole processes, beside a bare Python that opens DuckDB.

Belongs here: commands as they are typed, on the demo's company of 24 people and 90 days, which is made first and measured too.
Each round runs every command once, so that a busy minute of the machine meets all of them. The ratio is the median, over
rounds, of a command's CPU and the bare process's in the same round. What became more than 20 % worse than the committed
results is named at the end. Does not belong here: what is inside a run (`daily_run.py`), the load (`load_cursor_events.py`).
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import RESULTS, save, table

DAYS, WORSE = 90, 1.2
BARE = "bare: Python opens DuckDB, SELECT 1"
DEMO = "demo"
GOALS = {"--help": 0.3, "wrong arguments": 0.3, "query": 0.5, "export": 0.8, "status": 1.5, "report": 3.0, "new warehouse": 0.5, DEMO: 40.0}
_ENSURE = "from pathlib import Path; from ai_usage.warehouse import DuckDBWarehouse; p = Path('new.duckdb'); p.unlink(True); DuckDBWarehouse(p).ensure()"


def commands(month: str) -> dict[str, tuple[list[str], int]]:
    """What is run, by its row's name: the arguments and the exit code that is right."""
    ours = str(Path(sys.executable).with_name("ai-usage"))
    return {
        BARE: ([sys.executable, "-c", "import duckdb; duckdb.connect().execute('SELECT 1').fetchall()"], 0),
        "--help": ([ours, "--help"], 0),
        "wrong arguments": ([ours, "query", "--unknown"], 2),
        "query": ([ours, "query", "SELECT month, SUM(cost_usd) AS usd FROM vw_monthly_finance GROUP BY month"], 0),
        "export": ([ours, "export", "chargeback", "--month", month, "--output", "chargeback.csv"], 0),
        "status": ([ours, "status"], 0),
        "report": ([ours, "report"], 0),
        "new warehouse": ([sys.executable, "-c", _ENSURE], 0),
    }


def spent(command: list[str], right: int, folder: Path) -> float:
    """User + system seconds of the command and all it started, imports included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != right:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}, not {right}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratios(text: str) -> dict[str, float]:
    """The ratios that a results file tells, by the row's name."""
    return {name.strip(): float(ratio) for name, ratio in re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\| +([\d.]+) \|", text, re.MULTILINE)}


def worse(before: dict[str, float], now: dict[str, float]) -> list[str]:
    """A line for each row whose ratio grew by more than a fifth."""
    return [f"- {name}: {before[name]:.1f} -> {now[name]:.1f}" for name in now if name in before and now[name] > WORSE * before[name]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds, of which the median is shown")
    given = parser.parse_args()
    kept = RESULTS / "commands.md"
    before = ratios(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    month = f"{datetime.now(UTC).date().replace(day=1) - timedelta(days=1):%Y-%m}"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.pop("DAGSTER_HOME", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = commands(month)
        made = spent([run["--help"][0][0], "demo", "--data-dir", str(folder / "data")], 0, folder)
        os.environ |= {"AI_USAGE_DATA_DIR": str(folder / "data"), "AI_USAGE_START_DATE": str(first)}
        for command, right in run.values():  # bytecode, file caches, what is remembered
            spent(command, right, folder)
        found: dict[str, list[float]] = {what: [] for what in run}
        for _ in range(given.runs):
            for what, (command, right) in run.items():
                found[what].append(spent(command, right, folder))
    bare = found[BARE]
    now = {what: statistics.median(x / y for x, y in zip(took, bare, strict=True)) for what, took in found.items()}
    cpu = {what: statistics.median(took) for what, took in found.items()} | {DEMO: made}
    now[DEMO] = made / cpu[BARE]
    rows = [
        (what, 1 if what == DEMO else given.runs, f"{cpu[what]:.2f}", f"{now[what]:.1f}", GOALS.get(what, ""), _met(what, cpu[what]))
        for what in now
    ]  # fmt: skip
    flagged = worse(before, now)
    said = (
        "Worse by more than 20 % in ratio than the results before:\n\n" + "\n".join(flagged)
        if flagged
        else "Nothing is worse by more than 20 % in ratio."
    )
    sections = [
        table(("command", "runs", "CPU s", "× bare", "goal CPU s", ""), rows),
        "CPU is user + system of the whole process, imports included; the demo runs once, before the others, and its simulated vendors count with it.",
        said if before else "There were no results to compare with.",
    ]
    save("commands", "What a command costs", sections)


def _met(what: str, cpu: float) -> str:
    return "" if what not in GOALS else "met" if cpu <= GOALS[what] else "NOT MET"


if __name__ == "__main__":
    main()
