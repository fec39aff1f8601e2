"""The spool: a walk is there whole or not at all, one record a line, and old files go."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.operations.erasure_files import rewrite_files
from ai_usage.settings import Settings
from ai_usage.sources.cursor.records import EVENTS, MEMBERS
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError, MovingSetError, PermanentError
from ai_usage.sources.registry import ENDPOINTS, endpoint_of
from ai_usage.sources.spool import SpoolWriter, clean, pages_of
from ai_usage.sources.walk import Page, walk

DAY = Window(date(2026, 11, 1), date(2026, 11, 1))


def read(path: Path) -> list[bytes]:
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        return stream.read().split(b"\n")[:-1]


def files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file())


def pages(*lists):
    return lambda stats: iter([Page(records, {"page": n}, {"e": n}, b"body%d" % n) for n, records in enumerate(lists, start=1)])


def test_nothing_appears_before_the_walk_is_complete(tmp_path: Path) -> None:
    """A crash leaves `.part` files only, which nothing reads."""
    writer = SpoolWriter(tmp_path, EVENTS, DAY)
    writer.page([b'{"a":1}'], request={}, envelope=None, body=b"x")
    assert files(tmp_path) and all(p.suffix == ".part" for p in files(tmp_path))
    done = writer.close(1)
    assert sorted(p.name.split(".", 1)[1] for p in files(tmp_path)) == ["ndjson.zst", "pages.jsonl"]
    assert done.path.exists() and tmp_path / done.relative_path == done.path


def test_a_walk_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(stats):
        yield Page([b"{}"], {}, None, b"")
        raise PermanentError("no")

    with pytest.raises(PermanentError):
        walk(tmp_path, EVENTS, DAY, broken)
    assert files(tmp_path) == []


def test_a_walk_that_restarts_keeps_only_the_last_round(tmp_path: Path) -> None:
    rounds = []

    def moving(stats):
        rounds.append(1)
        yield Page([b'{"round":%d}' % len(rounds)], {}, None, b"")
        if len(rounds) < 3:
            raise MovingSetError("moved.")

    done = walk(tmp_path, EVENTS, DAY, moving)
    assert read(done.path) == [b'{"round":3}'] and done.records == 1
    assert len(files(tmp_path)) == 2


def test_records_are_kept_byte_for_byte_in_order(tmp_path: Path) -> None:
    one, two = [b'{"a": 1.10 }', '{"ü":"…"}'.encode()], [b'{"b":[1,2]}']
    done = walk(tmp_path, EVENTS, DAY, pages(one, [], two))
    assert read(done.path) == one + two
    assert (done.records, done.pages, done.largest) == (3, 3, max(map(len, one + two)))
    log = [json.loads(line) for line in done.path.with_suffix("").with_suffix(".pages.jsonl").read_bytes().splitlines()]
    assert [(p["page"], p["records"], p["request"]["page"], p["bytes"]) for p in log] == [(1, 2, 1, 5), (2, 0, 2, 5), (3, 1, 3, 5)]


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.dictionaries(st.text(max_size=4), st.integers()), max_size=4), min_size=1, max_size=4), st.sampled_from([None, 1])
)
def test_a_record_is_one_line_however_it_was_broken(tmp_path_factory, given_pages, indent) -> None:
    """Pretty-printed records, empty pages: as many lines as records, and each line is the same JSON value."""
    root = tmp_path_factory.mktemp("spool")
    lists = [[json.dumps(r, indent=indent).replace("\n", "\r\n").encode() for r in page] for page in given_pages]
    done = walk(root, EVENTS, DAY, pages(*lists))
    assert [json.loads(line) for line in read(done.path)] == [r for page in given_pages for r in page]
    assert done.records == sum(map(len, given_pages))


def test_a_walk_that_brings_the_same_is_the_file_that_is_held(tmp_path: Path) -> None:
    first = walk(tmp_path, EVENTS, DAY, pages([b'{"a":1}'], [b'{"b":2}']))
    held = {p: p.read_bytes() for p in files(tmp_path)}
    for path in held:
        os.utime(path, (1, 1))
    again = walk(tmp_path, EVENTS, DAY, pages([b'{"a":1}'], [b'{"b":2}']))
    assert again == first and {p: p.read_bytes() for p in files(tmp_path)} == held
    assert clean(tmp_path, 400) == 0, "its retention begins anew"


@pytest.mark.parametrize(
    "other",
    [pages([b'{"a":1}', b'{"b":2}']), pages([b'{"a":1}'], [b'{"b":3}']), pages([b'{"b":2}'], [b'{"a":1}']), pages([b'{"a":1}'], [b'{"b":2}'], []),
     lambda stats: iter([Page([b'{"a":1}'], {"page": 1}, {"e": 1}, b"body1"), Page([b'{"b":2}'], {"page": 2}, {"e": 2}, b"other")])],
)  # fmt: skip
def test_a_walk_that_brings_anything_else_is_another_file(tmp_path: Path, other) -> None:
    first = walk(tmp_path, EVENTS, DAY, pages([b'{"a":1}'], [b'{"b":2}']))
    held = {p: p.read_bytes() for p in files(tmp_path)}
    second = walk(tmp_path, EVENTS, DAY, other)
    assert second.path != first.path and len(files(tmp_path)) == 4
    assert {p: p.read_bytes() for p in held} == held
    later = Window(date(2026, 11, 2), date(2026, 11, 2))
    assert walk(tmp_path, EVENTS, later, pages([b'{"a":1}'], [b'{"b":2}'])).path != first.path, "another day's evidence is its own"


@pytest.mark.parametrize("harm", ["cut", "changed", "no pages", "gone"])
def test_a_held_file_that_is_not_whole_is_written_anew(tmp_path: Path, harm: str) -> None:
    first = walk(tmp_path, EVENTS, DAY, pages([b'{"a":1}']))
    if harm == "cut":
        first.path.write_bytes(first.path.read_bytes()[:-3])
    elif harm == "changed":
        first.path.write_bytes(first.path.read_bytes()[::-1])
    else:
        (pages_of(first.path) if harm == "no pages" else first.path).unlink()
    again = walk(tmp_path, EVENTS, DAY, pages([b'{"a":1}']))
    assert again.path == first.path and read(again.path) == [b'{"a":1}'] and len(files(tmp_path)) == 2


def test_a_snapshot_that_is_as_on_another_day_is_that_file(tmp_path: Path) -> None:
    days = [Window(day, day) for day in (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2))]
    first, same, other = (walk(tmp_path, MEMBERS, day, pages([b'{"a":%d}' % (day.first.day == 2)])) for day in days)
    assert same.path == first.path != other.path and same.window == days[1]
    assert len(files(tmp_path)) == 4


def test_clean_removes_old_files_and_broken_parts_and_keeps_the_rest(tmp_path: Path) -> None:
    """Evidence is kept for `keep_days`; parts of broken walks for a day, since their walk may still be running."""
    now = 1_800_000_000.0

    def made(name: str, days_old: float) -> Path:
        path = tmp_path / "cursor" / name.split("/")[0] / name.split("/")[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (now - days_old * 86_400,) * 2)
        return path

    stay = [made("a/1.ndjson.zst", 399), made("a/1.pages.jsonl", 399), made("a/2.ndjson.zst.part", 0.9)]
    go = [made("b/3.ndjson.zst", 401), made("b/3.pages.jsonl", 401), made("b/4.ndjson.zst.part", 1.1), made("a/5.pages.jsonl.part", 2)]
    assert clean(tmp_path, 400, now) == len(go)
    assert files(tmp_path) == sorted(stay)
    assert not (tmp_path / "cursor" / "b").exists(), "empty folders go too"


def test_clean_of_a_folder_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    assert clean(tmp_path / "none", 1) == 0


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda e: f"{e.source}/{e.name}")
def test_a_file_of_the_spool_knows_its_endpoint(tmp_path: Path, endpoint: Endpoint) -> None:
    """An erasure rewrites a record by its endpoint's declaration; without one it would blank every text of it."""
    done = walk(tmp_path, endpoint, DAY, pages([b"{}"]))
    assert endpoint_of(Path(done.relative_path)) is endpoint
    assert endpoint_of(Path("nobody", "nothing", "2026-11", done.path.name)) is None


def test_an_erasure_takes_the_person_out_of_a_record_and_leaves_what_the_vendor_said(tmp_path: Path) -> None:
    """By the declaration of an endpoint whose name has a slash: its day can be read again afterwards."""
    record = {"date": "2026-11-01T00:00:00Z", "actor": {"type": "user_actor", "email_address": "ana@x.com"}, "terminal_type": "vscode"}
    endpoint = ENDPOINTS["anthropic", "usage_report/claude_code"]
    done = walk(tmp_path / "spool", endpoint, DAY, pages([json.dumps(record).encode()]))
    runtime: Any = SimpleNamespace(settings=Settings(_env_file=None, data_dir=tmp_path))  # type: ignore[call-arg]
    assert rewrite_files(runtime, {"ana@x.com": "t@forgotten.invalid"}.get, dry=False).records == 1
    assert [json.loads(line) for line in read(done.path)] == [
        record | {"actor": {"type": "user_actor", "email_address": "t@forgotten.invalid"}}
    ]


def test_a_record_beyond_its_bound_is_no_record_and_nothing_appears(tmp_path: Path) -> None:
    """From a vendor or from a file: one record of 60 MB would take 900 MB to read."""
    with pytest.raises(ContractError, match=r"a record has 1,000,001 bytes, and at most 1,000,000 are read; nothing was stored"):
        walk(tmp_path, EVENTS, DAY, pages([b"1" * 1_000_001]))
    assert files(tmp_path) == []
    assert walk(tmp_path, EVENTS, DAY, pages([b"1" * 1_000_000])).largest == 1_000_000
