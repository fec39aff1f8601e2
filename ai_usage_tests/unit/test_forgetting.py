"""The statements of forgetting on both engines, and what stays of a text, a record, a file."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from ai_usage import copying, forgetting
from ai_usage.forgetting import forget
from ai_usage.loading import Forgotten
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.cursor.records import MEMBERS
from ai_usage.tables.raw import raw_sheet_people
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError
from ai_usage_tests.fixtures.helpers import Desk, filled

DAY, NOON = date(2026, 11, 20), datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO, TOKEN = "o'ana+x@Example.com", "forgotten-1@forgotten.invalid"
SWAP = {"ana@x.com": TOKEN, "o'ana@example.com": TOKEN}.get


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ana@x.com", TOKEN),
        ("Ana <ANA+tag@X.com>, ben@x.com", f"Ana <{TOKEN}>, ben@x.com"),
        ("{'email_address': 'ana@x.com'}", f"{{'email_address': '{TOKEN}'}}"),
        ("jo.ana@x.com ana@x.com.au ana@x.community", "jo.ana@x.com ana@x.com.au ana@x.community"),
        ("ask O'Ana@example.com.", f"ask {TOKEN}."),
        ("mailto:ana@x.com?subject=1", f"mailto:{TOKEN}?subject=1"),
        ("no address", "no address"),
    ],
)
def test_only_her_address_becomes_the_token(text: str, expected: str) -> None:
    assert redaction.replaced(text, SWAP) == expected


def test_an_address_is_found_behind_the_escapes_of_json() -> None:
    assert redaction.written(r"\nana@x.com") == ["ana@x.com"] and redaction.written(r"\u0061na@x.com") == ["ana@x.com"]


def spooled(folder: Path, *records: bytes) -> Path:
    path = folder / "w.ndjson.zst"
    with pa.output_stream(str(path), compression="zstd") as out:
        out.write(b"\n".join(records) + b"\n")
    (folder / "w.pages.jsonl").write_text('{"page": 1, "request": {"email": "ana@x.com"}, "sha256": "00"}\n{"page": 2}\n')
    return path


def test_a_record_keeps_all_but_the_person(tmp_path: Path) -> None:
    hers = b'{"id": "u1","name":"Ana A","email":"Ana@x.com","role":"member","note":"calls ben","spend":12345678901234567.123456789,"deep":{"s":"t","n":1.50}}'
    path = spooled(tmp_path, hers, b'{"id":"u2","name":"Ben","email":"ben@x.com"}')
    assert redaction.redact_spool(path, MEMBERS, SWAP, dry=True) == 2 and b"ana" in (tmp_path / "w.pages.jsonl").read_bytes()
    assert redaction.redact_spool(path, MEMBERS, SWAP) == 2
    one, other = pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd").read().splitlines()
    assert one == (
        b'{"id":"u1","name":"","email":"%s","role":"member","note":"","spend":12345678901234567.123456789,"deep":{"s":"","n":1.50}}'
        % TOKEN.encode()
    )
    assert other == b'{"id":"u2","name":"Ben","email":"ben@x.com"}'
    first, second, note = map(json.loads, (tmp_path / "w.pages.jsonl").read_text().splitlines())
    assert first == {"page": 1, "request": {"email": TOKEN}, "sha256": "00"} and second == {"page": 2}
    assert note == {"rewritten": "a person was forgotten", "records": 1}
    assert redaction.redact_spool(path, MEMBERS, SWAP) == 0, "once is enough"


def test_a_record_of_an_unknown_endpoint_goes_whole(tmp_path: Path) -> None:
    path = spooled(tmp_path, b'{"who":"ana@x.com","name":"Ana"}')
    redaction.redact_spool(path, None, SWAP)
    assert pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd").read() == redaction.EMPTIED.encode() + b"\n"


def test_rows_without_a_person_come_back_as_they_were() -> None:
    data = filled(raw_sheet_people, [person("ben@x.com", "Ben")])
    assert redaction.redact_rows(raw_sheet_people, data, SWAP).equals(data)
    empty = raw_sheet_people.arrow_schema().empty_table()
    assert redaction.redact_rows(raw_sheet_people, empty, SWAP).equals(empty)


def person(email: str, first: str, aliases: str | None = None, fetch: str = "f1") -> dict[str, object]:
    return {
        "usage_date": DAY, "fetch_id": fetch, "fetched_at": NOON, "ingest_date": DAY, "sheet_row": 2, "email": email, "first_name": first,
        "last_name": "L", "department": "Data", "aliases": aliases, "extra": '{"desk": "4"}',
    }  # fmt: skip


@pytest.mark.both_engines
def test_both_engines_forget_alike(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = {"source": "google_sheets", "endpoint": "people", "usage_date": DAY, "fetched_at": NOON, "state": "complete", "origin": "api"}
    desk.lay("raw_fetches", {**fetch, "fetch_id": "f1", "version_fetch_id": "f1", "error": None})
    desk.lay(
        "raw_sheet_people", person(WHO, "Ana", "an@example.com"), person("ben@example.com", "Ben", "b@example.com"),
        {**person("an@example.com", "Ana", None, "older")},
    )  # fmt: skip
    cost = {
        "cost_date": DAY, "platform": "cursor", "vendor": "cursor", "cost_type": "usage", "attribution": "direct", "settle_state": "settled",
        "source": "cursor_events", "processed_at": NOON,
    }  # fmt: skip
    desk.lay(
        "fct_cost_daily", {**cost, "user_email": "o'ana@example.com", "cost_usd": Decimal("0.000000001"), "model": "m"},
        {**cost, "user_email": "ben@example.com", "cost_usd": Decimal("12345678.123456789"), "model": "for o'ana@example.com"},
    )  # fmt: skip
    desk.lay(
        "raw_rejects",
        {"usage_date": DAY, "fetch_id": "f1", "fetched_at": NOON, "source": "s", "endpoint": "e", "reason": "r", "remedy": "m", "value": "Ana L",
         "column_name": "name", "payload": '{"email":"AN@example.com"}'},
    )  # fmt: skip
    runtime = Runtime(Settings(data_dir=tmp_path, _env_file=None))  # type: ignore[call-arg]
    monkeypatch.setitem(runtime.__dict__, "warehouse", desk.warehouse)

    monkeypatch.setattr(forgetting, "AFTERWARDS", [lambda: ["UPDATE fct_cost_daily SET cost_usd = cost_usd + 0.000000001 WHERE TRUE"]])
    with pytest.raises(WarehouseError, match="the sums of fct_cost_daily would not stay as it was"):
        forget(runtime, WHO, really=True)
    assert desk.warehouse.select('SELECT COUNT(*) AS n FROM fct_cost_daily WHERE user_email = "o\'ana@example.com"')["n"][0].as_py() == 1
    monkeypatch.setattr(forgetting, "AFTERWARDS", [])

    outcome = forget(runtime, "an@example.com", really=True)
    token = outcome.token
    assert outcome.changed == {"raw_rejects": 1, "raw_sheet_people": 2, "fct_cost_daily": 2, "agg_cost_months": 1}
    people = (
        "SELECT email, first_name, aliases, extra, department FROM raw_sheet_people WHERE usage_date = DATE '2026-11-20' ORDER BY email"
    )
    desk_extra = '{"desk": "4"}'
    assert [tuple(r.values()) for r in desk.warehouse.select(people).to_pylist()] == [
        ("ben@example.com", "Ben", "b@example.com", desk_extra, "Data"),
        (token, None, None, None, "Data"),
        (token, None, None, None, "Data"),
    ]
    assert outcome.addresses == 2
    facts = desk.warehouse.select("SELECT user_email, model, cost_usd FROM fct_cost_daily ORDER BY cost_usd").to_pylist()
    assert [tuple(r.values()) for r in facts] == [
        (token, "m", Decimal("0.000000001")), ("ben@example.com", f"for {token}", Decimal("12345678.123456789")),
    ]  # fmt: skip
    [reject] = desk.warehouse.select("SELECT value, payload FROM raw_rejects").to_pylist()
    assert reject == {"value": None, "payload": redaction.EMPTIED}
    assert {r["what"] for r in desk.warehouse.select("SELECT what FROM forget_log").to_pylist()} == {*outcome.changed, "finished"}
    assert forget(runtime, WHO, really=True).token == token, "the person is known again by any of the addresses"

    home = DuckDBWarehouse(tmp_path / "copied.duckdb")
    for _ in range(2):
        copying.copy(desk.warehouse, home, today=DAY)
    copied = Forgotten(home)
    assert copied.anyone() and copied("an@example.com") == copied("o'ana@example.com") == token
    assert home.select("SELECT COUNT(*) AS n FROM forgotten_people")["n"][0].as_py() == outcome.addresses
