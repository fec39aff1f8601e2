"""The Google Sheet as the platform knows it: a source that bills nothing and belongs to no vendor of AI. Its tabs are in README.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ai_usage.errors import SettingsError
from ai_usage.guards.outgoing import is_loopback
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.google_sheets import records
from ai_usage.sources.google_sheets.settings import SheetSettings
from ai_usage.sources.vendor import Link, Maker, Question, Source, Vendor

if TYPE_CHECKING:
    from ai_usage.sources.google_sheets.client import SheetsClient


def client(settings: SheetSettings, link: Link) -> SheetsClient:
    from ai_usage.sources.google_sheets.client import SheetsClient

    if settings.sheet_id is None:
        raise SettingsError("The Google Sheet is off: AI_USAGE_SHEET_ID is not set.")
    given: Path | str | None = link.google_credentials
    if settings.sheet_credentials is not None:
        given = settings.sheet_credentials.get_secret_value()
    if given is None and not is_loopback(settings.sheets_base_url):
        raise SettingsError(
            "the Google Sheet cannot be read without GOOGLE_APPLICATION_CREDENTIALS; set it to a service account's JSON key file."
        )
    return SheetsClient(settings.sheets_base_url, settings.sheet_id, given, link.spool, **link.http)


def _probe(settings: SheetSettings, made: Callable[[Maker], SheetsClient], today: date) -> str:
    sheet = made(client)
    tabs = sheet.read()
    if problems := sheet.problems():
        raise SettingsError(
            f"the sheet opens, tabs: {', '.join(tabs) or 'none known'}. " + " ".join(p[0].upper() + p[1:] for p in problems)
        )
    return f"'{sheet.title()}' opens; tabs: {', '.join(tabs)}."


def _tab(endpoint: Endpoint) -> Question:
    return Question(endpoint, lambda sheet, window: sheet.tab(endpoint))


VENDOR = Vendor(
    name="google_sheets",
    title="Google Sheet",
    kind="googlesheets",
    settings=SheetSettings,
    sources=(Source("google_sheets", client=client, probe=_probe, questions=tuple(map(_tab, records.ENDPOINTS)), one_moment=True),),
)
