"""Anthropic's contract: each recorded answer becomes the rows that a person reads in it, each request has the recorded shape.

Every expected number here was read out of the example files by hand. Belongs here: one vendor's answers and requests. Does not
belong here: faults that the simulator makes (faults/test_anthropic_faults.py), attribution (unit/test_sql_anthropic.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_usage import __version__
from ai_usage.sources.anthropic import records
from ai_usage.sources.anthropic.client import GROUPS, AnthropicClient
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, ContractError, MovingSetError, PermanentError, RefusedError, SourceError, TransientError
from ai_usage_tests.fixtures.desk import EXAMPLES, Answers, Asked, Desk, example

N, D = Decimal, date
FOUR = Window(D(2026, 11, 1), D(2026, 11, 4))
ONE = Window(D(2026, 11, 1), D(2026, 11, 1))
TODAY = Window(D(2026, 11, 22), D(2026, 11, 22))
KEY = "admin-key-that-must-never-be-shown"
ORG = "https://api.anthropic.com/v1/organizations"
PRODUCTION, CODE, DEFAULT = "wrkspc_01ProductionExample000", "wrkspc_01ClaudeCodeExample000", "wrkspc_01DefaultExample0000000"
ANA, BEN, CHLOE = "user_01AnaExample0000000000000", "user_01BenExample0000000000000", "user_01ChloeExample00000000000"
ETL, BOT, ANAS = "apikey_01ProdEtlExample000000", "apikey_01SupportBotExample000", "apikey_01ClaudeCodeAnaExample"
OLDER = ["api_key_id", "workspace_id", "model", "service_tier", "context_window"]

# What this client reads; the analytics generation, spend limits and the compliance feed have tests of their own or no reader yet.
READ = ("me", "users", "api_keys", "workspaces", "members", "usage_report/messages", "usage_report/claude_code", "cost_report")
INDEX = [f for f in json.loads(example("anthropic/INDEX.json"))["files"] if f.get("request", {}).get("url", "").startswith(ORG)]
INDEX = [f for f in INDEX if f["request"]["url"].endswith(READ) and "/analytics/" not in f["request"]["url"]]
CURSORS = ("page", "after_id")


def cursor_of(query: dict[str, Any]) -> str | None:
    found = [query[c] for c in CURSORS if c in query]
    return (found[0][0] if isinstance(found[0], list) else found[0]) if found else None


SERVED = {
    (f["request"]["url"].removeprefix("https://api.anthropic.com"), cursor_of(f["request"]["query"])): f
    for f in INDEX
    if f["file"] != "cost_report.ungrouped.json"
}


def recorded(asked: Asked) -> bytes | None:
    """The recorded answer to a request, by path and cursor; page sizes and dimensions are ours to choose."""
    found = SERVED.get((asked.path, cursor_of(asked.query)))
    return None if found is None else example(f"anthropic/{found['file']}")


@pytest.fixture
def anthropic(answers: Answers, desk: Desk):
    client = AnthropicClient(answers.url, KEY, desk.spool, rate_factor=0, tries=2, backoff_s=0.001)
    yield client
    client.close()


def load(answers: Answers, desk: Desk, endpoint: Endpoint, read: Callable[[Window], Any], window: Window, on: Any = recorded):
    """Through the loader, as an asset does it."""
    answers.on = on
    report = desk.load(endpoint, read(window))
    assert report.error() is None
    return report


def own(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in {"fetch_id", "fetched_at", "ingest_date"}}


# Answers ------------------------------------------------------------------------------------------------------


def test_every_line_of_the_bill_becomes_dollars(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """953.88953 + 918.60865 + 416.979215 cents; the ungrouped answer, which a person can add up, says the same of each day."""
    report = load(answers, desk, records.COST, anthropic.cost, FOUR)
    assert (report.rows, report.rejected, report.pages, report.requests, report.days, report.days_empty) == (26, 0, 2, 2, 4, 1)
    assert report.vendor_total_usd == N("22.89477395")
    days = {r["usage_date"]: r["usd"] for r in desk.ask("SELECT usage_date, SUM(amount_usd) AS usd FROM raw_anthropic_cost GROUP BY 1")}
    assert days == {D(2026, 11, 1): N("9.5388953"), D(2026, 11, 2): N("9.1860865"), D(2026, 11, 3): N("4.16979215")}
    ungrouped = json.loads(example("anthropic/cost_report.ungrouped.json"))["data"]
    said = {D.fromisoformat(b["starting_at"][:10]): sum((N(r["amount"]) for r in b["results"]), N(0)) / 100 for b in ungrouped}
    assert days | {D(2026, 11, 4): N(0)} == said
    held = {r["usage_date"]: r for r in desk.ask("SELECT * FROM raw_fetches")}
    assert held[D(2026, 11, 4)]["state"] == "empty" and held[D(2026, 11, 4)]["vendor_total_usd"] == 0
    assert held[D(2026, 11, 1)]["vendor_total_usd"] == N("9.5388953")


def test_a_line_of_tokens_keeps_every_dimension_and_seven_decimals_of_cents(
    answers: Answers, anthropic: AnthropicClient, desk: Desk
) -> None:
    load(answers, desk, records.COST, anthropic.cost, FOUR)
    (line,) = desk.ask("SELECT * FROM raw_anthropic_cost WHERE amount_usd = 0.30046125")
    assert own(line) == {
        "usage_date": D(2026, 11, 3), "workspace_id": PRODUCTION, "description": "Claude Sonnet 5 Usage - Input Tokens, 5m Cache Write",
        "cost_type": "tokens", "model": "claude-sonnet-5", "token_type": "cache_creation.ephemeral_5m_input_tokens",
        "service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "amount_usd": N("0.30046125"),
        "currency": "USD", "extra": None,
    }  # fmt: skip
    others = desk.ask("SELECT * FROM raw_anthropic_cost WHERE cost_type != 'tokens' ORDER BY usage_date, amount_usd")
    assert [(r["cost_type"], r["workspace_id"], r["amount_usd"]) for r in others] == [
        ("web_search", PRODUCTION, N("0.12")),
        ("web_search", CODE, N("0.03")),
        ("code_execution", PRODUCTION, N("0.041667")),
        ("session_usage", PRODUCTION, N("0.083333")),
    ]
    for row in others:
        assert [row[c] for c in ("model", "token_type", "service_tier", "context_window", "inference_geo")] == [None] * 5
    default = desk.ask("SELECT amount_usd FROM raw_anthropic_cost WHERE workspace_id IS NULL ORDER BY 1")
    assert [r["amount_usd"] for r in default] == [N("0.003609"), N("0.013155")], "NULL is the default workspace, not a total"


def test_a_month_of_412_dollars_is_not_41280(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """The error that others made: cents read as dollars."""
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
    answers.give({"data": [{**bucket, "results": [{"amount": "41280.000000", "currency": "USD"}]}], "has_more": False, "next_page": None})
    report = load(answers, desk, records.COST, anthropic.cost, ONE, on=None)
    assert report.vendor_total_usd == N("412.80") == desk.one("SELECT amount_usd FROM raw_anthropic_cost")


def test_usage_is_tokens_by_class_and_requests(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    report = load(answers, desk, records.USAGE, anthropic.usage, FOUR)
    assert (report.rows, report.rejected, report.pages, report.days, report.days_empty) == (7, 0, 2, 4, 1)
    assert report.vendor_total_usd is None, "usage bills nothing"
    rows = {(r["usage_date"].day, r["api_key_id"]): r for r in desk.ask("SELECT * FROM raw_anthropic_usage")}
    assert own(rows[1, ETL]) == {
        "usage_date": D(2026, 11, 1), "api_key_id": ETL, "account_id": None, "service_account_id": None, "workspace_id": PRODUCTION,
        "model": "claude-sonnet-5", "service_tier": None, "context_window": None, "inference_geo": None, "speed": None, "uncached_input_tokens": 412633,
        "cache_read_tokens": 1204411, "cache_write_5m_tokens": 88000, "cache_write_1h_tokens": 0, "output_tokens": 166540,
        "web_search_requests": 0, "extra": None,
    }  # fmt: skip
    assert rows[2, ETL]["cache_write_1h_tokens"] == 64000 and rows[2, ETL]["cache_write_5m_tokens"] == 0
    assert rows[1, BOT]["web_search_requests"] == 12 and rows[2, ANAS]["web_search_requests"] == 3
    playground = rows[1, None]
    assert (playground["workspace_id"], playground["uncached_input_tokens"], playground["output_tokens"]) == (None, 1203, 877)
    assert {day for day, _ in rows} == {1, 2, 3}
    assert desk.one("SELECT SUM(output_tokens) FROM raw_anthropic_usage") == 166540 + 20417 + 40133 + 877 + 150011 + 52201 + 149000
    assert all(r["extra"] is None for r in rows.values()), "every field of the contract has a column"


def test_usage_and_bill_of_the_examples_agree_on_prices(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """3 USD a million uncached Sonnet tokens: what both endpoints say of the default workspace, by hand."""
    load(answers, desk, records.USAGE, anthropic.usage, FOUR)
    load(answers, desk, records.COST, anthropic.cost, FOUR)
    assert desk.one("SELECT SUM(uncached_input_tokens) * 3 FROM raw_anthropic_usage WHERE workspace_id IS NULL") == 3609
    assert (
        desk.one(
            "SELECT SUM(amount_usd) * 1000000 FROM raw_anthropic_cost WHERE workspace_id IS NULL AND token_type = 'uncached_input_tokens'"
        )
        == 3609
    )


def test_usage_of_2025_without_the_dimensions_of_2026_is_read(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """account_id, service_account_id and inference_geo did not exist: absent is NULL, not an error and not drift."""
    old = {
        "api_key_id": ETL, "workspace_id": None, "model": "claude-sonnet-4", "service_tier": "standard", "context_window": "0-200k",
        "uncached_input_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1},
        "cache_read_input_tokens": 3, "output_tokens": 4, "server_tool_use": {"web_search_requests": 0},
    }  # fmt: skip
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": [old]}
    answers.give({"data": [bucket], "has_more": False, "next_page": None})
    report = load(answers, desk, records.USAGE, anthropic.usage, ONE, on=None)
    assert report.absent_fields >= {"account_id", "service_account_id", "inference_geo"} and not report.unknown_fields
    (row,) = desk.ask("SELECT * FROM raw_anthropic_usage")
    assert [row[c] for c in ("account_id", "service_account_id", "inference_geo", "cache_write_1h_tokens")] == [None, None, None, 1]


def test_claude_code_has_a_row_for_each_actor_and_place(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """Ana worked locally and remotely: 346 and 91 cents of estimate; a key without models is estimated at nothing."""
    report = load(answers, desk, records.CLAUDE_CODE, anthropic.claude_code, ONE)
    assert (report.rows, report.rejected, report.pages, report.vendor_total_usd) == (4, 0, 2, None)
    assert not report.unknown_fields
    rows = {(r["actor_email"] or r["api_key_name"], r["is_remote"]): r for r in desk.ask("SELECT * FROM raw_claude_code_usage")}
    local = own(rows["ana@example.com", False])
    assert json.loads(local.pop("tool_actions"))["edit_tool"] == {"accepted": 45, "rejected": 5}
    assert json.loads(local.pop("model_breakdown"))[0]["tokens"]["cache_creation"] == 250000
    assert local == {
        "usage_date": D(2026, 11, 1), "actor_type": "user_actor", "actor_email": "ana@example.com", "api_key_name": None,
        "organization_id": "dc9f6c26-0000-4000-8000-000000000001", "customer_type": "api", "subscription_type": None,
        "terminal_type": "vscode", "is_remote": False, "sessions": 5, "lines_added": 1543, "lines_removed": 892, "commits": 12,
        "pull_requests": 2, "tool_accepted": 56, "tool_rejected": 6, "estimated_usd": N("3.46"), "extra": None,
    }  # fmt: skip
    remote = rows["ana@example.com", True]
    assert [remote[c] for c in ("terminal_type", "sessions", "tool_accepted", "tool_rejected", "estimated_usd")] == [
        "web", 1, 8, 0, N("0.91"),
    ]  # fmt: skip
    key = rows["claude_code_ci", False]
    assert [key[c] for c in ("actor_type", "actor_email", "sessions", "tool_accepted", "estimated_usd")] == ["api_actor", None, 9, 0, 0]
    seat = rows["chloe@example.com", False]
    assert [seat[c] for c in ("customer_type", "subscription_type", "tool_accepted", "tool_rejected", "estimated_usd")] == [
        "subscription", "team", 13, 2, N("0.47"),
    ]  # fmt: skip


ACTIVITY = {
    "date": "2026-11-01", "actor": {"type": "user_actor", "email_address": "ana@example.com"}, "customer_type": "api",
    "core_metrics": {"num_sessions": 1, "lines_of_code": {"added": 2, "removed": 3}}, "tool_actions": {}, "model_breakdown": [],
}  # fmt: skip


def test_a_date_without_a_time_and_tools_and_models_nobody_knew(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """The older date; tools are an open map; fractions of cents of several models: 0.1 + 1234.5678 + 0.0000001 cents."""
    models = [{"model": m, "estimated_cost": {"currency": "USD", "amount": a}} for m, a in (("a", 0.1), ("b", 1234.5678), ("c", 1e-7))]
    tools = {"edit_tool": {"accepted": 1, "rejected": 2}, "browser_tool_2027": {"accepted": 4, "rejected": 8}}
    answers.give({"data": [ACTIVITY | {"tool_actions": tools, "model_breakdown": models}], "has_more": False, "next_page": None})
    load(answers, desk, records.CLAUDE_CODE, anthropic.claude_code, ONE, on=None)
    (row,) = desk.ask("SELECT * FROM raw_claude_code_usage")
    assert (row["usage_date"], row["tool_accepted"], row["tool_rejected"]) == (D(2026, 11, 1), 5, 10)
    assert row["estimated_usd"] == N("12.346678001")


@pytest.mark.parametrize("second", [{"currency": "EUR", "amount": 50}, None, {"currency": "USD", "amount": None}])
def test_an_estimate_that_is_not_dollars_makes_the_sum_unknown(desk: Desk, second: object) -> None:
    """250 cents and something else: neither 2.50, nor 3.00 with euros relabelled. Two in dollars are 2.50 + 0.50."""
    first = {"model": "a", "estimated_cost": {"currency": "USD", "amount": 250}}
    for other, usd in ((second, None), ({"currency": "USD", "amount": 50}, N(3))):
        day = D(2026, 11, 1) if usd is None else D(2026, 11, 2)
        models = [first, {"model": "b", "estimated_cost": other}]
        report = desk.load_day(records.CLAUDE_CODE, day, [ACTIVITY | {"date": str(day), "model_breakdown": models}])
        assert (report.rows, report.rejected) == (1, 0)
        assert desk.one("SELECT estimated_usd FROM raw_claude_code_usage WHERE usage_date = @day", day=day) == usd


def test_an_actor_of_a_new_kind_costs_only_its_record(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """Neither a user nor a key: kept among the rejects with its reason, the others are published."""
    stranger = ACTIVITY | {"actor": {"type": "agent_actor", "agent_id": "agent_1"}}
    answers.give({"data": [ACTIVITY, stranger], "has_more": False, "next_page": None})
    report = load(answers, desk, records.CLAUDE_CODE, anthropic.claude_code, ONE, on=None)
    assert (report.rows, report.rejected) == (1, 1) and "actor.agent_id" in report.unknown_fields
    (reject,) = desk.ask("SELECT column_name, value, reason, payload FROM raw_rejects")
    assert (reject["column_name"], reject["value"]) == ("actor.type", "agent_actor") and "neither a user nor a key" in reject["reason"]
    assert json.loads(reject["payload"])["actor"] == stranger["actor"]


def test_another_day_than_the_asked_one_is_never_published(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    answers.give({"data": [ACTIVITY | {"date": "2026-11-02T00:00:00Z"}, ACTIVITY], "has_more": False, "next_page": None})
    report = load(answers, desk, records.CLAUDE_CODE, anthropic.claude_code, ONE, on=None)
    assert (report.rows, report.rejected) == (1, 1)
    assert desk.one("SELECT reason FROM raw_rejects") == "is outside the days that were asked"


def test_users(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    load(answers, desk, records.USERS, anthropic.users, TODAY)
    rows = desk.ask("SELECT usage_date, user_id, email, name, role, added_at FROM raw_anthropic_users ORDER BY email")
    assert [tuple(r.values()) for r in rows] == [
        (D(2026, 11, 22), ANA, "ana@example.com", "Ana Example", "admin", datetime(2025, 3, 4, 9, 12, 44, 102331, UTC)),
        (D(2026, 11, 22), BEN, "ben@example.com", "Ben Example", "developer", datetime(2025, 6, 18, 15, 40, 1, tzinfo=UTC)),
        (D(2026, 11, 22), CHLOE, "chloe@example.com", "Chloe Example", "claude_code_user", datetime(2026, 2, 2, 8, tzinfo=UTC)),
    ]


def test_keys_say_scope_first_and_whose_they_are(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """The default workspace has its own id in `scope` and null in the older field; a key may lack its creator."""
    report = load(answers, desk, records.API_KEYS, anthropic.api_keys, TODAY)
    assert not report.unknown_fields
    rows = {
        r["name"]: r
        for r in desk.ask(
            "SELECT api_key_id, name, status, workspace_id, scope_type, created_by_id, created_by_type, principal_user_id, expires_at "
            "FROM raw_anthropic_api_keys"
        )
    }
    assert list(rows["prod-etl"].values()) == [ETL, "prod-etl", "active", PRODUCTION, "workspace", ANA, "user", None, None]
    assert rows["support-bot"]["expires_at"] == datetime(2027, 1, 15, 10, tzinfo=UTC)
    assert rows["claude_code_key_ana_example"]["principal_user_id"] == ANA
    assert list(rows["legacy-default"].values())[2:] == ["inactive", DEFAULT, "workspace", None, None, None, None]


@pytest.mark.parametrize(
    ("more", "workspace", "scope"),
    [
        ({"workspace_id": "w_old"}, "w_old", None),
        ({"workspace_id": None}, None, None),
        ({"scope": {"type": "workspace", "workspace_id": "w_new"}}, "w_new", "workspace"),
        ({"scope": {"type": "workspace", "workspace_id": "w_new"}, "workspace_id": "w_old"}, "w_new", "workspace"),
        ({"scope": {"type": "organization"}, "workspace_id": "w_old"}, None, "organization"),
        ({"scope": None, "workspace_id": "w_old"}, "w_old", None),
        ({}, None, None),
    ],
)
def test_a_keys_workspace_stands_in_scope_and_before_2026_beside_it(
    answers: Answers, anthropic: AnthropicClient, desk: Desk, more: dict, workspace: str | None, scope: str | None
) -> None:
    key = {"id": "k", "name": "n", "status": "active", "created_by": {"id": ANA, "type": "user"}, **more}
    answers.give({"data": [key], "has_more": False, "first_id": "k", "last_id": "k"})
    load(answers, desk, records.API_KEYS, anthropic.api_keys, TODAY, on=None)
    (row,) = desk.ask("SELECT workspace_id, scope_type FROM raw_anthropic_api_keys")
    assert tuple(row.values()) == (workspace, scope)


@pytest.mark.parametrize(
    ("principal", "user"),
    [
        ({"type": "user_actor", "user_id": ANA}, ANA),
        ({"id": ANA, "type": "user"}, ANA),
        ({"id": "svac_1", "type": "service_account"}, None),
        ({"type": "service_account_actor", "service_account_id": "svac_1"}, None),
        (None, None),
    ],
)
def test_a_keys_principal_in_both_spellings(answers: Answers, anthropic: AnthropicClient, desk: Desk, principal, user) -> None:
    answers.give({"data": [{"id": "k", "name": "n", "status": "active", "principal": principal}], "has_more": False, "last_id": "k"})
    load(answers, desk, records.API_KEYS, anthropic.api_keys, TODAY, on=None)
    assert desk.one("SELECT principal_user_id FROM raw_anthropic_api_keys") == user


def test_workspaces_with_the_default_and_what_is_only_kept(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    load(answers, desk, records.WORKSPACES, anthropic.workspaces, TODAY)
    rows = desk.ask("SELECT workspace_id, name, created_at, archived_at, extra FROM raw_anthropic_workspaces ORDER BY name")
    made = datetime(2025, 3, 4, 9, 15, tzinfo=UTC)
    assert [tuple(r.values()) for r in rows] == [
        (CODE, "Claude Code", made, None, None),
        (DEFAULT, "Default", made, None, None),
        (PRODUCTION, "Production", made, None, None),
    ]


def test_members_of_each_workspace(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    """The workspaces are asked without the default one, archived ones included; each then has a list of its own."""
    listed = json.loads(example("anthropic/workspaces_list.page1.json")) | {"has_more": False}
    empty = {"data": [], "first_id": None, "last_id": None, "has_more": False}

    def on(asked: Asked) -> Any:
        return listed if asked.path.endswith("/workspaces") else empty if CODE in asked.path else recorded(asked)

    report = load(answers, desk, records.WORKSPACE_MEMBERS, anthropic.workspace_members, TODAY, on=on)
    rows = desk.ask("SELECT workspace_id, user_id, workspace_role FROM raw_anthropic_workspace_members ORDER BY user_id")
    assert [tuple(r.values()) for r in rows] == [(PRODUCTION, ANA, "workspace_admin"), (PRODUCTION, BEN, "workspace_developer")]
    assert report.requests == 4
    first, *members = answers.asked
    assert first.query == {"include_archived": ["true"], "limit": ["1000"]}
    assert [a.path for a in members] == [f"/v1/organizations/workspaces/{w}/members" for w in (PRODUCTION, PRODUCTION, CODE)]


def test_the_organisation_is_named(answers: Answers, anthropic: AnthropicClient) -> None:
    answers.on = recorded
    assert anthropic.organization() == "Example Org"


# Requests -----------------------------------------------------------------------------------------------------

BUCKETS = {"starting_at": ["2026-11-01T00:00:00Z"], "ending_at": ["2026-11-05T00:00:00Z"], "bucket_width": ["1d"], "limit": ["31"]}


@pytest.mark.parametrize(
    ("method", "window", "query"),
    [
        ("usage", FOUR, BUCKETS | {"group_by[]": list(GROUPS)}),
        ("cost", FOUR, BUCKETS | {"group_by[]": ["workspace_id", "description"]}),
        ("claude_code", ONE, {"starting_at": ["2026-11-01"], "limit": ["1000"]}),
        ("users", TODAY, {"limit": ["1000"]}),
        ("api_keys", TODAY, {"limit": ["1000"]}),
        ("workspaces", TODAY, {"limit": ["1000"], "include_archived": ["true"], "include_default": ["true"]}),
    ],
)
def test_requests_have_the_recorded_shape(
    answers: Answers, anthropic: AnthropicClient, method: str, window: Window, query: dict[str, list[str]]
) -> None:
    """Both pages of each report and list: path, headers, repeated `group_by[]`, the cursor as the vendor gave it, the largest page."""
    answers.on = recorded
    getattr(anthropic, method)(window)
    first, second = answers.asked[-2:]
    # Workspaces are listed without the default one first: what only the second list has is the default.
    assert ["include_default" in a.query for a in answers.asked[:-2]] == ([False, False] if method == "workspaces" else [])
    for asked in (first, second):
        file = SERVED[asked.path, cursor_of(asked.query)]["request"]
        assert (asked.method, "https://api.anthropic.com" + asked.path) == (file["method"], file["url"])
        assert asked.headers["x-api-key"] == KEY
        assert asked.headers["anthropic-version"] == file["headers"]["anthropic-version"] == "2023-06-01"
        assert asked.headers["user-agent"] == f"ai-usage-analytics/{__version__}"
        assert "authorization" not in asked.headers and "cookie" not in asked.headers and asked.json is None
        ours = {k: v for k, v in asked.query.items() if k not in CURSORS}
        assert ours == query
        theirs = {k for k in file["query"] if k not in CURSORS}
        assert theirs <= set(ours), "a recorded parameter is not sent"
    assert cursor_of(first.query) is None and cursor_of(second.query) is not None


def test_every_example_that_this_client_reads_is_used() -> None:
    """A recorded answer that no test reads proves nothing."""
    here = Path(__file__).read_text(encoding="utf-8")
    used = {f["file"] for f in SERVED.values()} | {n for n in ("cost_report.ungrouped.json",) if n in here}
    own_kinds = ("cost_report", "usage_report", "users_list", "api_keys", "workspace", "organization")
    files = {p.name for p in (EXAMPLES / "anthropic").glob("*.json") if p.name.startswith(own_kinds)}
    assert used == files and len(files) == 16


# What changes without notice ----------------------------------------------------------------------------------


def give_bucket(answers: Answers, *results: Any, **more: Any) -> None:
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": list(results)}
    answers.give({"data": [bucket], "has_more": False, "next_page": None} | more)


def test_unknown_fields_are_kept_and_reported(answers: Answers, anthropic: AnthropicClient, desk: Desk) -> None:
    give_bucket(answers, {"amount": "1", "currency": "USD", "cost_center": {"id": 7}, "region": None})
    report = load(answers, desk, records.COST, anthropic.cost, ONE, on=None)
    assert report.unknown_fields == {"cost_center", "region"}
    assert json.loads(desk.one("SELECT extra FROM raw_anthropic_cost"))["cost_center"] in ({"id": 7}, '{"id":7}')


MANY = 10  # one record without a field is a bad record; ten are another contract


@pytest.mark.parametrize(
    ("endpoint", "method", "record", "field"),
    [
        (records.COST, "cost", {"currency": "USD", "amountV2": "1"}, "amount"),
        (records.COST, "cost", {"amount": "1"}, "currency"),
        (records.USAGE, "usage", {"output_tokens": 1}, "uncached_input_tokens"),
        (records.USAGE, "usage", {"uncached_input_tokens": 1}, "output_tokens"),
        (records.COST, "cost", {}, "amount"),
    ],
)
def test_a_required_field_that_is_gone_fails_the_report(
    answers: Answers, anthropic: AnthropicClient, desk: Desk, endpoint: Endpoint, method: str, record: dict, field: str
) -> None:
    give_bucket(answers, *[record] * MANY)
    _gone(desk, endpoint, getattr(anthropic, method)(ONE), field)


@pytest.mark.parametrize(
    ("endpoint", "method", "record", "field"),
    [
        (records.CLAUDE_CODE, "claude_code", {"date": "2026-11-01", "actor": {"email_address": "a@example.com"}}, "customer_type"),
        (records.CLAUDE_CODE, "claude_code", {"customer_type": "api"}, "date"),
        (records.USERS, "users", {"id": "u"}, "email"),
        (records.USERS, "users", {"email": "a@example.com"}, "id"),
        (records.API_KEYS, "api_keys", {"name": "n", "status": "active"}, "id"),
        (records.API_KEYS, "api_keys", {"id": "k", "status": "active"}, "name"),
        (records.WORKSPACES, "workspaces", {"id": "w"}, "name"),
    ],
)
def test_a_required_field_that_is_gone_fails_the_list(
    answers: Answers, anthropic: AnthropicClient, desk: Desk, endpoint: Endpoint, method: str, record: dict, field: str
) -> None:
    answer = {"data": [record] * MANY, "has_more": False, "next_page": None, "last_id": "x"}
    for _ in range(2 if method == "workspaces" else 1):
        answers.give(answer)
    _gone(desk, endpoint, getattr(anthropic, method)(ONE), field)


def _gone(desk: Desk, endpoint: Endpoint, walk: Any, field: str) -> None:
    report = desk.load(endpoint, walk)
    error = report.error()
    assert isinstance(error, ContractError) and repr(field) in str(error) and endpoint.name in str(error)
    sentence(str(error), "nothing was stored", "sources/anthropic/records.py")
    assert desk.ask(f"SELECT * FROM {endpoint.table.name}") == []
    assert desk.one("SELECT state FROM raw_fetches") == "failed"


@pytest.mark.parametrize("record", [None, 5, "text", [1], {}])
def test_what_is_no_record_in_a_bucket_costs_only_itself(answers: Answers, anthropic: AnthropicClient, desk: Desk, record: Any) -> None:
    give_bucket(answers, {"amount": "1", "currency": "USD"}, record)
    report = load(answers, desk, records.COST, anthropic.cost, ONE, on=None)
    assert (report.rows, report.rejected, report.vendor_total_usd) == (1, 1, N("0.01"))


@pytest.mark.parametrize("method", ["usage", "cost", "claude_code", "users", "api_keys", "workspaces", "workspace_members"])
def test_an_answer_that_does_not_say_whether_more_follows_is_another_contract(
    answers: Answers, anthropic: AnthropicClient, method: str
) -> None:
    """Read as "no more", every chain would end after its first page without a word."""
    answers.give({"data": [], "next_page": "page_2", "last_id": "x"})
    with pytest.raises(ContractError, match="another shape.*has_more"):
        getattr(anthropic, method)(ONE)
    assert len(answers.asked) == 1


def test_more_pages_without_a_cursor_are_a_broken_chain(answers: Answers, anthropic: AnthropicClient) -> None:
    for _ in range(4):
        answers.give({"data": [ACTIVITY], "has_more": True, "next_page": None})
    with pytest.raises(MovingSetError, match="cursor is missing"):
        anthropic.claude_code(ONE)
    assert answers.left == 0, "a broken chain is walked again three times"


def test_a_page_that_comes_twice_under_a_new_cursor_is_a_broken_chain(answers: Answers, anthropic: AnthropicClient) -> None:
    """Nothing counts Claude Code's rows, so only their content shows that the second page is the first one again."""
    rows = [ACTIVITY, ACTIVITY | {"terminal_type": "web"}]
    answers.give({"data": rows, "has_more": True, "next_page": "page_2"})
    answers.give({"data": rows, "has_more": True, "next_page": "page_3"})
    answers.give({"data": rows, "has_more": True, "next_page": "page_2"})
    answers.give({"data": rows[:1], "has_more": False, "next_page": None})
    found = anthropic.claude_code(ONE)
    assert (found.records, found.pages, found.requests) == (3, 2, 4)


def test_a_cursor_that_expires_restarts_the_walk(answers: Answers, anthropic: AnthropicClient) -> None:
    """410 on a later page: the walk begins again, and nothing of the first one stays."""
    answers.give({"data": [ACTIVITY], "has_more": True, "next_page": "page_2"})
    answers.give(example("anthropic/errors/410.json"), 410)
    answers.give({"data": [ACTIVITY], "has_more": True, "next_page": "page_3"})
    answers.give({"data": [ACTIVITY], "has_more": False, "next_page": None})
    found = anthropic.claude_code(ONE)
    assert (found.records, found.pages, found.requests) == (2, 2, 4)
    assert [cursor_of(a.query) for a in answers.asked] == [None, "page_2", None, "page_3"]


UNKNOWN_GROUP = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "group_by: 'inference_geo' is not one of api_key_id, workspace_id"},
}


def empty_bucket() -> dict[str, Any]:
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": []}
    return {"data": [bucket], "has_more": False, "next_page": None}


def test_an_api_of_before_2026_is_asked_for_the_dimensions_it_knows(answers: Answers, anthropic: AnthropicClient) -> None:
    answers.give(UNKNOWN_GROUP, 400)
    answers.give(UNKNOWN_GROUP, 400)
    answers.give(empty_bucket())
    answers.give(empty_bucket())
    anthropic.usage(ONE)
    anthropic.usage(ONE)
    assert [a.query["group_by[]"] for a in answers.asked] == [list(GROUPS), list(GROUPS[:-1]), OLDER, OLDER]


@pytest.mark.parametrize(
    "said",
    [
        "group_by: 'speed' is not one of api_key_id, workspace_id", "speed: requires another beta",
        "Unexpected value(s) `fast-mode-2026-02-01` for the `anthropic-beta` header",
    ],
)  # fmt: skip
def test_a_beta_that_is_over_costs_the_speed_alone(answers: Answers, anthropic: AnthropicClient, said: str) -> None:
    """The header goes with the question that needs it and with no other, and a refusal of either leaves the other dimensions."""
    answers.give({"type": "error", "error": {"type": "invalid_request_error", "message": said}}, 400)
    answers.give(empty_bucket())
    answers.give(empty_bucket())
    anthropic.usage(ONE)
    anthropic.cost(ONE)
    assert [a.headers.get("anthropic-beta") for a in answers.asked] == ["fast-mode-2026-02-01", None, None]
    assert [a.query["group_by[]"] for a in answers.asked][:2] == [list(GROUPS), list(GROUPS[:-1])] and GROUPS[-1] == "speed"


def test_every_window_in_flight_falls_back_to_the_older_dimensions(answers: Answers, anthropic: AnthropicClient) -> None:
    """Four windows ask at once, all four are refused: none of them may take the others' fall-back for its own."""
    together = threading.Barrier(4)

    def on(asked: Asked) -> Any:
        if "speed" not in asked.query["group_by[]"]:
            return empty_bucket()
        together.wait(10)
        answers.give(UNKNOWN_GROUP, 400)
        return None

    answers.on = on
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(anthropic.usage, ONE) for _ in range(4)]
    assert [f.exception() for f in found] == [None] * 4
    assert len(answers.asked) == 8


def test_dimensions_refused_in_the_middle_drop_what_came_before(answers: Answers, anthropic: AnthropicClient) -> None:
    """Rows grouped in two ways must never stand in one version: the first page is asked again with the older dimensions."""
    row = {"uncached_input_tokens": 1, "output_tokens": 1}
    days = [{"starting_at": f"2026-11-0{n}T00:00:00Z", "ending_at": f"2026-11-0{n + 1}T00:00:00Z", "results": [row]} for n in (1, 2)]
    answers.give({"data": days[:1], "has_more": True, "next_page": "page_2"})
    answers.give(UNKNOWN_GROUP, 400)
    answers.give(UNKNOWN_GROUP, 400)
    answers.give({"data": days, "has_more": False, "next_page": None})
    assert anthropic.usage(Window(D(2026, 11, 1), D(2026, 11, 2))).records == 2


def test_another_400_is_not_taken_for_an_unknown_dimension(answers: Answers, anthropic: AnthropicClient) -> None:
    answers.give(example("anthropic/errors/400.json"), 400)
    with pytest.raises(PermanentError, match="must be within the last 365 days"):
        anthropic.usage(ONE)
    assert len(answers.asked) == 1


# Errors -------------------------------------------------------------------------------------------------------


def sentence(message: str, *parts: str) -> None:
    assert all(part in message for part in parts), message
    assert "\n" not in message and message.endswith(".") and KEY not in message


def answer(status: int) -> Any:
    path = EXAMPLES / f"anthropic/errors/{status}.json"
    if path.exists():
        return path.read_bytes()
    kind = {402: "billing_error", 413: "request_too_large"}[status]  # not among the examples; the kinds are documented
    return {"type": "error", "error": {"type": kind, "message": "said by the vendor"}, "request_id": "req_1"}


@pytest.mark.parametrize("method", ["usage", "cost", "claude_code", "users", "api_keys", "workspaces", "workspace_members"])
@pytest.mark.parametrize(
    ("status", "kind", "requests", "says"),
    [
        (400, PermanentError, 1, ["400", "must be within the last 365 days"]),
        (401, AuthError, 1, ["401", "does not accept ANTHROPIC_ADMIN_API_KEY", "Admin key", "Claude Console"]),
        (402, PermanentError, 1, ["402", "billing", "said by the vendor"]),
        (403, RefusedError, 1, ["403", "ANTHROPIC_ADMIN_API_KEY", "needs [read:analytics]", "whole organisation"]),
        (404, PermanentError, 1, ["404", "base URL"]),
        (413, PermanentError, 1, ["413", "said by the vendor"]),
        (429, TransientError, 2, ["429", "spend limit", "run again later"]),
        (500, TransientError, 2, ["500", "run again later"]),
        (504, TransientError, 2, ["504", "run again later"]),
        (529, TransientError, 2, ["529", "Overloaded", "run again later"]),
    ],
)
def test_each_error_has_its_class_and_one_sentence(
    answers: Answers, anthropic: AnthropicClient, method: str, status: int, kind: type, requests: int, says: list[str]
) -> None:
    """Permanent errors are asked once, transient ones again; the message names the endpoint and the remedy, never the key."""
    for _ in range(2):
        answers.give(answer(status), status)
    with pytest.raises(SourceError) as caught:
        getattr(anthropic, method)(ONE)
    assert type(caught.value) is kind and len(answers.asked) == requests
    sentence(str(caught.value), *says, answers.asked[0].path, "Anthropic")


def test_the_wait_that_a_429_asks_for_is_kept_and_is_no_spend_limit(answers: Answers, anthropic: AnthropicClient) -> None:
    """With Retry-After it is the rate: waited for, and not explained by the spend limit."""
    answers.give(answer(429), 429, Retry_After="0")
    answers.on = None
    answers.give(answer(429), 429, Retry_After="400")
    with pytest.raises(TransientError) as caught:
        anthropic.cost(ONE)
    assert caught.value.retry_after == 400 and "spend limit" not in str(caught.value)
    sentence(str(caught.value), "429", "Rate limit exceeded", "run again later")


@pytest.mark.parametrize(("status", "says"), [(401, "does not accept"), (403, "not allowed")])
def test_a_key_of_the_wrong_kind_ends_the_question_of_who_we_are(
    answers: Answers, anthropic: AnthropicClient, status: int, says: str
) -> None:
    """An ordinary API key, a workspace's key: refused, once, with what to do."""
    answers.give(answer(status), status)
    with pytest.raises(AuthError) as caught:
        anthropic.organization()
    sentence(str(caught.value), says, "/v1/organizations/me", "Admin key")
    assert len(answers.asked) == 1


def test_html_with_200_is_tried_again_and_never_an_empty_day(answers: Answers, anthropic: AnthropicClient) -> None:
    for _ in range(2):
        answers.give(b"<!doctype html><title>Sign in</title>" + KEY.encode(), Content_Type="text/html")
    with pytest.raises(TransientError) as caught:
        anthropic.cost(ONE)
    sentence(str(caught.value), "not JSON", "cost_report")
    assert len(answers.asked) == 2
