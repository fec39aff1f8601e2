"""For which days facts and stored totals are written: facts over whole ranges that were billed as one; totals after the facts of a run, over whole months,
and all of them when departments or closed months changed.

Belongs here: the range of each curated table. Does not belong here: what a total is (sql/curated/agg_*.sql), Dagster.

A question by month or by a person's day reads these tables: of 10,000 people and two years a month's question reads some ten thousand rows, not fifty million.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from ai_usage.months import last_day
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import Warehouse, models
from ai_usage.warehouse.base import Parameters

NAMES = ("agg_person_days", "agg_person_weeks", "agg_person_months", "agg_cost_days", "agg_cost_months")
"""In the order in which they are written."""
BOOKED = "agg_cost_months"
BY_MONTH = {"agg_person_months", BOOKED}
EVER = (date(1900, 1, 1), date(9999, 12, 31))


def whole_ranges(warehouse: Warehouse, first: date, last: date) -> tuple[date, date]:
    """The days whose facts a run writes: with a range of claude.ai's spend report all its days, since one day more of the API may decide which of the two
    reports counts for all of them. Ranges never overlap, so no second look is needed.

    Args:
        warehouse: where raw is held.
        first: the first UTC day of the run.
        last: the last one, inclusive.

    Returns:
        The first and the last day to write, both inclusive; never fewer days than given.

    Raises:
        WarehouseError: the warehouse did not answer.
    """
    found = warehouse.select(
        "SELECT MIN(first_day) AS first_day, MAX(last_day) AS last_day FROM stg_claude_ai_ranges WHERE first_day <= @last AND last_day >= @first",
        {"first": first, "last": last},
    ).to_pylist()[0]
    return min(first, found["first_day"] or first), max(last, found["last_day"] or last)


def write(warehouse: Warehouse, name: str, parameters: Parameters) -> tuple[date, date, int]:
    """Write one table for the days of a run, given as a model's parameters; returns the days written, both inclusive, and the rows.

    Raises `WarehouseError` when the totals are not those of the facts, in the transaction that writes them; nothing is changed then.
    """
    first, last = scope(warehouse, name, *whole_ranges(warehouse, _day(parameters["start_date"]), _day(parameters["end_date"])))
    model = models.model(name)
    given: dict[str, Any] = {**parameters, "start_date": first, "end_date": last}
    return first, last, warehouse.replace(model.table, model.sql, given, FACTS[name])


def write_all(warehouse: Warehouse, parameters: Parameters) -> None:
    """All of them, in order."""
    for name in NAMES:
        write(warehouse, name, parameters)


def rebook(warehouse: Warehouse, first: date, last: date) -> None:
    """What is booked to the months of these days, after a month was closed or reopened."""
    write(warehouse, BOOKED, {"start_date": first, "end_date": last, "processed_at": datetime.now(UTC)})


def scope(warehouse: Warehouse, name: str, first: date, last: date) -> tuple[date, date]:
    """The days to write for a run of the days from `first` to `last`: whole weeks or months for a table by week or month; for what is booked also the
    first open month, which books what closed months' days brought, and every day there is when departments or closed months are not those of
    the rows that stand. A table without rows is written whole: a warehouse that was made by an earlier version has facts and no totals."""
    if not warehouse.select(f"SELECT COUNT(*) AS n FROM {name}")["n"][0].as_py():
        return EVER
    if name == "agg_person_weeks":
        return first - timedelta(days=first.weekday()), _sunday(last)
    if name not in BY_MONTH:
        return first, last
    first, last = first.replace(day=1), last_day(last)
    if name != BOOKED:
        return first, last
    state = warehouse.select(
        """
        SELECT
          (
            SELECT COUNT(*) FROM agg_cost_months AS m CROSS JOIN stg_cost_basis AS s
            WHERE m.month BETWEEN DATE '1900-01-01' AND DATE '9999-12-31' AND m.basis != s.basis
          ) AS outdated,
          (SELECT DATE_ADD(MAX(month), INTERVAL 1 MONTH) FROM stg_closed_months) AS first_open
        """
    ).to_pylist()[0]
    if state["outdated"]:
        return EVER
    if state["first_open"]:
        first, last = min(first, state["first_open"]), max(last, last_day(state["first_open"]))
    return first, last


def _sunday(day: date) -> date:
    return day if (date.max - day).days < 7 else day + timedelta(days=6 - day.weekday())


def _day(value: Any) -> date:
    assert isinstance(value, date)
    return value
