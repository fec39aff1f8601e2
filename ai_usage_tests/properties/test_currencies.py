"""Money in any currency, in any tab, in any month: converted by the rate that a person gave for that month, or no figure at all.

Belongs here: law 1 over the sheet, from the cell as displayed to the figure in US dollars, worked out here in Decimal. Does not belong here: which cells
can be read (`unit/test_sheet_cells.py`), amounts of vendors' answers (`test_laws.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.sources.google_sheets import cells
from ai_usage_tests.fixtures.desk import Desk

D, N = date, Decimal
# How spreadsheets show a number in a currency, accounting formats among them: what stands before and after it, the thousands' and the decimals' sign.
SHOWN = {
    "EUR": [("", " €", ".", ","), ("€ ", "", ".", ","), ("€", "", ",", "."), ("", "\u00a0€", "\u202f", ","), ("[$€-407] ", "", ".", ","), ("EUR ", "", ",", "."),
            (" € ", " ", ".", ",")],
    "CHF": [("CHF ", "", "\u2019", "."), ("Fr. ", "", "'", "."), ("", " CHF", ".", ",")],
    "GBP": [("£", "", ",", "."), ("GBP ", "", ",", "."), (" £ ", " ", ",", ".")],
    "PLN": [("", " zł", "\u00a0", ",")], "INR": [("₹", "", ",", "."), ("INR ", "", ",", ".")], "BRL": [("R$ ", "", ".", ",")],
    "CAD": [("CA$", "", ",", "."), ("", " CAD", ",", "."), ("$", " CAD", ",", ".")], "AUD": [("A$", "", ",", "."), ("AUD ", "", ",", ".")],
    "TRY": [("₺", "", ".", ",")], "JPY": [("¥", "", ",", "."), ("JPY ", "", ",", ".")], "SEK": [("", " kr", "\u00a0", ","), ("", " SEK", "\u00a0", ",")],
    "USD": [("$", "", ",", "."), ("US$", "", ",", "."), (" $ ", " ", ",", "."), ("USD ", "", ",", "."), ("", " $", ".", ","), ("", "", ",", ".")],
}  # fmt: skip
CODES = sorted(SHOWN)


def displayed(cents: int, code: str, how: int, negative: int) -> tuple[float, str]:
    """(as stored, as displayed) of an amount."""
    before, after, thousands, point = SHOWN[code][how % len(SHOWN[code])]
    digits = f"{abs(cents) // 100:,}".replace(",", thousands) + point + f"{abs(cents) % 100:02d}"
    plain = f"{before}{digits}{after}"
    if cents < 0:
        plain = (f"-{plain}", f"({plain})", f"{before}-{digits}{after}", f"\u2212{plain}")[negative]
    return cents / 100, plain


@settings(max_examples=300)
@given(st.integers(-(10**9), 10**9), st.sampled_from(CODES), st.integers(0, 6), st.integers(0, 3), st.sampled_from((None, None, *CODES)))
def test_a_displayed_currency_is_the_currency(cents: int, code: str, how: int, negative: int, column: str | None) -> None:
    """Law 1: a currency that is not US dollars is never relabelled. A displayed € on a number cell is a currency: the cell is read as that much of it, or not
    at all; nor does the row's own column make another currency of it."""
    stored, shown = displayed(cents, code, how, negative)
    sign = "".join(SHOWN[code][how % len(SHOWN[code])][:2]).strip()
    try:
        amount, currency = cells.money(stored, cells.plain(shown), column)
    except cells.Unread:
        assert column not in (None, code) or (column is None and sign in ("¥", "kr")) or "[" in sign, "nothing speaks against it"
        return
    assert amount == N(cents) / 100
    says_nothing = sign == "" or (sign == "$" and column in ("USD", "CAD", "AUD"))  # at home all of these show a bare dollar sign
    assert currency == (column if column and says_nothing else code)


class Row(NamedTuple):
    """A line of a tab: cents of a currency, of a month of 2026; a subscription runs for two."""

    tab: str
    month: int
    code: str
    cents: int


TABS = ("subscriptions", "invoices", "adjustments", "budgets")
ROW = st.builds(Row, st.sampled_from(TABS), st.integers(6, 9), st.sampled_from(("USD", "EUR", "CHF", "GBP", "JPY")), st.integers(1, 10**9))
# Of a month and a currency, what one unit costs in 1e-4 USD.
RATES = st.dictionaries(st.tuples(st.integers(6, 10), st.sampled_from(("EUR", "CHF", "GBP", "JPY"))), st.integers(1, 30_000), max_size=12)


def months_of(tab: str, month: int) -> tuple[int, ...]:
    return (month, month + 1) if tab == "subscriptions" else (month,)


def last_of(month: int) -> date:
    return D(2026, month + 1, 1) - timedelta(days=1)


@settings(max_examples=2)
@example([Row(tab, month, "EUR", 24_000) for tab in TABS for month in (8, 9)], {(9, "EUR"): 10_800, (8, "CHF"): 11_000})
@given(st.lists(ROW, min_size=8, max_size=24), RATES)
def test_no_rate_of_the_month_no_figure(new_desk: Callable[[], Desk], rows: list[Row], rates: dict[tuple[int, str], int]) -> None:
    """Law 1: money in another currency is converted by the rate that a person gave for the cost's month, or has no figure. No other month's rate, no other
    currency's, and never the amount as it stands."""
    desk, tabs, expected = new_desk(), defaultdict(list), defaultdict(Decimal)
    for n, (tab, month, code, cents) in enumerate(rows):
        name = {"subscriptions": "price_usd", "budgets": "budget_usd"}.get(tab, "amount_usd")
        money = {name: N(cents) / 100} if code == "USD" else {"written_amount": N(cents) / 100, "currency": code}
        first = D(2026, month, 1)
        tabs[tab].append(money | {
            "subscriptions": {"platform": f"p{n}", "plan": "x", "seats": 1, "valid_from": first, "valid_to": last_of(month + 1)},
            "invoices": {"platform": f"p{n}", "invoice_month": first, "invoice_number": str(n)},
            "adjustments": {"platform": f"p{n}", "adjustment_date": last_of(month), "author": "A", "reason": "R", "reference": str(n)},
            "budgets": {"platform": f"p{n}", "month": first},
        }[tab])  # fmt: skip
        for paid in months_of(tab, month):
            rate = N(1) if code == "USD" else N(rates[paid, code]) / 10_000 if (paid, code) in rates else None
            if rate is not None:
                expected[tab, f"p{n}", D(2026, paid, 1)] += (N(cents) / 100 * rate).quantize(N("1e-9"), ROUND_HALF_UP)
    for tab, laid in tabs.items():
        desk.tab(tab, *laid)
    if rates:
        desk.tab("fx_rates", *({"month": last_of(m), "currency": c, "usd": N(rate) / 10_000} for (m, c), rate in rates.items()))
    desk.run("fct_cost_daily", D(2026, 6, 1), D(2026, 11, 30), D(2026, 12, 1))
    found = desk.ask(
        """
        SELECT IF(source = 'sheet_subscriptions', 'subscriptions', 'adjustments') AS tab, platform, DATE_TRUNC(cost_date, MONTH) AS month, SUM(cost_usd) AS usd
        FROM fct_cost_daily GROUP BY 1, 2, 3
        UNION ALL SELECT 'invoices', platform, DATE_TRUNC(invoice_month, MONTH), SUM(amount_usd) FROM stg_sheet_invoices_rows GROUP BY 2, 3
        UNION ALL SELECT 'budgets', platform, DATE_TRUNC(month, MONTH), SUM(budget_usd) FROM stg_sheet_budgets_rows GROUP BY 2, 3
        """
    )
    assert {(r["tab"], r["platform"], r["month"]): r["usd"] for r in found} == expected
    converted = desk.ask("SELECT tab, month, usd_rate FROM vw_currency_conversions")
    foreign = [(paid, code) for tab, month, code, _ in rows if code != "USD" for paid in months_of(tab, month)]
    assert len(converted) == sum(one in rates for one in foreign), "each figure names its rate"
    lacking = desk.one("SELECT COUNT(*) FROM sheet_issues WHERE column_name = 'currency' AND reason LIKE '%no rate%'")
    without = [row for row in rows if row.code != "USD" and any((paid, row.code) not in rates for paid in months_of(row.tab, row.month))]
    assert lacking == len(without), "and each row without one is listed"
