"""CSV files from the drop folder, as walks of the endpoint that they stand in for.

Belongs here: finding files, checking their header, turning rows into records, and putting files away. A file is only
another way for the same records to arrive: they are declared, checked and stored by the vendor's own declaration, and the
vendor's answer, when it comes, supersedes them. Templates are made from the declarations too.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ai_usage.guards.files import oddity, read_dropped
from ai_usage.sources import registry
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError
from ai_usage.sources.registry import STANDS_IN
from ai_usage.sources.spool import Spooled
from ai_usage.sources.uploads.csv_file import encoding, read_csv, refuse_dashboard, refuse_shortened
from ai_usage.sources.walk import Page, walk

KINDS: dict[str, Endpoint] = {kind: upload.endpoint for kind, upload in STANDS_IN.items()}
# No API stands behind them: `loading/exports.py` brings them in.
EXPORTS: dict[str, Endpoint] = {kind: upload.endpoint for kind, upload in registry.EXPORTS.items()}
_PAGE = 5_000


@dataclass(frozen=True)
class Dropped:
    """One file in the drop folder; `kind` is None when its name begins with no known kind."""

    path: Path
    kind: str | None


def template(kind: str) -> str:
    """The CSV template of a kind: header and one example row."""
    if kind in registry.EXPORTS:
        example = registry.EXPORTS[kind].example
        return _written(list(example), list(example.values()))
    fields = [f.path for f in KINDS[kind].fields]
    return _written(fields, [STANDS_IN[kind].example.get(name, "") for name in fields])


def _written(*rows: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def dropped(folder: Path) -> list[Dropped]:
    """Files waiting in the folder, by name; the kind is what the name begins with, as in `cursor_events-2026-11.csv`."""
    if not folder.is_dir():
        return []
    # Links and pipes too: they are refused by name, and not looked into.
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".csv" and (p.is_symlink() or not p.is_dir()))
    return [Dropped(p, kind_of(p.name)) for p in files]


def kind_of(name: str) -> str | None:
    """What a file is, by the beginning of its name: ours, or the one that its vendor gives it."""
    named = {kind: kind for kind in (*KINDS, *EXPORTS)} | {upload.named: kind for kind, upload in registry.EXPORTS.items() if upload.named}
    return next((kind for begin, kind in named.items() if name.lower().startswith(begin)), None)


def kind_by_header(path: Path) -> str | None:
    """What a file is by its first row, for the exports, whose downloads have names of their own. Raises `ContractError` for one that no name helps."""
    raw = read_dropped(path)
    first = raw.decode(encoding(raw), errors="replace").lstrip().partition("\n")[0].strip()
    refuse_dashboard(path, [name.strip(' "') for name in first.split(",")])
    low = first.lower()
    return next((kind for kind, upload in registry.EXPORTS.items() if upload.header and all(word in low for word in upload.header)), None)


def spool_file(path: Path, kind: str, spool: Path) -> Spooled:
    """The file's rows as one walk over the days that they name. Raises `ContractError` when the file cannot be read as its kind."""
    endpoint = KINDS[kind]
    numbers: list[int] = []
    given = read_csv(path, required(kind), kind, numbers=numbers)
    refuse_shortened(path, numbers, given)
    rows = [{name: value for name, value in row.items() if value} for row in given]
    # Every column of the header is named in each record: an empty cell is not a missing field.
    return spool_records(path.name, endpoint, _window(rows, endpoint), map(_nested, given), spool, numbers)


def required(kind: str) -> list[str]:
    """The columns that a file of a kind must have."""
    return [f.path for f in KINDS[kind].fields if f.required]


def check_file(path: Path, kind: str) -> None:
    """Raise `ContractError` for a file that the loader would refuse whole, before it is put into the drop folder."""
    read_csv(path, required(kind), kind)


def spool_records(
    name: str, endpoint: Endpoint, window: Window, records: Iterable[Mapping[str, object]], spool: Path, numbers: Sequence[int] = ()
) -> Spooled:
    """Records of the file of that name as one walk. `numbers`: the row of each as a spreadsheet counts it."""
    lines = [json.dumps(record, ensure_ascii=False).encode() for record in records]

    def pages(_: object) -> Iterator[Page]:
        for start in range(0, len(lines), _PAGE):
            yield Page(
                lines[start : start + _PAGE],
                {"file": name, "rows": numbers[start : start + _PAGE]},
                None,
                b"".join(lines[start : start + _PAGE]),
            )

    return walk(spool, endpoint, window, pages)


def put_away(file: Path, outcome: str, note: str | None = None) -> Path:
    """Move a file to `loaded/` or `refused/` below the drop folder; a refused one gets its reason beside it."""
    folder = file.parent / outcome
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise ContractError(
            f"{folder} is a symbolic link, and files are put away into a folder only; remove it and drop {file.name} again."
        )
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{file.name}"
    if note:
        target.with_suffix(".txt").write_text(note + "\n", encoding="utf-8")
    if oddity(file, hard_links=True):
        file.unlink()  # the name goes; what it leads to is not ours
        return target
    try:
        file.replace(target)
    except OSError:
        shutil.move(file, target)
    return target


def _window(rows: list[dict[str, str]], endpoint: Endpoint) -> Window:
    """First to last UTC day that the rows name; rows whose day cannot be read are rejected later, on the first day."""
    today = datetime.now(UTC).date()
    if endpoint.usage_date is None:
        return Window(today, today)
    days = sorted({day for row in rows if (day := _day(row)) is not None})
    if not days:
        raise ContractError(f"no row of the {endpoint.name} file names a day; see docs/templates/ for how it is written.")
    if days[-1] > today + timedelta(days=1) or days[0] < date(2020, 1, 1):
        raise ContractError(
            f"the {endpoint.name} file names days from {days[0]} to {days[-1]}; check the unit of its dates (milliseconds)."
        )
    return Window(days[0], days[-1])


def _day(row: dict[str, str]) -> date | None:
    try:
        if "day" in row:
            return date.fromisoformat(row["day"])
        return datetime.fromtimestamp(int(row["timestamp"]) / 1000, UTC).date()
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _nested(row: dict[str, str | None]) -> dict[str, object]:
    found: dict[str, object] = {}
    for path, value in row.items():
        *parents, leaf = path.split(".")
        node = found
        for parent in parents:
            node = node.setdefault(parent, {})  # type: ignore[assignment]
        node[leaf] = value
    return found


def is_quiet(path: Path, seconds: float = 10.0) -> bool:
    """Whether a file has not changed for that long: copying it has ended."""
    try:
        return time.time() - path.lstat().st_mtime >= seconds
    except FileNotFoundError:
        return False


def replaces(path: Path) -> bool:
    """Whether a file is meant to take the place of what the vendor said: its name ends in .replace.csv."""
    return path.name.lower().endswith(".replace.csv")
