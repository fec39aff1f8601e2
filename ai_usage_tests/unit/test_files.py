"""Whose the platform's files are, and that it takes plain files alone from where others write."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ai_usage.dashboards import html
from ai_usage.errors import SettingsError
from ai_usage.guards import files
from ai_usage.operations import backup
from ai_usage.operations import uploads as dropping
from ai_usage.operations.erasure_files import rewrite_files
from ai_usage.operations.uploads import load_uploads
from ai_usage.outputs import export
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.errors import ContractError
from ai_usage.sources.uploads import client as uploads
from ai_usage_tests.fixtures.desk import Desk

CANARY = "canary-of-a-key-file"


@pytest.fixture(autouse=True)
def wide() -> Iterator[None]:
    """The widest umask, and what it was afterwards."""
    before = os.umask(0)
    yield
    files.keep_private(Path("/nowhere"), None)
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def runtime(folder: Path) -> Runtime:
    return Runtime(Settings(data_dir=folder, _env_file=None))  # type: ignore[call-arg]


def oddities(folder: Path, outside: Path, name: str) -> dict[str, Path]:
    """One of each kind, under names that the drop folder takes."""
    folder.mkdir(parents=True, exist_ok=True)
    outside.write_text(CANARY)
    made = {kind: folder / name.format(kind) for kind in ("symbolic", "dangling", "hard", "pipe")}
    made["symbolic"].symlink_to(outside)
    made["dangling"].symlink_to(outside.with_name("none"))
    os.link(outside, made["hard"])
    os.mkfifo(made["pipe"])
    return made


def texts(folder: Path) -> str:
    return "".join(p.read_text() for p in folder.rglob("*") if p.is_file())


# Modes --------------------------------------------------------------------------------------------------------


def test_what_is_there_and_what_is_made_later_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True)
    (data / "spool" / "a").write_text("x")
    (data / "tool").write_text("x")
    (data / "tool").chmod(0o755)
    (data / "link").symlink_to(tmp_path / "other")
    (tmp_path / "other").write_text("x")
    files.keep_private(data, None)
    (data / "later").mkdir()
    (data / "later" / "b").write_text("x")
    found = {p.name: mode(p) for p in (data, *data.rglob("*")) if not p.is_symlink()}
    assert found == {"data": 0o700, "spool": 0o700, "a": 0o600, "tool": 0o700, "later": 0o700, "b": 0o600}
    assert mode(tmp_path / "other") == 0o666, "what a link leads to is not ours"


def test_a_group_may_read_where_a_setting_names_it(tmp_path: Path) -> None:
    import grp

    group = grp.getgrgid(os.getgid()).gr_name
    (tmp_path / "data" / "spool").mkdir(parents=True)
    (tmp_path / "data" / "a").write_text("x")
    files.keep_private(tmp_path / "data", group)
    (tmp_path / "data" / "b").write_text("x")
    assert [mode(tmp_path / "data" / n) for n in (".", "spool", "a", "b")] == [0o2750, 0o2750, 0o640, 0o640]
    with pytest.raises(SettingsError, match="AI_USAGE_FILE_GROUP is 'no-such-group'"):
        files.keep_private(tmp_path, "no-such-group")


def test_everybodys_folder_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    files.keep_private(tmp_path, None)
    assert mode(tmp_path) == 0o1777


def test_reports_exports_and_copies_are_private_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "render_report", lambda *_: "x")
    html.write_report(tmp_path / "report.html", [], None, None)  # type: ignore[arg-type]
    with export._whole(tmp_path / "export.csv") as file:
        file.write(b"x")
    files.copy_plain(tmp_path / "report.html", tmp_path / "copy")
    assert {p.name: mode(p) for p in tmp_path.iterdir()} == {"report.html": 0o600, "export.csv": 0o600, "copy": 0o600}


# The drop folder ----------------------------------------------------------------------------------------------


def test_links_and_pipes_in_the_drop_folder_are_refused_by_name_and_not_read(desk: Desk, tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = oddities(data / "uploads", tmp_path / "key", "cursor_members-{}.csv")
    held = runtime(data)
    held.__dict__["warehouse"] = desk.warehouse
    kinds = {o.file: (o.reason or "").partition(" is ")[2].partition(",")[0] for o in load_uploads(held)}
    assert kinds == {
        "cursor_members-symbolic.csv": "a symbolic link", "cursor_members-dangling.csv": "a symbolic link",
        "cursor_members-hard.csv": "a hard link", "cursor_members-pipe.csv": "a pipe",
    }  # fmt: skip
    assert not [p for p in made.values() if os.path.lexists(p)], "the names are gone"
    assert (tmp_path / "key").read_text() == CANARY, "what they led to stands"
    assert CANARY not in texts(data) and len(list((data / "uploads" / "refused").iterdir())) == 4


@pytest.mark.parametrize("at", ["oddity", "kind_by_header", "redact_file", "put_away", "locked"])
@pytest.mark.parametrize("good", [True, False])
def test_a_file_that_vanishes_at_any_moment_stops_no_other(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, good: bool
) -> None:
    """Somebody takes a file away, or its reading away, while it is looked at: it is named, one that was published counts, and the next one is read."""
    folder = tmp_path / "data" / "uploads"
    folder.mkdir(parents=True)
    members = "id,name,email\n7,Ana,ana@example.com\n"
    (folder / ("cursor_members-1.csv" if good and at != "kind_by_header" else "1.csv")).write_text(members)
    (folder / "cursor_members-2.csv").write_text(members)

    def struck(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *more: Any, **named: Any) -> Any:
            if path.name.endswith("1.csv"):
                if at == "locked":
                    raise PermissionError(errno.EACCES, "Permission denied", str(path))
                path.unlink(missing_ok=True)
            return real(path, *more, **named)

        return call

    module = {"oddity": dropping, "locked": dropping, "redact_file": redaction}.get(at, uploads)
    name = "oddity" if at == "locked" else at
    monkeypatch.setattr(module, name, struck(getattr(module, name)))
    held = runtime(tmp_path / "data")
    held.__dict__["warehouse"] = desk.warehouse
    first, second = sorted(load_uploads(held), key=lambda o: o.file.endswith("2.csv"))
    published = good and at in ("redact_file", "put_away")
    assert (first.rows, first.reason is None) == ((1, True) if published else (0, False))
    assert (second.rows, second.reason) == (0 if published else 1, None), "its member is held already where the first one counts"
    if at in ("oddity", "locked"):
        assert first.reason and ("went away" if at == "oddity" else "Permission denied") in first.reason


@pytest.mark.parametrize(
    "read",
    [
        lambda p: uploads.check_file(p, "cursor_members"), uploads.kind_by_header, lambda p: redaction.redact_file(p, lambda _: None),
        files.read_dropped,
    ],
)  # fmt: skip
def test_no_reader_of_dropped_files_follows_what_was_put_there_a_moment_ago(read: object, tmp_path: Path) -> None:
    for path in oddities(tmp_path / "up", tmp_path / "key", "{}.csv").values():
        with pytest.raises((files.NotPlainError, ContractError)) as caught:
            read(path)  # type: ignore[operator]
        assert CANARY not in str(caught.value)


def test_files_are_put_away_into_folders_only(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "up" / "refused").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "up" / "a.csv").write_text("x")
    with pytest.raises(ContractError, match="is a symbolic link"):
        uploads.put_away(tmp_path / "up" / "a.csv", "refused", "Because.")
    assert list((tmp_path / "elsewhere").iterdir()) == []


# Backups ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["symbolic", "dangling", "hard", "pipe"])
def test_a_backup_holds_no_links(kind: str, tmp_path: Path) -> None:
    made = oddities(tmp_path / "data" / "uploads" / "loaded", tmp_path / "key", "{}.csv")
    for other in made.keys() - {kind}:
        made[other].unlink()
    with pytest.raises(SettingsError, match=f"{kind}.csv is a .*a backup takes plain files alone"):
        backup.back_up(runtime(tmp_path / "data"), tmp_path / "safe")
    assert not list(tmp_path.glob("safe/*"))


def backup_of(folder: Path, named: dict[str, str], rows: dict[str, int] | None = None) -> Path:
    """A backup whose manifest names these files, each with its content."""
    for name, text in named.items():
        if name.startswith(("spool/", "uploads/")) and ".." not in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in named.items()}
    (folder / "manifest.json").write_text(json.dumps({"files": hashes, "rows": rows or {}}))
    return folder


def test_a_restore_takes_what_the_manifest_names_and_nothing_else(tmp_path: Path) -> None:
    made = backup_of(tmp_path / "b", {"spool/x/y.ndjson.zst": "y", "uploads/loaded/a.csv": "a"})
    (made / "uploads" / "planted.replace.csv").write_text("planted")
    (made / "spool" / "empty").mkdir()
    data = tmp_path / "data"
    backup.restore(runtime(data), made)
    assert {str(p.relative_to(data)): p.read_text() for p in data.rglob("*") if p.is_file()} == {
        "spool/x/y.ndjson.zst": "y", "uploads/loaded/a.csv": "a",
    }  # fmt: skip
    assert {mode(p) for p in data.rglob("*") if p.is_file()} == {0o600}


@pytest.mark.parametrize(
    "name", ["/etc/cron.d/x", "../x", "uploads/../../x", "uploads", "other/x", "", "ai_usage.duckdb/x", "manifest.json"]
)
def test_a_manifest_that_names_another_place_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="which no backup holds"):
        backup.restore(runtime(tmp_path / "data"), backup_of(tmp_path / "b", {"uploads/a.csv": "a", name: "x"}))
    assert not (tmp_path / "data").exists()


def test_a_manifest_whose_tables_are_sql_or_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names the table"):
        backup.restore(runtime(tmp_path / "data"), backup_of(tmp_path / "b", {"uploads/a.csv": "a"}, {"(SELECT 1) AS x": 1}))
    for text in ("[]", '{"files": 3, "rows": {}}', "{}"):
        (tmp_path / "b" / "manifest.json").write_text(text)
        with pytest.raises(SettingsError, match="no readable manifest"):
            backup.restore(runtime(tmp_path / "data"), tmp_path / "b")


def test_a_restore_follows_no_link(tmp_path: Path) -> None:
    made = backup_of(tmp_path / "b", {"uploads/a.csv": CANARY})
    (tmp_path / "key").write_text(CANARY)
    for name in ("uploads/a.csv", "spool"):
        (made / name).unlink(missing_ok=True)
        (made / name).symlink_to(tmp_path / "key")
        with pytest.raises(SettingsError, match="is a symbolic link"):
            backup.restore(runtime(tmp_path / "data"), made)
        (made / name).unlink()
    assert not (tmp_path / "data").exists()


# Forgetting ---------------------------------------------------------------------------------------------------


def test_a_damaged_file_of_the_spool_is_set_aside_and_the_erasure_says_incomplete(tmp_path: Path) -> None:
    """Cut off, no archive at all, and an archive of what is no JSON: each is moved with its page log, and the whole file beside it is rewritten."""
    held, spool = runtime(tmp_path), tmp_path / "spool" / "cursor" / "members" / "2026-11"
    spool.mkdir(parents=True)
    line = b'{"email": "ana@x.com", "name": "Ana"}\n'
    for name in ("whole", "cut", "noise", "text"):
        with pa.output_stream(str(spool / f"{name}.ndjson.zst"), compression="zstd") as out:
            out.write(line if name != "text" else b'{"email": ana@x.com\n')
        (spool / f"{name}.pages.jsonl").write_text('{"page": 1}\n')
    os.truncate(spool / "cut.ndjson.zst", 20)
    (spool / "noise.ndjson.zst").write_bytes(b"\x00" * 64)
    swap = {"ana@x.com": "t@forgotten.invalid"}.get
    dry = rewrite_files(held, swap, dry=True)
    assert {p.name for p in dry.unread} == {"cut.ndjson.zst", "noise.ndjson.zst", "text.ndjson.zst"} and dry.records == 1
    assert len(list(spool.iterdir())) == 8, "a dry walk moves nothing"
    really = rewrite_files(held, swap, dry=False)
    assert sorted(p.name for p in spool.iterdir()) == ["whole.ndjson.zst", "whole.pages.jsonl"]
    place = held.settings.damaged / "cursor" / "members" / "2026-11"
    assert really.unread == [place / f"{n}.ndjson.zst" for n in ("cut", "noise", "text")] and (place / "cut.pages.jsonl").exists()
    with pa.input_stream(str(spool / "whole.ndjson.zst"), compression="zstd") as read:
        assert b"ana" not in read.read().lower()
    again = rewrite_files(held, swap, dry=False)
    assert again.unread == really.unread, "incomplete until they are gone"


@pytest.mark.parametrize("kind", ["file", "below a file", "dangling link", "pipe"])
def test_where_no_data_folder_can_lie_is_said_before_anything_else(tmp_path: Path, kind: str) -> None:
    """Not "there is no warehouse yet; run first", which would fail too."""
    place = tmp_path / "place"
    if kind == "dangling link":
        place.symlink_to(tmp_path / "none")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.write_text("x")
    with pytest.raises(SettingsError, match=f"^{place} is no folder, .*AI_USAGE_DATA_DIR"):
        files.keep_private(place / "data" if kind == "below a file" else place, None)
    files.keep_private(tmp_path / "not" / "yet", None)
    (tmp_path / "link").symlink_to(tmp_path)
    files.keep_private(tmp_path / "link", None)
