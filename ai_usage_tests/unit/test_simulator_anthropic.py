"""The simulated Anthropic keeps the vendor's contract, and what it serves adds up to its books.

Belongs here: the Anthropic part of the simulator alone, read with plain `requests`.
Does not belong here: the platform's client; Cursor, sheets and the server itself (test_simulator.py).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from ai_usage.simulator import Fault, Simulator, World, script
from ai_usage.simulator.anthropic.catalog import PRICE_CHANGE, PRICES, TOKEN_TYPES
from ai_usage.simulator.key_owners import key_owners

EXAMPLES = Path(__file__).parents[1] / "fixtures" / "contracts" / "anthropic"
ROOT = "/v1/organizations"
USAGE, COST, CODE = f"{ROOT}/usage_report/messages", f"{ROOT}/cost_report", f"{ROOT}/usage_report/claude_code"
A_COST, A_USAGE, A_USERS = (f"{ROOT}/analytics/{name}" for name in ("cost", "usage", "users"))
BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
ALL = ["api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo"]
CENT = Decimal("0.01")


def small(**changes) -> World:
    given = {"people": 10, "first_day": date(2026, 10, 5), "last_day": date(2026, 11, 8), "events_per_person_day": 1.0, "anthropic": True}
    return World(**{**given, **changes})


class Vendor:
    """A plain reader: no retries, exact numbers."""

    def __init__(self, sim: Simulator, key: str = "simulator") -> None:
        self.sim, self.session = sim, requests.Session()
        self.session.headers.update({"x-api-key": key, "anthropic-version": "2023-06-01"})

    def raw(self, path: str, headers: dict | None = None, **query) -> requests.Response:
        given = {name.replace("__", "[]"): value for name, value in query.items()}
        return self.session.get(self.sim.url + path, params=given, headers=headers, timeout=60)

    def get(self, path: str, headers: dict | None = None, **query) -> dict:
        response = self.raw(path, headers, **query)
        assert response.status_code == 200, response.text
        return json.loads(response.content, parse_float=Decimal)

    def walk(self, path: str, headers: dict | None = None, **query) -> list[dict]:
        found, page = [], {}
        while True:
            body = self.get(path, headers, **query, **page)
            found += body["data"]
            if not body.get("has_more", body.get("next_page") is not None):
                assert body.get("next_page") is None
                return found
            page = {"after_id": body["last_id"]} if "last_id" in body else {"page": body["next_page"]}

    def buckets(self, path: str, first: date, last: date, *group: str, **query) -> list[dict]:
        return self.walk(path, **span(first, last), group_by__=list(group), **{"limit": 31, **query})

    def results(self, path: str, first: date, last: date, *group: str, **query) -> list[dict]:
        """Every result with its day."""
        found = self.buckets(path, first, last, *group, **query)
        return [{"day": day_of(bucket["starting_at"]), **row} for bucket in found for row in bucket["results"]]


def span(first: date, last: date) -> dict:
    return {"starting_at": f"{first}T00:00:00Z", "ending_at": f"{last + timedelta(days=1)}T00:00:00Z"}


def day_of(text: str) -> date:
    return date.fromisoformat(text[:10])


def dollars(row: dict) -> Decimal:
    assert isinstance(row["amount"], str) and row["currency"] == "USD"
    return Decimal(row["amount"]) * CENT


def summed(rows, key, value) -> dict:
    total: dict = defaultdict(Decimal)
    for row in rows:
        total[key(row)] += value(row)
    return {k: v for k, v in total.items() if v}


def counts(row: dict) -> dict[str, int]:
    written = row["cache_creation"]
    return {
        "uncached_input_tokens": row["uncached_input_tokens"],
        "cache_read_input_tokens": row["cache_read_input_tokens"],
        "cache_creation.ephemeral_5m_input_tokens": written["ephemeral_5m_input_tokens"],
        "cache_creation.ephemeral_1h_input_tokens": written["ephemeral_1h_input_tokens"],
        "output_tokens": row["output_tokens"],
    }


def price(day: date, row: dict) -> dict[str, Fraction]:
    """USD per token, computed here anew from the published table."""
    table = max((p for p in PRICES if p.model == row["model"] and p.since <= day), key=lambda p: p.since).prices
    found = {}
    for token_type, text in zip(TOKEN_TYPES, table, strict=True):
        each = Fraction(text) / 1_000_000
        if row["service_tier"] == "batch":
            each /= 2
        if row["context_window"] == "200k-1M":
            each *= Fraction(3, 2) if token_type == "output_tokens" else 2
        if row["inference_geo"] == "us":
            each *= Fraction(11, 10)
        found[token_type] = each
    return found


def exact(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


@pytest.fixture(scope="module")
def world() -> World:
    return small()


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


@pytest.fixture(scope="module")
def enterprise():
    with Simulator(small(enterprise=True)) as sim:
        yield sim


# ---------------------------------------------------------------- books and served data


def test_cost_sums_to_the_books(world, vendor):
    books, first, last = world.truth.anthropic, world.first_day, world.last_day
    rows = vendor.results(COST, first, last, "workspace_id", "description")
    assert summed(rows, lambda r: r["day"], dollars) == {d: v for d, v in books.usd_by_day().items() if v}
    assert summed(rows, lambda r: (r["day"], r["workspace_id"]), dollars) == books.usd_by_day_workspace()
    assert summed(rows, lambda r: (r["day"], r["model"], r["token_type"]), dollars) == books.usd_by_day_model_token()
    assert summed(rows, lambda r: (r["day"], r["cost_type"]), dollars) == books.usd_by_day_cost_type()
    dims = ("workspace_id", "cost_type", "model", "token_type", "service_tier", "context_window", "inference_geo")
    assert summed(rows, lambda r: (r["day"], *(r[n] for n in dims)), dollars) == books.usd_by_day_line()
    assert len(rows) == len(books.usd_by_day_line())  # every line once
    ungrouped = vendor.results(COST, first, last)
    assert {r["day"]: dollars(r) for r in ungrouped} == summed(rows, lambda r: r["day"], dollars)
    nothing = set(ungrouped[0]) - {"day", "amount", "currency"}
    assert all(row[name] is None for row in ungrouped for name in nothing)
    by_workspace = vendor.results(COST, first, last, "workspace_id")
    assert summed(by_workspace, lambda r: (r["day"], r["workspace_id"]), dollars) == books.usd_by_day_workspace()
    described = vendor.results(COST, first, last, "description")
    assert {r["workspace_id"] for r in described} == {None} and sum(map(dollars, described)) == books.usd() > 500
    assert {r["cost_type"] for r in rows} == {"tokens", "web_search", "code_execution", "session_usage"}
    assert {r["service_tier"] for r in rows if r["cost_type"] == "tokens"} == {"standard", "batch"}  # priority: elsewhere
    assert max(len(r["amount"].partition(".")[2]) for r in rows) >= 5
    code = next(w["id"] for w in vendor.walk(f"{ROOT}/workspaces") if w["name"] == "Claude Code")
    split = summed(rows, lambda r: (r["day"], "claude_code" if r["workspace_id"] == code else "claude_api"), dollars)
    assert split == books.usd_by_day_platform()


def test_usage_times_price_is_the_cost_of_every_key(world, vendor):
    books, first, last = world.truth.anthropic, world.first_day, world.last_day
    rows = vendor.results(USAGE, first, last, *ALL)
    by_key: dict = defaultdict(Fraction)
    for row in rows:
        if row["service_tier"] != "priority":
            each = price(row["day"], row)
            by_key[row["day"], row["api_key_id"]] += sum(n * each[t] for t, n in counts(row).items())
        by_key[row["day"], row["api_key_id"]] += Fraction(row["server_tool_use"]["web_search_requests"], 100)
    kinds = books.usd_by_day_cost_type()
    for day in {d for d, _ in kinds}:  # no usage explains these: they stand on no key
        rest = kinds.get((day, "code_execution"), Decimal(0)) + kinds.get((day, "session_usage"), Decimal(0))
        by_key[day, None] += Fraction(rest)
    assert {k: exact(v) for k, v in by_key.items() if v} == books.usd_by_day_key()
    tokens: dict = defaultdict(Counter)
    for row in rows:
        searches = {"web_search_requests": row["server_tool_use"]["web_search_requests"]}
        tokens[row["day"], row["api_key_id"], row["model"]].update(counts(row) | searches)
    told = books.tokens_by_day_key_model()
    assert {k: dict(v) for k, v in tokens.items()} == told
    # Each cost line is the sum of the usage rows that match it: the vendor's own arithmetic.
    lines = {k: v for k, v in books.usd_by_day_line().items() if k[2] == "tokens"}
    made: dict = defaultdict(Fraction)
    for row in rows:
        if row["service_tier"] != "priority":
            for token_type, n in counts(row).items():
                key = (row["workspace_id"], "tokens", row["model"], token_type, row["service_tier"], row["context_window"])
                made[(row["day"], *key, row["inference_geo"])] += n * price(row["day"], row)[token_type]
    assert {k: exact(v) for k, v in made.items() if v} == lines
    assert PRICE_CHANGE in {d for d, *_ in lines}
    assert {r["service_tier"] for r in rows} == {"standard", "batch", "priority"}
    assert {r["context_window"] for r in rows} == {"0-200k", "200k-1M"}
    assert {r["inference_geo"] for r in rows} == {"global", "us", "not_available"}


@pytest.mark.parametrize("group", [(), ("model",), ("api_key_id", "model"), ("workspace_id",), ("service_tier", "context_window")])
def test_every_grouping_of_usage_keeps_the_total(world, vendor, group):
    first, last = date(2026, 11, 2), date(2026, 11, 6)
    rows, finest = vendor.results(USAGE, first, last, *group), vendor.results(USAGE, first, last, *ALL)

    def total(found):
        sums: dict = defaultdict(Counter)
        for row in found:
            searches = {"searches": row["server_tool_use"]["web_search_requests"]}
            sums[(row["day"], *(row[n] for n in group))].update(counts(row) | searches)
        return sums

    assert total(rows) == total(finest) and len(rows) == len(total(rows))
    assert all(row[name] is None for row in rows for name in set(ALL) - set(group))


def test_owners(world, vendor):
    books, org = world.truth.anthropic, world.anthropic_org
    ids = {key.name: key.id for key in org.keys}
    moved = world.cast.moved_on
    before, after = moved - timedelta(days=1), moved

    def owner(name: str, day: date = after) -> str | None:
        return books.owner_on(ids[name], day)

    people = world.cast.people
    assert owner("prod-etl", before) == people[0].email != owner("prod-etl") == people[7].email
    assert owner("search-indexer") == people[5].email  # the sheet does not know it: its creator does
    assert owner("shadow-batch") is None and owner("legacy-default") is None and owner("batch-reports") is None
    assert owner("release-notes", before) == people[8].email != owner("release-notes") == people[9].email
    assert owner("eval-harness") == people[2].email  # written as an alias, in capitals
    assert owner("nightly-ci") == owner("claude_code_ci") == "agent-runner@example.com"
    code = next(n for n in ids if n.startswith("claude_code_key_ana_example_"))
    assert owner(code) == "ana.example@example.com"
    by_user: dict = defaultdict(Decimal)
    for (day, key), amount in books.usd_by_day_key().items():
        by_user[day, books.owner_on(key, day)] += amount
    assert by_user == books.usd_by_day_user()
    analytics = books.usd_by_day_user(source="analytics")
    assert sum(analytics.values()) == sum(by_user.values()) == books.usd()
    assert sum(v for (_, e), v in analytics.items() if e is None) < sum(v for (_, e), v in by_user.items() if e is None)
    # The sheet and the vendor's directories are enough to find every owner.
    sheet = {t.title: t.rows for t in world.sheet.tabs()}["api_keys"]
    told = [tuple(c.value for c in row) for row in sheet[1:]]
    assert told == [tuple(row) for row in key_owners(world)] and len({k.name for k in org.keys}) == len(org.keys)
    assert told[:6] == [tuple(row) for row in key_owners(small(anthropic=False))]
    listed = {k["id"]: k for k in vendor.walk(f"{ROOT}/api_keys", limit=5)}
    users = {u["id"]: u["email"] for u in vendor.walk(f"{ROOT}/users", limit=3)}
    assert set(listed) == set(org.by_id) >= {k for _, k in books.usd_by_day_key() if k}
    for day in (before, after):
        for key_id, key in listed.items():
            rows = [r for r in told if r[0] == key["name"] and r[3] <= day and (r[4] is None or day <= r[4])]
            email = rows[0][1] if rows else users.get((key["created_by"] or {"id": None})["id"])
            assert (email and world.cast.canonical(email)) == books.owner_on(key_id, day)


def test_the_awkward_cases_are_there(world, vendor):
    books = world.truth.anthropic
    rows = vendor.results(USAGE, world.first_day, world.last_day, "api_key_id", "workspace_id")
    places = defaultdict(set)
    for row in rows:
        places[row["api_key_id"]].add(row["workspace_id"])
    assert all(len(found) == 1 for found in places.values()) and places[None] == {None}
    keys = {k["name"]: k for k in vendor.walk(f"{ROOT}/api_keys", limit=1000)}
    assert {keys[n]["status"] for n in ("old-prototype", "legacy-default", "prod-etl")} == {"archived", "inactive", "active"}
    old = [d for (d, k) in books.usd_by_day_key() if k == keys["old-prototype"]["id"]]
    assert old and max(old) < world.first_day + timedelta(days=10)
    assert keys["legacy-default"]["id"] not in places and keys["legacy-default"]["created_by"] is None
    assert keys["shadow-batch"]["created_by"]["type"] == "service_account"
    assert keys["batch-reports"]["created_by"]["id"] not in {u["id"] for u in vendor.walk(f"{ROOT}/users")}
    quiet = [d for d, v in books.usd_by_day().items() if not v]
    assert quiet == [d for d in books.usd_by_day() if world.is_holiday(d)] != []
    wide = World(people=10, anthropic=True, api_keys=12)
    day = date(2026, 11, 3)
    assert wide.claude.day(day) == world.claude.day(day)  # the same whatever the window
    assert len(World(people=10, anthropic=True, api_keys=40).anthropic_org.keys) == len(wide.anthropic_org.keys) + 28
    assert len(World(people=30, anthropic=True, claude_code_users=25).anthropic_org.claude_code_users) == 25


def test_claude_code_rows_sum_to_the_books(world, vendor):
    books, org = world.truth.anthropic, world.anthropic_org
    first, last = date(2026, 10, 26), date(2026, 11, 8)
    rows = [r for n in range((last - first).days + 1) for r in vendor.walk(CODE, starting_at=str(first + timedelta(days=n)), limit=7)]
    found: dict = {}
    for row in rows:
        actor = row["actor"]
        who = world.cast.canonical(actor["email_address"]) if actor["type"] == "user_actor" else actor["api_key_name"]
        mine = found.setdefault((day_of(row["date"]), who), defaultdict(Decimal))
        core = row["core_metrics"]
        mine["sessions"] += core["num_sessions"]
        mine["lines_added"] += core["lines_of_code"]["added"]
        mine["lines_removed"] += core["lines_of_code"]["removed"]
        mine["commits"] += core["commits_by_claude_code"]
        mine["pull_requests"] += core["pull_requests_by_claude_code"]
        mine["tool_accepted"] += sum(t["accepted"] for t in row["tool_actions"].values())
        mine["tool_rejected"] += sum(t["rejected"] for t in row["tool_actions"].values())
        estimate = sum(Decimal(m["estimated_cost"]["amount"]) for m in row["model_breakdown"]) * CENT
        mine["estimated_usd"] += estimate
        mine["subscription_estimated_usd"] += estimate if row["customer_type"] == "subscription" else 0
    assert found == books.claude_code_by_day_actor(first, last)
    keys = Counter(
        (r["date"], str(r["actor"]), r["customer_type"], r["subscription_type"], r["terminal_type"], r["is_remote"]) for r in rows
    )
    assert max(keys.values()) == 1 and len(keys) > len({k[:2] for k in keys})  # several rows per user and day
    assert {(r["customer_type"], r["subscription_type"]) for r in rows} == {("api", None), ("subscription", "team")}
    assert {r["is_remote"] for r in rows} == {True, False}
    by_user = books.claude_code_by_day_user(first, last)
    assert sum(m["sessions"] for m in by_user.values()) == sum(m["sessions"] for m in found.values())
    assert any(email == "agent-runner@example.com" for _, email in by_user)
    # The estimate is near what the per-user keys were billed, and never the same.
    code_keys = {k.id for k in org.code_keys.values()}
    billed = sum(v for (_, k), v in books.usd_by_day_key(first, last).items() if k in code_keys)
    estimated = sum(m["estimated_usd"] - m["subscription_estimated_usd"] for m in by_user.values())
    searches = sum(t["web_search_requests"] for (_, k, _), t in books.tokens_by_day_key_model(first, last).items() if k in code_keys)
    assert Decimal("0.004") < estimated / (billed - searches * CENT) - 1 < Decimal("0.006")
    assert sum(m["subscription_estimated_usd"] for m in by_user.values()) > 0


# ---------------------------------------------------------------- the contract


def paths(value: object, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in {f"{prefix}.{k}"} | paths(v, f"{prefix}.{k}")}
    if isinstance(value, list):
        return {p for v in value for p in paths(v, f"{prefix}[]")}
    return set()


def examples(stem: str) -> list[dict]:
    return [json.loads(p.read_text()) for p in sorted(EXAMPLES.glob(f"{stem}*.json"))]


def test_the_examples_are_all_listed():
    index = json.loads((EXAMPLES / "INDEX.json").read_text())
    assert {f["file"] for f in index["files"]} == {str(p.relative_to(EXAMPLES)) for p in EXAMPLES.rglob("*.*") if p.name != "INDEX.json"}


def test_answers_have_exactly_the_keys_of_the_examples(world, vendor, enterprise):
    vendor.sim.world.claude.key_shape = "both"
    month = span(date(2026, 10, 20), date(2026, 11, 8))
    groups = {"product", "workspace_id", "api_key_id", "model", "actor"}
    answers = {
        "organization_me": vendor.get(f"{ROOT}/me"),
        "users_list": vendor.get(f"{ROOT}/users", limit=1000),
        "api_keys_list": vendor.get(f"{ROOT}/api_keys", limit=1000),
        "workspaces_list": vendor.get(f"{ROOT}/workspaces", include_archived="true", include_default="true"),
        "workspace_members_list": vendor.get(f"{ROOT}/workspaces/{world.anthropic_org.keys[0].workspace.id}/members"),
        "usage_report_messages": vendor.get(USAGE, **month, limit=31, group_by__=["api_key_id", "workspace_id", "model"]),
        "cost_report.page": vendor.get(COST, **month, limit=31, group_by__=["workspace_id", "description"]),
        "cost_report.ungrouped": vendor.get(COST, **month, limit=31),
        "usage_report_claude_code": vendor.get(CODE, starting_at="2026-11-03", limit=1000),
        "analytics_cost.platform": vendor.get(A_COST, BETA, **month, time_bucket_width="1d", limit=1000, group_by__=sorted(groups)),
        "analytics_usage": vendor.get(A_USAGE, BETA, **month, time_bucket_width="1d", limit=1000, group_by__=["model", "product"]),
        "analytics_cost.enterprise": Vendor(enterprise, "simulator-analytics").get(
            A_COST, BETA, **month, time_bucket_width="1d", limit=1000, group_by__=["product", "actor", "cost_type"]
        ),
        "analytics_users": Vendor(enterprise, "simulator-analytics").get(A_USERS, date="2026-11-05"),
    }
    vendor.sim.world.claude.key_shape = "scope"
    for stem, answer in answers.items():
        wanted = {p for page in examples(stem) for p in paths(page)}
        assert wanted and paths(answer) - {".data[].principal.service_account_id"} == wanted, stem
    kinds = {k: type(v) for k, v in examples("cost_report.page")[0]["data"][0]["results"][0].items()}
    row = answers["cost_report.page"]["data"][-1]["results"][0]
    assert {k: type(row[k]) for k in kinds if row[k] is not None} == {k: t for k, t in kinds.items() if row[k] is not None}


def test_authentication_and_errors(vendor):
    def told(response: requests.Response) -> tuple[int, dict]:
        body = response.json()
        assert body["request_id"] == response.headers["request-id"]
        assert paths(body) == paths(json.loads((EXAMPLES / "errors" / "400.json").read_text()))
        return response.status_code, body["error"]

    assert vendor.raw(f"{ROOT}/me").headers["request-id"] != vendor.raw(f"{ROOT}/me").headers["request-id"]
    wrong = told(vendor.raw(f"{ROOT}/me", {"x-api-key": "no"}))
    assert wrong == (401, json.loads((EXAMPLES / "errors" / "401.json").read_text())["error"])
    assert told(vendor.raw(f"{ROOT}/me", {"anthropic-version": ""}))[0] == 400
    assert told(vendor.raw(f"{ROOT}/nope")) == (404, json.loads((EXAMPLES / "errors" / "404.json").read_text())["error"])
    day = span(date(2026, 11, 2), date(2026, 11, 2))
    bad = [
        (USAGE, {}),
        (USAGE, day | {"limit": 32}),
        (USAGE, day | {"limit": 0}),
        (COST, day | {"limit": 32}),
        (USAGE, day | {"group_by__": ["user"]}),
        (USAGE, day | {"group_by__": ["speed"]}),  # without its beta header
        (USAGE, day | {"group_by": ["model"]}),  # without brackets
        (COST, day | {"group_by__": ["api_key_id"]}),
        (COST, {"starting_at": day["ending_at"], "ending_at": day["starting_at"]}),
        (USAGE, day | {"starting_at": "yesterday"}),
        (USAGE, day | {"page": "page_nonsense"}),
        (CODE, {}),
        (CODE, {"starting_at": "2026-11-02T00:00:00Z"}),
        (CODE, {"starting_at": "2026-11-02", "limit": 1001}),
        (f"{ROOT}/users", {"limit": 1001}),
        (f"{ROOT}/users", {"after_id": "user_nobody"}),
        (f"{ROOT}/api_keys", {"status": "lost"}),
    ]
    for path, query in bad:
        status, error = told(vendor.raw(path, **query))
        assert (status, error["type"]) == (400, "invalid_request_error"), (path, query)
    assert vendor.raw(USAGE, {"anthropic-beta": "fast-mode-2026-02-01"}, **day, group_by__=["speed"]).status_code == 200
    assert vendor.raw(f"{ROOT}/workspaces/wrkspc_nope/members").status_code == 404


def test_buckets_and_pages(world, vendor):
    first, last = world.first_day, world.last_day
    whole = vendor.buckets(USAGE, first, last, "model")
    assert [day_of(b["starting_at"]) for b in whole] == [first + timedelta(days=n) for n in range(35)]
    assert all(a["ending_at"] == b["starting_at"] for a, b in pairwise(whole))
    assert [b for b in whole if not b["results"]] and all(set(b) == {"starting_at", "ending_at", "results"} for b in whole)
    for size in (1, 4, 7, 31):
        assert vendor.buckets(USAGE, first, last, "model", limit=size) == whole
    default = vendor.get(USAGE, **span(first, last))
    assert len(default["data"]) == 7 and default["has_more"] is True and default["next_page"].startswith("page_")
    later = vendor.get(USAGE, starting_at=f"{last - timedelta(days=2)}T13:45:00Z", limit=31)  # snapped down, to the end
    assert [day_of(b["starting_at"]) for b in later["data"]] == [last - timedelta(days=n) for n in (2, 1, 0)]
    half = vendor.get(USAGE, starting_at=f"{first}T00:00:00Z", ending_at=f"{first + timedelta(days=2)}T12:00:00Z")
    assert len(half["data"]) == 2  # only whole buckets
    outside = vendor.get(COST, **span(first - timedelta(days=2), first - timedelta(days=1)))
    assert [b["results"] for b in outside["data"]] == [[], []] and outside["has_more"] is False
    key = world.anthropic_org.keys[0].id
    only = vendor.results(USAGE, first, last, "api_key_id", "model", api_key_ids__=[key])
    assert only == [r for r in vendor.results(USAGE, first, last, "api_key_id", "model") if r["api_key_id"] == key] != []
    lines = vendor.results(USAGE, first, last, *ALL, service_tiers__=["priority"])
    assert lines and {r["service_tier"] for r in lines} == {"priority"}
    cursor = vendor.get(CODE, starting_at="2026-11-03", limit=2)["next_page"]
    assert vendor.raw(CODE, starting_at="2026-11-04", limit=2, page=cursor).status_code == 400
    whole_day = vendor.get(CODE, starting_at="2026-11-03", limit=1000)["data"]
    assert vendor.walk(CODE, starting_at="2026-11-03", limit=1) == whole_day and len(whole_day) > 5


def test_directories(world, vendor):
    users = vendor.walk(f"{ROOT}/users", limit=1000)
    assert vendor.walk(f"{ROOT}/users", limit=2) == users and len(users) == 9
    back = vendor.get(f"{ROOT}/users", limit=2, before_id=users[4]["id"])
    assert back["data"] == users[2:4] and back["has_more"] is True
    assert vendor.get(f"{ROOT}/users", email=users[3]["email"])["data"] == [users[3]]
    names = {w["name"] for w in vendor.walk(f"{ROOT}/workspaces")}
    assert names == {"Production", "Evaluation", "Claude Code"}
    every = vendor.walk(f"{ROOT}/workspaces", include_archived="true", include_default="true", limit=1)
    assert {w["name"] for w in every} - names == {"Default", "Prototypes"}
    default = next(w["id"] for w in every if w["name"] == "Default")
    keys = vendor.walk(f"{ROOT}/api_keys", limit=3)
    assert {k["name"] for k in keys if k["scope"]["workspace_id"] == default} == {"data-notebooks", "batch-reports", "legacy-default"}
    assert all("workspace_id" not in k for k in keys)
    assert {k["name"] for k in vendor.walk(f"{ROOT}/api_keys", status="archived")} == {"old-prototype"}
    place = next(w["id"] for w in every if w["name"] == "Claude Code")
    mine = vendor.walk(f"{ROOT}/api_keys", workspace_id=place)
    members = vendor.walk(f"{ROOT}/workspaces/{place}/members", limit=2)
    assert {k["created_by"]["id"] for k in mine if k["created_by"]["type"] == "user"} <= {m["user_id"] for m in members}
    assert vendor.walk(f"{ROOT}/api_keys", created_by_user_id=users[0]["id"])
    for shape in ("legacy", "both"):
        with Simulator(small(api_key_shape=shape)) as sim:
            rows = {k["name"]: k for k in Vendor(sim).walk(f"{ROOT}/api_keys")}
            assert rows["data-notebooks"]["workspace_id"] is None and rows["prod-etl"]["workspace_id"].startswith("wrkspc_")
            assert all(("scope" in k) == (shape == "both") for k in rows.values())
            assert rows["nightly-ci"]["principal"]["type"] == {"legacy": "service_account", "both": "service_account_actor"}[shape]
    with pytest.raises(ValueError, match="api_key_shape"):
        small(api_key_shape="odd")


def test_without_anthropic_nothing_of_it_exists():
    plain, full = (small(anthropic=flag, first_day=date(2026, 9, 28)) for flag in (False, True))
    with Simulator(plain) as sim:
        assert Vendor(sim).raw(f"{ROOT}/me").status_code == 404  # Cursor answers for what nobody knows
    with pytest.raises(ValueError, match="no Anthropic"):
        _ = plain.truth.anthropic
    with pytest.raises(ValueError, match="no Anthropic"):
        plain.restate_anthropic(plain.first_day, "up")
    assert "anthropic" not in plain.truth.as_json() and "anthropic" in full.truth.as_json()
    assert plain.truth.billed_usd_by_day_user() == full.truth.billed_usd_by_day_user()
    before, after = ({t.title: t.rows for t in w.sheet.tabs()} for w in (plain, full))
    assert list(before) == list(after)
    # Budgets add up to the company's, so another vendor changes their amounts.
    assert all(after[title][: len(rows)] == rows for title, rows in before.items() if title != "budgets")
    assert {title for title, rows in before.items() if rows != after[title]} == {"api_keys", "invoices", "budgets"}
    assert script("rough", 7, True)[: len(script("rough"))] == script("rough")


def test_invoices_are_the_billed_months():
    world = small(first_day=date(2026, 9, 1))
    tab = next(t for t in world.sheet.tabs() if t.title == "invoices")
    found = {(r[0].value, r[1].value): r[4].value for r in tab.rows[1:] if r[5].value == "usage" and r[0].value != "cursor"}
    assert {month for _, month in found} == {date(2026, 9, 1), date(2026, 10, 1)}  # November is not closed
    for (platform, month), amount in found.items():
        split = world.truth.anthropic.usd_by_day_platform(month, (month + timedelta(days=32)).replace(day=1) - timedelta(days=1))
        assert amount == round(sum(v for (_, p), v in split.items() if p == platform), 2) > 0


# ---------------------------------------------------------------- the 2026 generation


def money(row: dict) -> Decimal:
    assert Decimal(row["cost"]["list_amount"]) >= Decimal(row["cost"]["amount"]) > 0
    return dollars(row["cost"])


def test_analytics_cost_is_the_cost_report(world, vendor):
    books, first, last = world.truth.anthropic, date(2026, 10, 9), date(2026, 11, 8)
    query = span(first, last) | {"time_bucket_width": "1d", "order_by": "time", "order": "asc"}
    dims = ["workspace_id", "model", "service_tier", "context_window", "inference_geo", "cost_type", "token_type"]
    rows = vendor.walk(A_COST, BETA, **query, group_by__=dims, limit=50)
    default = next(w["id"] for w in vendor.walk(f"{ROOT}/workspaces", include_default="true") if w["name"] == "Default")

    def line(row):
        g = row["group"]
        place = None if g["workspace_id"] == default else g["workspace_id"]
        tail = (g["cost_type"], g["model"], g["token_type"], g["service_tier"], g["context_window"], g["inference_geo"])
        return (day_of(row["starting_at"]), place, *tail)

    assert summed(rows, line, money) == books.usd_by_day_line(first, last) and len(rows) == len(books.usd_by_day_line(first, last))
    assert all(r["cost"]["requests"] is None for r in rows)
    by_key = vendor.walk(A_COST, BETA, **query, group_by__=["api_key_id"], limit=1000)
    assert summed(by_key, lambda r: (day_of(r["starting_at"]), r["group"]["api_key_id"]), money) == books.usd_by_day_key(first, last)
    assert [r["starting_at"] for r in by_key] == sorted(r["starting_at"] for r in by_key)
    actors = vendor.walk(A_COST, BETA, **query, group_by__=["actor", "api_key_id", "product"], limit=1000)

    def user(row):
        day, actor, key = day_of(row["starting_at"]), row["group"]["actor"], row["group"]["api_key_id"]
        if key is None and actor:
            return day, world.cast.canonical(actor["email_address"])
        return day, books.owner_on(key, day)

    assert summed(actors, user, money) == books.usd_by_day_user(first, last, "analytics")
    assert {r["group"]["product"] for r in actors} == {
        "messages_api", "message_batches_api", "claude_code", "claude_console", "managed_agents_api",
    }  # fmt: skip
    usage = vendor.walk(A_USAGE, BETA, **query, group_by__=["api_key_id", "model"], limit=1000)
    told = books.tokens_by_day_key_model(first, last)
    assert {(day_of(r["starting_at"]), r["group"]["api_key_id"], r["group"]["model"]): counts(r["usage"]) for r in usage} == {
        k: {n: v for n, v in c.items() if n != "web_search_requests"} for k, c in told.items()
    }
    assert all(r["usage"]["total_tokens"] == sum(counts(r["usage"]).values()) for r in usage)
    whole = vendor.get(A_COST, BETA, **span(first, last))["data"]  # neither buckets nor groups: one row
    assert len(whole) == 1 and money(whole[0]) == books.usd(first, last) and set(whole[0]["group"].values()) == {None}


def test_analytics_pages_limits_and_refusals(vendor):
    week = span(date(2026, 11, 2), date(2026, 11, 8))
    page = vendor.get(A_COST, BETA, **week, time_bucket_width="1d", limit=2, group_by__=["workspace_id", "cost_type", "token_type"])
    assert len(page["data"]) > 2 and page["has_more"] is True  # the fan-out does not count
    assert len({(r["starting_at"], r["group"]["workspace_id"]) for r in page["data"]}) == 2
    assert page["data_refreshed_at"] == "2026-11-09T04:00:00Z"
    assert len(vendor.get(A_COST, BETA, **week, time_bucket_width="1d", group_by__=["api_key_id"])["data"]) == 20
    amounts = [money(r) for r in vendor.get(A_COST, BETA, **week, group_by__=["api_key_id"])["data"]]
    assert amounts == sorted(amounts, reverse=True)
    assert vendor.raw(A_COST, **week).status_code == 400  # no beta header
    five = ["model", "product", "api_key_id", "workspace_id", "actor"]
    assert vendor.raw(A_COST, BETA, **week, group_by__=[*five, "cost_type", "token_type"]).status_code == 200
    other = {k: v for k, v in week.items() if k != "ending_at"}
    bad = [
        {"group_by__": [*five, "speed"]},
        {"group_by__": ["user"]},
        {"limit": 1001},
        {"order_by": "time"},
        {"bucket_width": "1d"},
        {"starting_at": "2025-12-31T00:00:00Z"},
        {"starting_at": "2026-10-08T00:00:00Z"},
        {"starting_at": "2026-11-02T00:00:00"},
        {"page": "page_x"},
        {"page": page["next_page"]},  # of another query
        {"exclude_deleted_users": "true"},
    ]
    for query in bad:
        assert vendor.raw(A_COST, BETA, **{**week, **query}).status_code == 400, query
    assert vendor.raw(A_COST, BETA, **other, time_bucket_width="1d").status_code == 400  # ending_at is required then
    assert vendor.raw(A_USAGE, BETA, **week, group_by__=["cost_type"]).status_code == 400
    assert vendor.raw(A_USERS, date="2026-11-05").status_code == 403


def test_a_refresh_ends_the_cursor(fresh):
    query = span(date(2026, 11, 2), date(2026, 11, 6)) | {"time_bucket_width": "1d", "limit": 2, "group_by__": ["api_key_id"]}
    page = fresh.get(A_COST, BETA, **query)
    assert fresh.get(A_COST, BETA, **query, page=page["next_page"])["data_refreshed_at"] == page["data_refreshed_at"]
    fresh.sim.world.restate_anthropic(date(2026, 11, 3), "up")
    gone = fresh.raw(A_COST, BETA, **query, page=page["next_page"])
    assert (gone.status_code, gone.json()["error"]) == (410, json.loads((EXAMPLES / "errors" / "410.json").read_text())["error"])
    assert fresh.get(A_COST, BETA, **query)["data_refreshed_at"] > page["data_refreshed_at"]
    whole = fresh.walk(A_COST, BETA, **{**query, "limit": 1000})
    assert sum(map(money, whole)) == fresh.sim.world.truth.anthropic.usd(date(2026, 11, 2), date(2026, 11, 6))


def test_a_key_may_be_refused(enterprise):
    week = span(date(2026, 11, 2), date(2026, 11, 6))
    with Simulator(small(analytics="forbidden"), anthropic_key="secret") as sim:
        assert Vendor(sim).raw(f"{ROOT}/me").status_code == 401
        refused = Vendor(sim, "secret").raw(A_COST, BETA, **week)
        assert refused.status_code == 403 and "read:analytics" in refused.json()["error"]["message"]
        assert Vendor(sim, "simulator-analytics").raw(A_COST, BETA, **week).status_code == 401  # no such organization
    assert Vendor(enterprise, "simulator-analytics").raw(COST, **week).status_code == 403
    assert Vendor(enterprise, "simulator-analytics").get(f"{ROOT}/me") != Vendor(enterprise).get(f"{ROOT}/me")


def test_the_enterprise_organization(enterprise):
    world, vendor = enterprise.world, Vendor(enterprise, "simulator-analytics")
    books, first, last = world.truth.anthropic, date(2026, 10, 9), date(2026, 11, 8)
    query = span(first, last) | {"time_bucket_width": "1d", "group_by__": ["product", "actor", "cost_type"]}
    rows = vendor.walk(A_COST, BETA, **query, limit=9)

    def who(row):
        actor = row["group"]["actor"]
        email = actor and actor["email_address"] and world.cast.canonical(actor["email_address"])
        return day_of(row["starting_at"]), email, row["group"]["product"]

    assert summed(rows, who, money) == books.enterprise_usd_by_day_user_product(first, last) != {}
    assert any(r["group"]["actor"] and r["group"]["actor"]["deleted"] for r in rows)
    assert {r["group"]["product"] for r in rows} == {"chat", "cowork", "claude_tag", None}
    left = vendor.walk(A_COST, BETA, **query, exclude_deleted_users="true")
    assert {str(r) for r in left} == {str(r) for r in rows if not (r["group"]["actor"] and r["group"]["actor"]["deleted"])}
    told, day = world.truth.claude_ai_usage_by_day_user(), date(2026, 11, 5)
    found = vendor.walk(A_USERS, date=str(day), limit=2)
    assert (
        {
            world.cast.canonical(r["user"]["email_address"]): (
                r["chat_metrics"]["distinct_conversation_count"],
                r["chat_metrics"]["message_count"],
                r["chat_metrics"]["distinct_projects_used_count"],
                r["chat_metrics"]["distinct_files_uploaded_count"],
            )
            for r in found
        }
        == {e: tuple(c.values()) for (d, e), c in told.items() if d == day}
        != {}
    )
    late = vendor.raw(A_USERS, date="2026-11-08")
    assert late.status_code == 400 and "2026-11-07" in late.json()["error"]["message"]
    assert Vendor(enterprise).get(A_USERS, date=str(day))["data"] == vendor.get(A_USERS, date=str(day))["data"]
    assert len(next(t.rows for t in world.sheet.tabs() if t.title == "claude_ai_usage")) == 1  # nobody exports what the API tells


# ---------------------------------------------------------------- restatement


def test_restatements_change_one_day_and_keep_the_older_books(fresh):
    world, day, other = fresh.sim.world, date(2026, 11, 3), date(2026, 11, 4)
    told: list[tuple[Decimal, dict]] = []

    def served(of: date) -> Decimal:
        return sum(map(dollars, fresh.results(COST, of, of, "workspace_id", "description")), Decimal(0))

    before, cursor = served(other), world.truth.billed_usd_by_day()
    code = fresh.get(CODE, starting_at=str(day), limit=1000)
    told.append((served(day), world.truth.anthropic.usd_by_day_key(day, day)))
    for kind in ("up", "down", "up", "empty"):
        version = world.restate_anthropic(day, kind)
        assert version == world.version == len(told)
        amount = served(day)
        assert amount == world.truth.anthropic.usd(day)
        assert {"up": amount > told[-1][0], "down": amount < told[-1][0], "empty": amount == 0}[kind]
        rows = fresh.results(USAGE, day, day, *ALL)
        assert bool(rows) == (kind != "empty") and len(rows) == len({tuple(r[n] for n in ALL) for r in rows})
        by_key = summed(
            rows,
            lambda r: r["api_key_id"],
            lambda r: Decimal(0) if r["service_tier"] == "priority" else exact(sum(n * price(day, r)[t] for t, n in counts(r).items())),
        )
        searches = summed(rows, lambda r: r["api_key_id"], lambda r: r["server_tool_use"]["web_search_requests"] * CENT)
        books = {k: v for (_, k), v in world.truth.anthropic.usd_by_day_key(day, day).items() if k}
        assert {k: by_key.get(k, 0) + searches.get(k, 0) for k in by_key.keys() | searches.keys() if k} == books
        told.append((amount, world.truth.anthropic.usd_by_day_key(day, day)))
    for version, (amount, keys) in enumerate(told):
        assert world.truth_at(version).anthropic.usd(day) == amount
        assert world.truth_at(version).anthropic.usd_by_day_key(day, day) == keys
    assert served(other) == before and world.truth.billed_usd_by_day() == cursor
    assert fresh.get(CODE, starting_at=str(day), limit=1000) == code  # its own report is not restated
    url = fresh.sim.url + "/_simulator/restate"
    assert requests.post(url, json={"day": str(other), "kind": "up", "vendor": "anthropic"}, timeout=60).json() == {"version": 5}
    assert served(other) > before
    truth = json.loads(requests.get(fresh.sim.url + "/_simulator/truth", timeout=60).content)
    assert Decimal(truth["anthropic"]["usd"]) == world.truth.anthropic.usd()


# ---------------------------------------------------------------- faults

WEEK = span(date(2026, 11, 2), date(2026, 11, 6))


def test_faults_of_the_pages(fresh):
    query = WEEK | {"limit": 2, "group_by__": ["workspace_id", "description"]}
    clean = [fresh.get(COST, **query)]
    while clean[-1]["has_more"]:
        clean.append(fresh.get(COST, **query, page=clean[-1]["next_page"]))
    assert len(clean) == 3

    def struck(kind: str, page: int = 0, **fault) -> dict:
        fresh.sim.add_fault(Fault(kind, "cost_report", **fault))
        cursor = {"page": clean[page - 1]["next_page"]} if page else {}
        return fresh.get(COST, **query, **cursor)

    assert struck("null_cursor") == clean[0] | {"next_page": None}
    last = struck("null_cursor", 2)
    assert last == clean[2] | {"has_more": True}
    again = struck("repeated_cursor", 1)
    assert again == clean[1] | {"next_page": clean[0]["next_page"]}
    assert struck("repeated_page", 1) == clean[0]
    holed = struck("missing_bucket")
    assert holed["data"] == clean[0]["data"][:1]
    wrong = struck("cents_as_dollars")
    pairs = zip(wrong["data"][0]["results"], clean[0]["data"][0]["results"], strict=True)
    assert all(Decimal(a["amount"]) * 100 == Decimal(b["amount"]) and isinstance(a["amount"], str) for a, b in pairs)
    rows = struck("malformed_record")["data"]
    assert [r["amount"] for b in rows for r in b["results"]].count("n/a") == 1
    assert all("amountV2" in r and "amount" not in r for b in struck("missing_field")["data"] for r in b["results"])
    assert all(r["vendorSurprise"] == "new" for b in struck("unknown_field")["data"] for r in b["results"])
    assert all(r["extraNull"] is None for b in struck("extra_null")["data"] for r in b["results"])
    fresh.sim.add_fault(Fault("cents_as_dollars", "claude_code"))
    wrong, right = (fresh.get(CODE, starting_at="2026-11-03", limit=1000)["data"] for _ in range(2))

    def estimates(rows):
        return [Decimal(m["estimated_cost"]["amount"]) for r in rows for m in r["model_breakdown"]]

    assert [100 * a for a in estimates(wrong)] == estimates(right) != []
    for kind in ("null_cursor", "repeated_cursor"):
        fresh.sim.add_fault(Fault(kind, "/users"))
    users = fresh.get(f"{ROOT}/users", limit=2)
    assert users["has_more"] is True and users["last_id"] is None
    second = users["data"][-1]["id"]
    assert fresh.get(f"{ROOT}/users", limit=2, after_id=second)["last_id"] == second
    fresh.sim.add_fault(Fault("missing_field", "api_keys", field="scope"))
    assert all("scopeV2" in k for k in fresh.get(f"{ROOT}/api_keys")["data"])
    fresh.sim.add_fault(Fault("missing_field", A_COST))
    assert all("costV2" in r for r in fresh.get(A_COST, BETA, **WEEK)["data"])


@pytest.mark.parametrize("kind", ["429", "500", "529", "503", "401", "403", "504"])
def test_status_faults(fresh, kind):
    fresh.sim.add_fault(Fault(kind, "cost_report", retry_after=2 if kind == "429" else None))
    answer = fresh.raw(COST, **WEEK)
    assert answer.status_code == int(kind) and answer.headers["request-id"] == answer.json()["request_id"]
    assert ("Retry-After" in answer.headers) == (kind == "429")
    if (EXAMPLES / "errors" / f"{kind}.json").exists() and kind != "403":
        assert answer.json()["error"] == json.loads((EXAMPLES / "errors" / f"{kind}.json").read_text())["error"]
    assert fresh.raw(COST, **WEEK).status_code == 200
    assert [(r.status, r.fault) for r in fresh.sim.log] == [(int(kind), kind), (200, None)]


def test_an_expired_cursor_and_broken_connections(fresh):
    query = WEEK | {"time_bucket_width": "1d", "limit": 2, "group_by__": ["api_key_id"]}
    fresh.sim.add_fault(Fault("expired_cursor", "analytics/"))
    page = fresh.get(A_COST, BETA, **query)  # never the first page
    assert fresh.raw(A_COST, BETA, **query, page=page["next_page"]).status_code == 410
    assert fresh.get(A_COST, BETA, **query) == page and fresh.raw(A_COST, BETA, **query, page=page["next_page"]).status_code == 200
    for kind in ("truncated", "reset", "reset_mid"):
        fresh.sim.add_fault(Fault(kind, "usage_report"))
        with pytest.raises(requests.RequestException):
            fresh.raw(USAGE, **WEEK)
        assert fresh.raw(USAGE, **WEEK).status_code == 200


def test_rough_is_survivable():
    with Simulator(small(), faults="rough") as sim:
        vendor, found, tries = Vendor(sim), [], 0
        days = [date(2026, 11, 1) + timedelta(days=n) for n in range(8)]
        while days and tries < 100:
            tries += 1
            try:
                answer = vendor.raw(COST, **span(days[0], days[0]))
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                found += [r for b in answer.json()["data"] for r in b["results"]]
                days.pop(0)
        assert sum(map(dollars, found)) == sim.world.truth.anthropic.usd(date(2026, 11, 1), date(2026, 11, 8))
        assert any(r.fault for r in sim.log)


def test_rate_limits():
    with Simulator(small(), rate_limit=True) as sim:
        vendor = Vendor(sim)
        assert Counter(vendor.raw(f"{ROOT}/me").status_code for _ in range(101)) == {200: 100, 429: 1}
        assert vendor.raw(COST, **WEEK).status_code == 200
        assert Counter(vendor.raw(A_COST, BETA, **WEEK).status_code for _ in range(61)) == {200: 60, 429: 1}


def test_the_processes_flag(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "ai_usage.simulator", "--anthropic", "--people", "4", "--from", "2026-11-01", "--to", "2026-11-05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            hello = json.loads(process.stdout.readline())
            answer = requests.get(
                f"{hello['url']}{ROOT}/me", headers={"x-api-key": hello["anthropic_key"], "anthropic-version": "x"}, timeout=60
            )
            assert answer.status_code == 200
        finally:
            process.terminate()
