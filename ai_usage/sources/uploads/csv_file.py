"""A CSV file as a person drops it, read strictly: rows by column name, or one sentence about what is wrong with the file.

Belongs here: text, quoting, header. Does not belong here: what a column means.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ai_usage.guards.files import NotPlainError, read_dropped
from ai_usage.sources.errors import ContractError

Row = dict[str, str | None]
_SHORTENED = re.compile(r"-?\d(?:[.,]\d+)?[eE]\+?\d+")  # 1.79585E+12: whole milliseconds lose up to hours so, and tokens as many

# A label of nothing but these words, one of the first set among them, says that its row sums others.
_TOTALS = frozenset(["total", "totals", "subtotal", "subtotals", "sum", "summe", "gesamt", "gesamtsumme", "overall", "insgesamt"])
_BESIDE_TOTALS = frozenset(["grand", "sub", "in", "of", "the", "all", "users", "user", "usd", "eur", "gbp", "chf"])


def read_csv(
    path: Path,
    required: Iterable[str],
    template: str,
    rename: Callable[[str], str] = lambda name: name,
    *,
    may_be_empty: bool = False,
    numbers: list[int] | None = None,
) -> list[Row]:
    """The file's rows, cells trimmed, empty ones None, rows without any cell left out.

    `rename` maps a written column name to ours. `numbers` gets the number of each row as a spreadsheet counts them, the header being 1. Raises
    `ContractError` when the file cannot be read as this kind.
    """
    try:
        raw = read_dropped(path)
        text = raw.decode(encoding(raw))
    except NotPlainError as error:
        raise ContractError(
            f"{path.name} is {error.strerror} and was not read; put a copy of the file itself into the drop folder."
        ) from None
    except UnicodeDecodeError:
        raise ContractError(f"{path.name} is not UTF-8 text; save it as 'CSV UTF-8' and drop it again.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        counted = enumerate(reader, start=1)
        first = next((row for _, row in counted if any(cell.strip() for cell in row)), [])
        header = [rename(name.strip()) for name in first]
        _check_header(path, header, required, template, text.lstrip())
        given = [(number, [cell.strip() for cell in row]) for number, row in counted]
    except csv.Error as error:
        raise ContractError(
            f"{path.name} is broken near line {reader.line_num} ({error}): a quote is not closed or a cell is too long; export it again and drop it."
        ) from None
    long = [number for number, row in given if any(row[len(header) :])]
    if long:
        raise ContractError(
            f"{path.name} has more cells than columns in row {long[0]}; put cells that hold a comma in quotes and drop it again."
        )
    rows = [
        (number, {name: cell or None for name, cell in itertools.zip_longest(header, row[: len(header)]) if name}) for number, row in given
    ]
    kept = [(number, row) for number, row in rows if any(row.values())]
    if not kept and not may_be_empty:
        raise ContractError(f"{path.name} has a header and no rows; drop it again with rows.")
    if numbers is not None:
        numbers += [number for number, _ in kept]
    return [row for _, row in kept]


def refuse_shortened(path: Path, numbers: Iterable[int], rows: Iterable[Row], named: str = "") -> None:
    """Raise `ContractError` for a cell, of a column whose name begins with `named`, that holds a large number in as few digits as a spreadsheet shows."""
    for number, row in zip(numbers, rows, strict=True):
        for name, value in row.items():
            if value and name.startswith(named) and _SHORTENED.fullmatch(value):
                raise ContractError(
                    f"{path.name}, row {number}, {name}: {value!r} was shortened by a spreadsheet program, and its digits are lost; drop the file as it "
                    "was exported."
                )


def is_total(label: str) -> bool:
    """Whether a label says that its row sums other rows: Total, Grand total (USD), Summe gesamt, Total 2026-10; also All users."""
    words = {word for word in re.findall(r"\w+", label.casefold().replace("_", " ")) if not word.isdecimal()}
    return words == {"all", "users"} or (bool(words & _TOTALS) and words <= _TOTALS | _BESIDE_TOTALS)


def encoding(raw: bytes) -> str:
    """The encoding that a file's first bytes announce: UTF-16 with a byte order mark, as spreadsheet programs save "Unicode text"; else UTF-8."""
    return "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def refuse_dashboard(path: Path, header: Iterable[str]) -> None:
    """Raise `ContractError` for the usage export of Cursor's dashboard, whatever the file is called: another name would not make it usable."""
    if {"Date", "User", "Cost"} <= set(header):
        raise ContractError(
            f"{path.name} is the usage export of Cursor's dashboard (columns {', '.join(header)}), whose costs are rounded to cents and left out where "
            "included; it cannot stand in for the Admin API's events, so wait for the API, or ask Cursor for them."
        )


def _check_header(path: Path, header: list[str], required: Iterable[str], template: str, text: str) -> None:
    missing = [name for name in required if name not in header]
    first = text.partition("\n")[0]
    if missing and len(header) <= 2 and (first.count(";") > 2 or first.count("\t") > 2):
        raise ContractError(
            f"{path.name} is separated by semicolons or tabs, so a spreadsheet program has saved it and may have changed its numbers and dates; "
            "drop the file as it was downloaded."
        )
    if missing:
        refuse_dashboard(path, header)
    if missing:
        raise ContractError(
            f"{path.name} lacks the column {', '.join(map(repr, missing))} (its first row: {', '.join(header) or 'empty'}); "
            f"docs/templates/{template}.csv shows the columns."
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ContractError(f"{path.name} has the column {twice[0]!r} more than once; delete one and drop it again.")
