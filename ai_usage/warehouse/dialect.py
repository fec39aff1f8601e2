"""BigQuery's SQL for DuckDB: sqlglot, and the repairs of what it gets wrong.

Belongs here: one repair per difference that was measured against GoogleSQL's reference executor (the list is in
`docs/decisions/0003-one-sql.md`; a test holds each). Does not belong here: anything about particular models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from ai_usage import tables
from ai_usage.remembered import remembered
from ai_usage.tables import texts
from ai_usage.tables.schema import Type
from ai_usage.warehouse.base import WarehouseError

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # that a text is no query is our sentence to say
_TYPES = {Type.NUMERIC: "DECIMAL(38, 9)", Type.INT64: "BIGINT", Type.BOOL: "BOOLEAN"}


@lru_cache(maxsize=1)
def _schema() -> dict[str, dict[str, str]]:
    return {t.name: {c.name: c.type.value for c in t.columns} for t in tables.ALL}


def _numeric() -> exp.DataType:
    return exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb")


def _as_date(node: exp.Expression) -> exp.Expression:
    return exp.Cast(this=node.copy(), to=exp.DataType.build("DATE"))


def _is_numeric(node: exp.Expression) -> bool:
    kind = node.type
    return kind is not None and kind.this in {exp.DataType.Type.DECIMAL, exp.DataType.Type.BIGDECIMAL}


def _is_float(node: exp.Expression) -> bool:
    """A literal such as 2.5 is NUMERIC beside NUMERIC."""
    return node.type is not None and node.type.this in exp.DataType.FLOAT_TYPES and not isinstance(node.unnest(), exp.Literal)


def _repair_type(node: exp.Expression) -> exp.Expression:
    """NUMERIC without precision: DuckDB's DECIMAL is (18, 3), which cuts money to three decimals."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL and not node.expressions:
        return _numeric()
    return node


def _repair_count_if(node: exp.Expression) -> exp.Expression:
    """COUNTIF over no rows or only NULLs is 0; DuckDB's count_if gives NULL there."""
    if isinstance(node, exp.CountIf):
        return exp.Count(this=exp.Case(ifs=[exp.If(this=node.this.copy(), true=exp.Literal.number(1))]))
    return node


def _repair_dates(node: exp.Expression) -> exp.Expression:
    """DATE arithmetic stays DATE; DuckDB returns TIMESTAMP."""
    inside_cast = isinstance(node.parent, exp.Cast) and node.parent.to.this == exp.DataType.Type.DATE
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.DateTrunc) and not inside_cast:
        return _as_date(node)
    return node


def _repair_extract(node: exp.Expression) -> exp.Expression:
    """EXTRACT(DAYOFWEEK) counts from 1 = Sunday; ISOWEEK is DuckDB's WEEK; EXTRACT(DATE FROM t) is a cast."""
    if isinstance(node, exp.Extract):
        part = node.this.name.upper()
        if part == "DATE":
            return _as_date(node.expression)
        if part == "ISOWEEK":
            return exp.Extract(this=exp.var("WEEK"), expression=node.expression.copy())
        if part == "DAYOFWEEK":
            return exp.Paren(this=exp.Add(this=node.copy(), expression=exp.Literal.number(1)))
    return node


def _repair_timestamp_diff(node: exp.Expression) -> exp.Expression:
    """TIMESTAMP_DIFF counts whole units; DuckDB's date_diff counts boundaries, its date_sub whole units."""
    if isinstance(node, exp.TimestampDiff):
        unit = exp.Literal.string((node.text("unit") or node.args["unit"].name).lower())
        return exp.Anonymous(this="date_sub", expressions=[unit, node.expression.copy(), node.this.copy()])
    return node


def _repair_offset(node: exp.Expression) -> exp.Expression:
    """WITH OFFSET counts from 0; DuckDB's ordinality counts from 1: every use of the alias loses one."""
    if isinstance(node, exp.Unnest) and isinstance(node.args.get("offset"), exp.Identifier):
        name = node.args["offset"].name
        scope = node.find_ancestor(exp.Select)
        for column in list(scope.find_all(exp.Column)) if scope else []:
            if column.name == name:
                counted: exp.Expression = exp.Paren(this=exp.Sub(this=column.copy(), expression=exp.Literal.number(1)))
                is_projection = isinstance(column.parent, exp.Select) and column.arg_key == "expressions"
                column.replace(exp.alias_(counted, name) if is_projection else counted)
    return node


def _repair_div(node: exp.Expression) -> exp.Expression:
    """DIV(a + b, c) becomes an operator: its operands need parentheses."""
    if isinstance(node, exp.IntDiv):
        for side in ("this", "expression"):
            operand = node.args[side]
            if isinstance(operand, exp.Binary):
                node.set(side, exp.Paren(this=operand.copy()))
        if isinstance(node.parent, exp.Binary | exp.Unary) and not isinstance(node.parent, exp.Paren | exp.IntDiv):
            return exp.Paren(this=node.copy())
    return node


def _repair_wide_div(node: exp.Expression) -> exp.Expression:
    """DIV of whole NUMERICs is exact to 38 digits; DuckDB's `//` of DECIMAL goes through double, its HUGEINT is exact to 38 digits too."""
    if isinstance(node, exp.IntDiv):
        for cast in list(node.find_all(exp.Cast)):
            if cast.to.this == exp.DataType.Type.DECIMAL:
                cast.set("to", exp.DataType.build("INT128"))
    return node


def _repair_division(node: exp.Expression) -> exp.Expression:
    """NUMERIC / NUMERIC, SAFE_DIVIDE and AVG of NUMERIC are NUMERIC; DuckDB gives DOUBLE, exact to 15 digits only. Needs annotated types."""
    if isinstance(node, exp.Div | exp.SafeDivide) and (_is_numeric(node.this) or _is_numeric(node.expression)):
        if any(_is_float(side) for side in (node.this, node.expression)):
            return node  # NUMERIC with FLOAT64 is FLOAT64
        return _exact_quotient(node.this, node.expression, safe=isinstance(node, exp.SafeDivide))
    if isinstance(node, exp.Avg) and _is_numeric(node.this) and not (isinstance(node.parent, exp.Cast) and _is_numeric(node.parent)):
        return exp.Cast(this=node.copy(), to=_numeric())
    return node


def _exact_quotient(dividend: exp.Expression, divisor: exp.Expression, safe: bool) -> exp.Expression:
    """Whole 1e-9ths in HUGEINT, rounded half away from zero as NUMERIC is; an error where the divisor is 0, or NULL where `safe`."""
    over = "NULL" if safe else "error('division by zero')"
    text = f"""CASE WHEN b_ = 0 THEN {over} ELSE CAST(SIGN(a_) * SIGN(b_) * (
        (2000000000 * CAST(ABS(a_) * 1000000000 AS INT128) + CAST(ABS(b_) * 1000000000 AS INT128)) // (2 * CAST(ABS(b_) * 1000000000 AS INT128))
      ) AS DECIMAL(38, 0)) * CAST('0.000000001' AS DECIMAL(10, 9)) END"""
    operands = {"a_": dividend.transform(_repair_division), "b_": divisor.transform(_repair_division)}
    tree = sqlglot.parse_one(text, read="duckdb").transform(
        lambda n: exp.Cast(this=operands[n.name].copy(), to=_numeric()) if isinstance(n, exp.Column) and n.name in operands else n
    )
    return exp.Cast(this=tree, to=_numeric())


def _name_information_schema(node: exp.Expression) -> exp.Expression:
    """`INFORMATION_SCHEMA.TABLES` is one name to sqlglot; DuckDB has a schema of that name."""
    schema, _, name = node.name.lower().partition(".") if isinstance(node, exp.Table) else ("", "", "")
    if schema == "information_schema" and name:
        table = exp.to_table(f"information_schema.{name}", dialect="duckdb")
        return exp.alias_(table, node.alias, table=True) if node.alias else table
    return node


def _repair_trim(node: exp.Expression) -> exp.Expression:
    """TRIM, LTRIM and RTRIM take off all white space; DuckDB's take off spaces alone, and an e-mail with a tab would be another person."""
    if isinstance(node, exp.Trim) and not node.expression:
        trimmed = node.copy()
        trimmed.set("expression", exp.Literal.string(texts.WHITE))
        return trimmed
    return node


def _repair_normalize(node: exp.Expression) -> exp.Expression:
    """NORMALIZE without a form composes letters (NFC); DuckDB calls that nfc_normalize."""
    if isinstance(node, exp.Normalize) and not node.args.get("form"):
        return exp.Anonymous(this="nfc_normalize", expressions=[node.this.copy()])
    return node


_REPAIRS: tuple[Callable[[exp.Expression], exp.Expression], ...] = (
    _repair_wide_div, _repair_division, _repair_type, _repair_count_if, _repair_dates, _repair_extract, _repair_timestamp_diff, _repair_div,
    _repair_trim, _repair_normalize, _name_information_schema,
)  # fmt: skip


TOO_DEEP = "the SQL is nested too deeply to be read; write inner queries as WITH, and long chains of operators as IN or UNNEST."


# What sqlglot raises for SQL that it cannot read or write; of odd texts it says so with Python's own errors.
_UNREAD = (SqlglotError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def _unread(error: Exception) -> WarehouseError:
    said = (str(error).splitlines() or [type(error).__name__])[0].replace("\x1b[4m", "").replace("\x1b[0m", "")
    return WarehouseError(f"the SQL cannot be read as BigQuery dialect: {said}")


def parse(sql: str) -> exp.Expression:
    """One BigQuery statement; raises `WarehouseError` with the place of the mistake."""
    try:
        found = [s for s in sqlglot.parse(sql, read="bigquery") if s is not None]
    except RecursionError:
        raise WarehouseError(TOO_DEEP) from None
    except _UNREAD as error:
        raise _unread(error) from None
    if len(found) != 1:
        raise WarehouseError(f"one statement is needed and {len(found)} were given; send them one by one.")
    return found[0]


def _annotated(tree: exp.Expression) -> exp.Expression:
    """The tree with types, where the declared schemas suffice to find them; unchanged where they do not."""
    try:
        qualified = qualify(
            tree.copy(), schema=_schema(), dialect="bigquery", quote_identifiers=False, validate_qualify_columns=False,
            expand_stars=False, expand_alias_refs=False, identify=False,
        )  # fmt: skip
        return annotate_types(qualified, schema=_schema(), dialect="bigquery")
    except (SqlglotError, KeyError, ValueError, TypeError):
        return tree


def _schema_text() -> str:
    return repr(_schema())


@remembered(__file__, texts.__file__, also=_schema_text)
def to_duckdb(sql: str) -> str:
    """One BigQuery statement as DuckDB's; `@name` becomes `$name`."""
    try:
        tree = parse(sql)
        if any(tree.find_all(exp.Div, exp.SafeDivide, exp.Avg)):
            tree = _annotated(tree)
        for unnest in list(tree.find_all(exp.Unnest)):
            _repair_offset(unnest)
        for repair in _REPAIRS:
            tree = tree.transform(repair, copy=False)
        return tree.sql(dialect="duckdb", comments=False)
    except RecursionError:
        raise WarehouseError(TOO_DEEP) from None
    except _UNREAD as error:
        raise _unread(error) from None


@remembered(__file__)
def _read(sql: str) -> tuple[list[str], list[list[Any]], bool, list[str]]:
    """What a statement says of itself: its parameters, the tables it reads as (name, first and last place in the text, whether a dataset stands before
    it), whether it only reads, and the functions that stand where tables do."""
    tree = parse(sql)
    own = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    found = [t for t in tree.find_all(exp.Table) if t.name and t.name not in own]
    return (
        sorted({p.name for p in tree.find_all(exp.Parameter)}),
        [[t.name, t.this.meta.get("start"), t.this.meta.get("end"), bool(t.db)] for t in found],
        isinstance(tree, exp.Query),
        [_function(source) for source in _sources(tree) if not isinstance(source, exp.Subquery | exp.Unnest | exp.Paren | exp.Identifier)],
    )


def _sources(tree: exp.Expression) -> list[exp.Expression]:
    """All that stands where tables do: after FROM, a comma, JOIN or LATERAL, and in brackets there."""
    found = [node.this for node in tree.find_all(exp.From, exp.Join, exp.Lateral)]
    return [(source.this if isinstance(source, exp.Table) else source).unalias() for source in found] + [
        table.this for table in tree.find_all(exp.Table)
    ]


def _function(source: exp.Expression) -> str:
    return (source.this.name if isinstance(source.this, exp.Func) else source.name) or source.key


def parameters(sql: str) -> frozenset[str]:
    """Names of the `@name` parameters of a statement."""
    return frozenset(_read(sql)[0])


def is_read_only(sql: str) -> bool:
    """True for a SELECT, set operation or WITH that ends in one."""
    return _read(sql)[2]


def table_functions(sql: str) -> list[str]:
    """Functions that a statement reads as tables: an engine's own read its files, its settings, and SQL out of a text. UNNEST is none of them."""
    return _read(sql)[3]


def references(sql: str) -> frozenset[str]:
    """Names of the tables that a statement reads, its own CTEs excluded."""
    return frozenset(name for name, *_ in _read(sql)[1])


def qualified(sql: str, place: str, names: Collection[str]) -> str:
    """The statement, letter for letter, with every table of `names` written as `place.name`: BigQuery keeps a view's text as it is, and a
    view knows no default dataset."""
    found = [(start, end) for name, start, end, has_dataset in _read(sql)[1] if name in names and not has_dataset]
    for start, end in sorted(found, reverse=True):
        name = sql[start : end + 1].strip("`")
        sql = f"{sql[:start]}`{place}.{name}`{sql[end + 1 :]}"
    return sql


def width(sql: str) -> int:
    """How many columns a SELECT with its columns written out answers with."""
    query = parse(sql)
    if not isinstance(query, exp.Query) or query.is_star:
        raise WarehouseError("a SELECT that names its columns is needed here; write them out.")
    return len(query.selects)
