"""Months as people write them, and where they end."""

from __future__ import annotations

from datetime import date

import pytest

from ai_usage import months
from ai_usage.errors import SettingsError


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-1", "October", "", "1999-01", "2026-10-01", " 2026-10", "2026/10", "20２6-10"]
)
def test_what_is_no_month_is_said(text: str) -> None:
    with pytest.raises(SettingsError, match="is no month; write year and month, like 2026-10"):
        months.parse(text)


def test_a_month_is_year_and_month() -> None:
    assert months.parse("2026-10") == date(2026, 10, 1)


@pytest.mark.parametrize(
    ("day", "last", "before"),
    [
        (date(2028, 2, 1), date(2028, 2, 29), date(2028, 1, 1)),  # a leap year
        (date(2026, 2, 28), date(2026, 2, 28), date(2026, 1, 1)),
        (date(2026, 12, 31), date(2026, 12, 31), date(2026, 11, 1)),
        (date(2026, 1, 15), date(2026, 1, 31), date(2025, 12, 1)),
    ],
)
def test_where_a_month_ends_and_which_was_before(day: date, last: date, before: date) -> None:
    assert months.last_day(day) == last
    assert months.with_before(day) == (before, day.replace(day=1))
