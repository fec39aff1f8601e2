"""Cursor's contract: each recorded answer becomes the rows that a person reads in it, each request has the recorded shape.

Every expected number here was read out of the example files by hand. Belongs here: one vendor's answers and requests. Does not
belong here: faults and retries (unit/test_http.py, faults/).
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ai_usage.sources.cursor import records
from ai_usage.sources.cursor.client import CursorClient
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, ContractError, MovingSetError, PermanentError, RefusedError, SourceError, TransientError
from ai_usage_tests.fixtures.desk import EXAMPLES, Answers, Desk, example

TWO_DAYS = Window(date(2026, 11, 1), date(2026, 11, 2))
TODAY = Window(date(2026, 11, 22), date(2026, 11, 22))
KEY = "key_0123456789abcdef"
INDEX = {f["file"]: f for f in json.loads(example("INDEX.json"))["files"]}
ANA, BEN = "user_AnaExample00000000000000", "user_BenExample00000000000000"


@pytest.fixture
def cursor(answers: Answers, desk: Desk):
    client = CursorClient(answers.url, KEY, desk.spool, rate_factor=0, tries=2, backoff_s=0.001)
    yield client
    client.close()


def load(desk: Desk, endpoint: Endpoint, walk):
    """Through the loader, as an asset does it."""
    report = desk.load(endpoint, walk)
    assert report.error() is None
    return report


def test_five_events_of_two_pages_are_five_typed_rows(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    """21.36232 + 37.33 + 12.5 = 71.19232 cents are billed, 3.5 + 8 = 11.5 cents are included value, and no other sum is money."""
    answers.give(example("cursor/teams_filtered_usage_events.page1.json"))
    answers.give(example("cursor/teams_filtered_usage_events.page2.json"))
    report = load(desk, records.EVENTS, cursor.events(TWO_DAYS))
    assert (report.rows, report.rejected, report.pages, report.requests) == (5, 0, 2, 2)
    assert report.vendor_total_usd == Decimal("0.7119232")
    rows = {r["event_at"]: r for r in desk.ask("SELECT * FROM raw_cursor_events")}
    assert len(rows) == 5
    assert sum(r["charged_usd"] for r in rows.values() if r["is_chargeable"]) == Decimal("0.7119232")
    assert sum(r["charged_usd"] for r in rows.values() if not r["is_chargeable"]) == Decimal("0.115")
    ben = rows[datetime(2026, 11, 2, 10, 0, 0, 123000, UTC)]
    assert ben["usage_date"] == date(2026, 11, 2)
    assert {k: ben[k] for k in ("user_email", "model", "kind", "is_max_mode", "is_token_based", "is_headless", "is_chargeable")} == {
        "user_email": "ben@example.com",
        "model": "claude-5-sonnet",
        "kind": "Usage-based",
        "is_max_mode": False,
        "is_token_based": True,
        "is_headless": False,
        "is_chargeable": True,
    }
    assert (ben["input_tokens"], ben["output_tokens"], ben["cache_write_tokens"], ben["cache_read_tokens"]) == (126, 450, 6112, 11964)
    assert (ben["charged_usd"], ben["list_usd"], ben["token_fee_usd"]) == (Decimal("0.2136232"), Decimal("0.2018232"), Decimal("0.0118"))
    assert ben["conversation_id"] == "8f2e4a1b-0000-4e5f-9a7b-000000000001"
    assert ben["service_account_id"] is None and ben["discount_pct"] is None
    discounted = rows[datetime(2026, 11, 1, 13, 53, 20, tzinfo=UTC)]
    assert (discounted["discount_pct"], discounted["list_usd"], discounted["charged_usd"]) == (10, Decimal("0.40167"), Decimal("0.3733"))
    flat = rows[datetime(2026, 11, 1, 13, 36, 40, tzinfo=UTC)]
    assert flat["request_units"] == Decimal("1.4") and flat["charged_usd"] == Decimal("0.08") and not flat["is_chargeable"]
    assert [flat[c] for c in ("input_tokens", "output_tokens", "list_usd", "token_fee_usd", "conversation_id")] == [None] * 5
    machine = rows[datetime(2026, 11, 1, 13, 20, tzinfo=UTC)]
    assert (machine["service_account_id"], machine["service_account_name"]) == ("sa_example01", "Nightly CI Agent")
    assert (machine["cloud_agent_id"], machine["automation_id"]) == ("bc-example-01", "7fc64f90-0000-4a5d-91b1-000000000001")
    assert machine["user_email"] == "agent-runner@example.com" and machine["is_headless"]
    assert all(r["extra"] is None for r in rows.values()), "every field of the contract has a column"
    days = {r["usage_date"]: r for r in desk.ask("SELECT * FROM raw_fetches")}
    assert {d: (r["row_count"], r["vendor_total_usd"]) for d, r in days.items()} == {
        date(2026, 11, 1): (3, Decimal("0.4983")),
        date(2026, 11, 2): (2, Decimal("0.2136232")),
    }


def test_daily_usage_of_two_members_and_two_days_is_four_rows(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    """A page counts members, not rows; inactive days are rows with zeros, and null texts stay NULL."""
    answers.give(example("cursor/teams_daily_usage_data.page1.json"))
    answers.give(example("cursor/teams_daily_usage_data.page2.json"))
    report = load(desk, records.DAILY_USAGE, cursor.daily_usage(TWO_DAYS))
    second = json.loads(example("cursor/teams_daily_usage_data.page2.json"))
    assert (report.rows, report.pages, report.vendor_total_usd) == (2 + len(second["data"]), 2, None)
    rows = {(r["user_id"], r["usage_date"]): r for r in desk.ask("SELECT * FROM raw_cursor_usage")}
    ana = rows[ANA, date(2026, 11, 1)]
    assert {k: v for k, v in ana.items() if k not in {"fetch_id", "fetched_at", "ingest_date"}} == {
        "usage_date": date(2026, 11, 1),
        "extra": None,
        "user_id": ANA,
        "email": "ana@example.com",
        "is_active": True,
        "lines_added": 1543,
        "lines_deleted": 892,
        "accepted_lines_added": 1102,
        "accepted_lines_deleted": 645,
        "applies": 87,
        "accepts": 73,
        "rejects": 14,
        "tabs_shown": 342,
        "tabs_accepted": 289,
        "composer_requests": 0,
        "chat_requests": 0,
        "agent_requests": 2,
        "cmdk_usages": 0,
        "bugbot_usages": 0,
        "subscription_included_requests": 1,
        "usage_based_requests": 1,
        "api_key_requests": 0,
        "most_used_model": "claude-5-sonnet",
        "apply_most_used_extension": ".py",
        "tab_most_used_extension": ".py",
        "client_version": "2.4.1",
    }
    idle = rows[ANA, date(2026, 11, 2)]
    assert idle["is_active"] is False and idle["lines_added"] == 0 and idle["most_used_model"] is None


def test_the_unpaged_answer_is_read_too(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    """Without a pagination object the answer is whole: 1102 + 38 accepted lines."""
    answers.give(example("cursor/teams_daily_usage_data.unpaginated.json"))
    assert load(desk, records.DAILY_USAGE, cursor.daily_usage(TWO_DAYS)).rows == 2
    assert answers.left == 0 and len(answers.asked) == 1
    assert desk.one("SELECT SUM(accepted_lines_added) FROM raw_cursor_usage") == 1140


def test_members_are_one_unpaged_answer_and_removed_ones_stay(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    answers.give(example("cursor/teams_members.json"))
    load(desk, records.MEMBERS, cursor.members(TODAY))
    rows = desk.ask("SELECT user_id, name, email, role, is_removed, usage_date FROM raw_cursor_members ORDER BY email")
    assert [tuple(r.values()) for r in rows] == [
        (ANA, "Ana Example", "ana@example.com", "owner", False, date(2026, 11, 22)),
        (BEN, "Ben Example", "ben@example.com", "member", False, date(2026, 11, 22)),
        ("user_ChloeExample000000000000", "Chloe Example", "chloe@example.com", "member", True, date(2026, 11, 22)),
    ]


def test_spend_is_cents_except_limits_which_are_dollars(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    """37.33 cents of spend are 0.3733 USD; a limit of 200 is 200 USD; the cycle began on 2026-11-01."""
    answers.give(example("cursor/teams_spend.page1.json"))
    answers.give(example("cursor/teams_spend.page2.json"))
    report = load(desk, records.SPEND, cursor.spend(TODAY))
    assert report.rows == 2 and report.vendor_total_usd is None, "a running total is never summed as money"
    (ana,) = desk.ask("SELECT * FROM raw_cursor_spend WHERE user_id = @id", id=ANA)
    assert (ana["cycle_spend_usd"], ana["cycle_overall_usd"], ana["cycle_included_usd"]) == (Decimal("0.3733"), Decimal("0.4533"), None)
    assert (ana["hard_limit_override_usd"], ana["monthly_limit_usd"], ana["effective_limit_usd"]) == (100, 200, 100)
    assert ana["cycle_start_at"] == datetime(2026, 11, 1, tzinfo=UTC) and ana["premium_requests"] == 1
    (ben,) = desk.ask("SELECT * FROM raw_cursor_spend WHERE user_id = @id", id=BEN)
    assert ben["cycle_spend_usd"] == Decimal("0.2136232"), "the same 21.36232 cents as Ben's billed event"


# Requests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "call", "window", "page_size"),
    [
        (["teams_members.json"], "members", TODAY, None),
        (["teams_daily_usage_data.page1.json", "teams_daily_usage_data.page2.json"], "daily_usage", TWO_DAYS, 1000),
        (["teams_filtered_usage_events.page1.json", "teams_filtered_usage_events.page2.json"], "events", TWO_DAYS, 1000),
        (["teams_spend.page1.json", "teams_spend.page2.json"], "spend", TODAY, 1000),
    ],
)
def test_requests_have_the_recorded_shape(answers: Answers, cursor: CursorClient, files, call, window, page_size) -> None:
    """Method, path, Basic auth with the key as user name, and the JSON body are those of INDEX.json; only the page size is ours."""
    for name in files:
        answers.give(example(f"cursor/{name}"))
    getattr(cursor, call)(window)
    assert len(answers.asked) == len(files)
    for asked, name in zip(answers.asked, files, strict=True):
        recorded = INDEX[f"cursor/{name}"]["request"]
        assert asked.method == recorded["method"]
        assert "https://api.cursor.com" + asked.path == recorded["url"]
        assert asked.headers["authorization"] == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
        body = recorded.get("json")
        assert asked.json == (None if body is None else {**body, "pageSize": page_size})
        assert asked.query == {}
    if window is TWO_DAYS:
        assert answers.asked[0].json["startDate"] == 1793491200000, "2026-11-01T00:00:00.000Z"
        assert answers.asked[0].json["endDate"] == 1793663999999, "2026-11-02T23:59:59.999Z: both bounds are inclusive"


def test_every_cursor_example_is_used() -> None:
    """A recorded answer that no test reads proves nothing."""
    here = __import__("pathlib").Path(__file__).read_text(encoding="utf-8")
    groups = {"teams_group.json", "teams_groups.json"}  # read by nothing yet: the simulator's own tests hold them
    for path in (EXAMPLES / "cursor").glob("*.json"):
        assert path.name in here or path.name in groups, path.name


# Errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "requests", "says"),
    [
        (400, PermanentError, 1, ["400", "Date range cannot exceed 30 days"]),
        (401, AuthError, 1, ["401", "CURSOR_ADMIN_API_KEY"]),
        (403, RefusedError, 1, ["403", "not allowed", "administrator"]),
        (404, PermanentError, 1, ["404", "base URL"]),
        (429, TransientError, 2, ["429", "run again later"]),
        (500, TransientError, 2, ["500", "run again later"]),
    ],
)
def test_each_error_example_has_its_class_and_one_sentence(answers: Answers, cursor: CursorClient, status, kind, requests, says) -> None:
    """Permanent errors are asked once, transient ones again; the message names the endpoint and the remedy, never the key."""
    for _ in range(2):
        answers.give(example(f"cursor/errors/{status}.json"), status)
    with pytest.raises(SourceError) as caught:
        cursor.events(TWO_DAYS)
    assert type(caught.value) is kind
    assert len(answers.asked) == requests
    message = str(caught.value)
    assert all(part in message for part in [*says, "/teams/filtered-usage-events", "Cursor"]), message
    assert "\n" not in message and message.endswith(".") and KEY not in message


# Chains that are not closed -----------------------------------------------------------------------------------


def page(number: int, pages: int, events: list, total: int) -> dict:
    return {
        "totalUsageEventsCount": total,
        "usageEvents": events,
        "pagination": {
            "numPages": pages,
            "currentPage": number,
            "pageSize": 1000,
            "hasNextPage": number < pages,
            "hasPreviousPage": number > 1,
        },
    }


EVENT = {"timestamp": "1793613600123", "userEmail": "a@example.com", "isChargeable": True, "chargedCents": 1}


def test_fewer_events_than_announced_are_never_published(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    """A chain that ends early is walked again, at most three times, and then fails; no spool file stays behind."""
    for _ in range(4):
        answers.give(page(1, 1, [EVENT], 2))
    with pytest.raises(MovingSetError, match="1 events came where 2 were announced"):
        cursor.events(TWO_DAYS)
    assert len(answers.asked) == 4
    assert not [p for p in desk.spool.rglob("*") if p.is_file()]


def test_a_set_that_moved_between_pages_is_walked_again_from_page_one(answers: Answers, cursor: CursorClient) -> None:
    answers.give(page(1, 2, [EVENT], 2))
    answers.give(page(2, 2, [EVENT, EVENT], 3))  # one more arrived meanwhile
    answers.give(page(1, 2, [EVENT, EVENT], 3))
    answers.give(page(2, 2, [EVENT], 3))
    found = cursor.events(TWO_DAYS)
    assert [a.json["page"] for a in answers.asked] == [1, 2, 1, 2]
    assert (found.records, found.pages, found.requests) == (3, 2, 4)


def test_a_page_that_says_it_is_another_one_is_asked_again(answers: Answers, cursor: CursorClient) -> None:
    answers.give(page(1, 2, [EVENT], 2))
    answers.give(page(1, 2, [EVENT], 2))  # asked 2, got 1
    answers.give(page(2, 2, [EVENT], 2))
    assert cursor.events(TWO_DAYS).records == 2
    assert [a.json["page"] for a in answers.asked] == [1, 2, 2]


def test_a_changed_envelope_is_a_contract_error_and_not_an_empty_day(answers: Answers, cursor: CursorClient) -> None:
    """JSON without the list of records must not be read as "nothing happened"."""
    answers.give({"usageEventsV2": [], "totalUsageEventsCount": 0})
    with pytest.raises(ContractError, match="another shape"):
        cursor.events(TWO_DAYS)
    assert len(answers.asked) == 1


def test_html_with_200_is_tried_again_and_never_an_empty_day(answers: Answers, cursor: CursorClient) -> None:
    for _ in range(2):
        answers.give(b"<!doctype html><title>Sign in</title>", Content_Type="text/html")
    with pytest.raises(TransientError, match="not JSON"):
        cursor.events(TWO_DAYS)
    assert len(answers.asked) == 2


def test_a_spend_answer_without_its_cycle_start_is_refused(answers: Answers, cursor: CursorClient, desk: Desk) -> None:
    """Nothing is guessed: a cycle that the vendor does not name did not begin in 1970."""
    answer = json.loads(example("cursor/teams_spend.page1.json"))
    del answer["subscriptionCycleStart"]
    answers.give({**answer, "totalMembers": 1, "totalPages": 1})
    try:
        report = desk.load(records.SPEND, cursor.spend(TODAY))
    except SourceError:
        return
    assert report.error() is not None, desk.ask("SELECT cycle_start_at FROM raw_cursor_spend")


@pytest.mark.parametrize("strange", ["abc", 5, None, [1]])
def test_an_entry_that_is_no_record_is_recorded_and_takes_nothing_down(answers: Answers, cursor: CursorClient, desk: Desk, strange) -> None:
    """A list of events that holds something else costs at most its own day, as a reject or as a failed fetch: never a traceback."""
    answers.give(page(1, 1, [{**EVENT, "timestamp": "1793491200000"}, strange], 2))
    report = desk.load(records.EVENTS, cursor.events(Window(date(2026, 11, 1), date(2026, 11, 1))))
    states = [r["state"] for r in desk.ask("SELECT state FROM raw_fetches")]
    if states == ["complete"]:
        assert desk.one("SELECT COUNT(DISTINCT record_number) FROM raw_rejects") == 1
    else:
        assert states == ["failed"] and report.error() is not None
