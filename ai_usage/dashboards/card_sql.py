"""One card's SQL file: what it may be, and what it says about itself.

A card's SQL is one BigQuery SELECT over exactly one mart view, without parameters, joins or subqueries: so
that every renderer can put a filter where its engine needs it (Metabase binds field filters to physical
columns of one table). Belongs here: parsing and refusing. Does not belong here: running it, or how a card
aggregates its rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

from ai_usage.errors import PlatformError
from ai_usage.remembered import remembered


class SpecError(PlatformError, ValueError):
    """A dashboard file that cannot be used; the message is one sentence: file, key, remedy."""


@dataclass(frozen=True)
class CardSql:
    """A parsed card SQL file."""

    name: str
    text: str
    view: str
    columns: tuple[str, ...]
    plain: dict[str, str]
    """Output column -> column of the view, for columns that are handed through unchanged."""

    @property
    def fingerprint(self) -> str:
        """Equal for two files that say the same thing with other comments or spacing."""
        return _fingerprint(self.text)


@remembered(__file__)
def _fingerprint(text: str) -> str:
    return hashlib.sha256(sqlglot.parse_one(text, read="bigquery").sql(dialect="bigquery", comments=False).encode()).hexdigest()


def read_card_sql(path: Path, shown: str) -> CardSql:
    """Read and check one file; `shown` is how errors name it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{shown}: the file does not exist; create it or correct the card's `sql` key.") from None
    return parse_card_sql(text, path.name, shown)


def parse_card_sql(text: str, name: str, shown: str) -> CardSql:
    view, columns, plain = _said(text, shown)
    return CardSql(name=name, text=text.strip().rstrip(";").rstrip(), view=view, columns=tuple(columns), plain=dict(plain))


@remembered(__file__)
def _said(text: str, shown: str) -> tuple[str, list[str], list[list[str]]]:
    """The view that a card reads, its columns, and those that it hands through: 80 cards are parsed for each report and each run. `SpecError` otherwise."""
    try:
        statements = [s for s in sqlglot.parse(text, read="bigquery") if s is not None]
    except sqlglot.errors.ParseError as error:
        first = error.errors[0] if error.errors else {}
        where = f"line {first.get('line')}: {first.get('description')}" if first else "unreadable"
        raise SpecError(f"{shown}: this is not BigQuery SQL ({where}); correct it.") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise SpecError(f"{shown}: a card holds exactly one SELECT statement; keep one and remove the rest.")
    select = statements[0]
    if next(select.find_all(exp.Parameter, exp.Placeholder), None) is not None:
        raise SpecError(f"{shown}: a card takes no parameters; name the column under the card's `filters` instead.")
    if select.args.get("with_") or select.args.get("with") or len(list(select.find_all(exp.Select))) > 1:
        raise SpecError(f"{shown}: a card has no CTE and no subquery; move that part into a mart view.")
    if select.args.get("limit") or select.args.get("distinct"):
        raise SpecError(f"{shown}: a card has no LIMIT and no DISTINCT; group in SQL and use the card's `limit` key.")
    tables = list(select.find_all(exp.Table))
    if len(tables) != 1 or not tables[0].name.startswith("vw_"):
        raise SpecError(f"{shown}: a card reads exactly one mart view (vw_…); join inside a mart view instead.")
    if select.is_star:
        raise SpecError(f"{shown}: name the columns; `SELECT *` would embed columns nobody chose.")
    return tables[0].name, list(_output_names(select, shown)), [list(pair) for pair in _plain_columns(select).items()]


def _output_names(select: exp.Select, shown: str) -> tuple[str, ...]:
    names = [projection.alias_or_name for projection in select.expressions]
    for position, name in enumerate(names, start=1):
        if not name:
            raise SpecError(f"{shown}: column {position} has no name; add `AS name`.")
        if names.count(name) > 1:
            raise SpecError(f"{shown}: column `{name}` appears twice; give one of them another name.")
    return tuple(names)


def _plain_columns(select: exp.Select) -> dict[str, str]:
    plain = {}
    for projection in select.expressions:
        inner = projection.unalias()
        if isinstance(inner, exp.Column):
            plain[projection.alias_or_name] = inner.name
    return plain
