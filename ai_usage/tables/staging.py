"""The staging layer: the common shapes that every vendor's models fill, the unions over them, and which version of a day counts.

Belongs here: what all vendors share. A new vendor adds models of these shapes to its own folder and nothing here. Does not belong here: any
vendor's models (`sources/<vendor>/tables.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Column, Personal, Table, boolean, count, date, email, integer, string, timestamp, usd

COST_TYPES = ("usage", "subscription", "overage", "credit", "tax", "adjustment")

ATTRIBUTIONS = ("direct", "token_share", "allocated", "seat", "key_owner", "unattributed")

USER_KINDS = ("person", "service")

SETTLE_STATES = ("open", "provisional", "settled", "closed")

PLATFORM = string("platform", "What is used: a platform of `stg_platforms`, or what a person wrote in the sheet.", nullable=False)

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

USAGE_DIMENSIONS: tuple[Column, ...] = (
    date("usage_date", "UTC day.", nullable=False),
    PLATFORM,
    email("user_email", "The person's canonical e-mail; NULL is nobody known."),
    string("api_key_id", "API key or service account, where the vendor names one."),
    string("workspace_id", "Workspace, where the vendor has one."),
    string("model", "Model; NULL where the measure is of the person's day, not of a model."),
)

COST_DIMENSIONS: tuple[Column, ...] = (
    date("cost_date", "UTC day.", nullable=False),
    PLATFORM,
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

SOURCE = string("source", "The staging model that the row came through.", nullable=False)

TIMINGS = ("day", "spread")

TIMING = string(
    "timing", "day: charged on its day. spread: a range of days was billed and is spread evenly over them. NULL is day.", allowed=TIMINGS
)

STAGING_USAGE: tuple[Column, ...] = (*USAGE_DIMENSIONS, *USAGE_MEASURES, SOURCE)

STAGING_COST: tuple[Column, ...] = (
    *COST_DIMENSIONS,
    date("settled_on", "First UTC day on which the vendor no longer changes this day; NULL is unknown."),
    SOURCE,
)

SPREAD_COST: tuple[Column, ...] = (*STAGING_COST, TIMING)

STAGING_KEYS: tuple[Column, ...] = (
    string("api_key_id", "The vendor's id of the key or service account.", nullable=False),
    string("api_key_name", "Its name."),
    PLATFORM,
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
    PLATFORM,
    email(
        "account",
        "The account that takes a seat, by the address that the vendor has for it: no plus-tag is cut and no alias followed.",
        nullable=False,
    ),
    email("user_email", "E-mail of whoever holds the account, as the vendor writes it.", nullable=False),
)


STAGING_WORKSPACES: tuple[Column, ...] = (
    string("workspace_id", "The vendor's id.", nullable=False),
    string("name", "Name.", nullable=False),
)
STAGING_CHARGES: tuple[Column, ...] = (
    date("usage_date", "UTC day.", nullable=False),
    string("platform", "Platform.", nullable=False),
    string("workspace_id", "Workspace, as the cost rows have it."),
    string("api_key_id", "API key or service account."),
    email("user_email", "E-mail, as the vendor writes it."),
    string("model", "Model."),
    string("token_type", "Which tokens, or the other kind of charge, as the cost rows name it."),
    string("unit", "What is counted; NULL where nothing is.", allowed=("Tokens", "Requests")),
    count("quantity", "How many of the unit; NULL where the vendor does not say.", "units"),
    usd("list_usd", "At list price by the vendor's own record: not billed. NULL where the vendor does not say."),
    boolean("is_money", "Whether the record could say a list price.", nullable=False),
    string("cost_source", "The staging model whose rows it measures.", nullable=False),
)
STAGING_BILLED: tuple[Column, ...] = (
    string("source", "Source.", nullable=False),
    string("endpoint", "Endpoint.", nullable=False),
    string("fetch_id", "The version.", nullable=False),
    date("version_day", "UTC day on which the version stands.", nullable=False),
    date("billed_on", "UTC day of the charge.", nullable=False),
    PLATFORM,
    usd("usd", "What the record bills."),
)
STAGING_LIST_VALUE: tuple[Column, ...] = (
    date("usage_date", "UTC day.", nullable=False),
    PLATFORM,
    string("model", "Model."),
    usd("list_usd", "Tokens times list price.", nullable=False),
)
STAGING_PRIORITY_TOKENS: tuple[Column, ...] = (
    date("usage_date", "UTC day.", nullable=False),
    PLATFORM,
    count("tokens", "Tokens.", "tokens", nullable=False),
)


def only(shape: tuple[Column, ...], *names: str) -> tuple[Column, ...]:
    """The columns of a shape that a vendor's model fills; the union has NULL for the others."""
    return tuple(column for column in shape if column.name in names)


def staging(name: str, description: str, columns: tuple[Column, ...], date_column: str | None) -> Table:
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
    description="Days of which a source that bills has told the bill: in the report that every key may read, or in another that knows of money.",
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

stg_workspaces = staging("stg_workspaces", "Every `stg_*_workspaces` together.", STAGING_WORKSPACES, None)
stg_charges = staging(
    "stg_charges", "Every `stg_*_charges` together: what records say of a charge beside its price.", STAGING_CHARGES, "usage_date"
)
stg_billed = staging("stg_billed", "Every `stg_*_billed` together: what each version of each bill holds.", STAGING_BILLED, "billed_on")
stg_list_value = staging(
    "stg_list_value", "Every `stg_*_list_value` together: what a day's tokens would cost at list price.", STAGING_LIST_VALUE, "usage_date"
)
stg_priority_tokens = staging(
    "stg_priority_tokens",
    "Every `stg_*_priority_tokens` together: tokens that no cost report holds.",
    STAGING_PRIORITY_TOKENS,
    "usage_date",
)
stg_usage = staging("stg_usage", "Every `stg_*_usage` together: what `fct_usage_daily` reads.", STAGING_USAGE, "usage_date")

stg_cost = staging("stg_cost", "Every `stg_*_cost` together: what `fct_cost_daily` reads.", SPREAD_COST, "cost_date")

stg_seats = staging("stg_seats", "Every `stg_*_seats` together: the accounts that a block of seats is for.", STAGING_SEATS, "seat_date")

STAGING_BEARERS: tuple[Column, ...] = (
    string("api_key_id", "The key.", nullable=False),
    string("api_key_name", "A name that it bears or bore.", nullable=False),
    date("valid_from", "First UTC day on which it bore the name; NULL where it had the name only while it was switched off."),
    date("valid_to", "Last day, inclusive; 9999-12-31 is open."),
)

stg_key_bearers = staging("stg_key_bearers", "Which key bears which name, and when.", STAGING_BEARERS, "valid_from")

stg_keys = staging("stg_keys", "Every `stg_*_keys` together.", STAGING_KEYS, "seen_on")

stg_people = staging("stg_people", "Every `stg_*_people` together.", STAGING_PEOPLE, "seen_on")

STAGING: tuple[Table, ...] = (
    stg_current_fetches,
    stg_last_day,
    stg_snapshots,
    stg_set_aside,
    stg_billed_days,
    stg_unknown_days,
    stg_email_aliases,
    stg_unknown_money,
    stg_workspaces,
    stg_charges,
    stg_billed,
    stg_list_value,
    stg_priority_tokens,
    stg_usage,
    stg_cost,
    stg_seats,
    stg_key_bearers,
    stg_keys,
    stg_people,
)
