"""What vendors send that no contract names, from the answer to the facts: it costs its own figures, and nothing stops.

Belongs here: odd values in records of every vendor, each kind with several members. Does not belong here: one mechanism of the decoder alone
(`test_decode.py`), page chains (`contract/`).
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_usage.sources import registry
from ai_usage.sources.anthropic import analytics_records, records
from ai_usage.sources.claude_ai import records as claude_ai
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.decode import Decoder
from ai_usage.sources.endpoint import NAMING, Endpoint
from ai_usage.sources.google_sheets import records as sheets
from ai_usage.sources.walk import beside
from ai_usage_tests.fixtures.desk import NOON, Desk, curated, event, spooled

D, N = date, Decimal
DAY = D(2026, 11, 10)
VENDORS = [e for e in registry.ENDPOINTS.values() if e not in sheets.ENDPOINTS]
BIG = 9 * 10**18  # a whole number of 64 bits, and twice it is none


def read(folder: Path, endpoint: Endpoint, *records_: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Any]:
    """(rows, rejects, the day) of one day's records."""
    walk = spooled(folder, endpoint, DAY, records=records_)
    with Decoder() as decoder:
        (day,) = decoder.load([walk])
        ids = {(str(walk.path), DAY): "f"}
        return decoder.rows(ids, NOON).to_pylist(), decoder.rejects(ids, NOON).to_pylist(), day


def tokens(day: date = DAY, **more: Any) -> dict[str, Any]:
    """A row of the usage report."""
    return {
        "starting_at": f"{day}T00:00:00Z", "api_key_id": "k", "model": "m", "service_tier": "standard", "context_window": "0-200k", "inference_geo": None,
        "uncached_input_tokens": 10, "output_tokens": 5,
    } | more  # fmt: skip


def line(day: date = DAY, **more: Any) -> dict[str, Any]:
    """A line of the cost report: 1 USD."""
    return {
        "starting_at": f"{day}T00:00:00Z", "amount": "100", "currency": "USD", "cost_type": "tokens", "description": "d", "model": "m",
        "token_type": "output_tokens", "service_tier": "standard", "context_window": "0-200k", "inference_geo": None, "workspace_id": None,
    } | more  # fmt: skip


def worked(breakdown: Any, day: date = DAY, customer: str = "api") -> dict[str, Any]:
    """A row of Claude Code's report."""
    core = {"num_sessions": 1, "lines_of_code": {"added": 1, "removed": 0}}
    return {
        "date": f"{day}T00:00:00Z", "actor": {"type": "user_actor", "email_address": "ana@example.com"}, "customer_type": customer, "core_metrics": core,
        "tool_actions": {}, "model_breakdown": breakdown,
    }  # fmt: skip


def spent(usd: str, day: date = DAY, **more: Any) -> dict[str, Any]:
    """A row of claude.ai's spend report of one day."""
    return {"period_start": str(day), "period_end": str(day), "email": "ana@example.com", "total_net_spend_usd": usd} | more


# Whoever is named by nothing is nobody ------------------------------------------------------------------------


def test_every_field_that_says_who_or_which_is_read_as_a_name() -> None:
    """As text, "null" would be a key with an owner: so every field that ends like a name or an id is of a kind that knows better."""
    ends = re.compile(r"(^|[._])(id|uuid|email|name|subject|model|product)$|_address$|[a-z](Id|Name|Email)$")
    assert len(VENDORS) > 15
    for endpoint in VENDORS:
        assert [f.path for f in endpoint.fields if ends.search(f.path) and f.kind not in NAMING] == [], endpoint


NOTHING = ["null", "None", " NULL ", "#N/A", "\u200b", "\u2060undefined\ufeff", "", ["k"], {"id": "k"}]


def test_a_text_that_means_nothing_names_nobody_in_any_report(tmp_path: Path) -> None:
    """Keys, workspaces, models and people of four reports: unknown, and their money counts."""
    for endpoint, record, names in (
        (analytics_records.COST, analytics, ("api_key_id", "workspace_id", "model", "actor_email", "actor_user_id")),
        (records.COST, lambda text: line(workspace_id=text, model=text), ("workspace_id", "model")),
        (cursor.EVENTS, lambda text: event(DAY, text, 100, serviceAccountId=text), ("user_email", "service_account_id")),
        (claude_ai.SPEND, lambda text: spent("1", account_uuid=text, user_id=text, model=text), ("account_uuid", "user_id", "model")),
    ):
        rows, rejects, day = read(tmp_path, endpoint, *map(record, NOTHING))
        assert [{name: row[name] for name in names} for row in rows] == [dict.fromkeys(names)] * len(NOTHING), endpoint
        assert (rejects, day.vendor_total_usd) == ([], len(NOTHING)), endpoint


def analytics(text: Any) -> dict[str, Any]:
    """A row of analytics/cost whose every name is that text: 1 USD."""
    who = {"actor": {"type": "user_actor", "user_id": text, "email_address": text}, "api_key_id": text, "workspace_id": text, "model": text}
    return {"starting_at": f"{DAY}T00:00:00Z", "group": who, "cost": {"amount": "100", "currency": "USD"}}


# A record that is nothing -------------------------------------------------------------------------------------


def test_a_record_that_is_nothing_is_rejected_alone_in_every_report(tmp_path: Path) -> None:
    """With the field that the client puts in front of each, where it does: what is an object stays one, and what is none is never made one. In
    the two reports that need nothing but the day, it is a row without a figure."""
    nothing = [b"{}", b" { } ", b"null", b"[]", b"7", b'"text"']
    for endpoint in VENDORS:
        sent = [beside(endpoint, b'"2026-11-10"', record) if endpoint.beside else record for record in nothing]
        assert [type(json.loads(r)) for r in sent] == [type(json.loads(r)) for r in nothing]
        rows, rejects, day = read(tmp_path, endpoint, *sent)
        kept = 2 if endpoint in (records.USAGE, analytics_records.ENTERPRISE_USERS) else 0
        assert (len(rows), day.records, day.rejected) == (kept, 6, 6 - kept), endpoint
        assert {r["record_number"] for r in rejects} == set(range(1 + kept, 7)), endpoint
        assert not any(v for row in rows for k, v in row.items() if k not in {"usage_date", "fetch_id", "fetched_at", "ingest_date"})


# One field, two answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "record", "field", "money"),
    [
        (cursor.EVENTS, event(DAY), "chargedCents", False),
        (cursor.EVENTS, event(DAY), "isChargeable", False),
        (cursor.EVENTS, event(DAY), "timestamp", False),
        (cursor.EVENTS, event(DAY), "userEmail", True),
        (records.COST, line(), "amount", False),
        (records.COST, line(), "currency", False),
        (records.COST, line(), "model", True),
    ],
)
def test_a_field_that_stands_twice_is_unknown_and_listed(tmp_path: Path, endpoint: Endpoint, record: dict, field: str, money: bool) -> None:
    """Which of the two is meant is nobody's to decide: money of two values is unknown money, a name of two is nobody's, and the record beside counts."""
    twice = json.dumps(record)[:-1] + f", {json.dumps(field)}: {json.dumps(record[field])}}}"
    rows, rejects, day = read(tmp_path, endpoint, twice, record)
    assert [(r["column_name"], r["reason"], r["record_number"]) for r in rejects] == [(field, "stands more than once", 1)]
    assert (len(rows), day.rejected, day.unknown_money) == ((2, 0, 0) if money else (1, 1, 1))


def test_the_clients_own_field_may_stand_in_the_record_too(tmp_path: Path) -> None:
    """A vendor that begins to send the bucket's start in each row says nothing new: the bucket's own counts."""
    own = json.dumps(line(starting_at="2026-11-11T00:00:00Z")).encode()
    (row,), rejects, _ = read(tmp_path, records.COST, beside(records.COST, b'"2026-11-10T00:00:00Z"', own))
    assert (row["usage_date"], rejects) == (DAY, [])


# Numbers that cannot be meant -----------------------------------------------------------------------------------

HUGE: list[tuple[Endpoint, Any]] = [
    (records.USAGE, lambda day: tokens(day, output_tokens=BIG)),
    (records.USAGE, lambda day: tokens(day, cache_read_input_tokens=1e15)),
    (records.COST, lambda day: line(day, amount="1e12")),
    (records.COST, lambda day: line(day, amount="-99999999999.5")),
    (records.CLAUDE_CODE, lambda day: worked([{"model": "m", "tokens": {"input": BIG, "output": "many"}}], day)),
    (records.CLAUDE_CODE, lambda day: worked([{"model": "m", "tokens": {"input": 1e25, "output": -4}}], day, "subscription")),
    (records.CLAUDE_CODE, lambda day: worked({"a": 1}, day)),
    (records.CLAUDE_CODE, lambda day: worked([1, None, "m", {"model": ["m"], "tokens": 7}], day)),
    (records.CLAUDE_CODE, lambda day: worked("null", day, "subscription")),
    (cursor.EVENTS, lambda day: event(day, tokenUsage={"inputTokens": BIG, "totalCents": 1e13})),
    (cursor.EVENTS, lambda day: event(day, cents=9e13)),
    (cursor.DAILY_USAGE, lambda day: {"userId": "u", "day": str(day), "totalLinesAdded": BIG, "acceptedLinesAdded": 0}),
    (claude_ai.SPEND, lambda day: spent("9999999999.5", day)),
    (claude_ai.SPEND, lambda day: spent("1", day, total_requests=str(BIG), total_completion_tokens=str(BIG))),
    (analytics_records.ENTERPRISE_USERS, lambda day: {"date": str(day), "user": {"id": "u"}, "chat_metrics": {"message_count": BIG}}),
]


def test_a_number_that_cannot_be_meant_stops_no_rebuild(desk: Desk) -> None:
    """Two of them add up to more than 64 bits hold, each pair on a day of its own: 1 USD of Anthropic's and 0.10 USD of Cursor's stand beside it."""
    for number, (endpoint, record) in enumerate(HUGE):
        day = DAY + timedelta(days=number)
        odd = [record(day), record(day)]
        for other, good in ((records.COST, line(day)), (cursor.EVENTS, event(day)), (endpoint, None)):
            if good is None or other is not endpoint:
                sent = (
                    odd + [line(day)] * (endpoint is records.COST) + [event(day)] * (endpoint is cursor.EVENTS) if good is None else [good]
                )
                desk.load_day(other, day, sent, origin="upload" if other is claude_ai.SPEND else "api")
    last = DAY + timedelta(days=len(HUGE) - 1)
    curated(desk, DAY, last, last)
    found = {
        (r["cost_date"], r["source"]): r["usd"]
        for r in desk.ask("SELECT cost_date, source, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY 1, 2")
    }
    for number, (endpoint, _) in enumerate(HUGE):
        day = DAY + timedelta(days=number)
        assert found[day, "anthropic_cost_report"] == 1, (number, endpoint)
        readable = N("0.3") if number == 9 else N("0.1")  # two events whose tokens alone cannot be meant
        assert found[day, "cursor_events"] == readable, (number, endpoint)
    assert found[DAY + timedelta(days=13), "claude_ai_spend"] == 2 and (DAY + timedelta(days=12), "claude_ai_spend") not in found


@pytest.mark.parametrize(
    ("breakdown", "usd"),
    [
        ([{"estimated_cost": {"amount": 5, "currency": "USD"}}, {"estimated_cost": {"amount": "2.5", "currency": "usd"}}], "0.075"),
        ([{"estimated_cost": {"amount": 5, "currency": "USD"}}, {"estimated_cost": {"amount": True, "currency": "USD"}}], None),
        ([{"estimated_cost": {"amount": 1e28, "currency": "USD"}}], None),
        ([{"estimated_cost": {"amount": -5, "currency": "USD"}}], None),
        ({"estimated_cost": {"amount": 5}}, None),
        ("null", None),
        ([], "0"),
    ],
)
def test_an_estimate_is_unknown_where_a_part_of_it_is(tmp_path: Path, breakdown: Any, usd: str | None) -> None:
    (row,), _, _ = read(tmp_path, records.CLAUDE_CODE, worked(breakdown))
    assert row["estimated_usd"] == (None if usd is None else N(usd))


# Money and days as they are written ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "counts"), [("usd", True), (" USD ", True), ("Usd", True), ("EUR", False), ("US$", False), ("", False), (True, False)]
)
def test_a_currency_is_read_whatever_its_case(tmp_path: Path, currency: Any, counts: bool) -> None:
    for endpoint, record in (
        (records.COST, line(currency=currency)),
        (analytics_records.COST, {"starting_at": f"{DAY}T00:00:00Z", "group": {}, "cost": {"amount": "100", "currency": currency}}),
    ):
        rows, _, day = read(tmp_path, endpoint, record)
        assert ([r["currency"] for r in rows], day.vendor_total_usd, day.unknown_money) == (["USD"], N(1), 0) if counts else ([], N(0), 1)


@pytest.mark.parametrize(
    ("instant", "counts"),
    [
        ("2026-11-10T00:00:00Z", True),
        ("2026-11-10", True),
        ("2026-11-10T02:00:00+02:00", True),
        ("2026-11-10T23:30:00-05:00", False),
        ("10/11/2026", False),
    ],
)
def test_a_bucket_is_of_the_utc_day_in_which_it_begins(tmp_path: Path, instant: str, counts: bool) -> None:
    """23:30 five hours west of UTC is 04:30 of the next day, which was not asked."""
    rows, rejects, _ = read(tmp_path, records.COST, line(starting_at=instant))
    assert (len(rows), len(rejects)) == ((1, 0) if counts else (0, 1))
