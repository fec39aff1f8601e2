"""Calendar months as people write them: the one place that reads 2026-10 and says where a month ends."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

from ai_usage.errors import SettingsError


def parse(text: str) -> date:
    """The first day of a month written as 2026-10; `SettingsError` for anything else."""
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise SettingsError(f"{text!r} is no month; write year and month, like 2026-10.")
    return date.fromisoformat(f"{text}-01")


def last_day(day: date) -> date:
    """The last day of the month of that day."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def with_before(day: date) -> tuple[date, date]:
    """The first days of the month before that day's, and of its own."""
    return before(day, 1), day.replace(day=1)


def before(day: date, count: int) -> date:
    """The first day of the month that is `count` months before that of the day."""
    year, month = divmod(day.year * 12 + day.month - 1 - count, 12)
    return date(year, month + 1, 1)


def between(first: date, last: date) -> int:
    """How many months later the second day's month is."""
    return (last.year - first.year) * 12 + last.month - first.month
