"""The ledger of closed months: what was decided, the rows that were frozen, and the proof that they are still what they were.

Belongs here: decisions, hashes over frozen rows. Does not belong here: what must hold before a month is closed (`readiness.py`), freezing it
(`closing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from ai_usage import __version__, tables
from ai_usage.months import last_day
from ai_usage.warehouse import Warehouse, WarehouseError
from ai_usage.warehouse.base import Value, every_day

BOOKED = "booked_on BETWEEN @first_day AND @last_day"


class ClosingError(WarehouseError):
    """The month cannot be closed or reopened; one sentence with the remedy."""


@dataclass(frozen=True)
class Closing:
    """One decision of the ledger. `cost_usd` is what the month holds on the books, `sha256` the hash over its frozen rows."""

    month: date
    closing_id: str
    rows: int
    cost_usd: Decimal
    sha256: str
    accepted: str | None = None


def days_of(month: date) -> dict[str, Value]:
    return {"first_day": month, "last_day": last_day(month)}


def _hashes(where: str) -> str:
    """SQL: rows, USD and SHA-256 of each closing whose rows `where` names."""

    def line(table: str) -> str:
        return ", '|', ".join(_text(c) for c in tables.BY_NAME[table].columns if c.name != "closing_id")

    return f"""
        WITH lines AS (
          SELECT closing_id, booked_on, cost_usd, 1 AS n, CONCAT({line("closed_cost")}) AS line FROM closed_cost WHERE {where}
          UNION ALL
          SELECT closing_id, month, CAST(0 AS NUMERIC), 0, CONCAT('invoice|', {line("closed_invoices")})
          FROM (SELECT *, month AS booked_on FROM closed_invoices) AS i WHERE {where}
        ),
        days AS (
          SELECT closing_id, booked_on, SUM(n) AS n, SUM(cost_usd) AS usd, TO_HEX(SHA256(STRING_AGG(line, '\\n' ORDER BY line))) AS hash
          FROM lines GROUP BY closing_id, booked_on
        )
        SELECT
          closing_id, SUM(n) AS n, SUM(usd) AS usd,
          LOWER(TO_HEX(SHA256(STRING_AGG(CONCAT(CAST(booked_on AS STRING), ' ', hash), '\\n' ORDER BY booked_on)))) AS sha256
        FROM days GROUP BY closing_id
    """


def frozen(warehouse: Warehouse, closing_id: str, month: date) -> tuple[int, Decimal, str]:
    """(rows, USD, SHA-256) of a closing as its rows are now. Both engines compute the same hash: money is written without trailing zeros, NULL as -."""
    found = warehouse.select(_hashes(f"closing_id = @closing_id AND {BOOKED}"), {"closing_id": closing_id, **days_of(month)}).to_pylist()
    return (int(found[0]["n"]), Decimal(found[0]["usd"]), str(found[0]["sha256"])) if found else (0, Decimal(0), "no rows")


def damaged(warehouse: Warehouse, months: Sequence[date] | None = None) -> list[str]:
    """Closed months whose frozen rows are not what was closed, one sentence each; default: all closed months."""
    on_record = closed(warehouse)
    said = []
    for month in on_record if months is None else months:
        rows, cost_usd, sha256 = frozen(warehouse, on_record[month].closing_id, month)
        was = on_record[month]
        if (rows, cost_usd, sha256) != (was.rows, was.cost_usd, was.sha256):
            said.append(
                f"{month:%Y-%m} was closed with {was.rows} rows and {was.cost_usd:f} USD and holds {rows} rows and {cost_usd:f} USD with "
                f"{'the same' if sha256 == was.sha256 else 'another'} hash; somebody changed closed_cost or closed_invoices by hand, so restore it from backup."
            )
    return said


def rewritten() -> list[str]:
    """Statements for the transaction that removes a person from frozen rows: each closed month whose rows changed gets its new hash on record, with
    rows and money as they were, which the transaction proves. They name @acted_at, @acted_by and @version."""
    table = tables.BY_NAME["month_closings"]
    return [
        f"""
        INSERT INTO {table.name} ({", ".join(table.column_names)})
        SELECT
          k.month, 'rewrite', k.closing_id, @acted_at, @acted_by, 'a person was forgotten', k.as_of, k.row_count, k.cost_usd, h.sha256,
          @version, CAST(NULL AS STRING)
        FROM stg_closed_months AS k
        INNER JOIN ({_hashes(every_day("booked_on"))}) AS h ON k.closing_id = h.closing_id
        WHERE h.sha256 != k.sha256
        """
    ]


@dataclass(frozen=True)
class Closed:
    closing_id: str
    closed_at: datetime
    as_of: datetime
    rows: int
    cost_usd: Decimal
    sha256: str


def closed(warehouse: Warehouse) -> dict[date, Closed]:
    found = warehouse.select(
        "SELECT month, closing_id, closed_at, as_of, row_count, cost_usd, sha256 FROM stg_closed_months ORDER BY month"
    )
    return {
        r["month"]: Closed(r["closing_id"], r["closed_at"], r["as_of"], r["row_count"], r["cost_usd"], r["sha256"])
        for r in found.to_pylist()
    }


def closed_months(warehouse: Warehouse) -> list[date]:
    """The months that are closed now, in order."""
    return list(closed(warehouse))


def decide(warehouse: Warehouse, closing: Closing, action: str, author: str, reason: str | None, as_of: datetime) -> None:
    table = tables.BY_NAME["month_closings"]
    row: dict[str, Value] = {
        "month": closing.month, "action": action, "closing_id": closing.closing_id, "decided_at": datetime.now(UTC), "author": author,
        "reason": reason.strip() if reason and reason.strip() else None, "accepted": closing.accepted,
        "as_of": as_of, "row_count": closing.rows, "cost_usd": closing.cost_usd,
        "sha256": closing.sha256, "version": __version__,
    }  # fmt: skip
    names = [c for c in table.column_names if row[c] is not None]
    given = {c: row[c] for c in names}
    warehouse.execute(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('@' + c for c in names)})", given)


def _text(column: tables.Column) -> str:
    """The column as text that both engines write alike."""
    name = column.name
    if column.type is tables.Type.STRING:
        text = name
    elif column.type is tables.Type.BOOL:
        text = f"CASE WHEN {name} THEN 'yes' ELSE 'no' END"
    elif column.type is tables.Type.NUMERIC:
        # 1.500000000 on DuckDB is 1.5 on BigQuery.
        written = f"CAST({name} AS STRING)"
        text = f"RTRIM(RTRIM(CASE WHEN STRPOS({written}, '.') > 0 THEN {written} ELSE CONCAT({written}, '.') END, '0'), '.')"
    else:
        text = f"CAST({name} AS STRING)"
    # The length in front keeps two columns apart whatever they say.
    return f"COALESCE(CONCAT(CAST(LENGTH({text}) AS STRING), ':', {text}), '-')"
