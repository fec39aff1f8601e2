"""The marts that answer: why cost changed. Each row is a part of an answer and no fact of its own.

Belongs here: declarations of views that reason over facts. Does not belong here: sums of facts (`marts.py`, `use.py`), money as it is booked (`books.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Table, date, string, usd
from ai_usage.tables.shape import PLATFORM, USER, mart

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
MARTS: tuple[Table, ...] = (vw_change_drivers,)
