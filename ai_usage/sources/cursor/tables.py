"""Cursor's tables: what it said, and how that becomes the common shapes.

Belongs here: one declaration for each raw table and each model of `sql/staging/cursor/`.
"""

from __future__ import annotations

from ai_usage.tables.raw import raw_table
from ai_usage.tables.schema import Column, Personal, Table, boolean, count, date, email, numeric, string, timestamp, usd
from ai_usage.tables.staging import (
    STAGING_BILLED,
    STAGING_CHARGES,
    STAGING_COST,
    STAGING_KEYS,
    STAGING_PEOPLE,
    STAGING_SEATS,
    STAGING_USAGE,
    only,
    staging,
)

raw_cursor_members = raw_table(
    "raw_cursor_members",
    "Cursor's team members, a snapshot a day. Removed members stay, marked.",
    "one member of one snapshot",
    (
        string("user_id", "Cursor's member id.", nullable=False),
        string("name", "Display name.", personal=Personal.NAME),
        email("email", "E-mail as Cursor sends it.", nullable=False),
        string("role", "owner, member, free-owner or newer."),
        boolean("is_removed", "True once the member has left the team."),
    ),
    key=("usage_date", "fetch_id", "user_id"),
)

raw_cursor_usage = raw_table(
    "raw_cursor_usage",
    "Cursor's daily-usage-data: what each member did in a day. No money.",
    "one member and UTC day of one fetch",
    (
        string("user_id", "Cursor's member id, text whatever JSON type it came in.", nullable=False),
        email("email", "E-mail as Cursor sends it."),
        boolean("is_active", "Whether Cursor calls the member active on that day."),
        count("lines_added", "totalLinesAdded: lines written in the editor.", "lines"),
        count("lines_deleted", "totalLinesDeleted.", "lines"),
        count("accepted_lines_added", "acceptedLinesAdded: suggested lines that were accepted.", "lines"),
        count("accepted_lines_deleted", "acceptedLinesDeleted.", "lines"),
        count("applies", "totalApplies: suggested edits offered.", "edits"),
        count("accepts", "totalAccepts: suggested edits accepted.", "edits"),
        count("rejects", "totalRejects: suggested edits rejected.", "edits"),
        count("tabs_shown", "totalTabsShown: completions offered.", "completions"),
        count("tabs_accepted", "totalTabsAccepted: completions accepted.", "completions"),
        count("composer_requests", "composerRequests.", "requests"),
        count("chat_requests", "chatRequests.", "requests"),
        count("agent_requests", "agentRequests.", "requests"),
        count("cmdk_usages", "cmdkUsages.", "requests"),
        count("bugbot_usages", "bugbotUsages.", "requests"),
        count("subscription_included_requests", "subscriptionIncludedReqs: raw events, not billable units.", "events"),
        count("usage_based_requests", "usageBasedReqs: raw events, not billable units.", "events"),
        count("api_key_requests", "apiKeyReqs: raw events, not billable units.", "events"),
        string("most_used_model", "mostUsedModel; NULL when inactive."),
        string("apply_most_used_extension", "applyMostUsedExtension."),
        string("tab_most_used_extension", "tabMostUsedExtension."),
        string("client_version", "clientVersion."),
    ),
    key=("usage_date", "fetch_id", "user_id"),
    always_by_day=True,
)

raw_cursor_events = raw_table(
    "raw_cursor_events",
    "Cursor's filtered-usage-events: every request with its tokens and what it cost.",
    "one usage event of one fetch; equal events are real, Cursor gives them no id",
    (
        timestamp("event_at", "When the event happened.", nullable=False),
        email(
            "user_email",
            "E-mail as Cursor sends it; set for service accounts too; NULL where Cursor names nobody, as for some removed members.",
        ),
        string("service_account_id", "serviceAccountId, when a machine made the request."),
        string("service_account_name", "serviceAccountName."),
        string("cloud_agent_id", "cloudAgentId."),
        string("automation_id", "automationId."),
        string("conversation_id", "conversationId."),
        string("model", "Model; `default` is Cursor's Auto."),
        string(
            "kind",
            "Usage-based, Included in Business, Errored, Not Charged, or newer, in any spelling. It decides what is billed: `stg_cursor_events`.",
        ),
        boolean("is_max_mode", "maxMode."),
        boolean("is_token_based", "isTokenBasedCall."),
        boolean(
            "is_chargeable",
            "isChargeable: whether the event has a price, not whether it is billed; false where it is not sent.",
            nullable=False,
        ),
        boolean("is_headless", "isHeadless."),
        numeric("request_units", "requestsCosts, request units.", unit="request units"),
        count("input_tokens", "tokenUsage.inputTokens.", "tokens"),
        count("output_tokens", "tokenUsage.outputTokens.", "tokens"),
        count("cache_write_tokens", "tokenUsage.cacheWriteTokens.", "tokens"),
        count("cache_read_tokens", "tokenUsage.cacheReadTokens.", "tokens"),
        usd("list_usd", "tokenUsage.totalCents / 100: the model's cost before discount."),
        numeric("discount_pct", "tokenUsage.discountPercentOff.", unit="%"),
        usd("charged_usd", "chargedCents / 100: the event's value; billed only where `stg_cursor_events` says so.", nullable=False),
        usd("token_fee_usd", "cursorTokenFee / 100, already inside `charged_usd`."),
    ),
    do_not="sum `charged_usd` as cost: read `stg_cursor_events`, which knows what is billed. Nor add `token_fee_usd` or `list_usd` to it: the fee is "
    "inside it, the list price is another measure.",
)

raw_cursor_spend = raw_table(
    "raw_cursor_spend",
    "Cursor's /teams/spend: each member's spend of the running billing cycle up to the snapshot.",
    "one member of one snapshot",
    (
        string("user_id", "Cursor's member id.", nullable=False),
        string("name", "Display name.", personal=Personal.NAME),
        email("email", "E-mail as Cursor sends it."),
        string("role", "Role in the team."),
        timestamp("cycle_start_at", "subscriptionCycleStart: where the running total began.", nullable=False),
        usd("cycle_spend_usd", "spendCents / 100: on-demand spend, cycle to date; 0 where it is left out.", nullable=False),
        usd("cycle_overall_usd", "overallSpendCents / 100: on-demand and included, cycle to date."),
        usd("cycle_included_usd", "includedSpendCents / 100, where still sent."),
        count("premium_requests", "fastPremiumRequests.", "requests"),
        usd("hard_limit_override_usd", "hardLimitOverrideDollars; 0 is no override."),
        usd("monthly_limit_usd", "monthlyLimitDollars; NULL is no limit."),
        usd("effective_limit_usd", "effectivePerUserLimitDollars: the limit enforced."),
    ),
    key=("usage_date", "fetch_id", "user_id"),
    do_not="sum it over days: it is cumulative. It only checks the events.",
)

_CURSOR_EVENT: tuple[Column, ...] = (
    date("usage_date", "UTC day.", nullable=False),
    timestamp("event_at", "When the event happened.", nullable=False),
    email("user_email", "E-mail as Cursor sends it; NULL where Cursor names nobody."),
    string("service_account_id", "The service account, when a machine made the request."),
    string("service_account_name", "Its name."),
    string("model", "Model."),
    string("kind", "Cursor's kind, as it is spelled."),
    boolean("is_chargeable", "Whether the event has a price; not whether it is billed.", nullable=False),
    count("input_tokens", "Input tokens.", "tokens"),
    count("output_tokens", "Output tokens.", "tokens"),
    count("cache_read_tokens", "Tokens read from the cache.", "tokens"),
    count("cache_write_tokens", "Tokens written to the cache.", "tokens"),
    usd("list_usd", "The model's cost before discount."),
    usd("charged_usd", "The event's value; billed only where `billing` says so.", nullable=False),
    string(
        "billing",
        "billed: chargeable, and no plan or grant covers the kind. included: in a plan. not_charged: errored, a free credit, the user's own key, or no price.",
        nullable=False,
        allowed=("billed", "included", "not_charged"),
    ),
    boolean("is_known_kind", "False where nobody has classed the kind yet.", nullable=False),
)

stg_cursor_event_versions = Table(
    name="stg_cursor_event_versions",
    layer="staging",
    description="Cursor's events of every version, and what became of each: billed, included or not charged.",
    grain="one usage event of one fetch; equal events are real, Cursor gives them no id",
    date_column="usage_date",
    view=True,
    columns=(string("fetch_id", "The fetch that brought the event.", nullable=False), *_CURSOR_EVENT),
    do_not="read it without a version: most questions want `stg_cursor_events`.",
)

stg_cursor_events = Table(
    name="stg_cursor_events",
    layer="staging",
    description="Cursor's events of the versions that count, and what became of each: billed, included or not charged.",
    grain="one usage event; equal events are real, Cursor gives them no id",
    date_column="usage_date",
    view=True,
    columns=_CURSOR_EVENT,
    do_not="sum `charged_usd` without `billing`: included usage is not on the invoice.",
)

stg_cursor_unknown_kinds = Table(
    name="stg_cursor_unknown_kinds",
    layer="staging",
    description="Cursor's events of a kind that nobody has classed: where they are chargeable they count as billed, until somebody says otherwise.",
    grain="one UTC day and kind",
    key=("usage_date", "kind"),
    date_column="usage_date",
    view=True,
    columns=(
        date("usage_date", "UTC day.", nullable=False),
        string("kind", "Cursor's kind, as it is spelled; (none) where the event has none.", nullable=False),
        count("events", "Chargeable events.", "events", nullable=False),
        usd("cost_usd", "What they are billed, as long as nobody says otherwise.", nullable=False),
        count("unbilled_events", "Events with a price that are not chargeable, and so are not billed.", "events", nullable=False),
        usd("unbilled_usd", "Their price.", nullable=False),
    ),
)

stg_cursor_usage = staging("stg_cursor_usage", "Cursor's usage in the common shape.", STAGING_USAGE, "usage_date")

stg_cursor_cost = staging("stg_cursor_cost", "Cursor's billed events in the common shape.", STAGING_COST, "cost_date")

stg_cursor_seats = staging("stg_cursor_seats", "Which Cursor accounts held a seat on which day.", STAGING_SEATS, "seat_date")

stg_cursor_keys = staging("stg_cursor_keys", "Cursor's service accounts.", STAGING_KEYS, "seen_on")

stg_cursor_people = staging("stg_cursor_people", "Cursor's members as people.", STAGING_PEOPLE, "seen_on")

stg_cursor_charges = staging(
    "stg_cursor_charges",
    "What Cursor says of a charge beside its price.",
    only(STAGING_CHARGES, "usage_date", "platform", "api_key_id", "user_email", "model", "unit", "quantity", "is_money", "cost_source"),
    "usage_date",
)
stg_cursor_billed = staging("stg_cursor_billed", "What each version of Cursor's events bills.", STAGING_BILLED, "billed_on")

RAW: tuple[Table, ...] = (
    raw_cursor_members,
    raw_cursor_usage,
    raw_cursor_events,
    raw_cursor_spend,
)

STAGING: tuple[Table, ...] = (
    stg_cursor_event_versions,
    stg_cursor_events,
    stg_cursor_unknown_kinds,
    stg_cursor_usage,
    stg_cursor_cost,
    stg_cursor_seats,
    stg_cursor_keys,
    stg_cursor_people,
    stg_cursor_charges,
    stg_cursor_billed,
)
