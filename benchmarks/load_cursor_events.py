"""Loading Cursor events: the platform against the limit, and dlt's arrow mode as the best peer.

Belongs here: one load of 200,000 events from the local simulator into a new `raw_cursor_events`, validated and published,
as `Loader` does it, in a fresh process. The limit is what cannot be avoided: receiving the same bytes over `http.client`,
then DuckDB's own typed read of the pages as received (`read_json`, declared columns, UNNEST) into a table in memory. The
floor is stricter: the typed read is given the same records already split, one a line. The goal: at most 1.4 x the limit's
CPU, at most 60 MB above its peak, several windows in flight. What each loaded is compared with the simulator's books by the
platform's rule of what is billed, after the clock has stopped.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

from common import HERE, Meter, answer, child, get, median, pages, save, simulator, table

FIRST = date(2026, 8, 1)
KEY = "simulator"
CPU_LIMIT, MEMORY_ABOVE_MB = 1.4, 60
_TOKENS = (
    "inputTokens BIGINT, outputTokens BIGINT, cacheWriteTokens BIGINT, cacheReadTokens BIGINT, "
    "totalCents DECIMAL(38, 9), discountPercentOff DECIMAL(38, 9)"
)
_COLUMNS = {
    "timestamp": "BIGINT", "userEmail": "VARCHAR", "serviceAccountId": "VARCHAR", "serviceAccountName": "VARCHAR",
    "cloudAgentId": "VARCHAR", "automationId": "VARCHAR", "conversationId": "VARCHAR", "model": "VARCHAR", "kind": "VARCHAR",
    "maxMode": "BOOLEAN", "isTokenBasedCall": "BOOLEAN", "isChargeable": "BOOLEAN", "isHeadless": "BOOLEAN",
    "requestsCosts": "DECIMAL(38, 9)", "tokenUsage": f"STRUCT({_TOKENS})", "chargedCents": "DECIMAL(38, 9)",
    "cursorTokenFee": "DECIMAL(38, 9)", "isFreeBugbot": "BOOLEAN",
}  # fmt: skip


def billed(table: str, kind: str, chargeable: str, cents: str) -> str:
    """The question, in DuckDB's words, how many events a contestant's table holds and what is billed of them, in USD."""
    from ai_usage.sources.cursor.kinds import decoded

    usd = f"CAST({cents} * 0.01 AS DECIMAL(38, 9))"
    return f"SELECT count(*), coalesce(sum({usd}) FILTER ({decoded(kind, chargeable)} = 'billed'), 0) FROM {table}"


def limit(url: str, days: int, split: bool) -> None:
    """Receive, then the typed read; with `split` the records are put one a line between the two, which is not counted."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        received = Path(folder) / "pages.ndjson"
        meter = Meter()
        with received.open("wb") as out:
            for body in pages(url, KEY, FIRST, days):
                out.write(body + b"\n")
        before = meter.read()
        if split:
            received = _split(received)
        meter = Meter()
        con = duckdb.connect(config={"threads": 1})
        options = f"'{received}', format = 'newline_delimited'"
        if split:
            columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
            con.execute(f"CREATE TABLE events AS SELECT * FROM read_json({options}, columns = {{{columns}}})")
        else:
            record = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            con.execute(
                "CREATE TABLE events AS SELECT unnest(usageEvents, recursive := true) FROM "
                f"read_json({options}, columns = {{usageEvents: 'STRUCT({record})[]'}})"
            )
        after = meter.read()
        rows, usd = con.execute(billed("events", "kind", "isChargeable", "chargedCents")).fetchone() or (0, 0)
    answer(
        cpu_s=before["cpu_s"] + after["cpu_s"], wall_s=before["wall_s"] + after["wall_s"], imports_s=before["imports_s"],
        peak_mb=after["peak_mb"], receive_s=before["cpu_s"], rows=rows, billed=usd,
    )  # fmt: skip


def _split(received: Path) -> Path:
    import msgspec

    decode = msgspec.json.Decoder(msgspec.defstruct("Page", [("usageEvents", list[msgspec.Raw])])).decode
    lines = received.with_name("lines.ndjson")
    with received.open("rb") as pages_in, lines.open("wb") as out:
        for page in pages_in:
            out.writelines(bytes(record) + b"\n" for record in decode(page).usageEvents)
    return lines


def platform(url: str, days: int, in_flight: int) -> None:
    import pandas  # noqa: F401 - DuckDB's and pyarrow's conversions import it as soon as a parameter or a list is given

    from ai_usage.loading.loader import Loader
    from ai_usage.sources.cursor import records
    from ai_usage.sources.cursor.client import CursorClient
    from ai_usage.sources.endpoint import Window
    from ai_usage.sources.walk import walk_all
    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    with tempfile.TemporaryDirectory() as folder:
        begun = Meter()
        warehouse = DuckDBWarehouse(Path(folder) / "w.duckdb")
        warehouse.ensure()
        ensured = begun.read()
        meter = Meter()
        client = CursorClient(url, KEY, Path(folder) / "spool", rate_factor=0)
        windows = Window(FIRST, FIRST + timedelta(days=days - 1)).split(1)
        report = Loader(warehouse, "benchmark").load(records.EVENTS, walk_all(windows, client.events, records.EVENTS, in_flight))
        read_out = meter.read()
        if error := report.error():
            raise error
        found = warehouse.select(
            "SELECT COUNT(*) AS n, SUM(IF(billing = 'billed', charged_usd, 0)) AS billed FROM stg_cursor_events"
        ).to_pylist()[0]
    answer(
        **read_out | {"imports_s": begun.imports_s}, ensure_s=ensured["cpu_s"], rows=found["n"], billed=found["billed"], pages=report.pages
    )


@contextmanager
def peer_python(wanted: bool) -> Iterator[str | None]:
    """The Python of a throw-away venv with dlt; None when it is not wanted or cannot be made."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ai-usage-peer-") as folder:
        python = str(Path(folder) / "bin" / "python")
        needs = ["dlt[duckdb]==1.31.0", "pyarrow", "msgspec", f"duckdb=={metadata.version('duckdb')}"]
        uv = next((found for x in (Path(sys.executable).with_name("uv"), "uv") if (found := shutil.which(str(x)))), None)
        make = [uv, "venv", "-q", "-p", sys.executable, folder] if uv else [sys.executable, "-m", "venv", folder]
        install = [uv, "pip", "install", "-q", "-p", python, *needs] if uv else [python, "-m", "pip", "install", "-q", *needs]
        for command in (make, install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"dlt is left out, its venv could not be made: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                yield None
                return
        yield python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=525, help="with 90 days and 6 events a day each: 200,000 events")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=3, help="of which the median is shown")
    parser.add_argument("--latency-ms", type=int, nargs="*", default=[0, 50])
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--no-peers", action="store_true", help="leave dlt out")
    parser.add_argument("--check", action="store_true", help="end with 1 when the contract is not met")
    parser.add_argument("--measured", nargs=2, metavar=("WHAT", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measured:
        what, url = given.measured
        platform(url, given.days, given.in_flight) if what == "platform" else limit(url, given.days, what == "floor")
        return
    sections, met = [], True
    with peer_python(not given.no_peers) as peer:
        for latency in given.latency_ms:
            text, good = compare(given, latency, peer)
            sections.append(text)
            met = met and good
    if peer or not given.no_peers:
        sections.append(f"dlt: arrow mode, how it was tuned stands in `{Path('benchmarks') / 'peer_dlt.py'}`.")
    save("load_cursor_events", "Loading Cursor events", sections)
    if given.check and not met:
        raise SystemExit("the contract is not met, see the table.")


def compare(given: argparse.Namespace, latency: int, peer: str | None) -> tuple[str, bool]:
    last = FIRST + timedelta(days=given.days - 1)

    def own(what: str, in_flight: int = given.in_flight) -> list[str]:
        return [__file__, "--measured", what, served["url"], "--days", str(given.days), "--in-flight", str(in_flight)]

    asked = ["--people", str(given.people), "--from", str(FIRST), "--to", str(last), "--latency-ms", str(latency)]
    with simulator(*asked) as served:
        truth = get(served["url"] + "/_simulator/truth")
        contestants: dict[str, Any] = {
            "limit: receive, DuckDB reads the pages": lambda: child(own("limit")),
            "floor: receive, DuckDB reads split lines": lambda: child(own("floor")),
            "platform": lambda: child(own("platform")),
        }
        if latency:
            contestants["platform, one window at a time"] = lambda: child(own("platform", 1))
        if peer:
            contestants["dlt, arrow mode"] = lambda: child(
                [
                    str(HERE / "peer_dlt.py"),
                    served["url"],
                    KEY,
                    str(FIRST),
                    str(given.days),
                    billed("raw.events", "kind", "is_chargeable", "charged_cents"),
                ],
                python=peer,
            )
        child(own("platform"))  # bytecode and file caches
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
        for _ in range(given.runs):  # by turns, so that a busy minute of the machine meets all of them
            for name, run in contestants.items():
                runs[name].append(run())
    wanted = (sum(truth["events_by_day"].values()), Decimal(truth["billed_usd"]))
    for name, found in runs.items():
        for run in found:
            if (run["rows"], Decimal(run["billed"])) != wanted:
                raise SystemExit(f"{name}: {run['rows']} events, {run['billed']} USD; the truth is {wanted[0]} events, {wanted[1]} USD.")
    names = list(runs)
    base, floor = median(runs[names[0]], "cpu_s"), median(runs[names[1]], "cpu_s")
    rows = [
        (
            name, f"{median(r, 'cpu_s'):.2f}", f"{median(r, 'cpu_s') / base:.2f}", f"{median(r, 'cpu_s') / floor:.1f}",
            f"{median(r, 'peak_mb'):.0f}", f"{median(r, 'wall_s'):.1f}", f"{median(r, 'imports_s'):.2f}",
        )
        for name, r in runs.items()
    ]  # fmt: skip
    ours = runs["platform"]
    ratio, memory, allowed = median(ours, "cpu_s") / base, median(ours, "peak_mb"), median(runs[names[0]], "peak_mb") + MEMORY_ABOVE_MB
    said = [
        f"## {wanted[0]:,} events, {ours[0]['pages']} pages, {latency} ms of latency a page", "",
        table(("", "CPU s", "x limit", "x floor", "peak MB", "wall s", "imports CPU s"), rows), "",
        f"Medians of {given.runs} runs in fresh processes, CPU = user + system after the imports. In every run the billed USD equal "
        f"the simulator's truth, {wanted[1]}. Making the tables and views of a new file takes {median(ours, 'ensure_s'):.2f} s more, once.", "",
        f"- CPU {ratio:.2f} x limit (at most {CPU_LIMIT}): {'met' if ratio <= CPU_LIMIT else 'NOT MET'}",
        f"- peak {memory:.0f} MB (at most {allowed:.0f}, {MEMORY_ABOVE_MB} above the limit's): {'met' if memory <= allowed else 'NOT MET'}",
    ]  # fmt: skip
    if latency:
        serial, wall = ours[0]["pages"] * latency / 1000, median(ours, "wall_s")
        several = wall < serial
        said.append(
            f"- several windows in flight: the answers alone, one after the other, take {serial:.1f} s, the whole load took {wall:.1f} s "
            f"({serial / wall:.1f} x): {'met' if several else 'NOT MET'}"
        )
    return "\n".join(said), ratio <= CPU_LIMIT and memory <= allowed


if __name__ == "__main__":
    main()
