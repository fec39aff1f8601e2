"""The same thing twice in the sheet, contradictions, other currencies, names that match nothing: what counts, and what is listed.

Law: no figure depends on the order of a tab's rows, and none moves when a row is pasted again.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_usage_tests.fixtures.desk import Desk

D, N = date, Decimal
MORNING = datetime(2026, 11, 20, 6, tzinfo=UTC)


def snapshots(desk: Desk, tab: str, *versions: list[dict[str, Any]]) -> None:
    """The tab as it was read on one morning after another; the last is now."""
    for number, rows in enumerate(versions):
        at = MORNING + timedelta(days=number)
        desk.tab(tab, *rows, day=at.date(), at=at)


def issues(desk: Desk, tab: str) -> list[tuple]:
    rows = desk.ask(
        "SELECT sheet_row, column_name, value, reason, remedy, is_used FROM sheet_issues WHERE tab = @tab ORDER BY sheet_row, reason",
        tab=tab,
    )
    return [tuple(r.values()) for r in rows]


def fees(desk: Desk, first: date, last: date) -> dict[str, Decimal]:
    """Billed seats of these days by person; '' is unattributed."""
    rows = desk.ask(
        "SELECT COALESCE(user_email, '') AS who, SUM(cost_usd) AS usd FROM stg_sheet_cost WHERE cost_date BETWEEN @start_date AND @end_date GROUP BY 1",
        start_date=first,
        end_date=last,
    )
    return {r["who"]: r["usd"] for r in rows}


SEAT = {"platform": "claude_ai", "plan": "Team", "email": "ana@example.com", "price_usd": N(30), "valid_from": D(2026, 1, 1)}
BLOCK = {"platform": "cursor", "plan": "Business", "seats": 6, "price_usd": N(40), "valid_from": D(2026, 1, 1)}


def test_a_pasted_subscription_counts_once_and_is_listed(desk: Desk) -> None:
    """September has 30 days: 1.00 a day of 30. Spelling of plan and address does not make another seat."""
    snapshots(desk, "subscriptions", [SEAT, {**SEAT, "plan": "team ", "email": "Ana+x@example.com"}])
    assert fees(desk, D(2026, 9, 3), D(2026, 9, 3)) == {"ana@example.com": N(1)}
    ((row, column, value, reason, _, used),) = [i for i in issues(desk, "subscriptions") if "says the same" in i[3]]
    assert (column, value, used) == (None, None, False) and f"row {5 - row}," in reason and row in (2, 3)


def test_a_new_price_ends_the_old_one_the_day_before(desk: Desk) -> None:
    """6 seats: 40 until 14 September, 44 from the 15th. 14 days of 8.00 and 16 of 8.80 make 252.80, not 240 + 264."""
    snapshots(desk, "subscriptions", [{**BLOCK, "price_usd": N(44), "valid_from": D(2026, 9, 15)}, BLOCK])
    assert fees(desk, D(2026, 9, 1), D(2026, 9, 30)) == {"": N("252.8")}
    ((row, column, _, reason, remedy, used),) = issues(desk, "subscriptions")
    assert (row, column, used) == (3, "valid_to", True) and "2026-09-14" in reason and "row 2" in reason and "contract_id" in remedy


def test_a_second_block_with_a_contract_is_paid_too(desk: Desk) -> None:
    snapshots(desk, "subscriptions", [BLOCK, {**BLOCK, "seats": 4, "valid_from": D(2026, 9, 1), "contract_id": "C-2"}])
    assert fees(desk, D(2026, 9, 1), D(2026, 9, 30)) == {"": N(400)} and issues(desk, "subscriptions") == []


def test_of_a_contradiction_the_last_value_stands(desk: Desk) -> None:
    """40 was read on one morning, then 41; now 40 and 44 contradict each other: 41 stands, whichever of them is above, and both are listed."""
    now = [BLOCK, {**BLOCK, "price_usd": N(44)}]
    snapshots(desk, "subscriptions", [BLOCK], [{**BLOCK, "price_usd": N(41)}], now)
    assert fees(desk, D(2026, 9, 1), D(2026, 9, 30)) == {"": N(246)}
    assert [(i[0], i[5]) for i in issues(desk, "subscriptions")] == [(2, False), (3, False)]
    assert "contradicts row 3" in issues(desk, "subscriptions")[0][3] and "contradicts row 2" in issues(desk, "subscriptions")[1][3]


def test_a_contradiction_that_was_never_otherwise_has_no_value(desk: Desk) -> None:
    snapshots(desk, "subscriptions", [BLOCK, {**BLOCK, "price_usd": N(44)}, SEAT])
    assert fees(desk, D(2026, 9, 1), D(2026, 9, 1)) == {"ana@example.com": N(1)}


CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], str, list[Any]]] = {
    # tab: (read before, now, figure, figures)
    "invoices": (
        [{"platform": "cursor", "invoice_month": D(2026, 10, 1), "invoice_number": "INV-7", "amount_usd": N(80), "cost_type": "subscription"}],
        [
            {"platform": "cursor", "invoice_month": D(2026, 10, 1), "invoice_number": "INV-7", "amount_usd": N(90), "cost_type": "subscription"},
            {"platform": "cursor", "invoice_month": D(2026, 10, 5), "invoice_number": "inv-7", "amount_usd": N(81), "cost_type": "subscription"},
            {"platform": "cursor", "invoice_month": D(2026, 10, 1), "invoice_number": "INV-8", "amount_usd": N(7)},
            {"platform": "cursor", "invoice_month": D(2026, 10, 1), "invoice_number": "INV-8", "amount_usd": N(7)},
            {"platform": "cursor", "invoice_month": D(2026, 10, 1), "amount_usd": N(5)},
            {"platform": "cursor", "invoice_month": D(2026, 10, 1), "amount_usd": N(5)},
            {"platform": "cursor", "invoice_month": D(2026, 10, 1), "amount_usd": N(6)},
        ],
        [{"n": 4, "usd": N(98)}],
        "SELECT COUNT(*) AS n, SUM(amount_usd) AS usd FROM stg_sheet_invoices_rows",
        [2, 3, 5, 7],
    ),
    "budgets": (
        [{"month": D(2026, 10, 1), "department": "Data", "budget_usd": N(100)}],
        [
            {"month": D(2026, 10, 1), "department": "DATA", "budget_usd": N(120)},
            {"month": D(2026, 10, 9), "department": "data ", "budget_usd": N(130)},
            {"month": D(2026, 10, 1), "platform": "cursor", "budget_usd": N(40)},
            {"month": D(2026, 10, 2), "platform": "cursor", "budget_usd": N(40)},
        ],
        [{"n": 2, "usd": N(140)}],
        "SELECT COUNT(*) AS n, SUM(budget_usd) AS usd FROM stg_sheet_budgets_rows",
        [2, 3, 5],
    ),
    "adjustments": (
        [{"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(-9), "reference": "CN-1", "author": "A", "reason": "R"}],
        [
            {"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(-8), "reference": "CN-1", "author": "A", "reason": "R"},
            {"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(-7), "reference": "cn-1", "author": "A", "reason": "R"},
            {"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(2), "author": "A", "reason": "R"},
            {"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(2), "author": "A", "reason": "R"},
            {"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(2), "author": "A", "reason": "R", "reference": "CN-2"},
            {"adjustment_date": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(2), "author": "A", "reason": "another"},
        ],
        [{"n": 4, "usd": N(-3)}],
        "SELECT COUNT(*) AS n, SUM(amount_usd) AS usd FROM stg_sheet_adjustments_rows",
        [2, 3, 5],
    ),
    "claude_ai_usage": (
        [{"activity_date": D(2026, 10, 1), "email": "ana@example.com", "conversations": 3}],
        [
            {"activity_date": D(2026, 10, 1), "email": "ana@example.com", "conversations": 4},
            {"activity_date": D(2026, 10, 1), "email": "Ana@example.com", "conversations": 5},
            {"activity_date": D(2026, 10, 1), "email": "ben@example.com", "conversations": 7},
            {"activity_date": D(2026, 10, 1), "email": "ben@example.com", "conversations": 7},
        ],
        [{"n": 2, "usd": 10}],
        "SELECT COUNT(*) AS n, SUM(conversations) AS usd FROM stg_sheet_claude_ai_usage_rows",
        [2, 3, 5],
    ),
    "fx_rates": (
        [{"month": D(2026, 10, 1), "currency": "EUR", "usd": N("1.08")}],
        [
            {"month": D(2026, 10, 1), "currency": "EUR", "usd": N("1.09")},
            {"month": D(2026, 10, 5), "currency": "EUR", "usd": N("1.10")},
            {"month": D(2026, 10, 1), "currency": "GBP", "usd": N("1.3")},
        ],
        [{"n": 2, "usd": N("2.38")}],
        "SELECT COUNT(*) AS n, SUM(usd) AS usd FROM stg_sheet_fx_rates_rows",
        [2, 3],
    ),
    "people": (
        [{"email": "ana@example.com", "department": "Data"}],
        [
            {"email": "ana@example.com", "department": "Sales"},
            {"email": "ana@example.com", "department": "IT"},
            {"email": "ben@example.com", "department": "IT", "first_name": "Ben"},
            {"email": "ben@example.com", "department": "it"},
        ],
        [{"n": 2, "usd": "Data"}],
        "SELECT COUNT(*) AS n, MIN(department) AS usd FROM stg_sheet_people_rows",
        [2, 3],
    ),
    "api_keys": (
        [{"api_key_name": "ci", "email": "ana@example.com"}],
        [
            {"api_key_name": "ci", "email": "ben@example.com"},
            {"api_key_name": "ci ", "email": "cem@example.com"},
            {"api_key_name": "etl", "email": "cem@example.com"},
            {"api_key_name": "etl", "email": "Cem+x@example.com"},
        ],
        [{"n": 2, "usd": "ana@example.com"}],
        "SELECT COUNT(*) AS n, MIN(email) AS usd FROM dim_api_keys",
        [2, 3, 5],
    ),
}  # fmt: skip


@pytest.mark.parametrize("tab", CASES)
def test_each_tab_has_a_business_key(desk: Desk, tab: str) -> None:
    """Alike counts once; contradiction leaves what was read before; what a number, a reference or a reason tells apart counts each."""
    before, now, figures, sql, listed = CASES[tab]
    snapshots(desk, tab, before, now)
    if tab == "api_keys":
        desk.run("dim_api_keys")
    assert desk.ask(sql) == figures
    found = [r["sheet_row"] for r in desk.ask("SELECT sheet_row FROM stg_sheet_repeats ORDER BY sheet_row")]
    assert len(found) == len(listed) + (tab == "people") and set(found) >= {r for r in listed if r < 4}


def test_a_number_on_invoices_of_two_months_is_listed_and_both_count(desk: Desk) -> None:
    line = {"platform": "cursor", "invoice_number": "INV-7", "amount_usd": N(80)}
    snapshots(desk, "invoices", [{**line, "invoice_month": D(2026, 10, 1)}, {**line, "invoice_month": D(2026, 11, 1)}])
    ((row, column, _, reason, _, used),) = issues(desk, "invoices")
    assert (row, column, used) == (3, "invoice_number", True) and "2026-10" in reason
    assert desk.one("SELECT SUM(amount_usd) FROM stg_sheet_invoices_rows") == 160


# Currency -------------------------------------------------------------------------------------------------------------


def test_money_in_another_currency_needs_the_rate_of_its_month(desk: Desk) -> None:
    """October has a rate, November none: 240 EUR of October are 259.20 USD; November's have no figure and are listed."""
    euro = {
        "platform": "cursor",
        "written_amount": N(240),
        "currency": "EUR",
        "unread": '[{"c": "cost_type", "v": "gift", "r": "is none", "m": "Correct it."}]',
    }
    snapshots(desk, "invoices", [{**euro, "invoice_month": D(2026, 10, 3)}, {**euro, "invoice_month": D(2026, 11, 3)}])
    snapshots(desk, "fx_rates", [{"month": D(2026, 10, 9), "currency": "EUR", "usd": N("1.08")}])
    assert desk.ask("SELECT invoice_month, amount_usd FROM stg_sheet_invoices_rows") == [
        {"invoice_month": D(2026, 10, 3), "amount_usd": N("259.2")}
    ]
    (conversion,) = desk.ask("SELECT tab, sheet_row, month, currency, written_amount, usd_rate, amount_usd FROM vw_currency_conversions")
    assert tuple(conversion.values()) == ("invoices", 2, D(2026, 10, 1), "EUR", 240, N("1.08"), N("259.2"))
    told = issues(desk, "invoices")
    assert [(i[0], i[1], i[2], i[5]) for i in told] == [
        (2, "cost_type", "gift", True), (3, "currency", "EUR", False), (3, "cost_type", "gift", False)
    ], "whatever else is said of a row, it is used or it is not"  # fmt: skip
    assert "2026-11" in told[1][3] and "fx_rates" in told[1][4]
    snapshots(
        desk,
        "fx_rates",
        [{"month": D(2026, 10, 9), "currency": "EUR", "usd": N("1.08")}],
        [{"month": D(2026, 10, 1), "currency": "EUR", "usd": N(2)}],
    )
    assert desk.one("SELECT amount_usd FROM stg_sheet_invoices_rows") == 480, "a corrected rate moves the figure"


def test_a_subscription_takes_the_rate_of_each_month(desk: Desk) -> None:
    """30 EUR a month: August at 1.10 is 33.00, September at 1.20 is 36.00, October has no rate and no cost."""
    seat = {"platform": "claude_ai", "plan": "Team", "email": "ana@example.com", "written_amount": N(30), "currency": "EUR"}
    snapshots(desk, "subscriptions", [{**seat, "valid_from": D(2026, 8, 1), "valid_to": D(2026, 10, 31)}])
    rates = {D(2026, 8, 1): "1.10", D(2026, 9, 30): "1.20"}
    snapshots(desk, "fx_rates", [{"month": m, "currency": "EUR", "usd": N(r)} for m, r in rates.items()])
    for month, last, usd in ((8, 31, N(33)), (9, 30, N(36))):
        assert fees(desk, D(2026, month, 1), D(2026, month, last)) == {"ana@example.com": usd}
    assert fees(desk, D(2026, 10, 1), D(2026, 10, 31)) == {}
    assert [i[3] for i in issues(desk, "subscriptions") if i[1] == "currency"] == ["has no rate for 2026-10, so it has no figure there"]
    assert desk.ask("SELECT month, amount_usd FROM vw_currency_conversions ORDER BY month") == [
        {"month": D(2026, 8, 1), "amount_usd": 33}, {"month": D(2026, 9, 1), "amount_usd": 36},
    ]  # fmt: skip


def test_the_largest_price_for_the_most_seats_has_a_cost_and_stops_nothing(desk: Desk) -> None:
    """999,999,999,999 for 100,000 seats is more 1e-9 USD than 64 bits hold; September's 30 days sum to it to the last digit."""
    snapshots(desk, "subscriptions", [{**BLOCK, "price_usd": N(999_999_999_999), "seats": 100_000}])
    assert fees(desk, D(2026, 9, 1), D(2026, 9, 30)) == {"": N(99_999_999_999_900_000)}


# Names ----------------------------------------------------------------------------------------------------------------


def test_a_department_has_one_spelling_whatever_the_order(desk: Desk) -> None:
    """The spelling of most rows; of two used alike the first in the alphabet. A budget takes it."""
    written = ["Data", "DATA", "data", "data", "sales", "Sales"]
    people = [{"email": f"p{n}@example.com", "department": name} for n, name in enumerate(written)]
    snapshots(desk, "people", people[::-1])
    snapshots(desk, "budgets", [{"month": D(2026, 10, 1), "department": "DaTa", "budget_usd": N(10)}])
    assert [tuple(r.values()) for r in desk.ask("SELECT folded, department FROM stg_departments ORDER BY folded")] == [
        ("data", "data"),
        ("sales", "Sales"),
    ]
    desk.run("dim_user_assignments")
    assert {r["department"] for r in desk.ask("SELECT department FROM dim_user_assignments")} == {"data", "Sales"}
    assert desk.one("SELECT department FROM vw_budget_variance WHERE budget_usd = 10") == "data"
    assert issues(desk, "budgets") == []


def test_names_that_match_nothing_are_listed_with_the_nearest_one(desk: Desk) -> None:
    """The rows count. A platform that two tabs name is somebody's other vendor, not a slip."""
    snapshots(desk, "people", [{"email": "ana@example.com", "department": "Engineering", "aliases": "an@example.com"}])
    month = D(2026, 10, 1)
    snapshots(
        desk, "budgets",
        [
            {"month": month, "department": "Enginering", "budget_usd": N(1)}, {"month": month, "platform": "cursor_ide", "budget_usd": N(2)},
            {"month": month, "platform": "copilot", "budget_usd": N(3)}, {"month": month, "department": "ENGINEERING", "budget_usd": N(4)},
        ],
    )  # fmt: skip
    snapshots(
        desk, "subscriptions",
        [
            {"platform": "copilot", "plan": "B", "seats": 1, "price_usd": N(19)}, {"platform": "claud_ai", "plan": "B", "seats": 1, "price_usd": N(30)},
            {"platform": "cursor", "plan": "B", "email": "anna@example.com", "price_usd": N(30)},
            {"platform": "cursor", "plan": "B", "email": "an@example.com", "price_usd": N(30)},
        ],
    )  # fmt: skip
    snapshots(
        desk,
        "api_keys",
        [{"api_key_name": name, "email": "ana@example.com"} for name in ("nightly-evl", "nightly-eval", "Nightly-Eval", "k1")],
    )
    desk.fetch(
        "anthropic", "api_keys", D(2026, 11, 20), "raw_anthropic_api_keys",
        {"api_key_id": "k1", "name": "nightly-eval", "status": "active", "workspace_id": "w1"},
    )  # fmt: skip
    found = desk.ask("SELECT tab, sheet_row, column_name, value, nearest FROM stg_sheet_unmatched ORDER BY tab, sheet_row")
    assert [tuple(r.values()) for r in found] == [
        ("api_keys", 2, "api_key_name", "nightly-evl", "nightly-eval"),
        ("api_keys", 4, "api_key_name", "Nightly-Eval", "nightly-eval"),
        ("budgets", 2, "department", "Enginering", "Engineering"),
        ("budgets", 3, "platform", "cursor_ide", "cursor"),
        ("subscriptions", 3, "platform", "claud_ai", "claude_ai"),
        ("subscriptions", 4, "email", "anna@example.com", "ana@example.com"),
    ]
    told = desk.ask("SELECT remedy, is_used FROM sheet_issues WHERE reason = 'matches nothing that is known'")
    assert len(told) == 6 and all(r["is_used"] and "nearest known name" in r["remedy"] for r in told)


def test_keys_are_compared_only_where_a_vendor_lists_its_keys(desk: Desk) -> None:
    """Cursor's events name service accounts; without Anthropic's list, the sheet's other keys may be anybody's and are no slips."""
    desk.events(D(2026, 11, 20), {"service_account_id": "sa", "service_account_name": "runner", "charged_usd": N(1)})
    snapshots(desk, "api_keys", [{"api_key_name": "nightly-eval", "email": "ana@example.com"}])
    assert desk.ask("SELECT value FROM stg_sheet_unmatched") == []


def test_cells_that_count_as_empty_are_listed_and_their_row_counts(desk: Desk) -> None:
    cell = '[{"c": "E-Mail", "v": "nobody", "r": "is not an e-mail address", "m": "Write one address like name@example.com."}]'
    snapshots(desk, "subscriptions", [{"platform": "cursor", "plan": "B", "seats": 1, "price_usd": N(30), "unread": cell}])
    assert issues(desk, "subscriptions") == [
        (2, "E-Mail", "nobody", "is not an e-mail address; the cell counts as empty", "Write one address like name@example.com.", True)
    ]
    assert fees(desk, D(2026, 9, 1), D(2026, 9, 30)) == {"": N(30)}


# The law --------------------------------------------------------------------------------------------------------------

_FIGURES = (
    *(
        f"SELECT * EXCEPT (sheet_row, usage_date) FROM stg_sheet_{tab}_rows"
        for tab in ("api_keys", "people", "claude_ai_usage", "subscriptions", "invoices", "budgets", "adjustments", "fx_rates")
    ),
    "SELECT platform, valid_from, valid_to, price_usd FROM stg_subscription_terms",
    "SELECT folded, department FROM stg_departments",
)


def _sheet() -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Each tab as it was and as it is: repetitions, contradictions and new prices."""
    sheet = {tab: (case[0], case[1]) for tab, case in CASES.items()}
    sheet["subscriptions"] = (
        [BLOCK],
        [BLOCK, {**BLOCK, "price_usd": N(44)}, {**BLOCK, "valid_from": D(2026, 9, 1)}, SEAT, {**SEAT, "plan": "TEAM"}],
    )
    owner = {"api_key_name": "k", "email": "ana@example.com"}
    sheet["api_keys"] = ([owner], [owner, {**owner, "email": "ben@example.com"}, {**owner, "valid_from": D(2026, 9, 1)}])
    return sheet


def _figures(desk: Desk) -> list[list[str]]:
    return [sorted(repr(r) for r in desk.ask(sql)) for sql in _FIGURES]


@pytest.fixture(scope="module")
def as_written(new_desk: Any) -> list[list[str]]:
    desk = new_desk()
    for tab, (before, now) in _sheet().items():
        snapshots(desk, tab, before, now)
    return _figures(desk)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_no_order_and_no_pasted_row_moves_a_figure(new_desk: Any, as_written: list[list[str]], seed: int) -> None:
    """A sheet with repetitions, contradictions and new prices in every tab; then the same rows shuffled, some of them pasted once or twice more."""
    chance = random.Random(seed)
    desk = new_desk()
    for tab, (before, now) in _sheet().items():
        rows = [*now, *chance.choices(now, k=chance.randint(1, 4))]
        chance.shuffle(rows)
        snapshots(desk, tab, before, rows)
    assert _figures(desk) == as_written
