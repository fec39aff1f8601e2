"""The simulator keeps the vendors' contracts, its books agree with what it serves, and its faults are real.

Belongs here: the simulator alone, read with plain `requests`, sockets and the real gspread.
Does not belong here: the platform's clients (they have contract and fault tests of their own).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace

import gspread
import pytest
import requests

from ai_usage.simulator import Fault, Simulator, World
from ai_usage.simulator.books import AccountDay
from ai_usage.simulator.cursor.api import _spend_row
from ai_usage.simulator.google_sheets.sheet import DOLLARS, Cell
from ai_usage.simulator.server import RateLimit

EXAMPLES = Path(__file__).parents[1] / "fixtures" / "contracts"
DAY = 86_400_000
EVENTS, DAILY = "/teams/filtered-usage-events", "/teams/daily-usage-data"
# Every kind that the vendor's contract shows, by what becomes of its money.
BILLED = {"Usage-based", "USAGE_EVENT_KIND_USAGE_BASED", "On-Demand"}
INCLUDED = {"Included in Business", "USAGE_EVENT_KIND_INCLUDED_IN_BUSINESS", "included_in_business", "Included"}
GRANTED = {"Free Credit", "USAGE_EVENT_KIND_FREE_CREDIT", "User API Key", "USAGE_EVENT_KIND_USER_API_KEY"}
ERRORED = {"Errored, Not Charged", "Aborted, Not Charged", "USAGE_EVENT_KIND_ERRORED_NOT_CHARGED"}


def ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def window(first: date, last: date) -> dict:
    return {"startDate": ms(first), "endDate": ms(last) + DAY - 1}


def small(**changes) -> World:
    given = {
        "people": 10,
        "first_day": date(2026, 10, 30),
        "last_day": date(2026, 11, 8),
        "events_per_person_day": 3.0,
    }
    return World(**{**given, **changes})


class Vendor:
    """A plain reader: no retries, exact numbers."""

    def __init__(self, sim: Simulator) -> None:
        self.sim, self.session = sim, requests.Session()
        self.session.auth = ("simulator", "")

    def raw(self, method: str, path: str, **kwargs) -> requests.Response:
        return self.session.request(method, self.sim.url + path, timeout=60, **kwargs)

    def post(self, path: str, **body) -> dict:
        return self.ok(self.raw("POST", path, json=body))

    def get(self, path: str, **query) -> dict:
        return self.ok(self.raw("GET", path, params=query))

    @staticmethod
    def ok(response: requests.Response) -> dict:
        assert response.status_code == 200, response.text
        return json.loads(response.content, parse_float=Decimal)

    def events(self, first: date, last: date, size: int = 100, **filters) -> list[dict]:
        found, page = [], 1
        while True:
            body = self.post(EVENTS, **window(first, last), page=page, pageSize=size, **filters)
            found += body["usageEvents"]
            if not body["pagination"]["hasNextPage"]:
                assert body["totalUsageEventsCount"] == len(found)
                return found
            page += 1

    def values(self, range_: str, **query) -> dict:
        path = f"/v4/spreadsheets/{self.sim.sheet_id}/values/{requests.utils.quote(range_, safe='')}"
        return self.get(path, **query)


@pytest.fixture(scope="module")
def world() -> World:
    return World()  # the demo's; tests that change it make their own


@pytest.fixture(scope="module")
def shared(world):
    with Simulator(world) as sim:
        yield sim


@pytest.fixture
def vendor(shared) -> Vendor:
    return Vendor(shared)


@pytest.fixture
def fresh():
    with Simulator(small()) as sim:
        yield Vendor(sim)


def event_day(event: dict) -> date:
    return datetime.fromtimestamp(int(event["timestamp"]) // 1000, UTC).date()


# ---------------------------------------------------------------- books and served data


def test_served_events_sum_to_the_books(world, vendor):
    books, events = world.truth, vendor.events(world.first_day, world.last_day, size=1000)
    sums = {name: defaultdict(Decimal) for name in ("billed", "included", "neither", "listed")}
    tokens = defaultdict(Counter)
    for event in events:
        email = event.get("userEmail")
        key = event_day(event), books.canonical(email) if email else None
        part = "billed" if event["kind"] in BILLED else "included" if event["kind"] in INCLUDED else "neither"
        sums[part][key] += Decimal(event["chargedCents"]) / 100
        if usage := event.get("tokenUsage"):
            sums["listed"][key] += Decimal(usage["totalCents"]) / 100
            names = {
                "input": "input",
                "output": "output",
                "cache_read": "cacheRead",
                "cache_write": "cacheWrite",
            }
            tokens[(*key, event["model"])].update({n: usage[f"{v}Tokens"] for n, v in names.items()})
    nonzero = {name: {k: v for k, v in found.items() if v} for name, found in sums.items()}
    assert nonzero["billed"] == books.billed_usd_by_day_user()
    assert nonzero["included"] == books.included_usd_by_day_user()
    assert nonzero["listed"] == books.list_usd_by_day_user()
    assert {k: dict(v) for k, v in tokens.items()} == books.tokens_by_day_user_model()
    by_day = Counter(map(event_day, events))
    assert by_day == {d: n for d, n in books.events_by_day().items() if n}
    assert sorted(by_day) == books.active_days
    assert sum(nonzero["billed"].values()) == books.billed_usd() == sum(books.billed_usd_by_day().values())
    day = books.active_days[5]
    assert books.billed_usd(day) == books.billed_usd_by_day()[day] > 0


def test_daily_rows_sum_to_the_books_in_both_pagings(world, vendor):
    books, first, last = world.truth, date(2026, 10, 20), date(2026, 11, 18)
    expected = books.accepted_lines_by_day_user(first, last)
    paged, page = [], 1
    while True:
        body = vendor.post(DAILY, **window(first, last), page=page, pageSize=7)
        paged += body["data"]
        if not body["pagination"]["hasNextPage"]:
            break
        page += 1
    assert len(paged) == 30 * len(world.cast.accounts) == 30 * body["pagination"]["totalUsers"]
    unpaged = vendor.post(DAILY, **window(first, last))
    assert "pagination" not in unpaged
    assert unpaged["data"] == [row for row in paged if row["isActive"]]
    lines = Counter()
    for row in paged:
        lines[date.fromisoformat(row["day"]), books.canonical(row["email"])] += row["acceptedLinesAdded"]
    assert {k: v for k, v in lines.items() if v} == expected


def test_inactive_rows_and_partial_days(world, vendor):
    first = date(2026, 11, 2)
    body = vendor.post(DAILY, **window(first, first), page=1, pageSize=100)
    idle = next(row for row in body["data"] if not row["isActive"])
    assert idle["mostUsedModel"] is None and idle["clientVersion"] is None and idle["totalLinesAdded"] == 0
    noon = ms(first) + DAY // 2
    morning = vendor.post(DAILY, startDate=ms(first), endDate=noon - 1)["data"]
    shifted = vendor.post(DAILY, startDate=noon, endDate=noon + 30 * DAY)["data"]
    assert len({row["day"] for row in vendor.post(DAILY, startDate=noon - 31 * DAY, endDate=noon - DAY - 1)["data"]}) > 20
    assert all(row["date"] % DAY == DAY // 2 for row in shifted)
    parts = Counter()
    for row in morning + [r for r in shifted if r["day"] == str(first)]:
        parts[row["userId"]] += row["totalLinesAdded"]
    assert parts == Counter({r["userId"]: r["totalLinesAdded"] for r in body["data"] if r["isActive"]})
    assert max(row["day"] for row in shifted) == str(world.last_day)  # nothing of the future


def test_spend_is_cumulative_and_agrees_with_the_events(world, vendor):
    rows, page = [], 1
    while True:
        body = vendor.post("/teams/spend", page=page, pageSize=10, sortBy="user", sortDirection="asc")
        rows += body["teamMemberSpend"]
        if page >= body["totalPages"]:
            break
        page += 1
    assert body["subscriptionCycleStart"] == ms(date(2026, 11, 1))
    assert body["totalMembers"] == len(rows) == len({row["userId"] for row in rows})
    assert [r["name"].lower() for r in rows] == sorted(r["name"].lower() for r in rows)
    spend, overall = defaultdict(Decimal), defaultdict(Decimal)
    for event in vendor.events(date(2026, 11, 1), world.last_day, size=1000):
        if event.get("serviceAccountId") in (None, "null"):
            email = event.get("userEmail")
            overall[email] += event["chargedCents"] if event["kind"] in BILLED | INCLUDED else 0
            spend[email] += event["chargedCents"] if event["kind"] in BILLED else 0
    (gone,) = (r for r in rows if r["email"] == removed_member(vendor))  # the vendor's total knows whose the events are that name nobody
    spend[gone["email"]] += spend.pop(None)
    overall[gone["email"]] += overall.pop(None)
    assert {r["email"]: r.get("spendCents", 0) for r in rows} == {r["email"]: spend[r["email"]] for r in rows}
    assert {r["email"]: r["overallSpendCents"] for r in rows} == {r["email"]: overall[r["email"]] for r in rows}
    assert "spendCents" not in _spend_row(world.cast.accounts[0], AccountDay()), "left out where it is 0"
    assert set(overall) <= {r["email"] for r in rows}
    amounts = [r.get("spendCents", 0) for r in vendor.post("/teams/spend", sortBy="amount")["teamMemberSpend"]]
    assert amounts == sorted(amounts, reverse=True)


def removed_member(vendor) -> str:
    (email,) = (m["email"] for m in vendor.get("/teams/members")["teamMembers"] if m["isRemoved"])
    return email


def test_groups_hold_the_members_spend(world, vendor):
    body = vendor.get("/teams/groups")
    groups = [*body["groups"], body["unassignedGroup"]]
    assert {g["name"] for g in groups} == {
        "Engineering",
        "Data",
        "Product",
        "Design",
        "Finance",
        "Unassigned",
    }
    books = world.truth
    service = sum(v for (_, e), v in books.billed_usd_by_day_user(date(2026, 11, 1)).items() if e and e.startswith("agent-"))
    assert sum(g["spendCents"] for g in groups) / 100 == books.billed_usd(date(2026, 11, 1), world.last_day) - service
    for group in groups:
        assert group["spendCents"] == sum(d["spendCents"] for d in group["dailySpend"])
    one = vendor.get(f"/teams/groups/{groups[0]['id']}", billingCycle="2026-09-01")
    assert one["billingCycle"]["cycleEnd"].startswith("2026-10-01")
    assert vendor.raw("GET", "/teams/groups/nope").status_code == 404
    september = vendor.get("/teams/groups", billingCycle="2026-09-01")["groups"]
    former = [m for g in september for m in g["formerMembers"] if m["leftAt"].startswith("2026-09-27")]
    assert [m["name"] for m in former] == ["Ben Brook"]


# ---------------------------------------------------------------- what the world must contain


def test_a_day_is_the_same_whatever_the_window():
    day = date(2026, 11, 3)
    wide, narrow = World(people=12), World(people=12, first_day=day, last_day=day)
    assert wide.day(day) == narrow.day(day)
    assert World(seed=8, people=12).day(day) != wide.day(day)
    ana = [e for e in World(people=3).day(day).events if e.account.email == "ana.example@example.com"]
    assert ana == [e for e in wide.day(day).events if e.account.email == "ana.example@example.com"]


def test_the_awkward_cases_are_there(world, vendor):
    books = world.truth
    events = vendor.events(world.first_day, world.last_day, size=1000)
    members = vendor.get("/teams/members")["teamMembers"]
    removed = {m["email"] for m in members if m["isRemoved"]}
    assert len(removed) == 1 and removed & {e.get("userEmail") for e in events}
    assert any("userEmail" not in e for e in events) and any(e.get("userEmail", "") is None for e in events), "some of a removed member's"
    one = {m["email"] for m in members if books.canonical(m["email"]) == "chloe.banks@example.com"}
    assert one == {"Chloe.Banks@Example.com", "chloe.banks+cursor@example.com", "cbanks@example.com"}
    assert one <= {e.get("userEmail") for e in events}
    unknown = {books.canonical(m["email"]) for m in members if books.department_on(m["email"], world.last_day) is None}
    assert unknown == {"dana.rivers@example.com"}
    moved = world.cast.moved_on
    assert books.department_on("ben.brook@example.com", moved - timedelta(days=1)) == "Engineering"
    assert books.department_on("ben.brook@example.com", moved) == "Product"
    agents = [e for e in events if e.get("serviceAccountId") not in (None, "null")]
    assert any(e.get("serviceAccountId") == "null" for e in events)
    assert agents and all(
        e["isHeadless"] and e["userEmail"] == "agent-runner@example.com" and e["cloudAgentId"] and e["automationId"] for e in agents
    )
    assert {e["kind"] for e in events} == BILLED | INCLUDED | GRANTED | ERRORED
    flags = {
        name: {e["isChargeable"] for e in events if e["kind"] in kinds} for name, kinds in (("included", INCLUDED), ("granted", GRANTED))
    }
    assert flags == {"included": {True, False}, "granted": {True, False}}
    for event in events:
        kind, charged, usage = event["kind"], event["chargedCents"], event.get("tokenUsage")
        assert (event["isChargeable"] or kind not in BILLED) and (charged == 0) == (kind in ERRORED)
        assert event["isTokenBasedCall"] == (usage is not None)
        if usage and kind in BILLED:
            net = Decimal(usage["totalCents"]) * (100 - usage.get("discountPercentOff", 0)) / 100
            assert 0 <= net + event["cursorTokenFee"] - charged < Decimal("0.000001")
    assert any("discountPercentOff" in e.get("tokenUsage", {}) for e in events)
    assert any(e["kind"] in BILLED and "tokenUsage" not in e for e in events)
    twins = Counter(json.dumps(e, default=str) for e in events if e["kind"] in BILLED)
    assert len([n for n in twins.values() if n == 2]) > 10 and max(twins.values()) == 2
    instants = Counter(int(e["timestamp"]) % DAY for e in events)
    assert instants[0] >= len(books.active_days) and instants[DAY - 1] >= len(books.active_days)
    quiet = [d for d, n in books.events_by_day().items() if not n]
    assert quiet and World(first_day=date(2026, 12, 25), last_day=date(2027, 1, 1)).truth.events_by_day()[date(2027, 1, 1)] == 0
    weekdays, weekends = ([n for d, n in books.events_by_day().items() if (d.weekday() > 4) == end] for end in (0, 1))
    assert sum(weekdays) / len(weekdays) > 3 * sum(weekends) / len(weekends)


def test_numbers_are_exact_in_the_bytes(vendor):
    text = vendor.raw("POST", EVENTS, json=window(date(2026, 11, 2), date(2026, 11, 6)) | {"pageSize": 1000}).text
    numbers = re.findall(r'"(?:chargedCents|totalCents|cursorTokenFee)":([^,}]+)', text)
    assert len(numbers) > 1000
    for number in numbers:
        assert re.fullmatch(r"(0|[1-9]\d*)(\.\d*[1-9])?", number) and len(number.replace(".", "").lstrip("0")) <= 15


def test_subscriptions_accrue_to_the_exact_price(world):
    books = world.truth
    months = books.subscription_usd_by_month()
    assert months[date(2026, 8, 1), "cursor"] == months[date(2026, 10, 1), "cursor"] == 960
    assert books.subscription_usd("cursor", date(2026, 2, 1), date(2026, 2, 28)) == 960
    august = [books.subscription_usd("cursor", d, d) for d in (date(2026, 8, 1), date(2026, 8, 31))]
    assert august[0] == Decimal("30.967741935") and august[1] == Decimal(960) - 30 * august[0]
    assert sum(books.subscription_usd_by_day().values()) == sum(months.values())
    assert 0 < months[date(2026, 11, 1), "cursor"] < 960


@pytest.mark.parametrize("first", [date(2026, 11, 3), date(2026, 11, 1)])
def test_restatements_change_one_day_and_keep_the_older_books(first):
    world = small()
    with Simulator(world) as sim:
        vendor = Vendor(sim)
        seen = [world.truth.billed_usd(first)]
        others = world.truth.billed_usd() - seen[0]
        lines = [world.truth.accepted_lines_by_day_user(first, first)]
        for kind in ("up", "down", "up", "empty", "up"):
            world.restate(first, kind)
            served = vendor.events(first, first)
            seen.append(sum((e["chargedCents"] for e in served if e["kind"] in BILLED), Decimal(0)) / 100)
            lines.append(world.truth.accepted_lines_by_day_user(first, first))
            assert world.truth.billed_usd(first) == seen[-1]
            assert world.truth.billed_usd() - seen[-1] == others
            daily = vendor.post(DAILY, **window(first, first))["data"]
            assert sum(r["acceptedLinesAdded"] for r in daily) == sum(lines[-1].values())
        assert world.version == 5
        assert seen[1] > seen[0] and seen[2] < seen[1] and seen[3] > seen[2] and seen[4] == 0 and seen[5] > 0
        assert lines[0] != lines[1] != lines[2]
        assert [world.truth_at(v).billed_usd(first) for v in range(6)] == seen
        again = vendor.ok(requests.post(f"{sim.url}/_simulator/restate", json={"day": str(first), "kind": "down"}))
        assert again == {"version": 6}
        told = vendor.get("/_simulator/truth", **{"from": str(first), "to": str(first)})
        assert Decimal(told["billed_usd_by_day"][str(first)]) == world.truth.billed_usd(first)
        assert vendor.raw("POST", "/_simulator/restate", json={"day": "2001-01-01", "kind": "up"}).status_code == 400


# ---------------------------------------------------------------- Cursor's contract


def shape(value: object) -> object:
    """Keys only; lists merge the shapes of their members into (always, sometimes)."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value[:1]]
    return None


def example(name: str) -> dict:
    return json.loads((EXAMPLES / name).read_text())


def keys(records: list[dict]) -> set[frozenset]:
    return {frozenset(r) | {f"tokenUsage.{k}" for k in r.get("tokenUsage", {})} for r in records}


def test_answers_have_exactly_the_keys_of_the_examples(world, vendor):
    one_day = window(date(2026, 11, 1), date(2026, 11, 2))
    paged = one_day | {"page": 1, "pageSize": 1}
    assert shape(vendor.get("/teams/members")) == shape(example("cursor/teams_members.json"))
    assert shape(vendor.post(DAILY, **paged)) == shape(example("cursor/teams_daily_usage_data.page1.json"))
    assert shape(vendor.post(DAILY, **one_day)) == shape(example("cursor/teams_daily_usage_data.unpaginated.json"))
    assert shape(vendor.post("/teams/spend", pageSize=1)) == shape(example("cursor/teams_spend.page1.json"))
    groups, wanted = vendor.get("/teams/groups"), example("cursor/teams_groups.json")
    wanted["unassignedGroup"]["formerMembers"] = []
    assert shape(groups) == shape(wanted)
    group_id = groups["groups"][0]["id"]
    assert shape(vendor.get(f"/teams/groups/{group_id}")) == shape(example("cursor/teams_group.json"))
    pages = [example(f"cursor/teams_filtered_usage_events.page{n}.json") for n in (1, 2)]
    served = vendor.post(EVENTS, **window(world.last_day - timedelta(days=20), world.last_day), pageSize=1000)
    assert {k: shape(v) for k, v in served.items() if k != "usageEvents"} == {
        k: shape(v) for k, v in pages[0].items() if k != "usageEvents"
    }
    known = keys([e for p in pages for e in p["usageEvents"]])
    assert known <= keys(served["usageEvents"]) | {k - {"conversationId"} for k in keys(served["usageEvents"])}
    assert frozenset().union(*keys(served["usageEvents"])) == frozenset().union(*known)
    types = {k: type(v) for k, v in pages[0]["usageEvents"][0].items() if k in ("timestamp", "model", "maxMode")}
    assert {k: type(served["usageEvents"][0][k]) for k in types} == types


def test_errors_are_the_contracts(vendor):
    def told(response: requests.Response) -> tuple[int, dict]:
        return response.status_code, response.json()

    url = vendor.sim.url
    for auth in (None, ("wrong", ""), ("simulator", "password")):
        assert told(requests.get(f"{url}/teams/members", auth=auth)) == (
            401,
            example("cursor/errors/401.json"),
        )
    assert told(vendor.raw("GET", "/teams/nothing")) == (404, example("cursor/errors/404.json"))
    assert vendor.raw("GET", EVENTS).status_code == 404
    long = {"startDate": ms(date(2026, 9, 1)), "endDate": ms(date(2026, 10, 1)) + 1}
    assert told(vendor.raw("POST", DAILY, json=long)) == (400, example("cursor/errors/400.json"))
    assert vendor.raw("POST", DAILY, json=long | {"endDate": long["endDate"] - 2}).status_code == 200
    day = window(date(2026, 11, 2), date(2026, 11, 2))
    for bad in (
        {"pageSize": 1001},
        {"page": 0},
        {"startDate": "2026-11-02"},
        {"endDate": 0},
        {"hostingType": "MOON"},
    ):
        assert vendor.raw("POST", EVENTS, json=day | bad).status_code == 400, bad
    assert vendor.raw("POST", EVENTS, data=b"{").status_code == 400
    assert "Content-Encoding" not in vendor.raw("POST", EVENTS, json=day).headers


def test_event_windows_pages_and_filters(world, vendor):
    first, last = date(2026, 11, 2), date(2026, 11, 4)
    events = vendor.events(first, last, size=1000)
    times = [int(e["timestamp"]) for e in events]
    assert times == sorted(times, reverse=True) and times[-1] == ms(first) and times[0] == ms(last) + DAY - 1
    for size in (1, 7, 100, len(events)):
        if size == 1:
            body = vendor.post(EVENTS, **window(first, last), page=3, pageSize=1)
            assert body["usageEvents"] == events[2:3] and body["pagination"]["numPages"] == len(events)
        else:
            assert vendor.events(first, last, size=size) == events
    default = vendor.post(EVENTS, **window(first, last))
    assert len(default["usageEvents"]) == 100 == default["pagination"]["pageSize"]
    beyond = vendor.post(EVENTS, **window(first, last), page=999)
    assert beyond["usageEvents"] == [] and beyond["pagination"]["hasNextPage"] is False
    low, high = times[40], times[10]  # both bounds are inclusive
    cut = vendor.post(EVENTS, startDate=low, endDate=high, pageSize=1000)
    assert cut["usageEvents"] == [e for e in events if low <= int(e["timestamp"]) <= high]
    assert cut["period"] == {"startDate": low, "endDate": high}
    ana = vendor.events(first, last, email="ana.example@example.com")
    assert ana == [e for e in events if e.get("userEmail") == "ana.example@example.com"] != []
    member = vendor.get("/teams/members")["teamMembers"][0]
    assert vendor.events(first, last, userId=member["id"]) == ana
    assert vendor.events(first, last, cloudAgentId="*") == [e for e in events if "cloudAgentId" in e]
    assert vendor.events(world.last_day + timedelta(days=1), world.last_day + timedelta(days=9)) == []


# ---------------------------------------------------------------- Google Sheets


def local_client(sim: Simulator, **kwargs) -> gspread.Client:
    class Local(gspread.HTTPClient):
        def request(self, method, endpoint, *args, **options):
            there = endpoint.replace("https://sheets.googleapis.com", sim.url)
            return super().request(method, there, *args, **options)

    return gspread.Client(http_client=Local, **kwargs)


def test_gspread_reads_every_tab(world, shared):
    book = local_client(shared, auth=None, session=requests.Session()).open_by_key(shared.sheet_id)
    tabs = {tab.title: tab.get_all_records(numericise_ignore=["all"]) for tab in book.worksheets()}
    assert list(tabs) == ["api_keys", "people", "subscriptions", "claude_ai_usage", "invoices", "budgets"]
    assert list(tabs["people"][0]) == [
        "email", "first_name", "last_name", "department", "cost_center", "aliases", "valid_from", "valid_to",
    ]  # fmt: skip
    assert [r["valid_from"] for r in tabs["people"] if r["first_name"] == "Ben"] == [
        "2026-01-01",
        "2026-09-27",
    ]
    assert [r["aliases"] for r in tabs["people"] if r["aliases"]] == ["cbanks@example.com"]
    assert len([r for r in tabs["api_keys"] if r["api_key_name"] == "prod-etl"]) == 2
    seats = tabs["subscriptions"][0]
    assert (seats["plan"], seats["seats"], seats["price_usd"], seats["email"]) == (
        "Business",
        "24",
        "$40.00",
        "",
    )
    assert any("," in r["budget_usd"] for r in tabs["budgets"])
    # One budget, told three times: departments and platforms each add up to the company's.
    of_month = {
        (r["department"], r["platform"]): Decimal(r["budget_usd"].replace(",", ""))
        for r in tabs["budgets"]
        if r["month"] == tabs["budgets"][0]["month"]
    }
    company = of_month.pop(("", ""))
    assert sum(usd for (department, _), usd in of_month.items() if department) == company
    assert sum(usd for (_, platform), usd in of_month.items() if platform) == company > 0
    usage = {(r["invoice_month"], r["cost_type"]): r for r in tabs["invoices"] if r["platform"] == "cursor"}
    billed = world.truth_at(0).billed_usd(date(2026, 9, 1), date(2026, 9, 30))
    assert Decimal(usage["9/1/2026", "usage"]["amount_usd"][1:].replace(",", "")) == round(billed, 2)
    assert usage["9/1/2026", "subscription"]["amount_usd"] == "$960.00"
    assert ("11/1/2026", "usage") not in usage  # that month is not closed
    assert book.worksheet("people").row_values(1)[0] == "email"
    with pytest.raises(gspread.WorksheetNotFound):
        book.worksheet("nope")
    with pytest.raises(gspread.SpreadsheetNotFound):
        local_client(shared, auth=None, session=requests.Session()).open_by_key("unknown")


def test_a_local_service_account_gets_a_token(shared):
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives import serialization
    from google.oauth2.service_account import Credentials

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    info = {
        "client_email": "robot@example.com",
        "private_key": pem.decode(),
        "token_uri": f"{shared.url}/token",
    }
    credentials = Credentials.from_service_account_info(info, scopes=["https://www.googleapis.com/auth/spreadsheets"])
    book = local_client(shared, auth=credentials).open_by_key(shared.sheet_id)
    assert book.worksheet("people").acell("A1").value == "email"
    assert any(r.path == "/token" and r.status == 200 for r in shared.log)


def test_cells_are_rendered_as_asked(fresh):
    sheet = fresh.sim.world.sheet
    sheet.add_tab("Odd Tab", ["id", "amount", "when", "yes", "note"])
    sheet.add_row("Odd Tab", ["007", Cell(Decimal("1200.5"), DOLLARS), date(2026, 11, 1), True, None])
    sheet.add_row("Odd Tab", {"id": "8", "amount": 3})
    sheet.add_row("Odd Tab", [None, None])
    shown = fresh.values("'Odd Tab'")
    assert shown["range"] == "'Odd Tab'!A1:Z1000" and shown["majorDimension"] == "ROWS"
    assert shown["values"][1:] == [["007", "$1,200.50", "2026-11-01", "TRUE"], ["8", "$3.00"]]
    bare = fresh.values("'Odd Tab'", valueRenderOption="UNFORMATTED_VALUE")
    assert bare["values"][1:] == [["007", Decimal("1200.5"), 46327, True], ["8", 3]]
    text = fresh.values("Odd Tab!A2:E2", valueRenderOption="UNFORMATTED_VALUE", dateTimeRenderOption="FORMATTED_STRING")
    assert text["values"] == [["007", Decimal("1200.5"), "2026-11-01", True]]
    assert (date(1899, 12, 30) + timedelta(days=46327)) == date(2026, 11, 1)
    assert fresh.values("'Odd Tab'!B:C")["values"][0] == ["amount", "when"]
    assert fresh.values("'Odd Tab'!A2:B")["values"] == [["007", "$1,200.50"], ["8", "$3.00"]]
    assert fresh.values("'Odd Tab'!1:1")["values"] == [["id", "amount", "when", "yes", "note"]]
    assert fresh.values("A1:B1")["values"] == [["api_key_name", "email"]]
    assert "values" not in fresh.values("'Odd Tab'!A50:B60")
    assert fresh.values("'Odd Tab'!A1:B3", majorDimension="COLUMNS")["values"][0] == ["id", "007", "8"]
    batch = fresh.get(f"/v4/spreadsheets/{fresh.sim.sheet_id}/values:batchGet", ranges=["'Odd Tab'!A1:B2", "people!A1:A2"])
    assert shape(batch) == shape(example("google_sheets/values_batchGet.json"))
    assert batch["valueRanges"][0]["range"] == "'Odd Tab'!A1:B2"
    assert shape(fresh.values("people")) == shape(example("google_sheets/values_get.json"))
    meta = fresh.get(f"/v4/spreadsheets/{fresh.sim.sheet_id}", includeGridData="false")
    assert shape(meta) == shape(example("google_sheets/spreadsheet_get.json"))
    assert "data" in fresh.get(f"/v4/spreadsheets/{fresh.sim.sheet_id}", includeGridData="true")["sheets"][0]
    for bad in ("Nope!A1", "people!", "people!ZZ9:ZZZ9", "people!A1:ZZZZ"):
        there = f"/v4/spreadsheets/{fresh.sim.sheet_id}/values/{requests.utils.quote(bad, safe='')}"
        refused = fresh.raw("GET", there)
        assert refused.status_code == 400, bad
    wrong = fresh.raw("GET", f"/v4/spreadsheets/{fresh.sim.sheet_id}/values/Nope!A1").json()
    assert wrong == example("google_sheets/errors/400.json")
    assert fresh.raw("GET", "/v4/spreadsheets/other").json() == example("google_sheets/errors/404.json")


def test_sheet_edits(fresh):
    sheet = fresh.sim.world.sheet
    sheet.set_cell("subscriptions", 2, "price_usd", Decimal("1234.5"))
    sheet.set_cell("people", 2, "department", "Legal")
    sheet.rename_column("people", "cost_center", "centre")
    sheet.drop_column("people", "last_name")
    sheet.drop_tab("budgets")
    assert fresh.values("subscriptions")["values"][1][4] == "$1,234.50"
    head, row = fresh.values("people")["values"][:2]
    assert head[:4] == ["email", "first_name", "department", "centre"] and row[2] == "Legal"
    with pytest.raises(KeyError):
        sheet.set_cell("people", 2, "nope", 1)
    assert fresh.raw("GET", f"/v4/spreadsheets/{fresh.sim.sheet_id}/values/budgets").status_code == 400


# ---------------------------------------------------------------- faults on the wire

WEEK = window(date(2026, 11, 2), date(2026, 11, 6))


def struck(vendor: Vendor, *faults: Fault, path: str = EVENTS, **body) -> requests.Response:
    for fault in faults:
        vendor.sim.add_fault(fault)
    return vendor.raw("POST", path, json=WEEK | body)


@pytest.mark.parametrize("kind", ["429", "500", "529", "503", "401", "403"])
def test_status_faults(fresh, kind):
    answer = struck(fresh, Fault(kind))
    assert answer.status_code == int(kind) and set(answer.json()) == {"error", "message"}
    assert "Retry-After" not in answer.headers
    assert struck(fresh).status_code == 200
    fresh.sim.add_fault(Fault(kind, path="/v4/spreadsheets"))
    google = fresh.raw("GET", f"/v4/spreadsheets/{fresh.sim.sheet_id}")
    assert google.status_code == int(kind) == google.json()["error"]["code"]
    assert [(r.status, r.fault) for r in fresh.sim.log] == [(int(kind), kind), (200, None), (int(kind), kind)]
    if kind == "429":
        assert answer.json() == example("cursor/errors/429.json")
        assert google.json() == example("google_sheets/errors/429.json")


def test_retry_after_in_seconds_and_as_date(fresh):
    assert struck(fresh, Fault("429", retry_after=3)).headers["Retry-After"] == "3"
    asked = datetime.now(UTC)
    when = parsedate_to_datetime(struck(fresh, Fault("429", retry_after="date")).headers["Retry-After"])
    assert asked < when <= datetime.now(UTC) + timedelta(seconds=2)


def test_broken_connections(fresh):
    with pytest.raises(requests.ConnectionError) as reset:
        struck(fresh, Fault("reset"))
    assert "reset" in str(reset.value).lower()
    for kind, message in (("truncated", "IncompleteRead"), ("reset_mid", "reset")):
        fresh.sim.add_fault(Fault(kind))
        with pytest.raises(requests.RequestException, match=f"(?i){message}"):
            fresh.raw("POST", EVENTS, json=WEEK)
        assert struck(fresh).status_code == 200
    assert [r.fault for r in fresh.sim.log] == ["reset", "truncated", None, "reset_mid", None]
    assert fresh.sim.log[0].status is None


def test_html_and_slow(fresh):
    page = struck(fresh, Fault("html"))
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html") and "<html" in page.text
    began = time.monotonic()
    assert struck(fresh, Fault("slow", seconds=0.2)).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_faults_in_the_pages(fresh):
    size = {"pageSize": 5}
    clean = [struck(fresh, page=n, **size).json() for n in (1, 2)]
    assert struck(fresh, Fault("repeated_page"), page=1, **size).json() == clean[0]  # never page 1
    assert struck(fresh, page=2, **size).json() == clean[0]
    assert struck(fresh, page=2, **size).json() == clean[1]
    moved = struck(fresh, Fault("moving_total", match={"page": 2}), page=1, **size).json()
    assert moved == clean[0]
    moved = struck(fresh, page=2, **size).json()
    assert moved["totalUsageEventsCount"] == clean[1]["totalUsageEventsCount"] + 1
    bad = struck(fresh, Fault("malformed_record"), **size).json()["usageEvents"]
    assert [isinstance(e["chargedCents"], str) for e in bad].count(True) == 1
    missing = struck(fresh, Fault("missing_field"), **size).json()["usageEvents"]
    assert all("chargedCents" not in e and "chargedCentsV2" in e for e in missing)
    assert all("model" not in e for e in struck(fresh, Fault("missing_field", field="model")).json()["usageEvents"])
    extra = struck(fresh, Fault("unknown_field"), **size).json()["usageEvents"]
    assert [{k: v for k, v in e.items() if k != "vendorSurprise"} for e in extra] == clean[0]["usageEvents"]
    nulls = struck(fresh, Fault("extra_null"), **size).json()["usageEvents"]
    assert len({frozenset(e) for e in nulls}) == 1 and all(e["extraNull"] is None for e in nulls)
    fresh.sim.add_fault(Fault("missing_field", path="/values/"))
    assert fresh.values("people")["values"][0][0] == "email_v2"
    fresh.sim.add_fault(Fault("missing_field", path=DAILY))
    assert "acceptedLinesAddedV2" in fresh.post(DAILY, **WEEK)["data"][0]


def test_damaged_pages_keep_their_numbers(fresh):
    clean = struck(fresh, pageSize=1000).content
    damaged = struck(fresh, Fault("unknown_field"), pageSize=1000).content
    assert damaged.replace(b',"vendorSurprise":"new"', b"") == clean


def test_times_after_every_and_clear(fresh):
    def statuses(n: int) -> list[int]:
        return [struck(fresh).status_code for _ in range(n)]

    fresh.sim.add_fault(Fault("500", after=1, times=2))
    assert statuses(4) == [200, 500, 500, 200]
    fresh.sim.add_fault(Fault("500", every=3))
    assert statuses(7) == [500, 200, 200, 500, 200, 200, 500]
    fresh.sim.clear_faults()
    fresh.sim.add_fault(Fault("503", times=None, path=""))
    assert statuses(2) == [503, 503] and fresh.raw("GET", "/teams/members").status_code == 503
    fresh.sim.clear_faults()
    assert statuses(1) == [200]
    assert fresh.raw("POST", "/_simulator/faults", json=[{"kind": "500"}]).json() == {"added": 1}
    assert statuses(2) == [500, 200]
    assert fresh.raw("POST", "/_simulator/faults", json=[{"kind": "fire"}]).status_code == 400
    with pytest.raises(ValueError, match="unknown fault"):
        Fault("fire")


def test_counters_are_thread_safe(fresh):
    fresh.sim.add_fault(Fault("500", times=20, path="/teams/members"))
    found: list[int] = []

    def read() -> None:
        with requests.Session() as session:
            session.auth = ("simulator", "")
            found.extend(session.get(fresh.sim.url + "/teams/members").status_code for _ in range(10))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(found) == {500: 20, 200: 60} and len(fresh.sim.log) == 80


def test_rough_is_survivable_and_seeded():
    from ai_usage.simulator import script

    assert script("rough", 7) == script("rough", 7) != script("rough", 8)
    with Simulator(small(), faults="rough") as sim:
        vendor, kept = Vendor(sim), []
        page = tries = 0
        while page < 60 and tries < 200:
            tries += 1
            try:
                answer = vendor.raw("POST", EVENTS, json=WEEK | {"page": page + 1, "pageSize": 1})
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                page += 1
                kept += json.loads(answer.content, parse_float=Decimal)["usageEvents"]
        clean = Simulator(small())
        with clean:
            whole = Vendor(clean).post(EVENTS, **WEEK)["usageEvents"]
        # No page is lost or altered in what it says of money.
        assert [e["chargedCents"] for e in kept] == [e["chargedCents"] for e in whole[:60]]
        assert len({r.fault for r in sim.log}) > 4


# ---------------------------------------------------------------- the server


def test_rate_limits():
    with Simulator(small(), rate_limit=True) as sim:
        vendor = Vendor(sim)
        assert [vendor.raw("GET", "/teams/members").status_code for _ in range(21)] == [200] * 20 + [429]
        codes = [vendor.raw("POST", EVENTS, json=WEEK | {"pageSize": 1}) for _ in range(61)]
        assert [c.status_code for c in codes] == [200] * 60 + [429]
        assert codes[-1].json() == example("cursor/errors/429.json") and "Retry-After" not in codes[-1].headers
        assert vendor.raw("GET", "/teams/groups").status_code == 200
    now = [0.0]
    limits = RateLimit(clock=lambda: now[0])
    assert [limits.admits("a", 2) for _ in range(3)] == [True, True, False]
    now[0] = 60.0
    assert limits.admits("a", 2)


def test_one_connection_serves_many_requests_and_latency_is_concurrent(monkeypatch):
    with Simulator(small()) as sim:
        address = sim.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1]))) as line:
            for _ in range(2):
                line.sendall(b"GET /teams/members HTTP/1.1\r\nHost: x\r\n\r\n")
                assert line.recv(65_536).startswith(b"HTTP/1.1 401 ")
        all_at_once, paused = threading.Barrier(8), []

        def pause(seconds: float) -> None:
            all_at_once.wait(60)  # broken when the eighth never comes, which is so when one request waits for another
            paused.append(seconds)

        sim.latency_s = 0.15
        monkeypatch.setattr("ai_usage.simulator.server.time", SimpleNamespace(sleep=pause, monotonic=time.monotonic, time=time.time))
        threads = [threading.Thread(target=Vendor(sim).get, args=("/teams/members",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert paused == [0.15] * 8
        record = sim.log[-1]
        assert (record.method, record.path, record.query, record.body, record.status, record["fault"]) == (
            "GET", "/teams/members", {}, None, 200, None,
        )  # fmt: skip
        counts = Vendor(sim).get("/_simulator/log")
        assert counts["requests"] == 10 == sum(row["count"] for row in counts["counts"])


def test_the_process_says_where_it_listens_and_ends_cleanly():
    arguments = "--people 5 --from 2026-11-01 --to 2026-11-05 --faults rough --rate-limit --latency-ms 1"
    command = [sys.executable, "-m", "ai_usage.simulator", *arguments.split()]
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": str(root)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=root, env=env) as process:
        hello = json.loads(process.stdout.readline())
        assert set(hello) == {"url", "sheet_id", "key"}
        truth = requests.get(f"{hello['url']}/_simulator/truth", timeout=60).json()
        assert Decimal(truth["billed_usd"]) > 0 and len(truth["billed_usd_by_day"]) == 5
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


def test_the_simulator_needs_nothing_but_the_standard_library():
    source = "\n".join(p.read_text() for p in (Path(__file__).parents[2] / "ai_usage" / "simulator").rglob("*.py"))
    found = {a or b for a, b in re.findall(r"^\s*(?:from (\w+)[\w.]* import|import (\w+))", source, re.MULTILINE)}
    assert found <= sys.stdlib_module_names | {"__future__"}
