"""Translations remembered across processes are those that would be computed now, or are not used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai_usage import remembered
from ai_usage.warehouse import dialect, models, postgres_dialect


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ai-usage"


def lengths(source: Path, asked: list[str], also: Callable[[], str] = str) -> Callable[[str], list[object]]:
    """A remembered function as a new process has it: its answers depend on `source`, and `asked` grows when it computes."""

    @remembered.remembered(str(source), also=also)
    def length(text: str) -> list[object]:
        asked.append(text)
        return [len(text), text, {"ä": None}]

    return length


def files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.py"
    path.write_text("1")
    return path


def test_a_second_process_computes_nothing_and_answers_the_same(folder: Path, source: Path) -> None:
    asked: list[str] = []
    first = lengths(source, asked)
    expected = [[3, t, {"ä": None}] for t in ("abc", "äöü")]
    assert [first("abc"), first("äöü"), first("abc")] == [*expected, expected[0]]
    assert [lengths(source, asked)("abc"), lengths(source, asked)("äöü")] == expected
    assert asked == ["abc", "äöü"] and len(files(folder)) == 2


@pytest.mark.parametrize("changed", ["source", "also", "sqlglot"])
def test_another_source_declaration_or_sqlglot_computes_anew(
    folder: Path, source: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    lengths(source, asked)("abc")
    if changed == "source":
        source.write_text("2")
    if changed == "sqlglot":
        monkeypatch.setattr("sqlglot.__version__", "0.0.1")
    lengths(source, asked, also=lambda: "other" if changed == "also" else "")("abc")
    assert asked == ["abc", "abc"]


@pytest.mark.parametrize("damage", ["emptied", "cut", "one letter", "another's answer", "no text", "folder"])
def test_a_damaged_answer_is_computed_and_written_again(folder: Path, source: Path, damage: str) -> None:
    asked: list[str] = []
    lengths(source, asked)("abc")
    (file,) = files(folder)
    whole = file.read_bytes()
    if damage == "another's answer":
        lengths(source, [])("xyz")
        (other,) = set(files(folder)) - {file}
        file.write_bytes(other.read_bytes())
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({"emptied": b"", "cut": whole[:-1], "one letter": whole.replace(b"abc", b"abd"), "no text": b"\xff\xfe"}[damage])
    assert lengths(source, asked)("abc")[:2] == [3, "abc"]
    assert asked == ["abc", "abc"]
    if damage != "folder":
        assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_or_a_missing_home_costs_only_time(
    folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    asked: list[str] = []
    assert [lengths(source, asked)("abc")[0] for _ in range(2)] == [3, 3] and len(asked) == 2
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "")
    assert lengths(source, asked)("abc")[0] == 3


def test_an_exception_is_not_remembered(folder: Path, source: Path) -> None:
    @remembered.remembered(str(source))
    def refuse(text: str) -> str:
        raise ValueError(text)

    for _ in range(2):
        with pytest.raises(ValueError, match="abc"):
            refuse("abc")
    assert not files(folder)


def test_what_a_person_typed_is_not_kept(folder: Path, source: Path) -> None:
    asked: list[str] = []
    with remembered.unrecorded():
        assert lengths(source, asked)("ana@example.com")[0] == 15
    assert not files(folder)


def test_answers_are_of_the_code_that_runs_and_not_of_what_lies_on_disk_since(folder: Path, source: Path) -> None:
    """A process imported the old file; an upgrade writes a new one before the first question: the new code must not find the old answer."""
    before: list[str] = []
    old = lengths(source, before)
    source.write_text("another version", encoding="utf-8")
    old("abc")
    after: list[str] = []
    lengths(source, after)("abc")
    assert before == after == ["abc"]


def test_two_processes_that_write_the_same_do_not_meet(folder: Path, source: Path, tmp_path: Path) -> None:
    """Four at once over 200 texts: every answer right, and no part of a file left."""
    script = (
        "import sys; from ai_usage.remembered import remembered\n"
        "@remembered(sys.argv[1])\n"
        "def length(text): return [len(text), text * 500]\n"
        "for n in range(200): assert length('x' * n) == [n, 'x' * n * 500], n\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(source)]) for _ in range(4)]
    assert [r.wait(120) for r in running] == [0] * 4
    assert len(files(folder)) == 200


def test_every_kept_translation_is_the_fresh_one(folder: Path) -> None:
    """Models as they are put together and as views, and cards: computed into an empty folder, and read by a process that has computed nothing."""
    made = list(models.all_models().values())
    cards = [p.read_text(encoding="utf-8") for p in sorted((models.sql_root() / "dashboards").rglob("*.sql"))]
    assert len(made) > 60 and len(cards) > 20
    texts = {text for m in made for text in (m.sql, models.view_sql(m))} | set(cards)
    asked: list[tuple[Any, str]] = [(f, t) for t in sorted(texts) for f in (dialect.to_duckdb, dialect._read)]
    asked += [(postgres_dialect.to_postgres, t) for t in cards]
    for function in (dialect.to_duckdb, dialect._read, postgres_dialect.to_postgres):
        function.cache_clear()  # type: ignore[attr-defined]
    fresh = [f(t) for f, t in asked]
    assert len(files(folder)) == len(set(asked))
    for function in (dialect.to_duckdb, dialect._read, postgres_dialect.to_postgres):
        function.cache_clear()  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dialect, "parse", lambda text: pytest.fail("nothing is parsed again"))
        assert [f(t) for f, t in asked] == [list(answer) if isinstance(answer, tuple) else answer for answer in fresh]
