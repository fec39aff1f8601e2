"""What `certify` sees of damaged evidence: each kind of harm to a spool file and to rows, and what is no harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from ai_usage.operations.evidence import damages
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.cursor.records import EVENTS, MEMBERS
from ai_usage.sources.spool import flaw, pages_of
from ai_usage_tests.fixtures.desk import Desk, event

DAY, NEXT = date(2026, 11, 1), date(2026, 11, 2)


def judged(desk: Desk, first: date = DAY, last: date = NEXT, **changes: Any) -> list[tuple[str, date, str]]:
    settings = Settings(_env_file=None, data_dir=desk.folder, **changes)  # type: ignore[call-arg]
    runtime: Any = SimpleNamespace(warehouse=desk.warehouse, settings=settings.model_copy(update={"data_dir": desk.spool.parent}))
    assert runtime.settings.spool_dir == desk.spool
    return [(f"{d.source}/{d.endpoint}", d.first_day, d.sentence) for d in damages(runtime, first, last)]


def files(desk: Desk, endpoint: str) -> list[Path]:
    return sorted((desk.spool / endpoint).rglob("*.ndjson.zst"))


@pytest.fixture
def loaded(desk: Desk) -> Desk:
    desk.load_day(EVENTS, DAY, [event(DAY, cents=125), event(DAY, cents=7)])
    desk.load_day(EVENTS, NEXT, [event(NEXT, cents=9)])
    return desk


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def packed(path: Path, change: Callable[[bytes], bytes]) -> None:
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        content = stream.read()
    with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as out:
        out.write(change(content))


HARM: dict[str, tuple[Callable[[Path], None], str]] = {
    "gone": (lambda path: path.unlink(), "is gone"),
    "emptied": (emptied, "cannot be read|fewer records"),
    "cut": (cut, "cannot be read|fewer records"),
    "garbage": (lambda path: path.write_bytes(os.urandom(path.stat().st_size)), "cannot be read"),
    "another amount": (lambda path: packed(path, lambda c: c.replace(b"125", b"126")), "is not what came"),
    "a record fewer": (lambda path: packed(path, lambda c: c[: c.index(b"\n") + 1]), "fewer records"),
    "a record more": (lambda path: packed(path, lambda c: c + c[: c.index(b"\n") + 1]), "more records"),
    "no page log": (lambda path: pages_of(path).unlink(), "lacks"),
    "another page log": (lambda path: pages_of(path).write_bytes(pages_of(path).read_bytes().replace(b'"sha256": "', b'"sha256": "0')), "is not what came"),
    "a page log that is none": (lambda path: pages_of(path).write_bytes(b"[1]\n"), "cannot be read|more records"),
}  # fmt: skip


@pytest.mark.parametrize("harm", HARM)
def test_each_harm_to_a_spool_file_is_named_with_its_day(loaded: Desk, harm: str) -> None:
    act, said = HARM[harm]
    assert judged(loaded) == []
    path = next(p for p in files(loaded, "cursor") if "20261101-" in p.name)
    act(path)
    [(what, day, sentence)] = judged(loaded)
    assert (what, day) == ("cursor/filtered-usage-events", DAY) and str(path) in sentence and "ai-usage run --from 2026-11-01" in sentence
    assert any(part in sentence for part in said.split("|")), sentence
    assert judged(loaded, NEXT, NEXT) == [], "another day's evidence is whole"


def test_a_snapshot_and_rows_are_evidence_too(loaded: Desk) -> None:
    loaded.load_day(MEMBERS, DAY, [{"id": "u1", "name": "N", "email": "n@example.com", "role": "member", "isRemoved": False}])
    assert judged(loaded) == []
    for path in files(loaded, "cursor/members"):
        cut(path)
    assert [what for what, _, _ in judged(loaded, NEXT, NEXT)] == ["cursor/members"], "whichever days are asked about"
    loaded.warehouse.execute("DELETE FROM raw_cursor_events WHERE charged_usd = 0.07 AND usage_date = DATE '2026-11-01'")
    assert ("cursor/filtered-usage-events", DAY, "the warehouse holds 1 of its 2 rows; restore it from a backup.") in judged(loaded)


def test_what_is_no_harm(loaded: Desk) -> None:
    """A person who was erased, a file past its retention, a machine without a spool."""
    path = files(loaded, "cursor")[0]
    whole = path.read_bytes()
    assert (
        redaction.redact_spool(path, EVENTS, {event(DAY)["userEmail"]: "forgotten-1@forgotten.invalid"}.get) > 0
        and path.read_bytes() != whole
    )
    assert flaw(path) is None
    cut(path)
    assert flaw(path) is not None, "an erased file can be damaged too"
    path.unlink()
    assert len(judged(loaded)) == 1 and judged(loaded, spool_keep_days=1) == [], "the cleaning takes a file after so many days"
    loaded.spool.rename(loaded.spool.with_name("elsewhere"))
    assert judged(loaded) == []
