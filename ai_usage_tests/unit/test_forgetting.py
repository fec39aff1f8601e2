"""The statements of forgetting on both engines, and what stays of a text, a record, a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ai_usage.finance import closing, ledger
from ai_usage.loading import Forgotten
from ai_usage.operations import copying, erasure, erasure_sql
from ai_usage.operations.erasure import forget
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.cursor.records import MEMBERS
from ai_usage.tables.tabs import raw_sheet_people
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError
from ai_usage_tests.fixtures.desk import Desk, assert_totals, contents, curated, filled

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


def test_a_record_that_is_not_unicode_is_forgotten_too(tmp_path: Path) -> None:
    path = spooled(tmp_path, b'{"id":"u1","name":"\xff","email":"ana@x.com","note":"\\ud800"}')
    assert redaction.redact_spool(path, MEMBERS, SWAP) == 2
    (one,) = pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd").read().splitlines()
    assert one == b'{"id":"u1","name":"","email":"%s","note":""}' % TOKEN.encode()


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

    monkeypatch.setattr(erasure, "AFTERWARDS", [lambda: ["UPDATE fct_cost_daily SET cost_usd = cost_usd + 0.000000001 WHERE TRUE"]])
    with pytest.raises(WarehouseError, match="the sums of fct_cost_daily would not stay as it was"):
        forget(runtime, WHO, really=True)
    assert desk.warehouse.select('SELECT COUNT(*) AS n FROM fct_cost_daily WHERE user_email = "o\'ana@example.com"')["n"][0].as_py() == 1
    assert desk.warehouse.select("SELECT COUNT(*) AS n FROM forgotten_people")["n"][0].as_py() == 0, "nothing was changed"
    monkeypatch.setattr(erasure, "AFTERWARDS", [])

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


# Two addresses of one person ----------------------------------------------------------------------------------

D, N = date, Decimal
ANA, OLD, BEN = "ana@example.com", "ana.old@example.com", "ben@example.com"
STANDING = ["fct_usage_daily", "fct_cost_daily", "fct_cost_corrections", "dim_user_assignments", *erasure_sql.PERSON_TOTALS]


@pytest.fixture
def act(desk: Desk, tmp_path: Path) -> Callable[[str], str]:
    """Forgets the person with this address, and answers with the token."""

    def done(email: str) -> str:
        runtime = Runtime(Settings(data_dir=tmp_path, _env_file=None))  # type: ignore[call-arg]
        runtime.__dict__["warehouse"] = desk.warehouse
        return forget(runtime, email, really=True).token

    return done


def people(desk: Desk, day: date, *rows: dict[str, object]) -> None:
    """The sheet as it was on that day."""
    desk.tab("people", *({"department": "Core", **row} for row in rows), day=day, at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


def lines(desk: Desk, *days: tuple[date, str]) -> None:
    """Three lines of code a day."""
    for day in sorted({d for d, _ in days}):
        rows = ({"email": who, "is_active": True, "lines_added": 3, "accepted_lines_added": 1} for d, who in days if d == day)
        desk.fetch("cursor", "daily-usage-data", day, "raw_cursor_usage", *rows)


def told(desk: Desk, sql: str) -> list[tuple]:
    return [tuple(r.values()) for r in desk.ask(sql)]


def standing(desk: Desk) -> dict[str, list[tuple]]:
    """What stands in facts and totals, without the basis: the last column of agg_cost_months, which the next run writes anew for everybody."""
    return {name: [r[:-1] if name == "agg_cost_months" else r for r in contents(desk, name)] for name in STANDING}


def assert_one_person(desk: Desk, token: str) -> None:
    """Nothing names her, stored totals are the facts', and a rebuild of all days brings nothing back and moves nothing."""
    assert_totals(desk)
    before = standing(desk)
    curated(desk, D(2026, 9, 1), D(2026, 11, 20), D(2026, 11, 21))
    assert_totals(desk)
    assert standing(desk) == before
    assert told(desk, "SELECT email FROM dim_users WHERE email != 'ben@example.com'") == [(token,)]


def test_an_alias_that_came_after_the_facts_is_added_up(desk: Desk, act: Callable[[str], str]) -> None:
    """October was made before the sheet named the alias, and only November after. Ana worked on the 12th and the 13th, on the 13th under both."""
    people(desk, D(2026, 10, 1), {"email": ANA}, {"email": BEN})
    lines(desk, (D(2026, 10, 12), OLD), (D(2026, 10, 13), OLD), (D(2026, 10, 13), ANA), (D(2026, 10, 13), BEN))
    curated(desk, D(2026, 10, 1), D(2026, 10, 31), D(2026, 11, 1))
    people(desk, D(2026, 11, 20), {"email": ANA, "aliases": OLD}, {"email": BEN})
    curated(desk, D(2026, 11, 1), D(2026, 11, 20), D(2026, 11, 21))
    assert [r[0] for r in told(desk, "SELECT user_email FROM agg_person_weeks ORDER BY user_email")] == [OLD, ANA, BEN]

    token = act(ANA)
    hers = f"WHERE user_email = '{token}'"
    assert told(desk, f"SELECT usage_date, loc_added, loc_accepted, commits FROM fct_usage_daily {hers} ORDER BY usage_date") == [
        (D(2026, 10, 12), 3, 1, None), (D(2026, 10, 13), 6, 2, None),
    ]  # fmt: skip
    assert told(desk, f"SELECT usage_date, loc_added FROM agg_person_days {hers} ORDER BY usage_date") == [
        (D(2026, 10, 12), 3), (D(2026, 10, 13), 6),
    ]  # fmt: skip
    assert told(desk, f"SELECT week, active_days, last_active_date FROM agg_person_weeks {hers}") == [(D(2026, 10, 12), 2, D(2026, 10, 13))]
    assert told(desk, f"SELECT month, active_days, last_day, days_with_lines FROM agg_person_months {hers}") == [
        (D(2026, 10, 1), 2, D(2026, 10, 13), 2)
    ]
    assert told(desk, "SELECT week, active_days FROM agg_person_weeks WHERE user_email = 'ben@example.com'") == [(D(2026, 10, 12), 1)]
    assert_one_person(desk, token)


def test_a_month_that_was_closed_under_another_address_needs_no_correction(desk: Desk, act: Callable[[str], str]) -> None:
    """September is closed with 20 USD of the old address; since the sheet names the alias, 20 go from it to Ana in October. Then both are one."""
    people(desk, D(2026, 9, 1), {"email": ANA}, {"email": BEN})
    desk.events(
        D(2026, 9, 10), {"user_email": OLD, "charged_usd": N(20), "model": "m"}, {"user_email": BEN, "charged_usd": N(3), "model": "m"}
    )
    desk.events(D(2026, 10, 5), {"user_email": ANA, "charged_usd": N(7), "model": "m"})
    desk.quiet(D(2026, 9, 1), D(2026, 9, 30))
    curated(desk, D(2026, 9, 1), D(2026, 10, 31), D(2026, 11, 21))
    closing.close(desk.warehouse, D(2026, 9, 1), author="finance", today=D(2026, 11, 21))
    people(desk, D(2026, 11, 20), {"email": ANA, "aliases": OLD}, {"email": BEN})
    curated(desk, D(2026, 9, 1), D(2026, 11, 20), D(2026, 11, 21))
    assert told(desk, "SELECT user_email, cost_usd FROM fct_cost_corrections ORDER BY cost_usd") == [(OLD, N(-20)), (ANA, N(20))]
    by_month = "SELECT month, platform, SUM(cost_usd) AS usd FROM agg_cost_months GROUP BY month, platform ORDER BY month"
    months = told(desk, by_month)

    token = act(ANA)
    assert contents(desk, "fct_cost_corrections") == []
    booked = "SELECT month, user_email, department, corrects_month, cost_usd FROM agg_cost_months ORDER BY cost_usd"
    assert told(desk, booked) == [
        (D(2026, 9, 1), BEN, "Core", None, N(3)), (D(2026, 10, 1), token, "Core", None, N(7)), (D(2026, 9, 1), token, None, None, N(20)),
    ]  # fmt: skip
    assert told(desk, by_month) == months == [(D(2026, 9, 1), "cursor", N(23)), (D(2026, 10, 1), "cursor", N(7))]
    assert ledger.damaged(desk.warehouse) == []
    assert_one_person(desk, token)


def test_an_alias_that_the_sheet_gives_no_more_is_hers_all_the_same(desk: Desk, act: Callable[[str], str]) -> None:
    """The old address is a person of its own by now, without a department and seen first: one person is left, and her cost is her department's."""
    people(desk, D(2026, 10, 1), {"email": ANA, "aliases": OLD}, {"email": BEN, "department": "Web"})
    people(desk, D(2026, 11, 1), {"email": ANA}, {"email": BEN, "department": "Web"})
    lines(desk, (D(2026, 9, 30), OLD), (D(2026, 10, 12), OLD), (D(2026, 10, 13), ANA))
    for day, *charges in ((12, (OLD, "5.000000001"), (ANA, "2")), (13, (ANA, "1"), (BEN, "9"))):
        desk.events(D(2026, 10, day), *({"user_email": who, "charged_usd": N(usd), "model": "m"} for who, usd in charges))
    curated(desk, D(2026, 9, 1), D(2026, 11, 20), D(2026, 11, 21))
    assert told(desk, "SELECT email, department FROM dim_users ORDER BY email") == [(OLD, None), (ANA, "Core"), (BEN, "Web")]

    token = act(ANA)
    assert told(desk, "SELECT email, department, created_at FROM dim_users ORDER BY department") == [
        (token, "Core", datetime(2026, 9, 30, tzinfo=UTC)), (BEN, "Web", datetime(2026, 10, 13, tzinfo=UTC)),
    ]  # fmt: skip
    assert told(desk, "SELECT department, user_email, cost_usd FROM agg_cost_months ORDER BY department") == [
        ("Core", token, N("8.000000001")), ("Web", BEN, N(9)),
    ]  # fmt: skip
    assert told(desk, f"SELECT cost_date, cost_usd FROM fct_cost_daily WHERE user_email = '{token}' ORDER BY cost_date") == [
        (D(2026, 10, 12), N("7.000000001")), (D(2026, 10, 13), N(1)),
    ]  # fmt: skip
    assert_one_person(desk, token)


def test_an_older_name_of_the_person_is_found_by_either_address(desk: Desk, act: Callable[[str], str]) -> None:
    """The row of the sheet had the old address, and has the new one with the old as alias."""
    people(desk, D(2026, 10, 1), {"email": OLD}, {"email": BEN})
    people(desk, D(2026, 11, 1), {"email": ANA, "aliases": OLD}, {"email": BEN})
    assert erasure.addresses(desk.warehouse, ANA) == [ANA, OLD] == erasure.addresses(desk.warehouse, OLD)
    people(desk, D(2026, 11, 2), {"email": ANA, "aliases": OLD}, {"email": OLD})
    assert erasure.addresses(desk.warehouse, ANA) == [ANA], "somebody else has the address now"


@pytest.mark.parametrize("fault", ["UPDATE fct_usage_daily SET loc_added = 4 WHERE TRUE", "SELECT * FROM no_such_table"])
def test_a_refusal_leaves_nothing_behind(desk: Desk, act: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    people(desk, D(2026, 10, 1), {"email": ANA, "aliases": OLD})
    lines(desk, (D(2026, 10, 12), OLD))
    curated(desk, D(2026, 10, 1), D(2026, 10, 31), D(2026, 11, 1))
    held = ["raw_sheet_people", "raw_cursor_usage", "forgotten_people", "forget_log", "dim_users", *STANDING]
    before = {name: contents(desk, name) for name in held}
    with monkeypatch.context() as patch, pytest.raises((WarehouseError, duckdb.Error)):
        patch.setattr(erasure, "AFTERWARDS", [lambda: [fault]])
        act(ANA)
    assert {name: contents(desk, name) for name in held} == before and before["forgotten_people"] == []
    assert not Forgotten(desk.warehouse).anyone(), "so the next load names her like the days that stand"
    assert_one_person(desk, act(ANA))


@pytest.mark.either_engine
def test_both_engines_make_one_row_of_two_addresses(desk: Desk, act: Callable[[str], str]) -> None:
    """Laid by hand: what stands under both addresses in one day, a correction from one to the other, a department of each."""
    people(desk, D(2026, 9, 1), {"email": OLD, "department": "Web"})
    people(desk, D(2026, 11, 1), {"email": ANA, "aliases": OLD})
    ever = {"valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)}
    desk.lay("dim_user_assignments", {"email": ANA, "department": "Core", **ever}, {"email": OLD, "department": "Web", **ever})
    for email, department, month, active in ((ANA, "Core", 10, None), (OLD, "Web", 9, True)):
        named = {"user_id": hashlib.sha256(email.encode()).hexdigest(), "email": email, "department": department, "first_name": "Ana"}
        desk.lay("dim_users", {**named, "is_active": active, "created_at": datetime(2026, month, 1, tzinfo=UTC)})
    used = {"usage_date": D(2026, 10, 12), "platform": "cursor", "source": "s"}
    desk.lay(
        "fct_usage_daily", {**used, "user_email": ANA, "requests": 4, "input_tokens": 1}, {**used, "user_email": OLD, "requests": 3},
        {**used, "usage_date": D(2026, 10, 14), "user_email": OLD, "requests": 1},
    )  # fmt: skip
    cost = {
        "platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s", "model": "m",
    }  # fmt: skip
    october, september = {**cost, "cost_date": D(2026, 10, 12)}, {**cost, "cost_date": D(2026, 9, 10)}
    desk.lay(
        "fct_cost_daily", {**october, "user_email": ANA, "cost_usd": N("0.000000001")}, {**october, "user_email": OLD, "cost_usd": N(2)},
        {**october, "user_email": BEN, "cost_usd": N(5)}, {**september, "user_email": ANA, "cost_usd": N(20)},
    )  # fmt: skip
    booked = {k: v for k, v in september.items() if k != "settle_state"} | {"booked_on": D(2026, 9, 10), "is_correction": False}
    desk.lay("closed_cost", {**booked, "closing_id": "c1", "user_email": OLD, "department": "Web", "cost_usd": N(20)})
    desk.lay("month_closings", {"month": D(2026, 9, 1), "action": "close", "closing_id": "c1", "row_count": 1, "cost_usd": N(20)})
    desk.lay(
        "fct_cost_corrections", {**september, "user_email": ANA, "cost_usd": N(20)}, {**september, "user_email": OLD, "cost_usd": N(-20)}
    )
    desk.total()

    token = act(ANA)
    desk._outdated = False  # the totals are the act's own
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert told(desk, "SELECT user_id, email, first_name, department, is_active, created_at FROM dim_users") == [
        (digest, token, None, "Core", True, datetime(2026, 9, 1, tzinfo=UTC))
    ]
    assert told(desk, "SELECT email, department FROM dim_user_assignments") == [(token, "Core")]
    assert told(desk, "SELECT user_email, requests, input_tokens, sessions FROM fct_usage_daily ORDER BY requests") == [
        (token, 1, None, None), (token, 7, 1, None),
    ]  # fmt: skip
    assert told(desk, "SELECT user_email, active_days, last_active_date FROM agg_person_weeks") == [(token, 2, D(2026, 10, 14))]
    assert told(desk, "SELECT user_email, cost_usd FROM fct_cost_daily ORDER BY cost_usd") == [
        (token, N("2.000000001")), (BEN, N(5)), (token, N(20)),
    ]  # fmt: skip
    assert told(desk, "SELECT COUNT(*) AS n FROM fct_cost_corrections") == [(0,)]
    assert told(desk, "SELECT month, user_email, department, cost_usd FROM agg_cost_months ORDER BY cost_usd") == [
        (D(2026, 10, 1), token, "Core", N("2.000000001")), (D(2026, 10, 1), BEN, None, N(5)), (D(2026, 9, 1), token, "Web", N(20)),
    ]  # fmt: skip
    assert_totals(desk)
