"""The books of invoices: whatever arrives and whenever, closed months stand still and all months together book what was invoiced.

Belongs here: law 4's line of the invoice over months that are closed meanwhile. Expected sums are the invoices themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.finance import closing, ledger
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_closing import LATE, NOV, OCT, SEP, Office, furnished

D, N = date, Decimal
MONTHS = (SEP, OCT, NOV)
CENTS = st.integers(0, 6000)
# An invoice (None takes it back), a day of a month that the vendor tells anew, or the close of the next month.
STEP = st.one_of(
    st.tuples(st.just("invoice"), st.sampled_from(MONTHS), st.none() | CENTS),
    st.tuples(st.just("restate"), st.sampled_from(MONTHS), CENTS),
    st.tuples(st.just("close"), st.just(SEP), st.just(0)),
)


def lines(desk: Desk) -> list[dict[str, Any]]:
    return desk.ask(
        "SELECT month, corrects_month, platform, user_email, cost_type, vendor, booked_usd FROM vw_chargeback "
        "ORDER BY month, cost_type, user_email, corrects_month"
    )


@settings(max_examples=5, deadline=None)
@given(steps=st.lists(STEP, min_size=3, max_size=6))
@example(
    steps=[
        ("invoice", SEP, 1100),
        ("close", SEP, 0),
        ("invoice", SEP, 1250),
        ("restate", SEP, 1005),
        ("close", SEP, 0),
        ("invoice", SEP, None),
    ]
)
@example(
    steps=[("close", SEP, 0), ("invoice", SEP, 900), ("invoice", OCT, 3100), ("close", SEP, 0), ("invoice", OCT, 2900), ("restate", OCT, 1)]
)
def test_months_together_book_what_was_invoiced_and_closed_months_never_change(
    new_desk: Callable[[], Desk], steps: list[tuple[str, date, int | None]]
) -> None:
    office = furnished(new_desk())
    invoices: dict[date, Decimal] = {}
    kept: dict[date, list[dict[str, Any]]] = {}
    for kind, month, cents in steps:
        if kind == "close":
            (next_month,) = [m for m in MONTHS if m not in kept][:1] or [None]
            if next_month is None:
                continue
            before = [r for r in lines(office.desk) if r["month"] == next_month]
            office.close(next_month)
            kept[next_month] = [r for r in lines(office.desk) if r["month"] == next_month]
            assert kept[next_month] == before, "closing books what stood there"
        elif kind == "restate":
            office.tell(month.replace(day=20), ana=str(N(cents or 0) / 100))
            office.compute()
        else:
            invoices.pop(month, None)
            if cents is not None:
                invoices[month] = N(cents) / 100
            rows = [{"invoice_month": m, "platform": "cursor", "amount_usd": usd, "invoice_number": f"{m}"} for m, usd in invoices.items()]
            day = D(2027, 1, len(office.told) % 25 + 1)
            office.desk.tab("invoices", *(rows or [{"invoice_month": D(2020, 1, 1), "platform": "none", "amount_usd": N(0)}]), day=day)
            office.told[day] = {}
        found = lines(office.desk)
        for closed, was in kept.items():
            assert [r for r in found if r["month"] == closed] == was
        for of in MONTHS:
            own = [r for r in found if (r["corrects_month"] or r["month"]) == of]
            if of in invoices:
                assert sum(r["booked_usd"] for r in own) == invoices[of]
            else:
                assert sum((r["booked_usd"] for r in own if r["cost_type"] == "invoice_difference"), N(0)) == 0
    assert ledger.damaged(office.desk.warehouse) == []


def test_an_invoice_of_a_closed_month_is_a_line_of_the_first_open_one(new_desk: Callable[[], Desk]) -> None:
    """October cost 30 USD and was closed with an invoice of 30.10. In November it was 31.00, and the vendor took 0.75 of October off: 0.90 and 0.75 more."""
    office = furnished(new_desk())
    invoice = {"invoice_month": OCT, "platform": "cursor", "invoice_number": "7"}
    office.desk.tab("invoices", {**invoice, "amount_usd": N("30.10")}, day=D(2027, 1, 1))
    office.close(SEP)
    office.close(OCT)
    office.desk.tab("invoices", {**invoice, "amount_usd": N(31)}, day=D(2027, 1, 2))
    office.tell(D(2026, 10, 5), ana="19.25")
    office.compute()
    asked = (
        "SELECT month, corrects_month, booked_usd, settle_state FROM vw_chargeback WHERE cost_type = 'invoice_difference' ORDER BY month"
    )
    assert [tuple(r.values()) for r in office.desk.ask(asked)] == [(OCT, None, N("0.10"), "closed"), (NOV, OCT, N("1.65"), "provisional")]
    closing.reopen(office.desk.warehouse, OCT, author="Controlling", reason="the invoice was wrong")
    assert [tuple(r.values()) for r in office.desk.ask(asked)] == [(OCT, None, N("1.75"), "settled")]
    office.close(OCT, today=LATE)
    assert [tuple(r.values()) for r in office.desk.ask(asked)] == [(OCT, None, N("1.75"), "closed")]


def test_a_month_that_was_closed_before_its_invoices_were_frozen_follows_them_still(new_desk: Callable[[], Desk]) -> None:
    office: Office = furnished(new_desk())
    office.close(SEP)
    with office.desk.warehouse._open() as con:
        con.execute("DELETE FROM closed_invoices")
    office.desk.tab(
        "invoices", {"invoice_month": SEP, "platform": "cursor", "amount_usd": N("10.5"), "invoice_number": "1"}, day=D(2027, 1, 1)
    )
    (line,) = office.desk.ask("SELECT month, corrects_month, booked_usd FROM vw_chargeback WHERE cost_type = 'invoice_difference'")
    assert tuple(line.values()) == (SEP, None, N("0.5"))


def test_a_line_of_an_invoice_that_somebody_changes_by_hand_is_named(new_desk: Callable[[], Desk]) -> None:
    office = furnished(new_desk())
    office.close(SEP)
    with office.desk.warehouse._open() as con:
        con.execute("UPDATE closed_invoices SET booked_usd = booked_usd + 0.01")
    (said,) = ledger.damaged(office.desk.warehouse)
    assert "2026-09" in said and "another hash" in said and "closed_invoices" in said
