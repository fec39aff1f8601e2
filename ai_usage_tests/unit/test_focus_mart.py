"""vw_focus against answers worked out by hand: what each charge becomes in FOCUS's words, and that no money is lost on the way.

Belongs here: the mapping. Files are in `test_focus_files.py`; what the FOCUS project's validator says is in `e2e/test_focus_validator.py`.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from ai_usage import tables
from ai_usage_tests.fixtures.desk import Desk, filled
from ai_usage_tests.unit.test_sql_marts import ANA, BEN, cost

D, N = date, Decimal
DAY = D(2026, 11, 3)
CLAUDE = {"platform": "claude_api", "vendor": "Anthropic", "source": "anthropic_cost_report", "attribution": "token_share"}


def charges(desk: Desk, *names: str) -> list[tuple]:
    """Rows of these columns, cheapest first."""
    return [tuple(r.values()) for r in desk.ask(f"SELECT {', '.join(names)} FROM vw_focus ORDER BY BilledCost")]


def one(desk: Desk, *names: str) -> tuple:
    (row,) = charges(desk, *names)
    return row


def book(desk: Desk, *rows: dict[str, Any]) -> None:
    """The books as these rows and no others: what closed months and their corrections will hold."""
    declared = tables.BY_NAME["vw_cost_booked"]
    usual = {"vendor": "Cursor", "cost_type": "usage", "attribution": "unattributed", "settle_state": "settled", "source": "s"}
    data = filled(declared, [{**usual, **row} for row in rows])
    with duckdb.connect(str(desk.path)) as con:
        con.execute("DROP VIEW vw_cost_booked")
        con.execute(declared.duckdb_ddl())
        con.register("laid", data)
        con.execute(f"INSERT INTO vw_cost_booked SELECT {', '.join(declared.column_names)} FROM laid")


def usage_row(desk: Desk, *rows: dict[str, Any], day: date = DAY) -> None:
    """Anthropic's usage report of a day."""
    filled = [
        {"usage_date": day, "api_key_id": "apikey_1", "workspace_id": "w1", "model": "opus", "service_tier": "standard", **r} for r in rows
    ]
    desk.fetch("anthropic", "usage_report/messages", day, "raw_anthropic_usage", *filled)


def tokens(usd: str, **more: Any) -> dict[str, Any]:
    return cost(
        DAY, usd, more.pop("email", ANA),
        **{**CLAUDE, "api_key_id": "apikey_1", "workspace_id": "w1", "model": "opus", "token_type": "output_tokens", **more},
    )  # fmt: skip


def key_owner(desk: Desk, key: str = "apikey_1", email: str | None = ANA, name: str = "ci") -> None:
    desk.lay(
        "dim_api_keys",
        {
            "api_key_id": key,
            "api_key_name": name,
            "email": email,
            "valid_from": D(1900, 1, 1),
            "valid_to": D(9999, 12, 31),
            "owner_source": "sheet",
        },
    )


# Kinds of charges ---------------------------------------------------------------------------------------------------


@pytest.mark.either_engine
def test_each_kind_of_charge_has_its_category(desk: Desk) -> None:
    """Credits stay negative, seats are a recurring purchase counted in days, tax and credits have no price and nobody consumes a seat."""
    kinds = [("credit", "-5"), ("adjustment", "-1"), ("tax", "2"), ("usage", "3"), ("overage", "4"), ("subscription", "6")]
    desk.lay("fct_cost_daily", *(cost(DAY, usd, cost_type=kind) for kind, usd in kinds))
    shown = charges(
        desk, "x_CostType", "ChargeCategory", "ChargeFrequency", "PricingCategory", "PricingQuantity", "PricingUnit", "ConsumedQuantity",
        "ConsumedUnit", "SkuId", "SkuMeter",
    )  # fmt: skip
    nothing = (None,) * 5
    assert shown == [
        ("credit", "Credit", "One-Time", None, None, None, None, None, None, None),
        ("adjustment", "Adjustment", "One-Time", *nothing, None, None),
        ("tax", "Tax", "One-Time", *nothing, None, None),
        ("usage", "Usage", "Usage-Based", "Standard", 1, "Units", 1, "Units", "cursor/usage", "usage"),
        ("overage", "Usage", "Usage-Based", "Standard", 1, "Units", 1, "Units", "cursor/overage", "overage"),
        ("subscription", "Purchase", "Recurring", "Standard", 1, "Days", None, None, "cursor/subscription", "subscription"),
    ]
    assert charges(desk, "BilledCost", "EffectiveCost", "ContractedCost", "ListCost") == [(N(usd),) * 4 for _, usd in kinds]


@pytest.mark.either_engine
def test_a_charge_stands_in_its_day_and_month(desk: Desk) -> None:
    """The last day of a year: both periods end where the next begin."""
    desk.lay("fct_cost_daily", cost(D(2026, 12, 31), "1"))
    assert one(desk, "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd", "ChargeClass") == (
        datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), None,
    )  # fmt: skip


@pytest.mark.either_engine
def test_accounts_services_and_workspaces_are_named(desk: Desk) -> None:
    """Two invoices of Anthropic are two accounts; NULL is a name only for Anthropic's default workspace; a new vendor needs no code."""
    desk.fetch("anthropic", "workspaces", DAY, "raw_anthropic_workspaces", {"usage_date": DAY, "workspace_id": "w1", "name": "Production"})
    desk.lay(
        "fct_cost_daily",
        cost(DAY, "1", **CLAUDE, workspace_id="w1"),
        cost(DAY, "2", **CLAUDE),
        cost(DAY, "3", **CLAUDE, workspace_id="gone"),
        cost(DAY, "4", platform="claude_ai", vendor="Anthropic", cost_type="overage", source="claude_ai_spend"),
        cost(DAY, "5", platform="claude_code", vendor="Anthropic", source="claude_enterprise_cost"),
        cost(DAY, "6"),
        cost(DAY, "7", platform="copilot", vendor="GitHub"),
    )
    assert charges(desk, "BillingAccountId", "InvoiceIssuerName", "ServiceName", "SubAccountId", "SubAccountName") == [
        ("claude-console", "Anthropic", "Claude API", "w1", "Production"),
        ("claude-console", "Anthropic", "Claude API", "default", "Default"),
        ("claude-console", "Anthropic", "Claude API", "gone", "gone"),
        ("claude.ai", "Anthropic", "Claude", None, None),
        ("claude.ai", "Anthropic", "Claude Code", None, None),
        ("cursor", "Cursor", "Cursor", None, None),
        ("github", "GitHub", "copilot", None, None),
    ]


@pytest.mark.either_engine
def test_tags_are_json_whatever_a_sheet_holds_and_leave_out_what_is_unknown(desk: Desk) -> None:
    """A department with quotation marks, a backslash and a line break in it; a charge of nobody says only that."""
    desk.lay(
        "dim_user_assignments",
        {"email": ANA, "department": 'R"&"D \\ é\nX', "cost_center": "C,1", "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)},
    )
    key_owner(desk, name="ci")
    desk.lay("fct_cost_daily", cost(DAY, "1", api_key_id="apikey_1"), cost(DAY, "2", None))
    full, bare = (json.loads(tags) for (tags,) in charges(desk, "Tags"))
    assert full == {"ai_usage/attribution": "direct", "api_key": "ci", "cost_center": "C,1", "department": 'R"&"D \\ é X', "person": ANA}
    assert bare == {"ai_usage/attribution": "unattributed"}
    assert charges(desk, "ResourceId", "ResourceName", "x_Department", "x_UserEmail")[1] == (None, None, None, None)


# How much ------------------------------------------------------------------------------------------------------------


@pytest.mark.either_engine
def test_tokens_are_those_that_the_bill_prices(desk: Desk) -> None:
    """1,234,567 output tokens, 7 of them batch: priced by the million. Priority tier is in no cost report, so its tokens are not the charge's."""
    usage_row(
        desk, {"output_tokens": 1_234_560, "uncached_input_tokens": 5, "web_search_requests": 3}, {"output_tokens": 7, "service_tier": "batch"},
        {"output_tokens": 10**6, "service_tier": "priority"}, {"output_tokens": 50, "api_key_id": "apikey_2"},
    )  # fmt: skip
    key_owner(desk)
    desk.lay(
        "fct_cost_daily", tokens("1"), tokens("2", token_type="uncached_input_tokens"), tokens("3", token_type="web_search", model=None),
        tokens("4", token_type="code_execution", model=None),
    )  # fmt: skip
    assert charges(desk, "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "SkuId", "SkuPriceDetails") == [
        (1_234_567, "Tokens", N("1.234567"), "1000000 Tokens", "claude_api/usage/opus/output_tokens", '{"x_Model":"opus","x_TokenType":"output_tokens"}'),
        (5, "Tokens", N("0.000005"), "1000000 Tokens", "claude_api/usage/opus/uncached_input_tokens",
         '{"x_Model":"opus","x_TokenType":"uncached_input_tokens"}'),
        (3, "Requests", 3, "Requests", "claude_api/usage/web_search", '{"x_TokenType":"web_search"}'),
        (1, "Units", 1, "Units", "claude_api/usage/code_execution", '{"x_TokenType":"code_execution"}'),
    ]  # fmt: skip


@pytest.mark.either_engine
def test_a_quantity_is_never_said_twice(desk: Desk) -> None:
    """Two charges of what was measured once: neither can claim it, so each is its own unit."""
    usage_row(desk, {"output_tokens": 100})
    key_owner(desk)
    desk.lay("fct_cost_daily", tokens("1"), tokens("2", settle_state="provisional"))
    assert charges(desk, "ConsumedQuantity", "ConsumedUnit") == [(1, "Units"), (1, "Units")]


@pytest.mark.either_engine
def test_cursor_counts_the_requests_that_are_billed(desk: Desk) -> None:
    """Two of three events are chargeable; the writing of the address does not matter, in rows that were stored before it was read so either."""
    event = {"user_email": "Ana+x@Example.com", "model": "m"}
    unseen = {**event, "user_email": "Name <\u200bana@exam\u00adple.com>", "charged_usd": N(2)}
    desk.events(DAY, {**event, "charged_usd": N(1)}, unseen, {**event, "charged_usd": N(9), "is_chargeable": False})
    desk.lay("fct_cost_daily", cost(DAY, "3", model="m", source="cursor_events"))
    assert one(desk, "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit") == (2, "Requests", 2, "Requests")


@pytest.mark.either_engine
def test_list_cost_is_the_vendors_own_or_what_was_billed(desk: Desk) -> None:
    """claude.ai's report says gross beside net; where it leaves one out the sum is not known, and nothing is made up from price lists."""
    spent = {"usage_date": DAY, "period_start": DAY, "period_end": DAY, "net_usd": N(1), "requests": 2}
    desk.fetch(
        "claude_ai", "spend", DAY, "raw_claude_ai_spend", {**spent, "user_email": ANA, "gross_usd": N("1.25")},
        {**spent, "user_email": ANA, "gross_usd": N("1.5")}, {**spent, "user_email": BEN, "gross_usd": N(3)}, {**spent, "user_email": BEN},
        origin="upload",
    )  # fmt: skip
    line = {"platform": "claude_ai", "vendor": "Anthropic", "cost_type": "overage", "source": "claude_ai_spend"}
    desk.lay("fct_cost_daily", cost(DAY, "2", ANA, **line), cost(DAY, "2.1", BEN, **line))
    assert charges(desk, "BilledCost", "ContractedCost", "ListCost", "x_ListCostBasis", "ConsumedQuantity") == [
        (2, 2, N("2.75"), "vendor", 4),
        (N("2.1"), N("2.1"), N("2.1"), "billed", 4),
    ]


# Invoices and corrections ------------------------------------------------------------------------------------------


@pytest.mark.either_engine
@pytest.mark.parametrize(
    ("lines", "usage", "seats"),
    [
        ([], None, None),
        ([("INV-1", "usage"), ("INV-2", "subscription")], "INV-1", "INV-2"),
        ([("INV-1", "usage"), ("INV-1", "usage")], "INV-1", "INV-1"),  # one invoice for the month: it has the seats too
        ([("INV-1", None)], "INV-1", "INV-1"),  # a line without a kind is usage
        ([("INV-1", "usage"), ("INV-2", "usage")], None, None),
        ([("INV-1", "usage"), (None, "usage"), ("INV-2", "subscription")], None, "INV-2"),
        ([("INV-1", "tax"), ("INV-2", "credit")], None, None),
    ],
)  # fmt: skip
def test_an_invoice_is_named_where_the_tab_leaves_no_doubt(desk: Desk, lines: list, usage: str | None, seats: str | None) -> None:
    rows = [
        {"platform": "cursor", "invoice_month": D(2026, 11, 30), "invoice_number": number, "cost_type": kind, "amount_usd": N(1)}
        for number, kind in lines
    ]
    desk.tab("invoices", *rows, {"platform": "claude_api", "invoice_month": DAY, "invoice_number": "A-1", "cost_type": "usage", "amount_usd": N(1)},
             {"platform": "cursor", "invoice_month": D(2026, 10, 1), "invoice_number": "OLD", "cost_type": "usage", "amount_usd": N(1)})  # fmt: skip
    desk.lay("fct_cost_daily", cost(DAY, "1"), cost(DAY, "2", cost_type="subscription"))
    assert charges(desk, "InvoiceId") == [(usage,), (seats,)]


def test_a_correction_is_booked_later_and_says_what_it_corrects(desk: Desk) -> None:
    """October is closed at 10 USD; 2.5 of it are taken back in November. What was measured, and which invoice it is on, is not known of a correction."""
    desk.tab("invoices", {"platform": "cursor", "invoice_month": DAY, "invoice_number": "INV-11", "cost_type": "usage", "amount_usd": N(1)})
    october = {"cost_date": D(2026, 10, 9), "platform": "cursor", "model": "m", "user_email": ANA, "source": "cursor_events"}
    desk.events(D(2026, 10, 9), {"user_email": ANA, "model": "m", "charged_usd": N("7.5")})
    book(
        desk,
        {**october, "booked_on": D(2026, 10, 9), "booked_month": D(2026, 10, 1), "cost_usd": N(10), "is_correction": False, "settle_state": "closed",
         "note": None},
        {**october, "booked_on": D(2026, 11, 20), "booked_month": D(2026, 11, 1), "cost_usd": N("-2.5"), "is_correction": True, "note": "restated"},
    )  # fmt: skip
    month, day = "DATE(BillingPeriodStart)", "DATE(ChargePeriodStart)"
    shown = desk.ask(
        f"SELECT {month} AS m, {day} AS d, x_BookedOn, BilledCost, ListCost, ChargeCategory, ChargeClass, PricingQuantity, PricingUnit, ConsumedQuantity, "
        "ConsumedUnit, InvoiceId, x_Note, x_OriginalChargeDate, x_SettleState, ChargeDescription FROM vw_focus ORDER BY BilledCost"
    )
    correction, closed = (tuple(row.values()) for row in shown)
    assert correction == (
        D(2026, 11, 1), D(2026, 10, 9), D(2026, 11, 20), N("-2.5"), N("-2.5"), "Usage", "Correction", None, None, None, None, None, "restated",
        D(2026, 10, 9), "settled", "Correction: Cursor usage, m",
    )  # fmt: skip
    assert closed == (
        D(2026, 10, 1), D(2026, 10, 9), D(2026, 10, 9), 10, 10, "Usage", None, 1, "Requests", 1, "Requests", None, None, D(2026, 10, 9),
        "closed", "Cursor usage, m",
    )  # fmt: skip
