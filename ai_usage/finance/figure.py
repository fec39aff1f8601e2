"""A figure of the books: what it is of, its lines, and the bills that tell of their days.

Belongs here: questions to the warehouse about a figure. Does not belong here: what lies in the spool and in the sheet (`finance/evidence.py`), proving
(`finance/explain.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from ai_usage import months
from ai_usage.errors import PlatformError
from ai_usage.warehouse.base import Warehouse

ZERO = Decimal(0)
# What a figure can be of: the column, as a reader sees it.
BY = {
    "department": "COALESCE(department, '(no department)')",
    "person": "COALESCE(user_email, '(unattributed)')",
    "platform": "platform",
    "vendor": "vendor",
    "model": "COALESCE(model, '(no model)')",
    "key": "COALESCE(api_key_id, '(no key)')",
    "cost_type": "cost_type",
    "workspace": "COALESCE(workspace_id, '(no workspace)')",
}
# By which of these each table of totals knows cost; the first that knows all that is asked is what the dashboards show.
SHOWN = (
    ("agg_cost_months", "month", ("department", "person", "platform", "vendor", "cost_type")),
    ("vw_cost_allocation", "cost_date", ("department", "person", "platform", "vendor", "model", "cost_type")),
    ("vw_cost_booked", "booked_on", tuple(BY)),
)
LINE = (
    "booked_on", "cost_date", "department", "user_email", "api_key_id", "workspace_id", "platform", "vendor", "model", "token_type", "cost_type",
    "settle_state", "attribution", "source", "is_correction",
)  # fmt: skip


class ExplainError(PlatformError, ValueError):
    """A figure that nobody can explain; one sentence with the remedy."""


@dataclass(frozen=True)
class Figure:
    """Days of the books, both inclusive, and what is chosen: a key of BY with the values of which any will do."""

    first: date
    last: date
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def where(self, day: str = "booked_on", *more: str) -> tuple[str, dict[str, Any]]:
        """The condition over a table's columns, and its parameters."""
        parts = [f"{day} BETWEEN @first_day AND @last_day", *(f"{BY[name]} IN UNNEST(@{name})" for name in self.chosen), *more]
        return " AND ".join(parts), {"first_day": self.first, "last_day": self.last, **{n: list(v) for n, v in self.chosen.items()}}

    def __str__(self) -> str:
        return ", ".join([f"{self.first} to {self.last}", *(f"{name} {' or '.join(values)}" for name, values in self.chosen.items())])


@dataclass(frozen=True)
class Lines:
    """The largest lines of a figure, and how many there are and what all sum to."""

    rows: list[dict[str, Any]]
    count: int
    total_usd: Decimal

    @property
    def others(self) -> tuple[int, Decimal]:
        """How many lines are not among the rows, and their sum."""
        return self.count - len(self.rows), self.total_usd - sum((r["cost_usd"] for r in self.rows), ZERO)


def named(warehouse: Warehouse, kind: str, asked: str) -> list[str]:
    """The values that a name means, whatever its case: a person by address, alias or name, a key by id or name.

    Raises ExplainError with the nearest names where there is none.
    """
    known = dict.fromkeys(_known(warehouse, kind))
    found = [value for value, name in known if asked.strip().lower() in (value.lower(), (name or "").lower())]
    if found:
        return list(dict.fromkeys(found))
    names = sorted({text for pair in known for text in pair if text})
    near = difflib.get_close_matches(asked.lower(), [n.lower() for n in names], 3, 0.5)
    meant = [n for n in names if n.lower() in near or asked.strip().lower() in n.lower()][:3]
    hint = (
        f"did you mean {' or '.join(meant)}?"
        if meant
        else f"the books know {len(names)}: {', '.join(names[:8])}{', …' if names[8:] else ''}"
    )
    raise ExplainError(f"--{kind.replace('_', '-')} {asked!r} is in no line of the books; {hint}")


def _known(warehouse: Warehouse, kind: str) -> Iterable[tuple[str, str | None]]:
    """Values of the books with what else they are called."""
    values = warehouse.select(f"SELECT DISTINCT {BY[kind]} AS value FROM vw_cost_booked ORDER BY value")["value"].to_pylist()
    others = {
        "person": "SELECT email AS value, TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, ''))) AS name FROM dim_users "
        "UNION ALL SELECT email AS value, alias AS name FROM stg_email_aliases",
        "key": "SELECT DISTINCT api_key_id AS value, api_key_name AS name FROM dim_api_keys",
    }
    yield from ((value, None) for value in values)
    if kind in others:
        held = set(values)
        yield from ((r["value"], r["name"]) for r in warehouse.select(others[kind]).to_pylist() if r["value"] in held)


def shown(warehouse: Warehouse, figure: Figure) -> tuple[str, Decimal]:
    """Which table the dashboards take the figure from, and what it says."""
    whole_months = figure.first.day == 1 and figure.last == months.last_day(figure.last)
    table, day, _ = next(
        s for s in SHOWN if set(figure.chosen) <= set(s[2]) and (whole_months or s[1] != "month")
    )  # fmt: skip
    where, given = figure.where(day)
    total = warehouse.select(f"SELECT SUM(cost_usd) AS usd FROM {table} WHERE {where}", given)["usd"][0].as_py()
    return table, total or ZERO


def lines(warehouse: Warehouse, figure: Figure, limit: int) -> Lines:
    """The lines of a figure, the largest first.

    Args:
        warehouse: Where the books are.
        figure: Whose lines.
        limit: At most so many rows; the count and the total are of all.

    Returns:
        Rows of LINE with `cost_usd`, exact USD.
    """
    where, given = figure.where()
    names = ", ".join(LINE)
    rows = warehouse.select(
        f"""
        SELECT *, COUNT(*) OVER () AS line_count, SUM(cost_usd) OVER () AS total_usd
        FROM (SELECT {names}, SUM(cost_usd) AS cost_usd FROM vw_cost_booked WHERE {where} GROUP BY {names}) AS lines
        ORDER BY ABS(cost_usd) DESC, {names}
        LIMIT {int(limit)}
        """,
        given,
    ).to_pylist()
    count, total = (rows[0]["line_count"], rows[0]["total_usd"]) if rows else (0, ZERO)
    return Lines([{n: r[n] for n in (*LINE, "cost_usd")} for r in rows], count, total)


def days(warehouse: Warehouse, figure: Figure) -> list[dict[str, Any]]:
    """Each day of each source that the figure has lines of, and what the rest of the books and the facts hold of it.

    Returns:
        Rows of `source`, `cost_date`, `figure_usd`, `elsewhere_usd` (the books' other lines of that day), `facts_usd`.
    """
    where, given = figure.where()
    return warehouse.select(
        f"""
        WITH mine AS (
          SELECT source, cost_date, SUM(cost_usd) AS figure_usd FROM vw_cost_booked WHERE {where} GROUP BY source, cost_date
        )
        SELECT m.source, m.cost_date, m.figure_usd, b.cost_usd - m.figure_usd AS elsewhere_usd, COALESCE(f.cost_usd, 0) AS facts_usd
        FROM mine AS m
        INNER JOIN (SELECT source, cost_date, SUM(cost_usd) AS cost_usd FROM vw_cost_booked GROUP BY source, cost_date) AS b
          ON m.source = b.source AND m.cost_date = b.cost_date
        LEFT JOIN (SELECT source, cost_date, SUM(cost_usd) AS cost_usd FROM agg_cost_days GROUP BY source, cost_date) AS f
          ON m.source = f.source AND m.cost_date = f.cost_date
        ORDER BY m.cost_date, m.source
        """,
        given,
    ).to_pylist()


def bills(warehouse: Warehouse, first: date, last: date) -> list[dict[str, Any]]:
    """What the versions that count now bill on each day, and the fetch of each.

    Returns:
        Rows of `cost_source`, `billed_on`, `told_usd` (on that day), and of the version: `source`, `endpoint`, `usage_date` (its last day where it is of a
        range), `version_usd` (its rows, all days), `vendor_total_usd` (summed when its bytes were read), `fetch_id`, `fetched_at`, `origin`,
        `spool_path`, `version_spool_path`, `parser_version`, `window_start`, `window_end`, `row_count`.
    """
    return warehouse.select(
        """
        WITH told AS (
          SELECT
            c.cost_source, b.source, b.endpoint, b.fetch_id AS version_fetch_id, f.usage_date, f.fetch_id, f.vendor_total_usd, b.billed_on,
            SUM(b.usd) AS told_usd
          FROM stg_current_fetches AS f
          INNER JOIN stg_bill_sources AS c ON f.source = c.source AND f.endpoint = c.endpoint
          INNER JOIN stg_billed AS b
            ON f.source = b.source AND f.endpoint = b.endpoint AND f.version_fetch_id = b.fetch_id AND f.usage_date = b.version_day
          LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
          WHERE x.usage_date IS NULL
          GROUP BY c.cost_source, b.source, b.endpoint, b.fetch_id, f.usage_date, f.fetch_id, f.vendor_total_usd, b.billed_on
        ),

        whole AS (
          SELECT *, SUM(told_usd) OVER (PARTITION BY source, endpoint, usage_date) AS version_usd
          FROM told
        )

        SELECT
          w.cost_source, w.billed_on, w.told_usd, w.source, w.endpoint, w.usage_date, w.version_usd, w.vendor_total_usd, w.fetch_id, r.fetched_at,
          r.origin, r.spool_path, v.spool_path AS version_spool_path, r.parser_version, r.window_start, r.window_end, v.row_count
        FROM whole AS w
        INNER JOIN raw_fetches AS r ON w.fetch_id = r.fetch_id AND w.usage_date = r.usage_date
        LEFT JOIN raw_fetches AS v ON w.version_fetch_id = v.fetch_id AND w.usage_date = v.usage_date
        WHERE w.billed_on BETWEEN @first_day AND @last_day
        ORDER BY w.billed_on, w.cost_source
        """,
        {"first_day": first, "last_day": last},
    ).to_pylist()


def used(warehouse: Warehouse, source: str, first: date, last: date, group: Mapping[str, str | None]) -> tuple[Decimal | None, str | None]:
    """How much was used of what some lines bill, and the unit; None where the vendor does not say it of all.

    Args:
        warehouse: Where the measures are.
        source: `source` of the lines.
        first: First UTC day.
        last: Last UTC day.
        group: Columns of the lines, but for the person's, whom vendors spell in their own ways.
    """
    where, given = same(group)
    (row,) = warehouse.select(
        "SELECT MAX(unit) AS unit, MIN(unit) AS other_unit, SUM(quantity) AS quantity, COUNTIF(quantity IS NULL) AS untold FROM stg_charge_measures "
        f"WHERE cost_source = @source AND usage_date BETWEEN @first_day AND @last_day{where}",
        {"source": source, "first_day": first, "last_day": last, **given},
    ).to_pylist()
    if not row["quantity"] or row["untold"] or row["unit"] != row["other_unit"]:
        return None, None
    return Decimal(row["quantity"]), row["unit"]


def facts_of(warehouse: Warehouse, source: str, first: date, last: date, group: Mapping[str, str | None]) -> Decimal:
    """What the facts hold of a source's lines that have these columns, USD."""
    where, given = same(group)
    total = warehouse.select(
        f"SELECT SUM(cost_usd) AS usd FROM fct_cost_daily WHERE source = @source AND cost_date BETWEEN @first_day AND @last_day{where}",
        {"source": source, "first_day": first, "last_day": last, **given},
    )["usd"][0].as_py()
    return total or ZERO


def same(group: Mapping[str, str | None]) -> tuple[str, dict[str, Any]]:
    """A condition that holds of rows with these columns, NULL included, and its parameters."""
    where = "".join(f" AND {name} IS NULL" if value is None else f" AND {name} = @{name}" for name, value in group.items())
    return where, {name: value for name, value in group.items() if value is not None}
