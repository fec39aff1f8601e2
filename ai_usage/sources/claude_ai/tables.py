"""What claude.ai's console exports as CSV, typed and versioned like every raw table, and how that becomes the common shapes.

Belongs here: the tables of the two exports. Does not belong here: the sheet's tab `claude_ai_usage`, anything of an API.
"""

from __future__ import annotations

from ai_usage.tables.raw import raw_table
from ai_usage.tables.schema import Table, boolean, count, date, email, string, timestamp, usd
from ai_usage.tables.staging import SOURCE, SPREAD_COST, STAGING_BILLED, STAGING_CHARGES, STAGING_USAGE, TIMINGS, only, staging

raw_claude_ai_audit_log = raw_table(
    "raw_claude_ai_audit_log",
    "claude.ai's audit log export: who did what when. No cost, no tokens; names, addresses and devices are not stored.",
    "one event of one version of its UTC day; equal events of one file are real, the export gives them no id",
    (
        timestamp("event_at", "created_at: when the event happened.", nullable=False),
        string("event", "What happened: conversation_created, file_uploaded, or newer.", nullable=False),
        string("actor_uuid", "actor_info.uuid: who did it; NULL where nobody is signed in."),
        string("actor_type", "actor_info.type: account, or what else acts; NULL in exports that do not say."),
        email("actor_email", "actor_info.metadata.email_address, as the log writes it."),
        string("entity_type", "entity_info.type: chat_conversation, file, project, or newer."),
        string("entity_uuid", "entity_info.uuid: which one."),
        string("project_uuid", "entity_info.metadata.project_uuid: the project that it lies in."),
        boolean("is_private", "entity_info.metadata.is_private: whether a project is its maker's alone."),
        string("client_platform", "web_claude_ai, desktop_app, ios, android, or newer."),
        string("event_info", "JSON text: what the event says beside that, without names, addresses and devices."),
    ),
    do_not="take an event for a message: the log says that a conversation was touched, not how much was written in it.",
)

raw_claude_ai_spend = raw_table(
    "raw_claude_ai_spend",
    "claude.ai's spend report export: billed spend of a range of days by person, product and model. On plans with seats that is overage only.",
    "one person, product, model and channel of one export; `usage_date` is the last day of its range",
    (
        date("period_start", "First UTC day of the range that the amounts are summed over.", nullable=False),
        date("period_end", "Last UTC day of that range, inclusive.", nullable=False),
        email("user_email", "The person's e-mail, as the report writes it; '(org service usage)' is the organisation's own, nobody's."),
        string("account_uuid", "claude.ai's id of the person."),
        string("product", "Chat, Claude Code, or another product."),
        string("model", "Model."),
        string("model_family", "Opus, Sonnet, Haiku, or newer."),
        count("requests", "total_requests over the range.", "requests"),
        count("prompt_tokens", "total_prompt_tokens over the range; cached ones are inside.", "tokens"),
        count("completion_tokens", "total_completion_tokens over the range.", "tokens"),
        usd("net_usd", "total_net_spend_usd: billed, after discounts.", nullable=False),
        usd("gross_usd", "total_gross_spend_usd: the same at list price."),
        string("user_id", "claude.ai's newer id of the person."),
        count("uncached_input_tokens", "total_uncached_input_tokens over the range.", "tokens"),
        count("cache_read_tokens", "total_cache_read_tokens over the range.", "tokens"),
        count("cache_write_5m_tokens", "total_cache_write_5m_tokens over the range.", "tokens"),
        count("cache_write_1h_tokens", "total_cache_write_1h_tokens over the range.", "tokens"),
        count("web_searches", "total_web_search_count over the range.", "requests"),
        string("slack_channel_id", "The Slack channel that it was used in."),
        string("teams_channel_id", "The Teams channel that it was used in."),
    ),
    do_not="take a range for its days: the report does not say on which day money was spent, so the facts spread it evenly. Export day by day where "
    "days matter.",
)

stg_claude_ai_usage = staging(
    "stg_claude_ai_usage", "claude.ai's two exports as usage: conversations of the audit log, list price of the spend report.",
    STAGING_USAGE, "usage_date",
)  # fmt: skip

stg_claude_ai_cost = staging("stg_claude_ai_cost", "claude.ai's spend report export in the common shape.", SPREAD_COST, "cost_date")

stg_claude_ai_ranges = Table(
    name="stg_claude_ai_ranges",
    layer="staging",
    description="The ranges of days that claude.ai's spend report sums, as they count now.",
    grain="one range, named by its last day",
    key=("last_day",),
    view=True,
    columns=(
        string("version_fetch_id", "The fetch whose rows hold the content.", nullable=False),
        date("last_day", "Last UTC day of the range.", nullable=False),
        date("first_day", "Its first UTC day.", nullable=False),
        usd("net_usd", "What was spent in it."),
    ),
)

stg_claude_ai_spend_days = staging(
    "stg_claude_ai_spend_days",
    "Every version of claude.ai's spend report by day: a range of days is spread evenly over them.",
    (
        string("fetch_id", "The version.", nullable=False),
        date("last_day", "Last UTC day of its range.", nullable=False),
        date("cost_date", "UTC day.", nullable=False),
        string("timing", "day: the range is one day. spread: a part of a longer one.", nullable=False, allowed=TIMINGS),
        email("user_email", "The person; NULL where the row is the organisation's."),
        string("model", "Model."),
        usd("net_usd", "Billed."),
        usd("gross_usd", "The same at list price."),
        *(
            count(name, f"{what} of a report of one day; NULL of a longer one.", unit)
            for name, what, unit in (
                ("requests", "Requests", "requests"), ("uncached_input_tokens", "Uncached input tokens", "tokens"),
                ("cache_read_tokens", "Tokens read from cache", "tokens"), ("cache_write_5m_tokens", "Tokens written to cache for 5 minutes", "tokens"),
                ("cache_write_1h_tokens", "Tokens written to cache for an hour", "tokens"), ("output_tokens", "Output tokens", "tokens"),
                ("web_searches", "Web searches", "requests"),
            )
        ),
    ),
    "cost_date",
)  # fmt: skip

stg_claude_ai_days = staging(
    "stg_claude_ai_days",
    "What each person did in claude.ai on each UTC day, by Claude Enterprise's count or else the audit log.",
    (
        date("usage_date", "UTC day.", nullable=False),
        email("user_email", "The person's canonical e-mail; NULL is nobody known."),
        count("conversations", "Different conversations; NULL where the log names none.", "conversations"),
        count("messages", "Messages; NULL where the log has none.", "messages"),
        count("projects", "Different projects.", "projects"),
        count("files", "Different files uploaded.", "files"),
        count("web_searches", "Web searches; NULL in the log.", "requests"),
        SOURCE,
    ),
    "usage_date",
)

stg_claude_ai_charges = staging(
    "stg_claude_ai_charges",
    "What claude.ai's spend report says of a charge beside its price.",
    only(STAGING_CHARGES, "usage_date", "platform", "user_email", "model", "unit", "quantity", "list_usd", "is_money", "cost_source"),
    "usage_date",
)
stg_claude_ai_billed = staging("stg_claude_ai_billed", "What each version of claude.ai's spend report bills.", STAGING_BILLED, "billed_on")

RAW: tuple[Table, ...] = (
    raw_claude_ai_audit_log,
    raw_claude_ai_spend,
)

STAGING: tuple[Table, ...] = (
    stg_claude_ai_usage,
    stg_claude_ai_cost,
    stg_claude_ai_ranges,
    stg_claude_ai_spend_days,
    stg_claude_ai_days,
    stg_claude_ai_charges,
    stg_claude_ai_billed,
)
