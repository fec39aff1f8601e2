"""Cursor's Admin API: authentication, limits, errors, and which handler answers which path.

Belongs here: the contract of the /teams endpoints other than event pages and daily rows.
Does not belong here: event pages (events.py), daily rows (daily.py), billing groups
(groups.py).
"""

from __future__ import annotations

import base64
import binascii
from datetime import date
from decimal import Decimal
from typing import Any

from ..books import AccountDay
from ..cast import OWNER, Account
from ..events import day_start
from ..numbers import cents
from ..subscriptions import days
from ..wire import Problem, Records, Request, Response, Vendor, parse_day
from .daily import daily_usage
from .events import EventPages
from .groups import group_answer, groups_answer

_ERRORS = {
    400: ("Bad Request", "Invalid request"),
    401: ("Unauthorized", "Invalid API key"),
    403: ("Forbidden", "Enterprise access required"),
    404: ("Not Found", "Resource not found"),
    429: ("Too Many Requests", "Rate limit exceeded. Please try again later."),
    500: ("Internal Server Error", "An unexpected error occurred"),
    503: ("Service Unavailable", "The service is temporarily unavailable"),
    529: ("Overloaded", "The service is overloaded"),
}


class Cursor(Vendor):
    name = "cursor"
    paths = ("/teams/", "/")  # also what nobody else answers for
    records = (
        Records("usageEvents", "chargedCents", "chargedCents", "totalUsageEventsCount"),
        Records("data", "acceptedLinesAdded", "acceptedLinesAdded", "totalUsers"),
        Records("teamMemberSpend", "spendCents", "spendCents", "totalMembers"),
        Records("teamMembers", "email", "isRemoved"),
        Records("groups", "spendCents", "spendCents"),
    )

    def __init__(self, world, key: str = "simulator") -> None:
        self.events = EventPages(world)
        super().__init__(world, key)

    def routes(self):
        return [
            ("GET", "/teams/members", self._members),
            ("POST", "/teams/daily-usage-data", self._daily),
            ("POST", "/teams/filtered-usage-events", self._events),
            ("POST", "/teams/spend", self._spend),
            ("GET", "/teams/groups", self._groups),
            ("GET", "/teams/groups/(?P<group_id>[^/]+)", self._groups),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        title, usual = _ERRORS.get(status, ("Error", "Error"))
        return Response.json(status, {"error": title, "message": message or usual})

    def authorize(self, request: Request) -> None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(secret, validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if given != f"{self.key}:":  # the key as user name, no password
            raise Problem(401)

    def limit(self, path: str) -> tuple[str, int]:
        return path, 60 if path == "/teams/filtered-usage-events" else 20

    def _members(self, request: Request) -> Response:
        rows = [
            {"id": a.user_id, "name": a.name, "email": a.email, "role": a.role, "isRemoved": a.removed} for a in self.world.cast.accounts
        ]
        return Response.json(200, {"teamMembers": rows})

    def _daily(self, request: Request) -> Response:
        body = _object(request)
        start, end = _bounds(body)
        page, size = body.get("page"), body.get("pageSize")
        paging = None
        if page is not None and size is not None:
            paging = (_count(body, "page", 1), _count(body, "pageSize", 1))
        return Response.json(200, daily_usage(self.world, start, end, paging))

    def _events(self, request: Request) -> Response:
        body = _object(request)
        start, end = _bounds(body)
        size = _count(body, "pageSize", 100)
        if size > 1000:
            raise Problem(400, "pageSize cannot exceed 1000")
        return Response(200, self.events.page(start, end, _count(body, "page", 1), size, body))

    def cycle_start(self) -> date:
        return self.world.last_day.replace(day=1)

    def _spend(self, request: Request) -> Response:
        body = _object(request)
        spent = _spending(self.world, self.cycle_start())
        wanted = str(body.get("searchTerm") or "").lower()
        members = [a for a in self.world.cast.accounts if (not a.removed or a.user_id in spent) and wanted in f"{a.name} {a.email}".lower()]
        orders = {
            "amount": lambda a: (spent[a.user_id].charged if a.user_id in spent else 0, a.user_id),
            "date": lambda a: a.person,
            "user": lambda a: (a.name.lower(), a.user_id),
        }
        order, direction = body.get("sortBy", "date"), body.get("sortDirection", "desc")
        if order not in orders or direction not in ("asc", "desc"):
            raise Problem(400, "sortBy must be amount, date or user; sortDirection asc or desc")
        members.sort(key=orders[order], reverse=direction == "desc")
        page, size = _count(body, "page", 1), _count(body, "pageSize", 100)
        return Response.json(
            200,
            {
                "teamMemberSpend": [_spend_row(a, spent.get(a.user_id, AccountDay())) for a in members[(page - 1) * size : page * size]],
                "subscriptionCycleStart": day_start(self.cycle_start()),
                "totalMembers": len(members),
                "totalPages": -(-len(members) // size),
            },
        )

    def _groups(self, request: Request, group_id: str | None = None) -> Response:
        cycle = self.cycle_start()
        if asked := request.arg("billingCycle"):
            cycle = parse_day(asked).replace(day=1)
        if group_id is None:
            return Response.json(200, groups_answer(self.world, cycle))
        found = group_answer(self.world, cycle, group_id)
        if found is None:
            raise Problem(404)
        return Response.json(200, found)


def _spend_row(account: Account, spent: AccountDay) -> dict[str, Any]:
    owner = account.person == OWNER
    row = {
        "userId": account.user_id,
        "name": account.name,
        "email": account.email,
        "role": account.role,
        "overallSpendCents": cents(spent.overall),
        "fastPremiumRequests": spent.billed_calls,
        "hardLimitOverrideDollars": 500 if owner else 0,
        "monthlyLimitDollars": 1000 if owner else None,
        "effectivePerUserLimitDollars": 500 if owner else 250,
    }
    # Left out for a member who spent nothing on demand.
    return row | {"spendCents": cents(spent.charged)} if spent.charged else row


def _spending(world, first: date) -> dict[str, AccountDay]:
    total: dict[str, AccountDay] = {}
    for day in days(max(first, world.first_day), world.last_day):
        for user_id, part in world.ledger(day).accounts.items():
            mine = total.setdefault(user_id, AccountDay())
            mine.charged += part.charged
            mine.overall += part.overall
            mine.billed_calls += part.billed_calls
    return total


def _object(request: Request) -> dict[str, Any]:
    if request.body is None:
        return {}
    if not isinstance(request.body, dict):
        raise Problem(400, "The request body must be a JSON object")
    return request.body


def _bounds(body: dict[str, Any]) -> tuple[int, int]:
    start, end = (_instant(body, name) for name in ("startDate", "endDate"))
    if end < start:
        raise Problem(400, "startDate must be before endDate")
    return start, end


def _instant(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Problem(400, f"{name} is required: a number of milliseconds since 1970")
    if not 0 <= value <= 253_402_300_799_999:
        raise Problem(400, f"{name} is out of range")
    return int(value)


def _count(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Problem(400, f"{name} must be a positive integer")
    return value
