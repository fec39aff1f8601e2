"""What is fuzzed: each target takes bytes, and may fail with the product's own errors alone.

Belongs here: how bytes become a page, records, a file, a cell, a setting, a question. Does not belong here: where bytes come from (`__main__.py`).
"""

from __future__ import annotations

import atexit
import importlib
import pkgutil
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import msgspec

import ai_usage.sources
from ai_usage.errors import SettingsError
from ai_usage.guards import bounds
from ai_usage.settings import Settings, load_settings
from ai_usage.sources.decode import Decoder
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import SourceError
from ai_usage.sources.google_sheets import cells
from ai_usage.sources.http import Body, HttpClient
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.sources.spool import SpoolWriter
from ai_usage.sources.uploads import client as uploads
from ai_usage.sources.uploads.csv_file import read_csv
from ai_usage.warehouse import WarehouseError, dialect, guard

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@cache
def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def _pages() -> list[msgspec.json.Decoder]:
    """A decoder of every shape that the clients declare, pages among them."""
    shapes: dict[str, type] = {}
    for module in pkgutil.walk_packages(ai_usage.sources.__path__, "ai_usage.sources."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct:
                shapes[f"{value.__module__}.{value.__name__}"] = value
    return [msgspec.json.Decoder(shapes[name]) for name in sorted(shapes)]


def _pick(data: bytes, among: list) -> tuple[object, bytes]:
    """The first byte chooses, the rest is the input."""
    return among[(data[0] if data else 0) % len(among)], data[1:]


def page(data: bytes) -> None:
    """A body of a vendor."""
    decoder, body = _pick(data, _pages())
    limits = bounds.Bounds(text=10_000, values=10_000)
    try:
        bounds.check(body, limits)
        _client().page("page", decoder, Body(body, None), "x.py")  # type: ignore[arg-type]
        _client().excerpt(body)
    except (SourceError, bounds.BoundError):
        pass


@cache
def _client() -> HttpClient:
    return HttpClient("Vendor", "https://vendor.example", secrets=("canary-of-twelve",))


@cache
def _decoder() -> Decoder:
    return Decoder("300MB")


def records(data: bytes) -> None:
    """Records of an endpoint, one JSON value each."""
    endpoint, body = _pick(data, list(ENDPOINTS.values()))
    try:
        lines = [bytes(raw) for raw in msgspec.json.decode(b"[" + body + b"]", type=list[msgspec.Raw])]
        bounds.check(b"[" + body + b"]", bounds.Bounds())
    except (msgspec.DecodeError, UnicodeDecodeError, bounds.BoundError):
        return  # never reaches the decoder
    writer = SpoolWriter(_folder(), endpoint, Window(DAY, DAY))  # type: ignore[arg-type]
    writer.page(lines, request={}, envelope=None, body=body)
    walk = writer.close(1)
    decoder = _decoder()
    try:
        days = decoder.load([walk])
        ids = {(str(walk.path), d.usage_date): "f" for d in days}
        got = decoder.rows(ids, NOW).num_rows + decoder.rejects(ids, NOW).num_rows
        assert got >= len(lines) or not lines, f"{len(lines)} records became {got} rows and rejects"
    except SourceError:
        pass
    finally:
        decoder.clear()
        walk.path.unlink(missing_ok=True)


def csv(data: bytes) -> None:
    """A dropped file."""
    kind, body = _pick(data, [*uploads.KINDS])
    file = _folder() / f"{kind}.csv"
    file.write_bytes(body)
    try:
        walk = uploads.spool_file(file, str(kind), _folder())
        walk.path.unlink(missing_ok=True)
    except SourceError:
        pass
    try:
        read_csv(file, ["a"], "x")
        uploads.kind_by_header(file)
    except SourceError:
        pass


READERS: list[Callable[[object, str], object]] = [
    cells.text, cells.email, cells.addresses, cells.choice, cells.count, cells.day, cells.money, lambda stored, shown: cells.choice(stored, shown, ("a", "b")),
]  # fmt: skip


def cell(data: bytes) -> None:
    """A cell: what is stored, a NUL, what is shown. What is stored may be a number, as the API gives it."""
    reader, body = _pick(data, READERS)
    said, _, shown = body.decode("utf-8", "replace").partition("\0")
    stored: list[object] = [said, said == "TRUE"]
    for number in (int, float):
        try:
            stored.append(number(said))
        except (ValueError, OverflowError):
            continue
    for one in stored:
        try:
            reader(one, shown or said)  # type: ignore[operator]
        except cells.Unread:
            continue


def setting(data: bytes) -> None:
    """A value of a setting, as the environment gives it: without NUL."""
    name, body = _pick(data, [*Settings.model_fields])
    with suppress(SettingsError):
        load_settings(_env_file=None, **{str(name): body.decode("utf-8", "replace").replace("\0", "")})


def question(data: bytes) -> None:
    """A person's SQL; what passes names no file."""
    sql = data.decode("utf-8", "replace")
    try:
        guard.check(sql)
        translated = dialect.to_duckdb(sql)
    except WarehouseError:
        return
    lowered = translated.lower()
    assert not any(
        f"{word}(" in lowered for word in ("read_blob", "read_text", "read_csv", "glob", "getenv", "current_setting", "query_table")
    ) or any(quote in sql for quote in "'\"`#-/"), translated


TARGETS: dict[str, Callable[[bytes], None]] = {t.__name__: t for t in (page, records, csv, cell, setting, question)}
