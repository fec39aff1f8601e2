"""The curated layer: people, keys, usage and cost in one shape for every vendor.

Belongs here: dimensions, facts, and the common shape that every staging model must produce (`STAGING_USAGE`,
`STAGING_COST`). A new vendor adds two staging files of that shape and nothing here.
"""

from __future__ import annotations

from ai_usage.tables.schema import Column, Personal, Table, boolean, count, date, email, integer, string, timestamp, usd

COST_TYPES = ("usage", "subscription", "overage", "credit", "tax", "adjustment")
ATTRIBUTIONS = ("direct", "token_share", "allocated", "seat", "key_owner", "unattributed")
USER_KINDS = ("person", "service")
SETTLE_STATES = ("open", "provisional", "settled", "closed")

_PLATFORM = string("platform", "claude_api, claude_code, claude_ai, cursor, or what a new vendor adds.", nullable=False)
USAGE_MEASURES: tuple[Column, ...] = (
    count("input_tokens", "Uncached input tokens.", "tokens"),
    count("output_tokens", "Output tokens.", "tokens"),
    count("cache_read_tokens", "Tokens read from cache.", "tokens"),
    count("cache_write_tokens", "Tokens written to cache.", "tokens"),
    count("requests", "Requests made to a model.", "requests"),
    count("sessions", "Working sessions.", "sessions"),
    count("loc_added", "Lines of code added in the tool.", "lines"),
    count("loc_accepted", "Suggested lines that were accepted.", "lines"),
    count("loc_removed", "Lines of code removed in the tool.", "lines"),
    count("suggestions_shown", "Suggestions offered: completions shown and edits offered.", "suggestions"),
    count("suggestions_accepted", "Suggestions accepted.", "suggestions"),
    count("suggestions_rejected", "Suggestions rejected by hand.", "suggestions"),
    count("commits", "Commits made by the tool.", "commits"),
    count("pull_requests", "Pull requests opened by the tool.", "pull requests"),
    count("web_searches", "Web searches.", "requests"),
    count("conversations", "Conversations.", "conversations"),
    count("messages", "Messages.", "messages"),
    count("projects", "Projects used.", "projects"),
    count("files", "Files uploaded.", "files"),
    usd("included_usd", "Value of usage that the subscription includes: not billed."),
    usd("estimated_usd", "The vendor's own estimate: not billed, or billed elsewhere already."),
    usd("list_usd", "Usage at list price: not billed."),
)
_USAGE_DIMENSIONS: tuple[Column, ...] = (
    date("usage_date", "UTC day.", nullable=False),
    _PLATFORM,
    email("user_email", "The person's canonical e-mail; NULL is nobody known."),
    string("api_key_id", "API key or service account, where the vendor names one."),
    string("workspace_id", "Workspace, where the vendor has one."),
    string("model", "Model; NULL where the measure is of the person's day, not of a model."),
)
_COST_DIMENSIONS: tuple[Column, ...] = (
    date("cost_date", "UTC day.", nullable=False),
    _PLATFORM,
    string("vendor", "Who sends the invoice.", nullable=False),
    string("workspace_id", "Workspace, where the vendor has one."),
    string("api_key_id", "API key or service account, where the vendor names one."),
    email("user_email", "The person's canonical e-mail; NULL is nobody known."),
    string("model", "Model."),
    string("cost_type", "What kind of charge.", nullable=False, allowed=COST_TYPES),
    string("token_type", "Which tokens the line charges, where the vendor says."),
    usd("cost_usd", "Billed money only.", nullable=False),
    string("attribution", "How the cost found its owner.", nullable=False, allowed=ATTRIBUTIONS),
)
_SOURCE = string("source", "The staging model that the row came through.", nullable=False)
TIMINGS = ("day", "spread")
_TIMING = string(
    "timing", "day: charged on its day. spread: a range of days was billed and is spread evenly over them. NULL is day.", allowed=TIMINGS
)
_PROCESSED_AT = timestamp("processed_at", "When the row was computed.", nullable=False)

STAGING_USAGE: tuple[Column, ...] = (*_USAGE_DIMENSIONS, *USAGE_MEASURES, _SOURCE)
STAGING_COST: tuple[Column, ...] = (
    *_COST_DIMENSIONS,
    date("settled_on", "First UTC day on which the vendor no longer changes this day; NULL is unknown."),
    _SOURCE,
)
SPREAD_COST: tuple[Column, ...] = (*STAGING_COST, _TIMING)
STAGING_KEYS: tuple[Column, ...] = (
    string("api_key_id", "The vendor's id of the key or service account.", nullable=False),
    string("api_key_name", "Its name."),
    _PLATFORM,
    string("workspace_id", "Workspace, where the vendor has one."),
    email("creator_email", "Who created it, as the vendor writes it."),
    boolean("is_active", "Whether the vendor calls it active."),
    date("seen_on", "UTC day on which the vendor showed it.", nullable=False),
    boolean("is_directory", "True where the vendor has a list of keys; false where keys are learned from use.", nullable=False),
)
STAGING_PEOPLE: tuple[Column, ...] = (
    email("email", "E-mail, as the vendor writes it.", nullable=False),
    string("name", "Display name.", personal=Personal.NAME),
    boolean("is_active", "Whether the vendor calls the person active.", nullable=False),
    date("seen_on", "UTC day of the vendor's list.", nullable=False),
)
STAGING_SEATS: tuple[Column, ...] = (
    date("seat_date", "UTC day.", nullable=False),
    _PLATFORM,
    email(
        "account",
        "The account that takes a seat, by the address that the vendor has for it: no plus-tag is cut and no alias followed.",
        nullable=False,
    ),
    email("user_email", "E-mail of whoever holds the account, as the vendor writes it.", nullable=False),
)


def _staging(name: str, description: str, columns: tuple[Column, ...], date_column: str | None) -> Table:
    return Table(
        name=name,
        layer="staging",
        description=description,
        grain="one group of a UTC day",
        columns=columns,
        date_column=date_column,
        view=True,
    )


stg_current_fetches = Table(
    name="stg_current_fetches",
    layer="staging",
    description="The version of each source, endpoint and UTC day that counts now: the latest that did not fail.",
    grain="one source, endpoint and UTC day",
    key=("source", "endpoint", "usage_date"),
    date_column="usage_date",
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("usage_date", "UTC day.", nullable=False),
        string("fetch_id", "The latest fetch.", nullable=False),
        string("version_fetch_id", "The fetch whose rows hold the content.", nullable=False),
        timestamp("fetched_at", "When the latest fetch ended.", nullable=False),
        timestamp(
            "told_at", "When the source told it: `fetched_at`, but for a version that was read again from the same bytes.", nullable=False
        ),
        string("state", "complete or empty.", nullable=False, allowed=("complete", "empty")),
        string("origin", "api or upload.", nullable=False, allowed=("api", "upload")),
        count("row_count", "Rows.", "rows"),
        count("rejected_count", "Rejected records.", "records"),
        usd("vendor_total_usd", "Billed USD by the vendor's readable records."),
        count("unknown_money_count", "Records whose billed amount, currency or day could not be read.", "records"),
    ),
)
stg_last_day = Table(
    name="stg_last_day",
    layer="staging",
    description="The last day that any run asked a source for: the end of what has no end of its own.",
    grain="one row",
    view=True,
    columns=(date("last_day", "UTC day; NULL while nothing was ever asked."),),
)

stg_snapshots = Table(
    name="stg_snapshots",
    layer="staging",
    description="The latest snapshot of each directory: members, sheet tabs, spend.",
    grain="one source and endpoint",
    key=("source", "endpoint"),
    date_column="usage_date",
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("usage_date", "UTC day of the snapshot.", nullable=False),
        string("version_fetch_id", "The fetch whose rows hold the content.", nullable=False),
        timestamp("fetched_at", "When it was taken.", nullable=False),
    ),
)
stg_set_aside = Table(
    name="stg_set_aside",
    layer="staging",
    description="Days that an endpoint holds and that do not count, since another endpoint reports the same bill or usage.",
    grain="one source, endpoint and UTC day",
    key=("source", "endpoint", "usage_date"),
    date_column="usage_date",
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint whose day does not count.", nullable=False),
        date("usage_date", "UTC day.", nullable=False),
        string("counted_source", "Source whose day counts instead.", nullable=False),
        string("counted_endpoint", "Endpoint whose day counts instead.", nullable=False),
    ),
)
stg_billed_days = Table(
    name="stg_billed_days",
    layer="staging",
    description="Days of which a source that bills has told the bill, in any of its reports.",
    grain="one source and UTC day",
    key=("source", "usage_date"),
    date_column="usage_date",
    view=True,
    columns=(string("source", "Source.", nullable=False), date("usage_date", "UTC day.", nullable=False)),
)
stg_unknown_days = Table(
    name="stg_unknown_days",
    layer="staging",
    description="Days whose cost is not known whole, since a source that bills told other days and not this one: comparisons leave them out.",
    grain="one source and UTC day",
    key=("source", "usage_date"),
    date_column="usage_date",
    view=True,
    columns=(
        string("source", "Source whose bill of that day is not held.", nullable=False),
        date("usage_date", "UTC day.", nullable=False),
    ),
)
stg_email_aliases = Table(
    name="stg_email_aliases",
    layer="staging",
    description="Which written e-mail belongs to which person, from the sheet's alias lists.",
    grain="one alias",
    key=("alias",),
    view=True,
    columns=(
        email("alias", "E-mail, lower case, without plus-tag.", nullable=False),
        email("email", "The person's main e-mail, lower case, without plus-tag.", nullable=False),
    ),
)
stg_bill_sources = Table(
    name="stg_bill_sources",
    layer="staging",
    description="Which lines of cost stand for which endpoint's bill.",
    grain="one endpoint with a vendor's total",
    key=("source", "endpoint"),
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        string("cost_source", "`source` of its lines in `stg_cost` and `fct_cost_daily`.", nullable=False),
    ),
)
stg_unknown_money = Table(
    name="stg_unknown_money",
    layer="staging",
    description="Records of days that count as read whose billed amount, currency or day could not be read: what the day's total may lack.",
    grain="one record of the current version of a day",
    key=("source", "endpoint", "usage_date", "record_number"),
    date_column="usage_date",
    view=True,
    columns=(
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("usage_date", "UTC day whose total may lack it.", nullable=False),
        integer("record_number", "The line of the spool file, from 1; of an uploaded file, the row as a person counts it."),
        string("reason", "The fields that could not be read, and why."),
        string("spool_path", "The spool file, below the data folder's `spool`."),
    ),
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
stg_cursor_usage = _staging("stg_cursor_usage", "Cursor's usage in the common shape.", STAGING_USAGE, "usage_date")
stg_cursor_cost = _staging("stg_cursor_cost", "Cursor's billed events in the common shape.", STAGING_COST, "cost_date")
stg_usage = _staging("stg_usage", "Every `stg_*_usage` together: what `fct_usage_daily` reads.", STAGING_USAGE, "usage_date")
stg_cost = _staging("stg_cost", "Every `stg_*_cost` together: what `fct_cost_daily` reads.", SPREAD_COST, "cost_date")
stg_cursor_seats = _staging("stg_cursor_seats", "Which Cursor accounts held a seat on which day.", STAGING_SEATS, "seat_date")
stg_seats = _staging("stg_seats", "Every `stg_*_seats` together: the accounts that a block of seats is for.", STAGING_SEATS, "seat_date")
stg_cursor_keys = _staging("stg_cursor_keys", "Cursor's service accounts.", STAGING_KEYS, "seen_on")
stg_cursor_people = _staging("stg_cursor_people", "Cursor's members as people.", STAGING_PEOPLE, "seen_on")
stg_anthropic_usage = _staging("stg_anthropic_usage", "Anthropic's usage in the common shape.", STAGING_USAGE, "usage_date")
stg_anthropic_cost = _staging(
    "stg_anthropic_cost", "Anthropic's bill, split over keys exactly, in the common shape.", STAGING_COST, "cost_date"
)
stg_anthropic_keys = _staging("stg_anthropic_keys", "Anthropic's API keys with their creators.", STAGING_KEYS, "seen_on")
STAGING_BEARERS: tuple[Column, ...] = (
    string("api_key_id", "The key.", nullable=False),
    string("api_key_name", "A name that it bears or bore.", nullable=False),
    date("valid_from", "First UTC day on which it bore the name; NULL where it had the name only while it was switched off."),
    date("valid_to", "Last day, inclusive; 9999-12-31 is open."),
)
stg_key_bearers = _staging("stg_key_bearers", "Which key bears which name, and when.", STAGING_BEARERS, "valid_from")
stg_anthropic_key_bearers = _staging(
    "stg_anthropic_key_bearers", "Which of Anthropic's keys bears which name, and when.", STAGING_BEARERS, "valid_from"
)
stg_anthropic_key_names = _staging(
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
stg_anthropic_people = _staging("stg_anthropic_people", "Anthropic's organisation members as people.", STAGING_PEOPLE, "seen_on")
stg_anthropic_users = _staging(
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
stg_anthropic_workspaces = _staging(
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
stg_anthropic_prices = _staging(
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
stg_anthropic_list_value = _staging(
    "stg_anthropic_list_value",
    "What Anthropic's tokens of a day would cost at list price, by platform and model.",
    (
        date("usage_date", "UTC day.", nullable=False),
        _PLATFORM,
        string("model", "Model."),
        usd("list_usd", "Tokens times list price.", nullable=False),
    ),
    "usage_date",
)
stg_anthropic_analytics_usage = _staging(
    "stg_anthropic_analytics_usage", "Anthropic's usage by actor and key (analytics), in the common shape.", STAGING_USAGE, "usage_date"
)
stg_anthropic_analytics_cost = _staging(
    "stg_anthropic_analytics_cost", "Anthropic's bill by actor and key (analytics), in the common shape.", STAGING_COST, "cost_date"
)
stg_claude_enterprise_usage = _staging(
    "stg_claude_enterprise_usage", "Claude Enterprise's usage and engagement in the common shape.", STAGING_USAGE, "usage_date"
)
stg_claude_enterprise_cost = _staging(
    "stg_claude_enterprise_cost", "What Claude Enterprise bills beyond seats, in the common shape.", STAGING_COST, "cost_date"
)
stg_keys = _staging("stg_keys", "Every `stg_*_keys` together.", STAGING_KEYS, "seen_on")
stg_people = _staging("stg_people", "Every `stg_*_people` together.", STAGING_PEOPLE, "seen_on")
stg_sheet_usage = _staging("stg_sheet_usage", "claude.ai activity kept by hand, in the common shape.", STAGING_USAGE, "usage_date")
stg_sheet_cost = _staging(
    "stg_sheet_cost", "Seats and flat fees, spread over the days of each month, in the common shape.", STAGING_COST, "cost_date"
)
stg_adjustments_cost = _staging("stg_adjustments_cost", "Manual adjustments in the common shape.", STAGING_COST, "cost_date")
stg_claude_ai_usage = _staging(
    "stg_claude_ai_usage", "claude.ai's two exports as usage: conversations of the audit log, list price of the spend report.",
    STAGING_USAGE, "usage_date",
)  # fmt: skip
stg_claude_ai_cost = _staging("stg_claude_ai_cost", "claude.ai's spend report export in the common shape.", SPREAD_COST, "cost_date")
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
stg_claude_ai_spend_days = _staging(
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
stg_claude_ai_days = _staging(
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
        _SOURCE,
    ),
    "usage_date",
)

dim_users = Table(
    name="dim_users",
    layer="curated",
    description="People: one row each, aliases folded.",
    grain="one person",
    key=("user_id",),
    cluster_by=("email",),
    columns=(
        string("user_id", "SHA-256 of the canonical e-mail, hexadecimal.", nullable=False, personal=Personal.DIGEST),
        email("email", "Canonical e-mail: lower case, plus-tag cut, alias resolved.", nullable=False),
        string("first_name", "First name.", personal=Personal.NAME),
        string("last_name", "Last name.", personal=Personal.NAME),
        string("department", "Department today."),
        string("cost_center", "Cost center today."),
        boolean("is_active", "False once every vendor that lists the person says removed; NULL when none lists them."),
        string(
            "kind",
            "person, or service for a machine's account: what the sheet's column kind says, else service where a vendor shows the address only as a "
            "service account's. Services count in cost and never as people.",
            allowed=USER_KINDS,
        ),
        timestamp("created_at", "Start of the first UTC day on which any source showed the person.", nullable=False),
        timestamp("updated_at", "When the row was computed.", nullable=False),
    ),
)
dim_user_assignments = Table(
    name="dim_user_assignments",
    layer="curated",
    description="Who belonged to which department and cost center, when.",
    grain="one person and period",
    key=("email", "valid_from"),
    cluster_by=("email",),
    columns=(
        email("email", "Canonical e-mail.", nullable=False),
        string("department", "Department."),
        string("cost_center", "Cost center."),
        date("valid_from", "First UTC day.", nullable=False),
        date("valid_to", "Last UTC day, inclusive.", nullable=False),
    ),
)
dim_api_keys = Table(
    name="dim_api_keys",
    layer="curated",
    description="API keys and service accounts, and who answers for them when. The sheet wins over the vendor's creator.",
    grain="one key and period of ownership",
    key=("api_key_id", "valid_from"),
    cluster_by=("api_key_id",),
    columns=(
        string("api_key_id", "The vendor's id; `sheet:` and the name for keys that no vendor has listed yet.", nullable=False),
        string("api_key_name", "Name in the vendor's console."),
        string("platform", "Platform; NULL until a vendor lists the key."),
        string("workspace_id", "Workspace."),
        email("email", "Owner's canonical e-mail in this period."),
        email("creator_email", "Canonical e-mail of whoever created the key, by the vendor."),
        string("description", "Purpose."),
        boolean("is_active", "Whether the vendor calls the key active; NULL until one lists it."),
        date("valid_from", "First UTC day.", nullable=False),
        date("valid_to", "Last UTC day, inclusive.", nullable=False),
        string(
            "owner_source",
            "Where the owner came from. ambiguous: the sheet's name means several keys, or two of its rows contradict each other.",
            nullable=False,
            allowed=("sheet", "vendor_creator", "none", "ambiguous"),
        ),
        string("sheet_name", "The name or id by which a row of the sheet means the key in this period; NULL where no row does."),
        string(
            "candidates",
            "Where ambiguous: ids of the keys that the sheet's name means; this key alone where two rows of the sheet contradict each other.",
        ),
    ),
)
fct_usage_daily = Table(
    name="fct_usage_daily",
    layer="curated",
    description="Usage and productivity per day. Every additive number stands in exactly one row.",
    grain="one UTC day, platform, person, key, workspace, model and source",
    key=("usage_date", "platform", "user_email", "api_key_id", "workspace_id", "model", "source"),
    date_column="usage_date",
    cluster_by=("platform", "user_email"),
    columns=(*STAGING_USAGE, _PROCESSED_AT),
    do_not="add `included_usd`, `estimated_usd` or `list_usd` to billed cost: none of them is on the invoice.",
)
fct_cost_daily = Table(
    name="fct_cost_daily",
    layer="curated",
    description="Billed money per day, to 1e-9 USD, unattributed included.",
    grain="one UTC day, platform, workspace, key, person, model, cost type, token type, attribution, source and timing",
    key=(
        "cost_date",
        "platform",
        "vendor",
        "workspace_id",
        "api_key_id",
        "user_email",
        "model",
        "cost_type",
        "token_type",
        "attribution",
        "source",
        "timing",
    ),
    date_column="cost_date",
    cluster_by=("platform", "user_email"),
    columns=(
        *_COST_DIMENSIONS,
        string(
            "settle_state",
            "open: the day has not ended. provisional: the vendor may still change it. settled: it may not. closed: month closed.",
            nullable=False,
            allowed=SETTLE_STATES,
        ),
        _SOURCE,
        _PROCESSED_AT,
        _TIMING,
    ),
)

STAGING: tuple[Table, ...] = (
    stg_current_fetches,
    stg_last_day,
    stg_snapshots,
    stg_set_aside,
    stg_billed_days,
    stg_unknown_days,
    stg_email_aliases,
    stg_bill_sources,
    stg_unknown_money,
    stg_cursor_event_versions,
    stg_cursor_events,
    stg_cursor_unknown_kinds,
    stg_cursor_usage,
    stg_cursor_cost,
    stg_sheet_usage,
    stg_sheet_cost,
    stg_adjustments_cost,
    stg_claude_ai_usage,
    stg_claude_ai_cost,
    stg_claude_ai_ranges,
    stg_claude_ai_spend_days,
    stg_claude_ai_days,
    stg_usage,
    stg_cost,
    stg_cursor_seats,
    stg_seats,
    stg_cursor_keys,
    stg_cursor_people,
    stg_anthropic_usage,
    stg_anthropic_cost,
    stg_anthropic_keys,
    stg_anthropic_key_bearers,
    stg_anthropic_key_names,
    stg_anthropic_users,
    stg_anthropic_people,
    stg_anthropic_workspaces,
    stg_anthropic_prices,
    stg_anthropic_list_value,
    stg_anthropic_analytics_usage,
    stg_anthropic_analytics_cost,
    stg_claude_enterprise_usage,
    stg_claude_enterprise_cost,
    stg_keys,
    stg_key_bearers,
    stg_people,
)
CURATED: tuple[Table, ...] = (dim_users, dim_user_assignments, dim_api_keys, fct_usage_daily, fct_cost_daily)
