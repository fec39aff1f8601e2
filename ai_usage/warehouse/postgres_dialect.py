"""BigQuery's SQL for Postgres: sqlglot, and the repairs of what it gets wrong. Metabase's cards on the serving copy need it.

Belongs here: one repair per difference that was measured on a Postgres (a test holds each; the list is in
`docs/decisions/0003-one-sql.md`). Does not belong here: anything about particular cards, connections, Metabase's template tags.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from ai_usage.remembered import remembered
from ai_usage.warehouse import dialect


def _cast(node: exp.Expression, kind: str) -> exp.Expression:
    return exp.Cast(this=node.copy(), to=exp.DataType.build(kind))


def _repair_division(node: exp.Expression) -> exp.Expression:
    """A quotient is exact NUMERIC: of two integers Postgres cuts the fraction off, and sqlglot's DOUBLE PRECISION is no money."""
    if isinstance(node, exp.SafeDivide):
        below = exp.Nullif(this=node.expression.copy(), expression=exp.Literal.number(0))
        return exp.Paren(this=exp.Div(this=_cast(node.this, "NUMERIC"), expression=below, typed=True, safe=False))
    if isinstance(node, exp.Div) and not node.args.get("typed"):
        return exp.Div(this=_cast(node.this, "NUMERIC"), expression=node.expression.copy(), typed=True, safe=False)
    return node


def _repair_count_if(node: exp.Expression) -> exp.Expression:
    """COUNTIF over no rows is 0; a SUM of CASE is NULL there."""
    if isinstance(node, exp.CountIf):
        return exp.Count(this=exp.Case(ifs=[exp.If(this=node.this.copy(), true=exp.Literal.number(1))]))
    return node


def _repair_week(node: exp.Expression) -> exp.Expression:
    """Postgres knows ISO weeks only, and calls them WEEK."""
    if isinstance(node, exp.Var | exp.Literal) and node.name.upper() == "ISOWEEK":
        return exp.var("WEEK") if isinstance(node, exp.Var) else exp.Literal.string("WEEK")
    return node


def _repair_dates(node: exp.Expression) -> exp.Expression:
    """DATE arithmetic stays DATE; Postgres returns a timestamp."""
    inside_cast = isinstance(node.parent, exp.Cast) and node.parent.to.this == exp.DataType.Type.DATE
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.DateTrunc) and not inside_cast:
        return _cast(node, "DATE")
    return node


def _repair_nameless(tree: exp.Expression) -> None:
    """A subquery in FROM needs a name before Postgres 16."""
    nameless = [s for s in tree.find_all(exp.Subquery) if isinstance(s.parent, exp.From | exp.Join) and not s.alias]
    for number, subquery in enumerate(nameless, start=1):
        subquery.set("alias", exp.TableAlias(this=exp.to_identifier(f"nameless_{number}")))


_REPAIRS: tuple[Callable[[exp.Expression], exp.Expression], ...] = (_repair_division, _repair_count_if, _repair_week, _repair_dates)


@remembered(__file__, dialect.__file__)
def to_postgres(sql: str) -> str:
    """One BigQuery statement as Postgres'; raises `WarehouseError` with the place of a mistake. Comments are dropped."""
    tree = dialect.parse(sql)
    for repair in _REPAIRS:
        tree = tree.transform(repair, copy=False)
    _repair_nameless(tree)
    return tree.sql(dialect="postgres", pretty=True, comments=False)
