"""The raw layer: what vendors said, typed, versioned, never changed.

Belongs here: one declaration for each raw table and the columns all of them share. Every raw row belongs to one fetch;
a fetch whose id is not in `raw_fetches` does not exist for anything downstream.
"""

from __future__ import annotations

from typing import Any

from ai_usage.tables.schema import Column, Personal, Table, boolean, count, date, email, integer, numeric, string, timestamp, usd

LINEAGE: tuple[Column, ...] = (
    date("usage_date", "The UTC day that the row speaks of; for snapshots the day they were taken.", nullable=False),
    string("fetch_id", "The fetch that brought the row; visible once `raw_fetches` names it.", nullable=False),
    timestamp("fetched_at", "When the fetch ended.", nullable=False),
    date("ingest_date", "The UTC day of `fetched_at`.", nullable=False),
    string("extra", "Fields that the vendor sent and this table does not know, as JSON text.", personal=Personal.RECORD),
)


def raw_table(name: str, description: str, grain: str, columns: tuple[Column, ...], **more: Any) -> Table:
    """A raw table: the columns that all share, then its own."""
    more.setdefault("cluster_by", ("fetch_id",))  # a version's rows lie together
    return Table(name=name, layer="raw", description=description, grain=grain, columns=LINEAGE + columns, date_column="usage_date", **more)


raw_fetches = Table(
    name="raw_fetches",
    layer="raw",
    description="Every question put to a source and how it ended. Inserting a row here is what publishes a fetch.",
    grain="one attempt to read one source, endpoint and UTC day",
    key=("fetch_id",),
    date_column="usage_date",
    cluster_by=("source", "endpoint"),
    do_not="read raw tables without this one: rows of unpublished or superseded fetches are still in them.",
    columns=(
        string("fetch_id", "Names this fetch.", nullable=False),
        string("version_fetch_id", "The fetch whose rows hold this content: itself, or an earlier one seen again unchanged."),
        string("source", "The vendor or file store asked.", nullable=False),
        string("endpoint", "The endpoint, sheet tab or file kind.", nullable=False),
        date("usage_date", "The UTC day asked about.", nullable=False),
        timestamp("fetched_at", "When the fetch ended.", nullable=False),
        string("run_id", "The Dagster run, if one ran it."),
        string(
            "state",
            "complete: rows came. empty: the source said that nothing happened. failed: the call failed; nothing is known. "
            "refused: the vendor does not let this key read an endpoint that it never gave and that bills nothing.",
            nullable=False,
            allowed=("complete", "empty", "failed", "refused"),
        ),
        string("origin", "api, or upload when a dropped file stood in for the vendor.", nullable=False, allowed=("api", "upload")),
        boolean("changed", "False when the content equals the version that was current before."),
        count("row_count", "Rows of this version.", "rows"),
        count("rejected_count", "Records of this version that failed validation and lie in `raw_rejects`.", "records"),
        count("pages", "Pages walked for the window that holds this day.", "pages"),
        count("requests", "HTTP requests made for that window, retries included.", "requests"),
        string("content_sha256", "SHA-256 over the sorted record hashes of this day and the parser's version."),
        usd("vendor_total_usd", "Billed USD that the vendor's readable records of this day sum to; NULL where the endpoint bills nothing."),
        count(
            "unknown_money_count",
            "Records of this day whose billed amount, currency or day could not be read: they lie in `raw_rejects`.",
            "records",
        ),
        string(
            "parser_version",
            "Which declaration read the records; another one means that the rule changed, not the vendor. NULL before 2026-12.",
        ),
        string(
            "changed_by",
            "Who made this version differ from the one before. vendor: the records changed. rule: the same records were read by another rule. "
            "vendor and rule: both may have changed. NULL where nothing changed, or before 2026-12.",
            allowed=("vendor", "rule", "vendor and rule"),
        ),
        timestamp("window_start", "First instant of the window asked."),
        timestamp("window_end", "Last instant of the window asked, inclusive."),
        string("spool_path", "Where the bytes lie, below the data folder, as long as retention keeps them."),
        string("error", "For failed and refused fetches: one sentence."),
        timestamp(
            "told_at",
            "When the source told what this version holds, where it was read again from the same bytes since. NULL: at `fetched_at`.",
        ),
    ),
)

raw_rejects = Table(
    name="raw_rejects",
    layer="raw",
    description="Records that failed validation, or lost a field to it, whole, with the reason and the remedy. Nothing is dropped silently.",
    grain="one broken rule of one record of one fetch",
    date_column="usage_date",
    cluster_by=("source", "endpoint", "fetch_id"),
    columns=(
        date("usage_date", "The UTC day asked about.", nullable=False),
        string("fetch_id", "The fetch that brought the record.", nullable=False),
        timestamp("fetched_at", "When the fetch ended.", nullable=False),
        string("source", "The vendor or file store asked.", nullable=False),
        string("endpoint", "The endpoint, sheet tab or file kind.", nullable=False),
        integer("record_number", "The record's place in the fetch, from 1; for a sheet or a file the row as a person counts it."),
        string("column_name", "The field that broke the rule."),
        boolean(
            "is_counted",
            "True: the record counts, and only this field is NULL in it. False, or NULL before 2026-12: the record does not count.",
        ),
        string("value", "What stood there.", personal=Personal.NAME),
        string("reason", "The rule that was broken.", nullable=False),
        string("remedy", "What a person can do.", nullable=False),
        string("payload", "The record as it came, JSON text.", nullable=False, personal=Personal.RECORD),
    ),
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

SHEET_ROW = integer("sheet_row", "The row in the tab as a person counts it; the header is row 1.", nullable=False)


_UNREAD = string(
    "unread",
    "Cells of the row that could not be read and count as empty: a JSON array of c column, v what stands there, r reason, m remedy.",
    personal=Personal.RECORD,
)
# Money that is not written in US dollars: the table's column in USD is then NULL, and staging converts by the month's rate.
_WRITTEN = (
    string("currency", "ISO code of the currency of `written_amount`; NULL is US dollars."),
    numeric("written_amount", "The amount as written, in `currency`; NULL where it is written in US dollars."),
)


def _sheet(tab: str, description: str, grain: str, columns: tuple[Column, ...]) -> Table:
    return raw_table(f"raw_sheet_{tab}", description, grain, (SHEET_ROW, *columns, _UNREAD), key=("usage_date", "fetch_id", "sheet_row"))


raw_sheet_api_keys = _sheet(
    "api_keys",
    "Sheet tab `api_keys`: who answers for which API key.",
    "one row of the tab in one snapshot",
    (
        string("api_key_name", "The key's name in the vendor's console, or its id.", nullable=False),
        email("email", "The owner's e-mail.", nullable=False),
        string("description", "What the key is for."),
        date("valid_from", "First UTC day of this ownership; NULL is from the beginning."),
        date("valid_to", "Last UTC day of this ownership; NULL is until further notice."),
    ),
)

raw_sheet_people = _sheet(
    "people",
    "Sheet tab `people`: names, departments and cost centers, and when they held.",
    "one row of the tab in one snapshot",
    (
        email("email", "The person's main e-mail.", nullable=False),
        string("first_name", "First name.", personal=Personal.NAME),
        string("last_name", "Last name.", personal=Personal.NAME),
        string("department", "Department."),
        string("cost_center", "Cost center."),
        string("aliases", "Other e-mails of the same person, separated by ; or ,.", personal=Personal.ADDRESSES),
        string("kind", "person, or service for a machine's account; NULL is not said."),
        date("valid_from", "First UTC day of this assignment; NULL is from the beginning."),
        date("valid_to", "Last UTC day of this assignment; NULL is until further notice."),
    ),
)

raw_sheet_claude_ai_usage = _sheet(
    "claude_ai_usage",
    "Sheet tab `claude_ai_usage`: claude.ai activity that no API gives on the Team plan.",
    "one row of the tab in one snapshot",
    (
        date("activity_date", "The UTC day of the activity.", nullable=False),
        email("email", "The person's e-mail.", nullable=False),
        count("conversations", "Conversations.", "conversations"),
        count("messages", "Messages.", "messages"),
        count("projects", "Projects used.", "projects"),
        count("files", "Files uploaded.", "files"),
    ),
)

raw_sheet_subscriptions = _sheet(
    "subscriptions",
    "Sheet tab `subscriptions`: seats and flat fees.",
    "one row of the tab in one snapshot",
    (
        string("platform", "claude_api, claude_code, claude_ai, cursor or another.", nullable=False),
        string("plan", "The plan's name."),
        count("seats", "Seats bought; empty when the row names one person.", "seats"),
        email("email", "The person whose seat it is; empty when the row counts seats."),
        usd("price_usd", "Price of one seat for one calendar month; NULL where it is written in another currency.", minimum=0),
        date("valid_from", "First UTC day paid; NULL is from the beginning."),
        date("valid_to", "Last UTC day paid; NULL is until further notice."),
        string("contract_id", "Tells two blocks of one plan apart that are both paid."),
        *_WRITTEN,
    ),
)

raw_sheet_invoices = _sheet(
    "invoices",
    "Sheet tab `invoices`: what vendors billed.",
    "one row of the tab in one snapshot",
    (
        string("platform", "The platform invoiced.", nullable=False),
        date("invoice_month", "Any day of the month invoiced.", nullable=False),
        string("invoice_number", "The vendor's invoice number."),
        string("description", "The invoice line."),
        usd("amount_usd", "Amount of the line; NULL where it is written in another currency."),
        string("cost_type", "usage, subscription, overage, credit, tax or adjustment."),
        *_WRITTEN,
    ),
)

raw_sheet_budgets = _sheet(
    "budgets",
    "Sheet tab `budgets`: what may be spent.",
    "one row of the tab in one snapshot",
    (
        date("month", "Any day of the month.", nullable=False),
        string("department", "Department; empty is all."),
        string("platform", "Platform; empty is all."),
        usd("budget_usd", "Budget; NULL where it is written in another currency."),
        *_WRITTEN,
    ),
)

raw_sheet_adjustments = _sheet(
    "adjustments",
    "Sheet tab `adjustments`: money that finance books by hand, each row with its author and its reason.",
    "one row of the tab in one snapshot",
    (
        date("adjustment_date", "The UTC day that it belongs to.", nullable=False),
        string("platform", "claude_api, claude_code, claude_ai, cursor or another.", nullable=False),
        usd("amount_usd", "Added to the cost; negative lowers it; NULL where it is written in another currency."),
        string("cost_type", "adjustment, credit or tax; empty is adjustment."),
        email("email", "The person whose cost it is; empty is nobody's."),
        string("author", "Who decided it."),
        string("reason", "Why."),
        string("reference", "Tells two adjustments apart that are alike in everything else: a credit note's number."),
        *_WRITTEN,
    ),
)

raw_sheet_fx_rates = _sheet(
    "fx_rates",
    "Sheet tab `fx_rates`: what a unit of another currency costs in US dollars, kept by a person.",
    "one row of the tab in one snapshot",
    (
        date("month", "Any day of the month whose cost is converted.", nullable=False),
        string("currency", "ISO code of the currency.", nullable=False),
        usd("usd", "US dollars for one unit of the currency.", nullable=False),
    ),
)

RAW: tuple[Table, ...] = (
    raw_fetches,
    raw_rejects,
    raw_cursor_members,
    raw_cursor_usage,
    raw_cursor_events,
    raw_cursor_spend,
    raw_anthropic_usage,
    raw_anthropic_cost,
    raw_claude_code_usage,
    raw_anthropic_users,
    raw_anthropic_api_keys,
    raw_anthropic_workspaces,
    raw_anthropic_workspace_members,
    raw_sheet_api_keys,
    raw_sheet_people,
    raw_sheet_claude_ai_usage,
    raw_sheet_subscriptions,
    raw_sheet_invoices,
    raw_sheet_budgets,
    raw_sheet_adjustments,
    raw_sheet_fx_rates,
)
