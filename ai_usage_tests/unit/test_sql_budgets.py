"""Budgets in money, against answers worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_sql_marts import ANA, cost

D, N = date, Decimal
# 100, and ahead 2 Tuesdays, 3 Sundays, 3 Mondays and 12 other days, each mean cut at 1e-9.
END = 100 + 2 * N("12.75") + 6 * N("6.666666667") + 12 * N("3.333333333")
OCT, NOV, DEC = D(2026, 10, 1), D(2026, 11, 1), D(2026, 12, 1)


@pytest.fixture
def budgets(desk: Desk) -> dict[tuple, dict]:
    """Ana of Eng costs 10 a day on Cursor from 1 to 10 November, and cost 31 on one day of October. {(month, department, platform): row}."""
    desk.lay("dim_user_assignments", {"email": ANA, "department": "Eng", "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)})
    desk.lay("fct_cost_daily", cost(D(2026, 10, 20), "31"), *(cost(D(2026, 11, day), "10") for day in range(1, 11)))
    planned = [
        (OCT, "", "", "31"), (OCT, "Eng", "", "30.99"), (NOV, "", "", "195"), (NOV, "Eng", "", "250"), (NOV, "Sales", "", "50"), (NOV, "", "cursor", "90"),
        (NOV, "Eng", "cursor", "260"), (DEC, "", "", "400"),
    ]  # fmt: skip
    desk.tab("budgets", *({"month": m, "department": d, "platform": p, "budget_usd": N(usd)} for m, d, p, usd in planned))
    return {(r["month"].month, r["department"], r["platform"]): r for r in desk.ask("SELECT * FROM vw_budgets")}


def of(row: dict, *names: str) -> tuple:
    return tuple(row[n] for n in names)


def test_what_is_left_and_where_it_ends(budgets: dict[tuple, dict]) -> None:
    """A third of November has passed. Eng: 100 of 250, at 10 a day 300; 25 days last, so the 26th exceeds it. Cursor's 90 were exceeded by the tenth 10."""
    money = ("budget_usd", "spent_usd", "left_usd", "planned_usd", "projected_usd", "projected_by", "over_on", "budget_state")
    assert of(budgets[11, "Eng", "(all)"], *money) == (250, 100, 150, N("83.333333333"), 300, "pace", D(2026, 11, 26), "will_be_over")
    assert of(budgets[11, "Sales", "(all)"], *money) == (50, 0, 50, N("16.666666667"), 0, "pace", None, "within")
    assert of(budgets[11, "Eng", "cursor"], *money) == (260, 100, 160, N("86.666666667"), 300, "pace", D(2026, 11, 27), "will_be_over")
    assert of(budgets[11, "(all)", "cursor"], *money) == (90, 100, -10, 30, END, "forecast", D(2026, 11, 10), "over")
    # The mean of the same weekdays since 20 October: Tuesday (31 + 0 + 10 + 10) / 4, Sunday and Monday 20 / 3, the others 10 / 3; 198.83 on the 29th.
    assert of(budgets[11, "(all)", "(all)"], *money) == (195, 100, 95, 65, END, "forecast", D(2026, 11, 29), "will_be_over")


def test_the_largest_budget_over_the_smallest_cost_hides_no_other(desk: Desk) -> None:
    """A slip of the hand, 999,999,999,999 USD, of which 1e-9 was spent in ten days: it lasts beyond the month, and the other budget stands beside it."""
    desk.lay("fct_cost_daily", cost(D(2026, 11, 10), "0.000000001", platform="x"), cost(D(2026, 11, 10), "40", platform="y"))
    desk.tab("budgets", *({"month": NOV, "platform": p, "budget_usd": N(usd)} for p, usd in (("x", "999999999999"), ("y", "60"))))
    found = desk.ask("SELECT platform, spent_usd, over_on, budget_state FROM vw_budgets ORDER BY platform")
    assert [of(r, "platform", "spent_usd", "budget_state") for r in found] == [("x", N("1e-9"), "within"), ("y", 40, "will_be_over")]


def test_a_month_that_has_passed_ended_with_what_was_spent(budgets: dict[tuple, dict]) -> None:
    """31 of 31 is within; 31 of 30.99 is over since the day of the 31."""
    names = ("left_usd", "planned_usd", "projected_usd", "projected_by", "over_on", "budget_state")
    assert of(budgets[10, "(all)", "(all)"], *names) == (0, 31, 31, "spent", None, "within")
    assert of(budgets[10, "Eng", "(all)"], *names) == (N("-0.01"), N("30.99"), 31, "spent", D(2026, 10, 20), "over")
    assert of(budgets[12, "(all)", "(all)"], *names) == (400, 0, None, "spent", None, "unknown"), "a month to come has no end yet"


def test_children_above_their_parent_are_named(budgets: dict[tuple, dict]) -> None:
    """Departments plan 300 and the company 195; Eng on Cursor plans 260, Eng 250 and Cursor 90."""
    above = {k: of(r, "children_usd", "children_above_usd") for k, r in budgets.items() if r["children_usd"] is not None}
    assert above == {
        (11, "(all)", "(all)"): (300, 105), (11, "Eng", "(all)"): (260, 10), (11, "(all)", "cursor"): (260, 170), (10, "(all)", "(all)"): (N("30.99"), None),
    }  # fmt: skip


def test_spent_is_what_the_books_say(desk: Desk, budgets: dict[tuple, dict]) -> None:
    """By plain SQL on the facts."""
    for (month, department, platform), row in budgets.items():
        said = desk.one(
            "SELECT COALESCE(SUM(c.cost_usd), 0) FROM fct_cost_daily AS c LEFT JOIN dim_user_assignments AS a ON c.user_email = a.email "
            "WHERE EXTRACT(MONTH FROM c.cost_date) = @month AND @department IN ('(all)', a.department) AND @platform IN ('(all)', c.platform)",
            month=month, department=department, platform=platform,
        )  # fmt: skip
        assert row["spent_usd"] == said
