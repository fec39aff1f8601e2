"""Cursor's daily usage rows.

Belongs here: POST /teams/daily-usage-data: one row per member and day, partial days of unaligned windows,
both pagings.
Does not belong here: authentication (cursor.py), where the edits come from (events.py).
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from ..cast import Account, ServiceAccount
from ..catalog import INCLUDED, USAGE
from ..events import DAY_MS, Day, Edit, Event, day_of, day_start, work
from ..subscriptions import days
from ..wire import Problem

_MAX_RANGE = 30 * DAY_MS
_COUNTS = [
    "totalLinesAdded",
    "totalLinesDeleted",
    "acceptedLinesAdded",
    "acceptedLinesDeleted",
    "totalApplies",
    "totalAccepts",
    "totalRejects",
    "totalTabsShown",
    "totalTabsAccepted",
    "composerRequests",
    "chatRequests",
    "agentRequests",
    "cmdkUsages",
    "subscriptionIncludedReqs",
    "apiKeyReqs",
    "usageBasedReqs",
    "bugbotUsages",
]
_MODES = ("composerRequests", "composerRequests", "chatRequests", "cmdkUsages") + ("agentRequests",) * 4


def daily_usage(world, start: int, end: int, paging: tuple[int, int] | None) -> dict[str, Any]:
    if end - start > _MAX_RANGE:
        raise Problem(400, "Date range cannot exceed 30 days")
    first, last = max(day_of(start), world.first_day), min(day_of(end), world.last_day)
    window = list(days(first, last)) if first <= last else []
    period = {"startDate": start, "endDate": end}
    accounts = list(world.cast.accounts)
    if paging is None:
        done = {day: _by_account(world.day(day), start, end) for day in window}
        rows = [_row(world, a, d, start, done[d][a.user_id]) for a in accounts for d in window if a.user_id in done[d]]
        return {"data": rows, "period": period}
    page, size = paging
    shown = accounts[(page - 1) * size : page * size]
    done = {day: _by_account(world.day(day), start, end) for day in window} if shown else {}
    pages = -(-len(accounts) // size)
    return {
        "data": [_row(world, a, d, start, done[d].get(a.user_id)) for a in shown for d in window],
        "period": period,
        "pagination": {
            "page": page,
            "pageSize": size,
            "totalUsers": len(accounts),
            "totalPages": pages,
            "hasNextPage": page < pages,
            "hasPreviousPage": page > 1,
        },
    }


def _by_account(day: Day, start: int, end: int) -> dict[str, tuple[Counter, Counter]]:
    """(counts, models) of each member in the part of the day that lies inside the window."""
    found: dict[str, tuple[Counter, Counter]] = {}
    done: list[Event | Edit] = [*day.events, *day.edits]
    for item in done:
        if not start <= item.ts <= end or isinstance(item.account, ServiceAccount):
            continue
        counts, models = found.setdefault(item.account.user_id, (Counter(), Counter()))
        did = work(item.work)
        counts["totalLinesAdded"] += did.added
        counts["totalLinesDeleted"] += did.deleted
        counts["acceptedLinesAdded"] += did.accepted_added
        counts["acceptedLinesDeleted"] += did.accepted_deleted
        counts["totalApplies"] += did.applies
        counts["totalAccepts"] += did.accepts
        counts["totalRejects"] += did.applies - did.accepts
        counts["totalTabsShown"] += did.tabs_shown
        counts["totalTabsAccepted"] += did.tabs_accepted
        if isinstance(item, Event):
            counts[_MODES[did.mode]] += 1
            counts["bugbotUsages"] += did.bugbot
            counts["subscriptionIncludedReqs"] += item.outcome == INCLUDED
            counts["usageBasedReqs"] += item.outcome == USAGE
            models[item.model] += 1
    return found


def _row(world, account: Account, day: date, start: int, done: tuple[Counter, Counter] | None) -> dict[str, Any]:
    counts, models = done if done else (Counter(), Counter())
    extension = world.cast.people[account.person].extension if done else None
    return {
        "userId": account.user_id,
        "day": str(day),
        "date": day_start(day) + start % DAY_MS,  # the vendor's habit: the time of day of startDate
        "email": account.email,
        "isActive": done is not None,
        **{name: counts[name] for name in _COUNTS},
        "mostUsedModel": min(models, key=lambda m: (-models[m], m)) if models else None,
        "applyMostUsedExtension": extension,
        "tabMostUsedExtension": extension,
        "clientVersion": "2.4.1" if done else None,
    }
