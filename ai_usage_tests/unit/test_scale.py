"""The arithmetic of docs/scale.md against figures worked out by hand; that the page is current is held by the documentation's tests."""

from __future__ import annotations

import pytest

from ai_usage import tables
from ai_usage.docsgen import scale
from ai_usage.docsgen.scans import scans

MIB = 1024**2


@pytest.mark.parametrize(
    ("table", "column", "size"),
    [
        ("fct_cost_daily", "cost_usd", 16),
        ("fct_cost_daily", "cost_date", 8),
        ("fct_cost_daily", "processed_at", 8),
        ("fct_cost_daily", "user_email", 28),
        ("fct_usage_daily", "requests", 8),
        ("raw_cursor_events", "is_chargeable", 1),
    ],
)
def test_widths_are_bigquerys(table: str, column: str, size: int) -> None:
    assert scale.width(tables.BY_NAME[table].column(column)) == size


def test_a_statement_is_charged_for_its_columns_days_and_rows() -> None:
    """100,000 people bring 400,000 rows a day; cost_usd 16 + cost_date 8 bytes over 30 days are 288,000,000."""
    sql = "SELECT SUM(cost_usd) AS usd FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date"
    assert scale.scanned(scans(sql), 100_000, 30) == 400_000 * 24 * 30


def test_without_its_filter_it_is_charged_for_the_year() -> None:
    sql = "SELECT SUM(cost_usd) AS usd FROM fct_cost_daily"
    assert scale.scanned(scans(sql), 100_000, 30) == 400_000 * 16 * 365


def test_a_small_table_is_charged_ten_megabytes_and_each_table_for_itself() -> None:
    assert scale.scanned(scans("SELECT email FROM dim_users"), 100, 30) == 10 * MIB
    assert scale.scanned(scans("SELECT u.email FROM dim_users AS u INNER JOIN dim_api_keys AS k ON u.email = k.email"), 100, 30) == 20 * MIB


def test_a_column_read_twice_is_charged_once_over_the_longer_range() -> None:
    sql = (
        "SELECT SUM(cost_usd) AS usd FROM fct_cost_daily UNION ALL "
        "SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date"
    )
    assert scale.scanned(scans(sql), 100_000, 30) == 400_000 * (16 * 365 + 8 * 30)


def test_every_raw_table_is_estimated() -> None:
    """A new raw table gets the figure for the unknown until somebody writes one down: this names it."""
    known = {*scale.PER_PERSON_DAY, *scale.PER_PERSON_SNAPSHOT, *scale.PER_PERSON, *scale.PER_DAY}
    assert known <= {t.name for t in tables.ALL if not t.view}, "estimates of tables that are gone"
    assert {t.name for t in tables.CURATED} <= known


def test_every_statement_of_a_run_and_of_the_dashboards_is_counted() -> None:
    names = [s.name for s in scale.run_statements()]
    assert {t.name for t in tables.CURATED} <= set(names) and len(names) == len(set(names))
    assert all(scans(s.sql) for asked in scale.card_statements().values() for s in asked)
