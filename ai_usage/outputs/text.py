"""Values as text, digit for digit: what CSV, JSON and the command line share.

Belongs here: how one value is written. Does not belong here: files and tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from ai_usage.guards.outside import json_line, spreadsheet

EXACT = Context(prec=76)  # NUMERIC(38, 9) has 38 digits and Decimal's own arithmetic keeps 28


def exact_sum(values: Iterable[Decimal | None]) -> Decimal:
    """The sum to the last digit, NULLs left out."""
    total = Decimal(0)
    for value in values:
        if value is not None:
            total = EXACT.add(total, value)
    return total


def json_text(value: Any) -> str:
    """JSON with decimals as numbers, digit for digit: json.dumps would turn them into floats."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json_text(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date | datetime):
        return json.dumps(cell_text(value))
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return "null"
    return json_line(json.dumps(value, ensure_ascii=False, default=str))


def cell_text(value: Any) -> str:
    """A value as a cell of text; NULL is empty, an instant is UTC with a Z."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value.tzinfo else value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def person_cell(value: Any) -> str:
    """The same for somebody who opens the file in a spreadsheet: a text is no formula there. Numbers, days and instants are as they are."""
    return spreadsheet(value) if isinstance(value, str) else cell_text(value)


def csv_note(exact: bool) -> str:
    """What a command says beside its CSV."""
    if exact:
        return "text as it is stored, for programs"
    return "text for spreadsheets: an apostrophe stands before = + - @, and --exact leaves it out"
