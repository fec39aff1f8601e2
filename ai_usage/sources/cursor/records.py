"""Cursor's records: their fields and how they become columns of the raw tables. Units: cents become USD here, once.

Belongs here: declarations only. Source: cursor.com/docs/account/teams/admin-api; field by field in README.md.
"""

from __future__ import annotations

from ai_usage.sources.cursor import kinds, tables
from ai_usage.sources.endpoint import Endpoint, Field, Rule, ids

SOURCE = "cursor"


def _cents(path: str) -> str:
    """Cents to USD; exact, since a cent value carries at most 15 digits and the product keeps 11 decimals."""
    return f'"{path}" * 0.01'


def _instant(path: str) -> str:
    """Epoch milliseconds to an instant; NULL when out of range, which rejects the record."""
    return f'TRY(epoch_ms(CAST("{path}" AS BIGINT)))'


_BILLING = kinds.decoded('"kind"', '"isChargeable"')

MEMBERS = Endpoint(
    source=SOURCE,
    name="members",
    without="who holds a seat is unknown, so seats stay without an owner",
    table=tables.raw_cursor_members,
    fields=(
        Field("id", "id", required=True), Field("name", "id"), Field("email", "email", required=True), Field("role"), Field("isRemoved", "bool"),
    ),
    columns={"user_id": '"id"', "is_removed": '"isRemoved"'},
)  # fmt: skip

DAILY_USAGE = Endpoint(
    source=SOURCE,
    name="daily-usage-data",
    without="lines and suggestions of Cursor are unknown; its cost is not",
    table=tables.raw_cursor_usage,
    fields=(
        Field("userId", "id", required=True), Field("day", required=True), Field("date", "int"), Field("email", "email"), Field("isActive", "bool"),
        Field("totalLinesAdded", "int", required=True), Field("totalLinesDeleted", "int"),
        Field("acceptedLinesAdded", "int", required=True), Field("acceptedLinesDeleted", "int"),
        Field("totalApplies", "int"), Field("totalAccepts", "int"), Field("totalRejects", "int"),
        Field("totalTabsShown", "int"), Field("totalTabsAccepted", "int"),
        Field("composerRequests", "int"), Field("chatRequests", "int"), Field("agentRequests", "int"),
        Field("cmdkUsages", "int"), Field("bugbotUsages", "int"),
        Field("subscriptionIncludedReqs", "int"), Field("usageBasedReqs", "int"), Field("apiKeyReqs", "int"),
        Field("mostUsedModel"), Field("applyMostUsedExtension"), Field("tabMostUsedExtension"), Field("clientVersion"),
    ),
    columns={
        "user_id": '"userId"', "is_active": '"isActive"',
        "lines_added": '"totalLinesAdded"', "lines_deleted": '"totalLinesDeleted"',
        "accepted_lines_added": '"acceptedLinesAdded"', "accepted_lines_deleted": '"acceptedLinesDeleted"',
        "applies": '"totalApplies"', "accepts": '"totalAccepts"', "rejects": '"totalRejects"',
        "tabs_shown": '"totalTabsShown"', "tabs_accepted": '"totalTabsAccepted"',
        "composer_requests": '"composerRequests"', "chat_requests": '"chatRequests"', "agent_requests": '"agentRequests"',
        "cmdk_usages": '"cmdkUsages"', "bugbot_usages": '"bugbotUsages"',
        "subscription_included_requests": '"subscriptionIncludedReqs"', "usage_based_requests": '"usageBasedReqs"',
        "api_key_requests": '"apiKeyReqs"',
        # Live answers of 2025 sent '' where the documents say null.
        "most_used_model": "nullif(\"mostUsedModel\", '')", "apply_most_used_extension": "nullif(\"applyMostUsedExtension\", '')",
        "tab_most_used_extension": "nullif(\"tabMostUsedExtension\", '')", "client_version": "nullif(\"clientVersion\", '')",
    },
    # `day` is the date; `date` carries the time of day of startDate.
    usage_date='"day"',
)  # fmt: skip

EVENTS = Endpoint(
    source=SOURCE,
    name="filtered-usage-events",
    table=tables.raw_cursor_events,
    fields=(
        Field("timestamp", "int", required=True),
        Field("userEmail", "email"), *ids("serviceAccountId", "serviceAccountName", "cloudAgentId", "automationId", "conversationId", "model"),
        Field("kind"), Field("maxMode", "bool"), Field("isTokenBasedCall", "bool"),
        Field("isChargeable", "bool", required=True), Field("isHeadless", "bool"), Field("requestsCosts", "decimal"),
        Field("tokenUsage.inputTokens", "int"), Field("tokenUsage.outputTokens", "int"),
        Field("tokenUsage.cacheWriteTokens", "int"), Field("tokenUsage.cacheReadTokens", "int"),
        Field("tokenUsage.totalCents", "cents"), Field("tokenUsage.discountPercentOff", "decimal"),
        Field("chargedCents", "cents", required=True), Field("cursorTokenFee", "cents"), Field("isFreeBugbot", "bool"),
    ),
    columns={
        "event_at": _instant("timestamp"), "user_email": '"userEmail"', "service_account_id": '"serviceAccountId"',
        "service_account_name": '"serviceAccountName"', "cloud_agent_id": '"cloudAgentId"', "automation_id": '"automationId"',
        "conversation_id": '"conversationId"', "is_max_mode": '"maxMode"', "is_token_based": '"isTokenBasedCall"',
        "is_chargeable": 'coalesce("isChargeable", false)', "is_headless": '"isHeadless"', "request_units": '"requestsCosts"',
        "input_tokens": '"tokenUsage.inputTokens"', "output_tokens": '"tokenUsage.outputTokens"',
        "cache_write_tokens": '"tokenUsage.cacheWriteTokens"', "cache_read_tokens": '"tokenUsage.cacheReadTokens"',
        "list_usd": _cents("tokenUsage.totalCents"), "discount_pct": '"tokenUsage.discountPercentOff"',
        "charged_usd": _cents("chargedCents"), "token_fee_usd": _cents("cursorTokenFee"),
    },
    usage_date=_instant("timestamp"),
    rules=(
        Rule(
            "chargedCents", f"{_BILLING} = 'billed' OR \"chargedCents\" IS NULL OR \"chargedCents\" >= 0", "is negative, and the event is not billed",
            "Ask Cursor what a negative event that is not billed means before it is counted.",
        ),
    ),
    # NULL where a billed record hides its amount: its money is unknown, and a check says so.
    vendor_total=f"CASE WHEN {_BILLING} = 'billed' THEN \"chargedCents\" * 0.01 ELSE 0 END",
    staged_as="cursor_events",
    named_by={"api_key_id": "service_account_id", "user_email": "user_email", "model": "model"},
)  # fmt: skip

SPEND = Endpoint(
    source=SOURCE,
    name="spend",
    beside="subscriptionCycleStart",
    without="Cursor's own running total is unknown, so the events are not compared with it",
    table=tables.raw_cursor_spend,
    fields=(
        Field("userId", "id", required=True), Field("name", "id"), Field("email", "email"), Field("role"),
        Field("subscriptionCycleStart", "int", required=True), Field("spendCents", "cents"),
        Field("overallSpendCents", "cents"), Field("includedSpendCents", "cents"), Field("fastPremiumRequests", "int"),
        Field("hardLimitOverrideDollars", "decimal"), Field("monthlyLimitDollars", "decimal"),
        Field("effectivePerUserLimitDollars", "decimal"),
    ),
    columns={
        "user_id": '"userId"', "cycle_start_at": _instant("subscriptionCycleStart"),
        # Left out for a member who spent nothing on demand [live 2026].
        "cycle_spend_usd": 'coalesce("spendCents", 0) * 0.01',
        "cycle_overall_usd": _cents("overallSpendCents"), "cycle_included_usd": _cents("includedSpendCents"),
        "premium_requests": '"fastPremiumRequests"', "hard_limit_override_usd": '"hardLimitOverrideDollars"',
        "monthly_limit_usd": '"monthlyLimitDollars"', "effective_limit_usd": '"effectivePerUserLimitDollars"',
    },
)  # fmt: skip

ENDPOINTS = (MEMBERS, DAILY_USAGE, EVENTS, SPEND)
