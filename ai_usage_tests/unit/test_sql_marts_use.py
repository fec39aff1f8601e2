"""Cost beside use, seats, models, and what is left to name: against answers worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from ai_usage_tests.fixtures.desk import NOON, Desk
from ai_usage_tests.unit.test_sql_marts import ANA, BEN, company, cost

D, N = date, Decimal
DAY = D(2026, 10, 16)


def worked(desk: Desk, day: date = DAY, email: str | None = ANA, platform: str = "cursor", **more) -> None:
    desk.lay("fct_usage_daily", {"usage_date": day, "platform": platform, "user_email": email, "source": "s", **more})


def test_roi_counts_a_person_day_once_and_all_of_its_cost(desk: Desk) -> None:
    """Ana on 16 October: 14 of usage over three models and keys, 3 of a seat, 7 lines once; tokens of two models add up."""
    company(desk)
    desk.lay("fct_cost_daily", cost(DAY, "3", cost_type="subscription", attribution="seat"))
    worked(desk, loc_accepted=7, loc_added=9)
    worked(desk, model="m", requests=2, input_tokens=5, cache_read_tokens=30, cache_write_tokens=15)
    worked(desk, model="n", requests=3, output_tokens=50)
    (row,) = desk.ask("SELECT * FROM vw_platform_roi WHERE usage_date = @day AND user_email = @who", day=DAY, who=ANA)
    assert {k: row[k] for k in ("department", "user_name", "is_active", "active_days", "loc_accepted", "requests")} == {
        "department": "Sales", "user_name": "Ana Smith", "is_active": True, "active_days": 1, "loc_accepted": 7, "requests": 5,
    }  # fmt: skip
    assert (row["total_tokens"], row["cacheable_tokens"]) == (100, 50), "5 + 30 + 15 on the input side, 50 out"
    assert (row["cost_usd"], row["seat_usd"], row["cost_with_lines_usd"], row["cost_with_tokens_usd"]) == (17, 3, 17, 17)
    assert row["commits"] is None and row["cost_with_commits_usd"] is None, "nobody reports commits: their cost is unknown, not 0"


def test_roi_holds_cost_against_counts_of_platforms_that_report_them(desk: Desk) -> None:
    """Cursor reports lines, Claude Code commits, the API tokens: idle days and unattributed cost of a reporting platform count too."""
    for platform, usd, email in (("cursor", "1", ANA), ("cursor", "2", None), ("claude_code", "4", ANA), ("claude_api", "8", BEN)):
        desk.lay("fct_cost_daily", cost(DAY, usd, email, platform=platform))
    worked(desk, DAY - timedelta(9), loc_accepted=10)
    worked(desk, platform="claude_code", commits=2)
    worked(desk, platform="claude_api", email=BEN, output_tokens=1)
    (row,) = desk.ask(
        "SELECT SUM(cost_usd) AS a, SUM(cost_with_lines_usd) AS l, SUM(cost_with_commits_usd) AS c, SUM(cost_with_tokens_usd) AS t, "
        "SUM(active_days) AS d, SUM(cost_with_days_usd) AS w FROM vw_platform_roi"
    )
    # Nobody counts requests, sessions, lines added, suggestions or messages here: person-days are unknown, and so is their cost.
    assert [row[k] for k in "alct"] == [15, 3, 4, 8] and row["d"] is None and row["w"] is None
    worked(desk, platform="claude_code", sessions=1)
    assert desk.one("SELECT SUM(active_days) FROM vw_platform_roi") == 1
    assert desk.one("SELECT SUM(cost_with_days_usd) FROM vw_platform_roi") == 4


def test_roi_holds_no_seats_against_tokens_of_a_few_days(desk: Desk) -> None:
    """claude.ai tells the tokens of extra usage alone: of one day of eleven, and its cost is not theirs. From a tenth of the days on it is."""
    desk.lay("fct_cost_daily", cost(DAY, "30", platform="claude_ai", cost_type="subscription"), cost(DAY, "8", platform="claude_api"))
    worked(desk, platform="claude_api", requests=1, output_tokens=100)
    for n in range(11):
        worked(desk, DAY - timedelta(n), platform="claude_ai", messages=4)
    worked(desk, platform="claude_ai", output_tokens=7)
    asked = "SELECT SUM(total_tokens) AS t, SUM(tokens_with_cost) AS w, SUM(cost_with_tokens_usd) AS c FROM vw_platform_roi"
    assert [tuple(r.values()) for r in desk.ask(asked)] == [(107, 100, 8)]
    worked(desk, DAY - timedelta(1), platform="claude_ai", output_tokens=5)
    assert [tuple(r.values()) for r in desk.ask(asked)] == [(112, 112, 38)]
    for n in range(30):
        worked(desk, D(2026, 11, 1) + timedelta(n), platform="claude_ai", messages=4)
    assert [tuple(r.values()) for r in desk.ask(asked)] == [(112, 112, 38)], "what is done in November says nothing about October"


def test_roi_holds_what_a_seat_paid_for_against_no_tokens_price(desk: Desk) -> None:
    """Ana commits on her claude.ai seat, Ben pays Claude Code by token: his 5 USD bought his 2 commits, not her 4. In November she pays too."""
    november = D(2026, 11, 3)
    desk.lay(
        "fct_cost_daily",
        cost(DAY, "30", ANA, platform="claude_ai", cost_type="subscription", attribution="seat"),
        cost(november, "30", ANA, platform="claude_ai", cost_type="subscription", attribution="seat"),
        cost(DAY, "5", BEN, platform="claude_code"),
        cost(november, "6", ANA, platform="claude_code"),
    )
    worked(desk, platform="claude_code", email=ANA, sessions=1, commits=4, loc_accepted=40, output_tokens=400)
    worked(desk, platform="claude_code", email=BEN, sessions=1, commits=2, loc_accepted=10, output_tokens=100)
    worked(desk, platform="claude_code", email="cy@example.com", sessions=1, commits=1)  # a seat that no sheet names
    worked(desk, november, platform="claude_code", email=ANA, sessions=1, commits=3, loc_accepted=30, output_tokens=300)
    asked = """
        SELECT
          SUM(commits) AS c, SUM(commits_with_cost) AS cc, SUM(cost_with_commits_usd) AS cu, SUM(lines_with_cost) AS l,
          SUM(days_with_cost) AS d, SUM(tokens_with_cost) AS t
        FROM vw_platform_roi WHERE platform = 'claude_code' AND usage_date BETWEEN @a AND @b
    """
    october = {"a": D(2026, 10, 1), "b": D(2026, 10, 31)}
    assert [tuple(r.values()) for r in desk.ask(asked, **october)] == [(7, 2, 5, 10, 1, 100)]
    assert [tuple(r.values()) for r in desk.ask(asked, a=D(2026, 11, 1), b=D(2026, 11, 30))] == [(3, 3, 6, 30, 1, 300)]


def test_roi_holds_all_cost(desk: Desk) -> None:
    company(desk)
    worked(desk, loc_accepted=7)
    assert desk.one("SELECT SUM(cost_usd) FROM vw_platform_roi") == 127
    keys = desk.ask("SELECT usage_date, platform, department, user_email, COUNT(*) AS n FROM vw_platform_roi GROUP BY 1, 2, 3, 4")
    assert {k["n"] for k in keys} == {1}


def test_seats_are_used_idle_unheld_or_none(desk: Desk) -> None:
    """Ana holds a seat and worked in September only; Ben worked twice; nobody holds one; Cy works without a seat."""
    seat = {"cost_type": "subscription", "attribution": "seat"}
    cy = "cy@example.com"
    for month in (D(2026, 9, 1), D(2026, 10, 1)):
        desk.lay(
            "fct_cost_daily", cost(month, "20", ANA, **seat), cost(month + timedelta(1), "20", ANA, **seat), cost(month, "30", BEN, **seat)
        )
        desk.lay("fct_cost_daily", cost(month, "5", None, cost_type="subscription"), cost(month, "1", BEN), cost(month, "2", cy))
        worked(desk, month + timedelta(3), BEN, requests=1)
        worked(desk, month + timedelta(8), BEN, requests=2)
        worked(desk, month + timedelta(8), cy, requests=2)
    worked(desk, D(2026, 9, 30), ANA, loc_added=1)
    rows = desk.ask("SELECT * FROM vw_adoption WHERE month = DATE '2026-10-01' ORDER BY user_email")
    shown = [
        tuple(r[c] for c in ("user_email", "seat_state", "seat_usd", "idle_usd", "cost_usd", "active_days", "last_active_date"))
        for r in rows
    ]
    assert shown == [
        ("(unattributed)", "unheld", 5, 5, 5, 0, None),
        (ANA, "idle", 40, 40, 40, 0, D(2026, 9, 30)),
        (BEN, "used", 30, 0, 31, 2, D(2026, 10, 9)),
        (cy, "no_seat", None, None, 2, 1, D(2026, 10, 9)),
    ]
    september = desk.ask("SELECT user_email, seat_state FROM vw_adoption WHERE month = DATE '2026-09-01' AND user_email = @a", a=ANA)
    assert september == [{"user_email": ANA, "seat_state": "used"}]


def test_a_correction_of_a_closed_month_is_no_seat_of_the_month_that_books_it(desk: Desk) -> None:
    """September is closed with a seat of Ana's that she never had, under an old address; Ben's seat of October stands, used, beside his correction."""
    seat = {"cost_type": "subscription", "attribution": "seat", "platform": "cursor", "vendor": "Cursor", "source": "s"}
    september, october = D(2026, 9, 1), D(2026, 10, 1)
    desk.tab("people", {"email": ANA, "department": "Eng", "aliases": "ana.old@example.com"}, {"email": BEN, "department": "Eng"})
    desk.lay(
        "dim_user_assignments",
        *({"email": e, "department": "Eng", "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)} for e in (ANA, BEN)),
    )
    desk.lay("closed_cost", {"closing_id": "c", "booked_on": september, "cost_date": september, "user_email": "ana.old@example.com",
                             "department": "Eng", "cost_usd": N(20), "is_correction": False, **seat})  # fmt: skip
    desk.lay("month_closings", {"month": september, "action": "close", "closing_id": "c", "decided_at": NOON, "author": "a", "as_of": NOON,
                                "row_count": 1, "cost_usd": N(20), "sha256": "h", "version": "1"})  # fmt: skip
    held = {**seat, "settle_state": "settled", "processed_at": NOON}
    desk.lay(
        "fct_cost_corrections",
        {"cost_date": september, "user_email": "ana.old@example.com", "cost_usd": N(-20), **held},
        {"cost_date": september, "user_email": BEN, "cost_usd": N(20), **held},
    )
    desk.lay("fct_cost_daily", cost(october, "30", BEN, **{**seat, "settle_state": "settled"}), cost(september, "20", BEN, **seat))
    worked(desk, september, ANA, requests=1)
    worked(desk, october, BEN, requests=1)
    rows = desk.ask("SELECT month, user_email, seat_state, seat_usd, cost_usd FROM vw_adoption ORDER BY month, user_email")
    assert [tuple(r.values()) for r in rows] == [
        (september, ANA, "used", 20, 20),
        (october, ANA, "no_seat", None, -20),
        (october, BEN, "used", 30, 50),
    ]
    lines = desk.ask(
        "SELECT department, corrects_month, SUM(cost_usd) AS usd FROM vw_chargeback WHERE month = @m GROUP BY 1, 2 ORDER BY 2", m=october
    )
    assert [tuple(r.values()) for r in lines] == [("Eng", None, 30), ("Eng", september, 0)], "the department is hers under either address"


def test_what_to_save_is_unheld_idle_and_doubled_seats_of_months_that_have_passed(desk: Desk) -> None:
    """October: 5 that nobody holds, Ana's 40 unused since September; Ben uses one of his two accounts, at 63 a seat. November still runs."""
    seat = {"cost_type": "subscription", "attribution": "seat"}
    end, started = D(2026, 10, 31), D(2026, 11, 1)
    desk.lay("fct_cost_daily", cost(D(2026, 10, 1), "40", ANA, **seat), cost(D(2026, 10, 1), "126", BEN, **seat))
    desk.lay("fct_cost_daily", cost(end, "5", None, cost_type="subscription"), cost(started, "7", None, cost_type="subscription"))
    worked(desk, D(2026, 10, 9), BEN, requests=1)
    worked(desk, D(2026, 9, 30), ANA, loc_added=1)
    accounts = [{"user_id": name, "email": f"{name}@example.com", "is_active": False} for name in ("ana", "ben", "ben+x")]
    desk.fetch("cursor", "daily-usage-data", end, "raw_cursor_usage", *accounts)
    desk.tab("subscriptions", {"platform": "cursor", "plan": "Teams", "seats": 3, "price_usd": N(63), "valid_from": D(2026, 1, 1)})
    shown = {(r["user_email"], r["saving"], r["monthly_usd"], r["yearly_usd"], r["evidence"]) for r in desk.ask("SELECT * FROM vw_savings")}
    assert shown == {
        ("(unattributed)", "unheld", 5, 60, "Paid, and no account holds it"),
        (ANA, "idle", 40, 480, "Last used 2026-09-30"),
        (BEN, "duplicate", 63, 756, "Holds 2 accounts: ben+x@example.com, ben@example.com"),
    }


def test_a_seat_on_a_platform_without_activity_is_not_called_idle(desk: Desk) -> None:
    desk.lay("fct_cost_daily", cost(DAY, "20", ANA, platform="copilot", cost_type="subscription", attribution="seat"))
    (row,) = desk.ask("SELECT seat_state, seat_usd, idle_usd, active_days FROM vw_adoption")
    assert row == {"seat_state": "unknown", "seat_usd": 20, "idle_usd": None, "active_days": None}


def test_who_moves_within_a_month_stands_in_one_department_whole(desk: Desk) -> None:
    company(desk)
    rows = desk.ask("SELECT department, cost_usd FROM vw_adoption WHERE month = DATE '2026-10-01' AND user_email = @a", a=ANA)
    assert rows == [{"department": "Sales", "cost_usd": 15}]
    assert desk.one("SELECT SUM(cost_usd) FROM vw_adoption") == 127


@pytest.mark.parametrize("booked", ["Eng", "Law"])
def test_a_closed_month_shows_seats_in_the_department_that_was_booked(desk: Desk, booked: str) -> None:
    """Ana's seat of 30 September was booked to one department; the sheet says another one since, and her use of that day would stand there."""
    last, said = D(2026, 9, 30), {"Eng": "Law", "Law": "Eng"}[booked]
    desk.lay("dim_user_assignments", {"email": ANA, "department": said, "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)})
    seat = {"cost_type": "subscription", "attribution": "seat", "platform": "cursor", "vendor": "Cursor", "source": "s"}
    desk.lay("closed_cost", {"closing_id": "c", "booked_on": last, "cost_date": last, "user_email": ANA, "department": booked, "cost_usd": N(20),
                             "is_correction": False, **seat})  # fmt: skip
    desk.lay("month_closings", {"month": D(2026, 9, 1), "action": "close", "closing_id": "c", "decided_at": NOON, "author": "a", "as_of": NOON,
                                "row_count": 1, "cost_usd": N(20), "sha256": "h", "version": "1"})  # fmt: skip
    worked(desk, last, ANA, requests=1)
    assert desk.ask("SELECT department, seat_state FROM vw_adoption") == [{"department": booked, "seat_state": "used"}]


def test_models_have_their_tokens_and_their_cost(desk: Desk) -> None:
    """m: 1 + 2 + 8 billed and 5 + 7 tokens; n: 4 billed; usage without a model 16 + 32; the 64 of seats are not here."""
    company(desk)
    worked(desk, model="m", input_tokens=5, output_tokens=7, requests=1)
    worked(desk, model="free", requests=4)
    worked(desk, loc_accepted=99)
    rows = desk.ask(
        "SELECT model, SUM(cost_usd) AS usd, SUM(total_tokens) AS tokens, SUM(requests) AS requests FROM vw_model_mix GROUP BY model ORDER BY 1"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("(no model)", 48, None, None),
        ("free", None, None, 4),
        ("m", 11, 12, 1),
        ("n", 4, None, None),
    ]
    departments = desk.ask("SELECT department, SUM(cost_usd) AS usd FROM vw_model_mix WHERE model = 'm' GROUP BY department ORDER BY 1")
    assert [tuple(r.values()) for r in departments] == [("Eng", 1), ("Sales", 10)]


def test_what_is_to_be_named(desk: Desk) -> None:
    """A key without owner, usage without key, seats of nobody, and Ben, whose department nobody wrote; Ana needs nothing."""
    company(desk)
    desk.lay(
        "dim_api_keys", {"api_key_id": "k9", "api_key_name": "old name", "valid_from": D(1900, 1, 1), "valid_to": D(2026, 1, 1)},
        {"api_key_id": "k9", "api_key_name": "nightly", "valid_from": D(2026, 1, 2), "valid_to": D(9999, 12, 31)},
    )  # fmt: skip
    desk.lay("fct_cost_daily", cost(DAY, "3", None, api_key_id="k9"), cost(DAY + timedelta(2), "4", None, api_key_id="k9"))
    worked(desk, DAY, "cy@example.com", requests=1)
    worked(desk, DAY, "idle@example.com", requests=0)
    rows = desk.ask("SELECT month, kind, item, item_name, first_day, last_day, cost_usd FROM vw_unmapped ORDER BY month, kind, item")
    october, november = D(2026, 10, 1), D(2026, 11, 1)
    assert [tuple(r.values()) for r in rows] == [
        (october, "key", "k9", "nightly", DAY, DAY + timedelta(2), 7),
        (october, "person", BEN, BEN, D(2026, 10, 20), D(2026, 10, 20), 16),
        (october, "person", "cy@example.com", "cy@example.com", DAY, DAY, None),
        (november, "no_key", "(none)", "(none)", november, november, 32),
        (november, "seat", "(none)", "(none)", november, november, 64),
    ]
    unattributed = desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE attribution = 'unattributed'")
    assert desk.one("SELECT SUM(cost_usd) FROM vw_unmapped WHERE kind != 'person'") == unattributed


def test_rejects_are_those_of_the_versions_that_count(desk: Desk) -> None:
    """Two records of the day's current version; not the one of the version before, nor of yesterday's snapshot."""
    day, later = D(2026, 11, 3), NOON + timedelta(hours=1)
    old = desk.events(day, {"charged_usd": N(1)}, content_sha256="a")
    new = desk.events(day, {"charged_usd": N(1)}, at=later, content_sha256="b")
    sheet_old = desk.tab("people", {"email": ANA}, day=day)
    sheet_new = desk.tab("people", {"email": ANA}, day=day + timedelta(1))
    wrong = {"usage_date": day, "source": "cursor", "endpoint": "filtered-usage-events", "reason": "is wrong", "remedy": "Correct it."}
    tab = {**wrong, "source": "google_sheets", "endpoint": "people", "column_name": "email"}
    desk.lay(
        "raw_rejects", {**wrong, "fetch_id": old}, {**wrong, "fetch_id": new}, {**wrong, "fetch_id": new}, {**tab, "fetch_id": sheet_old},
        {**tab, "fetch_id": sheet_new, "usage_date": day + timedelta(1)},
    )  # fmt: skip
    rows = desk.ask("SELECT source, endpoint, usage_date, column_name, broken_rules FROM vw_rejects ORDER BY source")
    assert [tuple(r.values()) for r in rows] == [
        ("cursor", "filtered-usage-events", day, "(record)", 2),
        ("google_sheets", "people", day + timedelta(1), "email", 1),
    ]


@pytest.mark.parametrize("view", ["vw_platform_roi", "vw_adoption", "vw_model_mix", "vw_unmapped", "vw_rejects"])
def test_nothing_gives_nothing(desk: Desk, view: str) -> None:
    assert desk.ask(f"SELECT * FROM {view}") == []
