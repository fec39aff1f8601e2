"""Lines to book in whole cents: a vendor's month is rounded once, its lines sum to that, and the invoice's difference is a line.

Belongs here: law 4 over `vw_chargeback`, with cents worked out here in whole numbers. What a line is of is unit/test_sql_marts_finance.py's.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage_tests.fixtures.desk import NOON, Desk

D, N, CENT = date, Decimal, Decimal("0.01")
VENDORS = {"cursor": "Cursor", "claude_api": "Anthropic", "claude_code": "Anthropic"}
# (month, platform, person, 1e-9 USD): thirds of a cent, halves, credits and large sums.
LINE = st.tuples(
    st.integers(1, 2), st.sampled_from(sorted(VENDORS)), st.integers(0, 9),
    st.one_of(st.integers(-(10**11), 10**13), st.sampled_from((3_333_333, 5_000_000, 6_666_667, -5_000_000, 1, -1))),
)  # fmt: skip


def lay(desk: Desk, lines: list[tuple[int, str, int, int]]) -> None:
    desk.lay(
        "agg_cost_months",
        *(
            {
                "month": D(2026, month, 1), "platform": platform, "vendor": VENDORS[platform], "user_email": f"p{person}@example.com",
                "department": f"D{person % 3}", "cost_type": "usage", "attribution": "direct", "settle_state": "settled",
                "first_day": D(2026, month, 1), "last_day": D(2026, month, 28), "cost_usd": N(nano).scaleb(-9), "basis": "b", "processed_at": NOON,
            }
            for month, platform, person, nano in lines
        ),
    )  # fmt: skip
    desk._outdated = False  # laid by hand: nothing is to be computed over it


def told(desk: Desk) -> list[tuple]:
    found = desk.ask(
        "SELECT month, vendor, platform, user_email, cost_usd, booked_usd FROM vw_chargeback ORDER BY month, platform, user_email"
    )
    return [tuple(r.values()) for r in found]


@settings(max_examples=8, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=40, unique_by=lambda line: line[:3]), st.randoms(use_true_random=False))
def test_cents_sum_to_the_vendors_month_and_no_line_is_a_cent_off(
    new_desk: Callable[[], Desk], lines: list[tuple[int, str, int, int]], rng: random.Random
) -> None:
    desk = new_desk()
    lay(desk, lines)
    found = told(desk)
    exact, booked = defaultdict(Decimal), defaultdict(Decimal)
    for month, vendor, _, _, cost, cents in found:
        exact[month, vendor] += cost
        booked[month, vendor] += cents
        assert abs(cents - cost) < CENT and cents == cents.quantize(CENT)
    assert {k: v.quantize(CENT, ROUND_HALF_UP) for k, v in exact.items()} == booked
    assert sum(exact.values()) == N(sum(nano for *_, nano in lines)).scaleb(-9)
    other, mixed = new_desk(), list(lines)
    rng.shuffle(mixed)
    lay(other, mixed)
    assert told(other) == found


def test_three_thirds_of_a_dollar_and_the_invoice(desk: Desk) -> None:
    """1/3 each of 1 USD is 0.34, 0.33, 0.33; 2.005 rounds to 2.01 once for the vendor's two platforms. The invoice of Cursor says 1.02, Anthropic's none."""
    lay(
        desk,
        [(1, "cursor", n, 333_333_333 + (n == 2)) for n in range(3)]
        + [(1, "claude_api", 0, 1_002_500_000), (1, "claude_code", 0, 1_002_500_000)],
    )
    desk.tab("invoices", {"invoice_month": D(2026, 1, 1), "platform": "cursor", "amount_usd": N("1.02"), "invoice_number": "1"})
    assert [(r[2], r[4], r[5]) for r in told(desk)] == [
        ("claude_api", N("1.0025"), N("1.01")), ("claude_code", N("1.0025"), N(1)), ("cursor", N(0), N("0.02")),
        ("cursor", N("0.333333333"), N("0.33")), ("cursor", N("0.333333333"), N("0.33")), ("cursor", N("0.333333334"), N("0.34")),
    ]  # fmt: skip
    (line,) = desk.ask("SELECT department, user_email, cost_type, vendor, booked_usd FROM vw_chargeback WHERE cost_usd = 0")
    assert tuple(line.values()) == ("(invoice difference)", "(unattributed)", "invoice_difference", "Cursor", N("0.02"))
