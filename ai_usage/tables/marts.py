"""The marts: what people and dashboards read. Views, so that they are never older than the facts.

Belongs here: one declaration for each `vw_*`. Names for nobody ("(unattributed)", "(no department)") appear in marts
only: below them unknown is NULL.
"""

from __future__ import annotations

from ai_usage.tables.curated import ATTRIBUTIONS, COST_TYPES, SETTLE_STATES
from ai_usage.tables.schema import Column, Table, boolean, count, date, integer, string, timestamp, usd

_PLATFORM = string("platform", "Platform.", nullable=False)
_DEPARTMENT = string("department", "Department on that day; '(no department)' when nobody said.", nullable=False)
_USER = (
    string("user_email", "Canonical e-mail; '(unattributed)' when nobody is known.", nullable=False),
    string("user_name", "First and last name, or the e-mail.", nullable=False),
)


def _mart(name: str, description: str, grain: str, columns: tuple[Column, ...], **more: object) -> Table:
    return Table(name=name, layer="mart", description=description, grain=grain, columns=columns, view=True, **more)  # type: ignore[arg-type]


vw_monthly_finance = _mart(
    "vw_monthly_finance",
    "Billed cost per month, for the books.",
    "one month, platform, department, cost center, cost type and settle state",
    (
        date("month", "First day of the month.", nullable=False),
        _PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        _DEPARTMENT,
        string("cost_center", "Cost center on that day."),
        string("cost_type", "Kind of charge.", nullable=False, allowed=COST_TYPES),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=SETTLE_STATES),
        usd("cost_usd", "Billed cost.", nullable=False),
    ),
    key=("month", "platform", "vendor", "department", "cost_center", "cost_type", "settle_state"),
    date_column="month",
)
vw_cost_allocation = _mart(
    "vw_cost_allocation",
    "Billed cost per day with person and department as of that day.",
    "one UTC day, platform, person, department, model, cost type, attribution and settle state",
    (
        date("cost_date", "UTC day.", nullable=False),
        _PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        _DEPARTMENT,
        string("cost_center", "Cost center on that day."),
        *_USER,
        string("model", "Model."),
        string("cost_type", "Kind of charge.", nullable=False, allowed=COST_TYPES),
        string("attribution", "How the cost found its owner.", nullable=False, allowed=ATTRIBUTIONS),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=SETTLE_STATES),
        usd("cost_usd", "Billed cost.", nullable=False),
    ),
    date_column="cost_date",
)
vw_productivity_metrics = _mart(
    "vw_productivity_metrics",
    "What each person did on each day with each platform, and what it cost.",
    "one UTC day, platform and person",
    (
        date("usage_date", "UTC day.", nullable=False),
        _PLATFORM,
        _DEPARTMENT,
        *_USER,
        count("loc_added", "Lines added.", "lines"),
        count("loc_accepted", "Suggested lines accepted.", "lines"),
        count("loc_removed", "Lines removed.", "lines"),
        count("suggestions_shown", "Suggestions offered.", "suggestions"),
        count("suggestions_accepted", "Suggestions accepted.", "suggestions"),
        count("suggestions_rejected", "Suggestions rejected by hand.", "suggestions"),
        count("requests", "Requests made to a model.", "requests"),
        count("sessions", "Sessions.", "sessions"),
        count("commits", "Commits.", "commits"),
        count("pull_requests", "Pull requests.", "pull requests"),
        count("conversations", "Conversations.", "conversations"),
        count("messages", "Messages.", "messages"),
        count("input_tokens", "Uncached input tokens.", "tokens"),
        count("output_tokens", "Output tokens.", "tokens"),
        count("cache_read_tokens", "Tokens read from cache.", "tokens"),
        count("cache_write_tokens", "Tokens written to cache.", "tokens"),
        usd("cost_usd", "Billed usage cost of the person's day; seats are not in it. NULL when nothing was billed."),
        usd("included_usd", "Value of included usage, not billed."),
        usd("list_usd", "Usage at list price, not billed."),
        boolean("is_active", "Whether the person used the platform at all.", nullable=False),
    ),
    key=("usage_date", "platform", "user_email"),
    date_column="usage_date",
)
vw_team_productivity = _mart(
    "vw_team_productivity",
    "What groups of people did in a week, without anybody's name. Groups of fewer than 3 active people are left out.",
    "one ISO week, platform and department",
    (
        date("week", "Monday of the week.", nullable=False),
        _PLATFORM,
        string("department", "Department; '(no department)' when nobody said.", nullable=False),
        count("people", "Distinct people who were active; at least 3.", "people", nullable=False),
        count("loc_accepted", "Suggested lines accepted.", "lines"),
        count("suggestions_decided", "Suggestions offered; where that is not counted, accepted plus rejected.", "suggestions"),
        count("suggestions_accepted", "Suggestions accepted, where `suggestions_decided` is known.", "suggestions"),
        count("requests", "Requests made to a model.", "requests"),
        count("sessions", "Sessions.", "sessions"),
        count("commits", "Commits.", "commits"),
        count("pull_requests", "Pull requests.", "pull requests"),
    ),
    key=("week", "platform", "department"),
    date_column="week",
)
vw_restatements = _mart(
    "vw_restatements",
    "What vendors changed after they first said it: when we learned it and by how much.",
    "one version after the first of a source, endpoint and UTC day",
    (
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("usage_date", "The UTC day restated.", nullable=False),
        integer("version_no", "2 for the first restatement.", nullable=False),
        timestamp("fetched_at", "When we learned it.", nullable=False),
        timestamp("previous_fetched_at", "When we had learned the version before.", nullable=False),
        string("state", "complete, or empty when the day was restated to nothing.", nullable=False),
        count("row_count", "Rows now.", "rows"),
        count("previous_row_count", "Rows before.", "rows"),
        usd("vendor_total_usd", "Billed USD now."),
        usd("previous_vendor_total_usd", "Billed USD before."),
        usd("change_usd", "Now minus before."),
        boolean("is_counted", "False where another endpoint's report of the same bill counts on that day.", nullable=False),
    ),
    key=("source", "endpoint", "usage_date", "version_no"),
    date_column="usage_date",
)
vw_data_health = _mart(
    "vw_data_health",
    "For each endpoint: which days we hold, which failed, which nobody asked for.",
    "one source and endpoint",
    (
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        date("first_day", "First UTC day asked.", nullable=False),
        date("last_day", "Last UTC day asked.", nullable=False),
        integer("days_expected", "Days between the two, inclusive; for snapshots the days on which one was taken.", nullable=False),
        integer("days_complete", "Days whose current version has rows.", nullable=False),
        integer("days_empty", "Days of which the source said that nothing happened.", nullable=False),
        integer("days_failed", "Days whose only attempts failed.", nullable=False),
        integer("days_missing", "Days never asked for.", nullable=False),
        timestamp("last_fetched_at", "Latest successful fetch."),
        count("row_count", "Rows of the current versions.", "rows"),
        count("rejected_rows", "Rejected records of the current versions.", "records"),
        usd("vendor_total_usd", "Billed USD of the current versions by the vendor's records."),
        integer("days_set_aside", "Days held that do not count, since another endpoint reports the same bill or usage.", nullable=False),
    ),
    key=("source", "endpoint"),
)
sheet_issues = _mart(
    "sheet_issues",
    "Rows of the sheet that could not be used, with the remedy. The other rows of the tab were used.",
    "one broken rule of one row of the current snapshot",
    (
        string("tab", "Sheet tab.", nullable=False),
        integer("sheet_row", "Row as a person counts it; the header is row 1.", nullable=False),
        string("column_name", "Column."),
        string("value", "What stands there."),
        string("reason", "What is wrong.", nullable=False),
        string("remedy", "What to write instead.", nullable=False),
        timestamp("seen_at", "When the tab was read.", nullable=False),
    ),
)

MARTS: tuple[Table, ...] = (
    vw_monthly_finance,
    vw_cost_allocation,
    vw_productivity_metrics,
    vw_team_productivity,
    vw_restatements,
    vw_data_health,
    sheet_issues,
)
