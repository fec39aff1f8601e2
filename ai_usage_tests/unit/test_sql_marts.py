"""Marts against answers worked out by hand: what finance reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ai_usage_tests.fixtures.desk import NOON, Desk

pytestmark = pytest.mark.either_engine

D, N = date, Decimal
ANA, BEN = "ana@example.com", "ben@example.com"


def cost(day: date, usd: str, email: str | None = ANA, **more) -> dict:
    return {
        "cost_date": day,
        "platform": "cursor",
        "vendor": "Cursor",
        "user_email": email,
        "cost_type": "usage",
        "cost_usd": N(usd),
        "attribution": "direct" if email else "unattributed",
        "settle_state": "settled",
        "source": "s",
        **more,
    }


def company(desk: Desk) -> None:
    """Ana: Eng until 15 October, Sales from the 16th, nobody says for Ben; one line belongs to nobody."""
    desk.lay(
        "dim_user_assignments",
        {"email": ANA, "department": "Eng", "cost_center": "C1", "valid_from": D(1900, 1, 1), "valid_to": D(2026, 10, 15)},
        {"email": ANA, "department": "Sales", "cost_center": "C2", "valid_from": D(2026, 10, 16), "valid_to": D(9999, 12, 31)},
    )
    desk.lay("dim_users", {"user_id": "1", "email": ANA, "first_name": "Ana", "last_name": "Smith"}, {"user_id": "2", "email": BEN})
    desk.lay(
        "fct_cost_daily",
        cost(D(2026, 10, 15), "1", model="m"),
        cost(D(2026, 10, 16), "2", model="m"),
        cost(D(2026, 10, 16), "4", model="n"),
        cost(D(2026, 10, 16), "8", api_key_id="k", model="m"),
        cost(D(2026, 10, 20), "16", BEN),
        cost(D(2026, 11, 1), "32", None),
        cost(D(2026, 11, 1), "64", None, cost_type="subscription", settle_state="open"),
    )


def test_cost_allocation_has_the_department_as_of_the_day(desk: Desk) -> None:
    """A move splits at its day; who has none says so; what belongs to nobody is a row that says so; 127 in all."""
    company(desk)
    rows = desk.ask(
        "SELECT cost_date, department, cost_center, user_email, user_name, model, attribution, SUM(cost_usd) AS cost_usd, cost_type "
        "FROM vw_cost_allocation GROUP BY 1, 2, 3, 4, 5, 6, 7, 9 ORDER BY cost_usd"
    )
    assert [tuple(r.values())[:8] for r in rows] == [
        (D(2026, 10, 15), "Eng", "C1", ANA, "Ana Smith", "m", "direct", 1),
        (D(2026, 10, 16), "Sales", "C2", ANA, "Ana Smith", "n", "direct", 4),
        (D(2026, 10, 16), "Sales", "C2", ANA, "Ana Smith", "m", "direct", 10),
        (D(2026, 10, 20), "(no department)", None, BEN, BEN, None, "direct", 16),
        (D(2026, 11, 1), "(no department)", None, "(unattributed)", "(unattributed)", None, "unattributed", 32),
        (D(2026, 11, 1), "(no department)", None, "(unattributed)", "(unattributed)", None, "unattributed", 64),
    ]
    assert sum(r["cost_usd"] for r in rows) == 127


def test_monthly_finance_adds_up_to_the_books(desk: Desk) -> None:
    """October: Eng 1, Sales 14, nobody's department 16; November: 32 usage settled, 64 seats open."""
    company(desk)
    rows = desk.ask("SELECT month, department, cost_type, settle_state, cost_usd FROM vw_monthly_finance ORDER BY month, cost_usd")
    october, november, nobody = D(2026, 10, 1), D(2026, 11, 1), "(no department)"
    assert [tuple(r.values()) for r in rows] == [
        (october, "Eng", "usage", "settled", 1),
        (october, "Sales", "usage", "settled", 14),
        (october, nobody, "usage", "settled", 16),
        (november, nobody, "usage", "settled", 32),
        (november, nobody, "subscription", "open", 64),
    ]


def test_productivity_keeps_unknown_unknown_and_repeats_nothing(desk: Desk) -> None:
    """Lines once though three models were used; NULL stays NULL; seats are no part of a day's cost."""
    company(desk)
    day = {"usage_date": D(2026, 10, 16), "platform": "cursor", "source": "s"}
    desk.lay(
        "fct_usage_daily",
        {**day, "user_email": ANA, "loc_accepted": 7, "loc_added": 9},
        {**day, "user_email": ANA, "model": "m", "requests": 2, "input_tokens": 5, "included_usd": Decimal("0.5"), "list_usd": Decimal(3)},
        {**day, "user_email": ANA, "model": "n", "requests": 3},
        {**day, "user_email": "idle@example.com", "loc_added": 0, "requests": None, "included_usd": Decimal(7)},
    )
    rows = {(r["usage_date"], r["user_email"]): r for r in desk.ask("SELECT * FROM vw_productivity_metrics")}
    ana = rows[D(2026, 10, 16), ANA]
    assert [ana[c] for c in ("department", "loc_accepted", "loc_added", "requests", "input_tokens", "cost_usd", "is_active")] == [
        "Sales",
        7,
        9,
        5,
        5,
        14,
        True,
    ]
    assert [ana[c] for c in ("commits", "pull_requests", "sessions", "messages", "output_tokens")] == [None] * 5
    assert (ana["included_usd"], ana["list_usd"]) == (Decimal("0.5"), 3), "beside the 14 USD that were billed, and no part of them"
    idle = rows[D(2026, 10, 16), "idle@example.com"]
    assert idle["is_active"] is False and idle["cost_usd"] is None and idle["department"] == "(no department)"
    assert rows[D(2026, 11, 1), "(unattributed)"]["cost_usd"] == 32, "the 64 of seats are not usage"
    assert len(rows) == 5 and sum(r["cost_usd"] or 0 for r in rows.values()) == 63


def test_restatements_tell_when_and_by_how_much(desk: Desk) -> None:
    """1.00 -> 1.50 -> empty: two restatements of +0.50 and -1.50; unchanged and failed reads are none; snapshots never are."""
    day, hour = D(2026, 11, 1), timedelta(hours=1)
    desk.events(day, {"charged_usd": N(1)}, vendor_total_usd=N(1))
    desk.events(day, {"charged_usd": N(1)}, at=NOON + hour, changed=False, vendor_total_usd=N(1))
    desk.events(day, {"charged_usd": N("0.75")}, {"charged_usd": N("0.75")}, at=NOON + 2 * hour, vendor_total_usd=N("1.5"))
    desk.events(day, at=NOON + 3 * hour, state="failed", changed=None)
    desk.events(day, at=NOON + 4 * hour, vendor_total_usd=N(0))
    desk.events(D(2026, 11, 2), {"charged_usd": N(9)}, vendor_total_usd=N(9))
    desk.tab("people", {"email": ANA})
    desk.tab("people", {"email": BEN}, at=NOON + hour)
    rows = desk.ask(
        "SELECT usage_date, version_no, fetched_at, previous_fetched_at, state, row_count, previous_row_count, change_usd "
        "FROM vw_restatements ORDER BY version_no"
    )
    assert [tuple(r.values()) for r in rows] == [
        (day, 2, NOON + 2 * hour, NOON, "complete", 2, 1, N("0.5")),
        (day, 3, NOON + 4 * hour, NOON + 2 * hour, "empty", 0, 2, N("-1.5")),
    ]


def test_data_health_tells_complete_empty_failed_and_missing_apart(desk: Desk) -> None:
    """Ten days from 1 to 10 November: two with rows (one of them failed later), one empty, one failed, six that nobody asked for."""
    desk.events(D(2026, 11, 1), {"charged_usd": N(1)}, {"charged_usd": N(2)}, vendor_total_usd=N(3), rejected_count=1)
    desk.events(D(2026, 11, 2))
    desk.events(D(2026, 11, 3), state="failed", row_count=None)
    desk.events(D(2026, 11, 10), {"charged_usd": N(4)}, at=NOON + timedelta(hours=1), vendor_total_usd=N(4))
    desk.events(D(2026, 11, 10), at=NOON + timedelta(hours=2), state="failed", row_count=None)
    (row,) = desk.ask("SELECT * FROM vw_data_health")
    assert row == {
        "source": "cursor",
        "endpoint": "filtered-usage-events",
        "is_daily": True,
        "first_day": D(2026, 11, 1),
        "last_day": D(2026, 11, 10),
        "days_expected": 10,
        "days_complete": 2,
        "days_empty": 1,
        "days_failed": 1,
        "days_refused": 0,
        "days_missing": 6,
        "last_fetched_at": NOON + timedelta(hours=1),
        "row_count": 3,
        "rejected_rows": 1,
        "vendor_total_usd": N(7),
        "days_set_aside": 0,
        "state": None,  # a run judges it, and none did
        "reason": None,
    }


def test_data_health_expects_a_snapshot_only_on_days_it_was_tried(desk: Desk) -> None:
    desk.tab("people", {"email": ANA}, day=D(2026, 11, 1))
    desk.tab("people", {"email": ANA}, day=D(2026, 11, 20))
    (row,) = desk.ask("SELECT days_expected, days_complete, days_missing FROM vw_data_health")
    assert row == {"days_expected": 2, "days_complete": 2, "days_missing": 0}


def test_an_endpoint_that_only_ever_failed_is_there(desk: Desk) -> None:
    desk.events(D(2026, 11, 1), state="failed", row_count=None)
    (row,) = desk.ask("SELECT days_complete, days_failed, days_missing, last_fetched_at, row_count FROM vw_data_health")
    assert row == {"days_complete": 0, "days_failed": 1, "days_missing": 0, "last_fetched_at": None, "row_count": None}


def test_sheet_issues_are_those_of_the_sheet_as_it_is_now(desk: Desk) -> None:
    """A corrected row is no issue any more; rejects of other sources are none of the sheet's."""

    def reject(fetch: str, row: int, source: str = "google_sheets") -> dict:
        return {
            "fetch_id": fetch,
            "usage_date": D(2026, 11, 22),
            "source": source,
            "endpoint": "people",
            "record_number": row,
            "column_name": "email",
            "value": "nobody",
            "reason": "is not an e-mail address",
            "remedy": "Write one.",
            "payload": "{}",
        }

    old = desk.tab("people", {"email": ANA}, day=D(2026, 11, 21))
    new = desk.tab("people", {"email": ANA}, day=D(2026, 11, 22), at=NOON)
    events = desk.events(D(2026, 11, 22), {"charged_usd": N(1)})
    desk.lay("raw_rejects", reject(old, 7), reject(new, 3), reject(events, 1, "cursor"))
    rows = desk.ask("SELECT tab, sheet_row, column_name, value, reason, remedy, seen_at FROM sheet_issues")
    assert [tuple(r.values()) for r in rows] == [
        ("people", 3, "email", "nobody", "is not an e-mail address", "Write one.", datetime(2026, 11, 22, 12, tzinfo=UTC))
    ]


def test_team_productivity_shows_no_group_of_fewer_than_three(desk: Desk) -> None:
    """Week of Monday 2 November: three active people in Eng make a row; two in Sales, and an inactive third, make none by themselves."""
    everyone = {"ana": "Eng", "ben": "Eng", "cem": "Eng", "dia": "Sales", "eve": "Sales", "fay": "Sales"}
    for name, department in everyone.items():
        assigned = {"email": f"{name}@example.com", "department": department, "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)}
        desk.lay("dim_user_assignments", assigned)
    for number, name in enumerate(everyone):
        usage = {"platform": "cursor", "user_email": f"{name}@example.com", "source": "s", "loc_accepted": 10}
        used = {"requests": 0 if name == "fay" else 1, "suggestions_shown": None if name == "ana" else 4, "suggestions_accepted": 2}
        used = {**used, "suggestions_shown": None} if name == "fay" else used
        desk.lay("fct_usage_daily", {**usage, **used, "usage_date": D(2026, 11, 2 + number)})
    desk.lay("fct_usage_daily", {"usage_date": D(2026, 11, 3), "platform": "cursor", "user_email": None, "source": "s", "requests": 5})
    rows = desk.ask(
        "SELECT week, platform, department, people, loc_accepted, suggestions_decided, suggestions_accepted FROM vw_team_productivity"
    )
    assert [tuple(r.values()) for r in rows] == [(D(2026, 11, 2), "cursor", "Eng", 3, 30, 8, 4)]
    # The page says that 2 of 5 active people are left out, and 1 of 1 of the next week's; Fay, who did nothing, is nobody of either.
    desk.lay(
        "fct_usage_daily",
        {"platform": "cursor", "user_email": "ana@example.com", "source": "s", "requests": 1, "usage_date": D(2026, 11, 9)},
    )
    left_out = "SELECT week, platform, people, people_left_out FROM vw_team_coverage ORDER BY week"
    assert [tuple(r.values()) for r in desk.ask(left_out)] == [(D(2026, 11, 2), "cursor", 5, 2), (D(2026, 11, 9), "cursor", 1, 1)]
    # Gus of Law with the two of Sales is three: they stand together, with what the inactive one of Sales did, 3 x 10 + 7 lines.
    desk.lay(
        "dim_user_assignments", {"email": "gus@example.com", "department": "Law", "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)}
    )
    desk.lay("fct_usage_daily", {"platform": "cursor", "user_email": "gus@example.com", "source": "s", "loc_accepted": 7, "requests": 1,
                                 "usage_date": D(2026, 11, 4)})  # fmt: skip
    rows = desk.ask(
        "SELECT department, people, loc_accepted, suggestions_decided, suggestions_accepted FROM vw_team_productivity ORDER BY 1"
    )
    assert [tuple(r.values()) for r in rows] == [("(small groups)", 3, 37, 8, 4), ("Eng", 3, 30, 8, 4)]
    assert [r["people_left_out"] for r in desk.ask(left_out)] == [0, 1]
