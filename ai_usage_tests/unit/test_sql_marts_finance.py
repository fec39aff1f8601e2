"""Budget, forecast and reconciliation against answers worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_sql_marts import ANA, BEN, company, cost

D, N = date, Decimal
NOV = D(2026, 11, 1)


def usage(desk: Desk, day: date, usd: str, platform: str = "cursor", **more) -> None:
    desk.lay("fct_cost_daily", cost(day, usd, platform=platform, **more))


# Budget -------------------------------------------------------------------------------------------------------


def test_a_budget_speaks_for_its_own_scope(desk: Desk) -> None:
    """October: 1 Eng, 14 Sales, 16 without department; November 96, all unattributed. A row that was pasted counts once."""
    company(desk)
    desk.tab(
        "budgets",
        {"month": D(2026, 10, 9), "budget_usd": N("50.5")},
        {"month": D(2026, 10, 1), "budget_usd": N("50.5"), "department": ""},
        {"month": D(2026, 10, 1), "budget_usd": N(10), "department": "Sales"},
        {"month": D(2026, 10, 1), "budget_usd": N(5), "department": "Law"},
        {"month": D(2026, 10, 1), "budget_usd": N(12), "department": "Sales", "platform": "cursor"},
        {"month": D(2026, 11, 1), "budget_usd": N(100), "platform": "cursor"},
    )
    rows = desk.ask("SELECT * FROM vw_budget_variance ORDER BY month, budget_scope, department, platform")
    shown = {
        (r["month"].month, r["budget_scope"], r["department"], r["platform"]): (r["budget_usd"], r["cost_usd"], r["variance_usd"])
        for r in rows
    }
    assert shown == {
        (10, "company", "(all)", "(all)"): (N("50.5"), 31, N("19.5")),
        (10, "department", "(no department)", "(all)"): (None, 16, None),
        (10, "department", "Eng", "(all)"): (None, 1, None),
        (10, "department", "Law", "(all)"): (5, 0, 5),
        (10, "department", "Sales", "(all)"): (10, 14, -4),
        (10, "department_platform", "Sales", "cursor"): (12, 14, -2),
        (10, "platform", "(all)", "cursor"): (None, 31, None),
        (11, "company", "(all)", "(all)"): (None, 96, None),
        (11, "department", "(no department)", "(all)"): (None, 96, None),
        (11, "platform", "(all)", "cursor"): (100, 96, 4),
    }
    assert all((r["cost_with_budget_usd"] is None) == (r["budget_usd"] is None) for r in rows)


def test_a_budget_of_a_platform_holds_that_platforms_cost_and_no_other(desk: Desk) -> None:
    usage(desk, D(2026, 10, 3), "31")
    usage(desk, D(2026, 10, 3), "5", platform="claude_api")
    usage(desk, D(2026, 10, 4), "2", platform="claude_api")
    desk.tab("budgets", *({"month": D(2026, 10, 1), "budget_usd": N(usd), "platform": p} for p, usd in (("cursor", 40), ("claude_api", 6))))
    rows = desk.ask("SELECT platform, budget_usd, cost_usd FROM vw_budget_variance WHERE budget_scope = 'platform' ORDER BY platform")
    assert [tuple(r.values()) for r in rows] == [("claude_api", 6, 7), ("cursor", 40, 31)]


def test_each_full_scope_of_the_budget_holds_all_cost(desk: Desk) -> None:
    company(desk)
    rows = desk.ask("SELECT budget_scope, SUM(cost_usd) AS usd FROM vw_budget_variance GROUP BY budget_scope ORDER BY budget_scope")
    assert [(r["budget_scope"], r["usd"]) for r in rows] == [("company", 127), ("department", 127), ("platform", 127)]


def test_what_departments_spent_is_unknown_while_no_cost_is_theirs(desk: Desk) -> None:
    """November's 96 is all nobody's: of Sales' 10 nobody knows what was spent. Of the company and of Cursor it is known. December has no cost at all."""
    company(desk)
    months = ({"month": D(2026, 11, 1)}, {"month": D(2026, 12, 1)})
    scopes = ({"department": "Sales"}, {"department": "Sales", "platform": "cursor"}, {"platform": "cursor"}, {})
    desk.tab("budgets", *({**month, **scope, "budget_usd": N(10)} for month in months for scope in scopes))
    rows = desk.ask("SELECT * FROM vw_budget_variance WHERE budget_usd IS NOT NULL ORDER BY month, budget_scope")
    shown = [(r["month"].month, r["budget_scope"], r["cost_with_budget_usd"], r["variance_usd"]) for r in rows]
    assert shown == [
        (11, "company", 96, -86), (11, "department", None, None), (11, "department_platform", None, None), (11, "platform", 96, -86),
        (12, "company", 0, 10), (12, "department", 0, 10), (12, "department_platform", 0, 10), (12, "platform", 0, 10),
    ]  # fmt: skip


# Final or not -------------------------------------------------------------------------------------------------


def test_a_line_to_book_is_as_final_as_the_least_final_cost_in_it(desk: Desk) -> None:
    """October of Ana in Sales: 14 settled and 4 provisional are one line. November runs, so its settled 32 may still grow."""
    company(desk)
    desk.lay("fct_cost_daily", cost(D(2026, 10, 30), "4", settle_state="provisional"))
    rows = desk.ask("SELECT month, department, cost_type, settle_state, cost_usd FROM vw_chargeback ORDER BY month, cost_usd")
    october, nobody = D(2026, 10, 1), "(no department)"
    assert [tuple(r.values()) for r in rows] == [
        (october, "Eng", "usage", "settled", 1),
        (october, nobody, "usage", "settled", 16),
        (october, "Sales", "usage", "provisional", 18),
        (NOV, nobody, "usage", "open", 32),
        (NOV, nobody, "subscription", "open", 64),
    ]


def test_a_month_is_open_while_it_runs_and_closed_when_finance_closed_it(desk: Desk) -> None:
    """Seats are final on their day: on the 29th all of November is, and the month is not."""
    for day in (D(2026, 10, 31), D(2026, 11, 29)):
        desk.lay("fct_cost_daily", cost(day, "3", cost_type="subscription"))
    asked = "SELECT settle_state FROM {} ORDER BY month"
    for view in ("vw_reconciliation", "vw_month_close", "vw_chargeback"):
        assert [r["settle_state"] for r in desk.ask(asked.format(view))] == ["settled", "open"], view
    desk.lay("fct_cost_daily", cost(D(2026, 11, 30), "3", cost_type="subscription"))
    for view in ("vw_reconciliation", "vw_month_close", "vw_chargeback"):
        assert [r["settle_state"] for r in desk.ask(asked.format(view))] == ["settled", "settled"], view
    booked = {"booked_on": D(2026, 10, 31), **cost(D(2026, 10, 31), "3", cost_type="subscription")}
    del booked["settle_state"]
    desk.lay("closed_cost", {**booked, "closing_id": "c", "is_correction": False})
    desk.lay("month_closings", {"month": D(2026, 10, 1), "action": "close", "closing_id": "c", "decided_at": datetime(2026, 11, 22, tzinfo=UTC),
                                "author": "a", "as_of": datetime(2026, 11, 22, tzinfo=UTC), "row_count": 1, "cost_usd": N(3), "sha256": "h",
                                "version": "1"})  # fmt: skip
    for view in ("vw_reconciliation", "vw_month_close", "vw_chargeback"):
        assert [r["settle_state"] for r in desk.ask(asked.format(view))] == ["closed", "settled"], view


# Forecast -----------------------------------------------------------------------------------------------------


def month_end(desk: Desk, level: str = "company") -> dict:
    (row,) = desk.ask(
        "SELECT * FROM vw_forecast WHERE level = @level AND cost_date = LAST_DAY(month) ORDER BY platform LIMIT 1", level=level
    )
    return row


def weekdays(desk: Desk, first: date, last: date, weekday: str = "10", weekend: str = "2") -> None:
    """A calm company: one sum on working days, another on weekends."""
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    desk.lay("fct_cost_daily", *(cost(day, weekend if day.weekday() >= 5 else weekday) for day in days))


def test_the_forecast_of_a_calm_company_is_certain(desk: Desk) -> None:
    """27 July to 20 November 2026, 10 on working days, 2 on weekends. November to the 20th: 15 working days and 5 weekend days, 160.

    Ahead 21 to 30: Sat Sun, five working days, Sat Sun, Monday: 6 x 10 + 4 x 2 = 68. Every past forecast was right: low = high = 228.
    """
    weekdays(desk, D(2026, 7, 27), D(2026, 11, 20))
    row = month_end(desk)
    assert row["as_of_date"] == D(2026, 11, 20) and row["month"] == NOV
    assert [row[c] for c in ("projected_usd", "low_usd", "high_usd", "budget_usd")] == [228, 228, 228, None]
    # Origins from 23 August (the 28th day) to 10 November, ten days before the last: 80.
    assert row["past_forecasts"] == 80
    days = desk.ask("SELECT cost_date, spent_usd, fee_usd, expected_usd, projected_usd FROM vw_forecast WHERE level = 'company' ORDER BY 1")
    assert len(days) == 30 and sum(d["spent_usd"] or 0 for d in days) == 160 and sum(d["expected_usd"] or 0 for d in days) == 68
    assert [d["projected_usd"] for d in days[19:22]] == [160, 162, 164]
    assert all((d["spent_usd"] is None) == (d["cost_date"] > D(2026, 11, 20)) == (d["expected_usd"] is not None) for d in days)


def test_fees_ahead_are_known_and_not_guessed(desk: Desk) -> None:
    """30 seats at 30.00 in a month of 30 days are 30.00 a day; another row ends on the 25th; claude.ai has fees only and is certain."""
    weekdays(desk, D(2026, 10, 1), D(2026, 11, 20))
    desk.lay("fct_cost_daily", cost(D(2026, 11, 20), "30", cost_type="subscription"), cost(D(2026, 11, 22), "30", cost_type="subscription"))
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "p", "seats": 30, "price_usd": N(30)},
        {"platform": "cursor", "plan": "p", "email": ANA, "price_usd": N(60), "valid_to": D(2026, 11, 25)},
        {"platform": "claude_ai", "plan": "p", "email": BEN, "price_usd": N(10), "valid_from": D(2026, 11, 30)},
    )
    # Spent to the 20th: 160 and 30 of seats; the seats of the 22nd are ahead, whatever the fact already holds. Ahead: 10 x 30 + 5 x 2, and
    # of claude.ai's 10.00 the last day of thirty, which bears what the cut at 1e-9 leaves: 10 - 29 x 0.333333333.
    last = N(10) - 29 * N("0.333333333")
    row = month_end(desk)
    assert row["projected_usd"] == 160 + 30 + 68 + 310 + last
    claude = month_end(desk, "platform")
    assert claude["platform"] == "claude_ai" and (claude["low_usd"], claude["projected_usd"], claude["high_usd"]) == (last, last, last)


def test_the_range_is_that_of_past_outcomes(desk: Desk) -> None:
    """Forecast of the last day of November from the 29th, a Sunday, from eight weeks that alternate 10 and 20 on Mondays, and 1 otherwise.

    The expected Monday is (10 + 20 + 10 + 20) / 4 = 15. One step ahead, 27 days or more of history: of the past outcomes on other days each ratio is
    1; on Mondays 10/15 or 20/15. Mondays are a seventh, half of them low and half high: the 10th and 90th percentile of all are 1.
    """
    first, last = D(2026, 9, 7), D(2026, 11, 29)
    for n in range((last - first).days + 1):
        day = first + timedelta(n)
        desk.lay("fct_cost_daily", cost(day, ("10" if n // 7 % 2 else "20") if day.weekday() == 0 else "1"))
    row = month_end(desk)
    assert (row["expected_usd"], row["past_forecasts"]) == (15, 56)
    # 84 days: origins from the 28th day to the last but one are 56; 8 of their outcomes are Mondays, four of 10/15 and four of 20/15. The range
    # leaves out the lowest 5 and the highest 5 of 56 (57 / 10 rounded down), so the 5th lowest is the first 1.
    spent = 4 * N(1) * 6 + 1 + 2 * 10 + 2 * 20
    assert row["projected_usd"] == spent + 15 and row["low_usd"] == spent + 15 and row["high_usd"] == spent + 15


def test_a_range_widens_with_what_happened(desk: Desk) -> None:
    """The same with the two sums alternating on every weekday: each ratio is 2/3 or 4/3, so the range of one day ahead is exactly that."""
    first, last = D(2026, 9, 7), D(2026, 11, 29)
    for n in range((last - first).days + 1):
        desk.lay("fct_cost_daily", cost(first + timedelta(n), "10" if n // 7 % 2 else "20"))
    row = month_end(desk)
    # 1 November is a Sunday (20 or 10?): week 0 begins on 7 September with 20. Sunday 1 November is in week 7 (10); weeks 8 to 11 are 20, 10, 20, 10.
    spent = 10 + 7 * (20 + 10 + 20 + 10)
    assert row["projected_usd"] == spent + 15
    assert row["low_usd"] == spent + N("15") * N("0.666666667") and row["high_usd"] == spent + 15 * N("1.333333333")


def test_the_ends_are_the_tenth_and_ninetieth_percentile(desk: Desk) -> None:
    """100 uneven days to 29 November, one day ahead: 72 past forecasts, of which the 7 lowest and the 7 highest outcomes lie outside or at the ends.

    Recomputed here from the definition: means of the four last same weekdays, outcomes over forecasts, ranked; (72 + 1) / 10 is 7, rounded down.
    """
    days = [D(2026, 11, 29) - timedelta(99 - n) for n in range(100)]
    spent = [N(20 + 37 * n * n % 103 + n % 7) for n in range(100)]
    desk.lay("fct_cost_daily", *(cost(day, str(usd)) for day, usd in zip(days, spent, strict=True)))
    ahead = [sum(spent[n - 7 * k] for k in range(1, 5)) / 4 for n in range(28, 101)]
    ratios = sorted(spent[n] / ahead[n - 28] for n in range(28, 100))
    assert len(ratios) == 72 and len(set(ratios)) > 60
    row = month_end(desk)
    before = sum(usd for day, usd in zip(days, spent, strict=True) if day.month == 11)
    assert (row["past_forecasts"], row["projected_usd"]) == (72, before + ahead[-1])
    assert abs(row["low_usd"] - before - ratios[6] * ahead[-1]) < N("1e-6")
    assert abs(row["high_usd"] - before - ratios[-7] * ahead[-1]) < N("1e-6")


def test_too_little_history_gives_no_range_and_open_days_do_not_count(desk: Desk) -> None:
    weekdays(desk, D(2026, 11, 2), D(2026, 11, 15))
    usage(desk, D(2026, 11, 16), "0.5", settle_state="open")
    row = month_end(desk)
    # 2 to 15 November: 10 x 10 + 4 x 2 = 108. Ahead 16 to 30: 11 working days and 4 weekend days: 118.
    assert row["as_of_date"] == D(2026, 11, 15) and row["projected_usd"] == 226
    assert (row["low_usd"], row["high_usd"], row["past_forecasts"]) == (None, None, None)


def test_days_that_a_vendor_did_not_give_are_unknown_and_not_zero(desk: Desk) -> None:
    """Monday 9 November was never given: the Mondays ahead are expected to cost 10 all the same."""
    weekdays(desk, D(2026, 10, 1), D(2026, 11, 8))
    weekdays(desk, D(2026, 11, 10), D(2026, 11, 20))
    of_monday = "SELECT expected_usd FROM vw_forecast WHERE level = 'company' AND cost_date = DATE '2026-11-23'"
    assert desk.one(of_monday) == N("7.5"), "as long as nobody was asked, a day without cost is a day without cost"
    for n in range(51):
        day = D(2026, 10, 1) + timedelta(n)
        if day != D(2026, 11, 9):
            desk.events(day, {"charged_usd": N(1)}, vendor_total_usd=N(1))
    desk.events(D(2026, 11, 9), state="failed")
    assert desk.one(of_monday) == 10


def test_a_file_and_a_second_report_make_no_other_day_unknown(desk: Desk) -> None:
    """A spend report dropped for one day claims that day alone, and a report that began yesterday leaves the older one's days known: the
    forecast stays the calm company's, 10 for each Monday, with its range. Were the other days unknown, there would be neither."""
    weekdays(desk, D(2026, 8, 1), D(2026, 11, 20))
    plain = month_end(desk)
    assert plain["low_usd"] == plain["high_usd"] == plain["projected_usd"], "the calm company is certain"
    for n in range(112):
        desk.fetch("anthropic", "cost_report", D(2026, 8, 1) + timedelta(n), vendor_total_usd=N(0))
    desk.fetch("anthropic", "analytics/cost", D(2026, 11, 19), vendor_total_usd=N(0))
    desk.fetch("claude_ai", "spend", D(2026, 8, 31), vendor_total_usd=N(3), origin="upload")
    assert month_end(desk) == plain


def test_a_month_that_is_over_is_what_was_spent(desk: Desk) -> None:
    weekdays(desk, D(2026, 9, 1), D(2026, 10, 31))
    desk.tab(
        "budgets", {"month": D(2026, 10, 1), "budget_usd": N(300)}, {"month": D(2026, 10, 1), "budget_usd": N(9), "department": "Eng"},
        {"month": D(2026, 10, 1), "platform": "cursor", "budget_usd": N(200)}, {"month": NOV, "budget_usd": N(1)},
    )  # fmt: skip
    row, platform = month_end(desk), month_end(desk, "platform")
    # October 2026: 22 working days, 9 weekend days.
    assert [row[c] for c in ("projected_usd", "low_usd", "high_usd", "spent_usd", "budget_usd")] == [238, 238, 238, 2, 300]
    assert platform["budget_usd"] == 200


def test_there_is_no_range_of_no_width_while_cost_may_move(desk: Desk) -> None:
    """The calm company's outcomes were always right, so its range has no width: with one day of November that the vendor may still correct there is
    none, and in October, which is over and final, it is what was spent. A platform of fees only is certain from then on too."""
    weekdays(desk, D(2026, 7, 27), D(2026, 11, 19))
    usage(desk, D(2026, 11, 20), "10", settle_state="provisional")
    row = month_end(desk)
    assert [row[c] for c in ("projected_usd", "low_usd", "high_usd", "past_forecasts")] == [228, None, None, 80]
    ends = desk.ask("SELECT cost_date, low_usd FROM vw_forecast WHERE level = 'company' AND cost_date <= DATE '2026-11-20' ORDER BY 1")
    assert [e["low_usd"] is None for e in ends] == [False] * 19 + [True]


def test_levels_hold_the_same_money(desk: Desk) -> None:
    weekdays(desk, D(2026, 9, 1), D(2026, 11, 12))
    for n in range(60):
        usage(desk, D(2026, 9, 14) + timedelta(n), f"{n % 11}.{n:09d}", "claude_api", settle_state="provisional")
    rows = desk.ask(
        "SELECT level, SUM(spent_usd) AS spent, SUM(moving_usd) AS moving, SUM(expected_usd) AS expected FROM vw_forecast GROUP BY level"
    )
    by = {r["level"]: r for r in rows}
    assert by["company"]["spent"] == by["platform"]["spent"] and by["company"]["moving"] == by["platform"]["moving"] > 0
    assert abs(by["company"]["expected"] - by["platform"]["expected"]) < N("0.00000002"), "rounding of means"
    assert by["company"]["spent"] == desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_date >= DATE '2026-11-01'")


# Reconciliation -----------------------------------------------------------------------------------------------

PARTS = ("tax_usd", "credit_usd", "seats_usd", "timing_usd", "rounding_usd", "priority_tier_usd", "unknown_usd")


def reconciled(desk: Desk, platform: str = "cursor", month: date = D(2026, 10, 1)) -> dict:
    (row,) = desk.ask("SELECT * FROM vw_reconciliation WHERE platform = @platform AND month = @month", platform=platform, month=month)
    if row["difference_usd"] is not None:
        assert sum(row[c] for c in PARTS) == row["difference_usd"], "the parts add up to the difference"
    return row


def october(desk: Desk, usd: str = "100", seats: str = "40") -> None:
    """October on Cursor: usage told once, before the month ended, and seats."""
    day = D(2026, 10, 7)
    desk.events(day, {"charged_usd": N(usd)}, {"charged_usd": N(9), "is_chargeable": False}, at=datetime(2026, 10, 8, 6, tzinfo=UTC))
    usage(desk, day, usd)
    usage(desk, day, seats, cost_type="subscription", attribution="seat")


def invoice(desk: Desk, *lines: tuple[str, str | None], platform: str = "cursor") -> None:
    desk.tab("invoices", *({"platform": platform, "invoice_month": D(2026, 10, 3), "amount_usd": N(a), "cost_type": t} for a, t in lines))


@pytest.mark.parametrize(
    ("lines", "reason", "parts"),
    [
        ([("100", "usage"), ("40", "subscription")], "agrees", {}),
        ([("100.004", None), ("40", "subscription")], "rounding", {"rounding_usd": "0.004"}),
        ([("100", "usage"), ("39.996", "subscription")], "rounding", {"rounding_usd": "-0.004"}),
        ([("100", "usage"), ("60", "subscription")], "seats", {"seats_usd": "20"}),
        ([("100", "usage"), ("40", "subscription"), ("26.6", "tax")], "tax", {"tax_usd": "26.6"}),
        ([("100", "usage"), ("40", "subscription"), ("-15", "credit"), ("1", "adjustment")], "credit", {"credit_usd": "-14"}),
        ([("107", "usage"), ("60", "subscription")], "unknown", {"seats_usd": "20", "unknown_usd": "7"}),
    ],
)  # fmt: skip
def test_a_difference_has_its_reason(desk: Desk, lines: list, reason: str, parts: dict[str, str]) -> None:
    october(desk)
    invoice(desk, *lines)
    row = reconciled(desk)
    assert (row["vendor_usd"], row["warehouse_usd"], row["vendor_difference_usd"], row["priced_usd"]) == (100, 140, 0, None)
    assert row["reason"] == reason and {c: row[c] for c in PARTS} == {c: N(parts.get(c, 0)) for c in PARTS}


def test_what_the_vendor_changed_after_the_invoice_is_timing(desk: Desk) -> None:
    """Told 100 on 8 October, 90 on 5 November (the invoice of 1 November said 100), 80 later: the difference of 20 is timing."""
    october(desk, "100")
    desk.events(D(2026, 10, 7), {"charged_usd": N(90)}, at=datetime(2026, 11, 5, tzinfo=UTC))
    desk.events(D(2026, 10, 7), {"charged_usd": N(80)}, at=datetime(2026, 11, 9, tzinfo=UTC))
    usage(desk, D(2026, 10, 7), "-20")
    invoice(desk, ("100", "usage"), ("40", "subscription"))
    row = reconciled(desk)
    assert (row["vendor_usd"], row["timing_usd"], row["reason"]) == (80, 20, "timing")


def test_an_upgrade_that_reads_a_day_again_moves_no_word_of_the_vendor(desk: Desk) -> None:
    """Told 100 on 8 October; read again by a newer rule on 5 November, that is 90, and still what the invoice of 1 November knew. The vendor says 80 on
    9 November: 10 are timing. Read again on the 20th, that is 78, and no word of October."""
    october(desk, "100")
    for at, told_at, usd, change in (
        (datetime(2026, 11, 5, tzinfo=UTC), datetime(2026, 10, 8, 6, tzinfo=UTC), 90, "-10"),
        (datetime(2026, 11, 9, tzinfo=UTC), None, 80, "-10"),
        (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC), 78, "-2"),
    ):
        desk.events(D(2026, 10, 7), {"charged_usd": N(usd)}, at=at, told_at=told_at)
        usage(desk, D(2026, 10, 7), change)
        if usd == 80:
            invoice(desk, ("90", "usage"), ("40", "subscription"))
            row = reconciled(desk)
            assert (row["vendor_usd"], row["timing_usd"], row["reason"]) == (80, 10, "timing")
    row = reconciled(desk)
    assert (row["vendor_usd"], row["timing_usd"], row["reason"]) == (78, 12, "timing")


def test_an_invoice_that_holds_the_change_already_is_no_timing(desk: Desk) -> None:
    october(desk, "100")
    desk.events(D(2026, 10, 7), {"charged_usd": N(80)}, at=datetime(2026, 11, 9, tzinfo=UTC))
    usage(desk, D(2026, 10, 7), "-20")
    invoice(desk, ("80", "usage"), ("40", "subscription"))
    assert reconciled(desk)["reason"] == "agrees"


def test_priority_tokens_name_what_the_cost_report_leaves_out(desk: Desk) -> None:
    """Claude Code's workspace is told apart; the rest of 12 on the API is named for the priority tier, 12 less is unknown."""
    day = D(2026, 10, 7)
    desk.fetch("anthropic", "workspaces", day, "raw_anthropic_workspaces", {"workspace_id": "cc", "name": "Claude Code"}, window_start=None)
    desk.fetch(
        "anthropic", "cost_report", day, "raw_anthropic_cost", {"workspace_id": "cc", "amount_usd": N(7)}, {"workspace_id": "w", "amount_usd": N(50)},
    )  # fmt: skip
    desk.fetch(
        "anthropic", "usage_report/messages", day, "raw_anthropic_usage",
        {"workspace_id": "w", "service_tier": "priority", "output_tokens": 5}, {"workspace_id": "cc", "service_tier": "standard"},
    )  # fmt: skip
    usage(desk, day, "7", "claude_code", settle_state="provisional")
    usage(desk, day, "50", "claude_api")
    usage(desk, D(2026, 10, 31), "1")  # the month has ended
    desk.tab(
        "invoices", {"platform": "claude_api", "invoice_month": day, "amount_usd": N(62)},
        {"platform": "claude_code", "invoice_month": day, "amount_usd": N(19)},
    )  # fmt: skip
    api, code = reconciled(desk, "claude_api"), reconciled(desk, "claude_code")
    assert (api["vendor_usd"], api["reason"], api["priority_tier_usd"], api["settle_state"]) == (50, "priority_tier", 12, "settled")
    assert (code["vendor_usd"], code["reason"], code["unknown_usd"], code["settle_state"]) == (7, "unknown", 12, "provisional")


def test_months_without_invoice_and_invoices_without_cost_are_said(desk: Desk) -> None:
    october(desk)
    invoice(desk, ("5", "usage"), platform="copilot")
    row = reconciled(desk)
    assert row["reason"] == "no_invoice" and [row[c] for c in ("invoice_usd", "difference_usd", *PARTS)] == [None] * 9
    row = reconciled(desk, "copilot")
    assert (row["reason"], row["warehouse_usd"], row["difference_usd"], row["unknown_usd"]) == ("not_held", None, 5, 5)


def test_reconciliation_holds_all_cost(desk: Desk) -> None:
    company(desk)
    assert desk.one("SELECT SUM(warehouse_usd) FROM vw_reconciliation") == 127


# Lines to book ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "state", "usd"),
    [
        # 100 of usage and 40 of seats are booked.
        ([("40", "subscription")], "provisional", "-100"),
        ([("100.5", "usage")], "provisional", "-39.5"),
        ([("5", "tax")], "provisional", "-135"),
        ([("99", "overage"), ("40.5", "subscription")], "settled", "-0.5"),
        ([("141", None)], "settled", "1"),
    ],
)
def test_what_an_invoice_does_not_speak_of_yet_is_not_booked_away(desk: Desk, lines: list, state: str, usd: str) -> None:
    usage(desk, D(2026, 10, 7), "100")
    usage(desk, D(2026, 10, 31), "40", cost_type="subscription", attribution="seat")
    invoice(desk, *lines)
    (line,) = desk.ask("SELECT settle_state, booked_usd FROM vw_chargeback WHERE cost_type = 'invoice_difference'")
    assert tuple(line.values()) == (state, N(usd))


def test_an_invoice_of_a_platform_without_lines_is_its_vendors(desk: Desk) -> None:
    usage(desk, D(2026, 10, 31), "3", "copilot", vendor="GitHub")
    month = {"invoice_month": D(2026, 10, 1), "amount_usd": N(5)}
    desk.tab("invoices", *({**month, "platform": p} for p in ("cursor", "claude_ai", "copilot", "other")))
    found = desk.ask("SELECT platform, vendor, booked_usd FROM vw_chargeback WHERE cost_type = 'invoice_difference' ORDER BY platform")
    assert [tuple(f.values()) for f in found] == [
        ("claude_ai", "Anthropic", 5),
        ("copilot", "GitHub", 2),
        ("cursor", "Cursor", 5),
        ("other", "other", 5),
    ]


@pytest.mark.parametrize("view", ["vw_budget_variance", "vw_forecast", "vw_reconciliation"])
def test_nothing_gives_nothing(desk: Desk, view: str) -> None:
    assert desk.ask(f"SELECT * FROM {view}") == []
