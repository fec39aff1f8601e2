"""Refreshing one day: what it costs with one month of history present and with two years of it.

Belongs here: a DuckDB file with the history of 1,000 people, made set-wise by SQL in the shapes that the platform writes
(raw rows, `raw_fetches` with every night's re-reading of the trailing days, restated days, directory snapshots, and the
facts made by the platform's own models), and the refresh of its last day in a fresh process: the loads from the local
simulator, then the models through `warehouse.replace` with start_date = end_date = that day. SQL is translated
beforehand and imports are not counted: both cost the same whatever the history, and would hide its share.
The goal: two years cost at most 3 times one month.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from common import answer, child, cpu_s, median, peak_mb, save, simulator, table

DAY = date(2026, 11, 18)  # a Wednesday
MONTH, YEARS = 30, 730
RATIO = 3.0

# One statement a table. $first and $last bound the history, $people its people; every night re-reads $again days.
_DAYS = (
    "(SELECT CAST(d AS DATE) AS d FROM range(CAST($first AS TIMESTAMP), CAST($last AS TIMESTAMP) + INTERVAL 1 DAY, INTERVAL 1 DAY) t(d))"
)
_PEOPLE = "range(CAST($people AS BIGINT)) p(p)"
_MAIL = "'person' || p || '@example.com'"
HISTORY = {
    # The first fetch of a day is a version; one day in ten is restated in its fourth night; the rest is seen again
    # unchanged. Members and sheet tabs change on the first of a month.
    "raw_fetches": f"""
        SELECT md5(e || d || n) AS fetch_id, md5(e || d || CASE WHEN n >= 3 AND restated THEN 3 ELSE 0 END) AS version_fetch_id,
               'cursor' AS source, e AS endpoint, d AS usage_date, CAST(d + CAST(n + 1 AS INTEGER) AS TIMESTAMPTZ) AS fetched_at,
               'run' || (d + CAST(n AS INTEGER)) AS run_id, 'complete' AS state, 'api' AS origin,
               n = 0 OR (n = 3 AND restated) AS changed, $people AS row_count, 0 AS rejected_count, 6 AS pages, 6 AS requests,
               sha256(e || d) AS content_sha256, 0 AS vendor_total_usd
        FROM (SELECT *, hash(d) % 10 = 0 AND e <> 'daily-usage-data' AS restated
              FROM {_DAYS}, (VALUES ('filtered-usage-events'), ('daily-usage-data')) endpoints(e)),
             range(CAST($again AS BIGINT)) nights(n)
        WHERE d + CAST(n AS INTEGER) <= $last
        UNION ALL BY NAME
        SELECT md5(e || d) AS fetch_id,
               md5(e || CASE WHEN e = 'spend' THEN d ELSE begun END) AS version_fetch_id,
               s AS source, e AS endpoint, d AS usage_date, CAST(d + 1 AS TIMESTAMPTZ) AS fetched_at, 'run' || d AS run_id,
               'complete' AS state, 'api' AS origin, e = 'spend' OR d = begun AS changed,
               $people AS row_count, 0 AS rejected_count, 1 AS pages, 1 AS requests, sha256(e || d) AS content_sha256
        FROM (SELECT *, greatest(CAST(date_trunc('month', d) AS DATE), $first) AS begun FROM {_DAYS}),
             (VALUES ('cursor', 'members'), ('cursor', 'spend'), ('google_sheets', 'people'), ('google_sheets', 'api_keys'))
             endpoints(s, e)
    """,
    "raw_cursor_events": f"""
        SELECT f.usage_date, f.fetch_id, f.fetched_at, CAST(f.fetched_at AS DATE) AS ingest_date,
               CAST(f.usage_date AS TIMESTAMPTZ) + to_seconds(CAST(h % 86400 AS BIGINT)) AS event_at, {_MAIL} AS user_email,
               CASE WHEN p % 50 = 0 THEN 'sa_' || p % 500 END AS service_account_id,
               CASE WHEN p % 50 = 0 THEN 'bot ' || p % 500 END AS service_account_name,
               CASE WHEN h % 3 > 0 THEN md5(CAST(h % 1000000 AS VARCHAR)) END AS conversation_id, 'model-' || h % 7 AS model,
               CASE WHEN h % 4 = 0 THEN 'Included in Business' ELSE 'Usage-based' END AS kind, h % 11 = 0 AS is_max_mode,
               true AS is_token_based, h % 4 <> 0 AS is_chargeable, p % 50 = 0 AS is_headless, 1 AS request_units,
               h % 20000 AS input_tokens, h % 3000 AS output_tokens, h % 9000 AS cache_write_tokens, h % 90000 AS cache_read_tokens,
               h % 100000 * 0.00001 AS list_usd, h % 100000 * 0.00001 AS charged_usd
        FROM raw_fetches f, {_PEOPLE}, range(6) e(e), LATERAL (SELECT hash(f.fetch_id, p, e) AS h)
        WHERE f.endpoint = 'filtered-usage-events' AND f.changed
    """,
    "raw_cursor_usage": f"""
        SELECT f.usage_date, f.fetch_id, f.fetched_at, CAST(f.fetched_at AS DATE) AS ingest_date, 'user_' || p AS user_id,
               {_MAIL} AS email, true AS is_active, h % 900 AS lines_added, h % 200 AS lines_deleted,
               h % 500 AS accepted_lines_added, h % 90 AS accepted_lines_deleted, h % 40 AS applies, h % 30 AS accepts,
               h % 10 AS rejects, h % 300 AS tabs_shown, h % 99 AS tabs_accepted, 'model-' || h % 7 AS most_used_model
        FROM raw_fetches f, {_PEOPLE}, LATERAL (SELECT hash(f.fetch_id, p) AS h) WHERE f.endpoint = 'daily-usage-data' AND f.changed
    """,
    "raw_cursor_members": f"""
        SELECT f.usage_date, f.fetch_id, f.fetched_at, CAST(f.fetched_at AS DATE) AS ingest_date, 'user_' || p AS user_id,
               'First' || p || ' Last' || p AS name, {_MAIL} AS email, 'member' AS role, false AS is_removed
        FROM raw_fetches f, {_PEOPLE} WHERE f.endpoint = 'members' AND f.changed
    """,
    "raw_cursor_spend": f"""
        SELECT f.usage_date, f.fetch_id, f.fetched_at, CAST(f.fetched_at AS DATE) AS ingest_date, 'user_' || p AS user_id,
               'First' || p || ' Last' || p AS name, {_MAIL} AS email, 'member' AS role,
               date_trunc('month', f.fetched_at) AS cycle_start_at, hash(f.fetch_id, p) % 10000 * 0.01 AS cycle_spend_usd
        FROM raw_fetches f, {_PEOPLE} WHERE f.endpoint = 'spend' AND f.changed
    """,
    "raw_sheet_people": f"""
        SELECT f.usage_date, f.fetch_id, f.fetched_at, CAST(f.fetched_at AS DATE) AS ingest_date, p + 2 AS sheet_row,
               {_MAIL} AS email, 'First' || p AS first_name, 'Last' || p AS last_name, 'Department ' || p % 12 AS department,
               'CC' || p % 30 AS cost_center, CASE WHEN p % 9 = 0 THEN 'p' || p || '@old.example.com' END AS aliases
        FROM raw_fetches f, {_PEOPLE} WHERE f.endpoint = 'people' AND f.changed
    """,
    "raw_sheet_api_keys": """
        SELECT f.usage_date, f.fetch_id, f.fetched_at, CAST(f.fetched_at AS DATE) AS ingest_date, k + 2 AS sheet_row,
               'bot ' || k * 50 AS api_key_name, 'person' || k || '@example.com' AS email
        FROM raw_fetches f, range(10) k(k) WHERE f.endpoint = 'api_keys' AND f.changed
    """,
}


def prepare(path: Path, people: int, days: int, again: int) -> None:
    """A file with `days` days of history that end on DAY."""
    import duckdb

    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    begun = time.perf_counter()
    warehouse = DuckDBWarehouse(path)
    warehouse.ensure()
    first = DAY - timedelta(days=days - 1)
    given = {"first": first, "last": DAY, "people": people, "again": again}
    with duckdb.connect(str(path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        for name, sql in HISTORY.items():
            con.execute(f"INSERT INTO {name} BY NAME {sql}", {key: value for key, value in given.items() if f"${key}" in sql})
        rows = con.execute("SELECT count(*) FROM raw_cursor_events").fetchone()
    for _, model in _models():
        warehouse.replace(model.table, model.sql, _parameters(first, DAY))
    answer(rows=(rows or (0,))[0], size_mb=path.stat().st_size / 1e6, seconds=time.perf_counter() - begun)


def _models() -> list[tuple[str, Any]]:
    from ai_usage import transform
    from ai_usage.warehouse import models

    return [(name, models.model(name)) for name in transform.order()]


def _parameters(first: date, last: date) -> dict[str, Any]:
    return {"start_date": first, "end_date": last, "as_of_date": DAY + timedelta(days=1), "processed_at": datetime.now(UTC)}


def refresh(path: Path, url: str) -> None:
    """One day, step by step; answers the CPU of each."""
    import pandas  # noqa: F401 - imported by DuckDB's conversions anyway

    from ai_usage.loading.loader import Loader
    from ai_usage.sources.cursor import records
    from ai_usage.sources.cursor.client import CursorClient
    from ai_usage.sources.endpoint import Window
    from ai_usage.sources.walk import walk_all
    from ai_usage.warehouse import dialect
    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    warehouse = DuckDBWarehouse(path)
    spent: dict[str, float] = {}

    def step(name: str, act: Any) -> Any:
        before = cpu_s()
        done = act()
        spent[name] = cpu_s() - before
        return done

    models = _models()
    for _, model in models:
        dialect.to_duckdb(model.sql)
        dialect.parameters(model.sql)
    step("ensure", warehouse.ensure)
    with tempfile.TemporaryDirectory() as folder:
        client = CursorClient(url, "simulator", Path(folder) / "spool", rate_factor=0)
        loader, window = Loader(warehouse, "benchmark"), Window(DAY, DAY)
        for endpoint, walk in ((records.EVENTS, client.events), (records.DAILY_USAGE, client.daily_usage)):
            report = step(f"load {endpoint.name}", lambda w=walk, e=endpoint: loader.load(e, walk_all([window], w, e)))
            if report.error() or not report.rows_written:
                raise SystemExit(f"{endpoint.name}: nothing was loaded, {report}")
    rows = {name: step(name, lambda m=model: warehouse.replace(m.table, m.sql, _parameters(DAY, DAY))) for name, model in models}
    answer(spent=spent, rows=rows, peak_mb=peak_mb())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--days", type=int, nargs=2, default=[MONTH, YEARS], metavar=("SHORT", "LONG"))
    parser.add_argument("--again", type=int, default=14, help="in how many nights a day is read")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is shown")
    parser.add_argument("--check", action="store_true", help="end with 1 when the contract is not met")
    parser.add_argument("--prepare", nargs=2, metavar=("FILE", "DAYS"), help=argparse.SUPPRESS)
    parser.add_argument("--refresh", nargs=2, metavar=("FILE", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        prepare(Path(given.prepare[0]), given.people, int(given.prepare[1]), given.again)
        return
    if given.refresh:
        refresh(Path(given.refresh[0]), given.refresh[1])
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator("--people", str(given.people), "--from", str(DAY), "--to", str(DAY)) as served,
    ):
        place = Path(folder)
        own = [__file__, "--people", str(given.people), "--again", str(given.again)]
        made = {days: child([*own, "--prepare", str(place / f"{days}.duckdb"), str(days)]) for days in given.days}
        runs: dict[int, list[dict[str, Any]]] = {days: [] for days in given.days}
        for _ in range(given.runs):
            for days in given.days:
                copy = place / "copy.duckdb"
                shutil.copy(place / f"{days}.duckdb", copy)
                runs[days].append(child([*own, "--refresh", str(copy), served["url"]]))
                copy.unlink()
    short, long = given.days

    def spent(days: int, name: str) -> float:
        return median([run["spent"] for run in runs[days]], name)

    steps = list(runs[short][0]["spent"])
    whole = {days: median([{"x": sum(run["spent"].values())} for run in runs[days]], "x") for days in given.days}
    rows = [
        (name, f"{spent(short, name) * 1000:.0f}", f"{spent(long, name) * 1000:.0f}", f"{spent(long, name) / max(spent(short, name), 1e-9):.2f}",
         runs[short][0]["rows"].get(name, ""), runs[long][0]["rows"].get(name, ""))
        for name in steps
    ]  # fmt: skip
    ratio = whole[long] / whole[short]
    rows.append(("all", f"{whole[short] * 1000:.0f}", f"{whole[long] * 1000:.0f}", f"{ratio:.2f}", "", ""))
    files = "; ".join(
        f"{days} days: {made[days]['rows']:,} events in a file of {made[days]['size_mb']:.0f} MB, made in {made[days]['seconds']:.0f} s, "
        f"peak of the refresh {median(runs[days], 'peak_mb'):.0f} MB"
        for days in given.days
    )
    save(
        "refresh_one_day", f"Refreshing one day of {given.people:,} people",
        [
            table(("step", f"CPU ms, {short} days", f"CPU ms, {long} days", "ratio", "rows", "rows"), rows),
            f"Medians of {given.runs} runs in fresh processes, each on a fresh copy. {files}.",
            f"- two years cost {ratio:.2f} x one month (at most {RATIO:g}): {'met' if ratio <= RATIO else 'NOT MET'}",
        ],
    )  # fmt: skip
    if given.check and ratio > RATIO:
        raise SystemExit("the contract is not met, see the table.")


if __name__ == "__main__":
    main()
