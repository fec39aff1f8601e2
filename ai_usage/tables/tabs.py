"""The Google Sheet's tabs as tables, and what becomes of them in the common shapes.

Belongs here: one declaration for each tab. Does not belong here: which rows of a tab count (`sheet.py`).
"""

from __future__ import annotations

from ai_usage.tables.raw import raw_table
from ai_usage.tables.schema import Column, Personal, Table, count, date, email, integer, numeric, string, usd
from ai_usage.tables.staging import STAGING_COST, STAGING_USAGE, staging

SHEET_ROW = integer("sheet_row", "The row in the tab as a person counts it; the header is row 1.", nullable=False)

_UNREAD = string(
    "unread",
    "Cells of the row that could not be read and count as empty: a JSON array of c column, v what stands there, r reason, m remedy.",
    personal=Personal.RECORD,
)

# Money that is not written in US dollars: the table's column in USD is then NULL, and staging converts by the month's rate.
_WRITTEN = (
    string("currency", "ISO code of the currency of `written_amount`; NULL is US dollars."),
    numeric("written_amount", "The amount as written, in `currency`; NULL where it is written in US dollars."),
)


def _sheet(tab: str, description: str, grain: str, columns: tuple[Column, ...]) -> Table:
    return raw_table(f"raw_sheet_{tab}", description, grain, (SHEET_ROW, *columns, _UNREAD), key=("usage_date", "fetch_id", "sheet_row"))


raw_sheet_api_keys = _sheet(
    "api_keys",
    "Sheet tab `api_keys`: who answers for which API key.",
    "one row of the tab in one snapshot",
    (
        string("api_key_name", "The key's name in the vendor's console, or its id.", nullable=False),
        email("email", "The owner's e-mail.", nullable=False),
        string("description", "What the key is for."),
        date("valid_from", "First UTC day of this ownership; NULL is from the beginning."),
        date("valid_to", "Last UTC day of this ownership; NULL is until further notice."),
    ),
)

raw_sheet_people = _sheet(
    "people",
    "Sheet tab `people`: names, departments and cost centers, and when they held.",
    "one row of the tab in one snapshot",
    (
        email("email", "The person's main e-mail.", nullable=False),
        string("first_name", "First name.", personal=Personal.NAME),
        string("last_name", "Last name.", personal=Personal.NAME),
        string("department", "Department."),
        string("cost_center", "Cost center."),
        string("aliases", "Other e-mails of the same person, separated by ; or ,.", personal=Personal.ADDRESSES),
        string("kind", "person, or service for a machine's account; NULL is not said."),
        date("valid_from", "First UTC day of this assignment; NULL is from the beginning."),
        date("valid_to", "Last UTC day of this assignment; NULL is until further notice."),
    ),
)

raw_sheet_claude_ai_usage = _sheet(
    "claude_ai_usage",
    "Sheet tab `claude_ai_usage`: claude.ai activity that no API gives on the Team plan.",
    "one row of the tab in one snapshot",
    (
        date("activity_date", "The UTC day of the activity.", nullable=False),
        email("email", "The person's e-mail.", nullable=False),
        count("conversations", "Conversations.", "conversations"),
        count("messages", "Messages.", "messages"),
        count("projects", "Projects used.", "projects"),
        count("files", "Files uploaded.", "files"),
    ),
)

raw_sheet_subscriptions = _sheet(
    "subscriptions",
    "Sheet tab `subscriptions`: seats and flat fees.",
    "one row of the tab in one snapshot",
    (
        string("platform", "claude_api, claude_code, claude_ai, cursor or another.", nullable=False),
        string("plan", "The plan's name."),
        count("seats", "Seats bought; empty when the row names one person.", "seats"),
        email("email", "The person whose seat it is; empty when the row counts seats."),
        usd("price_usd", "Price of one seat for one calendar month; NULL where it is written in another currency.", minimum=0),
        date("valid_from", "First UTC day paid; NULL is from the beginning."),
        date("valid_to", "Last UTC day paid; NULL is until further notice."),
        string("contract_id", "Tells two blocks of one plan apart that are both paid."),
        *_WRITTEN,
    ),
)

raw_sheet_invoices = _sheet(
    "invoices",
    "Sheet tab `invoices`: what vendors billed.",
    "one row of the tab in one snapshot",
    (
        string("platform", "The platform invoiced.", nullable=False),
        date("invoice_month", "Any day of the month invoiced.", nullable=False),
        string("invoice_number", "The vendor's invoice number."),
        string("description", "The invoice line."),
        usd("amount_usd", "Amount of the line; NULL where it is written in another currency."),
        string("cost_type", "usage, subscription, overage, credit, tax or adjustment."),
        *_WRITTEN,
    ),
)

raw_sheet_budgets = _sheet(
    "budgets",
    "Sheet tab `budgets`: what may be spent.",
    "one row of the tab in one snapshot",
    (
        date("month", "Any day of the month.", nullable=False),
        string("department", "Department; empty is all."),
        string("platform", "Platform; empty is all."),
        usd("budget_usd", "Budget; NULL where it is written in another currency.", minimum=0),
        *_WRITTEN,
    ),
)

raw_sheet_adjustments = _sheet(
    "adjustments",
    "Sheet tab `adjustments`: money that finance books by hand, each row with its author and its reason.",
    "one row of the tab in one snapshot",
    (
        date("adjustment_date", "The UTC day that it belongs to.", nullable=False),
        string("platform", "claude_api, claude_code, claude_ai, cursor or another.", nullable=False),
        usd("amount_usd", "Added to the cost; negative lowers it; NULL where it is written in another currency."),
        string("cost_type", "adjustment, credit or tax; empty is adjustment."),
        email("email", "The person whose cost it is; empty is nobody's."),
        string("author", "Who decided it."),
        string("reason", "Why."),
        string("reference", "Tells two adjustments apart that are alike in everything else: a credit note's number."),
        *_WRITTEN,
    ),
)

raw_sheet_fx_rates = _sheet(
    "fx_rates",
    "Sheet tab `fx_rates`: what a unit of another currency costs in US dollars, kept by a person.",
    "one row of the tab in one snapshot",
    (
        date("month", "Any day of the month whose cost is converted.", nullable=False),
        string("currency", "ISO code of the currency.", nullable=False),
        usd("usd", "US dollars for one unit of the currency.", nullable=False),
    ),
)

stg_sheet_usage = staging("stg_sheet_usage", "claude.ai activity kept by hand, in the common shape.", STAGING_USAGE, "usage_date")

stg_sheet_cost = staging(
    "stg_sheet_cost", "Seats and flat fees, spread over the days of each month, in the common shape.", STAGING_COST, "cost_date"
)

stg_adjustments_cost = staging("stg_adjustments_cost", "Manual adjustments in the common shape.", STAGING_COST, "cost_date")

RAW: tuple[Table, ...] = (
    raw_sheet_api_keys,
    raw_sheet_people,
    raw_sheet_claude_ai_usage,
    raw_sheet_subscriptions,
    raw_sheet_invoices,
    raw_sheet_budgets,
    raw_sheet_adjustments,
    raw_sheet_fx_rates,
)

STAGING: tuple[Table, ...] = (
    stg_sheet_usage,
    stg_sheet_cost,
    stg_adjustments_cost,
)
