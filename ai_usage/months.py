"""Calendar months as people write them: the one place that reads 2026-10 and says where a month ends."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta

from ai_usage.settings import SettingsError


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
    this = day.replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), this
