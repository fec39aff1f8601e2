"""card_query: the aggregated SQL of a card, its filters as bound parameters, and periods."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot

from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.query import (
    CardQuery,
    FilterValues,
    card_query,
    compared_period,
    resolve_grain,
)
from ai_usage.dashboards.spec import SpecError
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_dashboards_data import build_marts, to_duckdb
from ai_usage_tests.unit.test_sql_marts import company

DASHBOARDS = {d.key: d for d in load_dashboards()}
PERIOD_BEFORE = {
    # Months stand beside as many months, however long each is.
    ("2026-11-01", "2026-11-30"): ("2026-10-01", "2026-10-31"),
    ("2026-10-01", "2026-10-31"): ("2026-09-01", "2026-09-30"),
    ("2027-03-01", "2027-03-31"): ("2027-02-01", "2027-02-28"),
    ("2028-02-01", "2028-02-29"): ("2028-01-01", "2028-01-31"),
    ("2026-01-01", "2026-01-31"): ("2025-12-01", "2025-12-31"),
    ("2026-10-01", "2026-11-30"): ("2026-08-01", "2026-09-30"),
    # A last month that is not whole: the same days.
    ("2026-10-01", "2026-10-20"): ("2026-09-01", "2026-09-20"),
    ("2026-10-01", "2026-11-29"): ("2026-08-01", "2026-09-29"),
    ("2025-12-01", "2026-02-10"): ("2025-09-01", "2025-11-10"),
    ("2027-03-01", "2027-03-30"): ("2027-02-01", "2027-02-28"),
    # Everything else: as many days directly before.
    ("2026-11-30", "2026-11-30"): ("2026-11-29", "2026-11-29"),
    ("2026-11-24", "2026-11-30"): ("2026-11-17", "2026-11-23"),
    ("2026-10-02", "2026-10-31"): ("2026-09-02", "2026-10-01"),
    ("2026-09-15", "2026-11-30"): ("2026-06-30", "2026-09-14"),
    ("2027-03-31", "2027-03-31"): ("2027-03-30", "2027-03-30"),
}
"""A period, and the one that it stands beside: by the calendar. No two of a pair overlap."""


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
    if card.kind != "note" and card.latest:  # of all dates the latest month is October
        saturday = date(2026, 9, 26)
    if card_key == "savings":  # each month of the company has the same idle seats
        saturday = date(2026, 1, 31)
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


@pytest.mark.parametrize(("period", "before"), PERIOD_BEFORE.items())
def test_months_stand_beside_months_and_days_beside_days(period: tuple[str, str], before: tuple[str, str]) -> None:
    asked, expected = (FilterValues(*(date.fromisoformat(day) for day in days)) for days in (period, before))
    assert compared_period(asked) == expected
    assert expected.date_to < asked.date_from, "a day is on one side"
    assert compared_period(FilterValues(asked.date_from, None)) is None


def test_a_period_takes_every_month_that_it_touches(marts: duckdb.DuckDBPyConnection) -> None:
    """The last 30 days on the 31st begin on the 2nd; October is in them all the same, whole, where rows are months. Days stay days."""
    period = FilterValues(date(2026, 10, 2), date(2026, 10, 31))
    board = DASHBOARDS["cost_allocation"]
    for key in ("budgets", "seats", "savings", "chargeback"):
        assert card_query(board.card(key), period).params["date_from"] == date(2026, 10, 1), key
    assert run(marts, card_query(board.card("budgets"), period)) == run(
        marts, card_query(board.card("budgets"), FilterValues(date(2026, 10, 1), date(2026, 10, 31)))
    )
    assert card_query(board.card("billed_cost"), period).params["date_from"] == date(2026, 10, 2)
    months = [c for d in DASHBOARDS.values() for c in d.cards if c.kind != "note" and c.of_months]
    assert {c.scope for c in months if not c.latest} == {"Months that the period touches"}, "and each says so"
    assert {c.scope for c in months if c.latest} == {
        "Latest month of the period, beside the month before",
        "Latest passed month of the period",
    }


def test_of_a_period_of_several_months_the_latest_counts(marts: duckdb.DuckDBPyConnection) -> None:
    """A bridge over September and October beside one of October alone: bridges of several months do not add up. A person does not choose the month."""
    card = DASHBOARDS["executive_summary"].card("why_changed")
    october, both = FilterValues(date(2026, 10, 1), date(2026, 10, 31)), FilterValues(date(2026, 9, 1), date(2026, 10, 31))
    assert run(marts, card_query(card, both)) == run(marts, card_query(card, october)) == run(marts, card_query(card))
    told = {r["driver"]: r["amount"] for r in run(marts, card_query(card, october))}
    before, now = (marts.execute("SELECT SUM(cost_usd) FROM vw_cost_allocation WHERE cost_date BETWEEN ? AND ?", p).fetchone() for p in (
        (date(2026, 9, 1), date(2026, 9, 30)), (date(2026, 10, 1), date(2026, 10, 31))))  # fmt: skip
    assert (told["before"],) == before and (sum(told.values()),) == now
    one = FilterValues(date(2026, 9, 1), date(2026, 10, 31), {"user": ["nobody@example.com"]})
    assert run(marts, card_query(card, one)) == []


NET = {
    ("executive_summary", "projection"),
    ("executive_summary", "budget_used"),
    ("executive_summary", "platform_outlook"),
    ("cost_allocation", "budgets"),
}


def test_shares_and_unit_costs_are_of_gross_cost_and_budgets_of_net() -> None:
    """Whatever divides money divides usage and seats; only what is set against a budget has credits and tax in it."""
    for board in DASHBOARDS.values():
        for card in board.cards:
            if card.kind == "note" or card.source.view == "vw_model_mix":  # it holds usage alone
                continue
            for m in card.measures:
                used = {t.column for t in m.ratio} if m.ratio else {m.share} if m.share else set()
                assert (board.key, card.key) in NET or "cost_usd" not in used, (board.key, card.key, m.key)
                if m.share or (m.ratio and "gross_usd" in used and card.kind == "table"):
                    assert "gross_usd" in {x.sum for x in card.measures} or "cost_usd" not in {x.sum for x in card.measures}, (
                        "it stands beside net"
                    )


def test_a_credit_makes_no_share_more_than_the_whole(desk: Desk) -> None:
    """Usage 100, of which 40 is nobody's and 60 settled; a credit of 90 and a tax of 19 are nobody's: billed is 29, gross 100. Over the 29 the shares
    would be 138 % and 507 %. A line costs 60 / 30 and a person-day 60 / 1; Ana's share of gross is 60 %."""
    line = {"cost_date": date(2026, 10, 2), "platform": "cursor", "vendor": "V", "source": "s", "settle_state": "provisional"}
    mine = {"user_email": "ana@example.com", "attribution": "direct"}
    desk.lay(
        "fct_cost_daily", {**line, **mine, "cost_type": "usage", "cost_usd": Decimal(60), "settle_state": "settled"},
        *({**line, "attribution": "unattributed", "cost_type": kind, "cost_usd": Decimal(usd)}
          for kind, usd in (("usage", 40), ("credit", -90), ("tax", 19))),
    )  # fmt: skip
    desk.lay("fct_usage_daily", {"usage_date": date(2026, 10, 2), "platform": "cursor", "user_email": "ana@example.com", "source": "s", "requests": 1,
                                 "loc_accepted": 50})  # fmt: skip

    def first(board: str, card: str) -> list[dict[str, Any]]:
        query = card_query(DASHBOARDS[board].card(card), pivot=False)
        return desk.ask(query.sql, **query.params)

    assert first("cost_allocation", "billed_cost")[0]["cost"] == 29
    assert first("cost_allocation", "unattributed_share")[0]["share"] == Decimal("0.4")
    (final,) = first("executive_summary", "final_share")
    assert (final["share"], final["gross"]) == (Decimal("0.6"), 100)
    assert {r["user_email"]: (r["cost"], r["gross"], r["share"]) for r in first("cost_allocation", "cost_by_person")} == {
        "ana@example.com": (60, 60, Decimal("0.6")), "(unattributed)": (-31, 40, Decimal("0.4")),
    }  # fmt: skip
    assert first("executive_summary", "cost_per_active")[0]["per_person"] == 100
    (cursor,) = first("platform_roi", "by_platform")
    assert (cursor["cost"], cursor["gross"], cursor["per_line"]) == (29, 100, 2)


def test_there_is_no_ratio_over_zero_or_less(desk: Desk) -> None:
    """Usage of -10 is all that is billed: a correction. What part of it is final, or whose, is no number."""
    desk.lay("fct_cost_daily", {"cost_date": date(2026, 10, 2), "platform": "cursor", "vendor": "V", "source": "s", "settle_state": "settled",
                                "cost_type": "usage", "attribution": "unattributed", "cost_usd": Decimal(-10)})  # fmt: skip
    for card in ("unattributed_share", "cost_by_person"):
        query = card_query(DASHBOARDS["cost_allocation"].card(card), pivot=False)
        assert [r["share"] for r in desk.ask(query.sql, **query.params)] == [None], card


def test_budget_used_speaks_of_the_scope_that_is_chosen(desk: Desk) -> None:
    """October: Sales spent 14, others 17; budgets are 62 for all, 8 for Sales, 40 for Cursor and 20 for Sales on Cursor. November has no budget."""
    company(desk)
    october = {"month": date(2026, 10, 1)}
    desk.tab(
        "budgets", {**october, "budget_usd": Decimal(62)}, {**october, "department": "Sales", "budget_usd": Decimal(8)},
        {**october, "platform": "cursor", "budget_usd": Decimal(40)},
        {**october, "department": "Sales", "platform": "cursor", "budget_usd": Decimal(20)},
    )  # fmt: skip
    card = DASHBOARDS["executive_summary"].card("budget_used")

    def used(day: date = date(2026, 10, 31), **chosen: list[str]) -> tuple[Any, Any]:
        query = card_query(card, FilterValues(day, day, chosen))
        found = desk.ask(query.sql, **query.params)[0]
        return found["used"], found["left"]

    assert used() == (Decimal("0.5"), 31)
    assert used(department=["Sales"]) == (Decimal("1.75"), -6)
    assert used(platform=["cursor"]) == (Decimal("0.775"), 9)
    assert used(department=["Sales"], platform=["cursor"]) == (Decimal("0.7"), 6)
    assert used(date(2026, 11, 20)) == (None, None)


def test_one_question_has_one_card() -> None:
    """Which figures can I book: one answer, and not one on each page. What may still change is counted over the same rows everywhere."""
    asked = [c.question for d in DASHBOARDS.values() for c in d.cards if c.kind != "kpi" and "book?" in c.question]
    assert asked == ["Which figures can I book?"]
    moving = [c for d in DASHBOARDS.values() for c in d.cards if c.title == "Final or still moving"]
    assert len(moving) == 3 and len({c.source.fingerprint for c in moving}) == 1 and {c.filters["date"] for c in moving} == {"cost_date"}


def test_people_are_never_added_up_over_groups() -> None:
    """Somebody who is in two rows would count twice: people are counted distinct, or their figure has no total."""
    people = [(d.key, c.key, m) for d in DASHBOARDS.values() for c in d.cards for m in c.measures if m.unit == "people"]
    assert {(dashboard, card) for dashboard, card, m in people if m.sum} == {("productivity_analytics", "adoption")}
    assert [(dashboard, card) for dashboard, card, m in people if m.sum and m.total] == []


def test_one_title_stands_for_one_figure() -> None:
    """Cost per active person is divided by the people who were active; by people with cost, a seat that nobody uses among them, it is another figure."""
    ratios = {
        (d.key, c.key): (c.title, c.measures[0].label, c.measures[0].ratio) for d in DASHBOARDS.values() for c in d.cards if c.kind == "kpi"
    }
    executive, cost = ratios["executive_summary", "cost_per_active"], ratios["cost_allocation", "cost_per_person"]
    assert executive[:2] == ("Cost per active person",) * 2 and executive[2][1].count_distinct == "active_person"
    assert cost[:2] == ("Cost per person with cost",) * 2 and cost[2][1].count_distinct == "person_with_cost"


def test_rejected_records_say_that_they_count_broken_rules(marts: duckdb.DuckDBPyConnection) -> None:
    """One record without an e-mail address and without a day breaks two rules: the figure is two, and its words may not be `records`."""
    board = DASHBOARDS["data_trust"]
    figures = [board.card(key).measures[0] for key in ("rejected", "rejects")]
    assert [(m.sum, m.label, m.unit) for m in figures] == [("broken_rules", "Broken rules", "count")] * 2
    assert all("counts twice" in board.card(key).description for key in ("rejected", "rejects"))
    before = run(marts, card_query(board.card("rejected")))[0]["rejected"]
    marts.execute("BEGIN")
    marts.execute("""
        INSERT INTO raw_rejects BY NAME SELECT * REPLACE ('usage_date' AS column_name, 'is not a day' AS reason) FROM raw_rejects
        WHERE fetch_id IN (SELECT version_fetch_id FROM stg_current_fetches) ORDER BY fetch_id LIMIT 1""")
    assert run(marts, card_query(board.card("rejected")))[0]["rejected"] == before + 1, "the same record, one more rule"
    marts.execute("ROLLBACK")


def test_grains() -> None:
    ends = (date(2026, 4, 3), date(2026, 4, 4), date(2029, 1, 1))
    assert [resolve_grain("auto", date(2026, 1, 1), end) for end in ends] == [
        "day", "week", "month",
    ]  # fmt: skip
    card = DASHBOARDS["cost_allocation"].card("cost_by_day")
    assert "ISOWEEK" in card_query(card, grain="week").sql and "MONTH" in card_query(card, grain="month").sql
