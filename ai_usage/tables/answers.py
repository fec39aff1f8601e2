"""The marts that answer: why cost changed, and whether a budget lasts. Each row is a part of an answer and no fact of its own.

Belongs here: declarations of views that reason over facts. Does not belong here: sums of facts (`marts.py`, `use.py`), money as it is booked (`books.py`).
"""

from __future__ import annotations

from ai_usage.tables.marts import BUDGET_SCOPES
from ai_usage.tables.schema import Table, date, string, usd
from ai_usage.tables.shape import PLATFORM, USER, mart

BUDGET_STATES = ("over", "will_be_over", "within", "unknown")
DRIVERS = (
    "before", "joined", "left", "moved", "seats", "seat_price", "active_days", "requests", "tokens", "model_mix", "plan_cover", "price", "uncounted",
    "credits", "not_explained",
)  # fmt: skip

vw_change_drivers = mart(
    "vw_change_drivers",
    "Why cost changed from the month before: what it was, and the parts of the change, which sum to it exactly.",
    "one month, department, platform, person and driver",
    (
        date("month", "First day of the month that is explained.", nullable=False),
        date("earlier_from", "First UTC day of the earlier period.", nullable=False),
        date("earlier_to", "Its last; of a month that still runs the same day of the month before.", nullable=False),
        date("later_from", "First UTC day of the later period.", nullable=False),
        date("later_to", "Its last.", nullable=False),
        string("department", "Department on the day of the cost; '(no department)' when nobody said.", nullable=False),
        PLATFORM,
        *USER,
        string(
            "driver", "before: the cost of the earlier period. Every other is a part of the change; see decision 0041.", nullable=False, allowed=DRIVERS
        ),
        usd("amount_usd", "All rows sum to the later period's billed cost, all but `before` to the change. Parts of 0 have no row.", nullable=False),
    ),
    key=("month", "department", "platform", "user_email", "driver"),
    date_column="month",
    do_not="add up over months: a month that still runs stands beside the same days of the one before.",
)  # fmt: skip
vw_budgets = mart(
    "vw_budgets",
    "Each budget in money: spent, left, the pace, where it ends, and the day on which it is or will be exceeded.",
    "one month, scope, department and platform of a budget that somebody set",
    (
        date("month", "First day of the month.", nullable=False),
        string("budget_scope", "What the budget speaks for.", nullable=False, allowed=BUDGET_SCOPES),
        string("department", "Department; '(all)' where the scope names none.", nullable=False),
        string("platform", "Platform; '(all)' where the scope names none.", nullable=False),
        usd("budget_usd", "Budget of the whole month.", nullable=False),
        usd("spent_usd", "Billed cost of the scope in the month so far; NULL while no cost is any department's."),
        usd("left_usd", "Budget minus spent; negative is overspent."),
        usd("planned_usd", "The part of the budget that is for the days that have passed.", nullable=False),
        usd("projected_usd", "Where the month ends: spent of a month that has passed; NULL of one that has not begun."),
        string(
            "projected_by", "forecast: as vw_forecast. pace: spent so far, times the days of the month over those that passed. spent: neither.",
            nullable=False, allowed=("forecast", "pace", "spent"),
        ),
        date("over_on", "The UTC day on which it was exceeded, or will be by the projection; NULL where it lasts."),
        string("budget_state", "Whether it lasts.", nullable=False, allowed=BUDGET_STATES),
        usd("children_usd", "The greater sum of the budgets that it is over: those of departments or of platforms; NULL where there are none."),
        usd("children_above_usd", "By how much they exceed it; NULL where they do not."),
    ),
    key=("month", "budget_scope", "department", "platform"),
    date_column="month",
    do_not="add up over scopes: they overlap.",
)  # fmt: skip
vw_headlines = mart(
    "vw_headlines",
    "What each dashboard says first: one sentence made of its figures, for the whole company and the latest month with data.",
    "one dashboard",
    (
        string("dashboard", "The dashboard that it heads.", nullable=False),
        date("month", "First day of the month that it speaks of; NULL while no cost is on record."),
        string("sentence", "The sentence, and behind it each source that has not told what is due.", nullable=False),
    ),
    key=("dashboard",),
)
MARTS: tuple[Table, ...] = (vw_change_drivers, vw_budgets, vw_headlines)
