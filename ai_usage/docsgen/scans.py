"""What a statement reads of the tables that BigQuery partitions by day: which columns, and whether its days reach the partition column.

Belongs here: following a filter from where it is written down to the tables, through views, CTEs, unions and groups, by rules under which it may
be moved without changing the answer. Does not belong here: bytes and prices (`scale.py`), and running anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

from ai_usage import tables
from ai_usage.warehouse import dialect, models

BOUNDS = frozenset({"start_date", "end_date", "date_from", "date_to"})


@dataclass(frozen=True)
class Scan:
    """One read of one table. `bounded` says that only the days of the statement's own range are read; a table without days is never bounded."""

    table: str
    columns: frozenset[str]
    bounded: bool


def scans(sql: str) -> list[Scan]:
    """Every read of a table by a statement in BigQuery's dialect, as the statement is sent: expand a model first. A view that it reads counts as what
    the view reads, for the columns and days that the statement wants of it; the statement's own ranged staging CTEs stay as they are.
    """
    return list(_walk(_scope(sql), None, frozenset()))


@lru_cache(maxsize=1)
def _schema() -> MappingSchema:
    """Made once: sqlglot would put a thousand columns into its own words for each statement."""
    return MappingSchema({t.name: {c.name: c.type.value for c in t.columns} for t in tables.ALL}, dialect="bigquery")


@lru_cache(maxsize=512)
def _scope(sql: str) -> Scope:
    tree = qualify(
        dialect.parse(sql), schema=_schema(), dialect="bigquery", quote_identifiers=False, identify=False, validate_qualify_columns=False,
    )  # fmt: skip
    root = build_scope(tree)
    assert root is not None, "a statement that reads has a scope"
    return root


@lru_cache(maxsize=4096)
def _scans_of_view(name: str, needed: frozenset[str] | None, bounded: frozenset[str]) -> tuple[Scan, ...]:
    """A dashboard's cards read some forty views through each other: each is followed once for each use of it."""
    return tuple(_walk(_scope(models.view_sql(models.model(name))), needed, bounded))


def _walk(scope: Scope, needed: frozenset[str] | None, bounded: frozenset[str]) -> Iterable[Scan]:
    """Reads below this scope, of which the columns `needed` (None: all) are used and the columns `bounded` are limited to the range."""
    if scope.set_operation_scopes:
        names = [p.alias_or_name for p in scope.set_operation_scopes[0].expression.selects]
        distinct = isinstance(scope.expression, exp.SetOperation) and scope.expression.args.get("distinct")
        for part in scope.set_operation_scopes:
            own = [p.alias_or_name for p in part.expression.selects]
            position = dict(zip(names, own, strict=True))
            wanted = None if needed is None or distinct else frozenset(position[n] for n in needed if n in position)
            yield from _walk(part, wanted, frozenset(position[n] for n in bounded if n in position))
        return
    select = scope.expression
    if not isinstance(select, exp.Select):
        for part in scope.subquery_scopes:
            yield from _walk(part, needed, bounded)
        return
    given = _bounded_sources(select, bounded)
    used = _used(select, needed)
    for alias, (node, source) in scope.selected_sources.items():
        columns = frozenset(c.name for c in used if c.table == alias)
        days = frozenset(name for table, name in given if table == alias)
        if isinstance(source, Scope):
            if source.is_udtf:
                continue
            yield from _walk(source, columns, days if _may_move(select, node) else frozenset())
        elif source.name in tables.BY_NAME and tables.BY_NAME[source.name].view:
            yield from _scans_of_view(source.name, columns, days if _may_move(select, node) else frozenset())
        elif source.name in tables.BY_NAME:
            day = tables.BY_NAME[source.name].date_column
            yield Scan(source.name, columns | ({day} & days if day else frozenset()), day is not None and day in days)
    for part in scope.subquery_scopes:
        yield from _walk(part, None, frozenset())


def _used(select: exp.Select, needed: frozenset[str] | None) -> list[exp.Column]:
    """The columns that a SELECT reads when only some of its output is used: BigQuery does not read the others."""
    whole = needed is None or select.args.get("distinct")
    parts: list[exp.Expression] = [p for p in select.selects if whole or p.alias_or_name in (needed or ())]
    parts += [e for key in ("where", "group", "having", "qualify", "order") if (e := select.args.get(key))]
    parts += list(select.args.get("joins") or ())
    parts += list(select.args.get("laterals") or ())
    found: list[exp.Column] = []
    for part in parts:
        found += [c for c in part.find_all(exp.Column) if c.find_ancestor(exp.Select) in (select, None)]
    return found


def _bounded_sources(select: exp.Select, outer: frozenset[str]) -> set[tuple[str, str]]:
    """(source, column) pairs that are limited to the range: by this WHERE or inner ON, or by one outside that may be moved in."""
    found = {(c.table, c.name) for condition in _conditions(select) if (c := _range_on(condition))}
    grouped = select.args.get("group")
    keys = {k.sql() for k in grouped.expressions} if grouped else None
    windows = [w for w in select.find_all(exp.Window) if w.find_ancestor(exp.Select) is select]
    for projection in select.selects:
        inner = projection.unalias()
        if projection.alias_or_name not in outer or not isinstance(inner, exp.Column) or select.args.get("limit"):
            continue
        if keys is not None and inner.sql() not in keys:
            continue
        if all(inner.sql() in {p.sql() for p in w.args.get("partition_by") or ()} for w in windows):
            found.add((inner.table, inner.name))
    return found


def _conditions(select: exp.Select) -> list[exp.Expression]:
    where = select.args.get("where")
    found = list(where.this.flatten()) if where and isinstance(where.this, exp.And) else [where.this] if where else []
    for join in select.args.get("joins") or ():
        on = join.args.get("on")
        if on is not None and not join.side:
            found += list(on.flatten()) if isinstance(on, exp.And) else [on]
    return [c.unnest() for c in found]


def _range_on(condition: exp.Expression) -> exp.Column | None:
    """The column of `column BETWEEN @start_date AND @end_date` and its like; None where it is no plain column or a bound is not the range's, or the
    range's moved by so many days or months: `DATE_SUB(@start_date, INTERVAL 28 DAY)`."""
    if isinstance(condition, exp.Between | exp.GTE | exp.LTE | exp.GT | exp.LT | exp.EQ) and isinstance(condition.this, exp.Column):
        bounds = [condition.args[k] for k in ("low", "high", "expression") if condition.args.get(k) is not None]
        if all(_is_of_the_range(b) for b in bounds):
            return condition.this
    return None


def _is_of_the_range(bound: exp.Expression) -> bool:
    if isinstance(bound, exp.DateSub | exp.DateAdd) and isinstance(bound.expression, exp.Literal):
        bound = bound.this
    return isinstance(bound, exp.Parameter) and bound.name in BOUNDS


def _may_move(select: exp.Select, node: exp.Expression) -> bool:
    """A filter on the outer join's optional side may not be moved into it."""
    join = node.find_ancestor(exp.Join, exp.Select)
    return not (isinstance(join, exp.Join) and join.parent is select and join.side)
