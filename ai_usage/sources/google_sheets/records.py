"""The tabs of the sheet: their columns, and how rows of cells become records.

Belongs here: what each column of each tab means, which unread cell costs its row and which only itself. Does not belong here: how one cell is
read (`cells.py`). People write these cells, so what is wrong is said in the sheet's words: the row as counted there, the column as headed there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from ai_usage.sources.endpoint import Endpoint, Field
from ai_usage.sources.errors import ContractError
from ai_usage.sources.google_sheets import cells
from ai_usage.sources.google_sheets.cells import Unread
from ai_usage.sources.uploads.csv_file import is_total
from ai_usage.tables import tabs
from ai_usage.tables.raw import LINEAGE
from ai_usage.tables.schema import Personal, Type
from ai_usage.tables.staging import COST_TYPES

SOURCE = "google_sheets"
OTHER = "other"  # the platform of money whose platform cannot be read

# A tab without one of these columns is refused; so is a row without one of these cells, but for those that `_BESIDE` names.
_REQUIRED = {
    "api_keys": ("api_key_name", "email"),
    "people": ("email",),
    "claude_ai_usage": ("activity_date", "email"),
    "subscriptions": ("platform", "plan", "price_usd"),
    "invoices": ("platform", "invoice_month", "amount_usd"),
    "budgets": ("month", "budget_usd"),
    "adjustments": ("adjustment_date", "platform", "amount_usd", "author", "reason"),
    "fx_rates": ("month", "currency", "usd"),
}
# What lies beside money and its day: unread, it is listed and counts as empty, and the row's money counts all the same.
_BESIDE = frozenset({"platform", "plan", "author", "reason", "cost_type", "description", "invoice_number", "contract_id", "reference"})
_NAMES = frozenset({"first_name", "last_name", "department", "cost_center", "aliases", "description"})
_MONTHS = frozenset({"month", "invoice_month"})
_PERIOD = frozenset({"valid_from", "valid_to"})
_CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "invoices": {"platform": (), "cost_type": COST_TYPES},
    "adjustments": {"platform": (), "cost_type": ("adjustment", "credit", "tax")},
    "subscriptions": {"platform": ()},
    "budgets": {"platform": ()},
}
# The column of each tab that holds money, and the column of the same table that holds it as written where that is not US dollars.
MONEY = {"subscriptions": "price_usd", "invoices": "amount_usd", "budgets": "budget_usd", "adjustments": "amount_usd"}

# What people call a column, beside its name.
SYNONYMS = {
    "user_email": "email", "e_mail": "email", "key_name": "api_key_name", "usage_date": "activity_date", "purpose": "description",
    "price": "price_usd", "amount": "amount_usd", "budget": "budget_usd", "invoice_no": "invoice_number", "contract": "contract_id",
    "rate": "usd", "usd_rate": "usd",
}  # fmt: skip
_MINE = frozenset({"sheet_row", "unread", "written_amount"})  # columns of the tables that no sheet has


def _tab(name: str) -> Endpoint:
    table = next(t for t in tabs.RAW if t.name == f"raw_sheet_{name}")
    own = [c for c in table.columns if c not in LINEAGE]
    return Endpoint(
        source=SOURCE,
        name=name,
        table=table,
        fields=(*(Field(c.name, "int" if c is tabs.SHEET_ROW else "string") for c in own), Field("refusals")),
        columns={},
        record_number='"sheet_row"',
        refusals="refusals",
        drift_remedy="These columns of the sheet are kept in `extra` and move no figure; where one is misspelt, correct its name in row 1.",
        remedy="Correct the cell in the sheet; the next run reads it again.",
    )


API_KEYS, PEOPLE, CLAUDE_AI_USAGE = _tab("api_keys"), _tab("people"), _tab("claude_ai_usage")
SUBSCRIPTIONS, INVOICES, BUDGETS = _tab("subscriptions"), _tab("invoices"), _tab("budgets")
ADJUSTMENTS, FX_RATES = _tab("adjustments"), _tab("fx_rates")
ENDPOINTS = (API_KEYS, PEOPLE, CLAUDE_AI_USAGE, SUBSCRIPTIONS, INVOICES, BUDGETS, ADJUSTMENTS, FX_RATES)
TABS = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def columns(tab: str) -> dict[str, Any]:
    """{name: declaration} of the columns that a person may write in that tab, required ones included."""
    return {c.name: c for c in TABS[tab].table.columns if c not in LINEAGE and c.name not in _MINE}


def name_of(cell: Any) -> str:
    """A tab's or a column's name as it is compared: case, blanks, hyphens and what is invisible do not tell names apart."""
    return cells.plain(cell).lower().replace(" ", "_").replace("-", "_")


def header_of(endpoint: Endpoint, first_row: Sequence[Any]) -> list[str]:
    """The columns of a tab by its first row.

    Raises:
        ContractError: a required column is missing or a column stands twice: then no row can be read.
    """
    known = columns(endpoint.name)
    header = [name if (name := name_of(cell)) in known else SYNONYMS.get(name, name) for cell in first_row]
    missing = [name for name in _REQUIRED[endpoint.name] if name not in header]
    if missing:
        raise ContractError(
            f"tab '{endpoint.name}' has no column {', '.join(map(repr, missing))} (its first row: {', '.join(h for h in header if h) or 'empty'}); "
            "name the column in row 1, any order will do."
        )
    twice = sorted({name for name in header if name in known and header.count(name) > 1})
    if twice:
        raise ContractError(f"tab '{endpoint.name}' has the column {twice[0]!r} more than once; rename or delete one.")
    return header


def tab_rows(endpoint: Endpoint, displayed: Sequence[Sequence[Any]], stored: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows of cells as records keyed by column name; empty rows are left out, and so are rows of checkboxes, zeros and choices alone.

    Args:
        endpoint: the tab.
        displayed: its cells as displayed, the header first.
        stored: the same cells as stored.

    Returns:
        One record a row. `refusals` says why a row cannot be used, `unread` which of its cells count as empty; both are JSON texts or None.

    Raises:
        ContractError: a required column is missing or a column stands twice.
    """
    if not displayed:
        return []
    header = header_of(endpoint, displayed[0])
    titles = {name: cells.plain(cell) for name, cell in zip(header, displayed[0], strict=True)}
    found = []
    for number in range(2, max(len(displayed), len(stored)) + 1):
        shown, kept = (grid[number - 1] if number <= len(grid) else [] for grid in (displayed, stored))
        row: dict[str, tuple[Any, str]] = {}
        for place, name in enumerate(header):
            text = cells.plain(shown[place]) if place < len(shown) else ""
            value = kept[place] if place < len(kept) and kept[place] is not None else text
            text = text or cells.plain(value)  # a format may hide what is stored
            if name and text:
                row[name] = (value, text)
        if any(_speaks(endpoint, name, *cell) for name, cell in row.items()):
            found.append(_Row(endpoint, number, row, titles).record())
    return found


def _speaks(endpoint: Endpoint, name: str, stored: Any, shown: str) -> bool:
    """Whether a cell makes its row one. What is dragged down a whole column does not: checkboxes, zeros, choices of a list, formulas' errors."""
    is_filler = name in _CHOICES.get(endpoint.name, {}) or name == "currency" or isinstance(stored, bool) or cells.is_unknown(shown)
    return name in columns(endpoint.name) and not is_filler and stored != 0 and shown != "0"


class _Row:
    """One row while it is read: what it says, and what could not be read of it."""

    def __init__(self, endpoint: Endpoint, number: int, row: dict[str, tuple[Any, str]], titles: dict[str, str]) -> None:
        self._endpoint, self._number, self._row, self._titles = endpoint, number, row, titles
        self._tab = endpoint.name
        self._refusals: list[dict[str, str | None]] = []
        self._unread: list[dict[str, str | None]] = []

    def record(self) -> dict[str, Any]:
        known = columns(self._tab)
        money = MONEY.get(self._tab)
        said: dict[str, Any] = {}
        for name, column in known.items():
            if name != money and not (money and name == "currency"):
                said[name] = self._cell(name, column)
        if money:
            said |= self._money(money, minimum=known[money].minimum)
        self._together(said)
        texts = {n: (format(v, "f") if isinstance(v, Decimal) else v if v is None else str(v)) for n, v in said.items()}
        extra = {n: shown for n, (_, shown) in self._row.items() if n not in known and n not in ("refusals", *_MINE)}
        own = {c.name: None for c in self._endpoint.table.columns if c not in LINEAGE}
        return {
            **own, **texts, **extra, "sheet_row": self._number,
            "unread": json.dumps(self._unread, ensure_ascii=False) if self._unread else None,
            "refusals": json.dumps(self._refusals, ensure_ascii=False) if self._refusals else None,
        }  # fmt: skip

    def _cell(self, name: str, column: Any) -> Any:
        """The value of one cell; None where it is empty, or unread and listed."""
        stored, shown = self._row.get(name, ("", ""))
        needed = name in _REQUIRED[self._tab] and name not in _BESIDE
        if not shown:
            if needed or (name in _REQUIRED[self._tab] and name in _BESIDE):
                self._list(name, None, Unread("is missing", self._fill_in(name)), needed)
            return self._default(name)
        try:
            # A dash or "none" in a column that may be empty says no more than an empty cell; a formula's error is worth a look.
            if cells.is_unknown(shown) and not isinstance(stored, int | float):
                if not needed and not shown.startswith("#") and self._tab != "budgets":
                    return self._default(name)
                raise Unread(
                    "says that nothing is known",
                    f"{self._fill_in(name)[:-1]}, or leave the cell empty." if not needed else self._fill_in(name),
                )
            return self._read(name, column, stored, shown)
        except Unread as why:
            only_itself = name in _BESIDE or name in _NAMES or (name == "email" and self._tab in MONEY)
            self._list(name, shown, why, needed or not only_itself or self._tab == "budgets")
            return self._default(name)

    def _read(self, name: str, column: Any, stored: Any, shown: str) -> Any:
        if column.personal is Personal.EMAIL:
            return cells.email(stored, shown)
        if column.type is Type.DATE:
            if name in _PERIOD:
                return cells.day(stored, shown, first=date(1950, 1, 1), forever=name == "valid_to")
            return cells.day(stored, shown, month=name in _MONTHS)
        if column.type is Type.INT64:
            return cells.count(stored, shown, cells.MOST_SEATS) if name == "seats" else cells.count(stored, shown)
        if name == "currency":  # of a rate
            code = cells.iso(shown)
            if code == "USD":
                raise Unread("needs no rate", "Write the rate of another currency, or delete the row.")
            return code
        if column.type is Type.NUMERIC:  # a rate
            rate, code = cells.money(stored, shown, most=99)
            if code != "USD" or not 0 < rate < 100:
                raise Unread("is not what one unit costs in US dollars", "Write the US dollars for one unit of the currency, such as 1.08.")
            return rate
        if name in (choices := _CHOICES.get(self._tab, {})):
            return cells.choice(stored, shown, choices[name])
        if name == "aliases":
            found, others = cells.addresses(stored, shown)
            for other in others:
                self._list(name, other, Unread("is not an e-mail address", "Write addresses with a semicolon between them."), False)
            return "; ".join(found) or None
        return cells.text(stored, shown)

    def _money(self, name: str, minimum: int | None) -> dict[str, Any]:
        """The amount in the column of US dollars, or in `written_amount` with its currency."""
        nothing: dict[str, Any] = {name: None, "written_amount": None, "currency": None}
        stored, shown = self._row.get(name, ("", ""))
        if not shown:
            self._list(name, None, Unread("is missing", self._fill_in(name)), True)
            return nothing
        column, code = "currency", None
        try:
            if said := self._row.get("currency", ("", ""))[1]:
                code = cells.iso(said)
            column = name
            amount, currency = cells.money(stored, shown, code)
            if minimum is not None and amount < minimum:
                raise Unread(f"is below {minimum}", "Write a plain number like 1200.50.")
        except Unread as why:
            self._list(column, self._row[column][1], why, True)
            return nothing
        return nothing | ({name: amount} if currency == "USD" else {"written_amount": amount, "currency": currency})

    def _together(self, said: dict[str, Any]) -> None:
        """What cells of a row say together."""
        if said.get("valid_from") and said.get("valid_to") and said["valid_to"] < said["valid_from"]:
            why = Unread("lies before valid_from", "Write the last day on or after the first one, or leave it empty.")
            self._list("valid_to", self._row["valid_to"][1], why, True)
        if self._tab in MONEY and (
            label := next((n for n in ("platform", "department", "plan") if is_total(self._row.get(n, ("", ""))[1])), None)
        ):
            why = Unread("sums other rows, so their money would count twice", "Delete the row, or keep the total outside the tab.")
            self._list(label, self._row[label][1], why, True)
        if self._tab == "subscriptions":
            written = self._row.get("email", ("", ""))[1]
            names_a_person = written.startswith("#") or not cells.is_unknown(written)  # a failed look-up was to name one
            if (said["seats"] is None) == (not names_a_person) and not any(r["c"] == self._title("seats") for r in self._refusals):
                why = Unread(
                    "needs either a number of seats or one e-mail, not both and not neither",
                    "Fill in seats for a block of seats, or email for one person's seat.",
                )
                self._list("seats", self._row.get("seats", ("", None))[1], why, True)
            if names_a_person and said["email"] is None:
                said["seats"] = 1  # somebody's seat, and unknown whose

    def _default(self, name: str) -> str | None:
        return OTHER if name == "platform" and self._tab in MONEY and self._tab != "budgets" else None

    def _title(self, name: str) -> str:
        return self._titles.get(name, name)

    def _fill_in(self, name: str) -> str:
        return f"Fill in {self._title(name)}."

    def _list(self, name: str, value: str | None, why: Unread, refuse: bool) -> None:
        line = {"c": self._title(name), "v": value, "r": why.reason, "m": why.remedy}
        (self._refusals if refuse else self._unread).append(line)


_EXAMPLES = {
    "email": "name@example.com", "api_key_name": "nightly-evaluation", "description": "What the key is for", "valid_from": "2026-01-01",
    "first_name": "First", "last_name": "Last", "department": "Engineering", "cost_center": "CC-100", "aliases": "old.name@example.com",
    "activity_date": "2026-01-31", "conversations": "3", "messages": "21", "platform": "cursor", "plan": "Business", "seats": "24",
    "price_usd": "40.00", "invoice_month": "2026-01-01", "invoice_number": "INV-1", "amount_usd": "960.00", "cost_type": "subscription",
    "month": "2026-01-01", "budget_usd": "2000.00", "adjustment_date": "2026-01-31", "author": "Controlling",
    "reason": "Credit note of the vendor that its API does not show",
}  # fmt: skip
_OTHERWISE = {
    ("subscriptions", "email"): "",  # a subscription row names seats or a person, never both
    ("adjustments", "cost_type"): "credit", ("adjustments", "amount_usd"): "-120.00", ("adjustments", "reference"): "CN-2026-17",
    ("fx_rates", "currency"): "EUR", ("fx_rates", "usd"): "1.08",
}  # fmt: skip


def template(tab: str) -> str:
    """The CSV template of a tab: header and one example row that the loader accepts."""
    names = list(columns(tab))
    return ",".join(names) + "\n" + ",".join(_OTHERWISE.get((tab, name), _EXAMPLES.get(name, "")) for name in names) + "\n"
