"""Stored totals: facts added up once, by person and day, week and month, by day, and by what finance books to a month.

Belongs here: the declarations. They hold nothing that facts do not, and `ai_usage/transform/totals.py` says when they are written.
"""

from __future__ import annotations

from ai_usage.tables import staging
from ai_usage.tables.schema import Table, boolean, date, email, integer, string, timestamp, usd

_PLATFORM = string("platform", "Platform.", nullable=False)
_USER = email("user_email", "The person's canonical e-mail; NULL is nobody known.")
_PROCESSED_AT = timestamp("processed_at", "When the row was computed.", nullable=False)
_MONTH = date("month", "First day of the month.", nullable=False)

stg_cost_basis = Table(
    name="stg_cost_basis",
    layer="staging",
    description="The state of departments and closed months, which decide beside the facts how cost is booked, as one hash.",
    grain="one row",
    view=True,
    columns=(string("basis", "SHA-256 over `dim_user_assignments` and the closed months, hexadecimal.", nullable=False),),
)
agg_person_days = Table(
    name="agg_person_days",
    layer="curated",
    description="What each person did on a platform in a day, over keys, workspaces and models.",
    grain="one UTC day, platform and person",
    key=("usage_date", "platform", "user_email"),
    date_column="usage_date",
    cluster_by=("platform", "user_email"),
    columns=(
        date("usage_date", "UTC day.", nullable=False),
        _PLATFORM,
        _USER,
        boolean("is_active", "Whether the platform was used at all.", nullable=False),
        boolean("has_activity", "Whether the platform tells anything about activity, if only that there was none.", nullable=False),
        *staging.USAGE_MEASURES,
        _PROCESSED_AT,
    ),
)
agg_person_months = Table(
    name="agg_person_months",
    layer="curated",
    description="On how many days each person was active on a platform in a month, and what the platform told about those days at all.",
    grain="one month, platform and person",
    key=("month", "platform", "user_email"),
    date_column="month",
    cluster_by=("platform", "user_email"),
    columns=(
        _MONTH,
        _PLATFORM,
        _USER,
        integer("active_days", "Days with activity.", unit="days", nullable=False, minimum=0),
        date("last_active_date", "The last of them; NULL is none."),
        date("last_day", "The last UTC day that is told at all.", nullable=False),
        integer("days_with_activity", "Days whose activity is told, if only as none.", unit="days", nullable=False, minimum=0),
        integer("days_with_lines", "Days whose accepted lines are told.", unit="days", nullable=False, minimum=0),
        integer("days_with_commits", "Days whose commits are told.", unit="days", nullable=False, minimum=0),
        integer("days_with_tokens", "Days whose output tokens are told.", unit="days", nullable=False, minimum=0),
        _PROCESSED_AT,
    ),
)
agg_person_weeks = Table(
    name="agg_person_weeks",
    layer="curated",
    description="Who was active on a platform in an ISO week.",
    grain="one week, platform and person",
    key=("week", "platform", "user_email"),
    date_column="week",
    cluster_by=("platform", "user_email"),
    columns=(
        date("week", "Monday of the week.", nullable=False),
        _PLATFORM,
        email("user_email", "The person's canonical e-mail.", nullable=False),
        integer("active_days", "Days with activity.", unit="days", nullable=False, minimum=1),
        date("last_active_date", "The last of them.", nullable=False),
        _PROCESSED_AT,
    ),
)
agg_cost_days = Table(
    name="agg_cost_days",
    layer="curated",
    description="Billed cost per day over people, keys and models, as the vendors tell it.",
    grain="one UTC day, platform, vendor, cost type, attribution, settle state, source and timing",
    key=("cost_date", "platform", "vendor", "cost_type", "attribution", "settle_state", "source", "timing"),
    date_column="cost_date",
    cluster_by=("platform",),
    columns=(
        date("cost_date", "UTC day.", nullable=False),
        _PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        string("cost_type", "What kind of charge.", nullable=False, allowed=staging.COST_TYPES),
        string("attribution", "How the cost found its owner.", nullable=False, allowed=staging.ATTRIBUTIONS),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=staging.SETTLE_STATES),
        string("source", "The staging model that the cost came through.", nullable=False),
        usd("cost_usd", "Billed money only.", nullable=False),
        _PROCESSED_AT,
        string("timing", "Whether it was charged on its day or is spread over a range of days; NULL is day.", allowed=staging.TIMINGS),
    ),
    do_not="add it to `fct_cost_daily`: it is the same money.",
)
agg_cost_months = Table(
    name="agg_cost_months",
    layer="curated",
    description="What is booked to each month, by person and department as of each day: `vw_cost_booked` by month.",
    grain="one month, platform, vendor, department, cost center, person, cost type, attribution, settle state and corrected month",
    key=(
        "month", "platform", "vendor", "department", "cost_center", "user_email", "cost_type", "attribution", "settle_state", "corrects_month",
    ),
    date_column="month",
    cluster_by=("platform", "user_email"),
    columns=(
        _MONTH,
        _PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        string("department", "Department on the day of the cost; NULL is unknown."),
        string("cost_center", "Cost center on that day."),
        _USER,
        string("cost_type", "What kind of charge.", nullable=False, allowed=staging.COST_TYPES),
        string("attribution", "How the cost found its owner.", nullable=False, allowed=staging.ATTRIBUTIONS),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=staging.SETTLE_STATES),
        date("corrects_month", "First day of the closed month that the row corrects; NULL for the month's own cost."),
        date("first_day", "The first UTC day that is booked so.", nullable=False),
        date("last_day", "The last one.", nullable=False),
        usd("cost_usd", "Billed money only.", nullable=False),
        string("basis", "The state of departments and closed months that the row was made from: `stg_cost_basis`.", nullable=False),
        _PROCESSED_AT,
    ),
    do_not="add it to `fct_cost_daily`: it is the same money.",
)  # fmt: skip

CURATED = (agg_person_days, agg_person_weeks, agg_person_months, agg_cost_days, agg_cost_months)
