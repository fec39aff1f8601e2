"""Why cost changed between two periods: the mart `vw_change_drivers` for periods of one's own.

Belongs here: putting periods into the mart's SQL, and what cannot be compared. Does not belong here: the parts of a change (`sql/marts/`), printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlglot
from sqlglot import exp

from ai_usage.dashboards.query import FilterValues, compared_period
from ai_usage.errors import PlatformError
from ai_usage.warehouse import models
from ai_usage.warehouse.base import Warehouse

VIEW = "vw_change_drivers"
BY = {"department": "department", "platform": "platform", "person": "user_email"}
PERIODS = """
SELECT @later_from AS pair, 1 AS side, @later_from AS first_day, @later_to AS last_day
UNION ALL
SELECT @later_from AS pair, 0 AS side, @earlier_from AS first_day, @earlier_to AS last_day
"""


class DriversError(PlatformError, ValueError):
    """Two periods that cannot be compared; one sentence with the remedy."""


@dataclass(frozen=True)
class Period:
    """Inclusive UTC days."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


def period_before(period: Period) -> Period:
    """What a period stands beside where nobody says another: the dashboards' rule."""
    other = compared_period(FilterValues(period.first, period.last))
    assert other is not None and other.date_from is not None and other.date_to is not None
    return Period(other.date_from, other.date_to)


def month_drivers(warehouse: Warehouse, month: date, by: str | None = None) -> tuple[Period, Period, list[dict[str, Any]]]:
    """A month beside the one before, as the mart has it: the later period, the earlier one, and rows as `drivers` returns them.

    Raises DriversError where the month or the whole month before is not on record.
    """
    asked = {"month": month}
    days = warehouse.select(
        f"SELECT DISTINCT later_from, later_to, earlier_from, earlier_to FROM {VIEW} WHERE month = @month", asked
    ).to_pylist()
    if not days:
        raise DriversError(
            f"{month:%Y-%m} has no whole month before it on record; choose a later one, or two periods with --from and --before-from."
        )
    (one,) = days
    rows = warehouse.select(_summed(f"SELECT * FROM {VIEW} WHERE month = @month", by), asked).to_pylist()
    return Period(one["later_from"], one["later_to"]), Period(one["earlier_from"], one["earlier_to"]), rows


def drivers(warehouse: Warehouse, later: Period, earlier: Period, by: str | None = None) -> list[dict[str, Any]]:
    """The parts of the change from one period to another.

    Args:
        warehouse: Where the facts are.
        later: The period that is explained.
        earlier: What it stands beside; it may be as long as one likes, and may lie after it.
        by: A key of BY, to have the parts of each.

    Returns:
        Rows of `driver` and `amount_usd` (exact USD), with the column of `by` before them: `before` is the earlier period's cost, all rows sum to the
        later's.

    Raises:
        DriversError: A day is in both periods, a period ends before it begins, or one is not on record.
    """
    for period in (later, earlier):
        if period.last < period.first:
            raise DriversError(f"the period {period} ends before it begins; exchange the days.")
    if later.first <= earlier.last and earlier.first <= later.last:
        raise DriversError(f"{later} and {earlier} share days, which would be on both sides; choose periods that do not overlap.")
    (held,) = warehouse.select("SELECT MIN(cost_date) AS first_day, MAX(cost_date) AS last_day FROM agg_cost_days").to_pylist()
    for period in (later, earlier):
        if held["first_day"] is None or period.first < held["first_day"] or period.last > held["last_day"]:
            known = (
                f"which are {held['first_day']} to {held['last_day']}"
                if held["first_day"]
                else "of which there are none; run ai-usage run first"
            )
            raise DriversError(f"{period} is not within the days on record, {known}.")
    asked = {"later_from": later.first, "later_to": later.last, "earlier_from": earlier.first, "earlier_to": earlier.last}
    return warehouse.select(_summed(_between(models.model(VIEW).sql), by), asked).to_pylist()


def not_held(warehouse: Warehouse, *periods: Period) -> list[str]:
    """One sentence for each source whose bill is not held of every day of the periods: what is missing looks like less use, or more."""
    days = " UNION ALL ".join(f"SELECT day FROM UNNEST(GENERATE_DATE_ARRAY(@first_{n}, @last_{n})) AS day" for n in range(len(periods)))
    asked = {f"first_{n}": p.first for n, p in enumerate(periods)} | {f"last_{n}": p.last for n, p in enumerate(periods)}
    found = warehouse.select(
        f"""
        SELECT b.source, COUNT(*) AS days, MIN(p.day) AS first_day
        FROM (SELECT DISTINCT source FROM stg_billed_days) AS b
        CROSS JOIN ({days}) AS p
        LEFT JOIN stg_billed_days AS d ON b.source = d.source AND p.day = d.usage_date
        WHERE d.usage_date IS NULL
        GROUP BY b.source ORDER BY b.source
        """,
        asked,
    ).to_pylist()
    return [
        f"{r['source']}: {r['days']} of these days are not held, the first is {r['first_day']}, so the parts hold what is missing of them; "
        "ai-usage certify says how to read them."
        for r in found
    ]


def _between(sql: str) -> str:
    """The mart's SQL over two periods that are parameters, in place of months."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    for part in list(tree.find_all(exp.CTE)):
        if part.alias == "periods":
            part.set("this", sqlglot.parse_one(PERIODS, read="bigquery"))
        elif part.alias in ("seen", "months"):
            part.pop()
    return str(tree.sql(dialect="bigquery"))


def _summed(rows: str, by: str | None) -> str:
    names = [BY[by], "driver"] if by else ["driver"]
    return f"SELECT {', '.join(names)}, SUM(amount_usd) AS amount_usd FROM (\n{rows}\n) AS parts GROUP BY {', '.join(names)} ORDER BY {', '.join(names)}"
