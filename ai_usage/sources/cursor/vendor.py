"""Cursor as the platform knows it: one team behind one key. What each endpoint means is in README.md beside this file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from ai_usage.errors import SettingsError
from ai_usage.sources.cursor import checks, kinds, records
from ai_usage.sources.cursor.settings import CursorSettings
from ai_usage.sources.vendor import Link, Maker, Platform, Question, Source, Upload, Vendor

if TYPE_CHECKING:
    from ai_usage.sources.cursor.client import CursorClient


def client(settings: CursorSettings, link: Link) -> CursorClient:
    from ai_usage.sources.cursor.client import CursorClient

    key = settings.cursor_admin_api_key
    if key is None:
        raise SettingsError("Cursor is off: CURSOR_ADMIN_API_KEY is not set.")
    return CursorClient(
        settings.cursor_base_url, key.get_secret_value(), link.spool, rate_factor=settings.cursor_rate_factor,
        connections=link.connections, **link.http,
    )  # fmt: skip


def probe(settings: CursorSettings, made: Callable[[Maker], CursorClient], today: date) -> str:
    count = made(client).probe()
    return f"{settings.cursor_base_url} accepts CURSOR_ADMIN_API_KEY for one team, of {count} members; other teams need keys of their own."


_EXAMPLE = {
    "timestamp": "1793613600123", "userEmail": "name@example.com", "isChargeable": "true", "chargedCents": "21.36232",
    "model": "claude-5-sonnet", "kind": "Usage-based", "tokenUsage.inputTokens": "126", "tokenUsage.outputTokens": "450",
    "userId": "user_1", "day": "2026-11-01", "email": "name@example.com", "isActive": "true", "totalLinesAdded": "120",
    "acceptedLinesAdded": "80", "id": "user_1", "name": "First Last", "role": "member", "isRemoved": "false",
}  # fmt: skip

VENDOR = Vendor(
    name="cursor",
    title="Cursor",
    platforms=(
        Platform("cursor", label="Cursor", colour=0, invoices_as="Cursor", service="Cursor", account="Cursor", resource="Service Account"),
    ),
    settings=CursorSettings,
    sources=(
        Source(
            "cursor",
            client=client,
            probe=probe,
            platforms=("cursor",),
            questions=(
                Question(records.MEMBERS, lambda cursor, window: cursor.members(window)),
                Question(records.DAILY_USAGE, lambda cursor, window: cursor.daily_usage(window), walk_days=30, answers_today=True),
                Question(records.EVENTS, lambda cursor, window: cursor.events(window), answers_today=True, checks=(checks.KINDS_KNOWN,)),
                # After the events, since it is compared with them; no dependency, so that events that cannot be read do not hold it back.
                Question(records.SPEND, lambda cursor, window: cursor.spend(window), checks=(checks.SPEND_AGREES,), last=True),
            ),
        ),
    ),
    written={"sql/staging/cursor/stg_cursor_event_versions.sql": kinds.model},
    stands_in={
        "cursor_events": Upload(records.EVENTS, _EXAMPLE),
        "cursor_daily_usage": Upload(records.DAILY_USAGE, _EXAMPLE),
        "cursor_members": Upload(records.MEMBERS, _EXAMPLE),
    },
)
