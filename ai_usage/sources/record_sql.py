"""An endpoint's declaration as DuckDB SQL over one record: its fields, what they mean, and what must hold of them.

Belongs here: pure functions from a declaration to text. Does not belong here: running it, and the two ways of reading a record (`decode.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ai_usage.sources.endpoint import NAMING, Endpoint, Field, named
from ai_usage.tables import texts
from ai_usage.tables.raw import LINEAGE
from ai_usage.tables.schema import Column, Type

# Cents keep 7 decimals: times 0.01 is then USD with exactly the 9 of NUMERIC, without rounding twice and without a division
# of 128-bit numbers, which took a fifth of all decoding.
_KINDS = {
    "string": "VARCHAR", "id": "VARCHAR", "email": "VARCHAR", "int": "DOUBLE", "decimal": "DECIMAL(38, 9)", "cents": "DECIMAL(38, 7)", "bool": "BOOLEAN",
}  # fmt: skip
_NUMBERS = ("int", "decimal", "cents")
_WORDS = {
    Type.STRING: "text", Type.INT64: "a whole number", Type.NUMERIC: "a number", Type.BOOL: "true or false",
    Type.DATE: "a date like 2026-01-31", Type.TIMESTAMP: "an instant",
}  # fmt: skip
_KIND_WORDS = {"string": "text", "int": "a whole number", "decimal": "a number", "cents": "a number", "bool": "true or false"}
# No line of a bill is 100 million USD, no other amount a billion, no count ten trillion (milliseconds since 1970 are fewer): a day's sum of what is
# left fits a whole number of 64 bits, of tokens and of 1e-9 USD alike.
_ABSURD = {"int": 10**13, "decimal": 10**9, "cents": 10**10}


@dataclass(frozen=True)
class Law:
    """What must hold of a field; a condition that is NULL does not hold. `reads`: it says whether the value can be read and understood at all."""

    path: str
    holds: str
    value: str
    reason: str
    remedy: str
    reads: bool = False

    @property
    def met(self) -> str:
        return f"coalesce(({self.holds}), false)"


def all_met(laws: Sequence[Law]) -> str:
    return " AND ".join(law.met for law in laws) or "true"


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def json_path(path: str) -> str:
    return "$" + "".join(f'."{part}"' for part in path.split("."))


def member(path: str) -> str:
    return f"(__json ->> {literal(json_path(path))})"


def shape(fields: Sequence[Field]) -> dict[str, Any]:
    """Dotted paths as a nested mapping of DuckDB types."""
    root: dict[str, Any] = {}
    for field in fields:
        *parents, leaf = field.path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = _KINDS[field.kind]
    return root


def struct(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "STRUCT(" + ", ".join(f"{quote(name)} {struct(child)}" for name, child in node.items()) + ")"


def own_columns(endpoint: Endpoint) -> list[Column]:
    shared = {c.name for c in LINEAGE}
    return [c for c in endpoint.table.columns if c.name not in shared]


def _expression(endpoint: Endpoint, column: Column) -> str:
    return endpoint.columns.get(column.name, quote(column.name))


def values(endpoint: Endpoint, fields: str, bounds: tuple[str, str]) -> str:
    """The fields, and beside them what they mean: the table's columns as `c:<name>`, the day, the bill."""
    columns = ", ".join(f"TRY_CAST({_expression(endpoint, c)} AS {c.duckdb_type}) AS {quote('c:' + c.name)}" for c in own_columns(endpoint))
    first, last = bounds
    day = f"TRY_CAST({endpoint.usage_date} AS DATE)" if endpoint.usage_date else first
    return (
        f"SELECT *, {first} AS __first, {last} AS __last, {day} AS __day, {endpoint.vendor_total or 'NULL'} AS __total, "
        f"{columns} FROM ({fields})"
    )


def each_field(endpoint: Endpoint, lines: str) -> str:
    """Every field taken out of the text and cast by itself: NULL where it does not fit its kind."""
    casts = ", ".join(f"TRY_CAST({_written(f)} AS {_KINDS[f.kind]}) AS {quote(f.path)}" for f in endpoint.fields)
    return f"SELECT *, {casts} FROM {lines}"


def laws(endpoint: Endpoint, twice: Collection[str], *, each: bool) -> list[Law]:
    """What must hold of a record. `each`: the fields were cast one by one, so that each cast must be judged; only there is a record's text at hand."""
    laws = [Law(p, _once(p), member(p), "stands more than once", endpoint.remedy, reads=True) for p in sorted(twice)]
    paths = {f.path: f for f in endpoint.fields}

    def law(path: str, holds: str, reason: str, remedy: str = endpoint.remedy, *, reads: bool = False) -> None:
        laws.append(Law(path, holds, member(path) if path in paths else "NULL", reason, remedy, reads))

    if each:
        for parent in sorted({f.path.rpartition(".")[0] for f in endpoint.fields} - {""}):
            kind = f"json_type(__json, {literal(json_path(parent))})"
            laws.append(Law(parent, f"{kind} IS NULL OR {kind} IN ('OBJECT', 'NULL')", member(parent), "is not an object", endpoint.remedy))
    for f in endpoint.fields:
        cell = quote(f.path)
        if each and f.kind not in NAMING:
            law(f.path, f"{member(f.path)} IS NULL OR {cell} IS NOT NULL", f"is not {_KIND_WORDS[f.kind]}", reads=True)
        if f.kind == "int":
            law(f.path, f"{cell} IS NULL OR {cell} = floor({cell})", "is not a whole number", reads=True)
        if f.kind in _ABSURD:
            law(f.path, f"{cell} IS NULL OR abs({cell}) < {_ABSURD[f.kind]}", "is too large to be meant", reads=True)
    for c in own_columns(endpoint):
        expression = _expression(endpoint, c)
        path = next(iter(named(expression)), c.name)
        cell, field_cell = quote("c:" + c.name), quote(path)
        if not c.nullable:
            # What is there and cannot be read is told by its own reason.
            there = f" OR {member(path)} IS NOT NULL" if each and path in paths and paths[path].kind not in NAMING else ""
            law(path, f"{cell} IS NOT NULL OR {field_cell} IS NOT NULL{there}", "is missing")
        if c.type is not Type.STRING and path in paths and c.name not in endpoint.may_be_unknown:
            remedy = endpoint.remedies.get(c.type, endpoint.remedy)
            law(path, f"{field_cell} IS NULL OR {cell} IS NOT NULL", f"is not {_WORDS[c.type]}", remedy, reads=True)
        if c.minimum is not None:
            law(path, f"{cell} IS NULL OR {cell} >= {c.minimum}", f"is below {c.minimum}")
        if c.allowed:
            law(path, f"{cell} IS NULL OR {cell} IN ({', '.join(map(literal, c.allowed))})", f"is none of {', '.join(c.allowed)}")
    if endpoint.usage_date:
        path = next(iter(named(endpoint.usage_date)), "usage_date")
        law(path, "__day IS NOT NULL", "names no day", reads=True)
        law(path, "__day IS NULL OR __day BETWEEN __first AND __last", "is outside the days that were asked", reads=True)
    for rule in endpoint.rules:
        # On a field that tells the money, a rule says that nobody knows what the value means: it hides the money as an unreadable value does.
        law(rule.column, rule.holds, rule.reason, rule.remedy, reads=True)
    return laws


def kept(endpoint: Endpoint, column: Column, others: Sequence[Law]) -> str:
    """The column's value; NULL where a field behind it breaks a rule and the record counts all the same."""
    behind = {column.name, *named(_expression(endpoint, column))}
    broken = [law for law in others if law.path in behind or f"{law.path}." in {p[: len(law.path) + 1] for p in behind}]
    cell = quote("c:" + column.name)
    return f"CASE WHEN {all_met(broken)} THEN {cell} END" if broken else cell


def _once(path: str) -> str:
    """Whether a record names a field at most once."""
    parent, _, leaf = path.rpartition(".")
    return f"len(list_filter(json_keys(__json, {literal(json_path(parent) if parent else '$')}), x -> x = {literal(leaf)})) < 2"


def as_read(field: Field, value: str) -> str:
    """A field's value; of what names somebody, the name as it is read."""
    return texts.read_sql(value, is_address=field.kind == "email") if field.kind in NAMING else value


def _written(field: Field) -> str:
    """A field's text as it is cast. The engine takes 1_000 for a thousand, as programming languages do; in an answer it is no number."""
    value = member(field.path)
    return f"replace({value}, '_', '?')" if field.kind in _NUMBERS else as_read(field, value)


# What the reader takes for something else, by the kind of the field: true for 1, 1_000 for a thousand, any number but 0 for true.
_STRANGE = {**dict.fromkeys(_NUMBERS, r'(true|false|"[^"]*_)'), "bool": r"-?[0-9]"}


def has_strangers(endpoint: Endpoint) -> str:
    """Whether what stands in a field anywhere would be read as something else than what is written, so that each value must be cast by itself."""
    names: dict[str, set[str]] = {}
    for f in endpoint.fields:
        if f.kind in _STRANGE:
            names.setdefault(_STRANGE[f.kind], set()).add(re.escape(f.path.rpartition(".")[2]))
    pattern = "|".join(rf'"({"|".join(sorted(those))})"\s*:\s*{odd}' for odd, those in names.items())
    return f"EXISTS (SELECT 1 FROM lines WHERE regexp_matches(__json, {literal(pattern)}))" if names else "false"


def has_large(endpoint: Endpoint) -> str:
    """Whether a number is too large for the reader, which scales doubles: exact below 2^53 / 10^decimals, 9 million USD or 900 million cents."""
    limits = {"decimal": 9_000_000, "cents": 900_000_000}
    found = [f"coalesce(abs({quote(f.path)}) > {limits[f.kind]}, false)" for f in endpoint.fields if f.kind in limits]
    return " OR ".join(found) or "false"
