"""Seats and flat fees, and how a monthly price becomes days.

Belongs here: the company's subscriptions and their accrual.
Does not belong here: usage (events.py), the sheet's cells (google_sheets/content.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal

from .cast import Cast

_CUT = Decimal("0.000000001")


def next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def days(first: date, last: date) -> Iterator[date]:
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)


def months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = next_month(month)


@dataclass(frozen=True, slots=True)
class Subscription:
    """`price_usd` is per seat and calendar month; a row with an e-mail is one seat; valid_to is inclusive."""

    platform: str
    plan: str
    seats: int | None
    email: str | None
    price_usd: Decimal
    valid_from: date
    valid_to: date | None

    def usd_on(self, day: date) -> Decimal:
        """An equal part for every day of the month, cut at 1e-9; its last day bears the remainder."""
        if day < self.valid_from or (self.valid_to is not None and day > self.valid_to):
            return Decimal(0)
        monthly = self.price_usd * (self.seats if self.seats is not None else 1)
        following = next_month(day)
        length = (following - day.replace(day=1)).days
        part = (monthly / length).quantize(_CUT, rounding=ROUND_DOWN)
        if day + timedelta(days=1) == following:
            return monthly - part * (length - 1)
        return part


def company_subscriptions(cast: Cast, first_day: date, last_day: date) -> tuple[Subscription, ...]:
    start = date(first_day.year, 1, 1)
    middle = first_day + (last_day - first_day) // 2
    rows = [Subscription("cursor", "Business", len(cast.people), None, Decimal(40), start, None)]
    for index in (0, 1, 3, 5, 6, 7, 9):
        if index >= len(cast.people):
            break
        since = last_day.replace(day=10) if index == 6 else start
        until = middle if index == 5 else None
        rows.append(Subscription("claude_ai", "Team", None, cast.people[index].email, Decimal(30), since, until))
    return tuple(rows)
