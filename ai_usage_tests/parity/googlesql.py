"""GoogleSQL itself: Google's analyzer and reference executor, offline, as the second opinion on every statement.

Belongs here: starting the WebAssembly build of the PyPI package `zetasql`, its types and values, and asking it two things: which columns
does a statement have (`columns`), and what does it answer on given rows (`run`). Does not belong here: what is asked, and DuckDB.

The package's own client copies bytes one by one and compiles at each start (14 s on two idle cores, 40 s on one); this one asks the same
service with bulk copies, and keeps what was compiled.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime
from zetasql.core.wasm_client import get_tzinfo_dir
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public_options
from zetasql.wasi._pb2.zetasql.public import simple_table_pb2, type_pb2, value_pb2

from ai_usage.tables.schema import Table

_EPOCH = date(1970, 1, 1)
_EXACT = Context(prec=60)
# DOUBLE is FLOAT64 in BigQuery's words.
_KINDS = {
    name: type_pb2.TypeKind.Value(f"TYPE_{name}") for name in ("STRING", "INT64", "NUMERIC", "BOOL", "DATE", "TIMESTAMP", "BYTES", "JSON")
}
_KINDS["FLOAT64"] = type_pb2.TypeKind.Value("TYPE_DOUBLE")
_NAMES = {kind: name for name, kind in _KINDS.items()}

Row = tuple[Any, ...]


class GoogleSQLError(Exception):
    """GoogleSQL refused the statement; the message is its own."""


@dataclass(frozen=True)
class Answer:
    """Names and types of the columns in order, and rows as Python values: NUMERIC is Decimal with nine places, DATE date, TIMESTAMP UTC."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[Row]


class GoogleSQL:
    """One engine, with the declared tables as its catalog. Not thread-safe; a start costs 0.1 s once the cache folder is filled."""

    def __init__(self, tables: Iterable[Table], cache: Path) -> None:
        self._tables = {table.name: table for table in tables}
        self._start(cache)
        self._language = self._features()
        self._kept: dict[tuple, Any] = {}

    # What can be asked ------------------------------------------------------------------------------------------------

    def columns(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        """Names and types of the statement's output, in order; `parameters` maps names to types. Nothing is executed."""
        request = service.PrepareQueryRequest(sql=sql, options=self._options(parameters or {}), simple_catalog=self._catalog(sql))
        answer = self._call("PrepareQuery", request, service.PrepareQueryResponse)
        self._call("UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=answer.prepared.prepared_query_id))
        return [(column.name, _type_name(column.type)) for column in answer.prepared.columns]

    def run(
        self, sql: str, parameters: Mapping[str, Any] | None = None, content: Mapping[str, Sequence[Sequence[Any]]] | None = None
    ) -> Answer:
        """The statement's answer. `content` holds tables' rows in the order of their declared columns; a table without rows is empty.

        Rows go in as parameters, since GoogleSQL analyses a statement anew (0.5 s for the largest) when the content of a catalog changes.
        """
        given, rows_of = parameters or {}, content or {}
        words = set(re.findall(r"\w+", sql))
        used = [table for table in self._tables.values() if table.name in words and (table.name in rows_of or not table.view)]
        types = {name: _type_of(value) for name, value in given.items()}
        prepared = self._prepared(sql, tuple(sorted(types.items())), tuple(used))
        ask = service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
        for name, value in given.items():
            ask.params.append(service.Parameter(name=name, value=_encode(value, types[name])))
        for table in used:
            kinds = [column.type.value for column in table.columns]
            parameter = ask.params.add(name=f"rows_of_{table.name}")
            parameter.value.array_value.SetInParent()
            for row in rows_of.get(table.name, ()):
                cells = [_encode(value, kind) for value, kind in zip(row, kinds, strict=True)]
                parameter.value.array_value.element.add().struct_value.field.extend(cells)
        data = self._call("EvaluateQuery", ask, service.EvaluateQueryResponse).content.table_data
        found = [column.type for column in prepared.columns]
        rows = [tuple(_decode(cell, kind) for cell, kind in zip(row.cell, found, strict=True)) for row in data.row]
        return Answer(tuple(c.name for c in prepared.columns), tuple(_type_name(k) for k in found), rows)

    def _prepared(self, sql: str, types: tuple[tuple[str, str], ...], used: tuple[Table, ...]) -> Any:
        key = (sql, types, tuple(table.name for table in used))
        if key not in self._kept:
            options = self._options(dict(types))
            for table in used:
                rows = _array(_struct((c.name, _type(c.type.value)) for c in table.columns))
                options.query_parameters.append(
                    options_pb2.AnalyzerOptionsProto.QueryParameterProto(name=f"rows_of_{table.name}", type=rows)
                )
            parts = ", ".join(f"{table.name} AS (SELECT * FROM UNNEST(@rows_of_{table.name}))" for table in used)
            request = service.PrepareQueryRequest(sql=f"WITH {parts} ({sql})" if used else sql, options=options)
            request.simple_catalog.CopyFrom(self._catalog(""))
            self._kept[key] = self._call("PrepareQuery", request, service.PrepareQueryResponse).prepared
        return self._kept[key]

    # How it is asked --------------------------------------------------------------------------------------------------

    def _start(self, cache: Path) -> None:
        config = wasmtime.Config()
        config.shared_memory = True
        config.max_wasm_stack = 2 * 1024 * 1024 - 65536  # just below wasmtime's limit; its default of 512 kB is short for a deep statement
        engine = wasmtime.Engine(config)
        module = _compiled(engine, cache)
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stderr()
        zones = get_tzinfo_dir()
        assert zones, "GoogleSQL needs the package tzdata for America/Los_Angeles; install it"
        wasi.preopen_dir(zones, "/usr/share/zoneinfo")
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasi)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self._exports: Any = linker.instantiate(self._store, module).exports(self._store)
        with suppress(KeyError):
            self._exports["_initialize"](self._store)
        self._memory = self._exports["memory"]

    def _features(self) -> options_pb2.LanguageOptionsProto:
        """Everything that GoogleSQL has released, in the mode of external products, which is BigQuery's: no INT32, no DOUBLE."""
        found = self._call("GetLanguageOptions", service.LanguageOptionsRequest(maximum_features=True), options_pb2.LanguageOptionsProto)
        found.product_mode = public_options.ProductMode.Value("PRODUCT_EXTERNAL")
        found.reserved_keywords.append("QUALIFY")
        return found

    def _options(self, types: Mapping[str, str]) -> options_pb2.AnalyzerOptionsProto:
        options = options_pb2.AnalyzerOptionsProto(language_options=self._language, default_timezone="UTC")
        for name, kind in types.items():
            options.query_parameters.append(options_pb2.AnalyzerOptionsProto.QueryParameterProto(name=name, type=_type(kind)))
        return options

    def _catalog(self, sql: str) -> simple_catalog_pb2.SimpleCatalogProto:
        """The declared tables that the statement may mean: a catalog with all of them takes ten times as long to copy."""
        catalog = simple_catalog_pb2.SimpleCatalogProto(name="ai_usage")
        catalog.builtin_function_options.language_options.CopyFrom(self._language)
        words = set(re.findall(r"\w+", sql))
        for table in self._tables.values():
            if table.name in words:
                columns = [simple_table_pb2.SimpleColumnProto(name=c.name, type=_type(c.type.value)) for c in table.columns]
                catalog.table.append(simple_table_pb2.SimpleTableProto(name=table.name, column=columns))
        return catalog

    def _address(self, offset: int) -> int:
        """Where a byte of the engine's memory is in ours; asked each time, since the memory may have moved as it grew."""
        return ctypes.addressof(self._memory.data_ptr().contents) + offset

    def _call(self, method: str, request: Any, response: Any = None) -> Any:
        store, exports = self._store, self._exports
        data = request.SerializeToString()
        where, size = exports["wasm_malloc"](store, max(len(data), 1)), exports["wasm_malloc"](store, 4)
        try:
            ctypes.memmove(self._address(where), data, len(data))
            found = exports[f"ZetaSqlLocalService_{method}"](store, where, len(data), size)
            if not found:
                length = exports["wasm_get_last_error_size"](store)
                start = exports["wasm_get_last_error"](store)
                raise GoogleSQLError(ctypes.string_at(self._address(start), length).decode())
            length = int.from_bytes(ctypes.string_at(self._address(size), 4), "little")
            answer = ctypes.string_at(self._address(found), length)
            exports["wasm_free"](store, found)
        finally:
            exports["wasm_free"](store, where)
            exports["wasm_free"](store, size)
        return response.FromString(answer) if response is not None else None


def _compiled(engine: wasmtime.Engine, cache: Path) -> wasmtime.Module:
    """The module from the cache folder; compiled once, by one process, where it is not there."""
    told = [platform.machine(), platform.system(), version("wasmtime"), version("zetasql")]
    path = cache / f"googlesql-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}.cwasm"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "googlesql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            with suppress(wasmtime.WasmtimeError):
                return wasmtime.Module.deserialize_file(engine, str(path))
        module = wasmtime.Module.from_file(engine, str(get_wasm_path()))
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(module.serialize())
        draft.replace(path)
        return module


# Types and values ---------------------------------------------------------------------------------------------------


def _array(element: type_pb2.TypeProto) -> type_pb2.TypeProto:
    return type_pb2.TypeProto(type_kind=type_pb2.TypeKind.Value("TYPE_ARRAY"), array_type=type_pb2.ArrayTypeProto(element_type=element))


def _struct(fields: Iterable[tuple[str, type_pb2.TypeProto]]) -> type_pb2.TypeProto:
    found = type_pb2.TypeProto(type_kind=type_pb2.TypeKind.Value("TYPE_STRUCT"))
    for name, kind in fields:
        found.struct_type.field.add(field_name=name, field_type=kind)
    return found


def _type(name: str) -> type_pb2.TypeProto:
    if name.startswith("ARRAY<"):
        return _array(_type(name[6:-1]))
    return type_pb2.TypeProto(type_kind=_KINDS[name])


def _type_name(kind: type_pb2.TypeProto) -> str:
    if kind.type_kind == type_pb2.TypeKind.Value("TYPE_ARRAY"):
        return f"ARRAY<{_type_name(kind.array_type.element_type)}>"
    return _NAMES.get(kind.type_kind) or type_pb2.TypeKind.Name(kind.type_kind)


def _type_of(value: Any) -> str:
    """The type of a parameter by its Python value; a list is an array of its first element's type."""
    if isinstance(value, list | tuple):
        return f"ARRAY<{_type_of(value[0]) if value else 'STRING'}>"
    for python, name in ((bool, "BOOL"), (int, "INT64"), (str, "STRING"), (Decimal, "NUMERIC"), (datetime, "TIMESTAMP"), (date, "DATE")):
        if isinstance(value, python):
            return name
    raise TypeError(f"a parameter of type {type(value).__name__} has no type in GoogleSQL; give bool, int, str, Decimal, date or datetime")


def _encode(value: Any, kind: str) -> value_pb2.ValueProto:
    if value is None:
        return value_pb2.ValueProto()
    if kind.startswith("ARRAY<"):
        return value_pb2.ValueProto(array_value={"element": [_encode(v, kind[6:-1]) for v in value]})
    if kind == "STRING":
        return value_pb2.ValueProto(string_value=value)
    if kind == "INT64":
        return value_pb2.ValueProto(int64_value=value)
    if kind == "BOOL":
        return value_pb2.ValueProto(bool_value=value)
    if kind == "FLOAT64":
        return value_pb2.ValueProto(double_value=value)
    if kind == "DATE":
        return value_pb2.ValueProto(date_value=(value - _EPOCH).days)
    if kind == "TIMESTAMP":
        found = value_pb2.ValueProto()
        found.timestamp_value.FromDatetime(value.astimezone(UTC).replace(tzinfo=None))
        return found
    if kind == "NUMERIC":
        scaled = int(_EXACT.scaleb(value, 9))
        assert Decimal(f"{scaled}E-9") == value, f"{value} has more than nine decimals"
        return value_pb2.ValueProto(numeric_value=scaled.to_bytes((scaled + (scaled < 0)).bit_length() // 8 + 1, "little", signed=True))
    raise TypeError(f"no value of type {kind} is encoded")


def _decode(cell: value_pb2.ValueProto, kind: type_pb2.TypeProto) -> Any:
    which = cell.WhichOneof("value")
    if which is None:
        return None
    if which == "numeric_value":
        return Decimal(f"{int.from_bytes(cell.numeric_value, 'little', signed=True)}E-9")  # from text: arithmetic would round to 28 digits
    if which == "date_value":
        return _EPOCH + timedelta(days=cell.date_value)
    if which == "timestamp_value":
        return datetime.fromtimestamp(cell.timestamp_value.seconds, UTC) + timedelta(microseconds=cell.timestamp_value.nanos // 1000)
    if which == "array_value":
        return [_decode(element, kind.array_type.element_type) for element in cell.array_value.element]
    return getattr(cell, which)
