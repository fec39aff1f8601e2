"""UTC days as they are asked for at the command line."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from ai_usage.errors import SettingsError

if TYPE_CHECKING:
    from ai_usage.settings import Settings


def utc_day(value: datetime | None, default: date) -> date:
    return value.date() if value else default


def check_days(first: date, last: date, settings: Settings, yesterday: date) -> None:
    if settings.start_date > yesterday:
        raise SettingsError(
            f"AI_USAGE_START_DATE={settings.start_date} is a day that has not ended in UTC; set it to {yesterday} or earlier, run when it has "
            f"ended, or set this machine's clock, which says that {yesterday} was yesterday."
        )
    if first > last:
        raise SettingsError(f"--from {first} lies after --to {last}; exchange them.")
    if first < settings.start_date:
        raise SettingsError(f"--from {first} lies before AI_USAGE_START_DATE={settings.start_date}; set that to an earlier day first.")
    if last > yesterday:
        raise SettingsError(f"--to {last} has not ended in UTC; the last whole day is {yesterday}.")
