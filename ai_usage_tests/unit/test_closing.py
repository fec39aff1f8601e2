"""Closing a month: what is closed stands still, what comes later is booked once, and nothing is closed that may still move.

Belongs here: the laws of the books, with answers worked out by hand. The command and the job are tried in e2e/test_month_close.py.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from ai_usage.finance import closing, ledger, readiness
from ai_usage.finance.ledger import ClosingError
from ai_usage.settings import Settings
from ai_usage.sources.endpoint import Window
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.desk import Desk, assert_totals, contents, curated

D, N = date, Decimal
SEP, OCT, NOV = D(2026, 9, 1), D(2026, 10, 1), D(2026, 11, 1)
DEC, LATE = D(2026, 12, 1), D(2027, 2, 1)
ANA, BEN = "ana@example.com", "ben@example.com"
BASE = datetime(2027, 1, 15, 12, tzinfo=UTC)  # every day that is told has ended


class Office:
    """A company that pays for Cursor: days of events, restated at will, and the books."""

    def __init__(self, desk: Desk, first: date = SEP, last: date = D(2026, 11, 30)) -> None:
        self.desk, self.first, self.last = desk, first, last
        self.told: dict[date, dict[str, Decimal]] = {}
        self._tick = 0

    def tell(self, day: date, **usd: str) -> None:
        """The vendor says what each person's day cost: ana, ben, or nobody."""
        self._tick += 1
        people = {"ana": ANA, "ben": BEN, "nobody": ""}
        rows = [{"user_email": people[who], "model": "m", "charged_usd": N(amount)} for who, amount in usd.items()]
        total = sum((r["charged_usd"] for r in rows), N(0))
        self.desk.events(day, *rows, at=BASE + timedelta(minutes=self._tick), vendor_total_usd=total, content_sha256=f"h{self._tick}")
        self.told[day] = {people[who] or "(unattributed)": N(amount) for who, amount in usd.items()}

    def quiet(self, first: date, last: date) -> None:
        """Days on which nothing happened, and the vendor said so."""
        self.desk.quiet(first, last)
        self.told |= {day: {} for day in Window(first, last).days if day not in self.told}

    def compute(self, as_of: date = LATE) -> None:
        curated(self.desk, self.first, self.last, as_of)

    def close(self, month: date, today: date = LATE) -> ledger.Closing:
        return closing.close(self.desk.warehouse, month, author="Controlling", today=today)

    def accept(self, month: date, name: str) -> ledger.Closing:
        reason = "the team began on 25 September"
        return closing.close(self.desk.warehouse, month, author="Controlling", today=LATE, reason=reason, accepted=[name])

    def booked(self, month: date) -> Decimal:
        return self.desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM vw_cost_allocation WHERE DATE_TRUNC(cost_date, MONTH) = @m", m=month)

    def lines(self, month: date) -> list[tuple]:
        """(booked on, person, department, corrected month, USD) of a month."""
        found = self.desk.ask(
            "SELECT cost_date, user_email, department, corrects_month, SUM(cost_usd) AS usd FROM vw_cost_allocation "
            "WHERE DATE_TRUNC(cost_date, MONTH) = @m GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 2, 3",
            m=month,
        )
        return [tuple(r.values()) for r in found]

    def everything(self) -> Decimal:
        return self.desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM vw_cost_booked")


@pytest.fixture(scope="module")
def open_office(new_desk: Callable[[], Desk]) -> Office:
    return furnished(new_desk())


@pytest.fixture
def office(desk: Desk, request: pytest.FixtureRequest) -> Office:
    """September 10 USD, October 30 (Ana 20, Ben 10), November 5; Ana is of Engineering, Ben of Sales."""
    if desk.warehouse.name != "duckdb":
        return furnished(desk)
    made: Office = request.getfixturevalue("open_office")  # computed once: each test works on a copy
    shutil.copyfile(made.desk.path, desk.path)
    desk.keep_open()
    desk._fetches = made.desk._fetches
    found = Office(desk)
    found.told, found._tick = dict(made.told), made._tick
    return found


def furnished(desk: Desk) -> Office:
    found = Office(desk)
    desk.tab("people", {"email": ANA, "department": "Eng", "cost_center": "C1"}, {"email": BEN, "department": "Sales"})
    found.tell(D(2026, 9, 30), ana="10")
    found.tell(D(2026, 10, 5), ana="20")
    found.tell(D(2026, 10, 31), ben="10")
    found.tell(D(2026, 11, 2), ana="5")
    found.quiet(SEP, D(2026, 11, 30))
    found.compute()
    return found


# What is closed stands still -------------------------------------------------------------------------------------


@pytest.mark.both_engines
def test_a_later_restatement_is_booked_to_the_first_open_month_with_its_day(office: Office) -> None:
    office.close(SEP)
    closed = office.close(OCT)
    assert (closed.cost_usd, closed.rows) == (N(30), 2)
    office.tell(D(2026, 10, 5), ana="20.75")
    office.compute()
    assert office.lines(OCT) == [(D(2026, 10, 5), ANA, "Eng", None, N(20)), (D(2026, 10, 31), BEN, "Sales", None, N(10))]
    assert office.lines(NOV) == [(NOV, ANA, "Eng", OCT, N("0.75")), (D(2026, 11, 2), ANA, "Eng", None, N(5))]
    (row,) = office.desk.ask("SELECT booked_on, cost_date, cost_usd, note, settle_state FROM vw_cost_booked WHERE is_correction")
    assert row == {
        "booked_on": NOV, "cost_date": D(2026, 10, 5), "cost_usd": N("0.75"), "note": "Corrects 2026-10", "settle_state": row["settle_state"],
    }  # fmt: skip
    assert office.everything() == N("45.75") == office.desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily")


@pytest.mark.either_engine
def test_a_cost_that_finds_another_owner_is_two_rows_that_sum_to_nothing(office: Office) -> None:
    office.close(SEP)
    office.close(OCT)
    office.tell(D(2026, 10, 5), ben="20")
    office.compute()
    assert office.lines(OCT)[0][:2] == (D(2026, 10, 5), ANA)
    assert [(line[1], line[3], line[4]) for line in office.lines(NOV) if line[3]] == [(ANA, OCT, N(-20)), (BEN, OCT, N(20))]
    assert office.booked(NOV) == N(5)


def test_a_day_restated_to_nothing_is_taken_back_in_the_open_month(office: Office) -> None:
    office.close(SEP)
    office.close(OCT)
    office.tell(D(2026, 10, 5))
    office.compute()
    assert (office.booked(OCT), office.booked(NOV), office.everything()) == (N(30), N(-15), N(25))


def test_a_correction_is_booked_once_and_only_its_rest_later(office: Office) -> None:
    """0.75 came in before November was closed, 0.25 after it: October keeps 30, November 5.75, December carries 0.25."""
    office.close(SEP)
    office.close(OCT)
    office.tell(D(2026, 10, 5), ana="20.75")
    office.compute()
    assert office.close(NOV).cost_usd == N("5.75")
    assert office.booked(DEC) == 0
    office.tell(D(2026, 10, 5), ana="21")
    office.tell(D(2026, 11, 2), ana="4")
    office.compute()
    assert [office.booked(m) for m in (SEP, OCT, NOV, DEC)] == [N(10), N(30), N("5.75"), N("-0.75")]
    assert [(line[3], line[4]) for line in office.lines(DEC)] == [(OCT, N("0.25")), (NOV, N(-1))]


def test_departments_stand_as_they_were_when_the_month_was_closed(office: Office) -> None:
    office.close(SEP)
    office.close(OCT)
    office.desk.tab("people", {"email": ANA, "department": "Law"}, {"email": BEN, "department": "Sales"}, at=BASE + timedelta(days=1))
    office.tell(D(2026, 10, 5), ana="21")
    office.compute()
    assert [line[2] for line in office.lines(OCT)] == ["Eng", "Sales"]
    assert {line[2] for line in office.lines(NOV)} == {"Law"}, "what comes in later goes where she is said to have been by then"


def test_manual_adjustments_are_rows_of_their_own_and_never_edits(office: Office) -> None:
    office.close(SEP)
    office.close(OCT)
    given = {"platform": "cursor", "author": "Controlling", "reason": "Credit note 7"}
    people = (
        {"email": ANA, "department": "Eng", "cost_center": "C1"},
        {"email": BEN, "department": "Sales", "aliases": "b.old@example.com"},
    )
    office.desk.tab("people", *people, at=BASE + timedelta(days=1))
    office.desk.tab(
        "adjustments",
        {**given, "adjustment_date": D(2026, 10, 31), "amount_usd": N(-3), "cost_type": "credit"},
        {**given, "adjustment_date": D(2026, 11, 3), "amount_usd": N("0.5"), "email": "B.Old+x@example.com", "cost_type": None},
        at=BASE + timedelta(days=1),
    )
    office.compute()
    assert office.booked(OCT) == N(30)
    assert office.lines(NOV) == [
        (NOV, "(unattributed)", "(no department)", OCT, N(-3)),
        (D(2026, 11, 2), ANA, "Eng", None, N(5)),
        (D(2026, 11, 3), BEN, "Sales", None, N("0.5")),
    ]
    shown = office.desk.ask("SELECT sheet_row, cost_type, user_email, amount_usd, author, reason FROM vw_adjustments ORDER BY sheet_row")
    assert [tuple(r.values()) for r in shown] == [
        (2, "credit", "(unattributed)", N(-3), "Controlling", "Credit note 7"),
        (3, "adjustment", BEN, N("0.5"), "Controlling", "Credit note 7"),
    ]
    vendor = office.desk.one("SELECT SUM(vendor_total_usd) FROM stg_current_fetches WHERE source = 'cursor'")
    assert office.everything() == vendor + N("-2.5")


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_closed_months_stand_and_the_books_sum_to_the_facts(desk: Desk, seed: int) -> None:
    """Random tellings, closings, reopenings, moves between departments: a closed month never moves while it is closed; all months together are what the
    vendor says; what is stored by month is what the books say, also of months that no run touched."""
    rng = random.Random(seed)
    office = Office(desk, SEP, D(2026, 12, 31))
    days = [D(2026, m, d) for m in (9, 10, 11, 12) for d in (1, 15, 28)]
    office.quiet(D(2026, 9, 1), D(2026, 12, 31))
    for day in days:
        office.tell(day, ana=str(rng.randint(1, 10**9)), nobody="0.000000001")
    office.compute()
    months, closed = [SEP, OCT, NOV, DEC], {}
    for n in range(9):
        move = rng.choice(("tell", "tell", "close", "reopen", "move"))
        if move == "tell":
            who = rng.choice(("ana", "ben", "nobody"))
            office.tell(rng.choice(days), **{who: str(N(rng.randint(-(10**6), 10**12)) / N(10**9))})
            office.compute()
        elif move == "close" and len(closed) < len(months):
            month = months[len(closed)]
            office.close(month)
            closed[month] = (office.booked(month), office.lines(month))
        elif move == "reopen" and closed:
            month = max(closed)
            closing.reopen(desk.warehouse, month, author="Controlling", reason="try")
            del closed[month]
        elif move == "move":
            desk.tab(
                "people", {"email": ANA, "department": f"Department {rng.randint(1, 3)}"}, at=BASE + timedelta(hours=len(office.told) + n)
            )
            curated(desk, D(2026, 12, 28), D(2026, 12, 28), LATE)
        assert_totals(desk)
        for month, was in closed.items():
            assert (office.booked(month), office.lines(month)) == was
        assert office.everything() == sum((sum(said.values(), N(0)) for said in office.told.values()), N(0))
        assert ledger.damaged(desk.warehouse) == []


# What may be closed ----------------------------------------------------------------------------------------------


def test_a_month_that_may_still_move_is_not_closed(office: Office) -> None:
    """Cursor's days settle with their billing cycle; as of 1 November October's are provisional."""
    office.compute(as_of=NOV)
    with pytest.raises(
        ClosingError, match=r"2026-09 cannot be closed: cursor: 1 days up to 2026-09-30 \(10\.0* USD\) may still be changed"
    ):
        office.close(SEP)
    assert contents(office.desk, "closed_cost") == [] == contents(office.desk, "month_closings")


def test_a_month_with_a_day_that_nobody_holds_is_not_closed(desk: Desk) -> None:
    office = Office(desk)
    office.tell(D(2026, 9, 1), ana="1")
    office.tell(D(2026, 9, 30), ana="1")
    office.compute()
    with pytest.raises(ClosingError, match=r"cursor: 28 days are not held, the first is 2026-09-02; run ai-usage run --from 2026-09-02"):
        office.close(SEP)
    with pytest.raises(ClosingError, match="28 days are not held"):  # the vendor can still be asked, so nobody may answer for them
        office.accept(SEP, "unread_days")


def test_a_day_that_was_read_before_it_ended_is_not_held(desk: Desk) -> None:
    office = Office(desk)
    office.quiet(SEP, D(2026, 9, 29))
    desk.events(D(2026, 9, 30), {"user_email": ANA, "charged_usd": N(1)}, at=datetime(2026, 9, 30, 12, tzinfo=UTC), vendor_total_usd=N(1))
    office.compute()
    with pytest.raises(ClosingError, match=r"cursor: 1 days are not held, the first is 2026-09-30"):
        office.close(SEP)


def test_days_before_the_first_connection_close_by_name_and_reason_only(desk: Desk) -> None:
    """Six days of September are held; gaps count from the first of the month, not from the first day ever held."""
    office = Office(desk)
    office.tell(D(2026, 9, 25), ana="2")
    office.quiet(D(2026, 9, 25), D(2026, 9, 30))
    office.compute()
    with pytest.raises(
        ClosingError, match=r"cursor: 24 days are not held, 2026-09-01 to 2026-09-24, and its first day that was read is 2026-09-25"
    ):
        office.close(SEP)
    with pytest.raises(ClosingError, match="--accept unread_days needs a reason"):
        closing.close(desk.warehouse, SEP, author="Controlling", today=LATE, accepted=["unread_days"])
    with pytest.raises(ClosingError, match="--accept everything is not known; use unread_days or unknown_money or unknown_kinds"):
        office.accept(SEP, "everything")
    office.accept(SEP, "unread_days")
    (row,) = desk.ask("SELECT author, reason, accepted FROM month_closings")
    assert (row["author"], row["reason"]) == ("Controlling", "the team began on 25 September")
    assert row["accepted"].startswith("cursor: 24 days are not held, 2026-09-01 to 2026-09-24")


def test_a_source_that_is_on_and_was_never_read_keeps_a_month_open(office: Office) -> None:
    on = Settings(_env_file=None, cursor_admin_api_key="key_of_a_test", anthropic_admin_api_key="key-of-a-test")
    with pytest.raises(ClosingError, match=r"anthropic: 30 days are not held, 2026-09-01 to 2026-09-30, and it was never read"):
        closing.close(office.desk.warehouse, SEP, author="Controlling", today=LATE, settings=on)


def test_what_is_over_or_forgotten_at_the_vendor_is_answered_for_and_a_gap_is_not(desk: Desk) -> None:
    """Cursor was read from 1 to 20 September. Off since, the ten days after are its end; on, they are a gap, unless the vendor answers 90 days back."""
    office = Office(desk)
    office.tell(D(2026, 9, 1), ana="1")
    office.quiet(SEP, D(2026, 9, 20))
    office.compute()

    def said(**more: object) -> str:
        return " ".join(readiness.blockers(desk.warehouse, SEP, LATE, Settings(_env_file=None, **more)))

    assert "2026-09-21 to 2026-09-30, and it is off since its last day that was read, 2026-09-20" in said()
    on = {"cursor_admin_api_key": "key_of_a_test"}
    assert "10 days are not held, the first is 2026-09-21; run ai-usage run" in said(**on, history_days={"cursor": 365})
    assert "and the vendor no longer answers about them" in said(**on, history_days={"cursor": 90})


def test_records_of_unknown_money_close_by_name_and_reason_only(office: Office) -> None:
    office.desk.events(
        D(2026, 9, 30), {"user_email": ANA, "model": "m", "charged_usd": N(10)}, at=BASE + timedelta(hours=1), vendor_total_usd=N(10),
        unknown_money_count=1,
    )  # fmt: skip
    office.compute()
    with pytest.raises(ClosingError, match=r"cursor: 1 records of filtered-usage-events could not be read, .* the first is of 2026-09-30"):
        office.close(SEP)
    office.accept(SEP, "unknown_money")
    office.close(OCT)
    assert [r["accepted"] is None for r in office.desk.ask("SELECT accepted FROM month_closings ORDER BY month")] == [False, True]


def test_a_day_that_could_not_be_proved_keeps_its_month_open(office: Office) -> None:
    office.compute()
    held = {"table_name": "fct_cost_daily", "source": "cursor", "endpoint": "filtered-usage-events", "reason": "off by 0.001"}
    office.desk.lay("held_back", {**held, "usage_date": D(2026, 9, 30)}, {**held, "usage_date": D(2026, 10, 1)})
    with pytest.raises(ClosingError, match=r"cursor: 1 days could not be proved, the first is 2026-09-30; off by 0\.001"):
        office.close(SEP)


def test_unknown_money_of_a_range_is_asked_of_each_month_that_it_may_be_of(desk: Desk) -> None:
    """A spend report of 15 September to 14 October hides one amount: both months ask, November does not. Once the API tells all 30 days, the report
    counts nowhere and nobody is asked; a record that the API hides on one of them is asked of its own month."""
    first, last = D(2026, 9, 15), D(2026, 10, 14)
    row = {"period_start": first, "period_end": last, "user_email": ANA, "model": "m", "net_usd": N(3)}
    desk.fetch("claude_ai", "spend", last, "raw_claude_ai_spend", row, origin="upload", vendor_total_usd=N(3), unknown_money_count=1,
               window_start=datetime(2026, 9, 15, tzinfo=UTC))  # fmt: skip

    def asked() -> list[str]:
        every = {month: " ".join(readiness.blockers(desk.warehouse, month, LATE)) for month in (SEP, OCT, NOV)}
        return [
            f"{month:%b} {said[said.index('the first is of') :][16:26]}" for month, said in every.items() if "money is not known" in said
        ]

    assert asked() == ["Sep 2026-09-15", "Oct 2026-09-15"]
    paid = {"actor_email": ANA, "product": "chat", "amount_usd": N(1), "currency": "USD"}
    for told in Window(first, last).days:
        # Days that one walk brought share its window: each stands for itself.
        desk.fetch("claude_enterprise", "analytics/cost", told, "raw_claude_enterprise_cost", paid, at=BASE, vendor_total_usd=N(1),
                   unknown_money_count=int(told == D(2026, 10, 2)), window_start=datetime(2026, 9, 15, tzinfo=UTC))  # fmt: skip
    assert asked() == ["Oct 2026-10-02"]


def test_a_kind_that_nobody_has_classed_closes_by_name_and_reason_only(office: Office) -> None:
    event = {"user_email": ANA, "model": "m", "kind": "Moonlight", "charged_usd": N(10)}
    office.desk.events(D(2026, 9, 30), event, at=BASE + timedelta(hours=1), vendor_total_usd=N(10))
    office.compute()
    with pytest.raises(ClosingError, match=r"cursor: 1 events of the unknown kind 'Moonlight' are booked as billed, 10\.0* USD"):
        office.close(SEP)
    assert office.accept(SEP, "unknown_kinds").cost_usd == N(10)


def test_uploads_list_their_uncovered_days_and_close(desk: Desk) -> None:
    """A spend report of 5 to 30 September, and one that crosses into October: four days are in no file, and the second is an estimate by month."""
    for first, last, total in ((D(2026, 9, 5), D(2026, 9, 20), "16"), (D(2026, 9, 21), D(2026, 10, 10), "20")):
        desk.fetch(
            "claude_ai", "spend", last, "raw_claude_ai_spend",
            {"period_start": first, "period_end": last, "user_email": ANA, "net_usd": N(total)}, origin="upload", vendor_total_usd=N(total),
        )  # fmt: skip
    curated(desk, SEP, D(2026, 10, 31), LATE)
    closed = closing.close(desk.warehouse, SEP, author="Controlling", today=LATE)
    assert closed.cost_usd == N(26)
    uncovered, estimate = readiness.warnings(desk.warehouse, SEP)
    assert uncovered.startswith("claude_ai: 4 days of 2026-09 are in no uploaded file, between 2026-09-01 and 2026-09-04")
    assert "of 2026-09-21 to 2026-10-10 crosses the month, so its 10.0" in estimate
    assert ledger.damaged(desk.warehouse) == []


@pytest.mark.parametrize(
    ("first", "last", "fits"), [(SEP, D(2026, 9, 30), True), (D(2026, 9, 15), D(2026, 9, 30), False), (SEP, D(2026, 9, 29), False)]
)
def test_only_a_run_of_all_its_days_freezes_a_month(first: date, last: date, fits: bool) -> None:
    said = readiness.not_computed(SEP, first, last)
    assert (said is None) == fits
    assert fits or f"this run computes {first} to {last} only" in str(said)


@pytest.mark.parametrize(
    ("month", "today", "said"),
    [
        (NOV, D(2026, 11, 30), "2026-11 has not ended in UTC; close it after 2026-11-30"),
        (OCT, LATE, "2026-09 is still open; months are closed in order"),
        (D(2026, 8, 1), LATE, "nothing is booked to 2026-08"),
    ],
)
def test_other_months_are_refused_in_words(office: Office, month: date, today: date, said: str) -> None:
    with pytest.raises(ClosingError, match=said):
        office.close(month, today)
    assert contents(office.desk, "month_closings") == []


def test_a_closed_month_is_closed_once(office: Office) -> None:
    office.close(SEP)
    with pytest.raises(ClosingError, match="2026-09 was closed on .*; reopen it first"):
        office.close(SEP)
    assert len(contents(office.desk, "month_closings")) == 1


def test_nobody_closes_nothing(office: Office) -> None:
    with pytest.raises(ClosingError, match="--author"):
        closing.close(office.desk.warehouse, SEP, author=" ", today=LATE)


# Reopening -------------------------------------------------------------------------------------------------------


def test_a_reopened_month_is_the_facts_again_and_leaves_a_trace(office: Office) -> None:
    office.close(SEP)
    office.close(OCT)
    office.tell(D(2026, 10, 5), ana="20.75")
    office.compute()
    with pytest.raises(ClosingError, match="only for a reason"):
        closing.reopen(office.desk.warehouse, OCT, author="Controlling", reason=" ")
    with pytest.raises(ClosingError, match=r"2026-10 was closed after 2026-09 .* reopen that month first"):
        closing.reopen(office.desk.warehouse, SEP, author="Controlling", reason="wrong rate")
    closing.reopen(office.desk.warehouse, OCT, author="Controlling", reason="wrong rate")
    assert (office.booked(OCT), office.booked(NOV)) == (N("30.75"), N(5))
    trace = office.desk.ask("SELECT month, action, author, reason, cost_usd FROM month_closings ORDER BY decided_at")
    assert [tuple(r.values()) for r in trace] == [
        (SEP, "close", "Controlling", None, N(10)), (OCT, "close", "Controlling", None, N(30)), (OCT, "reopen", "Controlling", "wrong rate", N(30)),
    ]  # fmt: skip
    assert office.close(OCT).cost_usd == N("30.75")
    shown = office.desk.ask(
        "SELECT month, settle_state, booked_usd, reopened FROM vw_month_close WHERE month <= DATE '2026-10-01' ORDER BY month"
    )
    assert [tuple(r.values()) for r in shown] == [(SEP, "closed", N(10), 0), (OCT, "closed", N("30.75"), 1)]


# Nobody changes it unseen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE closed_cost SET cost_usd = cost_usd + 0.000000001 WHERE user_email = 'ana@example.com'",
        "UPDATE closed_cost SET department = 'Law' WHERE department = 'Eng'",
        "DELETE FROM closed_cost WHERE user_email = 'ben@example.com'",
        "INSERT INTO closed_cost SELECT * FROM closed_cost LIMIT 1",
        "UPDATE closed_cost SET model = NULL",
        "UPDATE closed_cost SET model = '', vendor = 'Cursorm'",
    ],
)
def test_a_frozen_row_that_somebody_changes_is_found(office: Office, change: str) -> None:
    office.close(SEP)
    office.close(OCT)
    assert ledger.damaged(office.desk.warehouse) == []
    with duckdb.connect(str(office.desk.path)) as con:
        con.execute(change)
    said = ledger.damaged(office.desk.warehouse)
    assert said and all(" was closed with " in sentence and "restore it from backup" in sentence for sentence in said)


def test_rows_of_a_closing_that_never_ended_do_not_count_and_go(office: Office) -> None:
    office.close(SEP)
    with duckdb.connect(str(office.desk.path)) as con:  # as a crash before the ledger's row would leave it
        con.execute(
            "INSERT INTO closed_cost SELECT 'unfinished', * EXCLUDE (closing_id) REPLACE (DATE '2026-10-05' AS booked_on) FROM closed_cost"
        )
    assert office.booked(OCT) == N(30)
    office.close(OCT)
    assert office.desk.one("SELECT COUNT(*) FROM closed_cost WHERE closing_id = 'unfinished'") == 0
    assert office.booked(OCT) == N(30)


def test_a_correction_that_does_not_add_up_is_not_written(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.close(SEP)
    office.close(OCT)
    office.tell(D(2026, 10, 5), ana="21")
    from ai_usage.warehouse import models

    broken = models.model("fct_cost_corrections").sql.replace("SUM(t.cost_usd) AS cost_usd", "SUM(t.cost_usd) * 2 AS cost_usd")
    office.desk.run("fct_cost_daily", office.first, office.last, LATE)
    scope = {"start_date": OCT, "end_date": D(2026, 10, 31), "processed_at": BASE}
    with pytest.raises(WarehouseError, match="what is booked for a closed month's days, plus corrections"):
        office.desk.warehouse.replace(models.model("fct_cost_corrections").table, broken, scope, FACTS["fct_cost_corrections"])
