"""Laws 4 and 5 for Cursor's events: which of them are billed, and what one that cannot be read costs.

Truth is the test's own table of kinds, by words and not by pattern, and its own sums.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.sources.anthropic.records import COST
from ai_usage.sources.cursor import kinds
from ai_usage.sources.cursor.records import EVENTS, SPEND
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import WarehouseError, models
from ai_usage.warehouse.models import sql_root
from ai_usage_tests.fixtures.desk import NOON, Desk, event, ms

NewDesk = Callable[[], Desk]
N = Decimal
DAY = date(2026, 11, 3)
AS_OF = date(2026, 11, 22)


def build(desk: Desk, last: date = DAY, *names: str) -> None:
    """The facts that this is about, with what a run proves of them."""
    for name in names or ("dim_api_keys", "fct_cost_daily"):
        model = models.model(name)
        parameters = {"start_date": DAY, "end_date": last, "as_of_date": AS_OF, "processed_at": NOON}
        desk.warehouse.replace(model.table, model.sql, parameters, FACTS.get(name, ()))


WORDS = {
    ("usage", "based"): "billed", ("on", "demand"): "billed",
    ("included", "in", "business"): "included", ("included", "in", "pro", "plus"): "included", ("included", "in", "plan9"): "included",
    ("included",): "included",
    ("free", "credit"): "neither", ("user", "api", "key"): "neither", ("errored", "not", "charged"): "neither",
    ("aborted", "not", "charged"): "neither", ("not", "charged"): "neither", ("rate", "limited", "not", "charged"): "neither",
    # Kinds that nobody has classed, some of which hold a known one without being it.
    ("custom", "subscription"): "unknown", ("included", "insights"): "unknown", ("not", "included"): "unknown", ("free", "credit", "card"): "unknown",
    ("charged",): "unknown", ("user", "api", "keys", "pool"): "unknown", ("usage", "based", "overage"): "unknown", (): "unknown",
}  # fmt: skip


@st.composite
def spelled(draw: Any) -> tuple[str | None, str]:
    """(a kind as somebody may spell it, what it is)."""
    words, meaning = draw(st.sampled_from(sorted(WORDS.items())))
    if not words:
        return draw(st.sampled_from([None, "", "null", "?"])), meaning
    parts = (("usage", "event", "kind") if draw(st.booleans()) else ()) + words
    if draw(st.booleans()):
        text = "".join(word.capitalize() for word in parts)
    else:
        text = draw(st.sampled_from([" ", "_", "-", ", ", "__", "\u00a0", " – "])).join(parts)
        text = draw(st.sampled_from([str.lower, str.upper, str.title, str.capitalize]))(text)
    hidden = draw(st.sampled_from(["", "", "\u200b", "\u00ad", "\ufeff"]))
    place = draw(st.integers(0, len(text)))
    return draw(st.sampled_from(["", " "])) + text[:place] + hidden + text[place:], meaning


cents = st.decimals(min_value=0, max_value=5000, places=5)
flags = st.sampled_from([True, True, False, None, "absent"])
events = st.lists(st.tuples(spelled(), flags, cents), min_size=1, max_size=25)


def sent(kind: str | None, flag: Any, amount: Decimal, email: str = "ana@example.com") -> dict[str, Any]:
    found = event(DAY, email, float(amount), kind=kind, isChargeable=flag)
    if flag == "absent":
        del found["isChargeable"]
    return found


def meant(meaning: str, flag: Any) -> str:
    """Included whatever the flag says; billed where the flag says so and nothing covers the kind."""
    if meaning in ("included", "neither"):
        return meaning
    return "billed" if flag is True else "neither"


@settings(max_examples=8)
@given(events)
@example([(("Included in Business", "included"), True, N("59.65")), (("Usage-based", "billed"), True, N("204.68"))])
def test_billed_included_and_neither_part_the_events(new_desk: NewDesk, drawn: list) -> None:
    """For any kinds, spellings and flags: each event is one of three, and the decoder, staging and facts hold this test's sum of each."""
    desk = new_desk()
    # One event that has a flag, so that many without it are not taken for a changed contract.
    drawn = [*drawn, (("Usage-based", "billed"), True, N(1))]
    desk.load_day(EVENTS, DAY, [sent(kind, flag, amount) for (kind, _), flag, amount in drawn])
    sums = {"billed": N(0), "included": N(0), "neither": N(0)}
    unknown = N(0)
    for (_, meaning), flag, amount in drawn:
        sums[meant(meaning, flag)] += amount / 100
        unknown += amount / 100 if meaning == "unknown" and flag is True else 0
    build(desk, DAY, "dim_api_keys", "fct_cost_daily", "fct_usage_daily")
    assert desk.one("SELECT vendor_total_usd FROM stg_current_fetches") == sums["billed"]
    assert desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM fct_cost_daily") == sums["billed"]
    assert desk.one("SELECT COALESCE(SUM(included_usd), 0) FROM fct_usage_daily") == sums["included"]
    parts = {
        r["billing"]: r for r in desk.ask("SELECT billing, COUNT(*) AS n, SUM(charged_usd) AS usd FROM stg_cursor_events GROUP BY billing")
    }
    assert sum(r["n"] for r in parts.values()) == len(drawn) == desk.one("SELECT SUM(requests) FROM fct_usage_daily")
    assert sum(r["usd"] for r in parts.values()) == sum(sums.values())
    assert desk.one("SELECT COALESCE(SUM(cost_usd), 0) FROM stg_cursor_unknown_kinds") == unknown


def test_the_model_is_written_from_the_one_rule() -> None:
    assert (sql_root() / "staging" / "cursor" / "stg_cursor_event_versions.sql").read_text(encoding="utf-8") == kinds.model(), (
        "run `make docs`"
    )


def test_every_bill_is_proved_against_its_own_lines(desk: Desk) -> None:
    """`stg_bill_sources` names each endpoint that declares a total, and the source of its lines."""
    found = {(r["source"], r["endpoint"]): r["cost_source"] for r in desk.ask("SELECT * FROM stg_bill_sources")}
    assert found == {key: e.staged_as for key, e in ENDPOINTS.items() if e.vendor_total}


# What cannot be read ------------------------------------------------------------------------------------------------

HIDES_MONEY = [
    {"chargedCents": "n/a"}, {"chargedCents": None}, {"chargedCents": True}, {"chargedCents": 1e30}, {"chargedCents": [5]}, {"isChargeable": "perhaps"},
    {"timestamp": "yesterday"}, {"timestamp": None}, {"timestamp": str(ms(DAY - timedelta(days=2)))},
]  # fmt: skip
LACKS_OTHERS = [
    {"userEmail": None}, {"userEmail": "null"}, {"model": None}, {"model": "\ud83d"}, {"tokenUsage": "126 in"}, {"requestsCosts": "many"},
    {"maxMode": "sometimes"}, {"serviceAccountName": "\udc00 half"}, {"kind": None},
]  # fmt: skip


@st.composite
def days_of_events(draw: Any) -> tuple[list[bytes], Decimal, int]:
    """(records, the USD that can be read, how many records hide theirs)."""
    found, usd, hidden = [json.dumps(event(DAY, cents=100)).encode()], N(1), 0
    for _ in range(draw(st.integers(0, 8))):
        amount = draw(cents)
        record = event(DAY, draw(st.sampled_from(["ana@example.com", "ben@example.com"])), float(amount))
        bad = draw(st.sampled_from([{}, *LACKS_OTHERS, *HIDES_MONEY]))
        if draw(st.integers(0, 9)) == 0:
            found.append(draw(st.sampled_from([b"{}", b"null", b"7", b"[]"])))
            hidden += 1
            continue
        if bad in HIDES_MONEY:
            hidden += 1
        else:
            usd += amount / 100
        record |= bad
        if bad == {"userEmail": None} and draw(st.booleans()):
            del record["userEmail"]
        found.append(json.dumps(record).encode())
    return draw(st.permutations(found)), usd, hidden


def anthropic(amount: str = "1200") -> dict[str, Any]:
    return {
        "starting_at": f"{DAY}T00:00:00Z",
        "amount": amount,
        "currency": "USD",
        "cost_type": "tokens",
        "model": "m",
        "token_type": "output_tokens",
    }


@settings(max_examples=8)
@given(days_of_events())
def test_readable_money_is_conserved_whatever_else_cannot_be_read(new_desk: NewDesk, day: tuple[list[bytes], Decimal, int]) -> None:
    """Law 5, as far as the facts: the readable sum of the day is in them, the rest is counted and named with its line, and another vendor's facts stand."""
    records, usd, hidden = day
    desk = new_desk()
    report = desk.load_day(EVENTS, DAY, records)
    desk.load_day(COST, DAY, [anthropic()])
    assert report.error() is None
    build(desk)
    assert desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE platform = 'cursor'") == usd
    assert desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE vendor = 'Anthropic'") == 12
    (held,) = desk.ask(
        "SELECT state, vendor_total_usd, row_count, rejected_count, unknown_money_count FROM vw_certificate WHERE source = 'cursor'"
    )
    assert held == {
        "state": "complete", "vendor_total_usd": usd, "row_count": len(records) - hidden, "rejected_count": hidden, "unknown_money_count": hidden
    }  # fmt: skip
    named = desk.ask("SELECT record_number, reason, spool_path FROM stg_unknown_money ORDER BY record_number")
    assert len(named) == hidden and all(r["reason"] and (desk.spool / r["spool_path"]).is_file() for r in named)
    good = [json.dumps(event(DAY, cents=100)).encode(), *(r for r in records if b'"userEmail": "a' in r and b"100" in r)]
    assert not {records[r["record_number"] - 1] for r in named} & set(good[:1]), "the line is that of the bad record"


@settings(max_examples=3)
@given(st.sampled_from(HIDES_MONEY), cents.filter(lambda c: c > 0))
def test_a_doubling_beside_a_record_that_cannot_be_read_is_caught(new_desk: NewDesk, bad: dict[str, Any], amount: Decimal) -> None:
    """Rows of the day that came twice into raw are no bad record's excuse: nothing is written, and the source-day is named."""
    desk = new_desk()
    desk.load_day(EVENTS, DAY, [event(DAY, cents=float(amount)), {**event(DAY), **bad}])
    with duckdb.connect(str(desk.path)) as con:
        con.execute("INSERT INTO raw_cursor_events SELECT * FROM raw_cursor_events")
    with pytest.raises(WarehouseError, match="vendor's own total counts once.*per source and day"):
        build(desk)
    assert desk.one("SELECT COUNT(*) FROM fct_cost_daily") == 0


def test_one_sources_doubling_is_not_another_ones_loss(desk: Desk) -> None:
    """Per source: 12 USD more of Cursor and 12 less of Anthropic are two faults, not none."""
    desk.load_day(EVENTS, DAY, [event(DAY, cents=1200)])
    desk.load_day(COST, DAY, [anthropic()])
    with duckdb.connect(str(desk.path)) as con:
        con.execute("INSERT INTO raw_cursor_events SELECT * FROM raw_cursor_events; DELETE FROM raw_anthropic_cost")
    with pytest.raises(WarehouseError, match="per source and day"):
        build(desk)


# Situations that live accounts showed -----------------------------------------------------------------------------------


def test_included_events_that_say_they_are_chargeable(desk: Desk) -> None:
    """Cleo's one usage-based call is billed, by hand 317.25 cents; 41.125 + 6.5 included cents of hers and 80 of Dov's are not; Dov owes nothing.
    The text "null" is no service account, and nobody else is a person."""
    no = {"serviceAccountId": "null", "serviceAccountName": "null"}
    day = [
        event(DAY, "cleo@example.com", 41.125, kind="Included in Business", **no),
        event(DAY, "dov@example.com", 80, kind="USAGE_EVENT_KIND_INCLUDED_IN_BUSINESS", **no),
        event(DAY, "cleo@example.com", 6.5, kind="included_in_business", isTokenBasedCall=False, **no),
        event(DAY, "cleo@example.com", 317.25, cursorTokenFee=60.5, **no),
        event(DAY, "dov@example.com", 700.5, kind="Errored, Not Charged", chargeable=False, **no),
    ]
    desk.load_day(EVENTS, DAY, day)
    build(desk, DAY, "dim_api_keys", "fct_cost_daily", "fct_usage_daily", "dim_users")
    assert desk.ask("SELECT user_email, api_key_id, cost_usd FROM fct_cost_daily") == [
        {"user_email": "cleo@example.com", "api_key_id": None, "cost_usd": N("3.1725")}
    ]
    included = desk.ask("SELECT user_email, SUM(included_usd) AS usd FROM fct_usage_daily GROUP BY 1 ORDER BY 1")
    assert [tuple(r.values()) for r in included] == [("cleo@example.com", N("0.47625")), ("dov@example.com", N("0.8"))]
    assert desk.one("SELECT COUNT(*) FROM dim_api_keys") == 0
    assert desk.ask("SELECT email FROM dim_users ORDER BY 1") == [{"email": "cleo@example.com"}, {"email": "dov@example.com"}]


def test_a_removed_members_events_name_nobody(desk: Desk) -> None:
    """A day whose only event names nobody, and one on which somebody else worked too: 0.70 unattributed, then 0.45, of it 0.20 unattributed."""
    later = DAY + timedelta(days=3)
    nobody = {k: v for k, v in event(DAY, cents=70).items() if k != "userEmail"}
    desk.load_day(EVENTS, DAY, [nobody])
    desk.load_day(EVENTS, later, [event(later, "eve@example.com", 25), {**event(later, cents=20), "userEmail": None}])
    desk.load_day(COST, DAY, [anthropic()])
    build(desk, later)
    found = desk.ask("SELECT cost_date, user_email, attribution, cost_usd FROM fct_cost_daily WHERE platform = 'cursor' ORDER BY 1, 4 DESC")
    assert [tuple(r.values()) for r in found] == [
        (DAY, None, "unattributed", N("0.7")),
        (later, "eve@example.com", "direct", N("0.25")),
        (later, None, "unattributed", N("0.2")),
    ]
    assert desk.one("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE vendor = 'Anthropic'") == 12


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([{"userId": "1", "email": "a@example.com", "includedSpendCents": 8100}], [N(0)]),
        ([{"userId": "1", "email": "a@example.com", "spendCents": 75.5}, {"userId": "2", "email": "b@example.com"}], [N("0.755"), N(0)]),
        ([{"userId": "1", "email": "a@example.com", "spendCents": "n/a"}, {"userId": "2", "spendCents": 5}], [N("0.05")]),
        ([{"userId": "1", "spendCents": True}, {}, {"userId": "3", "email": "", "spendCents": 1}], [N("0.01")]),
    ],
)
def test_spend_that_is_left_out_is_zero_and_spend_that_cannot_be_read_is_not(
    desk: Desk, members: list[dict], expected: list[Decimal]
) -> None:
    desk.load_day(SPEND, DAY, [{"subscriptionCycleStart": "1793491200000", **m} for m in members])
    found = desk.ask("SELECT cycle_spend_usd, cycle_start_at, email FROM raw_cursor_spend ORDER BY user_id")
    assert [r["cycle_spend_usd"] for r in found] == expected and all(f"{r['cycle_start_at']:%Y-%m-%d}" == "2026-11-01" for r in found)
    assert "" not in {r["email"] for r in found}
