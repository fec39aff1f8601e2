"""Pages on disk as they came: the evidence behind every figure, and what the decoder reads.

Belongs here: writing and finding spool files. A walk's records lie in `<id>.ndjson.zst`, one a line, byte for byte as the
vendor sent them; what surrounded them lies in `<id>.pages.jsonl`, one page a line with the request, the envelope and
the body's SHA-256. Both appear under their names only when the walk is complete: a crash leaves `.part` files, which the
next cleaning removes.

A file's name holds the hash of what came, so that a day which is read each morning and never changes is kept once: a walk that brings the same bytes is the file that
is held, and begins its retention anew.
"""

from __future__ import annotations

import filecmp
import hashlib
import io
import itertools
import json
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError

RECORDS, PAGES = ".ndjson.zst", ".pages.jsonl"
LONGEST_RECORD = 1_000_000
_DIGITS = 24
_ERASED = "@forgotten.invalid"


def pages_of(path: Path) -> Path:
    """Where the pages of a file of records are told of."""
    return path.with_name(path.name.removesuffix(RECORDS) + PAGES)


@dataclass(frozen=True)
class Spooled:
    """One completed walk. `largest` is the longest record in bytes, `size` all records' bytes, uncompressed. `rows`: of a file, the row of each record
    as a spreadsheet counts it."""

    endpoint: Endpoint
    window: Window
    path: Path
    relative_path: str
    records: int
    pages: int
    requests: int
    size: int
    largest: int
    rows: Sequence[int] = ()


class SpoolWriter:
    """Writes one walk. `page()` for each page in order, then `close()`; without it nothing appears."""

    def __init__(self, root: Path, endpoint: Endpoint, window: Window) -> None:
        self._root, self._endpoint, self._window = root, endpoint, window
        folder = root / endpoint.source / endpoint.name / f"{window.first:%Y-%m}"
        folder.mkdir(parents=True, exist_ok=True)
        self._name = folder / f"{window.first:%Y%m%d}-{window.last:%Y%m%d}"
        broken = uuid.uuid4().hex[:12]
        self._part = folder / f"{self._name.name}-{broken}{RECORDS}.part"
        self._envelopes = folder / f"{self._name.name}-{broken}{PAGES}.part"
        self._came = hashlib.sha256()
        self._raw = pa.OSFile(str(self._part), "wb")
        self._out = pa.CompressedOutputStream(self._raw, "zstd")
        self._log = self._envelopes.open("wb")
        self.records = self.pages = self._size = self._largest = 0
        self._rows: list[int] = []

    def page(self, records: Sequence[bytes | memoryview], *, request: Any, envelope: Any, body: bytes) -> None:
        """Append one page. Line breaks inside a record, which JSON allows between tokens only, become spaces.

        Raises `ContractError` for a record of more bytes than `LONGEST_RECORD`: reading one takes sixty times its length.
        """
        longest = max(map(len, records), default=0)
        if longest > LONGEST_RECORD:
            raise ContractError(
                f"{self._endpoint.source} {self._endpoint.name}: a record has {longest:,} bytes, and at most {LONGEST_RECORD:,} are read; nothing was stored, so "
                "shorten it, or report it to the vendor."
            )
        joined = b"\n".join(records)
        if joined.count(b"\n") != max(0, len(records) - 1) or b"\r" in joined:
            joined = b"\n".join(bytes(r).replace(b"\n", b" ").replace(b"\r", b" ") for r in records)
        if records:
            self._out.write(joined)
            self._out.write(b"\n")
            self._largest = max(self._largest, longest)
        self.records += len(records)
        self.pages += 1
        self._size += len(joined)
        self._rows += _rows(request)
        sha = hashlib.sha256(body).hexdigest()
        self._came.update(_told(request, sha, joined, len(records)))
        line = {
            "page": self.pages, "at": time.time(), "request": request, "envelope": envelope, "records": len(records),
            "bytes": len(body), "sha256": sha,
        }  # fmt: skip
        self._log.write(json.dumps(line, default=str).encode() + b"\n")

    def close(self, requests: int) -> Spooled:
        """Make the walk visible, or find it held."""
        self._out.close()
        self._raw.close()
        self._log.close()
        digest = self._came.hexdigest()[:_DIGITS]
        path = self._held(digest)
        if path:
            self._part.unlink()
            self._envelopes.unlink()
        else:
            path = self._name.with_name(f"{self._name.name}-{digest}{RECORDS}")
            self._envelopes.replace(pages_of(path))
            self._part.replace(path)
        return Spooled(
            self._endpoint, self._window, path, str(path.relative_to(self._root)), self.records, self.pages, requests,
            self._size, self._largest, self._rows,
        )  # fmt: skip

    def _held(self, digest: str) -> Path | None:
        """The file that holds the same already, whole: one that was damaged, or from which a person was erased, is written anew. A snapshot is of no day, so one of
        another day holds the same too."""
        folder, name = self._name.parent, f"-{digest}{RECORDS}"
        mine = [folder / f"{self._name.name}{name}"]
        for path in mine if self._endpoint.usage_date else [*mine, *sorted(folder.parent.glob(f"*/*{name}"))]:
            try:
                if filecmp.cmp(path, self._part, shallow=False) and pages_of(path).stat().st_size:
                    for held in (path, pages_of(path)):
                        os.utime(held)
                    return path
            except OSError:
                continue  # not there, or a cleaning took it away meanwhile
        return None

    def abandon(self) -> None:
        """Drop a walk that failed or must start again."""
        for stream in (self._out, self._raw, self._log):
            stream.close()
        for path in (self._part, self._envelopes):
            path.unlink(missing_ok=True)


def reopen(root: Path, endpoint: Endpoint, window: Window, relative_path: str, pages: int, requests: int) -> Spooled:
    """A walk that was spooled before, as the walk that it was. `pages` and `requests` are what it took then."""
    path = root / relative_path
    records = size = largest = 0
    with pa.OSFile(str(path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as stream:
        for line in io.TextIOWrapper(stream, encoding="latin-1", newline="\n"):
            records, size, largest = records + 1, size + len(line), max(largest, len(line))
    log = pages_of(path)
    rows = [row for line in log.read_bytes().splitlines() for row in _rows(json.loads(line)["request"])] if log.is_file() else []
    return Spooled(endpoint, window, path, relative_path, records, pages, requests, size, largest, rows)


def flaw(path: Path) -> str | None:
    """What of a walk's two files is no longer as it was written, to follow the path in a sentence; None where they are whole.

    Of a file from which a person was erased, and of one that an earlier version named, only that it can be read and holds as many records as it says.
    """
    try:
        log = [json.loads(line) for line in pages_of(path).read_bytes().splitlines()]
        pages = [page for page in log if "page" in page]
        came = hashlib.sha256()
        with pa.OSFile(str(path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as stream, io.BufferedReader(stream) as lines:
            for page in pages:
                found = [line.removesuffix(b"\n") for line in itertools.islice(lines, page["records"])]
                if len(found) != page["records"]:
                    return "holds fewer records than came"
                came.update(_told(page["request"], page["sha256"], b"\n".join(found), len(found)))
            if lines.read(1):
                return "holds more records than came"
    except FileNotFoundError:
        return f"lacks {pages_of(path).name}, which tells of its pages"
    except (OSError, ValueError, KeyError, TypeError):
        return "cannot be read"
    named = path.name.removesuffix(RECORDS).rpartition("-")[2]
    erased = len(pages) != len(log) or any(_ERASED in json.dumps(page["request"]) for page in pages)
    return "is not what came" if len(named) == _DIGITS and not erased and named != came.hexdigest()[:_DIGITS] else None


def _told(request: Any, sha: str, joined: bytes, records: int) -> bytes:
    """Of one page what a file's name is the hash of."""
    return json.dumps([request, sha, records, len(joined)], default=str).encode() + joined


def _rows(request: Any) -> Sequence[int]:
    """The rows of a file that a page holds, where it is of one."""
    return request.get("rows", ()) if isinstance(request, dict) else ()


def clean(root: Path, keep_days: int, now: float | None = None) -> int:
    """Remove spool files older than `keep_days` days and parts of broken walks older than a day; returns how many."""
    if not root.exists():
        return 0
    now = time.time() if now is None else now
    removed = 0
    for path in root.rglob("*.*"):
        try:
            age = now - path.stat().st_mtime if path.is_file() else 0
            if age > (86_400 if path.suffix == ".part" else keep_days * 86_400):
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # another cleaning, or a walk that ended, took it
    for folder in sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            shutil.rmtree(folder)
    return removed
