"""Closing a month: what finance has booked stands still, and what vendors change later is booked to the first open month.

Belongs here: freezing a month's rows and opening it again. Does not belong here: what must hold before (`readiness.py`), the ledger and its proof
(`ledger.py`), how corrections are computed (sql/curated/fct_cost_corrections.sql), Dagster, printing.

The rows go first and the row of the ledger last: that row closes the month, so a crash in between closes nothing. Months are closed in order and
reopened in the opposite one, so that every later correction has exactly one open month to stand in.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import UTC, date, datetime

from ai_usage import tables
from ai_usage.finance.ledger import BOOKED, Closing, ClosingError, closed, days_of, decide, frozen
from ai_usage.finance.readiness import blockers, check_answers, questions
from ai_usage.months import last_day
from ai_usage.settings import Settings
from ai_usage.transform import totals
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import Warehouse, models

FROZEN = tuple(c for c in tables.BY_NAME["closed_cost"].column_names if c != "closing_id")

# A platform without a line is frozen with 0, so that an invoice that comes later is a line of a later month.
_INVOICES = """
    INSERT INTO closed_invoices (closing_id, month, corrects_month, platform, vendor, booked_usd)
    SELECT
      @closing_id, month, corrects_month, platform, MAX(vendor),
      SUM(CASE WHEN cost_type = 'invoice_difference' THEN booked_usd ELSE CAST(0 AS NUMERIC) END)
    FROM vw_chargeback WHERE month = @first_day GROUP BY month, corrects_month, platform
"""


def close(
    warehouse: Warehouse, month: date, *, author: str, today: date, reason: str | None = None, settings: Settings | None = None,
    accepted: Collection[str] = (),
) -> Closing:  # fmt: skip
    """Freeze the month. Raises `ClosingError` naming every blocker; then nothing is changed. What is accepted goes into the ledger in words."""
    author = _author(author)
    check_answers(accepted, reason)
    problems = blockers(warehouse, month, today, settings, accepted)
    if problems:
        raise ClosingError(f"{month:%Y-%m} cannot be closed: " + " ".join(problems))
    answered = " ".join(sentence for _, sentence in questions(warehouse, month, today, settings)) if accepted else ""
    as_of = datetime.now(UTC)
    closing_id = uuid.uuid4().hex
    scope = days_of(month)
    # Rows of an attempt that ended before its ledger row.
    unfinished = "closing_id NOT IN (SELECT closing_id FROM month_closings)"
    warehouse.execute(f"DELETE FROM closed_cost WHERE {BOOKED} AND {unfinished}", scope)
    warehouse.execute(f"DELETE FROM closed_invoices WHERE {unfinished}")
    columns = ", ".join(FROZEN)
    expected = warehouse.select(f"SELECT COUNT(*) AS n, SUM(cost_usd) AS usd FROM vw_cost_booked WHERE {BOOKED}", scope).to_pylist()[0]
    warehouse.execute(
        f"INSERT INTO closed_cost (closing_id, {columns}) SELECT @closing_id, {columns} FROM vw_cost_booked WHERE {BOOKED}",
        {"closing_id": closing_id, **scope},
    )
    warehouse.execute(_INVOICES, {"closing_id": closing_id, "first_day": month})
    rows, cost_usd, sha256 = frozen(warehouse, closing_id, month)
    if (rows, cost_usd) != (expected["n"], expected["usd"]):
        raise ClosingError(
            f"{month:%Y-%m}: {expected['n']} rows with {expected['usd']} USD were booked and {rows} with {cost_usd} were frozen; another run wrote "
            "meanwhile, nothing is closed, so close again while no run works."
        )
    closing = Closing(month, closing_id, rows, cost_usd, sha256, answered or None)
    decide(warehouse, closing, "close", author, reason, as_of)
    correct(warehouse)
    return closing


def reopen(warehouse: Warehouse, month: date, *, author: str, reason: str) -> Closing:
    """Open a closed month again. The frozen rows and both decisions stay in the ledger."""
    author = _author(author)
    if not reason.strip():
        raise ClosingError(f"{month:%Y-%m} is reopened only for a reason; give it with --reason.")
    on_record = closed(warehouse)
    if month not in on_record:
        raise ClosingError(f"{month:%Y-%m} is not closed, so it needs no reopening.")
    if max(on_record) != month:
        raise ClosingError(f"{max(on_record):%Y-%m} was closed after {month:%Y-%m} and may hold its corrections; reopen that month first.")
    was = on_record[month]
    decide(warehouse, Closing(month, was.closing_id, was.rows, was.cost_usd, was.sha256), "reopen", author, reason, datetime.now(UTC))
    correct(warehouse, also=month)
    return Closing(month, was.closing_id, was.rows, was.cost_usd, was.sha256)


def correct(warehouse: Warehouse, also: date | None = None) -> None:
    """Compute the corrections of every closed month anew, and those of `also`, a month that was just reopened."""
    months = sorted({*closed(warehouse), *([also] if also else [])})
    if not months:
        return
    model = models.model("fct_cost_corrections")
    parameters = {"start_date": months[0], "end_date": last_day(months[-1]), "processed_at": datetime.now(UTC)}
    warehouse.replace(model.table, model.sql, parameters, FACTS[model.table.name])
    totals.rebook(warehouse, months[0], months[-1])


def _author(name: str) -> str:
    if not name.strip():
        raise ClosingError("nobody is named who decides; give --author.")
    return name.strip()
