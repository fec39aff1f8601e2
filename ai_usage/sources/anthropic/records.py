"""Anthropic's records: their fields and how they become columns. Cents become USD here, once; the vendor sends them as text.

Belongs here: declarations only. Source: platform.claude.com/docs/en/api/admin; field by field in README.md. Fields that were
added in 2026 are optional: an answer without them is an older one, not a wrong one.
"""

from __future__ import annotations

from ai_usage.sources.anthropic import tables
from ai_usage.sources.endpoint import Endpoint, Field, Rule, ids

SOURCE = "anthropic"
DAY = """CAST(TRY_CAST("starting_at" AS TIMESTAMPTZ) AS DATE)"""  # of UTC, whatever offset the instant is written with
CURRENCY = 'upper(trim("{}"))'


def cents(path: str) -> str:
    """USD from cents."""
    return f'"{path}" * 0.01'


def billed(amount: str, currency: str) -> str:
    """The USD that a record bills; NULL in another currency, which is no amount of ours."""
    return f"CASE WHEN {CURRENCY.format(currency)} = 'USD' THEN {cents(amount)} END"


def _instant(path: str) -> str:
    return f'TRY_CAST("{path}" AS TIMESTAMPTZ)'


def sum_inside(path: str, inside: str, kind: str) -> str:
    """The sum of one number of each part of a JSON field; 0 where it has no parts, NULL where it is not there, or a part lacks its number or has one
    that cannot be meant: true, below 0, or ten billion."""
    number = f"CASE WHEN json_type(x) != 'BOOLEAN' AND TRY_CAST(x AS {kind}) BETWEEN 0 AND 9999999999 THEN TRY_CAST(x AS {kind}) END"
    found = f"list_filter(list_transform(json_extract(\"{path}\", '{inside}'), x -> {number}), x -> x IS NOT NULL)"
    whole = "ARRAY" if "[" in inside else "OBJECT"
    parts = f"CASE WHEN json_type(\"{path}\") = '{whole}' THEN len(json_extract(\"{path}\", '{inside[: inside.rindex('*') + 1]}{']' * ('[' in inside)}')) END"
    return f"(CASE WHEN {parts} = 0 THEN 0 WHEN len({found}) = {parts} THEN list_sum({found}) END)"


USAGE = Endpoint(
    source=SOURCE,
    name="usage_report/messages",
    without="tokens and requests of the API are unknown, and its cost has no owner",
    table=tables.raw_anthropic_usage,
    fields=(
        Field("starting_at", required=True), *ids("api_key_id", "account_id", "service_account_id", "workspace_id", "model"),
        Field("service_tier"), Field("context_window"), Field("inference_geo"), Field("speed"),
        Field("uncached_input_tokens", "int", required=True), Field("cache_read_input_tokens", "int"),
        Field("cache_creation.ephemeral_5m_input_tokens", "int"), Field("cache_creation.ephemeral_1h_input_tokens", "int"),
        Field("output_tokens", "int", required=True), Field("server_tool_use.web_search_requests", "int"),
    ),
    columns={
        "cache_read_tokens": '"cache_read_input_tokens"', "cache_write_5m_tokens": '"cache_creation.ephemeral_5m_input_tokens"',
        "cache_write_1h_tokens": '"cache_creation.ephemeral_1h_input_tokens"', "web_search_requests": '"server_tool_use.web_search_requests"',
    },
    usage_date=DAY,
    beside="starting_at",
)  # fmt: skip

COST = Endpoint(
    source=SOURCE,
    name="cost_report",
    table=tables.raw_anthropic_cost,
    fields=(
        Field("starting_at", required=True), Field("amount", "cents", required=True), Field("currency", required=True), Field("cost_type"),
        Field("description"), Field("model", "id"), Field("token_type"), Field("service_tier"), Field("context_window"), Field("inference_geo"),
        Field("workspace_id", "id"),
    ),
    columns={"amount_usd": cents("amount"), "currency": CURRENCY.format("currency")},
    usage_date=DAY,
    vendor_total=billed("amount", "currency"),
    beside="starting_at",
    staged_as="anthropic_cost_report",
    named_by={"workspace_id": "workspace_id", "model": "model", "token_type": "coalesce(token_type, cost_type)"},
)  # fmt: skip

CLAUDE_CODE = Endpoint(
    source=SOURCE,
    name="usage_report/claude_code",
    table=tables.raw_claude_code_usage,
    fields=(
        Field("date", required=True), Field("actor.type"), Field("actor.email_address", "email"), *ids("actor.api_key_name", "organization_id"),
        Field("customer_type", required=True), Field("subscription_type"), Field("terminal_type"), Field("is_remote", "bool"),
        Field("core_metrics.num_sessions", "int", required=True), Field("core_metrics.lines_of_code.added", "int", required=True),
        Field("core_metrics.lines_of_code.removed", "int"), Field("core_metrics.commits_by_claude_code", "int"),
        Field("core_metrics.pull_requests_by_claude_code", "int"),
        Field("tool_actions", required=True), Field("model_breakdown", required=True),
    ),
    columns={
        "actor_type": '"actor.type"', "actor_email": '"actor.email_address"', "api_key_name": '"actor.api_key_name"',
        "sessions": '"core_metrics.num_sessions"', "lines_added": '"core_metrics.lines_of_code.added"',
        "lines_removed": '"core_metrics.lines_of_code.removed"', "commits": '"core_metrics.commits_by_claude_code"',
        "pull_requests": '"core_metrics.pull_requests_by_claude_code"',
        # An open map: tools come and go, their sums stay.
        "tool_accepted": sum_inside("tool_actions", "$.*.accepted", "DOUBLE"), "tool_rejected": sum_inside("tool_actions", "$.*.rejected", "DOUBLE"),
        "estimated_usd": (
            "CASE WHEN len(list_filter(json_extract_string(\"model_breakdown\", '$[*].estimated_cost.currency'), x -> upper(trim(x)) != 'USD')) = 0 "
            f"THEN {sum_inside('model_breakdown', '$[*].estimated_cost.amount', 'DECIMAL(38, 7)')} * 0.01 END"
        ),
    },
    usage_date='CAST(TRY_CAST("date" AS TIMESTAMPTZ) AS DATE)',  # older answers say YYYY-MM-DD, newer ones an instant
    without="sessions, lines, commits and pull requests of Claude Code are unknown, and so is who signed in to it; its cost is not",
    rules=(
        Rule(
            "actor.type",
            '"actor.email_address" IS NOT NULL OR "actor.api_key_name" IS NOT NULL OR "actor.type" IN (\'user_actor\', \'api_actor\')',
            "names neither a user nor a key", "Ask Anthropic what kind of actor this is; sources/anthropic/records.py must learn it.",
        ),
    ),
    # An estimate that is left out, or in another currency, makes the sum unknown, not smaller.
    may_be_unknown=frozenset({"estimated_usd", "tool_accepted", "tool_rejected"}),
    known=(
        "tool_actions.*.accepted", "tool_actions.*.rejected", "model_breakdown[].model",
        *(f"model_breakdown[].tokens.{name}" for name in ("input", "output", "cache_read", "cache_creation")),
        "model_breakdown[].estimated_cost.amount", "model_breakdown[].estimated_cost.currency",
    ),
)  # fmt: skip

USERS = Endpoint(
    source=SOURCE,
    name="users",
    without="people who are known by an id alone have no e-mail address",
    table=tables.raw_anthropic_users,
    fields=(
        Field("id", "id", required=True),
        Field("type"),
        Field("email", "email", required=True),
        Field("name", "id"),
        Field("role"),
        Field("added_at"),
    ),
    columns={"user_id": '"id"', "added_at": _instant("added_at")},
)

API_KEYS = Endpoint(
    source=SOURCE,
    name="api_keys",
    without="keys have no names and no creators, so that the sheet cannot give them owners",
    table=tables.raw_anthropic_api_keys,
    fields=(
        Field("id", "id", required=True), Field("type"), Field("name", "id", required=True), Field("status", required=True), Field("partial_key_hint"),
        Field("created_at"), Field("created_by.type"), Field("expires_at"), Field("principal.type"), Field("scope.type"),
        *ids("created_by.id", "principal.id", "principal.user_id", "principal.service_account_id", "scope.workspace_id", "workspace_id"),
    ),
    columns={
        "api_key_id": '"id"',
        # `scope` replaced `workspace_id` in 2026; where both are sent the newer one counts.
        "workspace_id": 'CASE WHEN "scope.type" IS NOT NULL THEN "scope.workspace_id" ELSE "workspace_id" END', "scope_type": '"scope.type"',
        "created_by_id": '"created_by.id"', "created_by_type": '"created_by.type"',
        "principal_user_id": 'coalesce("principal.user_id", CASE WHEN "principal.type" = \'user\' THEN "principal.id" END)',
        "created_at": _instant("created_at"), "expires_at": _instant("expires_at"),
    },
)  # fmt: skip

WORKSPACES = Endpoint(
    source=SOURCE,
    name="workspaces",
    without="workspaces have no names, and Claude Code's cost stands with the API's",
    table=tables.raw_anthropic_workspaces,
    fields=(
        Field("id", "id", required=True), Field("type"), Field("name", "id", required=True), Field("created_at"), Field("archived_at"),
        Field("display_color"), *ids("compartment_id", "external_key_id", "user_profile_id"), Field("tags"), Field("data_residency"),
        Field("is_default", "bool"),  # put in by the client: the vendor says it only by leaving the workspace out of its plain list
    ),
    beside="is_default",
    columns={"workspace_id": '"id"', "created_at": _instant("created_at"), "archived_at": _instant("archived_at")},
    known=tuple(f"data_residency.{name}" for name in ("workspace_geo", "default_inference_geo", "allowed_inference_geos")),
)  # fmt: skip

WORKSPACE_MEMBERS = Endpoint(
    source=SOURCE,
    name="workspace_members",
    without="who belongs to a workspace is unknown",
    table=tables.raw_anthropic_workspace_members,
    fields=(Field("type"), Field("user_id", "id", required=True), Field("workspace_id", "id", required=True), Field("workspace_role")),
    columns={},
)

ENDPOINTS = (USAGE, COST, CLAUDE_CODE, USERS, API_KEYS, WORKSPACES, WORKSPACE_MEMBERS)
