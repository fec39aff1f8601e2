"""card_query: the aggregated SQL of a card, its filters as bound parameters, and periods."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot

from ai_usage.dashboards.query import CardQuery, FilterValues, card_query, preceding_period, resolve_grain
from ai_usage.dashboards.spec import SpecError, load_dashboards
from ai_usage_tests.unit.test_dashboards_data import build_marts, to_duckdb

DASHBOARDS = {d.key: d for d in load_dashboards()}


@pytest.fixture(scope="module")
def marts() -> duckdb.DuckDBPyConnection:
    return build_marts(days=100)


def run(connection: duckdb.DuckDBPyConnection, query: CardQuery) -> list[dict[str, Any]]:
    return connection.execute(to_duckdb(query.sql), query.params).to_arrow_table().to_pylist()


@pytest.mark.parametrize("name", [f"{d.key}/{c.key}" for d in DASHBOARDS.values() for c in d.cards if c.kind != "note"])
def test_every_card_answers_with_and_without_each_filter(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    key, card_key = name.split("/")
    card = DASHBOARDS[key].card(card_key)
    saturday = date(2026, 10, 31)
    everything = run(marts, card_query(card))
    quiet = run(marts, card_query(card, FilterValues(saturday, saturday)))
    assert everything
    chosen = {"department": ["Data", "Product"], "platform": ["cursor"], "user": ["grace.birch@example.com"]}
    for filter_key in card.filters:
        if filter_key == "date":
            assert quiet != everything, "date is inert"
        else:
            only = {filter_key: chosen[filter_key]}
            long = run(marts, card_query(card, FilterValues(chosen=only)))
            short = run(marts, card_query(card, FilterValues(saturday, saturday, only)))
            assert long != everything or short != quiet, f"{filter_key} is inert"


def test_open_alerts_are_those_that_are_not_over(marts: duckdb.DuckDBPyConnection) -> None:
    """Three causes opened and one ended: the worse of the two first, whatever the period; without alerts no row, which the card says in words."""
    card = DASHBOARDS["data_trust"].card("alerts")
    rows = run(marts, card_query(card, FilterValues(date(2020, 1, 1), date(2020, 1, 2))))
    assert [(r["severity"], r["alert"], r["open"]) for r in rows] == [("error", "data_old", 1), ("warning", "unattributed", 1)]
    assert rows[0]["headline"] == "Cursor was last read 30 hours ago." and rows[0]["reason_and_movers"] == "Ask. Ana: 3; Bo: 1"
    assert rows[0]["told"] is None and card.empty == "No alert is open."


def test_figures_are_ratios_of_sums_and_shares_of_what_is_left(marts: duckdb.DuckDBPyConnection) -> None:
    card = DASHBOARDS["cost_allocation"].card("cost_by_person")
    rows = run(marts, card_query(card, FilterValues(chosen={"platform": ["claude_api"]}), pivot=False))
    assert abs(sum(Decimal(str(r["share"])) for r in rows) - 1) < Decimal("2e-8"), "nine digits each"
    total = marts.execute("SELECT SUM(cost_usd) FROM vw_cost_allocation WHERE platform = 'claude_api'").fetchone()
    assert total is not None and sum(r["cost"] for r in rows) == total[0]
    assert [r["cost"] for r in rows] == sorted((r["cost"] for r in rows), reverse=True)


def test_values_are_bound_and_never_text() -> None:
    card = DASHBOARDS["cost_allocation"].card("billed_cost")
    query = card_query(card, FilterValues(date(2026, 1, 1), None, {"user": ["'; DROP TABLE x; --"], "unknown": ["x"]}))
    assert "DROP" not in query.sql and "unknown" not in query.sql
    assert query.params == {"date_from": date(2026, 1, 1), "user": ["'; DROP TABLE x; --"]}
    assert {p.name for p in sqlglot.parse_one(query.sql, read="bigquery").find_all(sqlglot.exp.Parameter)} == {"date_from", "user"}
    with pytest.raises(SpecError, match="date_from and date_to"):
        card_query(card, FilterValues(chosen={"date": ["2026-01-01"]}))


def test_periods_and_grains() -> None:
    assert preceding_period(FilterValues(date(2026, 3, 1), date(2026, 3, 31))) == FilterValues(date(2026, 1, 29), date(2026, 2, 28))
    assert preceding_period(FilterValues(date(2026, 3, 1), None)) is None
    ends = (date(2026, 4, 3), date(2026, 4, 4), date(2029, 1, 1))
    assert [resolve_grain("auto", date(2026, 1, 1), end) for end in ends] == [
        "day", "week", "month",
    ]  # fmt: skip
    card = DASHBOARDS["cost_allocation"].card("cost_by_day")
    assert "ISOWEEK" in card_query(card, grain="week").sql and "MONTH" in card_query(card, grain="month").sql
