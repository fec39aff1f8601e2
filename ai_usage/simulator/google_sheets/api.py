"""Google Sheets v4, as far as a reader goes.

Belongs here: A1 ranges, rendering options, Google's error form, a token exchange that lets a local key file
work.
Does not belong here: cells and their display (sheet.py), what the company writes there (content.py).
Anybody may read: no credentials are checked.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

from ..wire import Problem, Request, Response, Vendor
from .sheet import DOLLARS, EMPTY, EUROS, FRANCS, Cell, Sheet, Tab

_STATUS = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: (
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per user' "
        + "of service 'sheets.googleapis.com'",
    ),
    500: ("INTERNAL", "Internal error encountered."),
    503: ("UNAVAILABLE", "The service is currently unavailable."),
}
_RANGE = re.compile(r"\$?([A-Za-z]{1,3})?\$?([1-9]\d*)?(?::\$?([A-Za-z]{1,3})?\$?([1-9]\d*)?)?")


class Area(NamedTuple):
    """Zero-based, ends exclusive."""

    tab: Tab
    top: int
    left: int
    bottom: int
    right: int

    @property
    def name(self) -> str:
        title = self.tab.title
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", title):
            title = "'" + title.replace("'", "''") + "'"
        start, end = f"{_letters(self.left)}{self.top + 1}", f"{_letters(self.right - 1)}{self.bottom}"
        return f"{title}!{start}" if start == end else f"{title}!{start}:{end}"


class GoogleSheets(Vendor):
    name = "google_sheets"
    paths = ("/v4/spreadsheets", "/token")

    @property
    def sheet(self) -> Sheet:
        return self.world.sheet

    def routes(self):
        one = "/v4/spreadsheets/(?P<sheet_id>[^/:]+)"
        return [
            ("POST", "/token", self._token),
            ("GET", one, self._spreadsheet),
            ("GET", f"{one}/values:batchGet", self._batch),
            ("GET", f"{one}/values/(?P<range_>.+)", self._values),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        title, usual = _STATUS.get(status, ("UNKNOWN", "Unknown error."))
        return Response.json(status, {"error": {"code": status, "message": message or usual, "status": title}})

    def limit(self, path: str) -> tuple[str, int] | None:
        return ("sheets reads", 60) if path.startswith("/v4/") else None

    def _token(self, request: Request) -> Response:
        return Response.json(200, {"access_token": "ya29.simulated", "expires_in": 3599, "token_type": "Bearer", "scope": ""})

    def _known(self, sheet_id: str) -> None:
        if sheet_id != self.sheet.id:
            raise Problem(404)

    def _spreadsheet(self, request: Request, sheet_id: str) -> Response:
        self._known(sheet_id)
        grid = (request.arg("includeGridData") or "").lower() == "true"
        sheets = []
        for index, tab in enumerate(self.sheet.tabs()):
            entry: dict[str, Any] = {
                "properties": {
                    "sheetId": tab.sheet_id,
                    "title": tab.title,
                    "index": index,
                    "sheetType": "GRID",
                    "gridProperties": {"rowCount": tab.row_count, "columnCount": tab.column_count},
                }
            }
            if grid:
                entry["data"] = [{"rowData": [{"values": [_cell_data(c) for c in row]} for row in tab.rows]}]
            sheets.append(entry)
        return Response.json(
            200,
            {
                "spreadsheetId": sheet_id,
                "properties": {
                    "title": self.sheet.title,
                    "locale": "en_US",
                    "autoRecalc": "ON_CHANGE",
                    "timeZone": "Etc/UTC",
                },
                "sheets": sheets,
                "spreadsheetUrl": f"https://docs.google.com/spreadsheets/d/{sheet_id}/edit",
            },
        )

    def _values(self, request: Request, sheet_id: str, range_: str) -> Response:
        self._known(sheet_id)
        return Response.json(200, _value_range(area(self.sheet.tabs(), range_), request))

    def _batch(self, request: Request, sheet_id: str) -> Response:
        self._known(sheet_id)
        tabs = self.sheet.tabs()
        found = [_value_range(area(tabs, wanted), request) for wanted in request.query.get("ranges", [])]
        return Response.json(200, {"spreadsheetId": sheet_id, "valueRanges": found})


def area(tabs: list[Tab], text: str) -> Area:
    """`people`, `'people'!A1:D`, `people!2:3`, `A1:B2` (first tab)."""
    bad = Problem(400, f"Unable to parse range: {text}")
    titles = {tab.title: tab for tab in tabs}
    title, mark, cells = text.rpartition("!")
    if not mark:
        title, cells = text, ""
        if _unquote(text) not in titles and tabs and _RANGE.fullmatch(text) and (":" in text or text[-1].isdigit()):
            title, cells = tabs[0].title, text
    tab = titles.get(_unquote(title))
    parts = _RANGE.fullmatch(cells)
    if tab is None or parts is None or (mark and not cells):
        raise bad
    whole = Area(tab, 0, 0, tab.row_count, tab.column_count)
    if not cells:
        return whole
    left, top, right, bottom = parts.groups()
    if ":" not in cells:
        if not (left and top):
            raise bad
        right, bottom = left, top
    elif not (left or top) or not (right or bottom):
        raise bad
    columns = sorted((_number(left) if left else 0, _number(right) if right else whole.right - 1))
    rows = sorted((int(top) - 1 if top else 0, int(bottom) - 1 if bottom else whole.bottom - 1))
    if columns[0] >= whole.right or rows[0] >= whole.bottom:
        limits = f"Max rows: {whole.bottom}, max columns: {whole.right}"
        raise Problem(400, f"Range ({text}) exceeds grid limits. {limits}")
    return Area(tab, rows[0], columns[0], min(rows[1] + 1, whole.bottom), min(columns[1] + 1, whole.right))


def _value_range(found: Area, request: Request) -> dict[str, Any]:
    render = request.arg("valueRenderOption", "FORMATTED_VALUE")
    times = request.arg("dateTimeRenderOption", "SERIAL_NUMBER")
    major = request.arg("majorDimension", "ROWS")
    if (
        render not in ("FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA")
        or times not in ("SERIAL_NUMBER", "FORMATTED_STRING")
        or major not in ("ROWS", "COLUMNS")
    ):
        raise Problem(400)
    rows = [row[found.left : found.right] for row in found.tab.rows[found.top : found.bottom]]
    if major == "COLUMNS":
        width = max(map(len, rows), default=0)
        rows = [[row[n] if n < len(row) else EMPTY for row in rows] for n in range(width)]
    values: list[list[Any]] = []
    for row in rows:
        while row and row[-1].empty:
            row = row[:-1]
        if render == "FORMATTED_VALUE":
            values.append([c.displayed() for c in row])
        else:
            values.append([c.bare(times == "FORMATTED_STRING") for c in row])
    while values and not values[-1]:
        values.pop()
    answer: dict[str, Any] = {"range": found.name, "majorDimension": major}
    return answer | {"values": values} if values else answer


def _cell_data(cell: Cell) -> dict[str, Any]:
    if cell.empty:
        return {}
    bare = cell.bare()
    kind = "boolValue" if isinstance(bare, bool) else "numberValue" if isinstance(bare, int | Decimal) else "stringValue"
    value = {kind: bare}
    said = {"userEnteredValue": value, "effectiveValue": value, "formattedValue": cell.displayed()}
    if cell.format in (DOLLARS, EUROS, FRANCS):
        said["effectiveFormat"] = {"numberFormat": {"type": "CURRENCY", "pattern": cell.format}}
    return said


def _unquote(title: str) -> str:
    if len(title) > 1 and title[0] == title[-1] == "'":
        return title[1:-1].replace("''", "'")
    return title


def _number(letters: str) -> int:
    n = 0
    for letter in letters.upper():
        n = n * 26 + ord(letter) - 64
    return n - 1


def _letters(number: int) -> str:
    text = ""
    while number >= 0:
        number, place = divmod(number, 26)
        text, number = chr(65 + place) + text, number - 1
    return text
