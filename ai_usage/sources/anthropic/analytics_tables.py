"""What Anthropic's analytics endpoints say, typed and versioned like every raw table, and its common shapes.

Belongs here: the tables of one organisation of Anthropic's API and of one Claude Enterprise organisation, which may be two.
Does not belong here: tables of the older reports (`tables.py`).
"""

from __future__ import annotations

from ai_usage.tables.raw import raw_table
from ai_usage.tables.schema import Column, Table, boolean, count, email, string, usd
from ai_usage.tables.staging import STAGING_COST, STAGING_USAGE, staging

_GROUP: tuple[Column, ...] = (
    string("actor_type", "user_actor, service_account_actor, api_actor, federated_actor; NULL is nobody in particular."),
    string("actor_user_id", "The user who acted."),
    email("actor_email", "The user's e-mail; NULL for a deleted user."),
    boolean("actor_deleted", "Whether that user was deleted since."),
    string("service_account_id", "The service account that acted."),
    string("federated_subject", "The subject of a federated identity."),
    string("model", "Model; NULL for charges that are not tokens."),
    string("product", "messages_api, message_batches_api, claude_code, claude_console, chat, cowork, … or NULL."),
)

_PLACE: tuple[Column, ...] = (
    string("api_key_id", "API key; NULL is none."),
    string("workspace_id", "Workspace; the default workspace stands with its own id here."),
)

_MONEY: tuple[Column, ...] = (
    string("cost_type", "tokens, web_search, code_execution, session_usage, or newer."),
    string("token_type", "Which tokens the line charges; NULL for other charges."),
    usd("amount_usd", "cost.amount / 100: after discounts, before credits. The vendor sends cents as text.", nullable=False),
    usd("list_usd", "cost.list_amount / 100: at list price; not billed."),
    string("currency", "USD.", nullable=False, allowed=("USD",)),
)

_TOKENS: tuple[Column, ...] = (
    count("uncached_input_tokens", "Input tokens that no cache served.", "tokens"),
    count("cache_read_tokens", "cache_read_input_tokens.", "tokens"),
    count("cache_write_5m_tokens", "cache_creation.ephemeral_5m_input_tokens.", "tokens"),
    count("cache_write_1h_tokens", "cache_creation.ephemeral_1h_input_tokens.", "tokens"),
    count("output_tokens", "Output tokens.", "tokens"),
    count("web_search_requests", "server_tool_use.web_search_requests.", "requests"),
    count("requests", "Requests.", "requests"),
)

raw_anthropic_analytics_cost = raw_table(
    "raw_anthropic_analytics_cost",
    "Anthropic's analytics/cost of the Platform organisation by actor, key, workspace, model and product: billed money since 2026.",
    "one group, cost type and token type of one UTC day of one fetch",
    (*_GROUP, *_PLACE, *_MONEY),
    do_not="add it to `raw_anthropic_cost`: both report the same bill. `stg_set_aside` says which of the two counts on a day.",
)

raw_anthropic_analytics_usage = raw_table(
    "raw_anthropic_analytics_usage",
    "Anthropic's analytics/usage of the Platform organisation by actor, key, workspace, model and product. No money.",
    "one group of one UTC day of one fetch",
    (*_GROUP, *_PLACE, *_TOKENS),
    do_not="add it to `raw_anthropic_usage`: both report the same tokens. `stg_set_aside` says which of the two counts on a day.",
)

raw_claude_enterprise_cost = raw_table(
    "raw_claude_enterprise_cost",
    "analytics/cost of the Claude Enterprise organisation by actor, model and product: what is billed beyond seats.",
    "one group, cost type and token type of one UTC day of one fetch",
    (*_GROUP, *_MONEY),
    do_not="look for seat fees in it: on seat-based plans it holds overage only. Seats stand in the sheet.",
)

raw_claude_enterprise_usage = raw_table(
    "raw_claude_enterprise_usage",
    "analytics/usage of the Claude Enterprise organisation by actor, model and product. No money.",
    "one group of one UTC day of one fetch",
    (*_GROUP, *_TOKENS),
)

raw_claude_enterprise_users = raw_table(
    "raw_claude_enterprise_users",
    "analytics/users of the Claude Enterprise organisation: each person's day in claude.ai and Claude Code.",
    "one person of one UTC day of one fetch",
    (
        string("user_id", "Anthropic's user id."),
        email("email", "E-mail; NULL where the vendor names nobody."),
        count("conversations", "chat_metrics.distinct_conversation_count.", "conversations"),
        count("messages", "chat_metrics.message_count.", "messages"),
        count("thinking_messages", "chat_metrics.thinking_message_count.", "messages"),
        count("projects_created", "chat_metrics.distinct_projects_created_count.", "projects"),
        count("projects_used", "chat_metrics.distinct_projects_used_count.", "projects"),
        count("files_uploaded", "chat_metrics.distinct_files_uploaded_count.", "files"),
        count("artifacts_created", "chat_metrics.distinct_artifacts_created_count.", "artifacts"),
        count("skills_used", "chat_metrics.distinct_skills_used_count.", "skills"),
        count("connectors_used", "chat_metrics.distinct_connectors_used_count.", "connectors"),
        count("web_searches", "web_search_count.", "requests"),
        count("code_sessions", "claude_code_metrics.core_metrics.distinct_session_count.", "sessions"),
        count("code_lines_added", "claude_code_metrics.core_metrics.lines_of_code.added_count.", "lines"),
        count("code_lines_removed", "claude_code_metrics.core_metrics.lines_of_code.removed_count.", "lines"),
        count("code_commits", "claude_code_metrics.core_metrics.commit_count.", "commits"),
        count("code_pull_requests", "claude_code_metrics.core_metrics.pull_request_count.", "pull requests"),
        count("code_accepted", "Accepted edits of Claude Code, all tools.", "suggestions"),
        count("code_rejected", "Rejected edits of Claude Code, all tools.", "suggestions"),
        string("cowork_metrics", "JSON text."),
        string("office_metrics", "JSON text: excel, outlook, powerpoint, word."),
        string("design_metrics", "JSON text."),
        string("science_metrics", "JSON text."),
    ),
    do_not="add distinct counts over days: a conversation that runs on is counted on each of its days.",
)

stg_anthropic_analytics_usage = staging(
    "stg_anthropic_analytics_usage", "Anthropic's usage by actor and key (analytics), in the common shape.", STAGING_USAGE, "usage_date"
)

stg_anthropic_analytics_cost = staging(
    "stg_anthropic_analytics_cost", "Anthropic's bill by actor and key (analytics), in the common shape.", STAGING_COST, "cost_date"
)

stg_claude_enterprise_usage = staging(
    "stg_claude_enterprise_usage", "Claude Enterprise's usage and engagement in the common shape.", STAGING_USAGE, "usage_date"
)

stg_claude_enterprise_cost = staging(
    "stg_claude_enterprise_cost", "What Claude Enterprise bills beyond seats, in the common shape.", STAGING_COST, "cost_date"
)

RAW: tuple[Table, ...] = (
    raw_anthropic_analytics_cost,
    raw_anthropic_analytics_usage,
    raw_claude_enterprise_cost,
    raw_claude_enterprise_usage,
    raw_claude_enterprise_users,
)

STAGING: tuple[Table, ...] = (
    stg_anthropic_analytics_usage,
    stg_anthropic_analytics_cost,
    stg_claude_enterprise_usage,
    stg_claude_enterprise_cost,
)
