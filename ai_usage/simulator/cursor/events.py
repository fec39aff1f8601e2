"""Cursor's event pages, rendered to bytes once and kept.

Belongs here: POST /teams/filtered-usage-events: windows, order, filters, paging, the JSON text of an event.
Does not belong here: authentication and the checks of the request (cursor.py).

The server must never be what a benchmark measures: a page is joined from rendered events and cached, in
bounded memory.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from datetime import date
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from ..cast import Account, ServiceAccount
from ..events import Event, day_of, day_start
from ..numbers import cents_text, dumps
from ..subscriptions import days
from ..wire import Problem

_PAGES_BYTES, _DAYS_BYTES = 256 << 20, 64 << 20
_HOSTING = ("CLOUD", "SELF_HOSTED", "SELF_HOSTED_POOL", "SELF_HOSTED_MACHINE")
_FILTERS = ("email", "userId", "serviceAccountId", "cloudAgentId", "automationId", "hostingType")


def render(event: Event) -> bytes:
    account = event.account
    agent = account if isinstance(account, ServiceAccount) else None
    whole, tenth = divmod(event.tenths, 10)
    named = f'"userEmail":{quote(event.email)},' if event.email else '"userEmail":null,' if event.work >> 57 & 1 else ""
    text = (
        f'{{"timestamp":"{event.ts}",{named}"model":{quote(event.model)},'
        f'"kind":{quote(event.kind)},"maxMode":{_bool(event.max_mode)},'
        f'"requestsCosts":{whole}{f".{tenth}" if tenth else ""},'
        f'"isTokenBasedCall":{_bool(event.tokens is not None)},'
        f'"isChargeable":{_bool(event.chargeable)},"isHeadless":{_bool(agent is not None)}'
    )
    if event.tokens is not None:
        given, out, read, written = event.tokens
        text += (
            f',"tokenUsage":{{"inputTokens":{given},"outputTokens":{out},"cacheWriteTokens":{written},'
            f'"cacheReadTokens":{read},"totalCents":{cents_text(event.list_micro)}'
        )
        text += f',"discountPercentOff":{event.discount}}}' if event.discount else "}"
    text += f',"chargedCents":{cents_text(event.charged)}'
    if event.fee:
        text += f',"cursorTokenFee":{cents_text(event.fee)}'
    if agent:
        text += (
            f',"serviceAccountId":{quote(agent.id)},"serviceAccountName":{quote(agent.name)},'
            f'"cloudAgentId":{quote(agent.cloud_agent_id)},"automationId":{quote(agent.automation_id)}'
        )
    elif event.work >> 60 & 1:  # live answers write null as text
        text += ',"serviceAccountId":"null"'
    if event.conversation:
        text += f',"conversationId":{quote(event.conversation)}'
    return (text + "}").encode()


def _bool(value: bool) -> str:
    return "true" if value else "false"


class Bounded:
    """The most recently used bytes, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key):
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key, value, size: int) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self.size -= old[1]
        self._kept[key] = (value, size)
        self.size += size
        while self.size > self.limit and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self.size -= freed


class EventPages:
    def __init__(self, world) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._pages, self._days = Bounded(_PAGES_BYTES), Bounded(_DAYS_BYTES)

    def page(self, start: int, end: int, page: int, size: int, body: dict[str, Any]) -> bytes:
        filters = tuple((k, body[k]) for k in _FILTERS if body.get(k) is not None)
        if dict(filters).get("hostingType", "CLOUD") not in _HOSTING:
            raise Problem(400, "Unknown hostingType")
        key = (start, end, page, size, tuple((k, str(v)) for k, v in filters), self.world.version)
        with self._lock:
            found = self._pages.get(key)
            if found is None:
                found = self._render(start, end, page, size, dict(filters))
                self._pages.put(key, found, len(found))
            return found

    def warm(self, first: date, last: date, window_days: int = 1, size: int = 1000) -> int:
        """Render every page of the closed day windows beforehand; returns how many there are."""
        pages, starts = 0, list(days(first, last))[::window_days]
        for start in starts:
            until = min(day_start(start) + window_days * 86_400_000, day_start(last) + 86_400_000) - 1
            page, more = 0, True
            while more:
                page += 1
                more = b'"hasNextPage":true' in self.page(day_start(start), until, page, size, {})[:200]
            pages += page
        return pages

    def _render(self, start: int, end: int, page: int, size: int, filters: dict[str, Any]) -> bytes:
        first, last = max(day_of(start), self.world.first_day), min(day_of(end), self.world.last_day)
        skip, want, total, chunk = (page - 1) * size, size, 0, []
        for day in reversed(list(days(first, last))) if first <= last else ():
            whole = not filters and start <= day_start(day) and day_start(day) + 86_399_999 <= end
            part = None if whole else self._part(day, start, end, filters)
            count = self.world.ledger(day).events if part is None else len(part)
            total += count
            if skip >= count:
                skip -= count
                continue
            if want:
                if part is None:
                    part = self._rendered(day)[1]
                newest_first = part[::-1][skip : skip + want]
                chunk += newest_first
                want, skip = want - len(newest_first), 0
        pages = -(-total // size)
        head = {
            "totalUsageEventsCount": total,
            "pagination": {
                "numPages": pages,
                "currentPage": page,
                "pageSize": size,
                "hasNextPage": page < pages,
                "hasPreviousPage": page > 1,
            },
        }
        period = dumps({"startDate": start, "endDate": end})
        return b'%b,"usageEvents":[%b],"period":%b}' % (
            dumps(head)[:-1].encode(),
            b",".join(chunk),
            period.encode(),
        )

    def _rendered(self, day: date) -> tuple[list[int], list[bytes]]:
        """Instants and JSON of a day's events, oldest first."""
        key = (day, self.world.history(day))
        found = self._days.get(key)
        if found is None:
            events = self.world.day(day).events
            found = [e.ts for e in events], [render(e) for e in events]
            self._days.put(key, found, sum(map(len, found[1])) + 100 * len(events))
        return found

    def _part(self, day: date, start: int, end: int, filters: dict[str, Any]) -> list[bytes]:
        times, texts = self._rendered(day)
        low, high = bisect_left(times, start), bisect_right(times, end)  # both bounds inclusive
        if not filters:
            return texts[low:high]
        events = self.world.day(day).events
        return [texts[n] for n in range(low, high) if _passes(events[n], filters)]


def _passes(event: Event, filters: dict[str, Any]) -> bool:
    account = event.account
    agent = account if isinstance(account, ServiceAccount) else None
    for name, wanted in filters.items():
        if name == "email":
            fits = (event.email or "").lower() == str(wanted).lower()
        elif name == "userId":
            fits = isinstance(account, Account) and account.user_id == str(wanted)
        elif name == "serviceAccountId":
            fits = agent is not None and agent.id == wanted
        elif name == "cloudAgentId":
            fits = agent is not None and wanted in ("*", agent.cloud_agent_id)
        elif name == "automationId":
            fits = agent is not None and wanted in ("*", agent.automation_id)
        else:
            fits = agent is not None and wanted == "CLOUD"
        if not fits:
            return False
    return True
