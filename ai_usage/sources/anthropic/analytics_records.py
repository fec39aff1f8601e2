"""Records of Anthropic's analytics endpoints: their fields and how they become columns. Cents become USD here, once.

Belongs here: declarations only. Source: platform.claude.com/docs/en/manage-claude, the official SDK's types of November 2026; field by field in
README.md. The endpoints are in beta: every dimension that the vendor names is declared, so that one which begins to be filled is no surprise,
and only what money and days hang on is required.
"""

from __future__ import annotations

from typing import Any

from ai_usage.sources.anthropic import analytics_tables
from ai_usage.sources.anthropic.records import CURRENCY, DAY, SOURCE, billed, cents, sum_inside
from ai_usage.sources.endpoint import Endpoint, Field, Rule, ids

ENTERPRISE = "claude_enterprise"
HISTORY = 365  # days back, at most
# A day is finished up to 24 hours after its end, only some organisations' keys may read these, and a day older than the history is gone.
_BETA: Any = {"history_days": HISTORY, "lag_days": 1, "by_permission": True}
_WHICH = (
    "agent_id", "api_key_id", "claude_tag_user_id", "deployment_id", "environment_id", "model", "organization_id", "product", "rbac_group_id", "session_id",
    "slack_channel_id", "user_profile_id", "workspace_id",
)  # fmt: skip
_HOW = ("actor_type", "claude_tag_category", "context_window", "cost_type", "inference_geo", "service_tier", "speed", "token_type")
_GROUP = (
    Field("starting_at", required=True), Field("ending_at"),
    *(Field(f"group.{name}") for name in _HOW), *ids(*(f"group.{name}" for name in _WHICH)),
    Field("group.actor.type"), Field("group.actor.email_address", "email"), Field("group.actor.deleted", "bool"), Field("group.actor.provider"),
    *ids(*(f"group.actor.{name}" for name in ("user_id", "name", "service_account_id", "api_key_id", "subject"))),
)  # fmt: skip
_WHO = {
    "actor_type": '"group.actor.type"', "actor_user_id": '"group.actor.user_id"', "actor_email": '"group.actor.email_address"',
    "actor_deleted": '"group.actor.deleted"', "service_account_id": '"group.actor.service_account_id"',
    "federated_subject": '"group.actor.subject"', "model": '"group.model"', "product": '"group.product"',
}  # fmt: skip
# The Enterprise organisation is asked for fewer dimensions: it has neither keys nor workspaces.
_PLACE = {"api_key_id": 'coalesce("group.api_key_id", "group.actor.api_key_id")', "workspace_id": '"group.workspace_id"'}
_COST_FIELDS = (
    *_GROUP, Field("cost.amount", "cents", required=True), Field("cost.list_amount", "cents"), Field("cost.currency", required=True),
    Field("cost.requests", "int"),
)  # fmt: skip
_COST = {
    "cost_type": '"group.cost_type"', "token_type": '"group.token_type"', "amount_usd": cents("cost.amount"), "list_usd": cents("cost.list_amount"),
    "currency": CURRENCY.format("cost.currency"),
}  # fmt: skip
_USAGE_FIELDS = (
    *_GROUP, Field("usage.uncached_input_tokens", "int", required=True), Field("usage.output_tokens", "int", required=True),
    Field("usage.cache_read_input_tokens", "int"), Field("usage.cache_creation.ephemeral_5m_input_tokens", "int"),
    Field("usage.cache_creation.ephemeral_1h_input_tokens", "int"), Field("usage.total_tokens", "int"), Field("usage.requests", "int"),
    Field("usage.server_tool_use.web_search_requests", "int"),
)  # fmt: skip
_TOKENS = {
    "uncached_input_tokens": '"usage.uncached_input_tokens"', "cache_read_tokens": '"usage.cache_read_input_tokens"',
    "cache_write_5m_tokens": '"usage.cache_creation.ephemeral_5m_input_tokens"',
    "cache_write_1h_tokens": '"usage.cache_creation.ephemeral_1h_input_tokens"', "output_tokens": '"usage.output_tokens"',
    "web_search_requests": '"usage.server_tool_use.web_search_requests"', "requests": '"usage.requests"',
}  # fmt: skip
_BILLED = billed("cost.amount", "cost.currency")
# The total is the vendor's own: classes of tokens that this declaration does not know would show as a difference.
_WHOLE = (
    Rule(
        "usage.total_tokens",
        '"usage.total_tokens" IS NULL OR "usage.total_tokens" = "usage.uncached_input_tokens" + "usage.output_tokens" '
        '+ coalesce("usage.cache_read_input_tokens", 0) + coalesce("usage.cache_creation.ephemeral_5m_input_tokens", 0) '
        '+ coalesce("usage.cache_creation.ephemeral_1h_input_tokens", 0)',
        "is not the sum of the classes of tokens",
        "Anthropic counts a class of tokens that sources/anthropic/analytics_records.py must learn.",
    ),
)

_NAMED = {"user_email": "actor_email", "model": "model", "token_type": "coalesce(token_type, cost_type)"}

COST = Endpoint(
    source=SOURCE, name="analytics/cost", table=analytics_tables.raw_anthropic_analytics_cost, fields=_COST_FIELDS, columns=_WHO | _PLACE | _COST,
    usage_date=DAY, vendor_total=_BILLED, staged_as="anthropic_analytics_cost",
    named_by=_NAMED | {"api_key_id": "coalesce(api_key_id, service_account_id)"}, **_BETA,
)  # fmt: skip
USAGE = Endpoint(
    source=SOURCE, name="analytics/usage", table=analytics_tables.raw_anthropic_analytics_usage, fields=_USAGE_FIELDS,
    columns=_WHO | _PLACE | _TOKENS, usage_date=DAY, rules=_WHOLE, **_BETA,
)  # fmt: skip
ENTERPRISE_COST = Endpoint(
    source=ENTERPRISE, name="analytics/cost", table=analytics_tables.raw_claude_enterprise_cost, fields=_COST_FIELDS, columns=_WHO | _COST,
    usage_date=DAY, vendor_total=_BILLED, staged_as="claude_enterprise_cost",
    named_by=_NAMED | {"api_key_id": "service_account_id"}, **_BETA,
)  # fmt: skip
ENTERPRISE_USAGE = Endpoint(
    source=ENTERPRISE, name="analytics/usage", table=analytics_tables.raw_claude_enterprise_usage, fields=_USAGE_FIELDS, columns=_WHO | _TOKENS,
    usage_date=DAY, rules=_WHOLE, **_BETA,
)  # fmt: skip

_CHAT = {
    "conversations": "distinct_conversation_count", "messages": "message_count", "thinking_messages": "thinking_message_count",
    "projects_created": "distinct_projects_created_count", "projects_used": "distinct_projects_used_count",
    "files_uploaded": "distinct_files_uploaded_count", "artifacts_created": "distinct_artifacts_created_count",
    "skills_used": "distinct_skills_used_count", "connectors_used": "distinct_connectors_used_count",
}  # fmt: skip
_CODE = {
    "code_sessions": "distinct_session_count", "code_lines_added": "lines_of_code.added_count", "code_lines_removed": "lines_of_code.removed_count",
    "code_commits": "commit_count", "code_pull_requests": "pull_request_count",
}  # fmt: skip
# Counted by the vendor in ways of their own; known, so that they are no news, and not kept in columns.
_OTHER_CHAT = ("distinct_shared_artifacts_viewed_count", "connectors_used_count", "shared_conversations_viewed_count")
_METRICS = ("cowork_metrics", "office_metrics", "design_metrics", "science_metrics")
_PARTS = {
    "claude_code_metrics.tool_actions.*": ("accepted_count", "rejected_count"),
    "cowork_metrics": (
        "action_count", "artifacts_created_count", "connectors_used_count", "dispatch_turn_count", "distinct_connectors_used_count",
        "distinct_plugins_used_count", "distinct_session_count", "distinct_skills_used_count", "edit_tool_count", "file_edit_count",
        "message_count", "multi_edit_tool_count", "notebook_edit_tool_count", "plugins_used_count", "sessions_with_file_edits_count",
        "skills_used_count", "write_tool_count",
    ),
    "design_metrics": ("distinct_projects_created_count", "distinct_projects_used_count", "distinct_session_count", "message_count"),
    **{f"office_metrics.{app}": (
        "connectors_used_count", "distinct_connectors_used_count", "distinct_session_count", "distinct_skills_used_count", "message_count",
        "skills_used_count",
    ) for app in ("excel", "outlook", "powerpoint", "word")},
    "science_metrics": ("delegation_count", "distinct_session_count", "message_count", "remote_compute_job_count", "skills_used_count"),
}  # fmt: skip

ENTERPRISE_USERS = Endpoint(
    source=ENTERPRISE,
    name="analytics/users",
    table=analytics_tables.raw_claude_enterprise_users,
    fields=(
        # The day stands in the question only; the client puts it into each record.
        Field("date", required=True), Field("user.id", "id"), Field("user.email_address", "email"), Field("user.type"), Field("user.email", "email"),
        *(Field(f"chat_metrics.{name}", "int", required=name == "message_count") for name in (*_CHAT.values(), *_OTHER_CHAT)),
        *(Field(f"claude_code_metrics.core_metrics.{name}", "int") for name in (*_CODE.values(), "artifacts_created_count")),
        Field("claude_code_metrics.tool_actions"), *(Field(name) for name in _METRICS), Field("web_search_count", "int"),
        Field("distinct_user_count", "int"), Field("last_activity_date"), Field("claude_tag_metrics"), Field("chat_cowork_unified_metrics"),
    ),
    columns={
        "user_id": '"user.id"',
        # `email` in August's answers, `email_address` since.
        "email": 'coalesce("user.email_address", "user.email")',
        **{column: f'"chat_metrics.{name}"' for column, name in _CHAT.items()},
        **{column: f'"claude_code_metrics.core_metrics.{name}"' for column, name in _CODE.items()},
        "web_searches": '"web_search_count"',
        "code_accepted": sum_inside("claude_code_metrics.tool_actions", "$.*.accepted_count", "DOUBLE"),
        "code_rejected": sum_inside("claude_code_metrics.tool_actions", "$.*.rejected_count", "DOUBLE"),
    },
    usage_date='"date"',
    beside="date",
    known=("rbac_group_*", *(f"{path}.{name}" for path, names in _PARTS.items() for name in names)),
    **_BETA,
)  # fmt: skip

ENTERPRISE_ENDPOINTS = (ENTERPRISE_COST, ENTERPRISE_USAGE, ENTERPRISE_USERS)
ENDPOINTS = (COST, USAGE, *ENTERPRISE_ENDPOINTS)
