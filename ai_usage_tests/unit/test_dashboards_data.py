"""Synthetic marts for the dashboard tests: the views' names and types, in an in-memory DuckDB, from a seed.

Belongs here: `build_marts` and what proves that it is worth testing with. Does not belong here: vendors,
the real marts. The people are invented; some names are hostile on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import sqlglot

HOSTILE_NAME = '</script><img src=x onerror="window.pwned=1">'
FORMULA_NAME = '=HYPERLINK("http://evil.example","x"), Ada'
HOSTILE_DEPARTMENT = '<b>R&D</b> "quoted", with comma'
LAST_DAY = date(2026, 10, 31)
FIRST = (
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Frances",
    "John",
    "Katherine",
    "Leslie",
    "Margaret",
    "Tony",
)
LAST = (
    "Almond",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fir",
    "Ginkgo",
    "Hazel",
    "Ivy",
    "Juniper",
    "Kapok",
    "Linden",
)
DEPARTMENTS = ("Engineering", "Data", "Product", "Finance", "Design", "Support", "Security")

RANDOM = "((hash(u.n, d.day, p.platform, '{salt}') % 1000003) / 1000003.0)"


def to_duckdb(sql: str) -> str:
    return sqlglot.transpile(sql, read="bigquery", write="duckdb")[0]


def querier(connection: duckdb.DuckDBPyConnection) -> Callable[[str], pa.Table]:
    """The `query` callable a caller passes to the renderer."""
    return lambda sql: connection.execute(to_duckdb(sql)).to_arrow_table()


def build_marts(
    users: int = 14,
    days: int = 120,
    platforms: tuple[str, ...] = ("cursor", "claude_code", "claude_api", "claude_ai"),
    hostile: bool = True,
    last_day: date = LAST_DAY,
) -> duckdb.DuckDBPyConnection:
    """`vw_cost_allocation`, `vw_productivity_metrics` and `vw_data_health` as tables."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; CREATE TABLE people (n INT, email TEXT, name TEXT, department TEXT)")
    connection.execute("CREATE TABLE platforms (platform TEXT, vendor TEXT, weight DOUBLE)")
    connection.execute("CREATE TABLE days AS SELECT d::DATE AS day "
                       "FROM range($1::DATE, $2::DATE, INTERVAL 1 DAY) t(d)",
                       [last_day - timedelta(days=days - 1), last_day + timedelta(days=1)])  # fmt: skip
    for n in range(users):
        first, last = FIRST[n % len(FIRST)], LAST[(n // len(FIRST) + n) % len(LAST)]
        email, name = f"{first}.{last}{n if n >= 144 else ''}@example.com".lower(), f"{first} {last}"
        department = "(no department)" if n % 17 == 16 else DEPARTMENTS[(n * n + n // 3) % len(DEPARTMENTS)]
        if hostile and n < 3:
            name = (HOSTILE_NAME, FORMULA_NAME, "Zoë “Q” O'Neil-Łukasz")[n]
            department = HOSTILE_DEPARTMENT if n == 0 else department
        connection.execute("INSERT INTO people VALUES (?, ?, ?, ?)", [n, email, name, department])
    for platform in platforms:
        weight = {"cursor": 1.0, "claude_code": 1.7, "claude_api": 0.8, "claude_ai": 0.3}[platform]
        connection.execute("INSERT INTO platforms VALUES (?, ?, ?)",
                           [platform, "Cursor" if platform == "cursor" else "Anthropic", weight])  # fmt: skip
    _grid(connection)
    _cost(connection, last_day)
    _productivity(connection)
    connection.execute("""
        CREATE TABLE vw_data_health AS
        SELECT CASE WHEN platform = 'cursor' THEN 'cursor' ELSE 'anthropic' END AS source,
          platform || '_usage' AS endpoint,
          (SELECT MIN(day) FROM days) AS first_day, (SELECT MAX(day) FROM days) AS last_day,
          120::BIGINT AS days_expected, 119::BIGINT AS days_complete,
          0::BIGINT AS days_empty, 0::BIGINT AS days_failed,
          CASE WHEN platform = 'claude_ai' THEN 1 ELSE 0 END::BIGINT AS days_missing,
          (SELECT MAX(day) FROM days)::TIMESTAMP + INTERVAL 30 HOUR AS last_fetched_at,
          1000::BIGINT AS row_count, 0::BIGINT AS rejected_rows, 1.0::DECIMAL(38,9) AS vendor_total_usd
        FROM platforms""")
    return connection


def _grid(connection: duckdb.DuckDBPyConnection) -> None:
    """One row per person, day and platform with activity; weekends are quiet, adoption grows."""

    def r(salt: str) -> str:
        return RANDOM.format(salt=salt)

    connection.execute(f"""
        CREATE TABLE grid AS
        SELECT u.*, d.day, p.*, {r("a")} AS ra, {r("b")} AS rb, {r("c")} AS rc, {r("d")} AS rd,
          0.3 + 1.4 * ((hash(u.n, 'size') % 1000) / 1000.0) AS size
        FROM people u, days d, platforms p
        WHERE {r("active")} < (CASE WHEN isodow(d.day) > 5 THEN 0.12 ELSE 0.9 END)
          * (0.45 + 0.5 * (d.day - (SELECT MIN(day) FROM days)) / (SELECT COUNT(*) FROM days))
        ORDER BY d.day, u.n, p.platform""")


def _cost(connection: duckdb.DuckDBPyConnection, last_day: date) -> None:
    month = last_day.replace(day=1)
    connection.execute(f"""
        CREATE TABLE vw_cost_allocation AS
        WITH lines AS (
          SELECT day AS cost_date, platform, vendor, department,
            'CC-' || (length(department) * 7) AS cost_center,
            email AS user_email, name AS user_name, m.model, 'usage' AS cost_type,
            CASE WHEN platform = 'cursor' THEN 'direct' ELSE 'token_share' END AS attribution,
            (weight * size * (0.4 + 9 * ra * rb) * m.part)::DECIMAL(38,9)
              + ((hash(n, day, m.model) % 1000) / 1e9)::DECIMAL(38,9)
              AS cost_usd
          FROM grid, (VALUES ('model-large', 0.7), ('model-small', 0.3)) m(model, part)
          UNION ALL
          SELECT day, platform, vendor, '(no department)', NULL, '(unattributed)',
            '(unattributed)', NULL, 'usage',
            'unattributed',
            SUM(weight * rc * 0.35)::DECIMAL(38,9) FROM grid GROUP BY day, platform, vendor
          UNION ALL
          SELECT d.day, p.platform, p.vendor, u.department, NULL, u.email, u.name, NULL, 'subscription',
            'seat', 40::DECIMAL(38,9)
          FROM people u, days d, platforms p WHERE day(d.day) = 1 AND p.platform IN ('cursor', 'claude_ai')
          UNION ALL
          SELECT d.day, p.platform, p.vendor, '(no department)', NULL, '(unattributed)',
            '(unattributed)', NULL,
            'credit',
            'unattributed', -75.25::DECIMAL(38,9)
          FROM days d, platforms p WHERE day(d.day) = 15 AND p.platform = 'cursor')
        SELECT *, CASE
            WHEN cost_date >= DATE '{last_day}' - 1 THEN 'open'
            WHEN cost_date >= DATE '{month}' THEN 'provisional'
            WHEN cost_date >= DATE '{month}' - 31 THEN 'settled' ELSE 'closed' END AS settle_state
        FROM lines""")


def _productivity(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
        CREATE TABLE vw_productivity_metrics AS
        SELECT day AS usage_date, platform, department, email AS user_email, name AS user_name,
          (CASE WHEN coding THEN 20 + 900 * ra * rb * size END)::BIGINT AS loc_added,
          (CASE WHEN coding THEN 10 + 600 * ra * rb * size END)::BIGINT AS loc_accepted,
          (CASE WHEN coding THEN 200 * rc END)::BIGINT AS loc_removed,
          (CASE WHEN platform = 'cursor' THEN 20 + 180 * ra END)::BIGINT AS suggestions_shown,
          (CASE WHEN coding THEN (20 + 180 * ra) * (0.22 + 0.2 * rd) END)::BIGINT AS suggestions_accepted,
          (CASE WHEN coding THEN (20 + 180 * ra) * 0.4 END)::BIGINT AS suggestions_rejected,
          (5 + 140 * ra * size)::BIGINT AS requests,
          (CASE WHEN platform = 'claude_code' THEN 1 + 6 * rb END)::BIGINT AS sessions,
          (CASE WHEN platform = 'claude_code' THEN floor(5 * rc) END)::BIGINT AS commits,
          (CASE WHEN platform = 'claude_code' THEN floor(1.6 * rd) END)::BIGINT AS pull_requests,
          (9e5 * ra * size)::BIGINT AS input_tokens, (1.2e5 * rb * size)::BIGINT AS output_tokens,
          (CASE WHEN platform <> 'cursor' THEN 6e6 * rc * size END)::BIGINT AS cache_read_tokens,
          (CASE WHEN platform <> 'cursor' THEN 4e5 * rd END)::BIGINT AS cache_write_tokens,
          (weight * size * (0.4 + 9 * ra * rb))::DECIMAL(38,9) AS cost_usd, 0::DECIMAL(38,9) AS included_usd,
          NULL::DECIMAL(38,9) AS list_usd, rd > 0.03 AS is_active
        FROM (SELECT *, platform IN ('cursor', 'claude_code') AS coding FROM grid)""")
    connection.execute("""
        CREATE TABLE vw_team_productivity AS
        SELECT date_trunc('week', usage_date)::DATE AS week, platform, department,
          COUNT(DISTINCT user_email) FILTER (is_active AND user_email <> '(unattributed)') AS people,
          SUM(loc_accepted)::BIGINT AS loc_accepted, SUM(COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected))::BIGINT AS suggestions_decided,
          SUM(suggestions_accepted)::BIGINT AS suggestions_accepted,
          SUM(requests)::BIGINT AS requests, SUM(commits)::BIGINT AS commits, SUM(pull_requests)::BIGINT AS pull_requests
        FROM vw_productivity_metrics GROUP BY ALL HAVING people >= 3""")


def test_the_synthetic_marts_have_the_cases_worth_testing() -> None:
    connection = build_marts()
    row = connection.execute("""
        SELECT COUNT(*) FILTER (user_email = '(unattributed)'), COUNT(*) FILTER (cost_usd < 0),
          COUNT(DISTINCT settle_state),
          SUM(cost_usd), COUNT(*) FILTER (model IS NULL) FROM vw_cost_allocation""").fetchone()
    assert row is not None
    assert row[0] > 0 and row[1] > 0 and row[2] == 4 and row[4] > 0
    assert isinstance(row[3], Decimal) and row[3] != row[3].quantize(Decimal("0.01")), "fractions of a cent are there"
    assert connection.execute("SELECT COUNT(*) FROM vw_productivity_metrics WHERE loc_accepted IS NULL").fetchone() != (0,)
