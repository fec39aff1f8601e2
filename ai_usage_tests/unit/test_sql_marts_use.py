"""Cost beside use, seats, models, and what is left to name: against answers worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from ai_usage_tests.fixtures.helpers import NOON, Desk
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
    """claude.ai tells the tokens of extra usage alone: of one day of three, and its cost is not theirs. From half of the days on it is."""
    desk.lay("fct_cost_daily", cost(DAY, "30", platform="claude_ai", cost_type="subscription"), cost(DAY, "8", platform="claude_api"))
    worked(desk, platform="claude_api", requests=1, output_tokens=100)
    for n in range(3):
        worked(desk, DAY - timedelta(n), platform="claude_ai", messages=4)
    worked(desk, platform="claude_ai", output_tokens=7)
    asked = "SELECT SUM(total_tokens) AS t, SUM(tokens_with_cost) AS w, SUM(cost_with_tokens_usd) AS c FROM vw_platform_roi"
    assert [tuple(r.values()) for r in desk.ask(asked)] == [(107, 100, 8)]
    worked(desk, DAY - timedelta(1), platform="claude_ai", output_tokens=5)
    assert [tuple(r.values()) for r in desk.ask(asked)] == [(112, 112, 38)]


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


def test_a_seat_on_a_platform_without_activity_is_not_called_idle(desk: Desk) -> None:
    desk.lay("fct_cost_daily", cost(DAY, "20", ANA, platform="copilot", cost_type="subscription", attribution="seat"))
    (row,) = desk.ask("SELECT seat_state, seat_usd, idle_usd, active_days FROM vw_adoption")
    assert row == {"seat_state": "unknown", "seat_usd": 20, "idle_usd": None, "active_days": None}


def test_who_moves_within_a_month_stands_in_one_department_whole(desk: Desk) -> None:
    company(desk)
    rows = desk.ask("SELECT department, cost_usd FROM vw_adoption WHERE month = DATE '2026-10-01' AND user_email = @a", a=ANA)
    assert rows == [{"department": "Sales", "cost_usd": 15}]
    assert desk.one("SELECT SUM(cost_usd) FROM vw_adoption") == 127


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
