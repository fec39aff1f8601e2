"""A spreadsheet: tabs of typed cells, and what Google displays for each.

Belongs here: cells, display formats of locale en_US, the edits that tests make.
Does not belong here: what the company writes into it (content.py), A1 ranges and HTTP
(google_sheets.py).

Row numbers are those a person sees: the header is row 1, the first record row 2.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

SHEET_ID = "1SimulatedSheetId"
_SERIAL_ZERO = date(1899, 12, 30).toordinal()

TEXT, PLAIN, THOUSANDS, DOLLARS = "@", "", "#,##0.00", "$#,##0.00"
EUROS, FRANCS = "#,##0.00 [$€]", "[$CHF] #,##0.00"  # a currency that is in the format alone
ISO_DATE, US_DATE = "yyyy-mm-dd", "M/d/yyyy"


@dataclass(frozen=True, slots=True)
class Cell:
    value: str | int | Decimal | bool | date | None = None
    format: str = PLAIN

    @property
    def empty(self) -> bool:
        return self.value is None or self.value == ""

    def displayed(self) -> str:
        """FORMATTED_VALUE."""
        value = self.value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, date):
            return str(value) if self.format == ISO_DATE else f"{value.month}/{value.day}/{value.year}"
        if isinstance(value, str):
            return value
        number = Decimal(value)
        if self.format in (THOUSANDS, DOLLARS, EUROS, FRANCS):
            text = format(abs(number).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP), ",f")
            before = {DOLLARS: "$", FRANCS: "CHF\u00a0"}.get(self.format, "")
            return ("-" if number < 0 else "") + before + text + ("\u00a0€" if self.format == EUROS else "")
        return format(number.normalize(), "f")

    def bare(self, dates_as_text: bool = False) -> str | int | Decimal | bool:
        """UNFORMATTED_VALUE."""
        if isinstance(self.value, date):
            return self.displayed() if dates_as_text else self.value.toordinal() - _SERIAL_ZERO
        return "" if self.value is None else self.value


EMPTY = Cell()


def cell(value: object, like: Cell = EMPTY) -> Cell:
    """A typed cell; a number or date keeps the display of the cell it replaces."""
    if isinstance(value, Cell):
        return value
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, date):
        return Cell(value, like.format if like.format == US_DATE else ISO_DATE)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Cell(value, like.format if like.format in (THOUSANDS, DOLLARS, EUROS, FRANCS) else PLAIN)
    if value is not None and not isinstance(value, str | bool):
        raise TypeError(f"a cell cannot hold a {type(value).__name__}")
    return Cell(value, TEXT if isinstance(value, str) else PLAIN)


@dataclass(slots=True)
class Tab:
    title: str
    sheet_id: int
    rows: list[list[Cell]]  # the header first

    @property
    def row_count(self) -> int:
        return max(1000, len(self.rows))

    @property
    def column_count(self) -> int:
        return max(26, *(len(row) for row in self.rows)) if self.rows else 26

    def column(self, name: str) -> int:
        for n, head in enumerate(self.rows[0] if self.rows else ()):
            if head.value == name:
                return n
        raise KeyError(f"tab {self.title!r} has no column {name!r}")


class Sheet:
    def __init__(self, title: str = "AI usage: people, keys, seats", id: str = SHEET_ID) -> None:
        self.title, self.id = title, id
        self._tabs: list[Tab] = []
        self._lock = threading.RLock()
        self._next = 0

    def tabs(self) -> list[Tab]:
        """A snapshot: rows may be read without the lock."""
        with self._lock:
            return [replace(tab, rows=[list(row) for row in tab.rows]) for tab in self._tabs]

    def tab(self, title: str) -> Tab:
        for tab in self._tabs:
            if tab.title == title:
                return tab
        raise KeyError(f"no tab {title!r}")

    def add_tab(self, title: str, header: list[str] | tuple[str, ...] = (), rows=()) -> None:
        with self._lock:
            if any(tab.title == title for tab in self._tabs):
                raise ValueError(f"tab {title!r} exists")
            table = [[Cell(name, TEXT) for name in header]] if header else []
            table += [[cell(value) for value in row] for row in rows]
            self._tabs.append(Tab(title, self._next, table))
            self._next += 1

    def drop_tab(self, title: str) -> None:
        with self._lock:
            self._tabs.remove(self.tab(title))

    def add_row(self, tab: str, row: dict[str, object] | list | tuple) -> int:
        """Append a record, by column name or by position; returns its row number."""
        with self._lock:
            table = self.tab(tab)
            model = table.rows[1] if len(table.rows) > 1 else []
            values = row
            if isinstance(row, dict):
                for name in row:
                    table.column(name)
                values = [row.get(str(head.value)) for head in table.rows[0]]
            likes = model + [EMPTY] * len(values)
            table.rows.append([cell(value, like) for value, like in zip(values, likes, strict=False)])
            return len(table.rows)

    def set_cell(self, tab: str, row: int, column_name: str, value: object) -> None:
        with self._lock:
            table = self.tab(tab)
            column = table.column(column_name)
            if row < 1:
                raise ValueError("rows count from 1")
            while len(table.rows) < row:
                table.rows.append([])
            line = table.rows[row - 1]
            line += [EMPTY] * (column + 1 - len(line))
            line[column] = cell(value, line[column])

    def rename_column(self, tab: str, old: str, new: str) -> None:
        with self._lock:
            table = self.tab(tab)
            table.rows[0][table.column(old)] = Cell(new, TEXT)

    def drop_column(self, tab: str, name: str) -> None:
        with self._lock:
            table = self.tab(tab)
            column = table.column(name)
            for row in table.rows:
                del row[column : column + 1]
