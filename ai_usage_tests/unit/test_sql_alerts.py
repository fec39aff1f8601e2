"""Every condition of `sql/alerts/` on days written by hand: at its threshold, just below, just above, without data, with negative money.

Belongs here: figures worked out in the comments. `parity/test_cases_again.py` asks each case of GoogleSQL too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai_usage.alerts.conditions import Cause, look
from ai_usage.alerts.config import load_config
from ai_usage_tests.fixtures.desk import Desk

D, N = date, Decimal
CONFIG = load_config()
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
TODAY = NOW.date()  # a Sunday; yesterday is Saturday 21 November
SOURCES = ["cursor", "anthropic", "google_sheets"]


def causes(desk: Desk, name: str, now: datetime = NOW) -> list[Cause]:
    """The condition's causes, as a pass finds them."""
    found = look(CONFIG, desk.warehouse.select, today=now.date(), now=now, sources=SOURCES, only=lambda alert: alert.name == name)
    assert found.broken == {} and found.skipped == {}
    return found.causes


def cost(desk: Desk, *lines: tuple[Any, ...], **more: Any) -> None:
    """Facts: (day, USD) or (day, USD, person)."""
    rows = []
    for day, usd, *who in lines:
        email = who[0] if who else "ana@example.com"
        rows.append(
            {
                "cost_date": day, "platform": "cursor", "vendor": "cursor", "user_email": email, "cost_type": "usage", "cost_usd": N(usd),
                "attribution": "direct" if email else "unattributed", "settle_state": "provisional", "source": "cursor", **more,
            }
        )  # fmt: skip
    desk.lay("fct_cost_daily", *rows)


def days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def billed(desk: Desk, first: date, last: date, without: Iterable[date] = (), source: str = "cursor") -> None:
    """A source's bill of each day is held, but for some."""
    for day in days(first, last):
        if day not in set(without):
            desk.fetch(source, "bill", day, vendor_total_usd=N(0), state="complete")


ALL = [name for name, alert in CONFIG.alerts.items() if alert.sql]


@pytest.mark.parametrize("name", ALL)
def test_nothing_held_is_nothing_told(desk: Desk, name: str) -> None:
    assert causes(desk, name) == []


# A source -------------------------------------------------------------------------------------------------------------


def test_a_failed_day_is_told_until_it_is_read(desk: Desk) -> None:
    """Two days of one endpoint failed at noon; one was read at one o'clock. A day that failed first and was read after is well."""
    late = NOW - timedelta(hours=1)
    for day in (D(2026, 11, 19), D(2026, 11, 20)):
        desk.fetch("cursor", "events", day, at=NOW - timedelta(hours=2), state="failed", error="401")
    desk.fetch("cursor", "events", D(2026, 11, 19), at=late, state="empty")
    (one,) = causes(desk, "ingestion_failed")
    assert (one.cause_key, one.subject, one.figure, one.unit) == ("cursor/events", "cursor events", N(1), "days")
    assert (one.first_day, one.last_day, one.since, one.likely_reason) == (D(2026, 11, 20), D(2026, 11, 20), D(2026, 11, 22), "401")
    desk.fetch("cursor", "events", D(2026, 11, 20), at=late, state="complete")
    assert causes(desk, "ingestion_failed") == []


def test_a_directory_that_was_read_since_is_well_and_a_source_that_is_off_is_silent(desk: Desk) -> None:
    desk.fetch("cursor", "members", D(2026, 11, 20), at=NOW - timedelta(hours=30), state="failed", error="500", window_start=None)
    assert [c.cause_key for c in causes(desk, "ingestion_failed")] == ["cursor/members"]
    desk.fetch("cursor", "members", D(2026, 11, 21), at=NOW, state="complete", window_start=None)
    desk.fetch("claude_enterprise", "analytics/cost", D(2026, 11, 20), state="failed", error="403")
    desk.fetch("cursor", "events", D(2026, 10, 1), state="failed", error="before the 35 days looked at")
    assert causes(desk, "ingestion_failed") == []


@pytest.mark.parametrize(
    ("age", "told"), [(timedelta(hours=25), 0), (timedelta(hours=25, seconds=1), 1), (timedelta(hours=24, minutes=59), 0)]
)
def test_data_is_old_after_25_hours(desk: Desk, age: timedelta, told: int) -> None:
    desk.fetch("cursor", "events", D(2026, 11, 20), at=NOW - timedelta(days=9))
    desk.fetch("cursor", "spend", D(2026, 11, 21), at=NOW - age)
    desk.fetch("cursor", "events", D(2026, 11, 21), at=NOW, state="failed", error="a failure is no data")
    desk.fetch("claude_enterprise", "analytics/cost", D(2026, 1, 1), at=NOW - timedelta(days=99))  # off
    desk.fetch("anthropic", "cost_report", D(2026, 1, 1), at=NOW - timedelta(days=99), origin="upload")  # nobody is late with a file
    found = causes(desk, "data_old")
    assert [(c.cause_key, c.figure, c.unit) for c in found] == [("cursor", N(25), "hours")] * told


def test_an_endpoint_that_is_late_missing_or_refused_is_told_and_a_silent_source_once(desk: Desk) -> None:
    """Of Claude Enterprise nothing that is due was read, which data_old tells once it is late; what bills nothing and never answered is no failure."""
    due, held = D(2026, 11, 21), D(2026, 11, 18)
    told = (
        ("cursor", "one", "read", True), ("cursor", "two", "late", True), ("cursor", "three", "failed", True), ("anthropic", "four", "missing", True),
        ("anthropic", "five", "refused", False), ("anthropic", "six", "refused", True), ("claude_enterprise", "seven", "late", True),
    )  # fmt: skip
    for source, endpoint, state, owed in told:
        since = None if state == "read" else held + timedelta(days=1)
        desk.lay(
            "source_states",
            {
                "source": source,
                "endpoint": endpoint,
                "state": state,
                "is_owed": owed,
                "due_day": due,
                "lacking_since": since,
                "judged_at": NOW,
            },
        )
    found = {c.cause_key: (c.figure, c.unit, c.first_day, c.last_day) for c in causes(desk, "not_read")}
    assert found == dict.fromkeys(("anthropic/four", "anthropic/six", "cursor/two"), (N(3), "days", D(2026, 11, 19), due))


def test_what_was_read_and_could_not_be_proved_has_failed_too(desk: Desk) -> None:
    held = {"source": "cursor", "endpoint": "filtered-usage-events", "usage_date": D(2026, 11, 20), "reason": "off by 0.001"}
    desk.lay("held_back", {**held, "table_name": "fct_cost_daily"}, {**held, "table_name": "fct_usage_daily"})
    [found] = causes(desk, "ingestion_failed")
    assert (found.cause_key, found.figure, found.likely_reason) == ("cursor/filtered-usage-events", N(1), "off by 0.001")


@pytest.mark.parametrize(("rejected", "told"), [(5, 0), (6, 1)])
def test_more_than_5_percent_of_records_are_rejected(desk: Desk, rejected: int, told: int) -> None:
    """Of 100 records 5 are 5 %, which is allowed; of an endpoint nothing of which could be used, 100 %."""
    day = D(2026, 11, 20)
    desk.fetch("cursor", "events", day, row_count=100 - rejected, rejected_count=rejected, fetch_id="f")
    desk.fetch("cursor", "events", D(2026, 11, 14), row_count=0, rejected_count=99)  # before the 7 days looked at
    for n in range(rejected):
        desk.lay(
            "raw_rejects",
            {"fetch_id": "f", "source": "cursor", "endpoint": "events", "column_name": "email", "reason": "is empty" if n else "odd"},
        )
    found = causes(desk, "validation_errors")
    assert [(c.cause_key, c.figure, c.first_day, c.last_day) for c in found] == [("cursor/events", N("0.06"), day, day)] * told
    if told:
        assert [(m.name, m.figure, m.unit) for m in found[0].movers] == [
            ("email: is empty", N(5), "records"),
            ("email: odd", N(1), "records"),
        ]


def test_of_a_directory_the_latest_reading_counts(desk: Desk) -> None:
    desk.fetch("google_sheets", "people", D(2026, 11, 20), at=NOW - timedelta(days=2), row_count=1, rejected_count=9, window_start=None)
    assert [c.figure for c in causes(desk, "validation_errors")] == [N("0.9")]
    desk.fetch("google_sheets", "people", D(2026, 11, 21), at=NOW, row_count=10, rejected_count=0, window_start=None)
    assert causes(desk, "validation_errors") == []


# The month and the day ------------------------------------------------------------------------------------------------


def months(desk: Desk, october: str, november: str) -> None:
    """Ten days of each month that cost these sums, October from its first day, with some of September held."""
    cost(desk, (D(2026, 9, 30), "1"), *((d, N(october) / 10) for d in days(D(2026, 10, 1), D(2026, 10, 10))), (D(2026, 10, 11), "99999"))
    cost(desk, *((d, N(november) / 10) for d in days(D(2026, 11, 1), D(2026, 11, 10))))


@pytest.mark.parametrize(("november", "told"), [("1200", 0), ("1200.00000001", 1), ("1199.99", 0)])
def test_the_month_is_told_above_20_percent(desk: Desk, november: str, told: int) -> None:
    months(desk, "1000", november)
    found = causes(desk, "month_over_month", datetime(2026, 11, 11, 14, tzinfo=UTC))
    assert [(c.cause_key, c.figure, c.usual, c.first_day, c.last_day) for c in found] == [
        ("2026-11-01", N(november), N(1000), D(2026, 11, 1), D(2026, 11, 10))
    ] * told
    if told:
        assert [(m.name, m.figure) for m in found[0].movers] == [("(no department) on cursor", N("200.00000001"))]


@pytest.mark.parametrize(
    ("october", "november", "told"), [("400", "500", 1), ("400", "499.99999999", 0), ("-10", "500", 0), ("0", "500", 0)]
)
def test_a_small_rise_and_a_month_of_credits_are_silent(desk: Desk, october: str, november: str, told: int) -> None:
    """The floor is 100 USD; nothing can be a fifth more than nothing or than less than nothing."""
    months(desk, october, november)
    assert len(causes(desk, "month_over_month", datetime(2026, 11, 11, 14, tzinfo=UTC))) == told


def test_a_month_without_a_whole_month_before_is_silent(desk: Desk) -> None:
    """Held from 2 October on: the first of October is missing, so that the days cannot be compared."""
    cost(desk, *((d, "10") for d in days(D(2026, 10, 2), D(2026, 10, 10))), *((d, "100") for d in days(D(2026, 11, 1), D(2026, 11, 10))))
    at = datetime(2026, 11, 11, 14, tzinfo=UTC)
    assert causes(desk, "month_over_month", at) == []
    cost(desk, (D(2026, 10, 1), "10"))
    assert len(causes(desk, "month_over_month", at)) == 1


def test_the_first_four_days_of_a_month_are_too_few(desk: Desk) -> None:
    months(desk, "1000", "2000")
    assert causes(desk, "month_over_month", datetime(2026, 11, 5, 14, tzinfo=UTC)) == []
    assert len(causes(desk, "month_over_month", datetime(2026, 11, 6, 14, tzinfo=UTC))) == 1


def test_a_day_that_was_not_given_is_left_out_of_both_months(desk: Desk) -> None:
    """Nine days of 100 USD in October (the tenth failed) and ten of 115 in November: 1,035 against 900 is 15 %, 1,150 against 900 would be 28 %."""
    cost(desk, (D(2026, 9, 30), "1"), *((d, "100") for d in days(D(2026, 10, 1), D(2026, 10, 9))))
    cost(desk, *((d, "115") for d in days(D(2026, 11, 1), D(2026, 11, 10))))
    at = datetime(2026, 11, 11, 14, tzinfo=UTC)
    assert len(causes(desk, "month_over_month", at)) == 1
    billed(desk, D(2026, 9, 30), D(2026, 11, 10), without=[D(2026, 10, 10)])
    assert causes(desk, "month_over_month", at) == []


def test_a_month_that_has_ended_is_compared_with_the_whole_month_before(desk: Desk) -> None:
    """November has 30 days of 14 USD; October 30 of 8 and a last one of 60 USD: 420 against 300. A day before its end it is 406 against 29 of 8."""
    cost(desk, (D(2026, 9, 30), "1"), *((d, "8") for d in days(D(2026, 10, 1), D(2026, 10, 30))), (D(2026, 10, 31), "60"))
    cost(desk, *((d, "14") for d in days(D(2026, 11, 1), D(2026, 11, 30))))
    (one,) = causes(desk, "month_over_month", datetime(2026, 12, 1, 14, tzinfo=UTC))
    assert (one.figure, one.usual) == (N(420), N(300))
    (one,) = causes(desk, "month_over_month", datetime(2026, 11, 30, 14, tzinfo=UTC))
    assert (one.figure, one.usual) == (N(406), N(232))


def weeks(desk: Desk, last: str, weekend: str = "100") -> None:
    """Five weeks up to Friday 20 November, 100 USD on each working day, and the Friday as given."""
    cost(desk, *((d, weekend if d.weekday() > 4 else "100") for d in days(D(2026, 10, 17), D(2026, 11, 19))), (D(2026, 11, 20), last))


@pytest.mark.parametrize(("usd", "told"), [("150", 1), ("149.999999999", 0)])
def test_a_day_is_told_from_the_floor_on(desk: Desk, usd: str, told: int) -> None:
    weeks(desk, usd)
    found = causes(desk, "day_over_week")
    assert [(c.cause_key, c.figure, c.usual) for c in found] == [("2026-11-20", N(150), N(100))] * told
    if told:
        assert [(m.name, m.figure) for m in found[0].movers] == [("ana@example.com", N(50))]


@pytest.mark.parametrize(("usd", "told"), [("1200", 0), ("1200.000000001", 1)])
def test_a_day_is_told_above_120_percent_of_its_week(desk: Desk, usd: str, told: int) -> None:
    """At 1,000 a day the threshold is 1,200."""
    cost(desk, *((d, "1000") for d in days(D(2026, 10, 17), D(2026, 11, 19))), (D(2026, 11, 20), usd))
    assert len(causes(desk, "day_over_week")) == told


def test_a_monday_after_a_quiet_weekend_is_no_rise(desk: Desk) -> None:
    """With weekends of nothing the mean of seven days is 500 / 7 = 71, of which 100 are 140 %: every working day would be told. Its own weekday
    says 100."""
    weeks(desk, "100", weekend="0")
    assert causes(desk, "day_over_week") == []
    cost(desk, (D(2026, 11, 20), "50"))
    (one,) = causes(desk, "day_over_week")
    assert (one.figure, one.usual) == (N(150), N("71.428571429"))


def test_days_without_history_and_days_not_given_are_not_judged(desk: Desk) -> None:
    """One same weekday before is too few. A day that a source failed to give is not judged, and does not pull the mean down."""
    cost(desk, *((d, "100") for d in days(D(2026, 11, 8), D(2026, 11, 19))), (D(2026, 11, 20), "900"))
    assert causes(desk, "day_over_week") == []
    cost(desk, *((d, "100") for d in days(D(2026, 10, 20), D(2026, 11, 7))))
    assert [c.usual for c in causes(desk, "day_over_week")] == [N(100)]
    cost(desk, *((d, "-100") for d in (D(2026, 11, 17), D(2026, 11, 18))))
    assert [c.usual for c in causes(desk, "day_over_week")] == [N("71.428571429")]
    billed(desk, D(2026, 10, 1), D(2026, 11, 20), without=[D(2026, 11, 17), D(2026, 11, 18)])
    assert [c.usual for c in causes(desk, "day_over_week")] == [N(100)]
    billed(desk, D(2026, 10, 1), D(2026, 11, 21), without=[D(2026, 11, 20)], source="anthropic")
    assert causes(desk, "day_over_week") == []


def test_an_open_day_is_never_judged(desk: Desk) -> None:
    weeks(desk, "100")
    cost(desk, (D(2026, 11, 21), "900"), settle_state="open")
    cost(desk, (TODAY, "900"))
    assert causes(desk, "day_over_week") == []


# A person, a key, a department ----------------------------------------------------------------------------------------


def usual(desk: Desk, first: date = D(2026, 9, 20), **more: Any) -> None:
    """Before the seven days judged (15 to 21 November): 10 USD on working days, 12 on Wednesdays in turn with 8, nothing on weekends."""
    for day in days(first, D(2026, 11, 14)):
        if day.weekday() < 5:
            usd = ("12", "8")[day.isocalendar().week % 2] if day.weekday() == 2 else "10"
            cost(desk, (day, usd), **more)


@pytest.mark.parametrize(("usd", "told"), [("60", 1), ("59.999999999", 0)])
def test_a_person_is_told_from_the_floor_on(desk: Desk, usd: str, told: int) -> None:
    """Eight Wednesdays of 12 and 8: their median is 10, the mean of the two in the middle. Of 56 distances 48 are 0, so that the median is 0 and
    the spread a tenth of usual: 1 USD, 8 of which are 8. So the floor of 50 USD decides: 60 is told."""
    usual(desk)
    cost(desk, (D(2026, 11, 18), usd))
    found = causes(desk, "unusual_spend")
    assert [(c.cause_key, c.subject, c.figure, c.usual) for c in found] == [
        ("person/ana@example.com", "ana@example.com", N(60), N(10))
    ] * told


def test_what_is_much_on_a_saturday_is_usual_on_a_monday(desk: Desk) -> None:
    """60 USD against 0 on a Saturday is told, and against 10 on a Monday too; 50 on a Saturday is the floor, 50 on a Monday is 40 above usual."""
    usual(desk)
    cost(desk, (D(2026, 11, 16), "50"))
    assert causes(desk, "unusual_spend") == []
    cost(desk, (D(2026, 11, 21), "50"))
    (one,) = causes(desk, "unusual_spend")
    assert (one.figure, one.usual, one.since, one.last_day) == (N(50), N(0), D(2026, 11, 21), D(2026, 11, 21))


@pytest.mark.parametrize(("usd", "told"), [("2186.08", 0), ("2186.080000001", 1)])
def test_a_spread_is_the_scaled_mad_of_all_weekdays(desk: Desk, usd: str, told: int) -> None:
    """Days of 900 and 1,000 and 1,100 in turn by week (8 weeks: 3, 3 and 2 of each): the median of each weekday is 1,000 where 900 stands three
    times, 1,000 three times, 1,100 twice. Distances: 35 of 100 and 21 of 0, so their median is 100 and the spread 148.26, more than a tenth of
    usual. Eight spreads are 1,186.08: told above 2,186.08."""
    for day in days(D(2026, 9, 20), D(2026, 11, 14)):
        week = (day - D(2026, 9, 20)).days // 7
        cost(desk, (day, ("900", "1000", "1100")[week % 3]))
    cost(desk, (D(2026, 11, 18), usd))
    assert len(causes(desk, "unusual_spend")) == told


def test_somebody_new_is_no_anomaly(desk: Desk) -> None:
    """27 known days before the days judged are too few, 28 are enough."""
    cost(desk, *((d, "1") for d in days(D(2026, 10, 19), D(2026, 11, 14))), (D(2026, 11, 20), "500"))
    assert causes(desk, "unusual_spend") == []
    cost(desk, (D(2026, 10, 18), "1"))
    assert len(causes(desk, "unusual_spend")) == 1
    billed(desk, D(2026, 9, 1), D(2026, 11, 20), without=[D(2026, 11, 3)])
    assert causes(desk, "unusual_spend") == []


def test_keys_and_departments_are_judged_by_their_own_floors(desk: Desk) -> None:
    """A key without owner and a department whose two people rose by 80 each: no person's rise of 40 is told, the department's 160 is."""
    people = {"ana@example.com": "Research", "ben@example.com": "Research"}
    for email, department in people.items():
        desk.lay(
            "dim_user_assignments", {"email": email, "department": department, "valid_from": D(2026, 1, 1), "valid_to": D(9999, 12, 31)}
        )
        for n in range(2):
            cost(desk, *((d, "5", email) for d in days(D(2026, 9, 20), D(2026, 11, 14))), api_key_id=None, model=f"m{n}")
            cost(desk, (D(2026, 11, 20), "50", email), model=f"m{n}")
    desk.lay(
        "dim_api_keys",
        {"api_key_id": "k1", "api_key_name": "ci", "valid_from": D(2026, 1, 1), "valid_to": D(9999, 12, 31), "owner_source": "none"},
    )
    cost(
        desk,
        *((d, "1", None) for d in days(D(2026, 9, 20), D(2026, 11, 14))),
        (D(2026, 11, 19), "51", None),
        (D(2026, 11, 20), "71", None),
        api_key_id="k1",
    )
    found = {c.cause_key: c for c in causes(desk, "unusual_spend")}
    assert set(found) == {"person/ana@example.com", "person/ben@example.com", "key/k1", "department/Research"}
    # 100 - 10 for each person; 200 - 20 for the department; the key on two days, told with the last.
    assert (found["person/ana@example.com"].figure, found["department/Research"].figure) == (N(100), N(200))
    assert (found["key/k1"].subject, found["key/k1"].figure, found["key/k1"].since) == ("Key ci", N(71), D(2026, 11, 19))
    # Against the mean of 56 days: 100 - 56 * 10 / 56 for each; of a key 71 - 1.
    assert [(m.name, m.figure) for m in found["department/Research"].movers] == [("ana@example.com", N(90)), ("ben@example.com", N(90))]
    assert [(m.name, m.figure) for m in found["key/k1"].movers] == [("(no model) on cursor", N(70))]


def test_a_refund_is_no_anomaly_and_seats_are_not_use(desk: Desk) -> None:
    usual(desk)
    cost(desk, (D(2026, 11, 18), "-500"))
    cost(desk, (D(2026, 11, 19), "500"), cost_type="subscription")
    assert causes(desk, "unusual_spend") == []


# Budgets, owners, invoices, prices ------------------------------------------------------------------------------------


def budget(desk: Desk, *rows: Mapping[str, Any]) -> None:
    desk.tab("budgets", *({"month": D(2026, 11, 1), "department": None, "platform": None, **row} for row in rows))


@pytest.mark.parametrize(
    ("spent", "level"), [("79.999999999", None), ("80", 1), ("80.000000001", 1), ("99.999999999", 1), ("100", 2), ("250", 2), ("-5", None)]
)  # fmt: skip
def test_a_budget_is_told_at_80_and_at_100_percent(desk: Desk, spent: str, level: int | None) -> None:
    budget(desk, {"budget_usd": N(100)})
    cost(desk, (D(2026, 11, 2), "-20"), (D(2026, 11, 3), N(spent) + 20), (D(2026, 10, 31), "500"))
    found = causes(desk, "budget")
    assert [(c.cause_key, c.level, c.figure, c.usual) for c in found] == (
        [("2026-11-01/company/(all)/(all)", level, N(spent), N(100))] if level else []
    )
    if level:
        assert found[0].subject == "The company" and found[0].since == D(2026, 11, 3)


@pytest.mark.parametrize(
    ("day", "spent", "said"),
    [
        (29, "83.7", "at this pace it lasts"),  # 83.7 % on day 29 of 30, of which 96.7 % have passed
        (29, "96.67", "does not last"),  # 96.67 % against 96.666 %
        (25, "83.33", "at this pace it lasts"),
        (25, "83.34", "does not last"),
        (29, "100", "More was used"),
    ],
)
def test_a_budgets_reason_holds_on_that_day(desk: Desk, day: int, spent: str, said: str) -> None:
    budget(desk, {"budget_usd": N(100)})
    cost(desk, (D(2026, 11, 2), spent))
    (found,) = causes(desk, "budget", datetime(2026, 11, day + 1, 14, tzinfo=UTC))
    assert said in found.likely_reason


def test_each_budget_speaks_for_its_scope(desk: Desk) -> None:
    """Research on cursor spent 90 of 100; Research 90 of 1,000; cursor 90 + 30 of 120; nothing is said of the company."""
    desk.lay(
        "dim_user_assignments",
        {"email": "ana@example.com", "department": "Research", "valid_from": D(2026, 1, 1), "valid_to": D(9999, 12, 31)},
    )
    budget(
        desk, {"department": "Research", "platform": "cursor", "budget_usd": N(100)}, {"department": "Research", "budget_usd": N(1000)},
        {"platform": "cursor", "budget_usd": N(120)}, {"platform": "claude_api", "budget_usd": N(0)},
    )  # fmt: skip
    cost(desk, (D(2026, 11, 2), "90"), (D(2026, 11, 3), "30", "ben@example.com"))
    found = {c.subject: (c.level, c.figure, [(m.name, m.figure) for m in c.movers]) for c in causes(desk, "budget")}
    assert found == {
        "Research on cursor": (1, N(90), [("ana@example.com", N(90))]),
        "cursor": (2, N(120), [("Research", N(90)), ("(no department)", N(30))]),
    }
    cost(desk, (D(2026, 11, 3), "0.01"), platform="claude_api")
    assert {c.subject: c.level for c in causes(desk, "budget")}["claude_api"] == 2, "a budget of nothing is used up by a cent"


@pytest.mark.parametrize(("ownerless", "told"), [("5", 0), ("5.000000001", 1), ("0", 0), ("-5", 0)])
def test_more_than_5_percent_without_owner(desk: Desk, ownerless: str, told: int) -> None:
    cost(desk, (D(2026, 11, 2), N(100) - N(ownerless)), (D(2026, 10, 31), "900", None))
    cost(desk, (D(2026, 11, 3), ownerless, None), api_key_id="k9")
    cost(desk, (D(2026, 11, 3), "500", None), cost_type="subscription")
    found = causes(desk, "unattributed")
    assert [(c.cause_key, c.figure, c.usual, c.unit) for c in found] == [("2026-11-01", N("0.050000000"), N("0.05"), "share")] * told
    if told:
        assert [(m.name, m.figure) for m in found[0].movers] == [("key k9", N("5.000000001"))]


@pytest.mark.parametrize(
    ("held", "invoice", "told"),
    [("100", "101", 0), ("100", "101.01", 1), ("100", "99", 0), ("100", "98.99", 1), ("1000", "1005.02", 0), ("1000", "1005.03", 1), ("-100", "-101.01", 1)],
)  # fmt: skip
def test_an_invoice_is_told_above_both_tolerances(desk: Desk, held: str, invoice: str, told: int) -> None:
    """1 USD, and half a percent of the invoice: of 1,005.02 it is 5.0251, which 5.02 does not reach; of 1,005.03 it is 5.02515, which 5.03 passes."""
    cost(desk, (D(2026, 10, 5), held), settle_state="settled")
    desk.tab("invoices", {"invoice_month": D(2026, 10, 1), "platform": "cursor", "amount_usd": N(invoice), "cost_type": "usage"})
    assert [(c.cause_key, c.figure) for c in causes(desk, "invoice_difference")] == [("2026-10-01/cursor", N(invoice) - N(held))] * told


def test_an_invoice_of_which_nothing_is_held_is_told_and_one_of_this_month_waits(desk: Desk) -> None:
    desk.tab(
        "invoices", {"invoice_month": D(2026, 10, 1), "platform": "claude_ai", "amount_usd": N(500), "cost_type": "usage"},
        {"invoice_month": D(2026, 11, 1), "platform": "claude_ai", "amount_usd": N(500), "cost_type": "usage"},
    )  # fmt: skip
    (one,) = causes(desk, "invoice_difference")
    assert (one.cause_key, one.figure) == ("2026-10-01/claude_ai", N(500)) and "Nothing is held" in str(one.likely_reason)


@pytest.mark.parametrize(("billed_usd", "told"), [("2", 0), ("2.000000001", 1), ("0.5", 0), ("0.499999999", 1), ("100", 1)])
def test_prices_explain_within_a_factor_of_2(desk: Desk, billed_usd: str, told: int) -> None:
    """200,000 uncached input tokens of claude-opus-4-7 cost 1 USD at 5 USD a million."""
    day = D(2026, 11, 20)
    none = dict.fromkeys(("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens"), 0)
    desk.fetch(
        "anthropic", "usage_report/messages", day, "raw_anthropic_usage",
        {"model": "claude-opus-4-7", "workspace_id": "w", "service_tier": "standard", "uncached_input_tokens": 200_000, **none},
    )  # fmt: skip
    cost(desk, (day, billed_usd), platform="claude_api", vendor="anthropic", model="claude-opus-4-7", source="anthropic_cost_report")
    found = causes(desk, "prices_explain")
    assert [(c.cause_key, c.figure, c.usual, c.since) for c in found] == [("anthropic", N(billed_usd), N(1), day)] * told
    if told:
        assert [(m.name, m.figure) for m in found[0].movers] == [("claude-opus-4-7", N(billed_usd) - 1)]


# Refusals, and the books ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("refused", "told"), [((10,), 0), ((11,), 1), ((6, 5), 1), ((6, 4), 0)])
def test_more_than_ten_refusals_of_an_hour_are_told(desk: Desk, refused: tuple[int, ...], told: int) -> None:
    """Runs of one hour add up; another hour, another source and other statuses do not."""
    hour = datetime(2026, 11, 22, 13, tzinfo=UTC)
    line = {"hour": hour, "source": "cursor", "endpoint": "members", "status": 429, "requests": 1, "retries": 0, "seconds": N(1)}
    desk.lay(
        "vendor_requests", *({**line, "requests": n, "run_id": f"r{i}"} for i, n in enumerate(refused)),
        {**line, "hour": hour - timedelta(hours=1), "run_id": "r", "requests": 5}, {**line, "source": "anthropic", "run_id": "r", "requests": 5},
        {**line, "status": 200, "run_id": "r", "requests": 500}, {**line, "status": None, "run_id": "r", "requests": 50},
    )  # fmt: skip
    assert [c.figure for c in causes(desk, "too_many_requests")] == [N(sum(refused))] * told


def test_a_closed_month_that_changed_is_told(desk: Desk) -> None:
    """October was closed with 2 rows of 3 USD. A cent more, and a row less, are told; so is a check that found another hash."""
    decided = {"decided_at": NOW, "author": "Controlling", "as_of": NOW, "row_count": 2, "cost_usd": N(3), "sha256": "h", "version": "v"}
    desk.lay("month_closings", {**decided, "month": D(2026, 10, 1), "action": "close", "closing_id": "october"})
    row = {"closing_id": "october", "platform": "cursor", "vendor": "Cursor", "cost_type": "usage", "attribution": "direct", "source": "s"}
    days_of = {"booked_on": D(2026, 10, 5), "cost_date": D(2026, 10, 5), "is_correction": False}
    desk.lay(
        "closed_cost",
        {**row, **days_of, "cost_usd": N(1)},
        {**row, **days_of, "cost_usd": N(2)},
        {**row, **days_of, "closing_id": "x", "cost_usd": N(9)},
    )
    assert causes(desk, "closed_month_changed") == []
    desk.lay("closed_cost", {**row, **days_of, "cost_usd": N("0.01")})
    (cause,) = causes(desk, "closed_month_changed")
    assert (cause.cause_key, cause.figure, cause.usual) == ("2026-10", N("3.01"), 3)
    found = {"run_id": "r", "checked_at": NOW, "asset": "fct_cost_corrections", "check_name": "closed_months_stand", "state": "failed"}
    desk.lay("check_results", found)
    assert [c.cause_key for c in causes(desk, "closed_month_changed")] == ["2026-10", "hash"]


def test_two_people_of_one_name_are_two_movers(desk: Desk) -> None:
    """Zed's 80 before the 60 of each Alex Kim, who are not one person of 120."""
    forever = {"valid_from": D(2026, 1, 1), "valid_to": D(9999, 12, 31)}
    names = {"alex.kim@example.com": ("Alex", "Kim", 60), "akim2@example.com": ("Alex", "Kim", 60), "zed@example.com": ("Zed", "Ray", 80)}
    desk.lay("dim_user_assignments", *({"email": e, "department": "Eng", **forever} for e in names))
    desk.lay("dim_users", *({"user_id": e, "email": e, "first_name": first, "last_name": last} for e, (first, last, _) in names.items()))
    budget(desk, {"department": "Eng", "budget_usd": N(100)})
    cost(desk, *((D(2026, 11, 2), usd, email) for email, (_, _, usd) in names.items()))
    (found,) = causes(desk, "budget")
    assert [(m.name, m.figure) for m in found.movers] == [
        ("Zed Ray (zed@example.com)", N(80)), ("Alex Kim (akim2@example.com)", N(60)), ("Alex Kim (alex.kim@example.com)", N(60))
    ]  # fmt: skip
