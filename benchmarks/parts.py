"""Where the CPU of `load_cursor_events.py` goes: the same load, its pieces run one after the other and timed one by one.

Belongs here: naming the pieces. Each is a function or method of the platform that is wrapped while this script runs; a time
is exclusive, so that what a piece calls is not counted twice, and all of them sum to the whole. Windows are walked first,
in one thread, then decoded and published, so that process CPU is the piece's own. A name that the code no longer has is
skipped: its time then shows in its caller.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from common import Meter, answer, child, cpu_s, median, save, simulator, table

FIRST = date(2026, 8, 1)


class Clock:
    """Exclusive CPU by label: entering a piece stops the clock of the piece around it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._stack = ["everything else"]
        self._since = cpu_s()

    def _charge(self) -> None:
        now = cpu_s()
        self.spent[self._stack[-1]] += now - self._since
        self._since = now

    def wrap(self, label: str, owner: Any, name: str) -> None:
        inner: Callable[..., Any] | None = getattr(owner, name, None)
        if inner is None:
            return

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._charge()
            self._stack.append(label)
            self.calls[label] += 1
            try:
                return inner(*args, **kwargs)
            finally:
                self._charge()
                self._stack.pop()

        setattr(owner, name, timed)

    def stop(self) -> None:
        self._charge()


def measured(url: str, days: int) -> None:
    from ai_usage.loading.loader import Loader
    from ai_usage.sources.cursor import client, records
    from ai_usage.sources.decode import Decoder
    from ai_usage.sources.endpoint import Window
    from ai_usage.sources.http import HttpClient
    from ai_usage.sources.spool import SpoolWriter
    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    meter = Meter()
    clock = Clock()
    for label, owner, name in (
        ("receive: requests, retries, statuses", HttpClient, "ask"),
        ("receive: one request, the whole body", HttpClient, "_once"),
        ("spool: join, zstd, sha256 of the page", SpoolWriter, "page"),
        ("spool: close the files", SpoolWriter, "close"),
        ("decode: lines (read spool, text, hash)", Decoder, "_read_lines"),
        ("decode: contract check (keys)", Decoder, "_check_contract"),
        ("decode: typed read", Decoder, "_read_fields"),
        ("decode: parse (columns, day, extra)", Decoder, "_parse"),
        ("decode: days (rules, hash, totals)", Decoder, "load"),
        ("decode: rows to Arrow", Decoder, "rows"),
        ("decode: rejects", Decoder, "rejects"),
        ("publish: insert", DuckDBWarehouse, "_insert"),
        ("publish: open the file", DuckDBWarehouse, "_connect"),
        ("publish: transaction, commit, close", DuckDBWarehouse, "publish"),
        ("current versions: select", DuckDBWarehouse, "select"),
        ("tables and views: ensure", DuckDBWarehouse, "ensure"),
        ("versions: compare, number, raw_fetches rows", Loader, "_batch"),
    ):
        clock.wrap(label, owner, name)

    real = client.msgspec.json.Decoder

    class Splitter:  # the decoder is a C object: its method cannot be replaced
        def __init__(self, shape: Any) -> None:
            self._decode = real(shape).decode

        def decode(self, content: bytes) -> Any:
            return self._decode(content)

    clock.wrap("split: records out of the page", Splitter, "decode")
    client.msgspec.json.Decoder = Splitter
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        source = client.CursorClient(url, "simulator", place / "spool", rate_factor=0)
        window = Window(FIRST, FIRST + timedelta(days=days - 1))
        walks = [source.events(day) for day in window.split(1)]
        report = Loader(DuckDBWarehouse(place / "w.duckdb"), "benchmark").load(records.EVENTS, walks)
        clock.stop()
        answer(**meter.read(), spent=clock.spent, calls=clock.calls, rows=report.rows, pages=report.pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=525, help="with 90 days and 6 events a day each: 200,000 events")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measured", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measured:
        measured(given.measured, given.days)
        return
    last = FIRST + timedelta(days=given.days - 1)
    with simulator("--people", str(given.people), "--from", str(FIRST), "--to", str(last)) as served:
        runs = [child([__file__, "--measured", served["url"], "--days", str(given.days)]) for _ in range(given.runs)]
    whole = median(runs, "cpu_s")
    labels = sorted({label for run in runs for label in run["spent"]})
    spent = {label: median([{"x": run["spent"].get(label, 0.0)} for run in runs], "x") for label in labels}
    rows = [
        (label, runs[0]["calls"].get(label, ""), f"{seconds * 1000:.0f}", f"{seconds / whole:.0%}")
        for label, seconds in sorted(spent.items(), key=lambda item: -item[1])
    ]
    rows.append(("sum of the load", "", f"{whole * 1000:.0f}", "100%"))
    save(
        "parts", f"Where the CPU goes: {runs[0]['rows']} Cursor events, {runs[0]['pages']} pages", [
            table(("piece", "calls", "CPU ms", "share"), rows),
            f"Exclusive CPU, medians of {given.runs} runs in fresh processes, windows walked one after the other. "
            "Imports are not counted.",
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
