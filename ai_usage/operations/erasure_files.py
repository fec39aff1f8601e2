"""The files that name a person: spool and drop folder rewritten, damaged ones set aside, and what still holds an address.

Belongs here: which files, and where a damaged one goes. Does not belong here: how a record or a row is rewritten (`sources/redaction.py`), the order of the act
(`erasure.py`).
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ai_usage.guards.files import NotPlainError
from ai_usage.loading.forgotten import Forgotten
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.registry import endpoint_of
from ai_usage.sources.spool import pages_of


@dataclass
class Files:
    """How many records of the spool and rows of dropped files name the person, and which files could not be read."""

    records: int = 0
    rows: int = 0
    unread: list[Path] = field(default_factory=list)


def rewrite_files(runtime: Runtime, swap: redaction.Swap, *, dry: bool) -> Files:
    """Spool and drop folder, rewritten or, `dry`, only counted. Files that wait to be loaded are left: their load replaces the address."""
    found = Files()
    if isinstance(swap, Forgotten) and not swap.anyone():
        return found
    spool, uploads = runtime.settings.spool_dir, runtime.settings.uploads
    for path in sorted(spool.rglob("*.ndjson.zst")):
        try:
            found.records += redaction.redact_spool(path, endpoint_of(path.relative_to(spool)), swap, dry=dry)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None):
                raise  # the disk's answer; bytes that cannot be unpacked or read as records have no number
            found.unread.append(path if dry else _set_aside(path, runtime.settings))
    aside = runtime.settings.damaged
    found.unread = sorted({*found.unread, *(p for p in aside.rglob("*.ndjson.zst"))})
    for folder in ("loaded", "refused"):
        for path in sorted(p for p in (uploads / folder).glob("*") if p.suffix.lower() in {".csv", ".txt"}):
            try:
                found.rows += redaction.redact_file(path, swap, keep_rows=folder == "loaded", dry=dry)
            except NotPlainError:
                found.unread.append(path)
    return found


def _set_aside(path: Path, settings: Settings) -> Path:
    """Move a damaged file of the spool, and what tells of its pages, to where nothing reads it; returns where it lies."""
    place = settings.damaged / path.relative_to(settings.spool_dir)
    place.parent.mkdir(parents=True, exist_ok=True)
    pages = pages_of(path)
    if pages.exists():
        pages.replace(place.with_name(pages.name))
    return path.replace(place)


def left_in_files(runtime: Runtime, mine: Sequence[str]) -> Iterator[Path]:
    """Files of the platform that still hold an address in plain bytes: Dagster's records of old checks, copies of reports, files not loaded yet."""
    pattern = re.compile(rb"(?<![\w.%+-])(?:" + b"|".join(re.escape(a.encode()) for a in mine) + rb")", re.IGNORECASE)
    settings = runtime.settings
    homes = {settings.data_dir.resolve(), settings.dagster_home, settings.uploads}
    files = {p for home in homes for p in home.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_size}
    for path in sorted(files):
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if pattern.search(content):
                    yield path
        except OSError:
            yield path  # what cannot be read is not known to be free of it
