"""Which fields a batch of records has: the declared ones, new ones, absent ones, and those that a record names more than once.

Belongs here: asking the table `lines` for the records' keys, and when a contract has changed. Does not belong here: the values of fields (`decode.py`),
and what a vendor documents (`endpoint.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from ai_usage.sources import record_sql as sql
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import ContractError
from ai_usage.sources.spool import Spooled

# A required field that no record has: from so many records on it is the contract that changed, not the records.
_CONTRACT = 10
# New fields are kept beside the declared ones, and each costs memory in every record.
_NEW_FIELDS = 500


@dataclass(frozen=True)
class Shape:
    """The fields of a batch, by dotted path. `pointers`: the JSON pointer of each, which survives keys that hold dots; `twice`: those that a record
    names more than once."""

    pointers: dict[str, str] = field(default_factory=dict)
    twice: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def shape_of(con: duckdb.DuckDBPyConnection, endpoint: Endpoint, walks: Sequence[Spooled]) -> Shape:
    """Which fields came, and that every walk has the required ones: a changed day fails alone and in a range alike.

    Args:
        con: holds the table `lines`, one row a record: `__json`, and `__walk`, its index in `walks`.
        endpoint: what is declared of a record.
        walks: where the records are from.

    Returns:
        The shape of all walks together.

    Raises:
        ContractError: a required field is in no record of a walk, and the records are many or brought an unknown field, so that the vendor renamed
            it; or there are more new fields than memory is for.
    """
    objects = sorted({parent for f in endpoint.fields for parent in _parents(f.path)})
    known = {f.path for f in endpoint.fields}
    seen: dict[str, str] = {}
    twins: dict[str, str] = {}  # a second key of the same dotted path, such as "a.b" beside {"a": {"b": ...}}, under its pointer
    sent: dict[int, set[str]] = {number: set() for number in range(len(walks))}
    twice: set[str] = set()
    asked = con.execute("SELECT DISTINCT __walk, json_keys(__json, ?) FROM lines", [[sql.json_path(p) if p else "$" for p in objects]])
    while row := asked.fetchone():
        if len(seen) > 2 * (len(known) + len(objects) + _NEW_FIELDS):
            _check_new(endpoint, seen.keys() - known - set(objects))  # now: each costs memory, and there may be millions
        number, shape = row
        for parent, keys in zip(objects, shape, strict=True):
            for key in keys or ():
                name = f"{parent}.{key}" if parent else key
                if name in known and name != endpoint.beside and keys.count(key) > 1:
                    twice.add(name)
                pointer = _pointer(*(parent.split(".") if parent else ()), key)
                if not parent and pointer != _pointer(*name.split(".")) and (name in known or name.rpartition(".")[0] in objects):
                    twins[pointer] = pointer
                else:
                    seen[name] = pointer
                    sent[number].add(name)
    containers = {parent for parent in objects if parent}
    known |= {name for name in seen if endpoint.documents(name.split("."))}
    seen |= twins | _strangers_inside(con, endpoint)
    unknown = tuple(sorted(seen.keys() - known - containers))
    _check_new(endpoint, unknown)
    for number, walk in enumerate(walks):
        lost = [f.path for f in endpoint.fields if f.required and f.path not in sent[number]]
        # One record that lacks a field is a bad record; many, or one with a field that nobody knows, are a changed contract.
        if lost and (walk.records >= _CONTRACT or sent[number] - known - containers):
            raise ContractError(
                f"{endpoint.source} {endpoint.name} for {walk.window.first} to {walk.window.last}: no record has the required "
                f"field {', '.join(map(repr, lost))} (fields sent: {', '.join(sorted(sent[number])) or 'none'}); nothing was stored, and "
                f"either the vendor renamed it or the declaration in sources/{endpoint.source}/records.py must follow."
            )
    return Shape(seen, frozenset(twice), unknown, tuple(sorted({f.path for f in endpoint.fields} - seen.keys())))


def _check_new(endpoint: Endpoint, names: Collection[str]) -> None:
    new = [name for name in names if not endpoint.documents(name.split("."))]
    if len(new) > _NEW_FIELDS:
        raise ContractError(
            f"{endpoint.source} {endpoint.name}: the records have {len(new):,} fields that are not declared, such as {min(new)[:40]!r}, and at most "
            f"{_NEW_FIELDS} are kept; nothing was stored, so report it to the vendor."
        )


def _strangers_inside(con: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> dict[str, str]:
    """What nobody documents inside the fields that are read whole: its path, and the pointer to it or to the list that holds it."""
    found: dict[str, str] = {}
    for path in endpoint.read_whole:
        asked = f"SELECT DISTINCT json_structure(json_extract(__json, {sql.literal(sql.json_path(path))})) FROM lines"
        for (shape,) in con.execute(asked).fetchall():
            for parts in _strangers(endpoint, path.split("."), json.loads(shape or "null")):
                into = next((n for n, part in enumerate(parts) if part.endswith("[]")), len(parts))
                found[".".join(parts)] = _pointer(*parts[:into], *(part[:-2] for part in parts[into : into + 1]))
    return found


def _strangers(endpoint: Endpoint, parts: list[str], shape: Any) -> Iterator[list[str]]:
    """The outermost paths below `parts` that are not documented; `shape` is what json_structure says of the value there."""
    while isinstance(shape, list) and shape:
        parts, shape = [*parts[:-1], parts[-1] + "[]"], shape[0]
    for key, inner in shape.items() if isinstance(shape, dict) else ():
        if endpoint.documents([*parts, key + "[]" if isinstance(inner, list) else key]) or endpoint.documents([*parts, key]):
            yield from _strangers(endpoint, [*parts, key], inner)
        else:
            yield [*parts, key]


def _parents(path: str) -> list[str]:
    """The objects that hold a field, from the record itself ("") down."""
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts))]


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
