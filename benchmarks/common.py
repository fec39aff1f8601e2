"""What the benchmarks share: the simulator beside them, a fresh process for each run, CPU and peak memory, tables, results.

Belongs here: how things are measured and shown. Does not belong here: what is measured (each script).

CPU is user + system time of the measured process alone, so other work on the machine disturbs it little. Peak memory is
`VmHWM` of /proc/self/status, since `ru_maxrss` may hold the parent's size (elsewhere than on Linux: `ru_maxrss`).
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as dt_time
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
_BYTECODE = Path(tempfile.gettempdir()) / "ai-usage-benchmarks-bytecode"
LIBRARIES = ("duckdb", "pyarrow", "requests", "msgspec", "sqlglot")


def cpu_s() -> float:
    """User + system seconds of this process, all its threads, so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """The most memory this process has ever held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1000 * 1.024
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class Meter:
    """CPU, wall and memory from here on: `meter = Meter(); ...; meter.read()`."""

    def __init__(self) -> None:
        self.imports_s = cpu_s()
        self._wall = time.perf_counter()

    def read(self) -> dict[str, float]:
        return {
            "cpu_s": cpu_s() - self.imports_s,
            "imports_s": self.imports_s,
            "wall_s": time.perf_counter() - self._wall,
            "peak_mb": peak_mb(),
        }


def answer(**values: Any) -> None:
    """What a child process found, as the last line of its output."""
    print(json.dumps(values, default=str), flush=True)


def child(arguments: Sequence[str], python: str = sys.executable, timeout_s: float = 600) -> dict[str, Any]:
    """Run a script in a fresh process; returns what it gave to `answer`. Bytecode is cached, as on anybody's machine."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(_BYTECODE)}
    done = subprocess.run([python, *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def median(runs: Sequence[dict[str, Any]], name: str) -> float:
    return statistics.median(float(run[name]) for run in runs)


@contextmanager
def simulator(*arguments: str) -> Iterator[dict[str, Any]]:
    """The vendor simulator in a process of its own, every event page rendered; yields its url, key, sheet_id, pid."""
    process = subprocess.Popen([sys.executable, "-m", "ai_usage.simulator", "--warm", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the simulator did not start; run `python -m ai_usage.simulator` to see why.")
        yield json.loads(line) | {"pid": process.pid}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def pages(url: str, key: str, first: date, days: int) -> Iterator[bytes]:
    """Cursor's event pages, a UTC day at a time, over one `http.client` connection: the cheapest way to receive them."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    head = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(), "Content-Type": "application/json"}
    for day in range(days):
        start = int(datetime.combine(first + timedelta(days=day), dt_time(), UTC).timestamp() * 1000)
        for number in range(1, 10_000):
            asked = {"startDate": start, "endDate": start + 86_399_999, "page": number, "pageSize": 1000}
            connection.request("POST", "/teams/filtered-usage-events", json.dumps(asked), head)
            answered = connection.getresponse()
            body = answered.read()
            if answered.status != 200:
                raise SystemExit(f"the simulator answered {answered.status}: {body[:200]!r}")
            yield body
            if b'"hasNextPage":true' not in body[:200]:
                break
    connection.close()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=120) as found:
        return json.load(found)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table whose columns also line up as plain text; the first column is words, the others are figures."""
    cells = [[str(c) for c in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) if n == 0 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))) + " |"

    rule = "|" + "|".join("-" * (w + 2) if n == 0 else "-" * (w + 1) + ":" for n, w in enumerate(widths)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def machine() -> str:
    """The machine and the versions, in one paragraph."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next((x.partition(":")[2].strip() for x in cpuinfo.read_text().splitlines() if x.startswith("model name")), model)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}"


def save(name: str, title: str, sections: Sequence[str], arguments: Sequence[str] | None = None) -> Path:
    """Print the sections and keep them as `results/<name>.md` with the machine, the date and the command."""
    given = " ".join(sys.argv[1:] if arguments is None else arguments)
    head = [
        f"# {title}", "", f"- machine: {machine()}", f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- command: `.venv/bin/python benchmarks/{name}.py{' ' + given if given else ''}`", "",
    ]  # fmt: skip
    text = "\n".join(head) + "\n" + "\n\n".join(sections) + "\n"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    print(text + f"\nwritten to {path}")
    return path
