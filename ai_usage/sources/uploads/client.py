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
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError
from ai_usage.sources.spool import Spooled
from ai_usage.sources.walk import Page, walk

KINDS: dict[str, Endpoint] = {
    "cursor_events": cursor.EVENTS,
    "cursor_daily_usage": cursor.DAILY_USAGE,
    "cursor_members": cursor.MEMBERS,
}
_PAGE = 5_000
_EXAMPLES = {
    "timestamp": "1793613600123", "userEmail": "name@example.com", "isChargeable": "true", "chargedCents": "21.36232",
    "model": "claude-5-sonnet", "kind": "Usage-based", "tokenUsage.inputTokens": "126", "tokenUsage.outputTokens": "450",
    "userId": "user_1", "day": "2026-11-01", "email": "name@example.com", "isActive": "true", "totalLinesAdded": "120",
    "acceptedLinesAdded": "80", "id": "user_1", "name": "First Last", "role": "member", "isRemoved": "false",
}  # fmt: skip


@dataclass(frozen=True)
class Dropped:
    """One file in the drop folder; `kind` is None when its name begins with no known kind."""

    path: Path
    kind: str | None


def template(kind: str) -> str:
    """The CSV template of a kind: header and one example row."""
    fields = [f.path for f in KINDS[kind].fields]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fields)
    writer.writerow([_EXAMPLES.get(name, "") for name in fields])
    return out.getvalue()


def dropped(folder: Path) -> list[Dropped]:
    """Files waiting in the folder, by name; the kind is what the name begins with, as in `cursor_events-2026-11.csv`."""
    if not folder.is_dir():
        return []
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() == ".csv")
    return [Dropped(p, next((k for k in KINDS if p.name.lower().startswith(k)), None)) for p in files]


def spool_file(path: Path, kind: str, spool: Path) -> Spooled:
    """The file's rows as one walk over the days that they name. Raises `ContractError` when the file cannot be read as its kind."""
    endpoint = KINDS[kind]
    required = [f.path for f in endpoint.fields if f.required]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ContractError(f"{path.name} is not UTF-8 text; save it as 'CSV UTF-8' and drop it again.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = [(name or "").strip() for name in reader.fieldnames or []]
    missing = [name for name in required if name not in header]
    if missing:
        raise ContractError(
            f"{path.name} lacks the column {', '.join(map(repr, missing))} (its first row: {', '.join(header) or 'empty'}); "
            f"docs/templates/{kind}.csv shows the columns."
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ContractError(f"{path.name} has the column {twice[0]!r} more than once; delete one and drop it again.")
    reader.fieldnames = header
    given = list(reader)
    long = [number for number, row in enumerate(given, start=2) if any(row.get(None) or ())]  # type: ignore[call-overload]
    if long:
        raise ContractError(
            f"{path.name} has more cells than columns in row {long[0]}; put cells that hold a comma in quotes and drop it again."
        )
    rows = [{k: v.strip() for k, v in row.items() if k and isinstance(v, str) and v.strip()} for row in given if any(row.values())]
    if not rows:
        raise ContractError(f"{path.name} has a header and no rows; drop it again with rows.")
    # Every column of the header is named in each record: an empty cell is not a missing field.
    records = [json.dumps(_nested({name: row.get(name) for name in header if name}), ensure_ascii=False).encode() for row in rows]
    window = _window(rows, endpoint)

    def pages(_: object) -> Iterator[Page]:
        for start in range(0, len(records), _PAGE):
            yield Page(records[start : start + _PAGE], {"file": path.name}, None, b"".join(records[start : start + _PAGE]))

    return walk(spool, endpoint, window, pages)


def put_away(file: Path, outcome: str, note: str | None = None) -> Path:
    """Move a file to `loaded/` or `refused/` below the drop folder; a refused one gets its reason beside it."""
    folder = file.parent / outcome
    folder.mkdir(exist_ok=True)
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{file.name}"
    if note:
        target.with_suffix(".txt").write_text(note + "\n", encoding="utf-8")
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
        return time.time() - path.stat().st_mtime >= seconds
    except FileNotFoundError:
        return False


def replaces(path: Path) -> bool:
    """Whether a file is meant to take the place of what the vendor said: its name ends in .replace.csv."""
    return path.name.lower().endswith(".replace.csv")
