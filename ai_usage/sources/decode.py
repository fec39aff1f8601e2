"""Spooled records become typed Arrow rows: the one mechanism for every endpoint.

Belongs here: acting on `Endpoint` declarations, set-wise, in an in-memory DuckDB. Two ways lead to the same typed
columns: the fast one lets DuckDB's reader type a record's fields at once; where any record has a field of the wrong
type, the careful one takes every field out as text and tries each cast, so that a bad record costs only itself. Text that
is not Unicode (half an emoji, broken UTF-8) is mended in a copy; the spool keeps what came.
Measured on 200,000 usage events: fast 0.3 s, careful 3 s of CPU; `benchmarks/` holds the script.

Law: JSON numbers go through double (exact to 15 significant digits, which is what they carry), JSON strings are exact.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ai_usage.sources.endpoint import NAMING, Endpoint, Field, named
from ai_usage.sources.errors import ContractError
from ai_usage.sources.halves import mended
from ai_usage.sources.redaction import ADDRESS
from ai_usage.sources.spool import Spooled
from ai_usage.tables import texts
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
# A required field that no record has: from so many records on it is the contract that changed, not the records.
_CONTRACT = 10
# New fields are kept beside the declared ones, and each costs memory in every record.
_NEW_FIELDS = 500


@dataclass(frozen=True)
class Day:
    """What one UTC day of one walk holds. `vendor_total_usd` sums what can be read, and is None when the endpoint bills nothing; `unknown_money`
    counts the records that hide what they bill, `incomplete` those that count although a field of theirs could not be read."""

    usage_date: date
    spooled: Spooled
    records: int
    rejected: int
    sha256: str
    vendor_total_usd: Decimal | None
    unknown_money: int = 0
    incomplete: int = 0

    @property
    def rows(self) -> int:
        return self.records - self.rejected


@dataclass(frozen=True)
class _Law:
    """What must hold of a field; a condition that is NULL does not hold. `reads`: it says whether the value can be read at all."""

    path: str
    holds: str
    value: str
    reason: str
    remedy: str
    reads: bool = False

    @property
    def met(self) -> str:
        return f"coalesce(({self.holds}), false)"


def _all(laws: Sequence[_Law]) -> str:
    return " AND ".join(law.met for law in laws) or "true"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _json_path(path: str) -> str:
    return "$" + "".join(f'."{part}"' for part in path.split("."))


def _value(path: str) -> str:
    return f"(__json ->> {_text(_json_path(path))})"


def _shape(fields: Sequence[Field]) -> dict[str, Any]:
    """Dotted paths as a nested mapping of DuckDB types."""
    root: dict[str, Any] = {}
    for field in fields:
        *parents, leaf = field.path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = _KINDS[field.kind]
    return root


def _struct(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "STRUCT(" + ", ".join(f"{_quote(name)} {_struct(child)}" for name, child in node.items()) + ")"


class Decoder:
    """Decodes one batch of walks of one endpoint at a time; `close()` frees its memory.

    Use: `days = decoder.load(spooled)`, then `decoder.rows(...)` and `decoder.rejects(...)` for the days that are new.
    """

    def __init__(self, memory_limit: str = "1GB") -> None:
        self._con = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": memory_limit})
        self._con.execute("SET TimeZone = 'UTC'")
        self._endpoint: Endpoint | None = None
        self._filled = False
        self._options = ""
        self._bounds = ("", "")
        self._pointers: dict[str, str] = {}
        self._twice: set[str] = set()  # fields that a record names more than once
        self._mended: tempfile.TemporaryDirectory[str] | None = None
        self.unknown_fields: tuple[str, ...] = ()
        self.absent_fields: tuple[str, ...] = ()
        self.careful = False

    def close(self) -> None:
        self.clear()
        self._con.close()

    def clear(self) -> None:
        """Free what `load` read; `rows` and `rejects` need it, so call them before."""
        self._con.execute("DROP TABLE IF EXISTS lines; DROP TABLE IF EXISTS parsed")
        self._filled = False
        if self._mended:
            self._mended.cleanup()
            self._mended = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, walks: Sequence[Spooled]) -> list[Day]:
        """Read the walks, all of one endpoint; returns every day of every window, in order.

        Raises `ContractError` when a required field is in no record of a walk, and the records are many or brought an unknown field: the vendor
        renamed it.
        """
        endpoint = walks[0].endpoint
        self._endpoint = endpoint
        filled = [walk for walk in walks if walk.records]
        if not filled:
            self._filled = False
            return [_empty_day(walk, day, endpoint) for walk in walks for day in walk.window.days]
        self._filled = True
        self._read_lines(filled)
        self._check_contract(endpoint, filled)
        self._read_fields(endpoint, filled)
        found = {
            (number, day): rest
            for number, day, *rest in self._con.execute(
                """
                SELECT __walk, usage_date, count(*), count(*) FILTER (NOT ok), sha256(string_agg(hex(__h), '' ORDER BY __h)),
                       coalesce(sum(__total) FILTER (ok), 0), count(*) FILTER (NOT __known), count(*) FILTER (ok AND NOT __whole)
                FROM (SELECT __walk, usage_date, ok, __total, __known, __whole FROM parsed) POSITIONAL JOIN (SELECT __h FROM lines)
                GROUP BY ALL
                """
            ).fetchall()
        }
        days = []
        for walk in walks:
            number = filled.index(walk) if walk.records else -1
            for day in walk.window.days:
                records, rejected, sha, total, unknown, incomplete = found.get((number, day), (0, 0, "", Decimal(0), 0, 0))
                days.append(Day(day, walk, records, rejected, sha, Decimal(total) if endpoint.vendor_total else None, unknown, incomplete))
        return days

    def addresses(self) -> list[str]:
        """What looks like an e-mail address in the records' text, each spelling once."""
        if not self._filled:
            return []
        sql = "SELECT DISTINCT unnest(regexp_extract_all(__json, ?)) FROM lines WHERE contains(__json, '@')"
        return [found for (found,) in self._con.execute(sql, [ADDRESS]).fetchall()]

    def rows(self, fetches: Mapping[tuple[str, date], str], fetched_at: datetime) -> pa.Table:
        """Arrow rows in the raw table's schema, of the days named by (spool path, day) -> fetch_id."""
        assert self._endpoint is not None
        table = self._endpoint.table
        if not self._filled:
            return table.arrow_schema().empty_table()
        self._register(fetches)
        own = ", ".join(_quote(c.name) for c in self._own_columns(self._endpoint))
        extra, parameters = self._extra()
        found = self._con.execute(
            f"SELECT usage_date, fetch_id, ? AS fetched_at, CAST(? AS DATE) AS ingest_date, {extra} AS extra, {own} "
            f"FROM {'parsed POSITIONAL JOIN (SELECT __json FROM lines)' if self.unknown_fields else 'parsed'} "
            "JOIN fetches USING (__walk, usage_date) WHERE ok",
            [fetched_at, fetched_at, *parameters],
        ).to_arrow_table()
        return found.cast(table.arrow_schema())

    def rejects(self, fetches: Mapping[tuple[str, date], str], fetched_at: datetime) -> pa.Table:
        """One Arrow row for each broken rule of each record, whether the record counts all the same or not, in the schema of `raw_rejects`."""
        from ai_usage.tables.raw import raw_rejects

        assert self._endpoint is not None
        endpoint = self._endpoint
        if not self._filled:
            return raw_rejects.arrow_schema().empty_table()
        self._register(fetches)
        cases = ", ".join(
            f"CASE WHEN NOT {law.met} THEN {{'c': {_text(law.path)}, 'v': {law.value}, 'r': {_text(law.reason)}, 'm': {_text(law.remedy)}}} END"
            for law in self._laws(endpoint, each=True)
        )
        number = endpoint.record_number or "__n - __first_n + 1"
        why = f"list_filter([{cases}], x -> x IS NOT NULL)"
        if endpoint.refusals:
            said = f"""from_json({_quote(endpoint.refusals)}, '[{{"c": "VARCHAR", "v": "VARCHAR", "r": "VARCHAR", "m": "VARCHAR"}}]')"""
            why = f"coalesce({said}, {why})"
        found = self._con.execute(
            f"""
            WITH rejected AS (
                SELECT __n, __first_n, usage_date AS __usage_date, fetch_id AS __fetch_id, ok AS __ok
                FROM (SELECT rowid AS __n, min(rowid) OVER (PARTITION BY __walk) AS __first_n, __walk, usage_date, ok, __whole FROM parsed)
                JOIN fetches USING (__walk, usage_date) WHERE NOT ok OR NOT __whole
            ),
            texts AS (SELECT * FROM (SELECT rowid AS __n, * FROM lines) JOIN rejected USING (__n)),
            broken AS (
                SELECT __usage_date AS usage_date, __fetch_id AS fetch_id, {number} AS record_number, __json AS payload, __ok,
                       unnest({why}) AS b
                FROM ({self._values(endpoint, self._each_field("texts"))})
            )
            SELECT usage_date, fetch_id, ? AS fetched_at, ? AS source, ? AS endpoint,
                   CAST(record_number AS BIGINT) AS record_number, b.c AS column_name, __ok AS is_counted, b.v AS value, b.r AS reason,
                   b.m AS remedy, payload
            FROM broken ORDER BY ALL
            """,
            [fetched_at, endpoint.source, endpoint.name],
        ).to_arrow_table()
        return found.cast(raw_rejects.arrow_schema())

    # How it is done -------------------------------------------------------------------------------------------

    def _read_lines(self, walks: Sequence[Spooled]) -> None:
        """Table `lines`: each record's text, hash and walk. `bounds` are the SQL of its walk's first and last day."""
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE walks AS SELECT unnest(?) AS __path, unnest(range(?)) AS __walk",
            [[str(w.path) for w in walks], len(walks)],
        )
        self._bounds = (_by_walk([w.window.first for w in walks]), _by_walk([w.window.last for w in walks]))
        try:
            self._fill_lines(walks, [w.path for w in walks])
        except duckdb.InvalidInputException:
            self._mended = tempfile.TemporaryDirectory(prefix="ai-usage-")
            try:
                self._fill_lines(walks, [_mend(w.path, Path(self._mended.name) / f"{n}.ndjson.zst") for n, w in enumerate(walks)])
            except duckdb.InvalidInputException as error:
                days = f"{walks[0].window.first} to {walks[-1].window.last}"
                raise ContractError(
                    f"{walks[0].endpoint.source} {walks[0].endpoint.name} for {days}: a record is not JSON ({str(error).splitlines()[0][:200]}); "
                    "nothing was stored, so report it to the vendor and run the days again."
                ) from None

    def _fill_lines(self, walks: Sequence[Spooled], paths: Sequence[Path]) -> None:
        self._options = (
            f"[{', '.join(_text(str(path)) for path in paths)}], format = 'newline_delimited', compression = 'zstd', "
            f"maximum_object_size = {max(1_048_576, 4 * max(w.largest for w in walks))}"
        )
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE lines AS SELECT CAST(json AS VARCHAR) AS __json, md5_number(CAST(json AS VARCHAR)) AS __h, "
            f"CAST(file_index AS BIGINT) AS __walk FROM read_json_objects({self._options})"
        )

    def _check_contract(self, endpoint: Endpoint, walks: Sequence[Spooled]) -> None:
        """Which fields came, which are new, and that every walk has the required ones: a changed day fails alone and in a range alike."""
        objects = sorted({parent for f in endpoint.fields for parent in _parents(f.path)})
        known = {f.path for f in endpoint.fields}
        seen: dict[str, str] = {}  # dotted path -> JSON pointer, which survives keys that hold dots
        twins: dict[str, str] = {}  # a second key of the same dotted path, such as "a.b" beside {"a": {"b": ...}}, under its pointer
        sent: dict[int, set[str]] = {number: set() for number in range(len(walks))}
        self._twice = set()
        paths = [_json_path(parent) if parent else "$" for parent in objects]
        for number, shape in self._con.execute("SELECT DISTINCT __walk, json_keys(__json, ?) FROM lines", [paths]).fetchall():
            for parent, keys in zip(objects, shape, strict=True):
                for key in keys or ():
                    name = f"{parent}.{key}" if parent else key
                    if name in known and name != endpoint.beside and keys.count(key) > 1:
                        self._twice.add(name)
                    pointer = _pointer(*(parent.split(".") if parent else ()), key)
                    if not parent and pointer != _pointer(*name.split(".")) and (name in known or name.rpartition(".")[0] in objects):
                        twins[pointer] = pointer
                    else:
                        seen[name] = pointer
                        sent[number].add(name)
        containers = {parent for parent in objects if parent}
        known |= {name for name in seen if endpoint.documents(name.split("."))}
        seen |= twins | self._strangers_inside(endpoint)
        self.unknown_fields = tuple(sorted(seen.keys() - known - containers))
        if len(self.unknown_fields) > _NEW_FIELDS:
            raise ContractError(
                f"{endpoint.source} {endpoint.name}: the records have {len(self.unknown_fields):,} fields that are not declared, such as "
                f"{self.unknown_fields[0][:40]!r}, and at most {_NEW_FIELDS} are kept; nothing was stored, so report it to the vendor."
            )
        self._pointers = seen
        self.absent_fields = tuple(sorted({f.path for f in endpoint.fields} - seen.keys()))
        for number, walk in enumerate(walks):
            lost = [f.path for f in endpoint.fields if f.required and f.path not in sent[number]]
            # One record that lacks a field is a bad record; many, or one with a field that nobody knows, are a changed contract.
            if lost and (walk.records >= _CONTRACT or sent[number] - known - containers):
                raise ContractError(
                    f"{endpoint.source} {endpoint.name} for {walk.window.first} to {walk.window.last}: no record has the required "
                    f"field {', '.join(map(repr, lost))} (fields sent: {', '.join(sorted(sent[number])) or 'none'}); nothing was stored, and "
                    f"either the vendor renamed it or the declaration in sources/{endpoint.source}/records.py must follow."
                )

    def _strangers_inside(self, endpoint: Endpoint) -> dict[str, str]:
        """What nobody documents inside the fields that are read whole: its path, and the pointer to it or to the list that holds it."""
        found: dict[str, str] = {}
        for path in endpoint.read_whole:
            asked = f"SELECT DISTINCT json_structure(json_extract(__json, {_text(_json_path(path))})) FROM lines"
            for (shape,) in self._con.execute(asked).fetchall():
                for parts in _strangers(endpoint, path.split("."), json.loads(shape or "null")):
                    into = next((n for n, part in enumerate(parts) if part.endswith("[]")), len(parts))
                    found[".".join(parts)] = _pointer(*parts[:into], *(part[:-2] for part in parts[into : into + 1]))
        return found

    def _read_fields(self, endpoint: Endpoint, walks: Sequence[Spooled]) -> None:
        """Table `parsed`, in the order of `lines`: the raw table's own columns, the day, and whether every rule holds."""
        shape = _shape(endpoint.fields)
        columns = ", ".join(f"{_text(name)}: {_text(_struct(node))}" for name, node in shape.items())
        flat = ", ".join(f"{_said(f, '.'.join(map(_quote, f.path.split('.'))))} AS {_quote(f.path)}" for f in endpoint.fields)
        self.careful = bool(self._twice)
        if not self.careful:
            try:
                self._fill(
                    endpoint,
                    f"SELECT CAST(file_index AS BIGINT) AS __walk, {flat} FROM read_json({self._options}, columns = {{{columns}}})",
                )
                asked = f"SELECT coalesce(bool_or(__large), false) OR ({_booleans(endpoint)}) FROM parsed"
                self.careful = bool(self._con.execute(asked).fetchall()[0][0])
            except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException):
                self.careful = True
        if self.careful:
            self._fill(endpoint, self._each_field("lines"))

    def _fill(self, endpoint: Endpoint, fields: str) -> None:
        laws = self._laws(endpoint, each=self.careful)
        decisive = [law for law in laws if endpoint.decides(law.path)]
        others = [law for law in laws if not endpoint.decides(law.path)]
        own = ", ".join(f"{self._kept(endpoint, c, others)} AS {_quote(c.name)}" for c in self._own_columns(endpoint))
        ok = _all(decisive)
        if endpoint.refusals:
            ok += f" AND {_quote(endpoint.refusals)} IS NULL"
        readable = _all([law for law in decisive if law.reads and law.path in endpoint.money_fields])
        known = f"__total IS NOT NULL AND {readable}" if endpoint.vendor_total else "true"
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT __walk, __total, {own}, {ok} AS ok, {_all(others)} AS __whole, "
            f"{known} AS __known, {_large(endpoint)} AS __large, CASE WHEN __day BETWEEN __first AND __last THEN __day ELSE __first END AS usage_date "
            f"FROM ({self._values(endpoint, fields)})"
        )

    def _kept(self, endpoint: Endpoint, column: Column, others: Sequence[_Law]) -> str:
        """The column's value; NULL where a field behind it breaks a rule and the record counts all the same."""
        behind = {column.name, *named(self._expression(endpoint, column))}
        broken = [law for law in others if law.path in behind or f"{law.path}." in {p[: len(law.path) + 1] for p in behind}]
        cell = _quote("c:" + column.name)
        return f"CASE WHEN {_all(broken)} THEN {cell} END" if broken else cell

    def _each_field(self, lines: str) -> str:
        """Every field taken out of the text and cast by itself: NULL where it does not fit its kind."""
        assert self._endpoint is not None
        casts = ", ".join(f"TRY_CAST({_written(f)} AS {_KINDS[f.kind]}) AS {_quote(f.path)}" for f in self._endpoint.fields)
        return f"SELECT *, {casts} FROM {lines}"

    def _values(self, endpoint: Endpoint, fields: str) -> str:
        """The fields, and beside them what they mean: the table's columns as `c:<name>`, the day, the bill."""
        columns = ", ".join(
            f"TRY_CAST({self._expression(endpoint, c)} AS {c.duckdb_type}) AS {_quote('c:' + c.name)}" for c in self._own_columns(endpoint)
        )
        first, last = self._bounds
        day = f"TRY_CAST({endpoint.usage_date} AS DATE)" if endpoint.usage_date else first
        return (
            f"SELECT *, {first} AS __first, {last} AS __last, {day} AS __day, {endpoint.vendor_total or 'NULL'} AS __total, "
            f"{columns} FROM ({fields})"
        )

    def _extra(self) -> tuple[str, list[str]]:
        if not self.unknown_fields:
            return "CAST(NULL AS VARCHAR)", []
        pairs = ", ".join("{'k': ?, 'v': json_extract(__json, ?)}" for _ in self.unknown_fields)
        parameters = [p for path in self.unknown_fields for p in (path, self._pointers[path])]
        return (
            f"(SELECT CASE WHEN len(e) > 0 THEN CAST(to_json(map_from_entries(e)) AS VARCHAR) END "
            f"FROM (SELECT list_filter([{pairs}], x -> x.v IS NOT NULL) AS e))"
        ), parameters

    def _own_columns(self, endpoint: Endpoint) -> list[Column]:
        from ai_usage.tables.raw import LINEAGE

        shared = {c.name for c in LINEAGE}
        return [c for c in endpoint.table.columns if c.name not in shared]

    def _expression(self, endpoint: Endpoint, column: Column) -> str:
        return endpoint.columns.get(column.name, _quote(column.name))

    def _laws(self, endpoint: Endpoint, *, each: bool) -> list[_Law]:
        """What must hold of a record. `each`: the fields were cast one by one, so that each cast must be judged; only there is a record's text at hand."""
        laws = [_Law(p, _once(p), _value(p), "stands more than once", endpoint.remedy, reads=True) for p in sorted(self._twice)]
        paths = {f.path: f for f in endpoint.fields}

        def law(path: str, holds: str, reason: str, remedy: str = endpoint.remedy, *, reads: bool = False) -> None:
            laws.append(_Law(path, holds, _value(path) if path in paths else "NULL", reason, remedy, reads))

        if each:
            for parent in sorted({f.path.rpartition(".")[0] for f in endpoint.fields} - {""}):
                kind = f"json_type(__json, {_text(_json_path(parent))})"
                laws.append(
                    _Law(parent, f"{kind} IS NULL OR {kind} IN ('OBJECT', 'NULL')", _value(parent), "is not an object", endpoint.remedy)
                )
        for f in endpoint.fields:
            cell = _quote(f.path)
            if each and f.kind not in NAMING:
                law(f.path, f"{_value(f.path)} IS NULL OR {cell} IS NOT NULL", f"is not {_KIND_WORDS[f.kind]}", reads=True)
            if f.kind == "int":
                law(f.path, f"{cell} IS NULL OR {cell} = floor({cell})", "is not a whole number", reads=True)
            if f.kind in _ABSURD:
                law(f.path, f"{cell} IS NULL OR abs({cell}) < {_ABSURD[f.kind]}", "is too large to be meant", reads=True)
        for c in self._own_columns(endpoint):
            expression = self._expression(endpoint, c)
            path = next(iter(named(expression)), c.name)
            cell, field_cell = _quote("c:" + c.name), _quote(path)
            if not c.nullable:
                # What is there and cannot be read is told by its own reason.
                there = f" OR {_value(path)} IS NOT NULL" if each and path in paths and paths[path].kind not in NAMING else ""
                law(path, f"{cell} IS NOT NULL OR {field_cell} IS NOT NULL{there}", "is missing")
            if c.type is not Type.STRING and path in paths and c.name not in endpoint.may_be_unknown:
                remedy = endpoint.remedies.get(c.type, endpoint.remedy)
                law(path, f"{field_cell} IS NULL OR {cell} IS NOT NULL", f"is not {_WORDS[c.type]}", remedy, reads=True)
            if c.minimum is not None:
                law(path, f"{cell} IS NULL OR {cell} >= {c.minimum}", f"is below {c.minimum}")
            if c.allowed:
                law(path, f"{cell} IS NULL OR {cell} IN ({', '.join(map(_text, c.allowed))})", f"is none of {', '.join(c.allowed)}")
        if endpoint.usage_date:
            path = next(iter(named(endpoint.usage_date)), "usage_date")
            law(path, "__day IS NOT NULL", "names no day", reads=True)
            law(path, "__day IS NULL OR __day BETWEEN __first AND __last", "is outside the days that were asked", reads=True)
        for rule in endpoint.rules:
            law(rule.column, rule.holds, rule.reason, rule.remedy)
        return laws

    def _register(self, fetches: Mapping[tuple[str, date], str]) -> None:
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fetches AS SELECT __walk, usage_date, fetch_id FROM "
            "(SELECT unnest(?) AS __path, unnest(?::DATE[]) AS usage_date, unnest(?) AS fetch_id) JOIN walks USING (__path)",
            [[path for path, _ in fetches], [day for _, day in fetches], list(fetches.values())],
        )


def _once(path: str) -> str:
    """Whether a record names a field at most once."""
    parent, _, leaf = path.rpartition(".")
    return f"len(list_filter(json_keys(__json, {_text(_json_path(parent) if parent else '$')}), x -> x = {_text(leaf)})) < 2"


def _said(field: Field, value: str) -> str:
    """A field's value; of what names somebody, the name as it is read."""
    return texts.read_sql(value, is_address=field.kind == "email") if field.kind in NAMING else value


def _written(field: Field) -> str:
    """A field's text as it is cast. The engine takes 1_000 for a thousand, as programming languages do; in an answer it is no number."""
    value = _value(field.path)
    return f"replace({value}, '_', '?')" if field.kind in _NUMBERS else _said(field, value)


def _booleans(endpoint: Endpoint) -> str:
    """Whether true, false or 1_000 stands in the place of a number anywhere: the reader would take them for 1, 0 and a thousand."""
    names = "|".join(sorted({re.escape(f.path.rpartition(".")[2]) for f in endpoint.fields if f.kind in _NUMBERS}))
    pattern = f'"({names})"\\s*:\\s*(true|false|"[^"]*_)'
    return f"EXISTS (SELECT 1 FROM lines WHERE regexp_matches(__json, {_text(pattern)}))" if names else "false"


def _mend(path: Path, copy: Path) -> Path:
    """A copy of a spool file in which what is not Unicode is U+FFFD: bytes that are not UTF-8, and halves of a surrogate pair."""
    with pa.OSFile(str(path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as stream:
        text = stream.read().decode("utf-8", errors="replace").encode()
    with pa.OSFile(str(copy), "wb") as out, pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(mended(text))
    return copy


def _parents(path: str) -> list[str]:
    """The objects that hold a field, from the record itself ("") down."""
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts))]


def _strangers(endpoint: Endpoint, parts: list[str], shape: Any) -> Iterator[list[str]]:
    """The outermost paths below `parts` that are not documented; `shape` is what json_structure says of the value there."""
    while isinstance(shape, list) and shape:
        parts, shape = [*parts[:-1], parts[-1] + "[]"], shape[0]
    for key, inner in shape.items() if isinstance(shape, dict) else ():
        if endpoint.documents([*parts, key + "[]" if isinstance(inner, list) else key]) or endpoint.documents([*parts, key]):
            yield from _strangers(endpoint, [*parts, key], inner)
        else:
            yield [*parts, key]


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _large(endpoint: Endpoint) -> str:
    """Whether a number is too large for the reader, which scales doubles: exact below 2^53 / 10^decimals, 9 million USD or 900 million cents."""
    limits = {"decimal": 9_000_000, "cents": 900_000_000}
    found = [f"coalesce(abs({_quote(f.path)}) > {limits[f.kind]}, false)" for f in endpoint.fields if f.kind in limits]
    return " OR ".join(found) or "false"


def _by_walk(days: Sequence[date]) -> str:
    return f"[{', '.join(f'DATE {_text(str(day))}' for day in days)}][__walk + 1]"


def _empty_day(walk: Spooled, day: date, endpoint: Endpoint) -> Day:
    return Day(day, walk, 0, 0, "", None if endpoint.vendor_total is None else Decimal(0))


def pretty(payload: str) -> str:
    """A record's payload, indented for people; returns it unchanged when it is not JSON."""
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except ValueError:
        return payload
