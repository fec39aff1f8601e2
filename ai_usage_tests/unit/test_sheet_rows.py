"""Cells that people write: found by name, read without guessing, refused with a remedy. Each bad row costs only itself."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import ContractError
from ai_usage.sources.google_sheets.records import (
    API_KEYS,
    BUDGETS,
    CLAUDE_AI_USAGE,
    ENDPOINTS,
    INVOICES,
    PEOPLE,
    SUBSCRIPTIONS,
    tab_rows,
    template,
)
from ai_usage_tests.fixtures.desk import read_tab as read


def subscription(tmp_path: Path, column: str, shown: str, kept: object = None) -> tuple[list[dict], list[dict]]:
    """One subscription row with one cell changed; `kept` is what the sheet stores where it displays `shown`."""
    row = {
        "platform": "cursor",
        "plan": "Business",
        "seats": "2",
        "email": "",
        "price_usd": "40",
        "valid_from": "2026-01-01",
        "valid_to": "",
    }
    header = list(row)
    displayed = [header, list((row | {column: shown}).values())]
    stored = [header, list((row | {column: shown if kept is None else kept}).values())]
    return read(tmp_path, SUBSCRIPTIONS, displayed, stored)


@settings(max_examples=25)
@given(st.permutations(["api_key_name", "email", "description", "valid_from", "valid_to", "note"]))
def test_columns_are_found_by_name_in_any_order(tmp_path: Path, order: list[str]) -> None:
    cells = {"api_key_name": "prod", "email": "a@example.com", "description": "d", "valid_from": "2026-01-31", "valid_to": "", "note": "n"}
    rows, rejects = read(tmp_path, API_KEYS, [order, [cells[c] for c in order]])
    assert not rejects
    assert {k: rows[0][k] for k in ("sheet_row", "api_key_name", "email", "description", "valid_from", "valid_to")} == {
        "sheet_row": 2,
        "api_key_name": "prod",
        "email": "a@example.com",
        "description": "d",
        "valid_from": date(2026, 1, 31),
        "valid_to": None,
    }
    assert json.loads(rows[0]["extra"]) == {"note": "n"}


@pytest.mark.parametrize("header", [["Key Name", "User-Email"], [" API_KEY_NAME ", "E-Mail"], ["api key name", "EMAIL"]])
def test_headers_are_read_as_people_write_them(tmp_path: Path, header: list[str]) -> None:
    rows, _ = read(tmp_path, API_KEYS, [header, ["prod", "a@example.com"]])
    assert [(r["api_key_name"], r["email"]) for r in rows] == [("prod", "a@example.com")]


def test_blank_rows_are_left_out_and_row_numbers_are_those_a_person_counts(tmp_path: Path) -> None:
    cells = [["api_key_name", "email"], [], ["one", "a@example.com"], ["", "  "], ["two", "b@example.com"], [""]]
    rows, rejects = read(tmp_path, API_KEYS, cells)
    assert [(r["sheet_row"], r["api_key_name"]) for r in rows] == [(3, "one"), (5, "two")] and not rejects


def test_short_rows_are_padded_with_null(tmp_path: Path) -> None:
    """Google omits trailing empty cells."""
    rows, _ = read(tmp_path, API_KEYS, [["api_key_name", "email", "description"], ["one", "a@example.com"]])
    assert rows[0]["description"] is None


def test_a_tab_with_a_header_only_is_empty_and_not_broken(tmp_path: Path) -> None:
    assert tab_rows(API_KEYS, [["api_key_name", "email"]], [["api_key_name", "email"]]) == []
    assert tab_rows(PEOPLE, [], []) == []


def test_a_missing_required_column_is_named_with_the_header(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        tab_rows(API_KEYS, [["api_key_name", "owner"], ["x", "y"]], [])
    said = str(caught.value)
    assert "'api_keys'" in said and "'email'" in said and "owner" in said and "\n" not in said


def test_a_moved_column_is_no_problem_and_a_double_one_is_refused() -> None:
    with pytest.raises(ContractError, match="'email' more than once"):
        tab_rows(API_KEYS, [["api_key_name", "email", "E-Mail"], ["x", "a@example.com", "b@example.com"]], [])


def test_a_column_without_values_is_not_a_missing_column(tmp_path: Path) -> None:
    rows, rejects = read(tmp_path, INVOICES, [["platform", "invoice_month", "amount_usd", "cost_type"], ["cursor", "2026-10-01", "1", ""]])
    assert len(rows) == 1 and rows[0]["cost_type"] is None and not rejects


# Values -----------------------------------------------------------------------------------------------------------


def test_serial_dates_are_the_days_they_display(tmp_path: Path) -> None:
    """Day 0 is 1899-12-30; 1960-02-29 is day 21975; 2026-11-22 is day 46348; 2024-02-29 is 45351. A locale's display does not matter."""
    for serial, day in [
        (21975, date(1960, 2, 29)),
        (46348, date(2026, 11, 22)),
        (45351, date(2024, 2, 29)),
        (46348.75, date(2026, 11, 22)),
    ]:
        rows, rejects = subscription(tmp_path, "valid_from", "11/22/26", serial)
        assert not rejects and rows[0]["valid_from"] == day


@pytest.mark.parametrize(
    ("shown", "kept", "usd"),
    [
        ("$40.00", 40, "40"),
        ("1,200.50", 1200.5, "1200.5"),
        ("0.10", 0.1, "0.1"),
        ("1.200,50 $", 1200.5, "1200.5"),
        ("1.2E+03", 1200, "1200"),
        ("40 USD", "40 USD", "40"),
        ("US$\u00a040.00", 40, "40"),
        ("33.33", 33.333333333, "33.333333333"),
        ("40", "40", "40"),
        ("$40", "$40", "40"),
        ("1,200.50", "1,200.50", "1200.5"),
        ("1,234,567", "1,234,567", "1234567"),
        ("0.000001", 1e-06, "0.000001"),
        (" 40.00 ", " 40.00 ", "40"),
    ],
)
def test_prices_that_are_unambiguous_are_read(tmp_path: Path, shown: str, kept: object, usd: str) -> None:
    """A stored number counts as it is; text counts when it can mean only one amount."""
    rows, rejects = subscription(tmp_path, "price_usd", shown, kept)
    assert not rejects, rejects
    assert rows[0]["price_usd"] == Decimal(usd)


@pytest.mark.parametrize(
    "text", ["1.200,50", "40,00", "40 US", "1,20", "12,00.50", "1 200", "forty", "40 %", "1,2345", "NaN", "Infinity", "1e3", "#N/A", "-1"]
)
def test_prices_that_could_mean_two_amounts_are_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    """1.200,50 is 1200.50 in Berlin and nothing in Boston: refused, not guessed."""
    rows, rejects = subscription(tmp_path, "price_usd", text)
    assert not rows
    assert {(r["record_number"], r["column_name"], r["value"]) for r in rejects} == {(2, "price_usd", text)}
    assert all(r["remedy"].endswith(".") for r in rejects)


@pytest.mark.parametrize(
    "text",
    [
        "1/5/2026",
        "5.1.2026",
        "2026-1-5",
        "Jan 5 2026",
        "2026-02-30",
        "20260230",
        "2026-01",
        "202601",
        "2026",
        "2026-01-05T00:00:00",
        "today",
    ],
)
def test_dates_that_could_mean_two_days_are_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    """1/5/2026 is January in one country and May in another."""
    rows, rejects = subscription(tmp_path, "valid_from", text)
    assert not rows
    assert {(r["column_name"], r["value"]) for r in rejects} == {("valid_from", text)}
    assert any("2026-01-31" in r["remedy"] for r in rejects)


def test_names_keep_their_leading_zeros(tmp_path: Path) -> None:
    """ "007" is a name, also where the sheet stores the number 7 and displays 007."""
    rows, _ = read(
        tmp_path, API_KEYS, [["api_key_name", "email"], ["007", "a@example.com"]], [["api_key_name", "email"], [7, "a@example.com"]]
    )
    assert rows[0]["api_key_name"] == "007"


def test_counts_are_whole_numbers(tmp_path: Path) -> None:
    header = ["activity_date", "email", "conversations"]
    rows, rejects = read(
        tmp_path,
        CLAUDE_AI_USAGE,
        [
            header,
            ["2026-11-01", "a@example.com", "3"],
            ["2026-11-01", "a@example.com", "3.0"],
            ["2026-11-01", "a@example.com", "3.5"],
            ["2026-11-01", "a@example.com", "-3"],
            ["2026-11-01", "a@example.com", ""],
        ],
        [
            header,
            ["2026-11-01", "a@example.com", 3],
            ["2026-11-01", "a@example.com", 3.0],
            ["2026-11-01", "a@example.com", 3.5],
            ["2026-11-01", "a@example.com", -3],
        ],
    )
    assert [(r["sheet_row"], r["conversations"]) for r in rows] == [(2, 3), (3, 3), (6, None)]
    assert {r["record_number"] for r in rejects} == {4, 5}


@pytest.mark.parametrize("text", ["nobody", "a@b", "a b@example.com", "a@example.com, b@example.com", "@example.com", "a@@example.com"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    rows, rejects = read(tmp_path, API_KEYS, [["api_key_name", "email"], ["k", text], ["l", "ok@example.com"]])
    assert [r["api_key_name"] for r in rows] == ["l"]
    assert {(r["record_number"], r["column_name"], r["value"]) for r in rejects} == {(2, "email", text)}


@pytest.mark.parametrize(
    ("seats", "email", "fine"), [("2", "", True), ("", "a@example.com", True), ("2", "a@example.com", False), ("", "", False)]
)
def test_a_subscription_names_seats_or_one_person(tmp_path: Path, seats: str, email: str, fine: bool) -> None:
    rows, rejects = read(
        tmp_path, SUBSCRIPTIONS, [["platform", "plan", "seats", "email", "price_usd"], ["cursor", "B", seats, email, "40"]]
    )
    assert bool(rows) is fine and bool(rejects) is not fine


def test_a_period_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    header = ["api_key_name", "email", "valid_from", "valid_to"]
    rows, rejects = read(
        tmp_path, API_KEYS, [header, ["a", "a@example.com", "2026-02-01", "2026-01-31"], ["b", "a@example.com", "2026-02-01", "2026-02-01"]]
    )
    assert [r["api_key_name"] for r in rows] == ["b"] and [r["column_name"] for r in rejects] == ["valid_to"]


@pytest.mark.parametrize("written", ["Claude.ai", "claude ai", "CLAUDE_AI", "claude-ai"])
def test_platforms_are_folded_to_one_name(tmp_path: Path, written: str) -> None:
    assert subscription(tmp_path, "platform", written)[0][0]["platform"] == "claude_ai"


def test_credits_may_be_negative_and_cost_types_are_a_closed_list(tmp_path: Path) -> None:
    header = ["platform", "invoice_month", "amount_usd", "cost_type"]
    rows, rejects = read(tmp_path, INVOICES, [header, ["cursor", "2026-10-01", "-12.34", "Credit"], ["cursor", "2026-10-01", "1", "gift"]])
    assert [(r["amount_usd"], r["cost_type"]) for r in rows] == [(Decimal("-12.34"), "credit"), (Decimal(1), None)]
    assert not rejects, "money that can be read counts, whatever kind it is"
    assert [(line["c"], line["v"]) for line in json.loads(rows[1]["unread"])] == [("cost_type", "gift")]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
def test_every_template_is_accepted_by_the_reader(tmp_path: Path, endpoint: Endpoint) -> None:
    """What docs/templates/ offers as an example is a good row, and names every column."""
    import csv
    import io

    cells = list(csv.reader(io.StringIO(template(endpoint.name))))
    rows, rejects = read(tmp_path, endpoint, cells)
    assert len(rows) == 1 and not rejects
    unwritten = {"usage_date", "fetch_id", "fetched_at", "ingest_date", "extra", "sheet_row", "unread", "written_amount"}
    assert set(cells[0]) == {c.name for c in endpoint.table.columns} - unwritten


@pytest.mark.parametrize(("shown", "kept"), [("-5", -5), ("(240.00)", -240), ("-240,00 €", -240), ("0", 0)])
def test_a_budget_below_nothing_is_refused(tmp_path: Path, shown: str, kept: int) -> None:
    """No cost can keep to it, and no share of it can be told. Nothing at all may be a budget."""
    header = ["month", "department", "budget_usd"]
    rows, rejects = read(tmp_path, BUDGETS, [header, ["2026-11", "Eng", shown]], [header, ["2026-11", "Eng", kept]])
    assert (len(rows), [r["reason"] for r in rejects]) == ((1, []) if kept == 0 else (0, ["is below 0"]))


def test_budget_cells_that_are_empty_mean_all(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, BUDGETS, [["month", "department", "platform", "budget_usd"], ["2026-11-01", "", "", "100"]])
    assert (rows[0]["department"], rows[0]["platform"], rows[0]["budget_usd"]) == (None, None, 100)
