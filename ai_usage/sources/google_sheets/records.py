"""The tabs of the sheet: their columns, and how cells become records.

Belongs here: declarations, and the pure functions from rows of cells to records. People write these cells, so each rule
says what to write instead. Columns are found by name in any order; further columns are kept in `extra`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ai_usage.sources.endpoint import Endpoint, Field, Rule
from ai_usage.sources.errors import ContractError
from ai_usage.tables import raw
from ai_usage.tables.curated import COST_TYPES
from ai_usage.tables.schema import Table, Type

SOURCE = "google_sheets"
_EPOCH = date(1899, 12, 30)  # day 0 of a spreadsheet's serial dates
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


def _text(column: str) -> str:
    return f"nullif(trim(\"{column}\"), '')"


def _number(column: str, kind: str) -> str:
    """Plain numbers, and US thousands and dollar signs where they are unambiguous; anything else is refused, not guessed."""
    cell = f'trim("{column}")'
    plain = r"^-?\$?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$"
    return f"CASE WHEN regexp_full_match({cell}, '{plain}') THEN TRY_CAST(regexp_replace({cell}, '[$,]', '', 'g') AS {kind}) END"


def _day(column: str) -> str:
    """Only 2026-01-31: 1/5/2026 is January in one country and May in another."""
    return f'CASE WHEN regexp_full_match(trim("{column}"), \'\\d{{4}}-\\d{{2}}-\\d{{2}}\') THEN TRY_CAST(trim("{column}") AS DATE) END'


def _email_rule(column: str, optional: bool = False) -> Rule:
    holds = f"regexp_full_match(trim(\"{column}\"), '{_EMAIL[1:-1]}')"
    empty = f"nullif(trim(\"{column}\"), '') IS NULL"
    return Rule(
        column, f"{empty} OR {holds}" if optional else holds, "is not an e-mail address", "Write one address like name@example.com."
    )


_PERIOD = Rule(
    "valid_to", '"c:valid_from" IS NULL OR "c:valid_to" IS NULL OR "c:valid_to" >= "c:valid_from"', "lies before valid_from",
    "Write the last day on or after the first one, or leave it empty.",
)  # fmt: skip


def _tab(table: Table, required: tuple[str, ...], rules: tuple[Rule, ...]) -> Endpoint:
    own = [c for c in table.columns if c not in raw.LINEAGE and c is not raw.SHEET_ROW]
    kinds = {Type.DATE: _day, Type.NUMERIC: lambda c: _number(c, "DECIMAL(38, 9)"), Type.INT64: lambda c: _number(c, "DOUBLE")}
    columns = {c.name: kinds.get(c.type, _text)(c.name) for c in own}
    whole = tuple(
        Rule(
            c.name,
            f"{columns[c.name]} IS NULL OR {columns[c.name]} = floor({columns[c.name]})",
            "is not a whole number",
            "Write a whole number.",
        )
        for c in own
        if c.type is Type.INT64
    )
    return Endpoint(
        source=SOURCE,
        name=table.name.removeprefix("raw_sheet_"),
        table=table,
        fields=(Field("sheet_row", "int", required=True), *(Field(c.name, required=c.name in required) for c in own)),
        columns=columns,
        rules=(*rules, *whole),
        record_number='"sheet_row"',
        remedy="Correct the cell in the sheet; the next run reads it again.",
        remedies={
            Type.DATE: "Write the day as 2026-01-31, or format the column as a date.",
            Type.NUMERIC: "Write a plain number like 1200.50, or format the column as a number.",
            Type.INT64: "Write a whole number like 12.",
        },
    )


_COST_TYPES = ", ".join(f"'{t}'" for t in COST_TYPES)
API_KEYS = _tab(raw.raw_sheet_api_keys, ("api_key_name", "email"), (_email_rule("email"), _PERIOD))
PEOPLE = _tab(raw.raw_sheet_people, ("email",), (_email_rule("email"), _PERIOD))
CLAUDE_AI_USAGE = _tab(raw.raw_sheet_claude_ai_usage, ("activity_date", "email"), (_email_rule("email"),))
SUBSCRIPTIONS = _tab(
    raw.raw_sheet_subscriptions, ("platform", "plan", "price_usd"),
    (
        _email_rule("email", optional=True), _PERIOD,
        Rule(
            "seats", '("c:seats" IS NULL) != ("c:email" IS NULL)', "needs either a number of seats or one e-mail, not both and not neither",
            "Fill in seats for a block of seats, or email for one person's seat.",
        ),
    ),
)  # fmt: skip
INVOICES = _tab(
    raw.raw_sheet_invoices, ("platform", "invoice_month", "amount_usd"),
    (
        Rule(
            "cost_type", f'"c:cost_type" IS NULL OR "c:cost_type" IN ({_COST_TYPES})', "is not a known cost type",
            f"Write one of {', '.join(COST_TYPES)}, or leave it empty.",
        ),
    ),
)  # fmt: skip
BUDGETS = _tab(raw.raw_sheet_budgets, ("month", "budget_usd"), ())
ADJUSTMENTS = _tab(
    raw.raw_sheet_adjustments, ("adjustment_date", "platform", "amount_usd", "author", "reason"),
    (
        _email_rule("email", optional=True),
        Rule(
            "cost_type", '"c:cost_type" IS NULL OR "c:cost_type" IN (\'adjustment\', \'credit\', \'tax\')', "is not a kind of adjustment",
            "Write adjustment, credit or tax, or leave it empty.",
        ),
    ),
)  # fmt: skip
ENDPOINTS = (API_KEYS, PEOPLE, CLAUDE_AI_USAGE, SUBSCRIPTIONS, INVOICES, BUDGETS, ADJUSTMENTS)
TABS = {endpoint.name: endpoint for endpoint in ENDPOINTS}

# What people call a column, beside its name.
SYNONYMS = {
    "user_email": "email", "e_mail": "email", "key_name": "api_key_name", "usage_date": "activity_date", "purpose": "description",
    "price": "price_usd", "amount": "amount_usd", "budget": "budget_usd", "invoice_no": "invoice_number",
}  # fmt: skip
_FOLDED = frozenset({"platform", "cost_type"})


def tab_rows(endpoint: Endpoint, displayed: Sequence[Sequence[Any]], stored: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows of cells as records keyed by column name, `sheet_row` included; empty rows are left out.

    Raises `ContractError` when a required column is missing or a column stands twice: then no row can be read.
    """
    if not displayed:
        return []
    columns = {c.name: c for c in endpoint.table.columns if c not in raw.LINEAGE}
    header = [_column_name(cell, columns) for cell in displayed[0]]
    required = [f.path for f in endpoint.fields if f.required and f.path != "sheet_row"]
    missing = [name for name in required if name not in header]
    if missing:
        raise ContractError(
            f"tab '{endpoint.name}' has no column {', '.join(map(repr, missing))} (its first row: {', '.join(h for h in header if h) or 'empty'}); "
            "name the column in row 1, any order will do."
        )
    twice = sorted({name for name in header if name in columns and header.count(name) > 1})
    if twice:
        raise ContractError(f"tab '{endpoint.name}' has the column {twice[0]!r} more than once; rename or delete one.")
    records = []
    for number, shown in enumerate(displayed[1:], start=2):
        kept = stored[number - 1] if number - 1 < len(stored) else []
        record: dict[str, Any] = {}
        for place, name in enumerate(header):
            text = str(shown[place]).strip() if place < len(shown) else ""
            if not name or not text:
                continue
            column = columns.get(name)
            value = kept[place] if place < len(kept) else text
            record[name] = text if column is None or column.type is Type.STRING else _stored(value, column.type)
            if name in _FOLDED:
                record[name] = text.lower().replace(" ", "_").replace("-", "_").replace(".", "_")
        if record:
            # Every known column is named, empty or not, so that an empty column is not a missing one.
            records.append({"sheet_row": number, **{f.path: record.pop(f.path, None) for f in endpoint.fields[1:]}, **record})
    return records


def _column_name(cell: Any, columns: dict[str, Any]) -> str:
    name = str(cell).strip().lower().replace(" ", "_").replace("-", "_")
    return SYNONYMS[name] if name not in columns and name in SYNONYMS else name


def _stored(value: Any, kind: Type) -> str:
    """A stored cell as unambiguous text: serial dates become ISO dates, numbers plain decimals."""
    if kind is Type.DATE and isinstance(value, int | float) and not isinstance(value, bool):
        return (_EPOCH + timedelta(days=int(value))).isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return str(value)


_EXAMPLES = {
    "email": "name@example.com", "api_key_name": "nightly-evaluation", "description": "What the key is for", "valid_from": "2026-01-01",
    "first_name": "First", "last_name": "Last", "department": "Engineering", "cost_center": "CC-100", "aliases": "old.name@example.com",
    "activity_date": "2026-01-31", "conversations": "3", "messages": "21", "platform": "cursor", "plan": "Business", "seats": "24",
    "price_usd": "40.00", "invoice_month": "2026-01-01", "invoice_number": "INV-1", "amount_usd": "960.00", "cost_type": "subscription",
    "month": "2026-01-01", "budget_usd": "2000.00", "adjustment_date": "2026-01-31", "author": "Controlling",
    "reason": "Credit note of the vendor that its API does not show",
}  # fmt: skip


def template(tab: str) -> str:
    """The CSV template of a tab: header and one example row that the loader accepts."""
    names = [f.path for f in TABS[tab].fields if f.path != "sheet_row"]
    # A subscription row names seats or a person, never both.
    example = ["" if (tab, name) == ("subscriptions", "email") else _EXAMPLES.get(name, "") for name in names]
    if tab == "adjustments":
        example[names.index("cost_type")] = "credit"
        example[names.index("amount_usd")] = "-120.00"
    return ",".join(names) + "\n" + ",".join(example) + "\n"
