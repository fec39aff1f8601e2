"""Synthetic facts under the real marts, for the dashboard tests: an in-memory DuckDB, from a seed.

Belongs here: `build_marts` and what proves that it is worth testing with. Does not belong here: vendors, and
what the marts compute. The people are invented; some names are hostile on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa

from ai_usage import tables
from ai_usage.transform import totals
from ai_usage.warehouse import dialect, models

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
    return dialect.to_duckdb(sql)


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
    """Every declared table and the real views, over synthetic people, facts, sheet and fetches."""
    connection = duckdb.connect(config={"threads": 1})  # a second one only waits
    connection.execute("SET TimeZone = 'UTC'; CREATE TABLE people (n INT, email TEXT, name TEXT, department TEXT)")
    for table in (t for t in tables.ALL if not t.view):
        connection.execute(table.duckdb_ddl())
    for model in models.views():  # a view that reads another comes after it
        columns = ", ".join(model.table.column_names)
        connection.execute(f"CREATE VIEW {model.table.name} AS SELECT {columns} FROM ({dialect.to_duckdb(models.view_sql(model))})")
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
    _people(connection)
    _grid(connection)
    _cost(connection, last_day)
    _idle(connection)
    _productivity(connection)
    _fetches(connection)
    _sheet(connection, last_day)
    written = {"start_date": totals.EVER[0], "end_date": totals.EVER[1], "processed_at": datetime(2026, 11, 1, tzinfo=UTC)}
    for name in totals.NAMES:
        model = models.model(name)
        columns = ", ".join(model.table.column_names)
        connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM ({dialect.to_duckdb(models.expand(model.sql))})", written)
    return connection


def _people(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
        INSERT INTO dim_users BY NAME SELECT email AS user_id, email, name AS first_name, '2026-01-01'::TIMESTAMPTZ AS created_at,
          '2026-01-01'::TIMESTAMPTZ AS updated_at FROM people;
        INSERT INTO dim_user_assignments BY NAME SELECT email, department, 'CC-' || (length(department) * 7) AS cost_center,
          DATE '1900-01-01' AS valid_from, DATE '9999-12-31' AS valid_to FROM people WHERE department <> '(no department)'""")


def _idle(connection: duckdb.DuckDBPyConnection) -> None:
    """Ida has a seat on two platforms and never used either."""
    connection.execute("""
        INSERT INTO dim_users BY NAME SELECT 'ida' AS user_id, 'ida.idle@example.com' AS email, 'Ida Idle' AS first_name,
          '2026-01-01'::TIMESTAMPTZ AS created_at, '2026-01-01'::TIMESTAMPTZ AS updated_at;
        INSERT INTO fct_cost_daily BY NAME SELECT cost_date, platform, vendor, 'ida.idle@example.com' AS user_email, cost_type, 40.0 AS cost_usd, attribution,
          settle_state, source, processed_at FROM fct_cost_daily WHERE cost_type = 'subscription'
        QUALIFY ROW_NUMBER() OVER (PARTITION BY cost_date, platform ORDER BY user_email) = 1""")


def _fetches(connection: duckdb.DuckDBPyConnection) -> None:
    """Every day of every platform was asked, the last one of claude_ai never; one early day was restated, with a rejected record."""
    connection.execute("""
        INSERT INTO raw_fetches BY NAME
        SELECT CASE WHEN platform = 'cursor' THEN 'cursor' ELSE 'anthropic' END AS source,
          CASE platform WHEN 'cursor' THEN 'filtered-usage-events' WHEN 'claude_api' THEN 'cost_report' ELSE platform || '_usage' END AS endpoint,
          platform || day AS fetch_id, platform || day AS version_fetch_id, day AS usage_date, day::TIMESTAMPTZ + INTERVAL 30 HOUR AS fetched_at,
          'complete' AS state, 'api' AS origin, TRUE AS changed, 10 AS row_count, 0 AS rejected_count, day::TIMESTAMPTZ AS window_start,
          'a' AS content_sha256, 1.0 AS vendor_total_usd
        FROM platforms, days WHERE NOT (platform = 'claude_ai' AND day = (SELECT MAX(day) - 1 FROM days));
        INSERT INTO raw_fetches BY NAME
        SELECT * REPLACE (fetch_id || 'b' AS fetch_id, fetch_id || 'b' AS version_fetch_id, fetched_at + INTERVAL 50 HOUR AS fetched_at, 'b' AS content_sha256,
          vendor_total_usd + (CASE WHEN source = 'cursor' THEN 2.5 ELSE -0.5 END)::DECIMAL(38,9) AS vendor_total_usd, 1 AS rejected_count)
        FROM raw_fetches WHERE usage_date = (SELECT MIN(day) + 1 FROM days) OR usage_date = (SELECT MAX(day) - 9 FROM days);
        INSERT INTO raw_rejects BY NAME
        SELECT usage_date, fetch_id, fetched_at, source, endpoint, 'email' AS column_name, 'is not an e-mail address' AS reason,
          'Ask the vendor.' AS remedy, '{}' AS payload FROM raw_fetches WHERE content_sha256 = 'b';
        INSERT INTO raw_cursor_events BY NAME
        SELECT f.usage_date, f.version_fetch_id AS fetch_id, f.fetched_at, f.usage_date AS ingest_date, f.fetched_at AS event_at, TRUE AS is_chargeable,
          c.usd AS charged_usd, 'x@example.com' AS user_email, 'Usage-based' AS kind
        FROM stg_current_fetches f JOIN (SELECT cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily WHERE platform = 'cursor' AND cost_type = 'usage'
          GROUP BY cost_date) c ON f.usage_date = c.cost_date WHERE f.source = 'cursor';
        INSERT INTO raw_anthropic_cost BY NAME
        SELECT f.usage_date, f.version_fetch_id AS fetch_id, f.fetched_at, f.usage_date AS ingest_date, 0.01 AS amount_usd, 'USD' AS currency
        FROM stg_current_fetches f WHERE f.endpoint = 'cost_report'""")


def _sheet(connection: duckdb.DuckDBPyConnection, last_day: date) -> None:
    """Budgets for each month and department, invoices that differ by tax and a little more, and this month's seats."""
    fetched = f"DATE '{last_day}' AS usage_date, tab AS fetch_id, TIMESTAMPTZ '{last_day} 06:00:00Z' AS fetched_at"
    lineage = f"{fetched}, DATE '{last_day}' AS ingest_date"
    connection.execute(f"""
        CREATE TABLE months AS SELECT DISTINCT date_trunc('month', day)::DATE AS month FROM days;
        INSERT INTO raw_fetches BY NAME SELECT 'google_sheets' AS source, tab AS endpoint, {fetched}, tab AS version_fetch_id, 'complete' AS state,
          'api' AS origin, TRUE AS changed, 1 AS row_count, 0 AS rejected_count
        FROM (VALUES ('budgets'), ('invoices'), ('subscriptions'), ('adjustments')) t(tab);
        INSERT INTO raw_sheet_adjustments BY NAME SELECT {lineage}, n AS sheet_row, day AS adjustment_date, platform, 0 AS amount_usd,
          'Controlling' AS author, 'r' AS reason, email
          FROM (VALUES (2, DATE '2026-10-31', 'cursor', 'grace.birch@example.com'), (3, DATE '2026-10-30', 'claude_ai', NULL)) t(n, day, platform, email),
            (SELECT 'adjustments' AS tab);
        INSERT INTO check_results BY NAME SELECT 'r' AS run_id, TIMESTAMPTZ '{last_day} 06:00:00Z' AS checked_at, a AS asset, 'grain' AS check_name,
          s AS state, TRUE AS blocking, '0' AS expected, '1' AS actual FROM (VALUES ('fct_cost_daily', 'passed'), ('dim_users', 'failed')) t(a, s);
        INSERT INTO alert_log BY NAME SELECT TIMESTAMPTZ '{last_day} 06:00:00Z' AS logged_at, n AS seq, 'opened' AS event, a AS alert, 'c' || n AS cause_key,
          s AS severity, 1 AS level, 'x' AS subject, h AS headline, 'hours' AS unit,
            'Ask.' AS likely_reason, 'Ana: 3' || chr(10) || 'Bo: 1' AS moved_by
          FROM (VALUES (1, 'unattributed', 'warning', 'Too much has no owner.'),
          (2, 'data_old', 'error', 'Cursor was last read 30 hours ago.'), (3, 'budget', 'warning', 'The budget is used up.')) t(n, a, s, h);
        INSERT INTO alert_log BY NAME SELECT * REPLACE (logged_at + INTERVAL 1 HOUR AS logged_at, 'resolved' AS event) FROM alert_log WHERE seq = 3;
        INSERT INTO raw_sheet_budgets BY NAME SELECT {lineage}, 2 AS sheet_row, month, department, 900.0 AS budget_usd
          FROM months, (SELECT DISTINCT department FROM people WHERE department <> '(no department)'), (SELECT 'budgets' AS tab);
        INSERT INTO raw_sheet_budgets BY NAME SELECT {lineage}, 3 AS sheet_row, month, 5000.0 AS budget_usd FROM months, (SELECT 'budgets' AS tab);
        INSERT INTO raw_sheet_invoices BY NAME SELECT {lineage}, 2 AS sheet_row, 'cursor' AS platform, month AS invoice_month, 'usage' AS cost_type,
          (SELECT SUM(cost_usd) + 3.21 FROM fct_cost_daily WHERE platform = 'cursor' AND cost_type = 'usage' AND date_trunc('month', cost_date) = month)
          AS amount_usd FROM months, (SELECT 'invoices' AS tab) WHERE month < date_trunc('month', DATE '{last_day}');
        INSERT INTO raw_sheet_invoices BY NAME SELECT {lineage}, 3 AS sheet_row, 'cursor' AS platform, month AS invoice_month, 'tax' AS cost_type,
          19.0 AS amount_usd FROM months, (SELECT 'invoices' AS tab) WHERE month < date_trunc('month', DATE '{last_day}');
        INSERT INTO raw_sheet_invoices BY NAME SELECT {lineage}, 4 AS sheet_row, 'claude_api' AS platform, month AS invoice_month, 'usage' AS cost_type,
          50.0 AS amount_usd FROM months, (SELECT 'invoices' AS tab) WHERE month < date_trunc('month', DATE '{last_day}');
        INSERT INTO raw_sheet_subscriptions BY NAME SELECT {lineage}, 2 AS sheet_row, 'cursor' AS platform, 'p' AS plan, 10 AS seats, 40.0 AS price_usd
          FROM (SELECT 'subscriptions' AS tab)""")


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
        INSERT INTO fct_cost_daily BY NAME
        WITH lines AS (
          SELECT day AS cost_date, platform, vendor, email AS user_email, m.model, 'usage' AS cost_type,
            CASE WHEN platform = 'cursor' THEN 'direct' ELSE 'token_share' END AS attribution,
            (weight * size * (0.4 + 9 * ra * rb) * m.part)::DECIMAL(38,9)
              + ((hash(n, day, m.model) % 1000) / 1e9)::DECIMAL(38,9)
              AS cost_usd
          FROM grid, (VALUES ('model-large', 0.7), ('model-small', 0.3)) m(model, part)
          UNION ALL
          SELECT day, platform, vendor, NULL, NULL, 'usage', 'unattributed',
            SUM(weight * rc * 0.35)::DECIMAL(38,9) FROM grid GROUP BY day, platform, vendor
          UNION ALL
          SELECT d.day, p.platform, p.vendor, u.email, NULL, 'subscription', 'seat', 40::DECIMAL(38,9)
          FROM people u, days d, platforms p WHERE day(d.day) = 1 AND p.platform IN ('cursor', 'claude_ai')
          UNION ALL
          SELECT d.day, p.platform, p.vendor, NULL, NULL, 'credit', 'unattributed', -75.25::DECIMAL(38,9)
          FROM days d, platforms p WHERE day(d.day) = 15 AND p.platform = 'cursor')
        SELECT *, CASE
            WHEN cost_date >= DATE '{last_day}' - 1 THEN 'open'
            WHEN cost_date >= DATE '{month}' THEN 'provisional'
            WHEN cost_date >= DATE '{month}' - 31 THEN 'settled' ELSE 'closed' END AS settle_state,
          'synthetic' AS source, TIMESTAMPTZ '2026-11-01 00:00:00Z' AS processed_at
        FROM lines""")


def _productivity(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
        INSERT INTO fct_usage_daily BY NAME
        SELECT day AS usage_date, platform, email AS user_email, 'model-large' AS model,
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
          0::DECIMAL(38,9) AS included_usd, 'synthetic' AS source, TIMESTAMPTZ '2026-11-01 00:00:00Z' AS processed_at
        FROM (SELECT *, platform IN ('cursor', 'claude_code') AS coding FROM grid)""")


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
