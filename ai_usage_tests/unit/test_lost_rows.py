"""A list of people, keys or subscriptions that has lost rows holds back what is made of it, and nothing of another source.

Belongs here: whose figures stand, and that somebody is told until the list is whole. Does not belong here: lost rows of a day (`e2e/test_failures.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from ai_usage import transform
from ai_usage.operations import completeness
from ai_usage.runtime import Runtime
from ai_usage_tests.fixtures.desk import NOON, Desk
from ai_usage_tests.unit.test_completeness import TODAY, after, runtime

__all__ = ["runtime"]

FIRST, LAST = date(2026, 11, 3), date(2026, 11, 4)
CLOCK = {"start_date": FIRST, "end_date": LAST, "as_of_date": date(2026, 11, 22), "processed_at": NOON}
ANA, BEN = "ana@example.com", "ben@example.com"
# {source: (name of its rows in the fact, platform)}
ROWS = {"anthropic": ("anthropic_cost_report", "claude_api"), "cursor": ("cursor_events", "cursor"), "google_sheets": ("sheet_subscriptions", "cursor")}  # fmt: skip
STOOD, TOLD = Decimal("0.40"), Decimal("1.10")


def lay(desk: Desk) -> None:
    """Each source has a row of an earlier run in the fact. Of these two days Anthropic and Cursor tell 1.10 USD each, and the sheet has no subscription left."""
    for day in (FIRST, LAST):
        for source, (staged, platform) in ROWS.items():
            row = {"platform": platform, "vendor": source, "cost_type": "usage", "attribution": "direct", "settle_state": "settled"}
            desk.lay("fct_cost_daily", {**row, "source": staged, "cost_date": day, "cost_usd": STOOD})
        cost = {"amount_usd": TOLD, "currency": "USD", "model": "claude-sonnet-4-5", "cost_type": "tokens", "token_type": "output_tokens"}
        desk.fetch("anthropic", "cost_report", day, "raw_anthropic_cost", cost, vendor_total_usd=TOLD)
        desk.events(day, {"charged_usd": TOLD, "user_email": ANA}, vendor_total_usd=TOLD, at=after(day))


@pytest.mark.parametrize(
    ("source", "endpoint", "table", "held"),
    [
        ("anthropic", "users", "raw_anthropic_users", "anthropic"),
        ("anthropic", "workspaces", "raw_anthropic_workspaces", "anthropic"),
        ("cursor", "spend", "raw_cursor_spend", "cursor"),
        (
            "cursor",
            "members",
            "raw_cursor_members",
            "google_sheets",
        ),  # seats that the sheet pays for go to the accounts that this list names
        ("google_sheets", "people", "raw_sheet_people", "google_sheets"),
        ("google_sheets", "subscriptions", "raw_sheet_subscriptions", "google_sheets"),
    ],
)
def test_whichever_list_lost_a_row_only_the_figures_made_of_it_stand(desk: Desk, source: str, endpoint: str, table: str, held: str) -> None:
    lay(desk)
    desk.fetch(source, endpoint, TODAY, table, {}, {}, window_start=None)
    desk.warehouse.execute(f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1")  # a row too many is as wrong as one that is gone
    written = transform.write_days(desk.warehouse, "fct_cost_daily", FIRST, LAST, CLOCK)
    found = {
        (r["source"], r["cost_date"]): r["usd"]
        for r in desk.ask("SELECT source, cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY 1, 2")
    }
    undisturbed = {"anthropic_cost_report": TOLD, "cursor_events": TOLD}
    expected = {(staged, day): usd for staged, usd in {**undisturbed, ROWS[held][0]: STOOD}.items() for day in (FIRST, LAST)}
    assert found == expected
    assert {(h.first, h.last, h.endpoint) for h in written.held} == {(FIRST, LAST, (source, endpoint))}
    assert [h.why for h in written.held if "has 3 rows where 2 were published" not in h.why] == []


def test_a_dimension_stands_while_its_list_is_not_whole_and_the_days_follow_when_it_is(desk: Desk, runtime: Callable[..., Runtime]) -> None:
    """Two people, one deleted by hand. Until the list is whole, the days of facts that were not written are asked for again, however long ago they were."""
    lay(desk)
    people = [{"email": ANA, "department": "Eng"}, {"email": BEN, "department": "Ops"}]
    desk.tab("people", *people)

    def write() -> tuple[int, int]:
        listed = transform.write_list(desk.warehouse, "dim_user_assignments", CLOCK)
        return len(listed.held), len(transform.write_days(desk.warehouse, "fct_cost_daily", FIRST, LAST, CLOCK).held)

    def departments() -> dict[str, str]:
        return {r["email"]: r["department"] for r in desk.ask("SELECT email, department FROM dim_user_assignments")}

    assert write() == (0, 0)
    desk.warehouse.execute(f"DELETE FROM raw_sheet_people WHERE email = '{BEN}'")
    assert write() == (1, 1)
    assert departments() == {ANA: "Eng", BEN: "Ops"}
    told = {(r["table_name"], r["usage_date"]) for r in desk.ask("SELECT table_name, usage_date FROM held_back WHERE endpoint = 'people'")}
    assert told == {("fct_cost_daily", FIRST), ("fct_cost_daily", LAST), ("dim_user_assignments", TODAY)}
    assert {FIRST, LAST} <= set(completeness.forgotten(runtime(sheet_id="s"), TODAY))
    desk.tab("people", *people, at=after(TODAY))
    assert write() == (0, 0)
    assert desk.ask("SELECT * FROM held_back") == [] and departments() == {ANA: "Eng", BEN: "Ops"}


def test_today_and_an_upgrade_leave_out_what_is_not_whole_too(desk: Desk) -> None:
    """Nothing is made of the members of workspaces, which lost all their rows; of keys, which lost one, their dimension is."""
    lay(desk)
    desk.fetch("anthropic", "workspace_members", TODAY, "raw_anthropic_workspace_members", {}, {}, window_start=None)
    desk.tab("api_keys", {}, {})
    desk.warehouse.execute("DELETE FROM raw_anthropic_workspace_members WHERE TRUE")
    desk.warehouse.execute("DELETE FROM raw_sheet_api_keys WHERE sheet_row = 3")
    back = transform.build(desk.warehouse, FIRST, LAST, as_of=TODAY, hold_back=True)
    assert {h.endpoint for h in back} == {("google_sheets", "api_keys")}
    assert desk.ask("SELECT DISTINCT table_name FROM held_back ORDER BY 1") == [{"table_name": "dim_api_keys"}, {"table_name": "dim_users"}]
