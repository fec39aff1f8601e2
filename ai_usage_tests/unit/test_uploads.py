"""CSV files that stand in for a vendor's API: the same records, the same rules, and the vendor's own answer wins."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage.loading import Loader
from ai_usage.sources.cursor import records
from ai_usage.sources.errors import ContractError, SourceError
from ai_usage.sources.spool import reopen
from ai_usage.sources.uploads import client as uploads
from ai_usage_tests.fixtures.desk import Desk, event, ms

DAY, NEXT = date(2026, 11, 1), date(2026, 11, 2)
HEAD = "timestamp,userEmail,isChargeable,chargedCents"


def drop(desk: Desk, text: str, kind: str = "cursor_events"):
    path = desk.folder / f"{kind}-x.csv"
    path.write_text(text, encoding="utf-8")
    return uploads.spool_file(path, kind, desk.spool)


def line(day: date, email: str, cents: str) -> str:
    return f"{ms(day)},{email},true,{cents}"


@pytest.mark.parametrize("kind", list(uploads.KINDS))
def test_each_template_comes_through_the_loader_as_one_row(desk: Desk, kind: str) -> None:
    walk = drop(desk, uploads.template(kind), kind)
    report = desk.load(walk.endpoint, walk, origin="upload")
    assert (report.rows, report.rejected, report.unknown_fields, report.error()) == (1, 0, set(), None)
    assert desk.one(f"SELECT COUNT(*) FROM {walk.endpoint.table.name}") == 1
    assert desk.one("SELECT origin FROM raw_fetches") == "upload"


def test_the_events_template_is_the_documented_event(desk: Desk) -> None:
    """21.36232 cents are 0.2136232 USD here too; quoting and a byte order mark do not matter."""
    walk = drop(desk, "﻿" + uploads.template("cursor_events"))
    assert desk.load(records.EVENTS, walk, origin="upload").vendor_total_usd == Decimal("0.2136232")
    (row,) = desk.ask("SELECT input_tokens, output_tokens, event_at, model FROM raw_cursor_events")
    assert (row["input_tokens"], row["output_tokens"], row["model"]) == (126, 450, "claude-5-sonnet")
    assert row["event_at"] == datetime(2026, 11, 2, 10, 0, 0, 123000, UTC)


def test_a_missing_column_is_named_with_the_template(desk: Desk) -> None:
    with pytest.raises(ContractError) as caught:
        drop(desk, "timestamp,userEmail,isChargeable\n1,a@example.com,true\n")
    said = str(caught.value)
    assert "'chargedCents'" in said and "docs/templates/cursor_events.csv" in said and "cursor_events-x.csv" in said


@pytest.mark.parametrize("text", ["", HEAD + "\n", HEAD + "\n,,,\n"])
def test_a_file_without_rows_is_refused_and_not_an_empty_day(desk: Desk, text: str) -> None:
    with pytest.raises(ContractError):
        drop(desk, text)


def test_bytes_that_are_not_utf8_are_refused(desk: Desk) -> None:
    path = desk.folder / "cursor_events.csv"
    path.write_bytes(f"{HEAD}\n{ms(DAY)},j\xfcrgen@example.com,true,1\n".encode("latin-1"))
    with pytest.raises(ContractError, match="UTF-8"):
        uploads.spool_file(path, "cursor_events", desk.spool)


@pytest.mark.parametrize("code", ["utf-16", "utf-8-sig"])
def test_a_file_as_spreadsheet_programs_write_unicode_is_read(desk: Desk, code: str) -> None:
    """UTF-16 with a byte order mark, and blank rows above the header, say nothing else than the plain file."""
    path = desk.folder / "events.csv"
    path.write_bytes(f"\n,,\n{HEAD}\n{line(DAY, 'jürgen@example.com', '5')}\n".encode(code))
    walk = uploads.spool_file(path, "cursor_events", desk.spool)
    assert desk.load(records.EVENTS, walk, origin="upload").error() is None
    assert desk.ask("SELECT user_email, charged_usd FROM raw_cursor_events") == [
        {"user_email": "jürgen@example.com", "charged_usd": Decimal("0.05")}
    ]


def test_an_export_is_known_by_its_header_in_any_encoding(desk: Desk) -> None:
    path = desk.folder / "download.csv"
    path.write_bytes("\r\nuser_email,total_net_spend_usd\r\nana@example.com,1\r\n".encode("utf-16"))
    assert uploads.kind_by_header(path) == "claude_ai_spend"


def test_rejects_of_several_files_keep_the_rows_of_each_when_read_again(desk: Desk) -> None:
    """The bad rows are row 5 of one file, whose row 3 is blank, and row 2 of the other; `ai-usage upgrade` reads both at once from the spool."""
    first = drop(
        desk, "\n".join([HEAD, line(DAY, "a@example.com", "1"), "", line(DAY, "b@example.com", "2"), line(DAY, "c@example.com", "x")])
    )
    second = drop(desk, "\n".join([HEAD, line(NEXT, "d@example.com", "y"), line(NEXT, "e@example.com", "3")]))
    again = [reopen(desk.spool, w.endpoint, w.window, w.relative_path, w.pages, w.requests) for w in (first, second)]
    assert [list(w.rows) for w in again] == [[2, 4, 5], [2, 3]]
    desk.load(records.EVENTS, *again, origin="upload")
    found = desk.ask("SELECT usage_date, record_number FROM raw_rejects ORDER BY usage_date")
    assert [tuple(r.values()) for r in found] == [(DAY, 5), (NEXT, 2)]


@pytest.mark.both_engines
def test_a_bad_row_costs_only_itself(desk: Desk) -> None:
    walk = drop(
        desk, "\n".join([HEAD, line(DAY, "a@example.com", "10"), line(DAY, "b@example.com", "ten"), line(NEXT, "c@example.com", "5")])
    )
    report = desk.load(records.EVENTS, walk, origin="upload")
    assert (report.rows, report.rejected) == (2, 1)
    assert {tuple(r.values()) for r in desk.ask("SELECT column_name, value FROM raw_rejects")} == {("chargedCents", "ten")}
    assert desk.one("SELECT SUM(charged_usd) FROM raw_cursor_events") == Decimal("0.15")


@pytest.mark.parametrize("row", [line(DAY, "a@example.com", "1,200.50"), f"{ms(DAY)},a@example.com,true,21,36"])
def test_a_row_with_more_cells_than_the_header_is_never_read_as_less_money(desk: Desk, row: str) -> None:
    """An unquoted "1,200.50" must not become one cent: the row or the file is refused."""
    try:
        walk = drop(desk, f"{HEAD}\n{line(DAY, 'b@example.com', '5')}\n{row}\n")
    except SourceError:
        return
    desk.load(records.EVENTS, walk, origin="upload")
    assert desk.one("SELECT SUM(charged_usd) FROM raw_cursor_events") == Decimal("0.05")
    assert desk.one("SELECT COUNT(*) FROM raw_rejects") >= 1


def test_a_column_that_stands_twice_is_refused(desk: Desk) -> None:
    """Which of two chargedCents is the money? The sheet's reader refuses it too."""
    with pytest.raises(ContractError):
        drop(desk, f"{HEAD},chargedCents\n{line(DAY, 'a@example.com', '10')},20\n")


@pytest.mark.parametrize("stamp", ["1793534400", "99999999999999"])
def test_seconds_for_milliseconds_are_refused(desk: Desk, stamp: str) -> None:
    """A file whose days lie in 1970 or in the far future has the wrong unit."""
    with pytest.raises(ContractError, match="milliseconds"):
        drop(desk, f"{HEAD}\n{stamp},a@example.com,true,1\n")


def test_days_between_that_the_file_does_not_name_are_not_claimed_empty(desk: Desk) -> None:
    """A file says nothing of days that it has no row for: no fetch is recorded for them."""
    walk = drop(desk, "\n".join([HEAD, line(DAY, "a@example.com", "1"), line(date(2026, 11, 4), "a@example.com", "1")]))
    desk.load(records.EVENTS, walk, origin="upload")
    assert [r["usage_date"] for r in desk.ask("SELECT usage_date FROM raw_fetches ORDER BY 1")] == [DAY, date(2026, 11, 4)]


@pytest.mark.either_engine
@pytest.mark.parametrize("there", [[event(DAY, cents=70)], []], ids=["with rows", "empty"])
def test_what_the_vendor_said_wins_over_a_file(desk: Desk, there: list) -> None:
    """The vendor's own day stands, whether it has rows or is truly empty; the rest of the file is used, and the skip is told."""
    desk.load_day(records.EVENTS, DAY, there)
    walk = drop(desk, "\n".join([HEAD, line(DAY, "a@example.com", "1"), line(NEXT, "a@example.com", "2")]))
    report = desk.load(records.EVENTS, walk, origin="upload")
    assert len(report.skipped) == 1 and "2026-11-01" in report.skipped[0]
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == (Decimal("0.72") if there else Decimal("0.02"))


def test_a_row_without_a_readable_day_is_told_even_where_the_first_day_is_the_vendors(desk: Desk) -> None:
    """Such rows are filed under the file's first day: skipping that day must not make them vanish."""
    desk.load_day(records.EVENTS, DAY, [event(DAY)])
    text = "\n".join([HEAD, line(DAY, "a@example.com", "1"), "nonsense,b@example.com,true,5", line(NEXT, "a@example.com", "2")])
    report = desk.load(records.EVENTS, drop(desk, text), origin="upload")
    assert report.rejected == 1
    assert report.skipped == [f"{DAY}: the vendor's own data is there already, 1 of its rows could not be read"]
    assert desk.one("SELECT SUM(charged_usd) FROM raw_cursor_events WHERE usage_date = DATE '2026-11-02'") == Decimal("0.02")


@pytest.mark.both_engines
def test_a_file_stands_in_after_the_vendor_failed(desk: Desk) -> None:
    from ai_usage.sources.endpoint import Window
    from ai_usage.sources.errors import TransientError
    from ai_usage.sources.walk import FailedWalk

    desk.load(records.EVENTS, FailedWalk(records.EVENTS, Window(DAY, DAY), TransientError("down.")))
    desk.load(records.EVENTS, drop(desk, f"{HEAD}\n{line(DAY, 'a@example.com', '7')}\n"), origin="upload")
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == Decimal("0.07")


@pytest.mark.either_engine
@pytest.mark.parametrize("later", [[event(DAY, cents=9)], []], ids=["with rows", "empty"])
def test_a_later_answer_of_the_vendor_supersedes_a_file(desk: Desk, later: list) -> None:
    desk.load(records.EVENTS, drop(desk, f"{HEAD}\n{line(DAY, 'a@example.com', '7')}\n"), origin="upload")
    desk.load_day(records.EVENTS, DAY, later)
    assert desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM stg_cursor_cost") == (Decimal("0.09") if later else 0)
    assert desk.one("SELECT origin FROM stg_current_fetches") == "api"


A, B, C = line(DAY, "a@example.com", "7"), line(DAY, "b@example.com", "8"), line(NEXT, "a@example.com", "5")


@pytest.mark.parametrize(
    ("first", "second", "usd"),
    [
        ([A], [A], "0.07"),  # dropped twice
        ([A], [A, B], "0.15"),  # a fuller export
        ([A], [A, A], "0.14"),  # two equal events can be real
        ([A, line(DAY, "b@example.com", "eight")], [A, B], "0.15"),  # what could not be read, corrected
        ([A, C], [B, A], "0.20"),  # the next day is left alone
    ],
)
def test_a_second_file_of_a_day_may_add_to_it(desk: Desk, first: list[str], second: list[str], usd: str) -> None:
    for rows in (first, second):
        desk.load(records.EVENTS, drop(desk, "\n".join([HEAD, *rows])), origin="upload")
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == Decimal(usd)


@pytest.mark.parametrize(("first", "second"), [([A], [B]), ([A, A], [A]), ([A, C], [A, B, line(NEXT, "a@example.com", "6")])])
def test_a_second_file_of_a_day_takes_nothing_away(desk: Desk, first: list[str], second: list[str]) -> None:
    """An export that came in two parts: the second one must not silently take the place of the first."""
    desk.load(records.EVENTS, drop(desk, "\n".join([HEAD, *first])), origin="upload")
    before = desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost")
    with pytest.raises(ContractError, match=r"an earlier file holds 2026-11-0[12] with 1 rows that this one lacks; .*\.replace\.csv"):
        desk.load(records.EVENTS, drop(desk, "\n".join([HEAD, *second])), origin="upload")
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == before
    Loader(desk.warehouse).load(records.EVENTS, [drop(desk, "\n".join([HEAD, *second]))], "upload", replace=True)
    assert desk.one("SELECT COUNT(*) FROM stg_current_fetches WHERE origin = 'upload'") >= 1
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == sum(Decimal(r.rsplit(",", 1)[1]) for r in second) / 100


def test_a_second_list_of_members_of_a_day_takes_nobody_away(desk: Desk) -> None:
    """A list that came in two parts: who stands in the first alone would hold no seat."""

    def take(*ids: str, replace: bool = False) -> None:
        text = "\n".join(["id,name,email,role,isRemoved", *(f"{i},{i},{i}@example.com,member,false" for i in ids)])
        path = desk.folder / "cursor_members-today.csv"
        path.write_text(text + "\n", encoding="utf-8")
        Loader(desk.warehouse).load(records.MEMBERS, [uploads.spool_file(path, "cursor_members", desk.spool)], "upload", replace=replace)

    held = "SELECT COUNT(*) FROM raw_cursor_members AS m INNER JOIN stg_snapshots AS s ON m.fetch_id = s.version_fetch_id"
    take("ana", "ben")
    with pytest.raises(ContractError, match=r"holds .* with 1 rows that this one lacks"):
        take("ana", "cem")
    take("ana", "ben", "cem")
    assert desk.one(held) == 3
    take("cem", replace=True)
    assert desk.one(held) == 1


@pytest.mark.parametrize("cell", ["1.79585E+12", "1.79585e12", "1,79585E+12"])
def test_a_number_that_a_spreadsheet_shortened_refuses_the_file(desk: Desk, cell: str) -> None:
    """1.79585E+12 would be 07:13:20 for any instant of nearly three hours, and can be another day."""
    with pytest.raises(ContractError, match=r"row 3, timestamp: '.*' was shortened"):
        drop(desk, f'{HEAD}\n{A}\n"{cell}",a@example.com,true,10\n')


def test_a_row_that_cannot_be_read_is_named_as_the_file_counts_it(desk: Desk) -> None:
    """Blank rows count for whoever looks at the file; the remedy is for them and not for the vendor."""
    report = desk.load(records.EVENTS, drop(desk, "\n".join([HEAD, A, "", ",,,", f'{ms(DAY)},b@example.com,true,"12,5"'])), origin="upload")
    (said,) = [said for said in report.reasons if "chargedCents" in said][:1]
    assert said.startswith("row 5, chargedCents '12,5' ") and said.endswith("Correct the cell in the file and drop it again.")
    assert {row["record_number"] for row in desk.ask("SELECT record_number FROM raw_rejects")} == {5}


def test_the_dashboards_own_export_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cursor_events-2026-11-10.csv"
    path.write_text('Date,User,Kind,Model,Cost\n"2026-11-10T08:01:05.229Z","a@example.com","Included","m","Included"\n')
    with pytest.raises(ContractError, match=r"usage export of Cursor's dashboard \(columns Date, User, Kind, Model, Cost\)"):
        uploads.check_file(path, "cursor_events")


@pytest.mark.parametrize("name", ["usage-events-2026-11-10.csv", "team-usage.csv", "export (3).csv"])
def test_a_file_that_no_name_helps_is_not_told_to_take_another(tmp_path: Path, name: str) -> None:
    """The dashboard gives its export names of its own: asked to rename it, somebody would drop it twice and be refused twice."""
    path = tmp_path / name
    path.write_text('\ufeff"Date","User","Kind","Model","Cost"\r\n"2026-11-10T08:01:05.229Z","a@example.com","Included","m","0"\r\n')
    with pytest.raises(ContractError, match="usage export of Cursor's dashboard"):
        uploads.kind_by_header(path)


def test_a_members_file_can_stand_in_on_a_day_without_a_snapshot(desk: Desk) -> None:
    """The API answered last week and is down today: the dropped file is today's snapshot."""
    desk.fetch(
        "cursor", "members", date(2026, 11, 1), "raw_cursor_members", {"user_id": "old", "email": "old@example.com"}, window_start=None
    )
    walk = drop(desk, "id,email\nnew,new@example.com\n", "cursor_members")
    report = desk.load(records.MEMBERS, walk, origin="upload")
    assert report.rows_written == 1, report.skipped


def test_files_are_found_by_the_beginning_of_their_name(tmp_path: Path) -> None:
    for name in ("cursor_events-2026-11.csv", "Cursor_Members.CSV", "notes.csv", "cursor_events.txt"):
        (tmp_path / name).write_text("x")
    assert [(d.path.name, d.kind) for d in uploads.dropped(tmp_path)] == [
        ("Cursor_Members.CSV", "cursor_members"),
        ("cursor_events-2026-11.csv", "cursor_events"),
        ("notes.csv", None),
    ]
    assert uploads.dropped(tmp_path / "none") == []


def test_a_refused_file_lies_beside_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "cursor_events.csv"
    file.write_text("x")
    put = uploads.put_away(file, "refused", "Because.")
    assert not file.exists() and put.parent == tmp_path / "refused" and put.with_suffix(".txt").read_text() == "Because.\n"
