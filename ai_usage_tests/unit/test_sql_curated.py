"""Dimensions and facts against answers worked out by hand on small inputs, in a real DuckDB."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from ai_usage import transform
from ai_usage.defs.curated.assets import _identity
from ai_usage_tests.fixtures.desk import NOON, Desk, contents, curated

pytestmark = pytest.mark.either_engine

D, N = date, Decimal
DAY, NEXT = D(2026, 11, 1), D(2026, 11, 2)
ANA, BEN = "ana@example.com", "ben@example.com"
BEGIN, END = D(1900, 1, 1), D(9999, 12, 31)


# dim_user_assignments -------------------------------------------------------------------------------------------


def assignments(desk: Desk, *rows: dict) -> list[tuple]:
    desk.tab("people", *rows)
    desk.run("dim_user_assignments")
    found = desk.ask("SELECT email, department, cost_center, valid_from, valid_to FROM dim_user_assignments ORDER BY email, valid_from")
    return [tuple(r.values()) for r in found]


def test_a_row_without_days_holds_for_ever(desk: Desk) -> None:
    assert assignments(desk, {"email": "Ana+x@Example.com", "department": "Eng", "cost_center": "C1"}) == [(ANA, "Eng", "C1", BEGIN, END)]


def test_a_move_ends_one_period_and_begins_the_next(desk: Desk) -> None:
    assert assignments(
        desk,
        {"email": ANA, "department": "Eng", "valid_to": D(2026, 6, 30)},
        {"email": ANA, "department": "Sales", "valid_from": D(2026, 7, 1)},
    ) == [(ANA, "Eng", None, BEGIN, D(2026, 6, 30)), (ANA, "Sales", None, D(2026, 7, 1), END)]


def test_a_gap_stays_a_gap(desk: Desk) -> None:
    """Between the periods nobody said where she belonged: no row, not the last known one."""
    assert assignments(
        desk,
        {"email": ANA, "department": "Eng", "valid_from": D(2026, 1, 1), "valid_to": D(2026, 3, 31)},
        {"email": ANA, "department": "Ops", "valid_from": D(2026, 5, 1), "valid_to": D(2026, 5, 31)},
    ) == [(ANA, "Eng", None, D(2026, 1, 1), D(2026, 3, 31)), (ANA, "Ops", None, D(2026, 5, 1), D(2026, 5, 31))]


def test_an_overlap_goes_to_the_row_that_began_later_and_comes_back_after_it(desk: Desk) -> None:
    """Eng all the year, lent to Ops in May: three periods, no day twice."""
    assert assignments(
        desk,
        {"email": ANA, "department": "Eng", "valid_from": D(2026, 1, 1)},
        {"email": ANA, "department": "Ops", "valid_from": D(2026, 5, 1), "valid_to": D(2026, 5, 31)},
    ) == [
        (ANA, "Eng", None, D(2026, 1, 1), D(2026, 4, 30)),
        (ANA, "Ops", None, D(2026, 5, 1), D(2026, 5, 31)),
        (ANA, "Eng", None, D(2026, 6, 1), END),
    ]


def test_of_two_rows_of_one_beginning_that_differ_neither_counts(desk: Desk) -> None:
    """No row is lower or upper for who pays: what stood before stands, and nothing stood before."""
    assert assignments(desk, {"email": ANA, "department": "Eng", "cost_center": "C1"}, {"email": ANA.upper(), "department": "Ops"}) == []


def test_rows_under_an_old_address_belong_to_the_person(desk: Desk) -> None:
    """The address changed with the department: her May cost, folded to the new address, still finds Eng."""
    assert assignments(
        desk,
        {"email": "ana.old@example.com", "department": "Eng", "valid_to": D(2026, 6, 30)},
        {"email": ANA, "department": "Sales", "aliases": "ana.old@example.com", "valid_from": D(2026, 7, 1)},
    ) == [(ANA, "Eng", None, BEGIN, D(2026, 6, 30)), (ANA, "Sales", None, D(2026, 7, 1), END)]


# dim_api_keys ---------------------------------------------------------------------------------------------------


def service(key: str = "sa1", name: str = "ci", email: str = "bot@example.com", usd: str = "1", **more) -> dict:
    return {"user_email": email, "service_account_id": key, "service_account_name": name, "charged_usd": N(usd), **more}


def keys(desk: Desk, *columns: str) -> list[tuple]:
    return [tuple(r.values()) for r in desk.ask(f"SELECT {', '.join(columns)} FROM dim_api_keys ORDER BY api_key_id, valid_from")]


def test_the_sheet_wins_in_its_period_and_the_creator_stands_in_the_gaps(desk: Desk) -> None:
    """Handed over on 10 November, nobody named from the 20th on: the vendor's creator again."""
    desk.events(DAY, service())
    desk.tab(
        "api_keys",
        {"api_key_name": "ci", "email": ANA, "description": "CI", "valid_from": D(2026, 11, 1), "valid_to": D(2026, 11, 9)},
        {"api_key_name": "ci", "email": BEN, "valid_from": D(2026, 11, 10), "valid_to": D(2026, 11, 19)},
    )
    desk.run("dim_api_keys")
    assert keys(desk, "api_key_id", "email", "owner_source", "valid_from", "valid_to") == [
        ("sa1", "bot@example.com", "vendor_creator", BEGIN, D(2026, 10, 31)),
        ("sa1", ANA, "sheet", D(2026, 11, 1), D(2026, 11, 9)),
        ("sa1", BEN, "sheet", D(2026, 11, 10), D(2026, 11, 19)),
        ("sa1", "bot@example.com", "vendor_creator", D(2026, 11, 20), END),
    ]
    assert keys(desk, "description")[1] == ("CI",) and {k[0] for k in keys(desk, "platform")} == {"cursor"}


def test_a_key_that_only_the_sheet_knows_is_kept_under_its_name(desk: Desk) -> None:
    desk.tab("api_keys", {"api_key_name": "007", "email": "Ana+k@Example.com"})
    desk.run("dim_api_keys")
    assert keys(desk, "api_key_id", "api_key_name", "platform", "email", "is_active", "owner_source") == [
        ("sheet:007", "007", None, ANA, None, "sheet")
    ]


def test_a_key_that_a_vendor_lists_later_leaves_its_sheet_name(desk: Desk) -> None:
    desk.tab("api_keys", {"api_key_name": "ci", "email": ANA})
    desk.run("dim_api_keys")
    desk.events(DAY, service())
    desk.run("dim_api_keys")
    assert keys(desk, "api_key_id", "email") == [("sa1", ANA)]


def test_owners_are_folded_through_aliases(desk: Desk) -> None:
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com"})
    desk.tab("api_keys", {"api_key_name": "k", "email": "A.Smith@example.com"})
    desk.run("dim_api_keys")
    assert keys(desk, "email") == [(ANA,)]


def test_creators_are_folded_through_aliases_too(desk: Desk) -> None:
    """`email` is declared canonical, whoever said it."""
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com"})
    desk.events(DAY, service(email="A.Smith@example.com"))
    desk.run("dim_api_keys")
    assert keys(desk, "email", "owner_source") == [(ANA, "vendor_creator")]


def test_overlapping_owners_never_give_two_rows_for_a_day(desk: Desk) -> None:
    desk.events(DAY, service())
    desk.tab(
        "api_keys",
        {"api_key_name": "ci", "email": ANA},
        {"api_key_name": "ci", "email": BEN},
        {"api_key_name": "ci", "email": "c@example.com", "valid_from": NEXT},
    )
    desk.run("dim_api_keys")
    assert keys(desk, "email", "owner_source", "valid_from", "valid_to") == [
        (None, "ambiguous", BEGIN, DAY),
        ("c@example.com", "sheet", NEXT, END),
    ]


def test_a_renamed_key_has_its_latest_name_in_whatever_order_days_are_run(desk: Desk) -> None:
    """Law 3: an old day run again must not bring the old name back."""
    desk.events(DAY, service(name="old"))
    desk.events(NEXT, service(name="new"))
    desk.run("dim_api_keys", NEXT, NEXT)
    desk.run("dim_api_keys", DAY, DAY)
    assert keys(desk, "api_key_name") == [("new",)]


def test_a_creator_is_remembered_while_the_sheet_names_an_owner(desk: Desk) -> None:
    """Law 3: whether the row is taken out of the sheet before or after the key's days are run again, the creator stands."""
    desk.events(DAY, service())
    desk.tab("api_keys", {"api_key_name": "ci", "email": ANA}, day=DAY)
    desk.run("dim_api_keys", DAY, DAY)
    desk.tab("api_keys", day=NEXT)
    desk.run("dim_api_keys", NEXT, NEXT)
    assert keys(desk, "email", "owner_source") == [("bot@example.com", "vendor_creator")]


# Facts ----------------------------------------------------------------------------------------------------------


def test_cost_is_folded_to_the_person_and_nothing_is_dropped(desk: Desk) -> None:
    """Case, plus-tag and alias are one person; the sum is the vendor's: 1 + 2 + 4 + 8 = 15."""
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com"})
    desk.events(
        DAY,
        {"user_email": "Ana+cursor@Example.com", "model": "m", "charged_usd": N(1)},
        {"user_email": ANA, "model": "m", "charged_usd": N(2)},
        {"user_email": " A.Smith@example.com ", "model": "m", "charged_usd": N(4)},
        {"user_email": "stranger@else.com", "model": "m", "charged_usd": N(8)},
    )
    desk.run("fct_cost_daily", DAY, DAY)
    assert {r["user_email"]: r["cost_usd"] for r in desk.ask("SELECT user_email, cost_usd FROM fct_cost_daily")} == {
        ANA: N(7),
        "stranger@else.com": N(8),
    }


@pytest.mark.parametrize("written", ["", "  "])
def test_an_empty_address_is_nobody_and_not_a_person(desk: Desk, written: str) -> None:
    """Unknown is NULL: the cost stands, unattributed, and no person without an address is made."""
    desk.events(DAY, {"user_email": written, "charged_usd": N(1)})
    curated(desk, DAY, DAY, NEXT)
    (row,) = desk.ask("SELECT user_email, user_name, cost_usd FROM vw_cost_allocation")
    assert row == {"user_email": "(unattributed)", "user_name": "(unattributed)", "cost_usd": 1}
    assert desk.ask("SELECT email FROM dim_users") == []


def test_a_hostile_address_is_only_an_address(desk: Desk) -> None:
    """E-mails spliced into SQL are a known wrong turn."""
    email = "o'brien\";drop/**/table/**/fct_cost_daily;--@example.com"
    spaced = "o'brien\"; drop table fct_cost_daily; --@example.com"  # no address: its money counts, and is nobody's
    desk.events(DAY, {"user_email": email, "charged_usd": N(1)}, {"user_email": spaced, "charged_usd": N(2)})
    curated(desk, DAY, DAY, NEXT)
    assert desk.ask("SELECT user_email, cost_usd FROM fct_cost_daily ORDER BY cost_usd") == [
        {"user_email": email, "cost_usd": 1},
        {"user_email": None, "cost_usd": 2},
    ]
    assert desk.one("SELECT email FROM dim_users") == email


def own_staging(desk: Desk, *rows: dict) -> None:
    """Rows of the common shape without a vendor: what a vendor that names keys but not people will send."""
    from ai_usage import tables
    from ai_usage.warehouse import models

    shape = tables.BY_NAME["stg_cost"]
    parts = ["SELECT " + ", ".join(f"CAST({_literal(row.get(c.name))} AS {c.type}) AS {c.name}" for c in shape.columns) for row in rows]
    sql = models.model("fct_cost_daily").sql.replace("FROM stg_cost", f"FROM ({' UNION ALL '.join(parts)})")
    parameters = {"start_date": DAY, "end_date": D(2026, 11, 30), "as_of_date": D(2026, 12, 31), "processed_at": NOON}
    desk.warehouse.replace(tables.BY_NAME["fct_cost_daily"], sql, parameters)


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'"


def test_a_key_without_a_person_goes_to_its_owner_as_of_the_day(desk: Desk) -> None:
    """Handed over on 2 November: each day to its own owner, an unknown key to nobody, and nothing is dropped or doubled."""
    base = {
        "platform": "claude_api",
        "vendor": "Anthropic",
        "cost_type": "usage",
        "attribution": "token_share",
        "source": "t",
        "model": "m",
    }
    desk.lay(
        "dim_api_keys",
        {"api_key_id": "k", "email": ANA, "valid_from": BEGIN, "valid_to": DAY, "owner_source": "sheet"},
        {"api_key_id": "k", "email": BEN, "valid_from": NEXT, "valid_to": END, "owner_source": "sheet"},
        {"api_key_id": "n", "email": None, "valid_from": BEGIN, "valid_to": END, "owner_source": "none"},
    )
    own_staging(
        desk,
        {**base, "cost_date": DAY, "api_key_id": "k", "cost_usd": "1", "attribution": "direct"},
        {**base, "cost_date": NEXT, "api_key_id": "k", "cost_usd": "2", "attribution": "unattributed"},
        {**base, "cost_date": NEXT, "api_key_id": "k", "user_email": "c@example.com", "cost_usd": "4", "attribution": "direct"},
        {**base, "cost_date": NEXT, "api_key_id": "n", "cost_usd": "8", "attribution": "unattributed"},
        {**base, "cost_date": NEXT, "cost_usd": "16", "attribution": "unattributed"},
        {**base, "cost_date": NEXT, "api_key_id": "k", "cost_usd": "32"},
    )
    rows = desk.ask("SELECT user_email, attribution, cost_usd FROM fct_cost_daily ORDER BY cost_usd")
    assert [tuple(r.values()) for r in rows] == [
        (ANA, "key_owner", 1),
        (BEN, "key_owner", 2),
        ("c@example.com", "direct", 4),
        (None, "unattributed", 8),
        (None, "unattributed", 16),
        (BEN, "token_share", 32),
    ]


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        (D(2026, 10, 31), "open"),
        (D(2026, 11, 1), "open"),
        (D(2026, 11, 2), "provisional"),
        (D(2026, 12, 2), "provisional"),
        (D(2026, 12, 3), "settled"),
        (D(2027, 6, 1), "settled"),
    ],
)
def test_a_day_is_open_then_provisional_then_settled(desk: Desk, as_of: date, state: str) -> None:
    """The cycle began on 1 November: it ends with the month, and two days later, on 3 December, its days are settled."""
    desk.fetch(
        "cursor", "spend", DAY, "raw_cursor_spend", {"user_id": "u", "cycle_start_at": datetime(2026, 11, 1, tzinfo=UTC)}, window_start=None
    )
    desk.events(DAY, {"user_email": ANA, "charged_usd": N(1)})
    desk.run("fct_cost_daily", DAY, DAY, as_of)
    assert desk.one("SELECT settle_state FROM fct_cost_daily") == state


def test_usage_is_folded_and_every_number_stands_once(desk: Desk) -> None:
    desk.tab("people", {"email": ANA, "aliases": "a.smith@example.com"})
    desk.events(
        DAY,
        {"user_email": "A.Smith@example.com", "model": "m", "input_tokens": 5, "charged_usd": N(1)},
        {"user_email": ANA, "model": "m", "input_tokens": 6, "charged_usd": N(1)},
    )
    desk.fetch(
        "cursor",
        "daily-usage-data",
        DAY,
        "raw_cursor_usage",
        {"user_id": "1", "email": ANA, "is_active": True, "accepted_lines_added": 3},
        {"user_id": "2", "email": "a.smith@example.com", "is_active": True, "accepted_lines_added": 4},
    )
    desk.run("fct_usage_daily", DAY, DAY)
    rows = desk.ask(
        "SELECT user_email, model, requests, input_tokens, loc_accepted, commits, included_usd FROM fct_usage_daily ORDER BY model"
    )
    assert [tuple(r.values()) for r in rows] == [(ANA, None, None, None, 7, None, None), (ANA, "m", 2, 11, None, None, None)]


@pytest.mark.both_engines
def test_a_day_restated_to_empty_leaves_no_fact(desk: Desk) -> None:
    desk.events(DAY, {"user_email": ANA, "charged_usd": N(1)})
    curated(desk, DAY, DAY, NEXT)
    desk.events(DAY, at=NOON + timedelta(hours=1))
    curated(desk, DAY, DAY, NEXT)
    assert contents(desk, "fct_cost_daily") == [] == contents(desk, "fct_usage_daily")


# dim_users ------------------------------------------------------------------------------------------------------


def test_people_are_one_row_each_wherever_they_were_seen(desk: Desk) -> None:
    """Names from the sheet before the vendor's; active while any vendor lists the person as such; department as of today."""
    desk.tab(
        "people",
        {
            "email": ANA,
            "first_name": "Ana",
            "last_name": "Smith",
            "aliases": "a.smith@example.com",
            "department": "Eng",
            "valid_to": D(2026, 6, 30),
        },
        {"email": ANA, "first_name": "Ana", "last_name": "Jones", "department": "Sales", "cost_center": "C2", "valid_from": D(2026, 7, 1)},
        day=D(2026, 11, 20),
    )
    desk.fetch(
        "cursor",
        "members",
        D(2026, 11, 21),
        "raw_cursor_members",
        {"user_id": "1", "email": "A.Smith@example.com", "name": "A Smith", "is_removed": True},
        {"user_id": "2", "email": ANA, "name": "Ana S", "is_removed": False},
        {"user_id": "3", "email": BEN, "name": "Ben van Example", "is_removed": True},
        window_start=None,
    )
    desk.events(DAY, {"user_email": "ANA+x@example.com", "charged_usd": N(1)}, {"user_email": "stranger@else.com", "charged_usd": N(1)})
    curated(desk, DAY, DAY, D(2026, 11, 22))
    rows = {r["email"]: r for r in desk.ask("SELECT * FROM dim_users")}
    assert set(rows) == {ANA, BEN, "stranger@else.com"}
    columns = ("first_name", "last_name", "department", "cost_center", "is_active")
    assert [rows[ANA][c] for c in columns] == ["Ana", "Jones", "Sales", "C2", True]
    assert [rows[BEN][c] for c in columns] == ["Ben", "van Example", None, None, False]
    assert [rows["stranger@else.com"][c] for c in columns] == [None] * 5
    assert rows[ANA]["user_id"] == hashlib.sha256(ANA.encode()).hexdigest()
    assert rows[ANA]["created_at"] == datetime(2026, 11, 1, tzinfo=UTC) and rows[BEN]["created_at"] == datetime(2026, 11, 21, tzinfo=UTC)


def test_the_first_day_of_a_person_does_not_depend_on_the_order_of_days(desk: Desk) -> None:
    for day in (D(2026, 11, 5), D(2026, 11, 1), D(2026, 11, 9)):
        desk.events(day, {"user_email": ANA, "charged_usd": N(1)})
        curated(desk, day, day, D(2026, 11, 22))
    assert desk.one("SELECT created_at FROM dim_users") == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("second", "claimed"),
    [
        ({"email": "ben@example.com", "aliases": "cem@example.com"}, []),
        ({"email": "ben@example.com", "aliases": "X@example.com "}, ["x@example.com"]),
        # Ben's main address stands among Ana's aliases: his cost would be hers.
        ({"email": "ana.old@example.com"}, ["ana.old@example.com"]),
    ],
    ids=["none", "an alias twice", "a main address as an alias"],
)
def test_an_address_that_two_people_claim_is_named(desk: Desk, second: dict[str, str], claimed: list[str]) -> None:
    desk.tab("people", {"email": "ana@example.com", "aliases": "x@example.com; ana.old@example.com"}, second)
    result = _identity(SimpleNamespace(warehouse=desk.warehouse))  # type: ignore[arg-type]
    assert result.passed is (not claimed)
    assert [word for word in claimed if word not in str(result.metadata.get("sample"))] == []


# Days that cannot be proved ----------------------------------------------------------------------------------------------


def test_a_day_that_cannot_be_proved_stands_and_is_told_until_it_is_proved(desk: Desk) -> None:
    """Seven days of one dollar. The vendor says a tenth of a cent more of the fourth than its records hold: that day alone stays as it was."""
    first, last, bad = date(2026, 11, 1), date(2026, 11, 7), date(2026, 11, 4)
    for n in range(7):
        day = first + timedelta(days=n)
        desk.events(day, {"charged_usd": Decimal(1)}, vendor_total_usd=Decimal("1.001" if day == bad else 1))
    clock = {"as_of_date": date(2026, 11, 22), "processed_at": NOON}
    desk.lay(
        "fct_cost_daily", {**OLD, "cost_date": bad, "cost_usd": Decimal("0.4")}, {**OLD, "cost_date": last, "cost_usd": Decimal("0.7")}
    )
    found = transform.write_days(desk.warehouse, "fct_cost_daily", first, last, clock)
    [held] = found.held
    assert (
        (held.first, held.last, held.sources) == (bad, bad, ("cursor",))
        and "vendor's own total counts once" in held.why
        and "0.001" in held.why
    )
    assert found.rows == 7, "the one that stands among them"
    usd = {r["cost_date"]: r["usd"] for r in desk.ask("SELECT cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date")}
    assert usd == {first + timedelta(days=n): Decimal(1) for n in range(7)} | {bad: Decimal("0.4")}
    told = desk.ask("SELECT table_name, source, endpoint, usage_date, reason FROM held_back")
    assert told == [
        {"table_name": "fct_cost_daily", "source": "cursor", "endpoint": "filtered-usage-events", "usage_date": bad, "reason": held.why}
    ]
    states = {r["usage_date"]: (r["state"], r["error"]) for r in desk.ask("SELECT usage_date, state, error FROM vw_certificate")}
    assert states[bad] == ("failed", held.why) and states[last] == ("complete", None)
    # The vendor corrects its total: the day is written, and nothing is held back any more.
    desk.events(bad, {"charged_usd": Decimal(1)}, vendor_total_usd=Decimal(1), at=NOON + timedelta(hours=1))
    assert transform.write_days(desk.warehouse, "fct_cost_daily", first, last, clock).held == []
    assert desk.ask("SELECT * FROM held_back") == []
    assert desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily") == 7


def test_days_that_were_billed_as_one_are_left_out_as_one(desk: Desk) -> None:
    """A spend report of the third to the fifth that says more than its rows: a part of its days proves nothing, so none of them is written."""
    first, last = date(2026, 11, 1), date(2026, 11, 8)
    for day in (first, date(2026, 11, 4), last):
        desk.events(day, {"charged_usd": Decimal(1)}, vendor_total_usd=Decimal(1))
    spent = {"period_start": date(2026, 11, 3), "period_end": date(2026, 11, 5), "user_email": "ana@example.com", "net_usd": Decimal(3)}
    desk.fetch("claude_ai", "spend", date(2026, 11, 5), "raw_claude_ai_spend", spent, origin="upload", vendor_total_usd=Decimal(4))
    found = transform.write_days(desk.warehouse, "fct_cost_daily", first, last, {"as_of_date": date(2026, 11, 22), "processed_at": NOON})
    [held] = found.held
    assert (held.first, held.last, held.sources) == (date(2026, 11, 3), date(2026, 11, 5), ("claude_ai", "claude_enterprise"))
    told = [(r["cost_date"], r["source"]) for r in desk.ask("SELECT cost_date, source FROM fct_cost_daily ORDER BY cost_date")]
    assert told == [(day, "cursor_events") for day in (first, date(2026, 11, 4), last)], (
        "the range stands between, and holds no day of Cursor's back"
    )


OLD = {
    "platform": "cursor",
    "vendor": "Cursor",
    "cost_type": "usage",
    "attribution": "direct",
    "settle_state": "settled",
    "source": "cursor_events",
}
