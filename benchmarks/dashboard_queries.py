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
from datetime import date, timedelta
from pathlib import Path
from typing import Any

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


def prepare(path: Path, people: int, days: int) -> int:
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
        return con.execute("SELECT (SELECT COUNT(*) FROM fct_usage_daily) + (SELECT COUNT(*) FROM fct_cost_daily)").fetchall()[0][0]


def periods(default: str) -> Any:
    from ai_usage.dashboards import FilterValues

    return {
        "this_month": FilterValues(LAST.replace(day=1), LAST),
        "last_30_days": FilterValues(LAST - timedelta(29), LAST),
        "last_90_days": FilterValues(LAST - timedelta(89), LAST),
        "all": FilterValues(),
    }[default]


def measure(path: Path, runs: int, own_only: bool = False) -> list[tuple[str, str, float, float]]:
    """(dashboard, card, seconds with the dashboard's own period, seconds with everything on record) of each card."""
    import duckdb

    from ai_usage.dashboards import FilterValues, card_query, load_dashboards
    from ai_usage.warehouse import dialect

    found = []
    with duckdb.connect(str(path), read_only=True, config={"threads": 2}) as con:
        con.execute("SET TimeZone = 'UTC'")

        known: dict[tuple[str, str], float] = {}

        def seconds(query: Any) -> float:
            asked = (query.sql, repr(query.params))
            if asked not in known:
                known[asked] = measured(query)
            return known[asked]

        def measured(query: Any) -> float:
            sql = dialect.to_duckdb(query.sql)
            spent = []
            for _ in range(runs):
                begun = cpu_s()
                con.execute(sql, query.params).fetchall()
                spent.append(cpu_s() - begun)
            return statistics.median(spent)

        for dashboard in load_dashboards():
            default = periods(dashboard.filter("date").default)
            for card in dashboard.cards:
                if card.kind != "note":
                    everything = float("nan") if own_only else seconds(card_query(card, FilterValues()))
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
    long = results[given.days[-1]]
    short = {(d, c): own for d, c, own, _ in results[given.days[0]]}
    shown = [
        (f"{d}: {c}", f"{own:.2f}", f"{short[d, c]:.2f}", f"{everything:.2f}")
        for d, c, own, everything in sorted(long, key=lambda r: -r[2])[:12]
    ]  # fmt: skip
    slow = [c for _, c, own, _ in long if own > GOAL_S]
    save(
        "dashboard_queries", f"Queries of the dashboards for {given.people:,} people",
        [
            table(("the twelve slowest cards", f"own period, {given.days[-1]} days CPU s", f"own period, {given.days[0]} days CPU s", "everything CPU s"), shown),
            f"{len(long)} cards. Facts: " + "; ".join(f"{days} days: {n:,} rows" for days, n in rows.items()) + f". Peak memory {peak_mb():.0f} MB.",
            f"- each card's query with its dashboard's own period within {GOAL_S:g} s of CPU (all threads): "
            + ("met" if not slow else f"NOT MET by {len(slow)}: {', '.join(slow)}"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
