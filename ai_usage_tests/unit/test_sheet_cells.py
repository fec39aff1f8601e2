"""Cells as people and formulas leave them: a currency in a format, a number among dates, what nobody sees. No cell ends a run, none is guessed."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.google_sheets import cells
from ai_usage.sources.google_sheets.records import (
    ADJUSTMENTS,
    API_KEYS,
    BUDGETS,
    ENDPOINTS,
    FX_RATES,
    INVOICES,
    PEOPLE,
    SUBSCRIPTIONS,
    columns,
    tab_rows,
)
from ai_usage_tests.fixtures.desk import read_tab as read


def one(spool: Path, endpoint: Endpoint, **given: Any) -> tuple[list[dict], list[dict]]:
    """One row; a cell given as (displayed, stored) stores something else than it shows."""
    pairs = [cell if isinstance(cell, tuple) else (cell, cell) for cell in given.values()]
    header = list(given)
    return read(spool, endpoint, [header, [shown for shown, _ in pairs]], [header, [kept for _, kept in pairs]])


def unread(row: dict) -> list[tuple[str, str]]:
    return [(line["c"], line["v"]) for line in json.loads(row["unread"] or "[]")]


# Currency -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "kept", "currency"),
    [
        ("240,00 €", 240, "EUR"), ("240,00\u00a0€", 240, "EUR"), ("€ 240", "€ 240", "EUR"), ("240 EUR", "240 EUR", "EUR"), ("CHF 240.00", 240, "CHF"),
        ("Fr. 240.00", 240, "CHF"), ("£240.00", 240, "GBP"), ("240,00 zł", 240.0, "PLN"), ("CA$240.00", 240, "CAD"), ("$240.00 AUD", 240, "AUD"),
        ("R$ 240,00", 240, "BRL"), ("[EUR] 240", 240, None), ("240.00 SEK", 240, "SEK"), ("\u200e240\u202f€", 240, "EUR"),
    ],
)  # fmt: skip
def test_a_currency_is_seen_in_the_format_and_in_the_text(tmp_path: Path, shown: str, kept: object, currency: str | None) -> None:
    """In every tab that holds money: never relabelled as dollars. A sign that is no currency is refused."""
    for endpoint, money, rest in (
        (SUBSCRIPTIONS, "price_usd", {"platform": "cursor", "plan": "B", "seats": "2"}),
        (INVOICES, "amount_usd", {"platform": "cursor", "invoice_month": "2026-10"}),
        (BUDGETS, "budget_usd", {"month": "2026-10"}),
        (ADJUSTMENTS, "amount_usd", {"adjustment_date": "2026-10-31", "platform": "cursor", "author": "A", "reason": "R"}),
    ):
        rows, rejects = one(tmp_path, endpoint, **rest, **{money: (shown, kept)})
        if currency is None:
            assert not rows and [(r["column_name"], r["value"]) for r in rejects] == [(money, shown)]
        else:
            assert not rejects
            assert (rows[0][money], rows[0]["written_amount"], rows[0]["currency"]) == (None, 240, currency)


@pytest.mark.parametrize("shown", ["¥240", "240 kr", "24%", "240 per seat", "K 240"])
def test_a_sign_that_several_currencies_use_or_none_is_refused(tmp_path: Path, shown: str) -> None:
    rows, rejects = one(tmp_path, BUDGETS, month="2026-10", budget_usd=(shown, 240))
    assert not rows and [r["column_name"] for r in rejects] == ["budget_usd"]


@pytest.mark.parametrize(
    ("shown", "kept", "agree"),
    [
        ("2026-11-01", 46327, False), ("01.11.2026", 46327, False), ("2026", 46327, False), ("46327", 46327, True), ("24.0", 24_000, False),
        ("2.345", 2345, True), ("2,345", 2.345, True), ("2.345,10", 2345.1, True), ("2,34,567.00", 234_567, True), (".50", 0.5, True),
        ("(1'200.50)", 1200.5, True), ("240", 240.4, True), ("240", 242, False), ("٢٤٠", 240, True), ("1.2E+03", 1200, True),
    ],
)  # fmt: skip
def test_a_cell_that_displays_another_number_than_it_holds_is_refused(tmp_path: Path, shown: str, kept: float, agree: bool) -> None:
    """A date format on a number is the usual cause: 2026-11-01 is stored as 46327, which is no price."""
    rows, rejects = one(tmp_path, INVOICES, platform="cursor", invoice_month="2026-10", amount_usd=(shown, kept))
    assert ([r["amount_usd"] for r in rows], [r["column_name"] for r in rejects]) == (
        ([Decimal(str(kept))], []) if agree else ([], ["amount_usd"])
    )


@pytest.mark.parametrize("label", ["Total", "GRAND TOTAL:", "Sum", "sub-total"])
def test_a_row_that_sums_the_others_is_no_money(tmp_path: Path, label: str) -> None:
    """Seats of 2 x 40 and 3 x 30 with a total of 5 and 170 below them are five seats for 170 USD, not ten."""
    header = ["platform", "plan", "seats", "price_usd"]
    grid = [header, ["cursor", "Business", "2", "40"], ["claude_ai", "Team", "3", "30"], [label, "", "5", "170"]]
    rows, rejects = read(tmp_path, SUBSCRIPTIONS, grid)
    assert sum(r["seats"] * r["price_usd"] for r in rows) == 170
    assert {(r["record_number"], r["column_name"], r["value"]) for r in rejects if not r["is_counted"]} >= {(4, "platform", label)}


def test_a_column_of_currencies_speaks_for_plain_numbers_and_against_no_sign(tmp_path: Path) -> None:
    """240 with EUR beside it is 240 euros; a bare $ is what CAD shows at home; $ beside EUR is a contradiction; #N/A is no currency."""
    header = ["month", "budget_usd", "currency"]
    displayed = [header, ["2026-10", "240", "eur"], ["2026-10", "$240", "CAD"], ["2026-10", "$240", "EUR"], ["2026-10", "240", "#N/A"]]
    rows, rejects = read(tmp_path, BUDGETS, displayed, [header, *([m, 240, c] for m, _, c in displayed[1:])])
    assert [(r["sheet_row"], r["currency"], r["written_amount"]) for r in rows] == [(2, "EUR", 240), (3, "CAD", 240)]
    assert [(r["record_number"], r["column_name"]) for r in rejects] == [(4, "budget_usd"), (5, "currency")]


@pytest.mark.parametrize(
    ("shown", "code", "fits"),
    [
        ("¥240", "JPY", True), ("¥240", "CNY", True), ("¥240", "EUR", False), ("240 kr", "SEK", True), ("240 kr.", "DKK", True), ("240 kr", "NOK", True),
        ("240 kr", "PLN", False), ("Rs. 240", "INR", True), ("₨240", "PKR", True), ("$240", "CAD", True), ("$240", "EUR", False), ("240 ¤¤", "EUR", False),
    ],
)  # fmt: skip
def test_a_sign_that_several_currencies_use_means_the_one_that_the_column_says(tmp_path: Path, shown: str, code: str, fits: bool) -> None:
    """The remedy for a sign that does not say which is to write the code: who did so is understood, in a number cell and in text."""
    for kept in (240, shown):
        rows, rejects = one(tmp_path, BUDGETS, month="2026-10", budget_usd=(shown, kept), currency=code)
        assert [(r["currency"], r["written_amount"]) for r in rows] == ([(code, 240)] if fits else [])
        assert fits or [r["column_name"] for r in rejects] == ["budget_usd"]


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("1,234", ("1234", "1.234")), ("12.345 €", ("12345", "12.345")), ("1.234", ("1234", "1.234")), ("-999.000", ("999000", "999.000")),
        ("($1,234)", None), ("0.125", "0.125"), ("1234.567", "1234.567"), ("1,200.50", "1200.5"), ("1,234,567", "1234567"), ("1,234.567", "1234.567"),
        ("12.3456", "12.3456"), ("1.23", "1.23"),
    ],
)  # fmt: skip
def test_one_separator_before_three_digits_is_not_guessed(text: str, readings: tuple[str, str] | str | None) -> None:
    """1,234 is a thousand and more in Boston and little more than one in Berlin; 1.234 is so the other way round. Text alone does not say which."""
    if isinstance(readings, str):
        assert cells.money(text, text) == (Decimal(readings), "USD")
    else:
        with pytest.raises(cells.Unread) as caught:
            cells.money(text, text)
        assert all(reading in caught.value.reason and reading in caught.value.remedy for reading in readings or ())


def test_a_count_and_a_rate_are_not_guessed_either(tmp_path: Path) -> None:
    """1.000 seats are one or a thousand. A rate of 1.085 can only be that: no currency is worth 1085 dollars."""
    rows, rejects = one(tmp_path, SUBSCRIPTIONS, platform="cursor", plan="B", price_usd="5", seats="1.000")
    assert not rows and "1000" in rejects[0]["reason"]
    assert one(tmp_path, SUBSCRIPTIONS, platform="cursor", plan="B", price_usd="5", seats=("1.000", 1000))[0][0]["seats"] == 1000
    assert one(tmp_path, FX_RATES, month="2026-10", currency="EUR", usd="1.085")[0][0]["usd"] == Decimal("1.085")


def test_a_hidden_number_counts(tmp_path: Path) -> None:
    """A format such as ;;; displays nothing of the 12.5 that is stored."""
    rows, rejects = one(tmp_path, INVOICES, platform="cursor", invoice_month="2026-10", amount_usd=("", 12.5))
    assert [r["amount_usd"] for r in rows] == [Decimal("12.5")] and not rejects


def test_a_rate_is_dollars_for_one_unit(tmp_path: Path) -> None:
    header = ["month", "currency", "usd"]
    written = [
        ["2026-10", "€", "1.08"],
        ["2026-10-01", "USD", "1"],
        ["2026-10", "GBP", "0"],
        ["2026-10", "JPY", "€0.006"],
        ["2026-10", "X", "1"],
    ]
    rows, rejects = read(tmp_path, FX_RATES, [header, *written])
    assert [(r["month"], r["currency"], r["usd"]) for r in rows] == [(date(2026, 10, 1), "EUR", Decimal("1.08"))]
    assert {r["record_number"] for r in rejects} == {3, 4, 5, 6}


# Text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "invisible", ["\u200b", "\ufeff", "\u00ad", "\u2060", "\u202e", "\ufe0f", "\u034f", "\u3164", "\U000e0041", "\x00", "\ud83d"]
)
def test_what_nobody_sees_makes_no_other_name(tmp_path: Path, invisible: str) -> None:
    """In an address, a name, a platform, a column's heading and a number alike."""
    shown = [[f"Em{invisible}ail", "Department"], [f"farah{invisible}@example.com", f"{invisible}Da{invisible}ta"]]
    rows, rejects = read(tmp_path, PEOPLE, shown)
    assert [(r["email"], r["department"]) for r in rows] == [("farah@example.com", "Data")] and not rejects
    rows, _ = one(tmp_path, BUDGETS, month="2026-10", platform=f"Cur{invisible}sor", budget_usd=f"24{invisible}0")
    assert [(r["platform"], r["budget_usd"]) for r in rows] == [("cursor", 240)]


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\t", "\n", "\u3000", "  "])
def test_every_blank_is_one_space(tmp_path: Path, blank: str) -> None:
    rows, _ = one(tmp_path, PEOPLE, email=f"{blank}a@example.com{blank}", department=f"Data{blank}Science")
    assert (rows[0]["email"], rows[0]["department"]) == ("a@example.com", "Data Science")


def test_composed_and_decomposed_letters_are_one_name() -> None:
    assert cells.plain("Zoe\u0308") == cells.plain("Zo\u00eb") == "Zo\u00eb"


@pytest.mark.parametrize(
    "nothing", ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#ERROR!", "null", "None", "-", "\u2014", "n/a", "Loading..."]
)
def test_what_says_that_nothing_is_known_is_unknown(tmp_path: Path, nothing: str) -> None:
    """A department is NULL, and a formula's error is listed; a key's name is needed; a budget for an unknown department is not the company's."""
    rows, _ = one(tmp_path, PEOPLE, email="a@example.com", Department=nothing)
    assert rows[0]["department"] is None
    assert unread(rows[0]) == ([("Department", nothing)] if nothing.startswith("#") else [])
    rows, rejects = one(tmp_path, API_KEYS, api_key_name=nothing, email="a@example.com")
    assert not rows and [(r["column_name"], r["value"]) for r in rejects] == [("api_key_name", nothing)]
    rows, rejects = one(tmp_path, BUDGETS, month="2026-10", department=nothing, budget_usd="5")
    assert not rows and [(r["column_name"], r["value"]) for r in rejects] == [("department", nothing)]


def test_several_addresses_of_one_cell_are_told_apart_and_what_is_none_is_listed(tmp_path: Path) -> None:
    """As people part them, and as mail programs write them."""
    rows, rejects = one(
        tmp_path, PEOPLE, email="Ana <ana@example.com>", aliases="a@x.com|b@x.com, Ana B <c@x.com>; d@x.com\ne@x.com nobody; f@"
    )
    assert (rows[0]["email"], rows[0]["aliases"]) == ("ana@example.com", "a@x.com; b@x.com; c@x.com; d@x.com; e@x.com")
    assert unread(rows[0]) == [("aliases", "nobody"), ("aliases", "f@")] and not rejects


def test_a_row_whose_money_can_be_read_counts_whatever_else_it_lacks(tmp_path: Path) -> None:
    """Law: unattributed if need be. What lacks is listed by the sheet's own heading."""
    rows, rejects = one(tmp_path, SUBSCRIPTIONS, platform="#REF!", plan="", Price=("$30.00", 30), email="nobody")
    assert not rejects
    assert (rows[0]["platform"], rows[0]["price_usd"], rows[0]["email"], rows[0]["seats"]) == ("other", 30, None, 1)
    assert unread(rows[0]) == [("platform", "#REF!"), ("plan", None), ("email", "nobody")]
    rows, rejects = one(
        tmp_path, ADJUSTMENTS, adjustment_date="2026-10-31", platform="cursor", amount_usd="-5", author="", reason="", cost_type="gift"
    )
    assert not rejects and (rows[0]["amount_usd"], rows[0]["author"], rows[0]["cost_type"]) == (-5, None, None)


# Days ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "month", "day"),
    [
        (202611, date(2026, 11, 1), None), (20261103, date(2026, 11, 3), date(2026, 11, 3)), (46329, date(2026, 11, 3), date(2026, 11, 3)),
        (2026, None, None), (11, None, None), (0.5, None, None), (-46329, None, None), (1e308, None, None), (10**30, None, None), (True, None, None),
        ("2026-11", date(2026, 11, 1), None), ("202611", date(2026, 11, 1), None), ("20261103", date(2026, 11, 3), date(2026, 11, 3)),
        (20261301, None, None), (202600, None, None), ("2062", None, None), ("1926-11-01", None, None), ("2126-11-01", None, None),
        ({"a": 1}, None, None), ([46329], None, None),
    ],
)  # fmt: skip
def test_a_number_in_a_column_of_dates_is_judged(tmp_path: Path, typed: Any, month: date | None, day: date | None) -> None:
    """46329 is 2026-11-03 as Google counts. A month is asked in budgets, a day in adjustments; the rows beside it load."""
    shown = typed if isinstance(typed, str | dict | list) else str(typed)
    for endpoint, column, rest, right in (
        (BUDGETS, "Month", {"budget_usd": 5}, month),
        (ADJUSTMENTS, "Adjustment Date", {"platform": "cursor", "amount_usd": 5, "author": "A", "reason": "R"}, day),
    ):
        header = [column, *rest]
        good = ["2026-10-01", *rest.values()]
        stored = [header, [typed, *rest.values()], good]
        rows, rejects = read(tmp_path, endpoint, [header, [shown, *map(str, rest.values())], list(map(str, good))], stored)
        name = column.lower().replace(" ", "_")
        assert [r[name] for r in rows] == [*([right] if right else []), date(2026, 10, 1)]
        assert [(r["record_number"], r["column_name"]) for r in rejects] == ([] if right else [(2, column)])


@pytest.mark.parametrize("shown", ["$45,962.00", "45.962,00 €", "USD 45962", "45962 kr", "Fr. 45'962.00"])
def test_an_amount_of_money_is_no_day(tmp_path: Path, shown: str) -> None:
    """45962 is 2025-11-01 as Google counts, and $45,962.00 is an amount that slipped into the column of days. A weekday is no currency: Fr."""
    rows, rejects = one(tmp_path, BUDGETS, month=(shown, 45962), budget_usd="5")
    assert not rows and [(r["column_name"], r["value"]) for r in rejects] == [("month", shown)]
    rows, _ = one(tmp_path, BUDGETS, month=("Fr. 20.11.2026", 46346), budget_usd="5")
    assert rows[0]["month"] == date(2026, 11, 20)


def test_a_last_day_may_be_never(tmp_path: Path) -> None:
    rows, _ = one(tmp_path, API_KEYS, api_key_name="k", email="a@example.com", valid_from="1999-05-01", valid_to=("12/31/9999", 2958465))
    assert (rows[0]["valid_from"], rows[0]["valid_to"]) == (date(1999, 5, 1), date(9999, 12, 31))
    assert one(tmp_path, API_KEYS, api_key_name="k", email="a@example.com", valid_from="9999-12-31")[0] == []


def test_what_is_dragged_down_a_column_is_no_data(tmp_path: Path) -> None:
    """Checkboxes, zeros, a chosen platform, a look-up's error: 200 rows of these and nothing else are empty rows."""
    header = ["platform", "plan", "seats", "email", "price_usd", "active?", "paid"]
    shown = [["cursor", "Business", "2", "", "40", "TRUE", "x"]] + [["cursor", "", "0", "#N/A", "", "FALSE", ""]] * 199
    stored = [["cursor", "Business", 2, "", 40, True, "x"]] + [["cursor", "", 0, "#N/A", "", False, ""]] * 199
    rows, rejects = read(tmp_path, SUBSCRIPTIONS, [header, *shown], [header, *stored])
    assert [r["sheet_row"] for r in rows] == [2] and not rejects


def test_a_checkbox_where_a_value_belongs_is_named(tmp_path: Path) -> None:
    rows, rejects = one(tmp_path, SUBSCRIPTIONS, platform="cursor", plan="B", seats=("TRUE", True), price_usd="40")
    assert not rows and [(r["column_name"], r["value"]) for r in rejects] == [("seats", "TRUE")]


# Anything -----------------------------------------------------------------------------------------------------------

_WILD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(18_000, 80_000), st.floats(), st.text(max_size=12),
    st.sampled_from(["", "2026-11-01", "2026-11", "240", "240 €", "$1,200.50", "a@example.com", "cursor", "#N/A", "-", "null", "1e400", "\ud800", "\u200b", "EUR"]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
)  # fmt: skip


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_row_holds_it_counts_or_is_refused_by_name_and_never_both(
    tmp_path: Path, endpoint: Endpoint, data: st.DataObject
) -> None:
    """No cell raises; a refusal names row and column as the sheet does, and says why and what to do."""
    header = list(columns(endpoint.name))
    grid = data.draw(st.lists(st.lists(_WILD, max_size=len(header)), max_size=4))
    shown = [[c if isinstance(c, str) and data.draw(st.booleans()) else str(c) for c in row] for row in grid]
    records = tab_rows(endpoint, [header, *shown], [header, *grid])
    assert {r["sheet_row"] for r in records} <= set(range(2, len(grid) + 2)), "each row at most once"
    assert len(records) == len({r["sheet_row"] for r in records})
    for record in records:
        json.dumps(record, ensure_ascii=False).encode()
        for line in json.loads(record["refusals"] or "[]") + json.loads(record["unread"] or "[]"):
            assert line["c"] in header and line["r"] and line["m"].endswith(".")
        if endpoint in (SUBSCRIPTIONS, INVOICES, BUDGETS, ADJUSTMENTS) and not record["refusals"]:
            money = next(n for n in header if n.endswith("_usd"))
            assert (record[money] is None) == (record["currency"] is not None) == (record["written_amount"] is not None)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
def test_the_decoder_keeps_or_rejects_each_row_as_it_was_read(tmp_path: Path, endpoint: Endpoint) -> None:
    """Every wild value in every column, one at a time, beside a row of the tab's template: counted or rejected, the good row stays."""
    import csv
    import io

    from ai_usage.sources.google_sheets.records import template

    header, good = csv.reader(io.StringIO(template(endpoint.name)))
    wild = [
        None,
        True,
        0,
        -1,
        11,
        2026,
        202611,
        45962,
        1e308,
        float("nan"),
        10**40,
        "#N/A",
        "\ud800",
        "240 €",
        "¥5",
        [1],
        {"a": [2]},
        "x" * 70_000,
    ]
    grid = [[*good[:place], value, *good[place + 1 :]] for place in range(len(header)) for value in wild]
    shown = [[c if isinstance(c, str) else str(c) for c in row] for row in grid]
    records = tab_rows(endpoint, [header, good, *shown], [header, good, *grid])
    rows, rejects = read(tmp_path, endpoint, [header, good, *shown], [header, good, *grid])
    counted, refused = {r["sheet_row"] for r in rows}, {r["record_number"] for r in rejects}
    assert 2 in counted and not counted & refused and counted | refused == {r["sheet_row"] for r in records}
    assert {r["record_number"] for r in rejects} == {r["sheet_row"] for r in records if r["refusals"]}
