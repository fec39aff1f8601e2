"""Who is who: keys by their names over time, people and services, accounts and seats. Every answer is worked out by hand.

Inputs have the shape of what vendors and sheets send: a key renamed, rotated or moved, two keys of one name, texts that mean nothing, three accounts
of one person. Belongs here: what decides identity. Does not belong here: how money is split or folded otherwise (`test_sql_curated.py`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from ai_usage import transform
from ai_usage.defs.curated import assets
from ai_usage.sources.endpoint import Window
from ai_usage_tests.fixtures.desk import Desk, curated

D, N = date, Decimal
ANA, BEN, CEM, ADMIN = "ana@example.com", "ben@example.com", "cem@example.com", "admin@example.com"
BEGIN, END = D(1900, 1, 1), D(9999, 12, 31)
FIRST, LAST, AS_OF = D(2026, 11, 1), D(2026, 11, 30), D(2026, 12, 1)


def day(n: int) -> date:
    return D(2026, 11, n)


def listed(desk: Desk, n: int, *keys: tuple[str, str] | tuple[str, str, str]) -> None:
    """Anthropic's list of keys as it was on that day of November: id, name and perhaps a status; all made by the administrator."""
    rows = [
        {
            "api_key_id": k[0], "name": k[1], "status": k[2] if len(k) > 2 else "active", "workspace_id": "w", "created_by_id": "u",
            "created_by_type": "user",
        }
        for k in keys
    ]  # fmt: skip
    desk.fetch(
        "anthropic", "api_keys", day(n), "raw_anthropic_api_keys", *rows, at=datetime(2026, 11, n, 12, tzinfo=UTC), window_start=None
    )


def people(desk: Desk, *rows: dict) -> None:
    desk.fetch("anthropic", "users", FIRST, "raw_anthropic_users", {"user_id": "u", "email": ADMIN, "name": "Ad Min"}, window_start=None)
    desk.tab("people", {"email": ADMIN, "department": "IT"}, *rows)


def billed(desk: Desk, n: int, **keys: str) -> None:
    """What Anthropic bills by key on that day."""
    rows = [{"api_key_id": k, "workspace_id": "w", "amount_usd": N(usd), "currency": "USD"} for k, usd in keys.items()]
    desk.fetch("anthropic", "analytics/cost", day(n), "raw_anthropic_analytics_cost", *rows)


def build(desk: Desk) -> None:
    curated(desk, FIRST, LAST, AS_OF)


def owners(desk: Desk) -> dict[tuple[int, str], str | None]:
    """Who pays for a key on a day."""
    rows = desk.ask("SELECT cost_date, api_key_id, user_email FROM fct_cost_daily WHERE api_key_id IS NOT NULL")
    assert len({(r["cost_date"], r["api_key_id"]) for r in rows}) == len(rows)  # never two owners
    return {(r["cost_date"].day, r["api_key_id"]): r["user_email"] for r in rows}


# Keys over time -------------------------------------------------------------------------------------------------


@pytest.mark.either_engine
def test_a_renamed_key_keeps_its_owner_and_the_new_name_takes_over_from_its_day(desk: Desk) -> None:
    """Named nightly until the 20th, evening since; the sheet knows both names, and nightly is Ana's, whatever the order of its rows."""
    people(desk)
    listed(desk, 10, ("k", "nightly"))
    listed(desk, 20, ("k", "evening"))
    billed(desk, 5, k="1")
    billed(desk, 10, k="2")
    billed(desk, 25, k="4")
    desk.tab("api_keys", {"api_key_name": "nightly", "email": ANA}, day=day(1))
    build(desk)
    assert owners(desk) == {(5, "k"): ANA, (10, "k"): ANA, (25, "k"): ANA}
    # Before the first list, both names are names of other days and begin alike: nobody decides.
    desk.tab("api_keys", {"api_key_name": "evening", "email": BEN}, {"api_key_name": "nightly", "email": ANA}, day=day(2))
    build(desk)
    assert owners(desk) == {(5, "k"): None, (10, "k"): ANA, (25, "k"): BEN}
    assert desk.ask("SELECT DISTINCT owner_source FROM dim_api_keys WHERE valid_from = DATE '1900-01-01'") == [
        {"owner_source": "ambiguous"}
    ]


def test_a_name_that_moved_to_another_key_means_that_key_from_then_on(desk: Desk) -> None:
    """The old key was renamed and a new one took its name on the same day: the past stays with the old one, the present is the new one's."""
    people(desk)
    listed(desk, 1, ("k1", "ci"))
    listed(desk, 11, ("k1", "ci-old"), ("k2", "ci"))
    billed(desk, 5, k1="1")
    billed(desk, 15, k1="2", k2="4")
    desk.tab("api_keys", {"api_key_name": "ci", "email": ANA})
    build(desk)
    assert owners(desk) == {(5, "k1"): ANA, (15, "k1"): ADMIN, (15, "k2"): ANA}


def test_a_rotated_key_hands_its_name_on_when_it_is_switched_off(desk: Desk) -> None:
    """Both bear the name while both work, and on the day whose list first says that one does not; then only the new one does."""
    people(desk)
    listed(desk, 1, ("k1", "ci"))
    listed(desk, 10, ("k1", "ci"), ("k2", "ci"))
    listed(desk, 12, ("k1", "ci", "archived"), ("k2", "ci"))
    billed(desk, 5, k1="1")
    billed(desk, 11, k1="2", k2="4")
    billed(desk, 12, k1="8", k2="16")
    billed(desk, 13, k2="32")
    desk.tab("api_keys", {"api_key_name": "ci", "email": ANA})
    build(desk)
    nobody = {(n, k): None for n in (11, 12) for k in ("k1", "k2")}
    assert owners(desk) == {(5, "k1"): ANA, **nobody, (13, "k2"): ANA}


def test_two_keys_of_one_name_are_listed_and_an_id_in_the_sheet_decides(desk: Desk) -> None:
    people(desk)
    listed(desk, 1, ("key_a", "ci"), ("key_b", "ci"))
    billed(desk, 5, key_a="3", key_b="5")
    desk.tab("api_keys", {"api_key_name": "ci", "email": ANA}, {"api_key_name": "cii", "email": BEN}, day=day(1))
    build(desk)
    assert owners(desk) == {(5, "key_a"): None, (5, "key_b"): None}
    unmapped = desk.ask("SELECT item, remedy, cost_usd FROM vw_unmapped WHERE kind = 'key' ORDER BY item")
    assert [(u["item"], u["cost_usd"]) for u in unmapped] == [("key_a", 3), ("key_b", 5)]
    assert all("key_a, key_b" in u["remedy"] and "id" in u["remedy"] for u in unmapped)
    issues = desk.ask("SELECT sheet_row, value, reason, remedy FROM sheet_issues WHERE tab = 'api_keys' ORDER BY sheet_row")
    assert [(i["sheet_row"], i["value"]) for i in issues] == [(2, "ci"), (3, "cii")]
    assert "key_a, key_b" in issues[0]["reason"] and "nearest known name is ci." in issues[1]["remedy"]
    desk.tab("api_keys", {"api_key_name": "key_b", "email": BEN}, {"api_key_name": "ci", "email": ANA, "valid_from": day(2)}, day=day(2))
    build(desk)
    assert owners(desk) == {(5, "key_a"): None, (5, "key_b"): BEN}


def test_a_key_in_two_workspaces_and_a_service_account_of_two_names_follow_no_order(desk: Desk) -> None:
    """The latest list says the workspace; two e-mails of one day name no creator; the names of one day are both names."""
    workspaces = ({"workspace_id": "wc", "name": "Claude Code"}, {"workspace_id": "wa", "name": "App"})
    desk.fetch("anthropic", "workspaces", FIRST, "raw_anthropic_workspaces", *workspaces, window_start=None)
    for n, workspace in ((2, "wa"), (1, "wc")):
        row = {"api_key_id": "k", "name": "k", "status": "active", "workspace_id": workspace}
        desk.fetch("anthropic", "api_keys", day(n), "raw_anthropic_api_keys", row, window_start=None)
    made = {"service_account_id": "sa", "charged_usd": N(1)}
    desk.events(day(3), {**made, "service_account_name": "b", "user_email": ANA}, {**made, "service_account_name": "a", "user_email": BEN})
    desk.tab("api_keys", {"api_key_name": "a", "email": CEM, "valid_from": day(9)})
    desk.run("dim_api_keys")
    rows = desk.ask("SELECT api_key_id, api_key_name, platform, workspace_id, email, valid_from FROM dim_api_keys ORDER BY 1, valid_from")
    assert [tuple(r.values()) for r in rows] == [
        ("k", "k", "claude_api", "wa", None, BEGIN),
        ("sa", "a / b", "cursor", None, None, BEGIN),
        ("sa", "a / b", "cursor", None, CEM, day(9)),
    ]


def test_a_key_that_the_vendor_gives_to_somebody_else_moves_no_past_cost(desk: Desk) -> None:
    both = ({"user_id": "u1", "email": ANA}, {"user_id": "u2", "email": BEN})
    desk.fetch("anthropic", "users", FIRST, "raw_anthropic_users", *both, window_start=None)
    for n, user in ((1, "u1"), (10, "u2")):
        row = {"api_key_id": "k", "name": "k", "status": "active", "principal_user_id": user}
        desk.fetch("anthropic", "api_keys", day(n), "raw_anthropic_api_keys", row, window_start=None)
    billed(desk, 9, k="1")
    billed(desk, 10, k="2")
    build(desk)
    assert owners(desk) == {(9, "k"): ANA, (10, "k"): BEN}


def test_claude_code_under_a_name_of_two_keys_is_nobodys_and_listed(desk: Desk) -> None:
    """The report has names alone. The name means one key until the 9th and two from the 10th on; of the third no key is known."""
    people(desk)
    listed(desk, 1, ("k1", "ci"), ("k9", "other"))
    listed(desk, 10, ("k1", "ci"), ("k2", "ci"))
    for n in (5, 15):
        did = {"actor_type": "api_actor", "customer_type": "api", "sessions": n}
        rows = [{**did, "api_key_name": name} for name in ("ci", "gone")]
        desk.fetch("anthropic", "usage_report/claude_code", day(n), "raw_claude_code_usage", *rows)
    build(desk)
    rows = desk.ask("SELECT usage_date, user_email, api_key_id, SUM(sessions) AS n FROM fct_usage_daily GROUP BY 1, 2, 3 ORDER BY 1, 4, 3")
    assert [tuple(r.values()) for r in rows] == [
        (day(5), None, None, 5), (day(5), ADMIN, "k1", 5), (day(15), None, None, 30)
    ]  # fmt: skip
    found = desk.ask("SELECT item, first_day, remedy FROM vw_unmapped WHERE kind = 'key_name' ORDER BY item")
    assert [(f["item"], f["first_day"]) for f in found] == [("ci", day(15)), ("gone", day(5))]
    assert "k1, k2" in found[0]["remedy"]


def test_the_remedy_for_a_key_is_that_of_the_days_on_which_it_cost(desk: Desk) -> None:
    """Two owners were open until the 10th and others from December on: cost of the 5th asks for the first. Days between two of cost ask for nothing."""
    opened = {"owner_source": "ambiguous", "platform": "claude_api"}
    desk.lay(
        "dim_api_keys",
        {**opened, "api_key_id": "k1", "candidates": "k1, k2", "valid_from": day(1), "valid_to": day(10)},
        {**opened, "api_key_id": "k1", "candidates": "k1, k3", "valid_from": D(2026, 12, 1), "valid_to": END},
        {**opened, "api_key_id": "k4", "candidates": "k4, k5", "valid_from": day(10), "valid_to": day(20)},
    )
    nobodys = {
        "platform": "claude_api",
        "vendor": "Anthropic",
        "cost_type": "usage",
        "attribution": "unattributed",
        "settle_state": "settled",
    }
    costs = (("k1", day(5)), ("k1", day(6)), ("k4", day(2)), ("k4", day(28)))
    desk.lay("fct_cost_daily", *({**nobodys, "api_key_id": k, "cost_date": d, "cost_usd": N(2), "source": "s"} for k, d in costs))
    found = {r["item"]: r for r in desk.ask("SELECT item, remedy, cost_usd FROM vw_unmapped WHERE kind = 'key'")}
    assert {item: r["cost_usd"] for item, r in found.items()} == {"k1": 4, "k4": 4}
    assert "k1, k2" in found["k1"]["remedy"] and found["k4"]["remedy"] == "Write the key and its owner into the tab api_keys."


# What means nothing, and what is nobody ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["null", " None ", "undefined", "#N/A", "-"])
def test_a_text_that_means_nothing_is_no_key_and_no_person(desk: Desk, text: str) -> None:
    desk.events(
        day(1),
        {"user_email": ANA, "service_account_id": text, "service_account_name": "Service Account", "charged_usd": N(1)},
        {"user_email": text, "service_account_id": text, "charged_usd": N(2)},
    )
    desk.fetch("cursor", "members", day(1), "raw_cursor_members", {"user_id": "1", "email": text, "name": text}, window_start=None)
    build(desk)
    facts = desk.ask("SELECT user_email, api_key_id, attribution, cost_usd FROM fct_cost_daily ORDER BY cost_usd")
    assert [tuple(f.values()) for f in facts] == [(ANA, None, "direct", 1), (None, None, "unattributed", 2)]
    assert desk.ask("SELECT api_key_id FROM dim_api_keys") == [] and desk.ask("SELECT email FROM dim_users") == [{"email": ANA}]


def test_what_nobody_sees_in_an_address_makes_no_second_person_and_no_second_seat(desk: Desk) -> None:
    """Rows of an older version hold addresses as vendors sent them: a zero-width space, a wrapping. A block of two seats is then one account's and a spare."""
    spellings = (ANA, "an\u200ba@example.com", f"mailto:{ANA}", f"Ana <{ANA.upper()}>")
    desk.fetch(
        "cursor", "daily-usage-data", day(2), "raw_cursor_usage", *({"user_id": str(n), "email": e} for n, e in enumerate(spellings))
    )
    desk.events(day(2), *({"user_email": e, "charged_usd": N(1)} for e in spellings))
    desk.tab("subscriptions", {"platform": "cursor", "plan": "B", "seats": 2, "price_usd": N(30), "valid_from": day(1)})
    build(desk)
    assert desk.ask("SELECT email FROM dim_users") == [{"email": ANA}]
    assert desk.ask("SELECT account, user_email FROM stg_seats") == [{"account": ANA, "user_email": ANA}]
    found = desk.ask(
        "SELECT user_email, SUM(cost_usd) AS usd FROM fct_cost_daily WHERE cost_date = DATE '2026-11-02' GROUP BY 1 ORDER BY 1 NULLS LAST"
    )
    assert [tuple(f.values()) for f in found] == [(ANA, 5), (None, 1)], (
        "four events of 1 USD and one seat of 30 / 30; the other seat is nobody's"
    )


def test_a_label_is_nobody(desk: Desk) -> None:
    """claude.ai's spend report writes a label where the organisation itself spent."""
    spent = [{"user_email": who, "net_usd": N(usd)} for who, usd in (("(org service usage)", 42), (ANA, 1))]
    spent = [{**row, "period_start": day(2), "period_end": day(2)} for row in spent]
    desk.fetch("claude_ai", "spend", day(2), "raw_claude_ai_spend", *spent, origin="upload", vendor_total_usd=N(43))
    build(desk)
    found = desk.ask("SELECT user_email, attribution, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY 1, 2 ORDER BY usd")
    assert [tuple(f.values()) for f in found] == [(ANA, "direct", 1), (None, "unattributed", 42)]
    assert desk.ask("SELECT email FROM dim_users") == [{"email": ANA}]


def test_services_stand_in_cost_and_in_no_count_of_people(desk: Desk) -> None:
    """A service account that is no member; a machine that only the sheet calls one; a member who signs for a service account stays a person."""
    members = [{"user_id": e, "email": e, "name": e.split("@")[0]} for e in (ANA, BEN, "ci-bot@example.com", "release@example.com")]
    desk.fetch("cursor", "members", day(1), "raw_cursor_members", *members, window_start=None)
    desk.tab("people", {"email": "release@example.com", "kind": "Service"}, {"email": ANA, "kind": "human", "department": "Eng"})
    runner = "runner@example.com"
    work = (
        (ANA, None, 1), (BEN, "sa1", 2), (runner, "sa2", 4), ("release@example.com", None, 8), ("ci-bot@example.com", None, 16)
    )  # fmt: skip
    desk.events(day(2), *({"user_email": e, "service_account_id": s, "service_account_name": s, "charged_usd": N(n)} for e, s, n in work))
    build(desk)
    kinds = {r["email"]: r["kind"] for r in desk.ask("SELECT email, kind FROM dim_users")}
    assert {e for e, kind in kinds.items() if kind == "service"} == {runner, "release@example.com"} and set(kinds.values()) == {
        "person",
        "service",
    }
    # 31 USD in all; the three people, and no more, are people everywhere.
    assert desk.one("SELECT SUM(cost_usd) FROM vw_cost_allocation") == 31
    everyone = {ANA, BEN, "ci-bot@example.com"}
    for counted in (
        "SELECT user_email FROM vw_cost_allocation WHERE user_kind = 'person'",
        "SELECT user_email FROM vw_use_and_cost WHERE active_days > 0",
        "SELECT user_email FROM vw_weekly_adoption",
        "SELECT user_email FROM vw_platform_roi WHERE active_days > 0 AND user_kind = 'person'",
    ):
        assert {r["user_email"] for r in desk.ask(counted)} == everyone, counted
    assert desk.one("SELECT SUM(people) FROM vw_team_productivity WHERE department = '(no department)'") is None  # two people are no group
    assert (
        desk.one("SELECT SUM(days_with_cost) FROM vw_use_and_cost") == 3
        and desk.one("SELECT SUM(cost_with_days_usd) FROM vw_use_and_cost") == 19
    )
    # What looks like a machine is asked about and not guessed; so is a kind that is none.
    issues = desk.ask("SELECT column_name, value FROM vw_identity_issues ORDER BY value")
    assert [tuple(i.values()) for i in issues] == [("email", "ci-bot@example.com"), ("kind", "human")]


# People ------------------------------------------------------------------------------------------------------------


def test_aliases_lead_to_their_end_and_a_circle_is_listed(desk: Desk) -> None:
    """Somebody whose address changed each year has seven rows, and each has the one before as alias: six steps. Two rows that have each other are nobody."""
    years = [
        {"email": f"a{n}@x.com", "aliases": f"a{n - 1}@x.com", "valid_from": D(2019 + n, 1, 1), "valid_to": D(2019 + n, 12, 31)}
        for n in range(1, 7)
    ]
    circle = [{**years[n], "email": f"c{n}@x.com", "aliases": f"c{1 - n}@x.com"} for n in range(2)]
    desk.tab("people", *years, *circle)
    found = {r["alias"]: r["email"] for r in desk.ask("SELECT alias, email FROM stg_email_aliases")}
    assert found == {f"a{n}@x.com": "a6@x.com" for n in range(6)}
    issues = desk.ask("SELECT sheet_row, column_name, value FROM vw_identity_issues ORDER BY sheet_row")
    assert [tuple(i.values()) for i in issues] == [(8, "aliases", "c1@x.com"), (9, "aliases", "c0@x.com")]


def test_two_rows_that_say_another_kind_of_one_person_are_listed(desk: Desk) -> None:
    """Ana's rows agree in all but the kind. Cy's later row is an answer, and Dee's empty kind says nothing."""
    rows = [
        {"email": ANA, "department": "IT", "kind": "person"}, {"email": ANA, "department": "IT", "kind": " Service"},
        {"email": "cy@example.com", "kind": "person"}, {"email": "cy@example.com", "kind": "service", "valid_from": D(2026, 7, 1)},
        {"email": "dee@example.com", "kind": "service"}, {"email": "dee@example.com", "department": "IT"},
    ]  # fmt: skip
    desk.tab("people", *rows, day=day(1))
    build(desk)
    asked = "SELECT sheet_row, value, reason FROM sheet_issues WHERE tab = 'people' AND column_name = 'kind' ORDER BY sheet_row"
    found = [(f["sheet_row"], f["value"], f["reason"].split(",")[0]) for f in desk.ask(asked)]
    pairs = [(2, "person", 3), (3, "service", 2)]
    assert found == [(row, kind, f"is contradicted by row {other}") for row, kind, other in pairs]


def test_an_alias_and_a_row_that_follow_each_other_and_an_answered_kind_are_no_doubt(desk: Desk) -> None:
    """Until June old@ was Ana's, since July it is somebody's own. The machine's kind stands in one of its rows; the other one leaves it empty."""
    bot = {"email": "ci-bot@example.com", "department": "IT"}
    old = {"email": "old@example.com", "valid_from": D(2026, 7, 1)}
    rows = [
        {"email": ANA, "aliases": "old@example.com", "valid_to": D(2026, 6, 30)}, old,
        {**bot, "kind": "person", "valid_to": D(2026, 6, 30)}, {**bot, "valid_from": D(2026, 7, 1)},
    ]  # fmt: skip
    desk.tab("people", *rows, day=day(1))
    build(desk)
    assert desk.ask("SELECT value FROM vw_identity_issues") == []
    desk.tab("people", rows[0], {**old, "valid_from": D(2026, 6, 30)}, *({**r, "kind": None} for r in rows[2:]), day=day(2))
    build(desk)
    found = desk.ask("SELECT sheet_row, column_name, value FROM vw_identity_issues ORDER BY sheet_row")
    assert [tuple(f.values()) for f in found] == [(2, "aliases", "old@example.com"), (4, "email", "ci-bot@example.com")]


def test_a_second_e_mail_that_means_nothing_hides_no_owner(desk: Desk) -> None:
    """Versions of old hold the text "null"; two real addresses on one day still name nobody."""
    account = {"service_account_id": "sa", "service_account_name": "runner", "charged_usd": N(1)}
    desk.events(day(1), *({**account, "user_email": e} for e in (ANA, "null", None)))
    desk.events(day(2), *({**account, "user_email": e} for e in (ANA, BEN)))
    assert desk.ask("SELECT seen_on, creator_email FROM stg_keys ORDER BY seen_on") == [
        {"seen_on": day(1), "creator_email": ANA}, {"seen_on": day(2), "creator_email": None}
    ]  # fmt: skip


def test_what_two_people_claim_belongs_to_neither_and_both_rows_are_listed(desk: Desk) -> None:
    """An alias of two; a main address that somebody else has as an alias; two departments that begin on one day."""
    desk.tab(
        "people",
        {"email": ANA, "department": "Eng", "aliases": f"x@example.com; {CEM}"},
        {"email": BEN, "department": "Sales", "aliases": "X@example.com"},
        {"email": CEM, "department": "Legal"},
        {"email": CEM, "department": "Ops"},
    )
    desk.events(day(1), *({"user_email": e, "charged_usd": N(n)} for e, n in (("x@example.com", 1), (CEM, 2), (ANA, 4))))
    build(desk)
    found = desk.ask("SELECT user_email, department, SUM(cost_usd) AS usd FROM vw_cost_allocation GROUP BY 1, 2 ORDER BY usd")
    assert [tuple(f.values()) for f in found] == [("x@example.com", "(no department)", 1), (CEM, "(no department)", 2), (ANA, "Eng", 4)]
    issues = desk.ask("SELECT sheet_row, column_name, value FROM sheet_issues ORDER BY sheet_row, column_name, value")
    assert {tuple(i.values()) for i in issues} == {
        (2, "aliases", CEM), (2, "aliases", "x@example.com"), (3, "aliases", "x@example.com"), (4, None, None), (5, None, None)
    }  # fmt: skip


def test_aliases_follow_on_and_a_circle_folds_nobody(desk: Desk) -> None:
    """Two new addresses one after the other: the first is the third's. Two rows that claim each other's address are two people."""
    old, mid, new = (f"{name}@example.com" for name in ("old", "mid", "new"))
    desk.tab(
        "people",
        {"email": old, "valid_to": day(9)},
        {"email": mid, "aliases": old, "valid_from": day(10), "valid_to": day(19)},
        {"email": new, "aliases": mid, "valid_from": day(20)},
        {"email": ANA, "aliases": BEN, "valid_to": day(9)},
        {"email": BEN, "aliases": ANA, "valid_from": day(10)},
    )
    assert {r["alias"]: r["email"] for r in desk.ask("SELECT alias, email FROM stg_email_aliases")} == {old: new, mid: new}


# Seats -------------------------------------------------------------------------------------------------------------


def held(desk: Desk, n: int, *emails: str, active: bool = False) -> None:
    rows = ({"user_id": e, "email": e, "is_active": active} for e in emails)
    desk.fetch("cursor", "daily-usage-data", day(n), "raw_cursor_usage", *rows)


def test_seats_are_counted_by_account_and_paid_by_person(desk: Desk) -> None:
    """Five seats of 30 a month, a dollar a day each: Ana's three accounts take three, Ben's one, and one is free. Two of Ana's cost 720 a year."""
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com", "department": "Eng"}, {"email": BEN, "department": "Eng"})
    desk.tab("subscriptions", {"platform": "cursor", "plan": "B", "seats": 5, "price_usd": N(30), "valid_from": FIRST, "valid_to": LAST})
    held(desk, 30, ANA, "ana+work@example.com", "a.smith@example.com", BEN)
    found = desk.ask("SELECT user_email, cost_usd FROM stg_sheet_cost WHERE cost_date = @d ORDER BY user_email NULLS LAST", d=day(30))
    assert [tuple(f.values()) for f in found] == [(ANA, 3), (BEN, 1), (None, 1)]
    desk.run("dim_user_assignments")
    seats = desk.ask("SELECT user_email, department, accounts, account_names, extra_accounts, extra_yearly_usd FROM vw_seats ORDER BY 1")
    assert [tuple(s.values()) for s in seats] == [
        (ANA, "Eng", 3, "a.smith@example.com, ana+work@example.com, ana@example.com", 2, 720), (BEN, "Eng", 1, BEN, 0, 0)
    ]  # fmt: skip


def test_a_seat_in_euros_is_priced_in_dollars_at_the_rate_of_its_month(desk: Desk) -> None:
    """Two seats of 30 EUR, 33 USD in November (36 in October), and two of 30 USD: a seat costs 31.50, so two more accounts cost 756 a year. Ben's own
    seat is no block; the row of the old price ended the day before the new one began."""
    seat = {"platform": "cursor", "valid_from": FIRST, "valid_to": LAST}
    euros = {**seat, "plan": "E", "seats": 2, "written_amount": N(30), "currency": "EUR"}
    desk.tab(
        "subscriptions",
        {**euros, "written_amount": N(500), "valid_from": FIRST - timedelta(days=90)},
        euros,
        {**seat, "plan": "D", "seats": 2, "price_usd": N(30)},
        {**seat, "plan": "D", "email": BEN, "price_usd": N(900)},
    )
    rates = ((FIRST - timedelta(days=1), "1.2"), (day(9), "1.1"))
    desk.tab("fx_rates", *({"month": month, "currency": "EUR", "usd": N(usd)} for month, usd in rates))
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com"})
    held(desk, 30, ANA, "ana+work@example.com", "a.smith@example.com")
    assert desk.one("SELECT extra_yearly_usd FROM vw_seats") == 756


def test_a_seat_of_ones_own_pays_for_one_account(desk: Desk) -> None:
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com"})
    block = {"platform": "cursor", "plan": "B", "price_usd": N(30), "valid_from": FIRST, "valid_to": LAST}
    desk.tab("subscriptions", {**block, "seats": 2}, {**block, "email": ANA, "price_usd": N(60)})
    held(desk, 30, ANA, "a.smith@example.com")
    found = desk.ask("SELECT user_email, cost_usd FROM stg_sheet_cost WHERE cost_date = @d ORDER BY user_email NULLS LAST", d=day(30))
    assert [tuple(f.values()) for f in found] == [(ANA, 3), (None, 1)]


def test_a_removed_member_holds_no_seat_and_held_one_before(desk: Desk) -> None:
    """The list of the 10th still has Ben, that of the 20th calls him removed: idle on the 15th he holds a seat, idle on the 25th none."""
    for n, removed in ((10, False), (20, True)):
        rows = [{"user_id": e, "email": e, "name": e, "is_removed": e == BEN and removed} for e in (ANA, BEN)]
        desk.fetch("cursor", "members", day(n), "raw_cursor_members", *rows, window_start=None)
    for n in (5, 15, 25):
        held(desk, n, ANA, BEN)
    found = desk.ask("SELECT seat_date, user_email FROM stg_seats ORDER BY 1, 2")
    assert [(f["seat_date"].day, f["user_email"]) for f in found] == [(5, ANA), (5, BEN), (15, ANA), (15, BEN), (25, ANA)]


def test_cost_without_a_person_is_not_answered_with_a_key(desk: Desk) -> None:
    """Cursor names neither a key nor a workspace: a remedy that asks for either sends people looking for what is not there."""
    desk.events(day(3), {"charged_usd": N("0.7")}, {"user_email": ANA, "charged_usd": N("0.3")})
    curated(desk, FIRST, LAST, AS_OF)
    (row,) = desk.ask("SELECT kind, remedy, cost_usd FROM vw_unmapped WHERE kind != 'person'")
    assert (row["kind"], row["cost_usd"]) == ("no_key", N("0.7")) and "who owns" not in row["remedy"]
    runtime: Any = SimpleNamespace(warehouse=desk.warehouse)
    window = Window(FIRST, LAST)
    told = {c.check_name: c for c in assets._cost_checks(runtime, window, assets._cost_totals(runtime, window, transform.Written()))}
    assert told["attribution"].metadata["actual"].value == "30.00%"
    assert "api_keys" not in told["attribution"].metadata["what_to_do"].value
    assert told["conservation"].metadata["difference"].value == "0.000000000"
