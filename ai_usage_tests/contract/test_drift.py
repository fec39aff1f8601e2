"""Drift: what a vendor documents is no news when it comes, and what nobody documents is news with its path, at every depth.

The records are written anew from the vendors' documentation, every documented field in each. Law 5: nothing is lost, so a new field is kept too.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ai_usage.sources.anthropic import analytics_records, records
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.decode import Decoder
from ai_usage.sources.endpoint import Endpoint
from ai_usage_tests.fixtures.desk import NOON, spooled

DAY = date(2026, 11, 1)
TOKENS = {
    "uncached_input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 7, "server_tool_use": {"web_search_requests": 1},
    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1},
}  # fmt: skip
GROUP = {
    "actor": {"type": "user_actor", "user_id": "user_a", "email_address": "ana@example.com", "name": None, "deleted": False},
    "actor_type": "user_actor", "agent_id": None, "api_key_id": None, "claude_tag_category": None, "claude_tag_user_id": None,
    "context_window": "0-200k", "deployment_id": None, "environment_id": None, "inference_geo": "global", "model": "claude-opus-5",
    "organization_id": None, "product": "chat", "rbac_group_id": None, "service_tier": "standard", "session_id": None, "slack_channel_id": None,
    "speed": None, "user_profile_id": None, "workspace_id": None,
}  # fmt: skip
FEDERATED = GROUP | {
    "actor": {"type": "federated_actor", "provider": {"type": "oidc", "issuer": "https://id.example.com"}, "subject": "job"}
}
ENTERPRISE_DAY = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
SPENT = {"cost": {"amount": "12.5", "list_amount": "14", "currency": "USD", "requests": None}}
MEASURED = {"usage": {**TOKENS, "total_tokens": 23, "requests": 4}}
TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")
APP = dict.fromkeys(
    ("connectors_used_count", "distinct_connectors_used_count", "distinct_session_count", "distinct_skills_used_count", "message_count", "skills_used_count"), 1
)  # fmt: skip

DOCUMENTED: list[tuple[Endpoint, dict[str, Any]]] = [
    (
        records.USAGE,
        {
            "starting_at": "2026-11-01T00:00:00Z", "account_id": None, "api_key_id": "apikey_a", "service_account_id": None, "workspace_id": None,
            "model": "claude-opus-5", "service_tier": "batch", "context_window": "0-200k", "inference_geo": "us", "speed": "fast", **TOKENS,
        },
    ),
    (
        records.COST,
        {
            "starting_at": "2026-11-01T00:00:00Z", "amount": "12.5", "currency": "USD", "cost_type": "tokens", "description": "Input", "model": "claude-opus-5",
            "token_type": "output_tokens", "service_tier": "standard", "context_window": "0-200k", "inference_geo": None, "workspace_id": None,
        },
    ),
    (
        records.CLAUDE_CODE,
        {
            "date": "2026-11-01T00:00:00Z", "actor": {"type": "user_actor", "email_address": "ana@example.com"}, "organization_id": "org",
            "customer_type": "subscription", "subscription_type": "team", "terminal_type": "tmux", "is_remote": False,
            "core_metrics": {
                "num_sessions": 2, "lines_of_code": {"added": 10, "removed": 3}, "commits_by_claude_code": 1, "pull_requests_by_claude_code": 0,
            },
            "tool_actions": {tool: {"accepted": 4, "rejected": 1} for tool in (*TOOLS, "a_tool_of_next_year")},
            "model_breakdown": [
                {
                    "model": model, "tokens": {"input": 1, "output": 2, "cache_read": 3, "cache_creation": 4},
                    "estimated_cost": {"amount": 1.5, "currency": "USD"},
                }
                for model in ("claude-opus-5", "claude-sonnet-5")
            ],
        },
    ),
    (records.USERS, {"id": "user_a", "type": "user", "email": "ana@example.com", "name": "A", "role": "developer", "added_at": "2026-01-01T00:00:00Z"}),
    (
        records.API_KEYS,
        {
            "id": "apikey_a", "type": "api_key", "name": "etl", "status": "active", "partial_key_hint": None, "created_at": "2026-01-01T00:00:00Z",
            "created_by": {"id": "user_a", "type": "user"}, "expires_at": None, "workspace_id": None,
            "principal": {"type": "user_actor", "user_id": "user_a"}, "scope": {"type": "workspace", "workspace_id": "wrkspc_a"},
        },
    ),
    (records.API_KEYS, {"id": "apikey_b", "name": "b", "status": "archived", "created_by": None, "principal": {"id": "user_a", "type": "user"}}),
    (records.API_KEYS, {"id": "apikey_c", "name": "c", "status": "inactive", "principal": {"type": "service_account_actor", "service_account_id": "s"}}),
    (
        records.WORKSPACES,
        {
            "id": "wrkspc_a", "type": "workspace", "name": "Data", "created_at": "2026-01-01T00:00:00Z", "archived_at": None, "display_color": "#000",
            "compartment_id": None, "external_key_id": None, "user_profile_id": None, "tags": {"anything at all": "1"},
            "data_residency": {"workspace_geo": "us", "default_inference_geo": "global", "allowed_inference_geos": ["us", "global"]},
        },
    ),
    (records.WORKSPACE_MEMBERS, {"type": "workspace_member", "user_id": "user_a", "workspace_id": "wrkspc_a", "workspace_role": "workspace_user"}),
    (analytics_records.COST, {**ENTERPRISE_DAY, "group": GROUP | {"cost_type": "tokens", "token_type": None}, **SPENT}),
    (analytics_records.ENTERPRISE_COST, {**ENTERPRISE_DAY, "group": GROUP | {"cost_type": "tokens", "token_type": None}, **SPENT}),
    (analytics_records.COST, {**ENTERPRISE_DAY, "group": FEDERATED, **SPENT}),
    *((e, {**ENTERPRISE_DAY, "group": GROUP, **MEASURED}) for e in (analytics_records.USAGE, analytics_records.ENTERPRISE_USAGE)),
    (
        analytics_records.ENTERPRISE_USERS,
        {
            "date": "2026-11-01", "user": {"id": "user_a", "email_address": "ana@example.com", "type": "user"},
            "chat_metrics": dict.fromkeys(
                (
                    "distinct_conversation_count", "message_count", "thinking_message_count", "distinct_projects_created_count",
                    "distinct_projects_used_count", "distinct_files_uploaded_count", "distinct_artifacts_created_count",
                    "distinct_shared_artifacts_viewed_count", "distinct_skills_used_count", "connectors_used_count",
                    "distinct_connectors_used_count", "shared_conversations_viewed_count",
                ), 1,
            ),
            "claude_code_metrics": {
                "core_metrics": {
                    "commit_count": 1, "pull_request_count": 1, "distinct_session_count": 1, "artifacts_created_count": 1,
                    "lines_of_code": {"added_count": 1, "removed_count": 1},
                },
                "tool_actions": {tool: {"accepted_count": 1, "rejected_count": 0} for tool in TOOLS},
            },
            "cowork_metrics": dict.fromkeys(("action_count", "dispatch_turn_count", "sessions_with_file_edits_count", "write_tool_count"), 1) | APP,
            "office_metrics": {app: dict(APP) for app in ("excel", "outlook", "powerpoint", "word")},
            "design_metrics": {"distinct_projects_created_count": 1, "distinct_projects_used_count": 1, "distinct_session_count": 1, "message_count": 1},
            "science_metrics": {"delegation_count": 0, "distinct_session_count": 0, "message_count": 0, "remote_compute_job_count": 0, "skills_used_count": 0},
            "web_search_count": 1, "distinct_user_count": None, "last_activity_date": "2026-11-01", "rbac_group_id": None, "rbac_group_name": None,
        },
    ),
    (cursor.MEMBERS, {"id": "user_a", "name": "A", "email": "ana@example.com", "role": "member", "isRemoved": False}),
    (
        cursor.DAILY_USAGE,
        {
            "userId": "user_a", "day": "2026-11-01", "date": 1793491200000, "email": "ana@example.com", "isActive": True, "clientVersion": "2.1",
            "mostUsedModel": "m", "applyMostUsedExtension": ".py", "tabMostUsedExtension": None,
            **dict.fromkeys(
                (
                    "totalLinesAdded", "totalLinesDeleted", "acceptedLinesAdded", "acceptedLinesDeleted", "totalApplies", "totalAccepts", "totalRejects",
                    "totalTabsShown", "totalTabsAccepted", "composerRequests", "chatRequests", "agentRequests", "cmdkUsages", "bugbotUsages",
                    "subscriptionIncludedReqs", "usageBasedReqs", "apiKeyReqs",
                ), 1,
            ),
        },
    ),
    (
        cursor.EVENTS,
        {
            "timestamp": "1793534400000", "userEmail": "ana@example.com", "serviceAccountId": "s", "serviceAccountName": "s", "cloudAgentId": "c",
            "automationId": "a", "conversationId": "c", "model": "m", "kind": "Usage-based", "maxMode": False, "isTokenBasedCall": True,
            "isHeadless": False, "isChargeable": True, "requestsCosts": 1.5, "chargedCents": 12.5, "cursorTokenFee": 1, "isFreeBugbot": False,
            "tokenUsage": {"inputTokens": 1, "outputTokens": 1, "cacheWriteTokens": 1, "cacheReadTokens": 1, "totalCents": 10, "discountPercentOff": 5},
        },
    ),
    (
        cursor.SPEND,
        {
            "userId": "user_a", "name": "A", "email": "ana@example.com", "role": "member", "spendCents": 1.5, "overallSpendCents": 2,
            "includedSpendCents": 0.5, "fastPremiumRequests": 0, "hardLimitOverrideDollars": 0, "monthlyLimitDollars": None,
            "effectivePerUserLimitDollars": 50, "subscriptionCycleStart": 1793491200000,
        },
    ),
]  # fmt: skip
# Objects whose parts nobody documents: open by what they are.
OPEN = {"tags", "group.actor.provider"}


def news(folder: Path, endpoint: Endpoint, record: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What is said to be new in a record, and what is kept of it."""
    walk = spooled(folder, endpoint, DAY, DAY, [record])
    with Decoder() as decoder:
        days = decoder.load([walk])
        (row,) = decoder.rows({(str(walk.path), d.usage_date): "f" for d in days}, NOON).to_pylist()
        return decoder.unknown_fields, json.loads(row["extra"] or "{}")


def objects(value: Any, path: str = "") -> Iterator[tuple[str, list[str | int]]]:
    """Each object inside a record: its dotted path, and the way to it (in a list, to its last part)."""

    def inside(value: Any, path: str, way: list[str | int]) -> Iterator[tuple[str, list[str | int]]]:
        if isinstance(value, dict) and path not in OPEN:
            yield path, way
            for key, part in value.items():
                yield from inside(part, f"{path}.{key}" if path else key, [*way, key])
        elif isinstance(value, list):
            yield from inside(value[-1], f"{path}[]", [*way, len(value) - 1])

    return inside(value, path, [])


NAMES = [f"{e.source} {e.name} {n}" for n, (e, _) in enumerate(DOCUMENTED)]


@pytest.mark.parametrize(("endpoint", "record"), DOCUMENTED, ids=NAMES)
def test_what_is_documented_is_no_news(tmp_path: Path, endpoint: Endpoint, record: dict[str, Any]) -> None:
    assert news(tmp_path, endpoint, record) == ((), {})


@pytest.mark.parametrize(("endpoint", "record"), DOCUMENTED, ids=NAMES)
def test_what_nobody_documents_is_news_at_every_depth(tmp_path: Path, endpoint: Endpoint, record: dict[str, Any]) -> None:
    """One new field in one object of the record is one piece of news, which names the path; the value, or the list that holds it, is kept."""
    places = [(path, way) for path, way in objects(record) if not (path == "tool_actions" or path.endswith(".tool_actions"))]
    for number, (path, way) in enumerate(places):
        changed = copy.deepcopy(record)
        holder: Any = changed
        for step in way:
            holder = holder[step]
        holder["newOfTomorrow"] = {"deep": 1}
        named = f"{path}.newOfTomorrow" if path else "newOfTomorrow"
        (folder := tmp_path / str(number)).mkdir()
        fields, kept = news(folder, endpoint, changed)
        assert fields == (named,)
        assert kept == {named: changed["model_breakdown"] if "[]" in named else {"deep": 1}}


def test_a_new_tool_is_no_news_but_a_new_count_of_it_is(tmp_path: Path) -> None:
    record = copy.deepcopy(next(r for e, r in DOCUMENTED if e is records.CLAUDE_CODE))
    record["tool_actions"]["paint_tool"] = {"accepted": 1, "rejected": 0, "asked": 9}
    assert news(tmp_path, records.CLAUDE_CODE, record) == (("tool_actions.paint_tool.asked",), {"tool_actions.paint_tool.asked": 9})
