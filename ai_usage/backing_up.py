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
from pathlib import Path
from typing import Any

from ai_usage import __version__
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings, SettingsError
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError

MANIFEST = "manifest.json"
DATABASE = "ai_usage.duckdb"


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
        part.mkdir(parents=True)
        rows: dict[str, int] = {}
        if isinstance(runtime.warehouse, DuckDBWarehouse):
            if not settings.duckdb_file.exists():
                raise WarehouseError(f"there is no warehouse at {settings.duckdb_file} to back up; run `ai-usage run` first.")
            rows = runtime.warehouse.copy_to(part / DATABASE)
        for name, folder in _folders(settings).items():
            _copy(folder, part / name)
        files = {str(p.relative_to(part)): _sha256(p) for p in sorted(part.rglob("*")) if p.is_file()}
        said: dict[str, Any] = {
            "version": __version__, "made_at": datetime.now(UTC).isoformat(), "warehouse": settings.warehouse, "rows": rows, "files": files,
        }  # fmt: skip
        (part / MANIFEST).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        size = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        part.chmod(0o700)  # it holds what the data folder holds
        part.replace(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise SettingsError(f"{into} cannot be written ({error.strerror}); free space there, or name another folder.") from None
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Backup(target, len(files), size, rows)


def restore(runtime: Runtime, folder: Path) -> Backup:
    """Put a backup where the settings say. What is there is never overwritten; a damaged backup is refused before anything is written.

    Raises `SettingsError` in one sentence.
    """
    settings = runtime.settings
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SettingsError(f"{folder} is no backup: it has no readable {MANIFEST}; name a folder ai-usage-… that `backup` made.") from None
    for name, sha in said["files"].items():
        path = folder / name
        if not path.is_file() or _sha256(path) != sha:
            raise SettingsError(f"{path} is missing or damaged: its SHA-256 is not the one in {MANIFEST}; take another backup.")
    places = _folders(settings) | ({DATABASE: settings.duckdb_file} if DATABASE in said["files"] else {})
    for name, place in places.items():
        if (folder / name).exists() and (place.is_file() or (place.is_dir() and any(place.iterdir()))):
            raise SettingsError(f"{place} is there already; move it away first, since restoring overwrites nothing.")
    try:
        for name, place in places.items():
            if (folder / name).is_dir():
                shutil.copytree(folder / name, place, dirs_exist_ok=True)
            elif (folder / name).exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                part = place.with_name(place.name + ".part")
                shutil.copyfile(folder / name, part)
                part.replace(place)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or settings.data_dir} cannot be written ({error.strerror}); free space, move what was restored away and run again."
        ) from None
    if DATABASE in said["files"]:
        for table, rows in said["rows"].items():
            found = runtime.warehouse.select(f"SELECT COUNT(*) AS n FROM {table}")["n"][0].as_py()
            if found != rows:
                raise SettingsError(f"{table} has {found} rows after restoring and had {rows}; take another backup.")
    return Backup(folder, len(said["files"]), sum((folder / n).stat().st_size for n in said["files"]), said["rows"])


def _folders(settings: Settings) -> dict[str, Path]:
    return {"dagster": settings.dagster_home, "spool": settings.spool_dir, "uploads": settings.uploads}


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
                shutil.copy2(path, place)
            except FileNotFoundError:  # retention or a load took it away meanwhile
                place.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
