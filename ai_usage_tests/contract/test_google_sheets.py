"""Google Sheets' contract: three reads make a snapshot, recorded answers become rows, recorded errors become sentences."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import ContractError, PermanentError, RefusedError, TransientError
from ai_usage.sources.google_sheets import records
from ai_usage.sources.google_sheets.client import SheetsClient
from ai_usage.sources.walk import FailedWalk
from ai_usage_tests.fixtures.desk import Answers, Desk, example

SHEET = "1ExampleSheetId"
INDEX = {f["file"]: f for f in json.loads(example("INDEX.json"))["files"]}


@pytest.fixture
def sheets(answers: Answers, desk: Desk):
    client = SheetsClient(answers.url, SHEET, None, desk.spool, tries=2, backoff_s=0.001)
    yield client
    client.close()


def describe(*titles: str) -> dict:
    """The recorded description of a spreadsheet with other tabs."""
    answer = json.loads(example("google_sheets/spreadsheet_get.json"))
    one = answer["sheets"][0]["properties"]
    answer["sheets"] = [{"properties": {**one, "sheetId": n, "title": t, "index": n}} for n, t in enumerate(titles)]
    return answer


def ranges(*grids: list) -> dict:
    """The recorded batch answer with other cells."""
    answer = json.loads(example("google_sheets/values_batchGet.json"))
    one = answer["valueRanges"][0]
    return {**answer, "valueRanges": [{**one, "values": g} if g else {k: v for k, v in one.items() if k != "values"} for g in grids]}


def serve(answers: Answers, description: dict | bytes, displayed: dict | bytes | None = None, stored: dict | bytes | None = None) -> None:
    """The same spreadsheet however often and in whatever order it is read."""

    def answer(asked):
        if asked.path.endswith("values:batchGet"):
            return displayed if asked.query["valueRenderOption"] == ["FORMATTED_VALUE"] else stored
        return description

    answers.on = answer


def test_a_snapshot_is_the_list_of_tabs_then_displayed_then_stored_cells(answers: Answers, sheets: SheetsClient) -> None:
    """Paths and parameters are the recorded ones; each render option is asked once for all tabs, title quoted."""
    cells = json.loads(example("google_sheets/values_get.json"))["values"]
    serve(answers, describe("api_keys", "People"), ranges(cells, []), ranges(cells, []))
    tabs = sheets.read()
    recorded = INDEX["google_sheets/spreadsheet_get.json"]["request"]
    reads = answers.asked
    assert {a.method for a in reads} == {recorded["method"]} == {"GET"}
    assert "https://sheets.googleapis.com" + reads[0].path == recorded["url"]
    assert reads[0].query["includeGridData"] == [recorded["query"]["includeGridData"]]
    batch = [a for a in reads if a.path.endswith("values:batchGet")]
    url = INDEX["google_sheets/values_batchGet.json"]["request"]["url"]
    assert ["https://sheets.googleapis.com" + a.path for a in batch] == [url, url]
    assert [a.query["ranges"] for a in batch] == [["'api_keys'", "'People'"]] * 2
    assert [a.query["valueRenderOption"] for a in batch] == [["FORMATTED_VALUE"], ["UNFORMATTED_VALUE"]]
    assert len(reads) <= 4 and "authorization" not in reads[0].headers, "no credentials: anonymous"
    assert set(tabs) == {"api_keys", "people"}


def test_the_recorded_tab_becomes_typed_rows(answers: Answers, sheets: SheetsClient, desk: Desk) -> None:
    """`user_email` is a synonym of email, "007" keeps its zeros, a short row is padded, further columns are kept as `extra`."""
    cells = json.loads(example("google_sheets/values_get.json"))["values"]
    stored = [cells[0], ["prod-etl", "ana@example.com", "Data", 1200.5], ["007", "ben@example.com", "Growth"]]
    serve(answers, describe("api_keys"), ranges(cells), ranges(stored))
    walk = sheets.tab(records.API_KEYS)
    assert not isinstance(walk, FailedWalk), walk
    assert desk.load(records.API_KEYS, walk).rows == 2
    rows = desk.ask("SELECT sheet_row, api_key_name, email, description, valid_from, extra FROM raw_sheet_api_keys ORDER BY sheet_row")
    assert [tuple(r.values())[:5] for r in rows] == [
        (2, "prod-etl", "ana@example.com", None, None),
        (3, "007", "ben@example.com", None, None),
    ]
    assert [json.loads(r["extra"]) for r in rows] == [{"team": "Data", "monthly_budget": "1,200.50"}, {"team": "Growth"}]


def test_the_recorded_batch_becomes_rows(answers: Answers, sheets: SheetsClient) -> None:
    """Each value range stands at the place of the range that was asked."""
    serve(
        answers,
        describe("api_keys", "people"),
        example("google_sheets/values_batchGet.json"),
        example("google_sheets/values_batchGet.json"),
    )
    tabs = sheets.read()
    assert tabs["api_keys"]["displayed"] == [["api_key_name", "user_email"], ["prod-etl", "ana@example.com"], ["007", "ben@example.com"]]
    assert tabs["people"]["stored"] == [["team"], ["Data"], ["Growth"]]


def test_the_recorded_spreadsheet_has_no_known_tab_and_says_so(answers: Answers, sheets: SheetsClient) -> None:
    """The example's only tab is 'Claude Keys': the required tab fails alone, optional tabs are without rows."""
    serve(answers, example("google_sheets/spreadsheet_get.json"))
    failed = sheets.tab(records.API_KEYS)
    assert isinstance(failed, FailedWalk) and type(failed.error) is ContractError
    assert "no tab 'api_keys'" in str(failed.error)
    people = sheets.tab(records.PEOPLE)
    assert not isinstance(people, FailedWalk) and people.records == 0
    today = datetime.now(UTC).date()
    assert people.window == Window(today, today)


@pytest.mark.parametrize(
    ("status", "kind", "requests", "says"),
    [
        (400, PermanentError, 1, ["Unable to parse range"]),
        (403, RefusedError, 1, [SHEET, "share it"]),
        (404, PermanentError, 1, [SHEET, "AI_USAGE_SHEET_ID"]),
        (429, TransientError, 2, ["429", "run again later"]),
        (503, TransientError, 2, ["503", "run again later"]),
    ],
)
def test_each_error_example_has_its_class_and_one_sentence(answers: Answers, sheets: SheetsClient, status, kind, requests, says) -> None:
    """gspread's message-less PermissionError never reaches a person."""
    for _ in range(2):
        answers.give(example(f"google_sheets/errors/{status}.json"), status)
    failed = sheets.tab(records.API_KEYS)
    assert isinstance(failed, FailedWalk) and type(failed.error) is kind
    assert len(answers.asked) == requests
    message = str(failed.error)
    assert all(part in message for part in [*says, "Google Sheets"]), message
    assert "\n" not in message and message.endswith(".")


def test_money_cells_pass_as_stored_not_as_displayed(answers: Answers, sheets: SheetsClient, desk: Desk) -> None:
    """A cell displayed as $1,200.50 is stored as 1200.5: the stored number counts, whatever the locale shows."""
    header = ["platform", "plan", "seats", "price_usd", "valid_from"]
    keys = [["api_key_name", "email"]]
    shown = ranges(keys, [header, ["cursor", "Business", "1.000", "1.200,50 $", "01.11.2026"]])
    serve(answers, describe("api_keys", "subscriptions"), shown, ranges(keys, [header, ["cursor", "Business", 1000, 1200.5, 46327]]))
    walk = sheets.tab(records.SUBSCRIPTIONS)
    assert not isinstance(walk, FailedWalk)
    desk.load(records.SUBSCRIPTIONS, walk)
    (row,) = desk.ask("SELECT seats, price_usd, valid_from FROM raw_sheet_subscriptions")
    assert (row["seats"], row["price_usd"], row["valid_from"].isoformat()) == (1000, Decimal("1200.5"), "2026-11-01")
