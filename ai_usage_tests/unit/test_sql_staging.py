"""Staging models against answers worked out by hand on small inputs, in a real DuckDB."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ai_usage_tests.fixtures.desk import NOON, Desk

D, N = date, Decimal
DAY, NEXT = D(2026, 11, 1), D(2026, 11, 2)
ANA, BEN = "ana@example.com", "ben@example.com"


# Versions -----------------------------------------------------------------------------------------------------


@pytest.mark.either_engine
def test_current_is_the_latest_that_did_not_fail(desk: Desk) -> None:
    """A failed attempt after a good one leaves the good one current; a tie goes to the higher id, always the same."""
    hours = [NOON + timedelta(hours=n) for n in range(4)]
    desk.events(DAY, {"charged_usd": N(1)}, at=hours[0])
    second = desk.events(DAY, {"charged_usd": N(2)}, at=hours[1])
    desk.events(DAY, at=hours[2], state="failed")
    (row,) = desk.ask("SELECT fetch_id, state FROM stg_current_fetches")
    assert row == {"fetch_id": second, "state": "complete"}
    for name in ("tie-b", "tie-a"):
        desk.fetch("s", "e", DAY, at=hours[0], fetch_id=name)
    assert desk.one("SELECT fetch_id FROM stg_current_fetches WHERE source = 's'") == "tie-b"


def test_snapshots_are_the_latest_day_of_each_endpoint(desk: Desk) -> None:
    desk.tab("people", {"email": ANA}, day=DAY)
    latest = desk.tab("people", {"email": BEN}, day=NEXT)
    keys = desk.tab("api_keys", {"api_key_name": "k", "email": ANA}, day=DAY)
    found = desk.ask("SELECT endpoint, usage_date, version_fetch_id FROM stg_snapshots ORDER BY endpoint")
    assert [tuple(r.values()) for r in found] == [("api_keys", DAY, keys), ("people", NEXT, latest)]


# Cursor -------------------------------------------------------------------------------------------------------


@pytest.mark.either_engine
def test_only_chargeable_events_are_money_and_equal_ones_count_twice(desk: Desk) -> None:
    """0.25 + 0.25 of two equal events, a credit of -0.1; the included 9.99 is no money, nor is the fee inside."""
    desk.events(
        DAY,
        {"user_email": ANA, "model": "m", "charged_usd": N("0.25"), "token_fee_usd": N("0.01"), "list_usd": N("0.5")},
        {"user_email": ANA, "model": "m", "charged_usd": N("0.25"), "token_fee_usd": N("0.01"), "list_usd": N("0.5")},
        {"user_email": ANA, "model": "m", "charged_usd": N("-0.1")},
        {"user_email": ANA, "model": "m", "charged_usd": N("9.99"), "is_chargeable": False},
        {"user_email": ANA, "model": None, "charged_usd": N("0.000000001")},
        {"user_email": ANA, "model": "m", "charged_usd": N(3), "service_account_id": "sa"},
    )
    rows = desk.ask(
        "SELECT model, api_key_id, cost_usd, cost_type, attribution, platform, vendor, source FROM stg_cursor_cost ORDER BY cost_usd"
    )
    assert [tuple(r.values())[:3] for r in rows] == [(None, None, N("0.000000001")), ("m", None, N("0.4")), ("m", "sa", N(3))]
    assert {tuple(r.values())[3:] for r in rows} == {("usage", "direct", "cursor", "Cursor", "cursor_events")}


def test_superseded_versions_and_other_days_are_not_counted(desk: Desk) -> None:
    desk.events(DAY, {"user_email": ANA, "charged_usd": N(1)})
    desk.events(DAY, {"user_email": ANA, "charged_usd": N(2)}, at=NOON + timedelta(hours=1))
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == 2
    desk.events(DAY, at=NOON + timedelta(hours=2))
    assert desk.ask("SELECT * FROM stg_cursor_cost") == []


@pytest.mark.parametrize(
    ("cycle", "usage", "settled"),
    [
        # The cycle begins on the 1st: a day of November settles two days after 1 December begins.
        (D(2026, 11, 1), D(2026, 11, 1), D(2026, 12, 3)),
        (D(2026, 11, 1), D(2026, 11, 30), D(2026, 12, 3)),
        (D(2026, 11, 1), D(2026, 10, 31), D(2026, 11, 3)),
        (D(2026, 11, 1), D(2026, 12, 1), D(2027, 1, 3)),
        # On the 15th: the day before it belongs to the cycle before.
        (D(2026, 11, 15), D(2026, 11, 14), D(2026, 11, 17)),
        (D(2026, 11, 15), D(2026, 11, 15), D(2026, 12, 17)),
        (D(2026, 11, 15), D(2026, 9, 20), D(2026, 10, 17)),
        # On the 31st: short months end the cycle on their last day.
        (D(2026, 10, 31), D(2026, 10, 31), D(2026, 12, 2)),
        (D(2026, 10, 31), D(2026, 11, 29), D(2026, 12, 2)),
        (D(2026, 10, 31), D(2026, 11, 30), D(2027, 1, 2)),
        (D(2026, 10, 31), D(2026, 10, 30), D(2026, 11, 2)),
        (D(2027, 1, 31), D(2027, 2, 27), D(2027, 3, 2)),
        (D(2027, 1, 31), D(2027, 2, 28), D(2027, 4, 2)),
        (D(2028, 1, 31), D(2028, 2, 28), D(2028, 3, 2)),
    ],
)
def test_a_day_settles_two_days_after_its_billing_cycle_ends(desk: Desk, cycle: date, usage: date, settled: date) -> None:
    start = datetime(cycle.year, cycle.month, cycle.day, 5, tzinfo=UTC)
    desk.fetch("cursor", "spend", D(2026, 11, 22), "raw_cursor_spend", {"user_id": "u", "cycle_start_at": start}, window_start=None)
    desk.events(usage, {"user_email": ANA, "charged_usd": N(1)})
    assert desk.one("SELECT settled_on FROM stg_cursor_cost") == settled


@pytest.mark.either_engine
def test_without_a_known_cycle_a_day_settles_after_31_days_and_two(desk: Desk) -> None:
    desk.events(D(2026, 11, 1), {"user_email": ANA, "charged_usd": N(1)})
    assert desk.one("SELECT settled_on FROM stg_cursor_cost") == D(2026, 12, 4)


def test_usage_of_two_endpoints_stands_in_two_rows_that_do_not_overlap(desk: Desk) -> None:
    """Lines are of the person's day (model NULL), tokens and requests of the model: each number in exactly one row."""
    desk.fetch(
        "cursor",
        "daily-usage-data",
        DAY,
        "raw_cursor_usage",
        {
            "user_id": "u",
            "email": ANA,
            "is_active": True,
            "lines_added": 10,
            "accepted_lines_added": 7,
            "lines_deleted": 2,
            "applies": 3,
            "tabs_shown": 4,
            "accepts": 1,
            "tabs_accepted": 2,
            "rejects": 5,
            "agent_requests": 99,
        },
    )
    desk.events(
        DAY,
        {
            "user_email": ANA,
            "model": "m",
            "input_tokens": 100,
            "output_tokens": 20,
            "cache_read_tokens": 3,
            "cache_write_tokens": 4,
            "charged_usd": N(1),
            "list_usd": N(2),
        },
        {"user_email": ANA, "model": "m", "input_tokens": 1, "charged_usd": N("0.5"), "is_chargeable": False},
        {"user_email": ANA, "model": "n", "charged_usd": N(1)},
    )
    rows = {(r["source"], r["model"]): r for r in desk.ask("SELECT * FROM stg_cursor_usage")}
    assert set(rows) == {("cursor_daily_usage", None), ("cursor_events", "m"), ("cursor_events", "n")}
    own = rows["cursor_daily_usage", None]
    assert [
        own[c] for c in ("loc_added", "loc_accepted", "loc_removed", "suggestions_shown", "suggestions_accepted", "suggestions_rejected")
    ] == [10, 7, 2, 7, 3, 5]
    assert own["requests"] is None and own["input_tokens"] is None
    m = rows["cursor_events", "m"]
    assert [
        m[c] for c in ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "included_usd", "list_usd")
    ] == [2, 101, 20, 3, 4, N("0.5"), N(2)]
    n = rows["cursor_events", "n"]
    assert n["requests"] == 1 and [n[c] for c in ("input_tokens", "included_usd", "list_usd", "loc_added", "estimated_usd")] == [None] * 5


def test_a_member_who_did_nothing_makes_no_row(desk: Desk) -> None:
    desk.fetch(
        "cursor",
        "daily-usage-data",
        DAY,
        "raw_cursor_usage",
        {"user_id": "1", "email": ANA, "is_active": False, "lines_added": 0, "accepted_lines_added": 0},
        {"user_id": "2", "email": BEN, "is_active": None, "lines_added": 1},
        {"user_id": "3", "email": "c@example.com", "is_active": True, "lines_added": 0},
    )
    assert [r["user_email"] for r in desk.ask("SELECT user_email FROM stg_cursor_usage ORDER BY 1")] == [BEN, "c@example.com"]


def test_suggestions_that_the_vendor_did_not_count_are_unknown_and_not_zero(desk: Desk) -> None:
    """Law 5: both parts of the sum NULL is NULL; one part NULL is the other."""
    desk.fetch(
        "cursor",
        "daily-usage-data",
        DAY,
        "raw_cursor_usage",
        {"user_id": "1", "email": ANA, "is_active": True, "lines_added": 1},
        {"user_id": "2", "email": BEN, "is_active": True, "tabs_shown": 4},
    )
    rows = {r["user_email"]: r for r in desk.ask("SELECT user_email, suggestions_shown, suggestions_accepted FROM stg_cursor_usage")}
    assert rows[BEN]["suggestions_shown"] == 4
    assert (rows[ANA]["suggestions_shown"], rows[ANA]["suggestions_accepted"]) == (None, None)


# The sheet ----------------------------------------------------------------------------------------------------


def daily(desk: Desk, first: date, last: date) -> dict[date, Decimal]:
    rows = desk.ask(
        "SELECT cost_date, SUM(cost_usd) AS usd FROM stg_sheet_cost WHERE cost_date BETWEEN @f AND @l GROUP BY cost_date", f=first, l=last
    )
    return {r["cost_date"]: r["usd"] for r in rows}


@pytest.mark.either_engine
def test_100_usd_over_31_days(desk: Desk) -> None:
    """30 days of 3.225806451 and a last day of 3.225806470: 96.77419353 + 3.22580647 = 100."""
    desk.tab(
        "subscriptions",
        {
            "platform": "claude_ai",
            "plan": "Team",
            "email": ANA,
            "price_usd": N(100),
            "valid_from": D(2026, 7, 1),
            "valid_to": D(2026, 7, 31),
        },
    )
    found = daily(desk, D(2026, 1, 1), D(2026, 12, 31))
    assert found == {D(2026, 7, n): N("3.225806451") for n in range(1, 31)} | {D(2026, 7, 31): N("3.225806470")}
    assert sum(found.values()) == 100
    (row,) = desk.ask("SELECT * FROM stg_sheet_cost WHERE cost_date = @d", d=D(2026, 7, 1))
    assert (row["platform"], row["vendor"], row["user_email"], row["cost_type"], row["attribution"], row["settled_on"]) == (
        "claude_ai",
        "Anthropic",
        ANA,
        "subscription",
        "seat",
        D(2026, 7, 1),
    )


def test_a_leap_february_has_29_parts(desk: Desk) -> None:
    """100 / 29 = 3.448275862..., 28 of them are 96.551724136, the 29th is 3.448275864."""
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "B", "email": ANA, "price_usd": N(100), "valid_from": D(2024, 2, 1), "valid_to": D(2024, 2, 29)},
    )
    found = daily(desk, D(2024, 1, 1), D(2024, 12, 31))
    assert len(found) == 29 and found[D(2024, 2, 28)] == N("3.448275862") and found[D(2024, 2, 29)] == N("3.448275864")


def test_a_seat_that_begins_mid_month_pays_for_its_days_only(desk: Desk) -> None:
    """30 USD from 10 November 2025: 21 days of exactly one dollar; the last of January 2026 ends it."""
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "B", "email": ANA, "price_usd": N(30), "valid_from": D(2025, 11, 10), "valid_to": D(2025, 11, 30)},
    )
    assert daily(desk, D(2025, 1, 1), D(2026, 1, 31)) == {D(2025, 11, n): N(1) for n in range(10, 31)}


def test_seats_multiply_before_the_division(desk: Desk) -> None:
    """7 seats of 33.33 are 233.31: / 31 = 7.526129032, and the last day 7.526129040 makes the month exact."""
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "B", "seats": 7, "price_usd": N("33.33"), "valid_from": D(2026, 7, 1), "valid_to": D(2026, 7, 31)},
    )
    found = daily(desk, D(2026, 7, 1), D(2026, 7, 31))
    assert found[D(2026, 7, 1)] == N("7.526129032") and found[D(2026, 7, 31)] == N("7.526129040") and sum(found.values()) == N("233.31")
    assert {r["attribution"] for r in desk.ask("SELECT attribution FROM stg_sheet_cost")} == {"unattributed"}, (
        "nobody is known to hold a seat"
    )


def test_an_open_end_is_paid_until_the_last_day_that_was_asked_and_no_further(desk: Desk) -> None:
    """31 USD a month, 1 USD a day of October, from the 3rd. The sheet was read on the 5th, then again on the 7th; no clock is asked."""
    row = {"platform": "x", "plan": "B", "email": ANA, "price_usd": N(31), "valid_from": D(2025, 10, 3)}
    assert daily(desk, D(2025, 1, 1), D(2099, 12, 31)) == {}, "nothing was asked yet"
    for read_on, days in ((D(2025, 10, 5), range(3, 6)), (D(2025, 10, 7), range(3, 8))):
        desk.tab("subscriptions", row, day=read_on)
        assert daily(desk, D(2025, 1, 1), D(2099, 12, 31)) == {D(2025, 10, n): N(1) for n in days}
    desk.fetch("cursor", "filtered-usage-events", D(2025, 10, 9), state="failed")
    assert max(daily(desk, D(2025, 1, 1), D(2099, 12, 31))) == D(2025, 10, 9), "a day that was asked in vain is a day"
    assert max(daily(desk, D(2025, 1, 1), D(2025, 10, 8))) == D(2025, 10, 8)


def seats(desk: Desk, day: date, *emails: str, active: bool = False) -> None:
    desk.fetch("cursor", "daily-usage-data", day, "raw_cursor_usage", *({"user_id": e, "email": e, "is_active": active} for e in emails))


@pytest.mark.parametrize(
    ("bought", "people", "shares", "idle"),
    [
        (4, ["a@x.com", "b@x.com"], {"a@x.com": "1", "b@x.com": "1"}, "2"),
        (2, ["a@x.com", "b@x.com"], {"a@x.com": "1", "b@x.com": "1"}, None),
        # Three people share 2 seats of a dollar a day: 0.666666666 each, and what is left, 2e-9, to the first.
        (2, ["a@x.com", "b@x.com", "c@x.com"], {"a@x.com": "0.666666668", "b@x.com": "0.666666666", "c@x.com": "0.666666666"}, None),
    ],
)
def test_a_block_of_seats_goes_to_those_who_hold_one(desk: Desk, bought: int, people: list, shares: dict, idle: str | None) -> None:
    """A seat's price each, idle seats unattributed, and the day's sum is the block's price to the last digit."""
    day = D(2025, 11, 3)
    desk.tab("subscriptions", {"platform": "cursor", "plan": "B", "seats": bought, "price_usd": N(30), "valid_from": day, "valid_to": day})
    seats(desk, day, *people)
    rows = {r["user_email"]: r for r in desk.ask("SELECT user_email, cost_usd, attribution FROM stg_sheet_cost")}
    expected = {e: N(v) for e, v in shares.items()} | ({None: N(idle)} if idle else {})
    assert {e: r["cost_usd"] for e, r in rows.items()} == expected
    assert {r["attribution"] for e, r in rows.items() if e} == {"seat"} and all(
        r["attribution"] == "unattributed" for e, r in rows.items() if not e
    )
    assert sum(r["cost_usd"] for r in rows.values()) == bought


def test_a_person_with_a_seat_of_their_own_takes_none_of_the_block(desk: Desk) -> None:
    day = D(2025, 11, 3)
    desk.tab(
        "subscriptions",
        {"platform": "cursor", "plan": "B", "seats": 1, "price_usd": N(30), "valid_from": day, "valid_to": day},
        {"platform": "cursor", "plan": "B", "email": "Ana+x@Example.com", "price_usd": N(60), "valid_from": day, "valid_to": day},
    )
    seats(desk, day, ANA, BEN)
    assert {r["user_email"]: r["cost_usd"] for r in desk.ask("SELECT user_email, cost_usd FROM stg_sheet_cost")} == {ANA: N(2), BEN: N(1)}


def test_activity_kept_by_hand_is_summed_per_person_and_day(desk: Desk) -> None:
    desk.tab(
        "claude_ai_usage",
        {"activity_date": DAY, "email": ANA, "conversations": 3, "messages": 10},
        {"activity_date": DAY, "email": "ana.old@example.com", "conversations": 1},
        {"activity_date": NEXT, "email": ANA},
    )
    desk.tab("people", {"email": ANA, "aliases": "ana.old@example.com"})
    rows = desk.ask(
        "SELECT usage_date, SUM(conversations) AS c, SUM(messages) AS m, SUM(requests) AS r FROM stg_sheet_usage GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(r.values()) for r in rows] == [(DAY, 4, 10, None), (NEXT, None, None, None)]


def test_aliases_fold_case_and_plus_tags_on_both_sides(desk: Desk) -> None:
    """Separators ; , and space; a person's own address is no alias; an alias that two claim is nobody's."""
    desk.tab(
        "people",
        {"email": "Ana+work@Example.com", "aliases": "A.Smith@Example.com; ana+old@example.com,anna@example.com"},
        {"email": BEN, "aliases": "anna@example.com  benny@example.com;"},
        {"email": "c@example.com"},
    )
    found = {r["alias"]: r["email"] for r in desk.ask("SELECT alias, email FROM stg_email_aliases")}
    assert found == {"a.smith@example.com": ANA, "benny@example.com": BEN}
