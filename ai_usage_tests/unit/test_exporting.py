"""Exports, read back by libraries that know nothing of ours and compared with what was laid into the warehouse by hand."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ai_usage import tables
from ai_usage.cli import app as cli
from ai_usage.outputs import FORMATS, Export, ExportError, cell_text, exportable, person_cell, write_export
from ai_usage.outputs import xlsx as xlsx_module
from ai_usage_tests.fixtures.desk import Desk

N, D = Decimal, date
COST = {"platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s"}
# (day, e-mail, USD): the largest and the smallest money, a credit, halves of a cent, nobody's, and one of the month before.
LINES = [
    (D(2026, 10, 1), "ana@example.com", N("99999999999999999999.999999999")),
    (D(2026, 10, 2), "zoë@example.com", N("0.000000001")),
    (D(2026, 10, 2), "=cmd@example.com", N("-1234.565")),
    (D(2026, 10, 31), None, N("0.1")),
    (D(2026, 10, 31), "ana@example.com", N("0.2")),
    (D(2026, 9, 30), "ana@example.com", N("7")),
]
OCTOBER = (D(2026, 10, 1), D(2026, 10, 31))
# By hand, from the lines above.
OCTOBER_USD = N("99999999999999998765.735000000")
PEOPLE = {
    "ana@example.com": ("Ana", 'O"Hara, the\nsecond'), "zoë@example.com": ("Zoë", "日本語 😀"), "=cmd@example.com": ("=HYPERLINK(1)", "@x"),
}  # fmt: skip
# Version 2 of the chargeback, as it is promised: a change needs another number.
CHARGEBACK_V2 = [
    "month", "cost_center", "department", "user_email", "user_name", "platform", "vendor", "cost_type", "settle_state", "corrects_month", "cost_usd",
    "booked_usd",
]  # fmt: skip


@pytest.fixture
def filled_desk(desk: Desk) -> Desk:
    desk.lay("fct_cost_daily", *({**COST, "cost_date": day, "user_email": who, "cost_usd": usd} for day, who, usd in LINES))
    desk.lay("dim_users", *({"user_id": e, "email": e, "first_name": f, "last_name": n} for e, (f, n) in PEOPLE.items()))
    desk.lay(
        "dim_user_assignments",
        {"email": "ana@example.com", "department": "-R&D", "cost_center": "+1", "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)},
    )
    return desk


def exported(desk: Desk, folder: Path, name: str, kind: str, days: tuple[date, date] | None = OCTOBER) -> Path:
    asked = Export(name, kind, *(days or (None, None)), exact=kind == "csv")
    path = folder / asked.file_name
    write_export(desk.warehouse, asked, path)
    assert [p.name for p in folder.iterdir() if p.suffix == ".part"] == []
    return path


def names(desk: Desk) -> set[str]:
    return {" ".join(name) for name in PEOPLE.values()} | {"(unattributed)"}


@pytest.mark.parametrize("name", ["chargeback", "vw_cost_allocation", "fct_cost_daily"])
@pytest.mark.parametrize("kind", list(FORMATS))
def test_every_format_holds_the_same_rows_to_the_last_digit(filled_desk: Desk, tmp_path: Path, name: str, kind: str) -> None:
    path = exported(filled_desk, tmp_path, name, kind)
    if kind == "csv":
        read = arrow_csv.read_csv(path, parse_options=arrow_csv.ParseOptions(newlines_in_values=True), convert_options=arrow_csv.ConvertOptions(
            column_types={"cost_usd": pa.decimal128(38, 9)}, strings_can_be_null=True, quoted_strings_can_be_null=False))  # fmt: skip
        rows = read.to_pylist()
    elif kind == "json":
        rows = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
    elif kind == "parquet":
        assert str(pq.read_schema(path).field("cost_usd").type) == "decimal128(38, 9)"
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table().to_pylist()
    else:
        sheet = openpyxl.load_workbook(path).worksheets[0]
        head, *body = sheet.iter_rows(values_only=True)
        rows = [dict(zip(head, row, strict=True)) for row in body]
    usd = [Decimal(str(r["cost_usd"])) for r in rows]
    assert sorted(usd) == sorted(v for day, _, v in LINES if day.month == 10) or name == "chargeback"
    assert sum(map(Fraction, usd)) == Fraction(OCTOBER_USD)
    assert {r["user_email"] for r in rows} == {
        None if name.startswith("fct") and who is None else who or "(unattributed)" for d, who, _ in LINES
    }
    if not name.startswith("fct"):
        assert {r["user_name"] for r in rows} == names(filled_desk)
        assert {r["department"] for r in rows} == {"-R&D", "(no department)"}
    assert list(rows[0]) == list(exportable()[name].column_names)


def test_a_csv_file_for_people_holds_no_formula_and_exact_numbers(filled_desk: Desk, tmp_path: Path) -> None:
    """By default and as the daily asset asks: an apostrophe before text alone; NULL stays an empty cell, a credit stays a number."""
    path = tmp_path / "people.csv"
    write_export(filled_desk.warehouse, Export("chargeback", "csv", *OCTOBER), path)
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert {(r["user_email"], r["user_name"], r["department"], r["cost_center"]) for r in rows} == {
        ("ana@example.com", 'Ana O"Hara, the\nsecond', "'-R&D", "'+1"), ("zoë@example.com", "Zoë 日本語 😀", "(no department)", ""),
        ("'=cmd@example.com", "'=HYPERLINK(1) @x", "(no department)", ""), ("(unattributed)", "(unattributed)", "(no department)", ""),
    }  # fmt: skip
    assert [r["cost_usd"] for r in rows if "cmd" in r["user_email"]] == ["-1234.565000000"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "  =1", "\u00a0-x", "＝1", "＋1", "－1", "＠x"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert person_cell(text) == f"'{text}" and cell_text(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a=1", "a=1"), ("'=1", "'=1"), ("", ""), (None, ""), (N("-1.50"), "-1.50"), (-3, "-3"), (-0.5, "-0.5"), (D(2026, 1, 2), "2026-01-02"), (True, "true")],
)  # fmt: skip
def test_what_is_no_formula_stays(value: object, expected: str) -> None:
    assert person_cell(value) == expected


def test_the_commands_say_which_csv_they_wrote(filled_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`query` as a table too: a cell is text, whatever markup stands in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(filled_desk.path))
    sql = "SELECT '=1[/x]' AS a, CAST(-1 AS NUMERIC) AS b"
    for options, line, said in (
        (["--format", "csv"], "'=1[/x],-1.000000000", "text for spreadsheets: an apostrophe stands before"),
        (["--format", "csv", "--exact"], "=1[/x],-1.000000000", "text as it is stored, for programs"), ([], "=1[/x]", "1 rows"),
    ):  # fmt: skip
        done = CliRunner().invoke(cli.app, ["query", sql, *options])
        assert done.exit_code == 0 and line in done.stdout and said in " ".join(done.stderr.split()), done.output
    for options, cell, said in ([], "'=cmd@example.com", "--exact leaves it out"), (["--exact"], "=cmd@example.com", "for programs"):
        done = CliRunner().invoke(cli.app, ["export", "dim_users", "--output", "u.csv", *options])
        assert done.exit_code == 0 and said in " ".join(done.stderr.split()), done.output
        assert cell in {r["email"] for r in csv.DictReader((tmp_path / "u.csv").open(encoding="utf-8"))}
    for command in (["query", sql, "--exact"], ["export", "dim_users", "--format", "xlsx", "--exact"]):
        assert "--exact is about csv" in str(CliRunner().invoke(cli.app, command).exception)


def test_the_chargeback_has_the_promised_columns_and_nobodys_cost_in_rows_of_its_own(filled_desk: Desk, tmp_path: Path) -> None:
    path = exported(filled_desk, tmp_path, "chargeback", "csv")
    assert path.name == "chargeback-v2-2026-10.csv"
    head, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    assert head == CHARGEBACK_V2, "another set of columns is another version: raise columns_version of vw_chargeback, then this list"
    assert [r for r in rows if r[3] == "(unattributed)"] == [
        [
            "2026-10-01",
            "",
            "(no department)",
            "(unattributed)",
            "(unattributed)",
            "cursor",
            "V",
            "usage",
            "settled",
            "",
            "0.100000000",
            "0.100000000",
        ]
    ]
    ana = next(r for r in rows if r[3] == "ana@example.com")
    assert (ana[1], ana[2], ana[10]) == ("+1", "-R&D", "100000000000000000000.199999999"), "her two days are one line of the month"


def test_csv_is_rfc_4180(filled_desk: Desk, tmp_path: Path) -> None:
    filled_desk.lay(
        "dim_user_assignments",
        {"email": "zoë@example.com", "department": "", "cost_center": None, "valid_from": D(2026, 1, 1), "valid_to": D(2026, 12, 31)},
    )
    raw = exported(filled_desk, tmp_path, "chargeback", "csv").read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf") and raw.endswith(b"\r\n")
    assert b'"Ana O""Hara, the\nsecond"' in raw
    assert raw.count(b"\r\n") == 1 + 4
    assert '"2026-10-01",,"","zoë@example.com"'.encode() in raw, "NULL is an empty cell, an empty text is two quotes"


def test_xlsx_cells_are_typed_exact_and_never_formulas(filled_desk: Desk, tmp_path: Path) -> None:
    filled_desk.lay(
        "fct_cost_daily", {**COST, "cost_date": D(2026, 10, 5), "user_email": "long@example.com", "cost_usd": N("1234567.123456789")}
    )
    filled_desk.lay(
        "fct_cost_daily", {**COST, "cost_date": D(2026, 10, 5), "user_email": "fits@example.com", "cost_usd": N("123456.123456789")}
    )
    book = openpyxl.load_workbook(exported(filled_desk, tmp_path, "chargeback", "xlsx"))
    sheet, notes = book.worksheets
    assert sheet.freeze_panes == "A2" and sheet.auto_filter.ref and [c.value for c in sheet[1]] == CHARGEBACK_V2
    by_person = {row[3].value: row for row in sheet.iter_rows(min_row=2)}
    assert all(cell.data_type in ("s", "n", "d") for row in by_person.values() for cell in row), "nothing is a formula"
    assert by_person["=cmd@example.com"][4].value == "=HYPERLINK(1) @x"
    assert by_person["zoë@example.com"][0].value == datetime(2026, 10, 1) and by_person["zoë@example.com"][0].is_date
    credit = by_person["=cmd@example.com"][10]
    assert (credit.value, credit.data_type, credit.number_format) == (-1234.565, "n", "#,##0.00")
    assert by_person["fits@example.com"][10].data_type == "n" and Decimal(repr(by_person["fits@example.com"][10].value)) == N(
        "123456.123456789"
    )
    assert (by_person["long@example.com"][10].data_type, by_person["long@example.com"][10].value) == ("s", "1234567.123456789"), "16 digits"
    said = dict(notes.iter_rows(values_only=True, max_col=2))
    assert said["Sum of cost_usd"] == "100000000000001356788.981913578"
    assert said["Figures as text"].startswith("3 cells") and said["Version of the columns"] == "2"


def test_xlsx_refuses_what_a_sheet_cannot_hold(filled_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_module, "MAX_ROWS", 3)
    with pytest.raises(ExportError, match=r"more than 3 rows, the most that XLSX holds; name fewer days, or --format csv\.$"):
        exported(filled_desk, tmp_path, "chargeback", "xlsx")
    monkeypatch.undo()
    filled_desk.lay("fct_cost_daily", {**COST, "cost_date": D(2026, 10, 5), "model": "m" * 32_768, "cost_usd": N(1)})
    with pytest.raises(ExportError, match=r"model in row \d has 32,768 characters"):
        exported(filled_desk, tmp_path, "vw_cost_allocation", "xlsx")
    assert list(tmp_path.iterdir()) == [], "a file is whole or not there"


@pytest.mark.parametrize("kind", list(FORMATS))
def test_the_same_rows_are_the_same_bytes(filled_desk: Desk, tmp_path: Path, kind: str) -> None:
    first = exported(filled_desk, tmp_path, "vw_cost_allocation", kind).read_bytes()
    assert exported(filled_desk, tmp_path, "vw_cost_allocation", kind).read_bytes() == first


@pytest.mark.parametrize("name", [name for name in exportable() if name not in ("vw_days", "vw_headlines")])  # a calendar, and what to run
def test_everything_can_be_exported_even_empty(desk: Desk, tmp_path: Path, name: str) -> None:
    table = exportable()[name]
    for kind in FORMATS:
        path = exported(desk, tmp_path, name, kind, OCTOBER if table.date_column else None)
        if kind == "csv":
            assert path.read_bytes().decode() == ",".join(table.column_names) + "\r\n"
        elif kind == "json":
            assert json.loads(path.read_text()) == []
        elif kind == "parquet":
            assert pq.read_table(path).num_rows == 0 and pq.read_schema(path).names == list(table.column_names)
        else:
            assert openpyxl.load_workbook(path).worksheets[0].max_row == 1
    assert name == "chargeback" or name in {t.name for t in (*tables.MARTS, *tables.CURATED)}


def test_rows_are_never_all_in_memory(filled_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writers take pieces as they come: with `select`, which gives a whole answer, taken away they still work."""
    monkeypatch.delattr(type(filled_desk.warehouse), "select")
    for kind in FORMATS:
        exported(filled_desk, tmp_path, "fct_cost_daily", kind)


def test_an_interrupted_export_leaves_the_old_file(filled_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = exported(filled_desk, tmp_path, "chargeback", "csv")
    before = path.read_bytes()
    filled_desk.lay("fct_cost_daily", {**COST, "cost_date": D(2026, 10, 5), "cost_usd": N(5)})

    def broken(parts, target, about) -> None:
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "csv", broken)
    with pytest.raises(ExportError, match=r"cannot be written \(No space left on device\); name another file with --output\.$"):
        exported(filled_desk, tmp_path, "chargeback", "csv")
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"name": "vw_nothing"},
            r"there is no mart or fact 'vw_nothing'; there are chargeback, vw_monthly_finance, .*fct_cost_daily, fct_cost_corrections, .*agg_cost_months\.$",
        ),
        ({"name": "raw_cursor_events"}, "there is no mart or fact 'raw_cursor_events'"),
        ({"name": "chargeback", "format": "xls"}, r"--format is 'xls'; use csv, xlsx, json, parquet\.$"),
        ({"name": "vw_data_health", "first": D(2026, 10, 1)}, "vw_data_health has no days"),
        ({"name": "chargeback", "first": D(2026, 10, 2), "last": D(2026, 10, 1)}, "--from 2026-10-02 lies after --to 2026-10-01"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(asked: dict, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        Export(**asked)
