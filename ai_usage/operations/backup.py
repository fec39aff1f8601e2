"""Backup and restore of everything that this machine holds: the DuckDB file, Dagster's records, the spool, the drop folder.

Belongs here: what is copied, in which order, and how a copy is proved whole. Does not belong here: how an engine copies its file, keys (they are
never in a backup), BigQuery's tables (Google keeps those; docs/runbook.md).

The database goes first: a spool file is written before the row that names it, so every row of the copy finds its bytes in a spool that was copied
later. A backup has its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from ai_usage import __version__, tables
from ai_usage.errors import SettingsError
from ai_usage.guards import files
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError

MANIFEST = "manifest.json"
DATABASE = "ai_usage.duckdb"
FOLDERS = ("dagster", "spool", "uploads")


@dataclass(frozen=True)
class Backup:
    """One backup. `rows` are those of the copied DuckDB file by table; empty where BigQuery holds the tables."""

    folder: Path
    files: int
    size: int
    rows: dict[str, int]


def back_up(runtime: Runtime, into: Path) -> Backup:
    """Write `into`/ai-usage-<UTC instant>. Raises `SettingsError` or `WarehouseError` in one sentence; nothing of that name is left then."""
    settings = runtime.settings
    target = into.resolve() / f"ai-usage-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    part = target.with_name(target.name + ".part")
    if any(target.is_relative_to(kept) for kept in (settings.spool_dir, settings.uploads, settings.dagster_home)):
        raise SettingsError(f"{into} lies inside a folder that is backed up; name a folder elsewhere, best on another disk.")
    try:
        for source in _folders(settings).values():
            for path, kind in files.odd_names(source, hard_links=source == settings.uploads).items():
                raise SettingsError(f"{path} is {kind}, and a backup takes plain files alone; remove it and run again.")
        into.mkdir(parents=True, exist_ok=True)
        part.mkdir(mode=0o700)  # from the beginning: it holds what the data folder holds
        rows: dict[str, int] = {}
        if isinstance(runtime.warehouse, DuckDBWarehouse):
            if not settings.duckdb_file.exists():
                raise WarehouseError(f"there is no warehouse at {settings.duckdb_file} to back up; run `ai-usage run` first.")
            rows = runtime.warehouse.copy_to(part / DATABASE)
        for name, folder in _folders(settings).items():
            _copy(folder, part / name)
        hashes = {str(p.relative_to(part)): _sha256(p) for p in sorted(part.rglob("*")) if p.is_file()}
        said: dict[str, Any] = {
            "version": __version__, "made_at": datetime.now(UTC).isoformat(), "warehouse": settings.warehouse, "rows": rows, "files": hashes,
        }  # fmt: skip
        (part / MANIFEST).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        size = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        part.replace(target)
    except sqlite3.DatabaseError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise SettingsError(
            f"Dagster's records in {settings.dagster_home} are damaged ({error}); stop Dagster, move that folder away and run again."
        ) from None
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise SettingsError(f"{into} cannot be written ({error.strerror}); free space there, or name another folder.") from None
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Backup(target, len(hashes), size, rows)


def restore(runtime: Runtime, folder: Path) -> Backup:
    """Put a backup where the settings say. What is there is never overwritten; a damaged backup is refused before anything is written.

    Raises `SettingsError` in one sentence.
    """
    settings = runtime.settings
    for path, kind in files.odd_names(folder).items():
        raise SettingsError(f"{path} is {kind}, and a backup holds plain files alone; take another backup.")
    hashes, rows = _manifest(folder)
    for name, sha in hashes.items():
        if not (folder / name).is_file() or _sha256(folder / name) != sha:
            raise SettingsError(f"{folder / name} is missing or damaged: its SHA-256 is not the one in {MANIFEST}; take another backup.")
    places = _folders(settings) | {DATABASE: settings.duckdb_file}
    for top in sorted({PurePosixPath(name).parts[0] for name in hashes}):
        place = places[top]
        if place.is_file() or (place.is_dir() and any(place.iterdir())):
            raise SettingsError(f"{place} is there already; move it away first, since restoring overwrites nothing.")
    try:
        for name, sha in hashes.items():
            top, *below = PurePosixPath(name).parts
            place = places[top].joinpath(*below)
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(place.name + ".part")
            files.copy_plain(folder / name, part)
            if _sha256(part) != sha:
                part.unlink()
                raise SettingsError(f"{folder / name} changed while it was restored; move what was restored away and run again.")
            part.replace(place)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or settings.data_dir} cannot be written ({error.strerror}); free space, move what was restored away and run again."
        ) from None
    if DATABASE in hashes:
        for table, n in rows.items():
            found = runtime.warehouse.select(f"SELECT COUNT(*) AS n FROM {table}")["n"][0].as_py()
            if found != n:
                raise SettingsError(f"{table} has {found} rows after restoring and had {n}; take another backup.")
    return Backup(folder, len(hashes), sum((folder / n).stat().st_size for n in hashes), rows)


def _manifest(folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """The files with their hashes and the tables with their rows; every name is one that `back_up` writes."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        hashes, rows = dict(said["files"]), dict(said["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"{folder} is no backup: it has no readable {MANIFEST}; name a folder ai-usage-… that `backup` made.") from None
    for name in hashes:
        top, *below = PurePosixPath(name).parts or ("",)
        if ".." in below or (not below if top in FOLDERS else name != DATABASE):
            raise SettingsError(f"{MANIFEST} of {folder} names {name!r}, which no backup holds; take another backup.")
    for table in rows:
        if table not in tables.BY_NAME:
            raise SettingsError(f"{MANIFEST} of {folder} names the table {table!r}, which there is not; take another backup.")
    return hashes, rows


def _folders(settings: Settings) -> dict[str, Path]:
    return dict(zip(FOLDERS, (settings.dagster_home, settings.spool_dir, settings.uploads), strict=True))


def _copy(source: Path, target: Path) -> None:
    """A folder's files. SQLite's go through SQLite, which copies a database whole while others write into it; parts of broken walks stay."""
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        if path.suffix in {".part", ".db-wal", ".db-shm", ".db-journal"}:
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".db":
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as held, closing(sqlite3.connect(place)) as made:
                held.backup(made)
        else:
            try:
                files.copy_plain(path, place)
            except FileNotFoundError:  # retention or a load took it away meanwhile
                place.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
