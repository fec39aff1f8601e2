"""XLSX through XlsxWriter: a sheet of rows and a sheet about them.

Belongs here: which cell a value becomes. A cell's number is a double, exact to 15 significant digits: a figure with more goes in as text with all
its digits, is marked, and is counted in the notes beside the exact totals; nothing is rounded. Text is always text, so nothing is a formula.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO

import xlsxwriter

from ai_usage.outputs.formats import About, ExportError
from ai_usage.outputs.text import EXACT
from ai_usage.tables.schema import Column, Type

MAX_ROWS = 1_048_575  # a sheet's rows without the header
MAX_TEXT = 32_767
DIGITS = 15
FIRST_DAY = date(1900, 3, 1)  # earlier days lie before Excel's calendar, or in its one wrong month
WIDTHS = {Type.STRING: 24, Type.NUMERIC: 16, Type.INT64: 14, Type.DATE: 12, Type.TIMESTAMP: 20, Type.BOOL: 8}
FIXED = datetime(2000, 1, 1)  # noqa: DTZ001 - written into the file, so that the same rows are the same bytes


def write(rows: Iterable[tuple[Any, ...]], target: BinaryIO, about: About) -> None:
    """Write the workbook; `ExportError` for what a sheet cannot hold."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(target, options)
    book.set_properties({"title": about.title, "created": FIXED})
    sheet = book.add_worksheet(about.table.name[:31])
    cells = _Cells(book, sheet, about.table.columns)
    bold = book.add_format({"bold": True, "bottom": 1})
    for place, column in enumerate(about.table.columns):
        sheet.set_column(place, place, WIDTHS[column.type])
        sheet.write_string(0, place, column.name, bold)
    sheet.freeze_panes(1, 0)
    number = 0
    for number, row in enumerate(rows, start=1):
        if number > MAX_ROWS:
            raise ExportError(f"{about.title} has more than {MAX_ROWS:,} rows, the most that XLSX holds; name fewer days, or --format csv.")
        for place, value in enumerate(row):
            cells.put(number, place, value)
    sheet.autofilter(0, 0, max(number, 1), len(about.table.columns) - 1)
    _notes(book, about, number, cells)
    book.close()


class _Cells:
    def __init__(self, book: xlsxwriter.Workbook, sheet: Any, columns: tuple[Column, ...]) -> None:
        self._sheet, self._columns = sheet, columns
        self.exact: dict[str, Decimal] = {c.name: Decimal(0) for c in columns if c.unit == "USD"}
        self.as_text = 0
        self._formats = {
            "money": book.add_format({"num_format": "#,##0.00"}), "number": book.add_format({"num_format": "#,##0.#########"}),
            "count": book.add_format({"num_format": "#,##0"}), "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            "long": book.add_format({"align": "right", "bg_color": "#FFF2CC", "num_format": "@"}),
        }  # fmt: skip

    def put(self, row: int, place: int, value: Any) -> None:
        column = self._columns[place]
        if value is None:
            return
        if column.name in self.exact:
            self.exact[column.name] = EXACT.add(self.exact[column.name], value)
        if isinstance(value, bool):
            self._sheet.write_boolean(row, place, value)
        elif isinstance(value, Decimal | int):
            self._number(row, place, value, column)
        elif isinstance(value, datetime):
            self._day(row, place, value.replace(tzinfo=None), "instant")
        elif isinstance(value, date):
            self._day(row, place, value, "date")
        elif len(value) > MAX_TEXT:
            raise ExportError(
                f"{column.name} in row {row} has {len(value):,} characters and an XLSX cell holds {MAX_TEXT:,}; use --format csv."
            )
        else:
            self._sheet.write_string(row, place, value)

    def _number(self, row: int, place: int, value: Decimal | int, column: Column) -> None:
        exact = Decimal(value)
        if len("".join(map(str, exact.as_tuple().digits)).strip("0")) > DIGITS:
            self.as_text += 1
            self._sheet.write_string(row, place, f"{exact:f}", self._formats["long"])
            return
        kind = "money" if column.unit == "USD" else "count" if isinstance(value, int) else "number"
        self._sheet.write_number(row, place, float(value), self._formats[kind])

    def _day(self, row: int, place: int, value: date, kind: str) -> None:
        if (value.date() if isinstance(value, datetime) else value) < FIRST_DAY:
            self._sheet.write_string(row, place, value.isoformat())
        else:
            self._sheet.write_datetime(row, place, value, self._formats[kind])


def _notes(book: xlsxwriter.Workbook, about: About, rows: int, cells: _Cells) -> None:
    sheet = book.add_worksheet("Notes")
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 110)
    lines = [("What", about.title), ("Rows", f"{rows:,}"), ("Which", about.scope), ("Grain", about.table.grain)]
    if about.version:
        lines.append(("Version of the columns", about.version))
    lines += [(f"Sum of {name}", f"{total:f}") for name, total in cells.exact.items()]
    lines += [
        ("Precision", "Money shows cents; the cell holds every digit. Days and instants are UTC."),
        ("Figures as text", f"{cells.as_text:,} cells. A cell holds {DIGITS} digits: a longer figure stands as text, marked, and SUM leaves it out. "
         "The sums above are exact and hold all of them."),
    ]  # fmt: skip
    lines += [(c.name, f"{c.description}{f' [{c.unit}]' if c.unit else ''}") for c in about.table.columns]
    for number, (name, said) in enumerate(lines):
        sheet.write_string(number, 0, name)
        sheet.write_string(number, 1, said)
