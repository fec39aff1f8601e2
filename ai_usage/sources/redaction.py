"""Taking a person out of what vendors sent: texts, Arrow rows, spooled records, CSV files.

Belongs here: finding addresses in text, and what stays of a record when one is found. Does not belong here: whose addresses they are
(a `Swap` says that), tables in a warehouse, and when it is done.

Of a record that names the person, addresses become the token, names and undeclared texts become empty, and everything else stays byte for
byte: numbers above all, which are money.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ai_usage.guards.files import read_dropped
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.halves import mended
from ai_usage.sources.uploads.csv_file import encoding
from ai_usage.tables import texts
from ai_usage.tables.schema import Personal, Table, Type

Swap = Callable[[str], str | None]
"""A folded address -> the token that takes its place, or None."""

# Where an address ends on either side. The same characters on every engine: this pattern runs in Python and in DuckDB.
ADDRESS = r"""[^\s"<>,;:(){}\[\]/=|&?]+@[^\s"<>,;:(){}\[\]/=|&?@]+"""
EMPTIED = '{"forgotten": true}'
_ADDRESS = re.compile(ADDRESS)
_EDGE = "'`."


def fold(address: str) -> str:
    """As `sql/` folds addresses; what is none, trimmed and in lower case."""
    return texts.fold(address) or address.strip().lower()


def written(found: str) -> list[str]:
    """The folded addresses in what `ADDRESS` found in JSON's own text, whose escapes are letters there."""
    if "\\" in found:
        try:
            found = json.loads(f'"{found}"')
        except ValueError:
            found = found.replace("\\", " ")
    return [fold(m.group().strip(_EDGE)) for m in _ADDRESS.finditer(found)]


def replaced(text: str, swap: Swap) -> str:
    """The text with the token for each address that `swap` knows."""

    def one(match: re.Match[str]) -> str:
        core = match.group().strip(_EDGE)
        token = swap(fold(core))
        return match.group().replace(core, token) if token else match.group()

    return _ADDRESS.sub(one, text) if "@" in text else text


# Arrow rows ---------------------------------------------------------------------------------------------------


def redact_rows(table: Table, data: pa.Table, swap: Swap) -> pa.Table:
    """Rows of a declared table without the people whom `swap` knows."""
    texts = [c for c in table.columns if c.type is Type.STRING and not c.allowed]
    columns = {c.name: data[c.name].combine_chunks() for c in texts}
    fresh = {name: _replaced_column(column, swap) for name, column in columns.items()}
    kinds = {Personal.EMAIL} if table.personal(Personal.EMAIL) else {Personal.RECORD}
    own = pa.array([False] * data.num_rows, pa.bool_())
    for c in texts:
        if c.personal in kinds:
            own = pc.or_(own, pc.fill_null(pc.not_equal(columns[c.name], fresh[c.name]), False))
    for c in texts:
        column = fresh[c.name]
        if c.personal in {Personal.NAME, Personal.ADDRESSES, Personal.RECORD}:
            empty = None if c.nullable else EMPTIED if c.personal is Personal.RECORD else ""
            column = pc.if_else(pc.and_(own, pc.is_valid(column)), pa.scalar(empty, pa.string()), column)
        data = data.set_column(data.schema.get_field_index(c.name), data.schema.field(c.name), column)
    return data


def _replaced_column(column: pa.Array, swap: Swap) -> pa.Array:
    """Each distinct value is looked at once."""
    if not pc.any(pc.fill_null(pc.match_substring(column, "@"), False)).as_py():
        return column
    coded = column.dictionary_encode()
    values = pa.array([replaced(value, swap) for value in coded.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(coded.indices, values).cast(pa.string())


# Spooled records ----------------------------------------------------------------------------------------------


def redact_spool(path: Path, endpoint: Endpoint | None, swap: Swap, *, dry: bool = False) -> int:
    """Rewrite one walk's records and its page log where they name a person; returns how many lines changed. Age and place of the files stay.
    `dry` counts and writes nothing.

    An unknown endpoint's records are emptied whole, since nothing says which of their fields are names.
    """
    shape = None if endpoint is None else _shape(endpoint)

    def record(line: bytes) -> bytes:
        return line if not _names(line, swap) else EMPTIED.encode() if shape is None else _record(_text(line), shape, "", swap)

    def log(line: bytes) -> bytes:
        return _record(line, {}, "", swap, blank=False) if _names(line, swap) else line

    changed = _rewritten(path, record, packed=True, dry=dry)
    pages = path.with_name(path.name.removesuffix(".ndjson.zst") + ".pages.jsonl")
    if pages.exists():
        note = {"rewritten": "a person was forgotten", "records": changed} if changed else None
        changed += _rewritten(pages, log, note=note, dry=dry)
    return changed


def _text(line: bytes) -> bytes:
    """The record with U+FFFD where what came is no Unicode."""
    return mended(line.decode(errors="replace").encode())


def _names(line: bytes, swap: Swap) -> bool:
    return b"@" in line and any(swap(a) for m in _ADDRESS.finditer(line.decode(errors="replace")) for a in written(m.group()))


def _shape(endpoint: Endpoint) -> dict[str, bool]:
    """{declared path: whether it holds a name or a text about the person}."""
    shape = {f.path: False for f in endpoint.fields}
    for column in endpoint.table.personal(Personal.NAME, Personal.ADDRESSES, Personal.RECORD):
        for path in re.findall(r'"([^"]+)"', endpoint.columns.get(column.name, f'"{column.name}"')):
            shape[path] = True
    return shape


def _record(raw: bytes, shape: dict[str, bool], path: str, swap: Swap, blank: bool = True) -> bytes:
    """One JSON value: strings by the rules of this module, everything else as it stands."""
    first = raw.lstrip()[:1]
    if first == b"{":
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return msgspec.json.encode(
            {
                replaced(name, swap): msgspec.Raw(_record(bytes(value), shape, f"{path}.{name}" if path else name, swap, blank))
                for name, value in fields.items()
            }
        )
    if first == b"[":
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
        return msgspec.json.encode([msgspec.Raw(_record(bytes(item), shape, path, swap, blank)) for item in items])
    if first != b'"':
        return raw
    text: str = msgspec.json.decode(raw)
    fresh = replaced(text, swap)
    declared = next((shape[p] for p in (path, *_parents(path)) if p in shape), None)
    if blank and fresh == text and (declared or declared is None):
        fresh = ""
    return raw if fresh == text else msgspec.json.encode(fresh)


def _parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]


def _rewritten(path: Path, change: Callable[[bytes], bytes], *, packed: bool = False, note: Any = None, dry: bool = False) -> int:
    """Put `change(line)` in each line's place, and the note as the last line; the file is replaced whole, and only when it changes."""
    changed = 0
    before = path.stat()
    part = path.with_name(path.name + ".part")
    packing = "zstd" if packed else None
    try:
        with pa.input_stream(str(path), compression=packing) as source, pa.output_stream(str(part), compression=packing) as target:
            for line in io.BufferedReader(source):
                content = line.rstrip(b"\n")
                fresh = change(content) if content else content
                changed += fresh != content
                target.write(fresh + b"\n")
            if note is not None:
                target.write(json.dumps(note).encode() + b"\n")
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if dry or (not changed and note is None):
        part.unlink()
        return changed
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    part.chmod(before.st_mode & 0o777)
    part.replace(path)
    return changed


# Dropped files ------------------------------------------------------------------------------------------------


def redact_file(path: Path, swap: Swap, *, keep_rows: bool = True, dry: bool = False) -> int:
    """Rewrite a CSV or text file where it names a person; returns how many rows changed.

    Addresses become the token and cells below a column of names become empty; with `keep_rows` false the rows go whole: nothing of a refused
    file counts. A file that is no table is treated as text.
    """
    raw = read_dropped(path)
    code = encoding(raw)
    text = raw.decode(code, errors="replace" if code == "utf-16" else "surrogateescape")
    if not any(swap(a) for m in _ADDRESS.finditer(text) for a in written(m.group())):
        return 0
    before = path.stat()
    try:
        if path.suffix.lower() != ".csv":
            raise csv.Error
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        fresh, changed = _rows(rows, swap, keep_rows)
    except csv.Error:
        fresh, changed = replaced(text, swap), 1
    if dry:
        return changed
    part = path.with_name(path.name + ".part")
    part.write_bytes(fresh.encode("utf-8", errors="surrogateescape"))
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    part.chmod(before.st_mode & 0o777)
    part.replace(path)
    return changed


def _rows(rows: list[list[str]], swap: Swap, keep_rows: bool) -> tuple[str, int]:
    names = (
        {place for place, title in enumerate(rows[0]) if re.fullmatch(r"(.*[ _.])?name|aliases", title.strip().lower())} if rows else set()
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    changed = 0
    for row in rows:
        fresh = [replaced(cell, swap) for cell in row]
        if fresh != row:
            changed += 1
            if not keep_rows:
                continue
            fresh = ["" if place in names else cell for place, cell in enumerate(fresh)]
        writer.writerow(fresh)
    return out.getvalue(), changed
