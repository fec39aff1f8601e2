"""What each card of the dashboards costs the warehouse, as history and company grow.

Belongs here: the time of every distinct card query on DuckDB with its dashboard's own period, and with everything on record. Does not belong here: what the
browser does with the rows.

Facts are synthetic: each person works on each platform on 60 % of the days, with one row of usage and one of cost, and a seat on two platforms.
The goal is 10,000 people, 730 days and 4 platforms: `--people 10000 --own-only` (50 million rows of facts, half a gigabyte, made in some minutes).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from common import cpu_s, peak_mb, save, table

LAST = date(2026, 10, 31)
GOAL_S = 1.0
ACTIVE_PERCENT = 60
FACTS = {
    "fct_usage_daily": """
        SELECT d::DATE AS usage_date, ['cursor', 'claude_code', 'claude_api', 'claude_ai'][p + 1] AS platform, 'person' || u || '@example.com' AS user_email,
               'model-' || h % 5 AS model, h % 90000 AS input_tokens, h % 9000 AS output_tokens, h % 900000 AS cache_read_tokens, h % 70 AS requests,
               h % 500 AS loc_accepted, h % 90 AS suggestions_shown, h % 40 AS suggestions_accepted, h % 7 AS commits, 's' AS source, now() AS processed_at
        FROM {grid}""",
    "fct_cost_daily": """
        SELECT d::DATE AS cost_date, ['cursor', 'claude_code', 'claude_api', 'claude_ai'][p + 1] AS platform, 'V' AS vendor,
               CASE WHEN h % 50 > 0 THEN 'person' || u || '@example.com' END AS user_email, 'model-' || h % 5 AS model, 'usage' AS cost_type,
               (h % 900000) * 0.00001 AS cost_usd, CASE WHEN h % 50 > 0 THEN 'direct' ELSE 'unattributed' END AS attribution,
               CASE WHEN d >= DATE '2026-10-02' THEN 'provisional' ELSE 'settled' END AS settle_state, 's' AS source, now() AS processed_at
        FROM {grid}""",
}
SEATS = """
    INSERT INTO fct_cost_daily BY NAME
    SELECT d::DATE AS cost_date, p AS platform, 'V' AS vendor, 'person' || u || '@example.com' AS user_email, 'subscription' AS cost_type, 1.0 AS cost_usd,
           'seat' AS attribution, 'settled' AS settle_state, 'seats' AS source, now() AS processed_at
    FROM range(DATE '{first}', DATE '{last}' + 1, INTERVAL 1 DAY) t(d), range({people}) u(u), (VALUES ('cursor'), ('claude_ai')) s(p)"""


def prepare(path: Path, people: int, days: int) -> tuple[int, float, float]:
    """Rows of facts, and CPU seconds of writing the stored totals of all days and of the 35 of a daily run."""
    import duckdb

    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    DuckDBWarehouse(path).ensure()
    first = LAST - timedelta(days=days - 1)
    grid = (
        f"(SELECT d, p, u, hash(d, p, u) % 1000003 AS h FROM range(DATE '{first}', DATE '{LAST}' + 1, INTERVAL 1 DAY) t(d), range(4) p(p), range({people}) u(u) "
        f"WHERE hash(u, d, p) % 100 < {ACTIVE_PERCENT})"
    )
    with duckdb.connect(str(path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        for name, sql in FACTS.items():
            con.execute(f"INSERT INTO {name} BY NAME {sql.format(grid=grid)}")
        con.execute(SEATS.format(first=first, last=LAST, people=people))
        con.execute(f"""
            INSERT INTO dim_users BY NAME SELECT 'u' || u AS user_id, 'person' || u || '@example.com' AS email, 'Person ' || u AS first_name,
              now() AS created_at, now() AS updated_at FROM range({people}) u(u);
            INSERT INTO dim_user_assignments BY NAME SELECT 'person' || u || '@example.com' AS email, 'Department ' || u % 12 AS department,
              'CC' || u % 30 AS cost_center, DATE '1900-01-01' AS valid_from, DATE '9999-12-31' AS valid_to FROM range({people}) u(u)""")
        rows = con.execute("SELECT (SELECT COUNT(*) FROM fct_usage_daily) + (SELECT COUNT(*) FROM fct_cost_daily)").fetchall()[0][0]
    return rows, totalled(path, first), totalled(path, LAST - timedelta(days=34))


def totalled(path: Path, first: date) -> float:
    """CPU seconds of writing the stored totals of these days, in years at most, as runs do."""
    from ai_usage.transform import totals
    from ai_usage.warehouse.duckdb import DuckDBWarehouse

    warehouse, begun = DuckDBWarehouse(path), cpu_s()
    while first <= LAST:
        last = min(LAST, first + timedelta(days=365))
        totals.write_all(warehouse, {"start_date": first, "end_date": last, "processed_at": datetime.now(UTC)})
        first = last + timedelta(days=1)
    return cpu_s() - begun


class Cost(NamedTuple):
    """What one question takes: CPU seconds of all threads, and seconds to wait."""

    cpu: float
    wait: float


def periods(default: str) -> Any:
    from ai_usage.dashboards import FilterValues

    return {
        "this_month": FilterValues(LAST.replace(day=1), LAST),
        "last_30_days": FilterValues(LAST - timedelta(29), LAST),
        "last_90_days": FilterValues(LAST - timedelta(89), LAST),
        "all": FilterValues(),
    }[default]


def measure(path: Path, runs: int, own_only: bool = False) -> list[tuple[str, str, Cost, Cost]]:
    """(dashboard, card, cost with the dashboard's own period, cost with everything on record) of each card."""
    import duckdb

    from ai_usage.dashboards import FilterValues, card_query, load_dashboards
    from ai_usage.warehouse import dialect

    found = []
    with duckdb.connect(str(path), read_only=True, config={"threads": 2}) as con:
        con.execute("SET TimeZone = 'UTC'")

        known: dict[tuple[str, str], Cost] = {}

        def seconds(query: Any) -> Cost:
            asked = (query.sql, repr(query.params))
            if asked not in known:
                known[asked] = measured(query)
            return known[asked]

        def measured(query: Any) -> Cost:
            sql = dialect.to_duckdb(query.sql)
            spent = []
            for _ in range(runs):
                begun, at = cpu_s(), time.perf_counter()
                con.execute(sql, query.params).fetchall()
                spent.append((cpu_s() - begun, time.perf_counter() - at))
            return Cost(*(statistics.median(column) for column in zip(*spent, strict=True)))

        for dashboard in load_dashboards():
            default = periods(dashboard.filter("date").default)
            for card in dashboard.cards:
                if card.kind != "note":
                    everything = Cost(float("nan"), float("nan")) if own_only else seconds(card_query(card, FilterValues()))
                    found.append((dashboard.title, card.title, seconds(card_query(card, default)), everything))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--days", type=int, nargs="+", default=[90, 730])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--own-only", action="store_true", help="only each dashboard's own period, not everything on record")
    given = parser.parse_args()
    results, rows = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for days in given.days:
            path = Path(folder) / f"{days}.duckdb"
            rows[days] = prepare(path, given.people, days)
            results[days] = measure(path, given.runs, given.own_only)
            path.unlink()
    longest = given.days[-1]
    long = results[longest]
    short = {(d, c): own for d, c, own, _ in results[given.days[0]]}
    shown = [
        (f"{d}: {c}", f"{own.cpu:.2f}", f"{own.wait:.2f}", f"{short[d, c].cpu:.2f}", "–" if given.own_only else f"{everything.cpu:.2f}")
        for d, c, own, everything in sorted(long, key=lambda r: -r[2].cpu)[:16]
    ]  # fmt: skip
    slow = [c for _, c, own, _ in long if own.wait > GOAL_S]
    facts = "; ".join(
        f"{days} days: {n:,} rows of facts, totals of all days {whole:.0f} CPU s, of the 35 days of a run {run:.1f}"
        for days, (n, whole, run) in rows.items()
    )
    save(
        "dashboard_queries", f"Queries of the dashboards for {given.people:,} people",
        [
            table(
                ("the sixteen dearest cards", f"{longest} days held: CPU s", "wait s", f"{given.days[0]} days held: CPU s", f"everything of {longest} days CPU s"),
                shown,
            ),
            f"{len(long)} cards, each with its dashboard's own period. {facts}. Peak memory {peak_mb():.0f} MB.",
            f"- each card within {GOAL_S:g} s to wait: " + ("met" if not slow else f"NOT MET by {len(slow)}: {', '.join(slow)}"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
