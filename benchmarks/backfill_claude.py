"""A year of Claude, from nothing: how many requests, how many rows, and where the CPU goes.

Belongs here: the first load of every Anthropic endpoint from the local simulator, in fresh processes, part by part: receiving the same bytes over
`http.client` (the base of every ratio), the client into its spool, decoding and publishing, the models over 30 days at once as a backfill
runs them; then all of it together as assets do it, for its wall time and peak memory. Does not belong here: Dagster (daily_run.py).

The simulator's own CPU is shown beside, since it shares the machine. Nothing is said of Anthropic's speed, only of its documented limit.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from common import Meter, answer, child, cpu_s, get, median, save, simulator, table

KEY = "simulator"
LAST = date(2026, 11, 21)
PER_MINUTE = 100  # the documented limit of the Admin API
LATENCIES_S = (0.2, 1.0)
USAGE = ("usage_report/messages", "usage", 31)
COST = ("cost_report", "cost", 31)
CODE = ("usage_report/claude_code", "claude_code", 1)
LISTS = (("users", "users", 0), ("api_keys", "api_keys", 0), ("workspaces", "workspaces", 0), ("workspace_members", "workspace_members", 0))


def simulator_cpu_s(pid: int) -> float:
    """User + system seconds of the simulator's process; 0 where /proc is not there."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def receive(url: str, log: str) -> None:
    """The same requests as the client makes (their log in a file), over one connection, bodies thrown away."""
    asked = json.loads(Path(log).read_text(encoding="utf-8"))
    place = urlsplit(url)
    meter = Meter()
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    size = 0
    for path, query in asked:
        connection.request(
            "GET", f"{path}?{urlencode([tuple(pair) for pair in query])}", headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"}
        )
        answered = connection.getresponse()
        body = answered.read()
        if answered.status != 200:
            raise SystemExit(f"{path} answered {answered.status}: {body[:200]!r}")
        size += len(body)
    answer(**meter.read(), bytes=size, requests=len(asked))


def platform(url: str, sheet: str, days: int, log: str, whole: bool) -> None:
    """Part by part, or with `whole` every endpoint streamed from the client into the loader, as assets do it."""
    import pandas  # noqa: F401 - DuckDB's and pyarrow's conversions import it as soon as a parameter or a list is given

    from ai_usage import transform
    from ai_usage.loading.loader import Loader
    from ai_usage.sources.anthropic import records
    from ai_usage.sources.anthropic.client import AnthropicClient
    from ai_usage.sources.endpoint import Window
    from ai_usage.sources.google_sheets import records as tabs
    from ai_usage.sources.google_sheets.client import SheetsClient
    from ai_usage.sources.walk import walk_all
    from ai_usage.warehouse import models
    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    window = Window(LAST - timedelta(days=days - 1), LAST)
    endpoints = {e.name: e for e in records.ENDPOINTS}
    with tempfile.TemporaryDirectory() as folder:
        warehouse = DuckDBWarehouse(Path(folder) / "w.duckdb")
        warehouse.ensure()
        client = AnthropicClient(url, KEY, Path(folder) / "spool", rate_factor=0)
        asked = _record(client)
        sheets = SheetsClient(url, sheet, None, Path(folder) / "spool")
        for tab in tabs.ENDPOINTS:
            Loader(warehouse).load(tab, [sheets.tab(tab)])
        meter = Meter()
        found: dict[str, Any] = {"parts": {}, "counts": {}}

        def measured(part: str, name: str, work: Any) -> Any:
            begun = cpu_s()
            made = work()
            found["parts"][f"{part} {name}"] = cpu_s() - begun
            return made

        for name, method, split in (USAGE, COST, CODE, *LISTS):
            endpoint, read = endpoints[name], getattr(client, method)
            windows = window.split(split) if split else [Window(LAST, LAST)]
            if whole:
                report = Loader(warehouse).load(endpoint, walk_all(windows, read, endpoint))
            else:
                walks = measured("client", name, lambda w=windows, r=read, e=endpoint: list(walk_all(w, r, e)))
                report = measured("load", name, lambda w=walks, e=endpoint: Loader(warehouse).load(e, w))
            if error := report.error():
                raise error
            found["counts"][name] = {"requests": report.requests, "rows": report.rows, "days": report.days}
        clock = {"as_of_date": LAST + timedelta(days=1), "processed_at": datetime.now(UTC)}
        for model in transform.order():
            for part in window.split(30):
                begun = cpu_s()
                warehouse.replace(
                    models.model(model).table, models.model(model).sql, {"start_date": part.first, "end_date": part.last, **clock}
                )
                found["parts"][f"model {model}"] = found["parts"].get(f"model {model}", 0.0) + cpu_s() - begun
        read_out = meter.read()
        if log:
            Path(log).write_text(json.dumps(asked), encoding="utf-8")
        (billed,) = warehouse.select(
            "SELECT SUM(cost_usd) AS usd, COUNT(*) AS n FROM fct_cost_daily WHERE vendor = 'Anthropic' AND cost_type = 'usage'"
        ).to_pylist()
        (raw,) = warehouse.select("SELECT SUM(amount_usd) AS usd FROM raw_anthropic_cost").to_pylist()
    answer(**read_out, **found, billed=billed["usd"], cost_rows=billed["n"], raw=raw["usd"])


def _record(client: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every request that the client makes from now on, in order: `receive` makes them again."""
    asked: list[tuple[str, list[tuple[str, str]]]] = []
    plain = client.http.ask

    def ask(method: str, path: str, read: Any, **given: Any) -> Any:
        asked.append((path, list(given.get("params") or [])))
        return plain(method, path, read, **given)

    client.http.ask = ask
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--api-keys", type=int, default=200)
    parser.add_argument("--claude-code-users", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3, help="of which the median is shown")
    parser.add_argument("--measured", nargs=4, metavar=("WHAT", "URL", "SHEET", "LOG"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measured:
        what, url, sheet, log = given.measured
        receive(url, log) if what == "receive" else platform(url, sheet, given.days, log, what == "whole")
        return
    asked = (
        "--anthropic", "--api-keys", str(given.api_keys), "--claude-code-users", str(given.claude_code_users),
        "--people", str(given.claude_code_users + 1), "--from", str(LAST - timedelta(days=given.days - 1)), "--to", str(LAST),
        "--events-per-person-day", "0.01",
    )  # fmt: skip
    with simulator(*asked) as served, tempfile.TemporaryDirectory() as folder:
        log = str(Path(folder) / "requests.json")

        def own(what: str) -> dict[str, Any]:
            before = simulator_cpu_s(served["pid"])
            found = child([__file__, "--days", str(given.days), "--measured", what, served["url"], served["sheet_id"], log], timeout_s=1800)
            return found | {"simulator_s": simulator_cpu_s(served["pid"]) - before}

        first = own("parts")  # the simulator renders its pages, files are cached, and the requests are written down
        parts, wholes, received = [], [], []
        for _ in range(given.runs):
            received.append(own("receive"))
            parts.append(own("parts"))
            wholes.append(own("whole"))
        truth = Decimal(get(served["url"] + "/_simulator/truth")["anthropic"]["usd"])
    for run in (*parts, *wholes):
        if abs(Decimal(run["billed"]) - truth) > Decimal("1e-9") or Decimal(run["raw"]) != Decimal(run["billed"]):
            raise SystemExit(f"billed {run['billed']}, raw {run['raw']}, the truth is {truth}.")
    save("backfill_claude", "A year of Claude, from nothing", _report(given, first, received, parts, wholes, truth))


def _report(given: Any, first: dict, received: list, parts: list, wholes: list, truth: Decimal) -> list[str]:
    base = median(received, "cpu_s")
    cpu = {name: sorted(run["parts"][name] for run in parts)[len(parts) // 2] for name in parts[0]["parts"]}
    counts = parts[0]["counts"]
    total, rows = sum(c["requests"] for c in counts.values()), sum(c["rows"] for c in counts.values())
    by_endpoint = [
        (name, c["requests"], c["days"], f"{c['rows']:,}", f"{cpu[f'client {name}']:.2f}", f"{cpu[f'load {name}']:.2f}")
        for name, c in counts.items()
    ]
    sums = {kind: sum(v for n, v in cpu.items() if n.startswith(kind + " ")) for kind in ("client", "load", "model")}
    ours = sum(sums.values())
    where = [
        ("receive the same bytes (http.client)", f"{base:.2f}", "1.0", ""),
        ("client: receive, follow, check, spool", f"{sums['client']:.2f}", f"{sums['client'] / base:.1f}", f"{sums['client'] / ours:.0%}"),
        ("decode, compare, publish", f"{sums['load']:.2f}", f"{sums['load'] / base:.1f}", f"{sums['load'] / ours:.0%}"),
        *(
            (f"model {n.removeprefix('model ')}", f"{v:.2f}", f"{v / base:.1f}", f"{v / ours:.0%}")
            for n, v in cpu.items()
            if n.startswith("model ")
        ),
        ("ours, together", f"{ours:.2f}", f"{ours / base:.1f}", "100%"),
        (
            "beside it: the simulator, pages rendered",
            f"{median(parts, 'simulator_s'):.2f}",
            f"{median(parts, 'simulator_s') / base:.1f}",
            "",
        ),
    ]
    minutes = (total - 1) // PER_MINUTE
    alone = ", ".join(f"{total * s / 60:.1f} minutes at {s:g} s an answer" for s in LATENCIES_S)
    return [
        f"{given.days} days, {given.api_keys} API keys and those of Claude Code, {given.claude_code_users} Claude Code users, 5 workspaces: "
        f"{total} requests, {received[0]['bytes'] / 1e6:.0f} MB, {rows:,} rows. In every run the bill in `fct_cost_daily` ({parts[0]['cost_rows']:,} "
        f"rows) is the simulator's truth, {truth} USD, and the sum of `raw_anthropic_cost`. Medians of {given.runs} runs in fresh processes.",
        "## Requests\n\n" + table(("endpoint", "requests", "days", "rows", "client CPU s", "load CPU s"), by_endpoint),
        "## Where the CPU goes\n\n" + table(("part", "CPU s", "x receive", "of ours"), where),
        "## All of it, as assets do it\n\n"
        + table(
            ("", "CPU s", "x receive", "wall s", "peak MB"),
            [
                (
                    "fetch, load and compute",
                    f"{median(wholes, 'cpu_s'):.1f}",
                    f"{median(wholes, 'cpu_s') / base:.1f}",
                    f"{median(wholes, 'wall_s'):.1f}",
                    f"{median(wholes, 'peak_mb'):.0f}",
                )
            ],
        ),
        "## What the vendor's limit means\n\n"
        f"The Admin API is documented to admit {PER_MINUTE} requests a minute for an organisation, and the client keeps to that for every endpoint: "
        f"{total} requests begin within {minutes} minutes, however fast the machine. Cost and usage take {counts['cost_report']['requests']} and "
        f"{counts['usage_report/messages']['requests']} of them (31 days a page), Claude Code one for each day and page. One after the other, answers alone "
        f"would take {alone}; four windows in flight divide that by up to four, and from there on the limit decides.\n\n"
        f"The simulator's own work for the first, unrendered pass was {first['simulator_s']:.0f} s of CPU: it is no measure of Anthropic.",
    ]


if __name__ == "__main__":
    main()
