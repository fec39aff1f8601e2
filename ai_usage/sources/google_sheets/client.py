"""Google Sheets v4 through gspread, with this project's retries and time limits underneath.

Belongs here: which requests are made and how tabs are found. Does not belong here: what the columns of a tab mean. A
snapshot of all tabs costs three requests: the list of tabs, every cell as displayed (names and ids keep their leading
zeros, and a currency may stand in the display alone), every cell as stored (numbers and dates do not depend on the sheet's locale). Source: developers.google.com
/workspace/sheets/api; gspread 6.2.1 has no retries and no time limit of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import google.auth.exceptions
import google.auth.transport.requests
import gspread.http_client
import requests
from google.oauth2 import service_account

from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, ContractError, PermanentError, SourceError, TransientError
from ai_usage.sources.google_sheets import records
from ai_usage.sources.http import Body, HttpClient, Stats
from ai_usage.sources.pace import RateLimit
from ai_usage.sources.spool import Spooled
from ai_usage.sources.walk import FailedWalk, Page, walk

DEFAULT_BASE_URL = "https://sheets.googleapis.com"
SCOPES = ("https://www.googleapis.com/auth/spreadsheets.readonly",)


class _Transport(gspread.http_client.HTTPClient):
    """gspread's requests, made by our client. gspread fixes Google's host in its URLs; the base URL replaces it here."""

    def __init__(self, http: HttpClient, limit: RateLimit, stats: Stats) -> None:
        super().__init__(auth=None, session=requests.Session())  # type: ignore[arg-type]
        self._http, self._limit, self._stats = http, limit, stats

    def request(self, method: str, endpoint: str, params: Any = None, **_: Any) -> requests.Response:  # type: ignore[override]
        def read(body: Body) -> requests.Response:
            content = body.content.decode(errors="replace").encode()  # a cell that is no text costs itself alone
            try:
                json.loads(content)
            except ValueError:
                start = self._http.excerpt(body.content, 40)
                raise TransientError(f"Google Sheets answered 200 with something that is not JSON (it begins {start!r})") from None
            answer = requests.Response()
            answer.status_code = 200
            answer._content = content
            answer.encoding = "utf-8"
            return answer

        path = endpoint.removeprefix(DEFAULT_BASE_URL)
        return self._http.ask(method, path, read, params=params, limit=self._limit, stats=self._stats, endpoint="spreadsheet")


class SheetsClient:
    """Reads every known tab of one spreadsheet.

    `credentials` is the path of a service account's JSON file, or that file's text; None asks anonymously, which only a local stand-in
    answers.
    """

    def __init__(self, base_url: str, sheet_id: str, credentials: Path | str | None, spool: Path, **http: Any) -> None:
        self._sheet_id, self._spool = sheet_id, spool
        session, share_with = _session(credentials)
        text = isinstance(credentials, str)
        self.http = HttpClient(
            "Google Sheets", base_url, session=session, secrets=(str(credentials),) if text else (),
            key_setting="AI_USAGE_SHEET_CREDENTIALS" if text else "GOOGLE_APPLICATION_CREDENTIALS",
            hints={
                403: f"the sheet {sheet_id} is not shared with {share_with}; share it with that address as a viewer",
                404: f"there is no sheet {sheet_id}; set AI_USAGE_SHEET_ID to the long id in the sheet's URL",
            },
            **http,
        )  # fmt: skip
        self._limit = RateLimit(60)  # 60 reads a minute for each user of a project
        self._tabs: dict[str, dict[str, Any]] | None = None
        self._twins: dict[str, list[str]] = {}
        self._stats = Stats()
        self._transport = _Transport(self.http, self._limit, self._stats)

    def close(self) -> None:
        self.http.close()

    def title(self) -> str:
        """The spreadsheet's title: proof that it can be read."""
        return str(self._metadata().get("properties", {}).get("title", ""))

    def tab(self, endpoint: Endpoint) -> Spooled | FailedWalk:
        """One tab as one walk of today's snapshot. The first call reads all tabs, so that they are of one moment.

        A missing required tab or column, or a second tab of that name, fails this tab only. A missing optional tab is a tab without rows.
        """
        today = datetime.now(UTC).date()
        window = Window(today, today)
        try:
            tabs = self.read()
            self._check_present(endpoint, tabs)
            values = tabs.get(endpoint.name)
            rows = records.tab_rows(endpoint, values["displayed"], values["stored"]) if values else []
        except SourceError as error:
            return FailedWalk(endpoint, window, error)
        body = json.dumps(values).encode()  # ASCII: a cell may hold half a character
        lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
        return walk(self._spool, endpoint, window, lambda _: iter([Page(lines, {"tab": endpoint.name}, None, body)]))

    def read(self) -> dict[str, dict[str, Any]]:
        """{tab: {"displayed": rows of text, "stored": rows of values}} for the known tabs that exist once; read once.

        Raises:
            TransientError: somebody changed the columns while they were read.
        """
        if self._tabs is None:
            titles: dict[str, list[str]] = {}
            for sheet in self._metadata().get("sheets", []):
                title = str(sheet.get("properties", {}).get("title", ""))
                titles.setdefault(records.name_of(title), []).append(title)
            self._twins = {name: found for name, found in titles.items() if name in records.TABS and len(found) > 1}
            wanted = [name for name in records.TABS if name in titles and name not in self._twins]
            ranges = ["'" + titles[name][0].replace("'", "''") + "'" for name in wanted]
            displayed = self._values(ranges, "FORMATTED_VALUE")
            stored = self._values(ranges, "UNFORMATTED_VALUE")
            for name, shown, kept in zip(wanted, displayed, stored, strict=True):
                if any(isinstance(k, str) and k != s for s, k in zip(*(grid[0] if grid else [] for grid in (shown, kept)), strict=False)):
                    raise TransientError(f"the columns of the sheet's tab '{titles[name][0]}' were changed while it was read; run again.")
            self._tabs = {name: {"displayed": shown, "stored": kept} for name, shown, kept in zip(wanted, displayed, stored, strict=True)}
        return self._tabs

    def problems(self) -> list[str]:
        """What is wrong with the sheet's tabs and columns as a whole, one sentence each: no row of such a tab can be read."""
        tabs, found = self.read(), []
        for endpoint in records.ENDPOINTS:
            try:
                self._check_present(endpoint, tabs)
                if tabs.get(endpoint.name, {}).get("displayed"):
                    records.header_of(endpoint, tabs[endpoint.name]["displayed"][0])
            except ContractError as error:
                found.append(str(error))
        return found

    def _check_present(self, endpoint: Endpoint, tabs: Mapping[str, Any]) -> None:
        if endpoint.name in self._twins:
            both = " and ".join(f"'{title}'" for title in self._twins[endpoint.name])
            raise ContractError(
                f"the sheet's tabs {both} are both read as '{endpoint.name}', so neither was; rename one of them, such as 'old {endpoint.name}'."
            )
        if endpoint is records.API_KEYS and endpoint.name not in tabs:
            raise ContractError(
                f"the sheet has no tab 'api_keys' (tabs: {', '.join(sorted(tabs)) or 'none'}); add it, docs/templates/ shows its columns."
            )

    def _metadata(self) -> Mapping[str, Any]:
        if not self._sheet_id:
            raise PermanentError("no sheet is named; set AI_USAGE_SHEET_ID to the long id in the sheet's URL.")
        found = self._transport.fetch_sheet_metadata(self._sheet_id)
        if not isinstance(found, dict) or not isinstance(found.get("sheets"), list):
            raise ContractError(
                f"Google Sheets described the sheet {self._sheet_id} in an unknown way; nothing was stored, and the code must follow."
            )
        return found

    def _values(self, ranges: list[str], render: str) -> list[list[list[Any]]]:
        if not ranges:
            return []
        how: dict[str, Any] = {"valueRenderOption": render, "dateTimeRenderOption": "SERIAL_NUMBER"}
        found = self._transport.values_batch_get(self._sheet_id, ranges, params=how)
        given = found.get("valueRanges", []) if isinstance(found, dict) else []
        grids: list[Any] = [r.get("values", []) if isinstance(r, dict) else None for r in given]
        if len(grids) != len(ranges) or not all(isinstance(g, list) and all(isinstance(row, list) for row in g) for g in grids):
            raise ContractError(
                f"Google Sheets gave {len(grids)} answers for {len(ranges)} tabs, or one that is no table; nothing was stored, run again."
            )
        return grids


def _session(credentials: Path | str | None) -> tuple[requests.Session, str]:
    """A session that carries the service account's token, and the address that a sheet must be shared with."""
    if credentials is None:
        return requests.Session(), "anybody (no credentials are set)"
    if isinstance(credentials, str):
        try:
            given = service_account.Credentials.from_service_account_info(json.loads(credentials), scopes=SCOPES)
        except (ValueError, KeyError, TypeError, AttributeError, google.auth.exceptions.GoogleAuthError):
            raise AuthError(
                "AI_USAGE_SHEET_CREDENTIALS does not hold a service account's JSON key; give the whole file that Google Cloud made."
            ) from None
        return google.auth.transport.requests.AuthorizedSession(given), given.service_account_email
    setting = f"GOOGLE_APPLICATION_CREDENTIALS={credentials}"
    try:
        found = service_account.Credentials.from_service_account_file(str(credentials), scopes=SCOPES)
    except FileNotFoundError:
        raise AuthError(f"{setting}: there is no such file; set it to a service account's JSON key file.") from None
    except (ValueError, KeyError, OSError, google.auth.exceptions.GoogleAuthError):
        raise AuthError(f"{setting}: the file is not a service account's JSON key; download it again from Google Cloud.") from None
    return google.auth.transport.requests.AuthorizedSession(found), found.service_account_email
