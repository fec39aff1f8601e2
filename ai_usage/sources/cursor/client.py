"""Cursor's Admin API: what to ask and how its pages chain. Source: cursor.com/docs/account/teams/admin-api.

Belongs here: paths, bodies, page chains and their proofs of being closed. Does not belong here: what records mean.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ai_usage.sources.cursor import records
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError, MovingSetError, TransientError
from ai_usage.sources.http import Body, HttpClient, Stats
from ai_usage.sources.pace import RateLimit
from ai_usage.sources.spool import Spooled
from ai_usage.sources.walk import Page, beside, walk

DEFAULT_BASE_URL = "https://api.cursor.com"
PAGE_SIZE = 1000  # the documented maximum for events
T = TypeVar("T")


class _Envelope(msgspec.Struct):
    """Fields around the records; each endpoint sends some of them."""

    pagination: dict[str, Any] | None = None
    period: dict[str, Any] | None = None
    totalUsageEventsCount: int | None = None
    subscriptionCycleStart: int | str | None = None  # text in live answers of 2026
    totalMembers: int | None = None
    totalPages: int | None = None


class _Members(_Envelope, kw_only=True):
    teamMembers: list[msgspec.Raw]


class _Usage(_Envelope, kw_only=True):
    data: list[msgspec.Raw]


class _Events(_Envelope, kw_only=True):
    usageEvents: list[msgspec.Raw]


class _Spend(_Envelope, kw_only=True):
    teamMemberSpend: list[msgspec.Raw]


class CursorClient:
    """Reads whole endpoints into the spool.

    `rate_factor` scales the documented limits (60 requests a minute for events, 20 for the rest, per team); 0 lifts them.
    """

    def __init__(self, base_url: str, key: str, spool: Path, *, rate_factor: float = 1.0, **http: Any) -> None:
        self.http = HttpClient("Cursor", base_url, auth=(key, ""), secrets=(key,), key_setting="CURSOR_ADMIN_API_KEY", **http)
        self._spool = spool
        documented = {"filtered-usage-events": 60, "members": 20, "daily-usage-data": 20, "spend": 20}
        self._limits = {name: RateLimit(n * rate_factor if rate_factor > 0 else None) for name, n in documented.items()}

    def close(self) -> None:
        self.http.close()

    def probe(self) -> int:
        """How many members the team has: proof that the key may read."""
        _, page = self._ask(records.MEMBERS, _Members, Stats(), "GET", "/teams/members")
        return len(page.teamMembers)

    def members(self, window: Window) -> Spooled:
        """GET /teams/members: one unpaged answer."""
        endpoint = records.MEMBERS

        def pages(stats: Stats) -> Iterator[Page]:
            body, page = self._ask(endpoint, _Members, stats, "GET", "/teams/members")
            yield Page(page.teamMembers, {}, None, body)

        return walk(self._spool, endpoint, window, pages)

    def daily_usage(self, window: Window) -> Spooled:
        """POST /teams/daily-usage-data for at most 30 UTC days, bounds on midnight; a page holds 1000 members."""
        endpoint = records.DAILY_USAGE

        def pages(stats: Stats) -> Iterator[Page]:
            for number in itertools.count(1):
                request = {**_bounds(window), "page": number, "pageSize": PAGE_SIZE}
                body, page = self._ask(endpoint, _Usage, stats, "POST", "/teams/daily-usage-data", request, check=_echo(number))
                yield Page(page.data, request, {"pagination": page.pagination, "period": page.period}, body)
                if not (page.pagination or {}).get("hasNextPage"):
                    total = (page.pagination or {}).get("totalPages")
                    if total is not None and total not in (number, 0):
                        raise MovingSetError(f"Cursor daily-usage-data {window.first}: the chain ended on page {number} of {total}.")
                    return

        return walk(self._spool, endpoint, window, pages)

    def events(self, window: Window) -> Spooled:
        """POST /teams/filtered-usage-events for one UTC day; both bounds are inclusive, so the end is 23:59:59.999."""
        endpoint = records.EVENTS

        def pages(stats: Stats) -> Iterator[Page]:
            total: int | None = None
            previous: list[msgspec.Raw] = []
            seen = 0
            for number in itertools.count(1):
                request = {**_bounds(window), "page": number, "pageSize": PAGE_SIZE}
                body, page = self._ask(endpoint, _Events, stats, "POST", "/teams/filtered-usage-events", request, check=_echo(number))
                if number == 1:
                    total = page.totalUsageEventsCount
                elif page.totalUsageEventsCount != total:
                    raise MovingSetError(
                        f"Cursor filtered-usage-events {window.first}: the number of events went from {total} to "
                        f"{page.totalUsageEventsCount} between pages 1 and {number}."
                    )
                # A page that the vendor repeats under the next number keeps count and total: only its content tells. One event alone may
                # stand twice.
                if len(page.usageEvents) > 1 and _same(page.usageEvents, previous):
                    raise MovingSetError(f"Cursor filtered-usage-events {window.first}: page {number} repeats page {number - 1}.")
                previous = page.usageEvents
                seen += len(page.usageEvents)
                yield Page(
                    page.usageEvents, request,
                    {"pagination": page.pagination, "period": page.period, "totalUsageEventsCount": page.totalUsageEventsCount}, body,
                )  # fmt: skip
                if not (page.pagination or {}).get("hasNextPage"):
                    break
            if total is not None and seen != total:
                raise MovingSetError(f"Cursor filtered-usage-events {window.first}: {seen} events came where {total} were announced.")

        return walk(self._spool, endpoint, window, pages)

    def spend(self, window: Window) -> Spooled:
        """POST /teams/spend sorted by user: ranks by amount would move members between pages while they are read."""
        endpoint = records.SPEND

        def pages(stats: Stats) -> Iterator[Page]:
            previous = b""
            seen = 0
            for number in itertools.count(1):
                request = {"page": number, "pageSize": PAGE_SIZE, "sortBy": "user", "sortDirection": "asc"}
                body, page = self._ask(endpoint, _Spend, stats, "POST", "/teams/spend", request)
                digest = hashlib.sha256(body).digest()
                if digest == previous and page.teamMemberSpend:
                    raise MovingSetError(f"Cursor spend: page {number} repeats page {number - 1}.")
                previous = digest
                seen += len(page.teamMemberSpend)
                # The cycle's start stands beside the records and belongs to each of them.
                if page.subscriptionCycleStart is None:
                    raise ContractError(
                        "Cursor spend: the answer has no 'subscriptionCycleStart'; nothing was stored, and sources/cursor/client.py must "
                        "follow the vendor's change."
                    )
                start = msgspec.json.encode(page.subscriptionCycleStart)
                members = [beside(endpoint, start, r) for r in page.teamMemberSpend]
                yield Page(members, request, {"totalMembers": page.totalMembers, "totalPages": page.totalPages}, body)
                if number >= (page.totalPages or 1):
                    break
            if page.totalMembers is not None and seen != page.totalMembers:
                raise MovingSetError(f"Cursor spend: {seen} members came where {page.totalMembers} were announced.")

        return walk(self._spool, endpoint, window, pages)

    def _ask(
        self,
        endpoint: Endpoint,
        shape: type[T],
        stats: Stats,
        method: str,
        path: str,
        request: Any = None,
        check: Callable[[Any], None] = lambda page: None,
    ) -> tuple[bytes, T]:
        decoder = msgspec.json.Decoder(shape)

        def read(body: Body) -> tuple[bytes, T]:
            page = self.http.page(endpoint.name, decoder, body, "cursor/client.py")
            check(page)
            return body.content, page

        return self.http.ask(method, path, read, json=request, limit=self._limits[endpoint.name], stats=stats, endpoint=endpoint.name)


def _same(page: list[msgspec.Raw], previous: list[msgspec.Raw]) -> bool:
    """Whether two pages hold the same records, byte for byte; ends at the first that differs."""
    return len(page) == len(previous) and all(bytes(a) == bytes(b) for a, b in zip(page, previous, strict=True))


def _bounds(window: Window) -> dict[str, int]:
    return {"startDate": int(window.start.timestamp() * 1000), "endDate": round(window.end.timestamp() * 1000)}


def _echo(number: int) -> Callable[[_Envelope], None]:
    """A page that says it is another one is a repeated page: ask again."""

    def check(page: _Envelope) -> None:
        pagination = page.pagination or {}
        said = pagination.get("currentPage", pagination.get("page", number))
        if said != number:
            raise TransientError(f"Cursor answered page {said} where page {number} was asked")

    return check
