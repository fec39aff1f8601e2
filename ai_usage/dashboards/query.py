"""The aggregated query that a card stands for, in BigQuery dialect.

`SELECT group_by, SUM(…) FROM (card SQL) WHERE filters GROUP BY …`: what a SQL renderer sends, and what the
tests compare the browser's figures with. Values are bound parameters, never text. Belongs here: query text
and the arithmetic of periods. Does not belong here: running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import sqlglot
from sqlglot import exp

from ai_usage import months
from ai_usage.dashboards.spec import Card, Dimension, Measure, SpecError, Term
from ai_usage.remembered import remembered

GRAINS = {"week": "ISOWEEK", "month": "MONTH"}


@dataclass(frozen=True)
class FilterValues:
    """What a reader chose: inclusive dates, and values per multi-select filter (none = no restriction)."""

    date_from: date | None = None
    date_to: date | None = None
    chosen: dict[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class CardQuery:
    """SQL with `@name` parameters, and their values."""

    sql: str
    params: dict[str, Any]


def compared_period(values: FilterValues) -> FilterValues | None:
    """What a period stands beside, as in periods.js; None when it is open-ended. One that begins on the first of a month is months: it stands beside
    as many months before it, a last month that is not whole beside the same days. Any other stands beside as many days directly before."""
    first, last = values.date_from, values.date_to
    if first is None or last is None:
        return None
    if first.day > 1:
        return replace(values, date_from=first - ((last - first) + timedelta(days=1)), date_to=first - timedelta(days=1))
    count = months.between(first, last) + 1
    end = months.last_day(months.before(last, count))
    if last != months.last_day(last):
        end = end.replace(day=min(last.day, end.day))
    return replace(values, date_from=months.before(first, count), date_to=end)


def resolve_grain(grain: str, first: date, last: date) -> str:
    """What `auto` means for a range: days up to 93 days, weeks up to 800 days, else months. As in data.js."""
    if grain != "auto":
        return grain
    days = (last - first).days + 1
    return "day" if days <= 93 else "week" if days <= 800 else "month"


def card_query(card: Card, values: FilterValues | None = None, *, grain: str = "day", pivot: bool = True) -> CardQuery:
    """The card's query. `grain` is what `auto` becomes; `pivot=False` leaves a table's pivot column out."""
    values = values or FilterValues()
    dimensions = card.dimensions if pivot else list(card.group_by)
    columns = [f"{_dimension(d, grain)} AS `{d.column}`" for d in dimensions]
    columns += [f"{measure_sql(m)} AS `{m.key}`" for m in card.measures]
    rows = lines_of(card.source.text, *_needed(card, dimensions, values))
    where, params = _where(card, values, rows)
    lines = ["SELECT " + ",\n  ".join(columns), "FROM (", rows, ") AS card"]
    if where:
        lines.append("WHERE " + " AND ".join(where))
    if dimensions:
        lines.append("GROUP BY " + ", ".join(str(i + 1) for i in range(len(dimensions))))
        lines.append("ORDER BY " + ", ".join(_order(card, dimensions)))
    return CardQuery("\n".join(lines), params)


def lines_of(text: str, added: frozenset[str], plain: frozenset[str], counted: frozenset[str] = frozenset()) -> str:
    """The card's SQL for a question that sums the columns `added`, groups by or filters on the columns `plain`, and counts the columns `counted`
    distinct or takes their least or greatest.

    Rows that the card's SQL groups would be grouped twice: once by all its columns, which is most of the cost, and once by the question's. Where it
    groups and every column in `added` is a SUM of lines, and no column in `plain` depends on a sum, the lines are given as they are, with the
    same answer. A column in `counted` may also be the MAX of a column that the SQL groups by, taken where a line meets a condition: within a group the lines
    then hold that one value or NULL, which count, and have a least and a greatest, as the group has. Otherwise the SQL is returned unchanged.
    """
    return _lines_of(text, *(tuple(sorted(names)) for names in (added, plain, counted)))


@remembered(__file__)
def _lines_of(text: str, *names: tuple[str, ...]) -> str:
    added, plain, counted = map(frozenset, names)
    select = sqlglot.parse_one(text, read="bigquery")
    if not isinstance(select, exp.Select) or not select.args.get("group") or select.args.get("having"):
        return text
    grouped = {column.name for column in select.args["group"].expressions if isinstance(column, exp.Column)}
    kept = []
    for projection in select.expressions:
        name, inner = projection.alias_or_name, projection.unalias()
        if name in added:
            if not isinstance(inner, exp.Sum) or name in plain | counted:
                return text
            kept.append(exp.alias_(inner.this, name))
        elif name in plain | counted:
            line = inner if not inner.find(exp.AggFunc) else _one_of_a_group(inner, grouped) if name not in plain else None
            if line is None:
                return text
            kept.append(projection if line is inner else exp.alias_(line, name))
    select.set("expressions", kept)
    select.set("group", None)
    return select.sql(dialect="bigquery", pretty=True, comments=False)


def _one_of_a_group(inner: exp.Expr, grouped: set[str]) -> exp.Expr | None:
    """`CASE WHEN … THEN g END` of `MAX(CASE WHEN … THEN g END)` where the group's own columns are all that it can give."""
    if not isinstance(inner, exp.Max) or not isinstance(inner.this, exp.Case) or inner.this.args.get("default") is not None:
        return None
    given = {one.args["true"] for one in inner.this.args["ifs"]}
    return inner.this if len(given) == 1 and all(isinstance(g, exp.Column) and g.name in grouped for g in given) else None


def _needed(card: Card, dimensions: Sequence[Dimension], values: FilterValues) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Columns of the card's SQL that the question sums, those that it groups by or filters on, and others that it counts or takes the least or
    greatest of."""
    added, plain, counted = set(), {d.column for d in dimensions}, set()
    plain |= {column for key, column in card.filters.items() if key == "date" or key in card.unset or values.chosen.get(key)}
    for measure in card.measures:
        for term in measure.ratio or ():
            added |= {term.sum} if term.sum is not None else set()
            counted |= {term.count_distinct} if term.count_distinct is not None else set()
        added |= {c for c in (measure.sum, measure.share) if c is not None}
        counted |= {c for c in (measure.count_distinct, measure.min, measure.max) if c is not None}
    return frozenset(added), frozenset(plain), frozenset(counted - plain)


def _dimension(dimension: Dimension, auto: str) -> str:
    grain = auto if dimension.grain == "auto" else dimension.grain
    if grain in GRAINS:
        return f"CAST(DATE_TRUNC(card.`{dimension.column}`, {GRAINS[grain]}) AS DATE)"
    return f"card.`{dimension.column}`"


def _term(term: Term) -> str:
    if term.sum is not None:
        return f"SUM(card.`{term.sum}`)"
    return f"COUNT(DISTINCT card.`{term.count_distinct}`)"


def _divided(top: str, base: str) -> str:
    """No ratio over a base of zero or less: of a negative whole no part is a share."""
    return f"SAFE_DIVIDE({top}, CASE WHEN {base} > 0 THEN {base} END)"


def measure_sql(measure: Measure) -> str:
    """The aggregate over rows called `card`."""
    if measure.ratio is not None:
        top = _term(measure.ratio[0]) + (f" * {measure.per}" if measure.per != 1 else "")
        return _divided(top, _term(measure.ratio[1]))
    if measure.share is not None:
        total = f"SUM(card.`{measure.share}`)"
        return _divided(total, f"SUM({total}) OVER ()")
    if measure.count_distinct is not None:
        return _term(Term(count_distinct=measure.count_distinct))
    name, column = next((n, c) for n in ("sum", "min", "max") if (c := getattr(measure, n)) is not None)
    return f"{name.upper()}(card.`{column}`)"


def _where(card: Card, values: FilterValues, rows: str) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    params: dict[str, Any] = {}
    day = card.filters.get("date")
    first = values.date_from.replace(day=1) if values.date_from and card.of_months else values.date_from
    for name, sign, bound in (("date_from", ">=", first), ("date_to", "<=", values.date_to)):
        if day is not None and bound is not None:
            where.append(f"card.`{day}` {sign} @{name}")
            params[name] = bound
    if card.latest:
        dated = f" WHERE {' AND '.join(where)}" if where else ""
        where.append(f"card.`{day}` = (SELECT MAX(card.`{day}`) FROM (\n{rows}\n) AS card{dated})")
    for key, chosen in ({key: [value] for key, value in card.unset.items()} | {k: v for k, v in values.chosen.items() if v}).items():
        if key == "date":
            raise SpecError(f"card {card.key}: the filter `date` takes date_from and date_to, not values; pass those.")
        if key in card.filters and chosen:
            where.append(f"card.`{card.filters[key]}` IN UNNEST(@{key})")
            params[key] = list(chosen)
    return where, params


def _order(card: Card, dimensions: list[Dimension]) -> list[str]:
    """The card's own order, then every group column, so that two engines answer in one order."""
    names = [d.column for d in dimensions]
    order = []
    if card.sort and (card.sort.by in names or card.sort.by in {m.key for m in card.measures}):
        order.append(f"`{card.sort.by}` {card.sort.order.upper()}")
    return order + [f"`{name}`" for name in names if not (card.sort and card.sort.by == name)]
