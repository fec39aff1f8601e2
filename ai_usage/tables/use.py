"""The marts of use: what people did with the tools, alone and beside what it cost.

Belongs here: the declarations of views over days and months of people. Does not belong here: money alone (`marts.py`), how days and months are added
up (`totals.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Column, Personal, boolean, count, date, email, integer, string, usd
from ai_usage.tables.shape import DEPARTMENT, PLATFORM, USER, USER_KIND, mart

SEAT_STATES = ("used", "idle", "unheld", "unknown", "no_seat")
SAVINGS = ("unheld", "idle", "duplicate")
# What is counted and billed of a person's day on a platform, in a line of it or added up.
USE_AND_COST: tuple[Column, ...] = (
    integer(
        "active_days",
        "1 where a known person was active, else 0: the sum is person-days. NULL where the platform reports no activity.",
        unit="person-days",
    ),
    count("loc_added", "Lines added.", "lines"),
    count("loc_accepted", "Suggested lines accepted.", "lines"),
    count("suggestions_shown", "Suggestions offered.", "suggestions"),
    count("suggestions_accepted", "Suggestions accepted.", "suggestions"),
    count("suggestions_rejected", "Suggestions rejected by hand.", "suggestions"),
    count("requests", "Requests made to a model.", "requests"),
    count("sessions", "Sessions.", "sessions"),
    count("commits", "Commits made by the tool.", "commits"),
    count("pull_requests", "Pull requests opened by the tool.", "pull requests"),
    count("input_tokens", "Uncached input tokens.", "tokens"),
    count("output_tokens", "Output tokens.", "tokens"),
    count("cache_read_tokens", "Tokens read from cache.", "tokens"),
    count("cache_write_tokens", "Tokens written to cache.", "tokens"),
    count("total_tokens", "The four kinds together; NULL where none is known.", "tokens"),
    integer(
        "days_with_cost",
        "active_days, without Claude Code of people whom it bills nothing in the month: what stands against the platform's cost.",
        unit="person-days",
    ),
    count("lines_with_cost", "loc_accepted, without Claude Code of people whom it bills nothing in the month.", "lines"),
    count("commits_with_cost", "commits, without Claude Code of people whom it bills nothing in the month.", "commits"),
    count(
        "tokens_with_cost",
        "total_tokens, without Claude Code of people whom it bills nothing in the month and platforms that tell hardly any tokens in the month.",
        "tokens",
    ),
    count("cacheable_tokens", "Input side: uncached, read from and written to cache; NULL where cache reads are unknown.", "tokens"),
    usd("cost_usd", "Billed cost of every type; NULL when nothing was billed."),
    usd("gross_usd", "Gross cost, usage and seats: billed cost without credits, adjustments and tax, which unit costs are of."),
    usd("seat_usd", "The part of it that is seats."),
    usd("cost_with_days_usd", "Gross cost of platforms that report activity; NULL for the others."),
    usd("cost_with_lines_usd", "Gross cost of platforms that report accepted lines; NULL for the others."),
    usd("cost_with_commits_usd", "Gross cost of platforms that report commits; NULL for the others."),
    usd("cost_with_tokens_usd", "Gross cost of platforms that tell tokens on a tenth of the month's days or more; NULL for the others."),
)

vw_productivity_metrics = mart(
    "vw_productivity_metrics",
    "What each person did on each day with each platform, and what it cost.",
    "one UTC day, platform and person",
    (
        date("usage_date", "UTC day.", nullable=False),
        PLATFORM,
        DEPARTMENT,
        *USER,
        USER_KIND,
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
vw_team_productivity = mart(
    "vw_team_productivity",
    "What groups of people did in a week, without anybody's name. Departments of fewer than 3 active people stand together; fewer are left out.",
    "one ISO week, platform and department",
    (
        date("week", "Monday of the week.", nullable=False),
        PLATFORM,
        string(
            "department",
            "Department; '(no department)' when nobody said, '(small groups)' for all of fewer than 3 active people together.",
            nullable=False,
        ),
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
vw_team_coverage = mart(
    "vw_team_coverage",
    "How many of the people of a week stand in no row of vw_team_productivity.",
    "one ISO week and platform",
    (
        date("week", "Monday of the week.", nullable=False),
        PLATFORM,
        count("people", "Distinct people who were active.", "people", nullable=False),
        count("people_left_out", "Those of them whose group is too small to be shown.", "people", nullable=False),
    ),
    key=("week", "platform"),
    date_column="week",
)
vw_use_and_cost = mart(
    "vw_use_and_cost",
    "What was done and what was billed, side by side and not added up: a row for a person's day on a platform, a row for a row of the books.",
    "one row of agg_person_days or of vw_cost_booked",
    (
        date("usage_date", "UTC day.", nullable=False),
        PLATFORM,
        DEPARTMENT,
        *USER,
        USER_KIND,
        boolean("is_active", "Whether the row is a day on which the platform was used at all.", nullable=False),
        *USE_AND_COST,
    ),
    date_column="usage_date",
    do_not="count its rows: a person's day is a row of use and rows of cost.",
)
vw_platform_roi = mart(
    "vw_platform_roi",
    "What each person's day on a platform cost in all, seats included, beside what came of it. For ratios of sums; each is an allocation.",
    "one UTC day, platform, department and person",
    (
        date("usage_date", "UTC day.", nullable=False),
        PLATFORM,
        DEPARTMENT,
        *USER,
        USER_KIND,
        boolean("is_active", "Whether the person used the platform at all.", nullable=False),
        *USE_AND_COST,
    ),
    key=("usage_date", "platform", "department", "user_email"),
    date_column="usage_date",
    do_not="average ratios: divide sums.",
)
vw_adoption = mart(
    "vw_adoption",
    "Seats against use: who held a paid seat in a month, and whether they used it.",
    "one month, platform and person",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        string(
            "department", "Department on the last day of the month with cost or use; '(no department)' when nobody said.", nullable=False
        ),
        *USER,
        USER_KIND,
        string(
            "seat_state",
            "used; idle: held and not used in the month; unheld: paid and held by nobody; unknown: the platform reports no activity; no_seat.",
            nullable=False,
            allowed=SEAT_STATES,
        ),
        integer(
            "accounts", "Accounts that hold these seats at the end of the month; NULL without a seat, or held by nobody.", unit="accounts"
        ),
        usd("seat_usd", "Seats paid in the month; NULL without a seat."),
        usd("idle_usd", "The part of it that is idle or unheld; NULL without a seat, or where use is unknown."),
        usd("cost_usd", "Billed cost of every type; NULL when nothing was billed."),
        integer("active_days", "Days with activity in the month; NULL where the platform reports no activity.", unit="days"),
        date("last_active_date", "Last day with activity up to the end of the month; NULL is never."),
    ),
    key=("month", "platform", "user_email"),
    date_column="month",
)
vw_seats = mart(
    "vw_seats",
    "Seats that accounts hold at the vendor, by the person behind them, on the last day of the month that is held.",
    "one month, platform and person",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        DEPARTMENT,
        email("user_email", "Canonical e-mail.", nullable=False),
        integer("accounts", "Accounts of this person, each of which takes a seat.", unit="accounts", nullable=False),
        string(
            "account_names",
            "Their addresses as the vendor has them, in order of the alphabet.",
            nullable=False,
            personal=Personal.ADDRESSES,
        ),
        integer("extra_accounts", "Accounts beyond the first.", unit="accounts", nullable=False),
        usd("extra_yearly_usd", "What the accounts beyond the first cost in a year; NULL where the sheet has no block of seats."),
    ),
    key=("month", "platform", "user_email"),
    date_column="month",
)
vw_savings = mart(
    "vw_savings",
    "What could be saved, with its evidence: unheld and idle seats, and accounts of one person beyond the first. Nothing that needs an assumption.",
    "one month that has passed, platform and person",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        string(
            "department", "Department on the last day of the month with cost or use; '(no department)' when nobody said.", nullable=False
        ),
        *USER[:1],
        string(
            "saving",
            "unheld: paid and held by nobody; idle: held and not used in the month; duplicate: accounts of one person beyond the first.",
            nullable=False,
            allowed=SAVINGS,
        ),
        usd("monthly_usd", "What it costs in the month.", nullable=False),
        usd("yearly_usd", "The same for twelve months.", nullable=False),
        string("evidence", "What shows it.", nullable=False),
        string("what_to_do", "What somebody can do.", nullable=False),
    ),
    key=("month", "platform", "user_email"),
    date_column="month",
    do_not="add up over months: the same seat stands in each.",
)
vw_weekly_adoption = mart(
    "vw_weekly_adoption",
    "Who used which platform in which week. A row is one active person: people of a week and platform are added up.",
    "one ISO week, platform and person",
    (
        date("week", "Monday of the week.", nullable=False),
        PLATFORM,
        string("department", "Department on the week's last active day; '(no department)' when nobody said.", nullable=False),
        *USER,
        integer("people", "1: the sum over a week and platform is its active people.", unit="people", nullable=False),
        integer("active_days", "Days with activity in the week.", unit="days", nullable=False),
    ),
    key=("week", "platform", "user_email"),
    date_column="week",
    do_not="add people up over weeks or platforms: count `user_email` distinct.",
)
vw_model_mix = mart(
    "vw_model_mix",
    "Which models are used, and what their usage was billed. Seats are not in it.",
    "one UTC day, platform, department and model",
    (
        date("usage_date", "UTC day.", nullable=False),
        PLATFORM,
        DEPARTMENT,
        string("model", "Model; '(no model)' where the vendor names none.", nullable=False),
        count("requests", "Requests.", "requests"),
        count("total_tokens", "Input, output, cache reads and cache writes; NULL where none is known.", "tokens"),
        usd("cost_usd", "Billed usage cost; NULL when nothing was billed."),
    ),
    key=("usage_date", "platform", "department", "model"),
    date_column="usage_date",
)

MARTS = (
    vw_productivity_metrics,
    vw_team_productivity,
    vw_use_and_cost,
    vw_platform_roi,
    vw_adoption,
    vw_seats,
    vw_savings,
    vw_weekly_adoption,
    vw_team_coverage,
    vw_model_mix,
)
