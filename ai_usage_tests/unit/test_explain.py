"""From a figure to the vendor's bytes: every amount worked out by hand, and every step that does not sum is named.

Belongs here: `finance/figure.py`, `finance/evidence.py`, `finance/explain.py` and the command. Does not belong here: what the lines themselves should be.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_usage.finance.evidence import day_price
from ai_usage.finance.explain import Explanation, explain
from ai_usage.finance.figure import BY, ExplainError, Figure, named
from ai_usage.loading.forgotten import Forgotten, digest
from ai_usage.sources.anthropic.records import COST, USAGE
from ai_usage.sources.claude_ai.records import SPEND
from ai_usage.sources.cursor.records import EVENTS
from ai_usage_tests.fixtures.command import in_process
from ai_usage_tests.fixtures.desk import Desk, curated, event, spooled
from ai_usage_tests.unit.test_closing import SEP, Office, furnished

D, N = date, Decimal
NOV, DAY, NEXT, END = D(2026, 11, 1), D(2026, 11, 2), D(2026, 11, 3), D(2026, 11, 30)
ANA, BEN = "ana@example.com", "ben@example.com"
IS = {"model": "opus", "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "workspace_id": "w"}


def used(key: str, output: int) -> dict[str, Any]:
    return {"starting_at": f"{DAY}T00:00:00Z", **IS, "api_key_id": key, "uncached_input_tokens": 0, "output_tokens": output}


@pytest.fixture(scope="module")
def office(new_desk: Callable[[], Desk]) -> Desk:
    """Three days. Cursor bills Ana 2.00 on the first and, under her other address, 1.00 on the second, and Ben 0.25. Anthropic bills 1.0001 for four tokens
    of opus, one of which is k1's and three k2's. claude.ai bills Ben 0.30 for the first two days of November. Ana has a seat of 30 a month."""
    desk = new_desk()
    desk.tab("people", {"email": ANA, "department": "Data", "aliases": "a.old@example.com"}, {"email": BEN, "department": "Sales"})
    desk.tab("subscriptions", {"platform": "claude_ai", "plan": "Team", "price_usd": N(30), "email": ANA, "valid_from": NOV})
    events = [event(DAY, "Ana+x@Example.com", 150), event(DAY, ANA, 50), event(DAY, BEN, 25), event(DAY, BEN, 99, chargeable=False)]
    desk.load_day(EVENTS, DAY, events)
    desk.load_day(EVENTS, NEXT, [event(NEXT, "a.old@example.com", 100)])
    bill = {
        "starting_at": f"{DAY}T00:00:00Z",
        **IS,
        "amount": "100.01",
        "currency": "USD",
        "cost_type": "tokens",
        "token_type": "output_tokens",
    }
    desk.load_day(COST, DAY, [bill])
    desk.load_day(USAGE, DAY, [used("k1", 1), used("k2", 3)])
    spent = {
        "period_start": str(NOV),
        "period_end": str(DAY),
        "email": BEN,
        "account_uuid": "u",
        "product": "chat",
        "model": "opus",
        "total_requests": "3",
    }
    spent |= {"total_prompt_tokens": "9", "total_completion_tokens": "9", "total_net_spend_usd": "0.30", "total_gross_spend_usd": "0.40"}
    desk.load(SPEND, spooled(desk.spool, SPEND, NOV, DAY, records=[spent]), origin="upload")
    curated(desk, NOV, NEXT, D(2026, 11, 22))
    return desk


def asked(desk: Desk, first: date = NOV, last: date = END, forgotten: Forgotten | None = None, **chosen: str) -> Explanation:
    figure = Figure(first, last, {kind: [value] for kind, value in chosen.items()})
    return explain(desk.warehouse, desk.spool, forgotten or Forgotten(desk.warehouse), figure)


def steps(found: Explanation) -> dict[str, list[tuple[Decimal, Decimal]]]:
    held: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for proof in found.proofs:
        held.setdefault(proof.step, []).append((proof.whole_usd, proof.parts_usd))
    return held


@contextmanager
def changed(desk: Desk, sql: str, back: str) -> Iterator[None]:
    desk.warehouse.execute(sql)
    try:
        yield
    finally:
        desk.warehouse.execute(back)


def test_a_month_is_proved_from_the_totals_to_the_bytes(office: Desk) -> None:
    """3.25 of Cursor, 1.0001 of Anthropic, 0.30 of claude.ai, three days of a seat at 1: 7.5501. All but the seats have bytes: 4.5501."""
    found = asked(office)
    assert found.table == "agg_cost_months"
    whole, told = N("7.5501"), N("4.5501")
    expected = {"lines": whole, "days": whole, "bills": whole, "versions": told, "bytes": told}
    assert {step: pairs for step, pairs in steps(found).items() if step != "records"} == {s: [(usd, usd)] for s, usd in expected.items()}
    assert found.holds and not found.notes


def test_a_person_is_found_under_each_of_their_addresses(office: Desk) -> None:
    """Ana: 2.00 and 1.00 of Cursor, 3.00 of a seat. Of the first day's bill of 2.25 the other 0.25 is Ben's, and all 2.25 lie in the spool."""
    found = asked(office, person=ANA)
    assert found.total_usd == 6 and found.holds
    (day,) = [d for d in found.days if d["source"] == "cursor_events" and d["cost_date"] == DAY]
    assert (day["figure_usd"], day["elsewhere_usd"], day["facts_usd"], day["told_usd"]) == (N("2"), N("0.25"), N("2.25"), N("2.25"))
    assert (day["asked"], day["endpoint"], day["origin"]) == ("cursor", "filtered-usage-events", "api")
    shown = {line["cost_date"]: records for line, records in found.found}
    assert [(r.line, r.usd) for r in shown[DAY].records] == [(1, N("1.5")), (2, N("0.5"))], "as it was sent, the largest first"
    texts = [json.loads(r.text)["userEmail"] for f in shown.values() for r in f.records]
    assert texts == [ANA] * 3, "an address is written as the warehouse holds it"
    assert json.loads(shown[DAY].records[0].text)["chargedCents"] == 150


def test_a_key_is_told_by_the_line_that_it_shares(office: Desk) -> None:
    """k2 has three of four tokens: 0.750075 of 1.0001. The vendor's record bills the line, and both keys' lines sum to it."""
    found = asked(office, key="k2")
    assert found.total_usd == N("0.750075") and found.holds
    ((line, records),) = found.found
    assert (line["attribution"], line["cost_usd"]) == ("unattributed", N("0.750075")), "nobody owns the key"
    assert (records.told_usd, records.facts_usd, records.quantity, records.unit) == (N("1.0001"), N("1.0001"), 4, "Tokens")
    assert json.loads(records.records[0].text)["amount"] == "100.01"


def test_a_day_of_a_range_is_proved_by_the_range(office: Desk) -> None:
    """0.30 for two days are 0.15 a day; the record bills both."""
    found = asked(office, DAY, DAY, platform="claude_ai", person=BEN)
    assert found.total_usd == N("0.15") and found.holds
    ((_, records),) = found.found
    assert (records.told_usd, records.facts_usd) == (N("0.30"), N("0.30"))
    assert steps(found)["versions"] == [(N("0.30"), N("0.30"))]


@pytest.mark.parametrize(
    ("price", "seats", "day", "usd"),
    [
        (N(960), 1, D(2026, 11, 9), N(32)),
        (N("40"), 24, D(2026, 11, 30), N(32)),
        (N(100), 1, D(2026, 10, 1), N("3.225806451")),  # 100 / 31 = 3.2258064516…
        (N(100), 1, D(2026, 10, 31), N("3.225806470")),  # 100 - 30 × 3.225806451
        (N(-100), 1, D(2026, 10, 31), N("-3.225806470")),
    ],
)
def test_a_day_of_a_seat_by_hand(price: Decimal, seats: int, day: date, usd: Decimal) -> None:
    assert day_price(price, seats, day) == usd


def test_what_does_not_sum_is_named_at_its_step(office: Desk) -> None:
    """A cent that somebody wrote into the facts: the day's bill says 2.25 and the facts 2.26. The totals were not written anew, so the months differ too."""
    by = "SET cost_usd = cost_usd {} 0.01 WHERE user_email = 'ben@example.com' AND source = 'cursor_events'"
    with changed(office, f"UPDATE fct_cost_daily {by.format('+')}", f"UPDATE fct_cost_daily {by.format('-')}"):
        found = asked(office)
    assert not found.holds
    assert steps(found)["lines"] == [(N("7.5501"), N("7.5601"))]
    wrong = [(p.step, p.said, p.whole_usd - p.parts_usd) for p in found.proofs if not p.holds and p.step != "lines"]
    assert wrong == [("days", f"cursor_events {DAY}", N("-0.01"))]


def test_two_wrong_days_do_not_hide_each_other(office: Desk) -> None:
    by = "UPDATE agg_cost_days SET cost_usd = cost_usd {} 1 WHERE source = 'cursor_events' AND cost_date = '{}'"
    with (
        changed(office, by.format("+", DAY), by.format("-", DAY)),
        changed(office, by.format("-", NEXT), by.format("+", NEXT)),
    ):
        found = asked(office)
    assert [p.said for p in found.proofs if p.step == "days"] == [f"cursor_events {DAY}", f"cursor_events {NEXT}"]


def test_bytes_that_say_something_else_are_named(office: Desk, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    shutil.copytree(office.spool, spool)
    (held,) = spool.glob(f"cursor/*/*/{DAY:%Y%m%d}-*.zst")
    other = spooled(tmp_path / "other", EVENTS, DAY, records=[event(DAY, ANA, 200), event(DAY, BEN, 24)])
    shutil.copyfile(other.path, held)
    found = explain(office.warehouse, spool, Forgotten(office.warehouse), Figure(DAY, DAY, {"platform": ["cursor"]}))
    assert next((p.step, p.whole_usd, p.parts_usd) for p in found.proofs if not p.holds) == ("bytes", N("2.25"), N("2.24"))


def test_what_retention_took_away_is_said_and_the_rest_proved(office: Desk, tmp_path: Path) -> None:
    found = explain(office.warehouse, tmp_path, Forgotten(office.warehouse), Figure(DAY, DAY, {"platform": ["cursor"]}))
    assert found.holds and "bytes" not in steps(found) and "versions" in steps(found)
    assert found.notes[0].startswith("The bytes of 1 of 1 fetches are gone")
    assert all(records.missing and not records.records for _, records in found.found)


def test_nobody_who_was_forgotten_is_shown(office: Desk) -> None:
    row = {"address_hmac": digest(ANA, "aa"), "salt": "aa", "token": "forgotten-1@forgotten.invalid"}
    office.lay("forgotten_people", row)
    try:
        found = asked(office, DAY, DAY, platform="cursor")
    finally:
        office.warehouse.execute("DELETE FROM forgotten_people WHERE salt = 'aa'")
    texts = [r.text for _, records in found.found for r in records.records]
    assert '{"forgotten": true}' in texts and not any("ana" in text.lower() for text in texts)


@pytest.mark.either_engine
def test_a_closed_month_is_the_bill_and_what_corrects_it(desk: Desk) -> None:
    """September was closed at 10 and the vendor says 12 since: the figure is 10, 2 stand in the first open month, and the bill is 12."""
    books: Office = furnished(desk)
    books.close(SEP)
    books.tell(D(2026, 9, 30), ana="12")
    books.compute()
    september, october = asked(books.desk, SEP, D(2026, 9, 30)), asked(books.desk, D(2026, 10, 1), D(2026, 10, 31))
    (day,) = [d for d in september.days if d["figure_usd"]]
    assert (september.total_usd, day["figure_usd"], day["elsewhere_usd"], day["told_usd"]) == (10, 10, 2, 12)
    assert october.total_usd == 32
    assert september.holds and october.holds


def test_the_figure_is_the_one_that_dashboards_show(office: Desk) -> None:
    assert asked(office, DAY, DAY).table == "vw_cost_allocation", "days are no month"
    assert asked(office, model="opus").table == "vw_cost_allocation", "totals by month know no model"
    assert asked(office, workspace="w").table == "vw_cost_booked"
    assert asked(office, D(2025, 1, 1), D(2025, 1, 31)).lines.count == 0


def test_names_mean_what_people_call_things(office: Desk) -> None:
    assert named(office.warehouse, "person", " A.Old@example.com ") == [ANA]
    assert named(office.warehouse, "department", "data") == ["Data"]
    with pytest.raises(ExplainError, match=r"--person 'anna@example.com' is in no line of the books; did you mean .*ana@example.com"):
        named(office.warehouse, "person", "anna@example.com")
    with pytest.raises(ExplainError, match=r"--platform 'zzz' .*the books know 3: claude_ai, claude_api, cursor$"):
        named(office.warehouse, "platform", "zzz")
    for kind in BY:
        with pytest.raises(ExplainError):
            named(office.warehouse, kind, "no such thing")


def test_the_command_prints_the_same_three_ways(office: Desk, tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    shutil.copyfile(office.path, file)
    office.keep_open()
    shutil.copytree(office.spool, tmp_path / "spool")
    env = {
        "AI_USAGE_DATA_DIR": str(tmp_path), "AI_USAGE_DUCKDB_PATH": str(file), "AI_USAGE_START_DATE": str(NOV), "COLUMNS": "200",
        "PATH": os.environ["PATH"],
    }  # fmt: skip

    def said(*more: str) -> Any:
        return in_process(["explain", *more], env, tmp_path)

    grid = said("2026-11", "--person", ANA)
    assert grid.returncode == 0, grid.stderr
    assert "6.000000000 USD" in grid.stdout and grid.stdout.count("sums exactly") == 6
    found = json.loads(said("2026-11", "--person", "ana@EXAMPLE.com", "--lines", "1", "--format", "json").stdout, parse_float=N)
    assert found["total_usd"] == 6 and all(p["holds"] for p in found["proofs"])
    assert found["lines"][0]["cost_usd"] + found["other_lines"]["cost_usd"] == 6
    rows = list(csv.DictReader(io.StringIO(said("2026-11", "--person", ANA, "--lines", "2", "--format", "csv").stdout)))
    assert sum(N(r["cost_usd"]) for r in rows) == 6 and rows[-1]["booked_on"] == "3 other lines"
    assert rows[0]["spool_path"].startswith("cursor/") and rows[0]["fetch_id"]
    wrong = said("2026-11", "--to", "2026-11-02")
    assert wrong.returncode == 1 and "name a month" in wrong.stderr
    with changed(
        Desk(type(office.warehouse)(file), tmp_path), "UPDATE fct_cost_daily SET cost_usd = cost_usd + 1 WHERE model = 'opus'", "SELECT 1"
    ):
        broken = said("--from", str(DAY), "--to", str(DAY + timedelta(days=1)), "--platform", "claude_api", "--records", "0")
    assert broken.returncode == 1 and "does not sum" in broken.stderr
