"""What a pass of the alerts costs the warehouse at two years of a company of 1,000 people, and what the hourly question costs.

Belongs here: the time of each condition, of a whole pass (nobody is told), and of `needed`, on DuckDB. Does not belong here: what mail servers do.

Facts are those of `dashboard_queries.py`, made to end yesterday, with a key for each fourth person. Every day of ten endpoints was asked on
each of the 35 days after it, as the daily run does, so that the ledger of fetches has its true length.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dashboard_queries
from common import answer, child, median, peak_mb, save, table

GOAL_S = 10.0
FETCHES = """
    INSERT INTO raw_fetches BY NAME
    SELECT 'f' || d || e || r AS fetch_id, 'f' || d || e || CASE WHEN r < 3 THEN r ELSE 2 END AS version_fetch_id, s AS source, 'endpoint' || e AS endpoint,
           d::DATE AS usage_date, (d + to_days(r::INT) + INTERVAL 14 HOUR) AS fetched_at, 'complete' AS state, 'api' AS origin, r < 3 AS changed,
           100 AS row_count, 0 AS rejected_count, CASE WHEN e IN (0, 3) THEN 1.0 END AS vendor_total_usd, d AS window_start
    FROM range(TIMESTAMPTZ '{first} 00:00:00+00', TIMESTAMPTZ '{today} 00:00:00+00', INTERVAL 1 DAY) t(d), range(10) e(e), range(1, 36) r(r),
         (VALUES ('cursor'), ('anthropic')) v(s)
    WHERE (s = 'cursor') = (e < 3) AND d + to_days(r::INT) <= TIMESTAMPTZ '{today} 00:00:00+00'"""


def prepare(path: Path, people: int, days: int) -> tuple[int, int]:
    """(facts, fetches) written."""
    import duckdb

    today = datetime.now(UTC).date()
    dashboard_queries.LAST = today - timedelta(days=1)
    facts = dashboard_queries.prepare(path, people, days)
    with duckdb.connect(str(path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            "UPDATE fct_cost_daily SET api_key_id = 'key' || (hash(user_email) % 250) WHERE platform = 'claude_api' AND hash(user_email) % 4 = 0"
        )
        con.execute(FETCHES.format(first=today - timedelta(days=days), today=today))
        return facts, con.execute("SELECT COUNT(*) FROM raw_fetches").fetchall()[0][0]


def measure(path: str) -> None:
    """A process of its own: each condition, then a whole pass, then the hourly question with nothing new."""
    from common import Meter

    from ai_usage.alerts import conditions, passes
    from ai_usage.alerts.config import load_config
    from ai_usage.runtime import Runtime
    from ai_usage.settings import Settings

    runtime = Runtime(
        Settings(
            _env_file=None, data_dir=Path(path).parent, duckdb_path=path, cursor_admin_api_key="unused", anthropic_admin_api_key="unused"
        )  # type: ignore[call-arg, arg-type]
    )
    now = datetime.now(UTC)
    spent: dict[str, float] = {}
    causes: dict[str, int] = {}
    for name in load_config().alerts:
        meter = Meter()
        found = conditions.look(
            load_config(),
            runtime.warehouse.select,
            today=now.date(),
            now=now,
            sources=["cursor", "anthropic"],
            only=lambda a, n=name: a.name == n,
        )
        spent[name], causes[name] = meter.read()["cpu_s"], len(found.causes)
    meter = Meter()
    passes.pass_once(runtime, now=now, failed_runs=[])
    whole = meter.read()
    _, mark = passes.needed(runtime, None, now=now)
    meter = Meter()
    why, _ = passes.needed(runtime, mark, now=now)
    answer(
        conditions=spent,
        causes=causes,
        pass_s=whole["cpu_s"],
        pass_wall_s=whole["wall_s"],
        hour_s=meter.read()["cpu_s"],
        why=why,
        peak_mb=peak_mb(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        return measure(given.measure)
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.duckdb"
        facts, fetches = prepare(path, given.people, given.days)
        for _ in range(given.runs):
            runs.append(child([__file__, "--measure", str(path)]))
    each = {name: median([r["conditions"] for r in runs], name) for name in runs[0]["conditions"]}
    rows = [(name, f"{s:.2f}", runs[0]["causes"][name]) for name, s in sorted(each.items(), key=lambda item: -item[1])]
    whole, hour = median(runs, "pass_s"), median(runs, "hour_s")
    save(
        "alerts_pass", f"A pass of the alerts, {given.people:,} people, {given.days} days",
        [
            table(("condition", "CPU s", "causes"), rows),
            f"A whole pass: {whole:.1f} s of CPU, {median(runs, 'pass_wall_s'):.1f} s of wall on a busy machine. The hourly question with nothing new: {hour:.2f} s. "
            f"Facts: {facts:,} rows; fetches: {fetches:,}. Peak memory {median(runs, 'peak_mb'):.0f} MB. Medians of {given.runs}; SQL is translated anew in "
            "each process, which is in the figures.",
            f"- a whole pass within {GOAL_S:g} s of CPU: {'met' if whole <= GOAL_S else 'NOT MET'}",
        ],
    )  # fmt: skip
    return None


if __name__ == "__main__":
    main()
