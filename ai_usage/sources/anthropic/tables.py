"""Anthropic's tables: what its reports and directories said, and how that becomes the common shapes.

Belongs here: one declaration for each raw table and each model of `sql/staging/anthropic/`; those of the analytics endpoints lie beside it.
"""

from __future__ import annotations

from ai_usage.sources.anthropic import analytics_tables
from ai_usage.tables.raw import raw_table
from ai_usage.tables.schema import Personal, Table, boolean, count, date, email, string, timestamp, usd
from ai_usage.tables.staging import (
    STAGING_BEARERS,
    STAGING_BILLED,
    STAGING_CHARGES,
    STAGING_COST,
    STAGING_KEYS,
    STAGING_LIST_VALUE,
    STAGING_PEOPLE,
    STAGING_PRIORITY_TOKENS,
    STAGING_USAGE,
    staging,
)

raw_anthropic_usage = raw_table(
    "raw_anthropic_usage",
    "Anthropic's usage_report/messages: tokens and web searches, grouped by every dimension that the key may use. No money.",
    "one group of one UTC day of one fetch",
    (
        string("api_key_id", "API key; NULL is the console's playground or an OAuth request."),
        string("account_id", "The user who made an OAuth request."),
        string("service_account_id", "The service account, for federated requests."),
        string("workspace_id", "Workspace; NULL is the default workspace."),
        string("model", "Model."),
        string("service_tier", "standard, batch, priority, or newer. Priority is in no cost report."),
        string("context_window", "0-200k or 200k-1M."),
        string("inference_geo", "global, us, not_available."),
        string("speed", "standard or fast, which costs a multiple; NULL where the API does not tell."),
        count("uncached_input_tokens", "Input tokens that no cache served.", "tokens"),
        count("cache_read_tokens", "cache_read_input_tokens.", "tokens"),
        count("cache_write_5m_tokens", "cache_creation.ephemeral_5m_input_tokens.", "tokens"),
        count("cache_write_1h_tokens", "cache_creation.ephemeral_1h_input_tokens.", "tokens"),
        count("output_tokens", "Output tokens.", "tokens"),
        count("web_search_requests", "server_tool_use.web_search_requests.", "requests"),
    ),
    always_by_day=True,
)

raw_anthropic_cost = raw_table(
    "raw_anthropic_cost",
    "Anthropic's cost_report by workspace and description: billed money. Priority tier is not in it; Claude Code on API keys is.",
    "one charge line of one UTC day of one fetch",
    (
        string("workspace_id", "Workspace; NULL is the default workspace, not a total."),
        string("description", "Free text; not a contract."),
        string("cost_type", "tokens, web_search, code_execution, session_usage, or newer."),
        string("model", "Model; NULL for charges that are not tokens."),
        string("token_type", "Which tokens the line charges."),
        string("service_tier", "standard or batch."),
        string("context_window", "0-200k or 200k-1M."),
        string("inference_geo", "global, us, not_available."),
        usd("amount_usd", "amount / 100: the vendor sends cents as text.", nullable=False),
        string("currency", "USD.", nullable=False, allowed=("USD",)),
    ),
    do_not="add Claude Code's estimate to it: that usage is in it already.",
    always_by_day=True,
)

raw_claude_code_usage = raw_table(
    "raw_claude_code_usage",
    "Anthropic's usage_report/claude_code: sessions, lines, commits of each person, and an estimate that is no bill.",
    "one actor, customer type, terminal and place (remote or not) of one UTC day of one fetch",
    (
        string("actor_type", "user_actor or api_actor."),
        email("actor_email", "The user's e-mail."),
        string("api_key_name", "The key's name, where a key acted."),
        string("organization_id", "Organisation."),
        string("customer_type", "api: billed by tokens. subscription: inside a seat.", nullable=False),
        string("subscription_type", "enterprise or team; NULL for api."),
        string("terminal_type", "vscode, iTerm.app, tmux, …"),
        boolean("is_remote", "Remote (web) work; a row of its own."),
        count("sessions", "num_sessions.", "sessions"),
        count("lines_added", "lines_of_code.added.", "lines"),
        count("lines_removed", "lines_of_code.removed.", "lines"),
        count("commits", "commits_by_claude_code.", "commits"),
        count("pull_requests", "pull_requests_by_claude_code.", "pull requests"),
        count("tool_accepted", "Accepted edits, all tools.", "suggestions"),
        count("tool_rejected", "Rejected edits, all tools.", "suggestions"),
        usd("estimated_usd", "Sum of estimated_cost / 100: an estimate, and inside the cost report for API customers."),
        string("tool_actions", "JSON text: tool -> accepted, rejected."),
        string("model_breakdown", "JSON text: per model tokens and estimated cost in cents."),
    ),
    do_not="add `estimated_usd` to billed cost.",
    always_by_day=True,
)

raw_anthropic_users = raw_table(
    "raw_anthropic_users",
    "Anthropic's organisation members, a snapshot a day.",
    "one user of one snapshot",
    (
        string("user_id", "Anthropic's user id.", nullable=False),
        email("email", "E-mail.", nullable=False),
        string("name", "Display name.", personal=Personal.NAME),
        string("role", "Role in the organisation."),
        timestamp("added_at", "When the user joined."),
    ),
    key=("usage_date", "fetch_id", "user_id"),
)

raw_anthropic_api_keys = raw_table(
    "raw_anthropic_api_keys",
    "Anthropic's API keys, a snapshot a day; never the keys themselves.",
    "one key of one snapshot",
    (
        string("api_key_id", "Anthropic's id of the key.", nullable=False),
        string("name", "Name in the console."),
        string("status", "active, inactive, archived, expired."),
        string("workspace_id", "From scope, else the older field; NULL is the default workspace or the whole organisation."),
        string("scope_type", "workspace or organization."),
        string("created_by_id", "Who created it."),
        string("created_by_type", "user or service_account."),
        string("principal_user_id", "The user whom the key acts for, where it names one."),
        timestamp("created_at", "When it was created."),
        timestamp("expires_at", "When it expires."),
    ),
    key=("usage_date", "fetch_id", "api_key_id"),
)

raw_anthropic_workspaces = raw_table(
    "raw_anthropic_workspaces",
    "Anthropic's workspaces, archived and default included, a snapshot a day.",
    "one workspace of one snapshot",
    (
        string("workspace_id", "Anthropic's id.", nullable=False),
        string("name", "Name; `Claude Code` is Claude Code's own.", nullable=False),
        timestamp("created_at", "When it was created."),
        timestamp("archived_at", "When it was archived."),
        boolean("is_default", "Whether it is the organisation's default workspace, which the older reports show as NULL."),
    ),
    key=("usage_date", "fetch_id", "workspace_id"),
)

raw_anthropic_workspace_members = raw_table(
    "raw_anthropic_workspace_members",
    "Who belongs to which Anthropic workspace, a snapshot a day.",
    "one member of one workspace of one snapshot",
    (
        string("workspace_id", "Workspace.", nullable=False),
        string("user_id", "User.", nullable=False),
        string("workspace_role", "Role in the workspace."),
    ),
    key=("usage_date", "fetch_id", "workspace_id", "user_id"),
)

stg_anthropic_usage = staging("stg_anthropic_usage", "Anthropic's usage in the common shape.", STAGING_USAGE, "usage_date")

stg_anthropic_cost = staging(
    "stg_anthropic_cost", "Anthropic's bill, split over keys exactly, in the common shape.", STAGING_COST, "cost_date"
)

stg_anthropic_keys = staging("stg_anthropic_keys", "Anthropic's API keys with their creators.", STAGING_KEYS, "seen_on")

stg_anthropic_key_bearers = staging(
    "stg_anthropic_key_bearers", "Which of Anthropic's keys bears which name, and when.", STAGING_BEARERS, "valid_from"
)

stg_claude_code_models = staging(
    "stg_claude_code_models",
    "Tokens of each model in each record of Claude Code's report.",
    (
        date("usage_date", "UTC day.", nullable=False),
        email("actor_email", "The user, as the report writes it."),
        string("api_key_name", "The key's name, where a key acted."),
        string("customer_type", "api or subscription.", nullable=False),
        string("subscription_type", "enterprise or team; NULL for api."),
        string("model", "Model."),
        count("input_tokens", "Input tokens.", "tokens"),
        count("output_tokens", "Output tokens.", "tokens"),
        count("cache_read_tokens", "Tokens that a cache served.", "tokens"),
        count("cache_write_tokens", "Tokens that were written to a cache.", "tokens"),
    ),
    "usage_date",
)
stg_anthropic_key_names = staging(
    "stg_anthropic_key_names",
    "Which key Claude Code's report means by a key's name on a day.",
    (
        date("usage_date", "UTC day.", nullable=False),
        string("api_key_name", "The name, as the report writes it.", nullable=False),
        string("api_key_id", "The key; NULL where none answers to the name, or several do."),
        string("candidates", "Ids of all keys that answer to the name; NULL is none."),
    ),
    "usage_date",
)

stg_anthropic_people = staging("stg_anthropic_people", "Anthropic's organisation members as people.", STAGING_PEOPLE, "seen_on")

stg_anthropic_users = staging(
    "stg_anthropic_users",
    "Everybody whom Anthropic's directory ever listed, as it listed them last.",
    (
        string("user_id", "Anthropic's id.", nullable=False),
        email("email", "E-mail as Anthropic spells it.", nullable=False),
        string("name", "Name.", personal=Personal.NAME),
        boolean("is_active", "Whether the latest directory lists them.", nullable=False),
        date("first_seen_on", "The first UTC day whose directory lists them.", nullable=False),
    ),
    None,
)

stg_anthropic_workspaces = staging(
    "stg_anthropic_workspaces",
    "Anthropic's workspaces: which is Claude Code's, which the default one.",
    (
        string("workspace_id", "Anthropic's id.", nullable=False),
        string("name", "Name.", nullable=False),
        boolean(
            "is_claude_code", "Whether it is, or was under its first name, the workspace that Claude Code made for itself.", nullable=False
        ),
        boolean(
            "is_default", "Whether it is the default workspace, which stands as NULL in the older reports and in the facts.", nullable=False
        ),
    ),
    None,
)

stg_anthropic_prices = staging(
    "stg_anthropic_prices",
    "Anthropic's list prices in USD per million tokens: reviewed data with its source, from a day on.",
    (
        string("model", "Beginning of the vendor's model id.", nullable=False),
        date("valid_from", "First UTC day of the price.", nullable=False),
        usd("input_usd", "Per million uncached input tokens.", nullable=False),
        usd("cache_read_usd", "Per million tokens read from cache.", nullable=False),
        usd("cache_write_5m_usd", "Per million tokens written to the 5-minute cache.", nullable=False),
        usd("cache_write_1h_usd", "Per million tokens written to the 1-hour cache.", nullable=False),
        usd("output_usd", "Per million output tokens.", nullable=False),
    ),
    None,
)

stg_anthropic_list_value = staging(
    "stg_anthropic_list_value",
    "What Anthropic's tokens of a day would cost at list price, by platform and model.",
    STAGING_LIST_VALUE,
    "usage_date",
)
stg_anthropic_charges = staging(
    "stg_anthropic_charges", "What Anthropic's reports say of a charge beside its price.", STAGING_CHARGES, "usage_date"
)
stg_anthropic_billed = staging("stg_anthropic_billed", "What each version of Anthropic's bills holds.", STAGING_BILLED, "billed_on")
stg_anthropic_priority_tokens = staging(
    "stg_anthropic_priority_tokens", "Tokens of Anthropic's priority tier.", STAGING_PRIORITY_TOKENS, "usage_date"
)

RAW: tuple[Table, ...] = (
    raw_anthropic_usage,
    raw_anthropic_cost,
    raw_claude_code_usage,
    raw_anthropic_users,
    raw_anthropic_api_keys,
    raw_anthropic_workspaces,
    raw_anthropic_workspace_members,
    *analytics_tables.RAW,
)

STAGING: tuple[Table, ...] = (
    stg_anthropic_usage,
    stg_anthropic_cost,
    stg_anthropic_keys,
    stg_anthropic_key_bearers,
    stg_anthropic_key_names,
    stg_claude_code_models,
    stg_anthropic_people,
    stg_anthropic_users,
    stg_anthropic_workspaces,
    stg_anthropic_prices,
    stg_anthropic_list_value,
    stg_anthropic_charges,
    stg_anthropic_billed,
    stg_anthropic_priority_tokens,
    *analytics_tables.STAGING,
)
