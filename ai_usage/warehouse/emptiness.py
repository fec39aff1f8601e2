"""Which models give no row where some tables hold none: read from the statements, with no question to an engine.

Most companies have one vendor or two, and the statements of all others cost as much to plan as if they had rows: half of a run. What follows from a table
that is empty is known beforehand, so the engine is handed an empty relation instead (`duckdb_sql.py`).

Belongs here: the rule by which emptiness passes through a SELECT, and its closure over all models. It may overlook an empty model, which costs time; it never
calls one empty that could have a row. Does not belong here: which tables are empty (each engine knows), and statements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from sqlglot import exp

from ai_usage.remembered import remembered
from ai_usage.warehouse import dialect, models

Rule = Any
"""When a statement has no row: the name of a relation that has none, ["any", rules], ["all", rules], or None: nothing that is read here says so. JSON, so
that it can be remembered."""


@lru_cache(maxsize=64)
def empty_models(tables: frozenset[str]) -> frozenset[str]:
    """The views that have no row, over any days, where these stored tables have none."""
    found = set(tables)
    for name, model in models.all_models().items():  # inputs first
        if model.table.view and holds(rule(model.sql), found):
            found.add(name)
    return frozenset(found - tables)


def holds(condition: Rule, empty: Collection[str]) -> bool:
    """Whether a rule is met where these relations are empty."""
    if isinstance(condition, str):
        return condition in empty
    if condition is None:
        return False
    kind, parts = condition
    return (any if kind == "any" else all)(holds(part, empty) for part in parts)


@remembered(__file__)
def rule(sql: str) -> Rule:
    """When a BigQuery statement has no row."""
    return _query(dialect.parse(sql), {})


def _query(query: exp.Expression | None, known: Mapping[str, Rule]) -> Rule:
    """`known`: the rules of the CTEs that can be read here."""
    if query is None:
        return None
    if isinstance(query, exp.Subquery):
        return None if query.args.get("pivots") else _query(query.this, known)
    if not isinstance(query, exp.Query):
        return None
    known = dict(known)
    if with_ := query.args.get("with_"):
        for cte in with_.expressions:
            known[cte.alias] = None if with_.args.get("recursive") else _query(cte.this, known)
    if isinstance(query, exp.SetOperation):
        sides = [_query(query.this, known), _query(query.expression, known)]
        return sides[0] if isinstance(query, exp.Except) else ["any" if isinstance(query, exp.Intersect) else "all", sides]
    return _select(query, known) if isinstance(query, exp.Select) else None


def _select(select: exp.Select, known: Mapping[str, Rule]) -> Rule:
    start = select.args.get("from_")
    if start is None or _is_one_row(select):
        return None
    found = _source(start.this, known)
    for join in select.args.get("joins") or ():
        other = _source(join.this, known)
        if join.side == "LEFT":
            continue
        found = other if join.side == "RIGHT" else ["all" if join.side == "FULL" else "any", [found, other]]
    return found


def _is_one_row(select: exp.Select) -> bool:
    """Whether it may answer with a row for no rows: an aggregate without groups, or with a group of all rows. A function that is not known may be one."""
    if group := select.args.get("group"):
        return (
            not group.expressions
            or any(value for key, value in group.args.items() if key != "expressions")
            or bool(group.find(exp.GroupingSets, exp.Rollup, exp.Cube, exp.Tuple))
        )
    said = [*select.expressions, *(select.args.get(clause) for clause in ("having", "qualify", "order"))]
    return any(_aggregates(part) for part in said if part is not None)


def _aggregates(part: exp.Expression) -> bool:
    """Whether an aggregate stands in it that no window takes its rows from, sub-queries left out."""
    outside = [part]
    while outside:
        node = outside.pop()
        if isinstance(node, exp.Query):
            continue
        if isinstance(node, exp.AggFunc | exp.Anonymous | exp.AnonymousAggFunc) and not _is_windowed(node):
            return True
        outside += node.iter_expressions()
    return False


def _is_windowed(node: exp.Expression) -> bool:
    while isinstance(node.parent, exp.IgnoreNulls | exp.RespectNulls):
        node = node.parent
    return isinstance(node.parent, exp.Window) and node.arg_key == "this"


def _source(source: exp.Expression, known: Mapping[str, Rule]) -> Rule:
    """What stands after FROM or JOIN."""
    if isinstance(source, exp.Table):
        if source.args.get("pivots") or source.args.get("joins") or source.db or not isinstance(source.this, exp.Identifier):
            return None
        return known.get(source.name, source.name)
    if isinstance(source, exp.Subquery) and source.args.get("joins"):
        return None
    return _query(source, known) if isinstance(source, exp.Subquery) else None
