"""The books: which months finance has closed, what they held then, and what was learned since.

Belongs here: the ledger of closings, the frozen rows, the corrections that open months carry for closed ones, and the views of all that. Does not
belong here: facts as the vendors tell them (`curated.py`).
"""

from __future__ import annotations

from ai_usage.tables import curated, staging
from ai_usage.tables.schema import Column, Table, boolean, count, date, email, integer, string, timestamp, usd

ACTIONS = ("close", "reopen", "rewrite")
_CLOSING = string("closing_id", "The closing that froze the row.", nullable=False)
# Money as it is booked: the fact's own dimensions, and whose cost it was on that day.
BOOKED: tuple[Column, ...] = (
    date("booked_on", "UTC day that books it: its own day; for a correction the first day of the month that carries it.", nullable=False),
    date("cost_date", "UTC day on which the vendor charged it.", nullable=False),
    *(c for c in curated.fct_cost_daily.columns if c.name not in ("cost_date", "settle_state", "source", "processed_at")),
    string("department", "Department on that day; NULL is unknown."),
    string("cost_center", "Cost center on that day."),
    string("source", "The staging model that the row came through.", nullable=False),
    boolean("is_correction", "Whether it corrects a month that was closed before.", nullable=False),
)

month_closings = Table(
    name="month_closings",
    layer="books",
    description="What finance decided about each month, in order: closed, reopened, rewritten. Rows are only ever added; the latest of a month counts.",
    grain="one decision about one month",
    key=("closing_id", "action", "decided_at"),
    columns=(
        date("month", "First day of the month.", nullable=False),
        string("action", "What was decided. rewrite: a person's data was removed, and the money is the same.", nullable=False, allowed=ACTIONS),
        string("closing_id", "The closing; a reopening names the one that it ends.", nullable=False),
        timestamp("decided_at", "When.", nullable=False),
        string("author", "Who decided.", nullable=False),
        string("reason", "Why; required to reopen."),
        timestamp("as_of", "What the platform had fetched by then is what the month was closed on.", nullable=False),
        count("row_count", "Frozen rows.", "rows", nullable=False),
        usd("cost_usd", "What was booked to the month.", nullable=False),
        string("sha256", "Hash over the frozen rows and the lines of invoices, hexadecimal.", nullable=False),
        string("version", "Version of this platform.", nullable=False),
        string("accepted", "What the month was closed without, in words: days that could not be read, records of unknown money. NULL is nothing."),
    ),
)  # fmt: skip
closed_cost = Table(
    name="closed_cost",
    layer="books",
    description="The rows of closed months as they were booked. Rows of a closing that `month_closings` does not name were never closed.",
    grain="one row of a closed month",
    date_column="booked_on",
    cluster_by=("platform", "user_email"),
    columns=(_CLOSING, *BOOKED),
    do_not="add it to `fct_cost_daily`: `vw_cost_booked` puts the two together.",
)
closed_invoices = Table(
    name="closed_invoices",
    layer="books",
    description="What received invoices said beyond the lines of a month when it was closed, 0 included. Rows of a closing that `month_closings` "
    "does not name were never closed.",
    grain="one platform and corrected month of a closing",
    key=("closing_id", "platform", "corrects_month"),
    columns=(
        _CLOSING,
        date("month", "First day of the month that was closed.", nullable=False),
        date("corrects_month", "First day of the month that the line is of, closed before; NULL is the month itself."),
        string("platform", "Platform.", nullable=False),
        string("vendor", "Who sends the invoice.", nullable=False),
        usd("booked_usd", "The line, in whole cents.", nullable=False),
    ),
)
stg_closed_months = Table(
    name="stg_closed_months",
    layer="staging",
    description="Months that are closed now.",
    grain="one closed month",
    key=("month",),
    view=True,
    columns=(
        date("month", "First day of the month.", nullable=False),
        _CLOSING,
        timestamp("closed_at", "When it was closed.", nullable=False),
        timestamp("as_of", "What had been fetched by then is what it was closed on.", nullable=False),
        string("author", "Who closed it.", nullable=False),
        count("row_count", "Frozen rows.", "rows", nullable=False),
        usd("cost_usd", "What was booked to the month.", nullable=False),
        string("sha256", "Hash over the frozen rows.", nullable=False),
    ),
)
stg_closing_fetches = Table(
    name="stg_closing_fetches",
    layer="staging",
    description="Versions that counted when a month was closed that is closed now: cleaning leaves them where they are.",
    grain="one version",
    key=("version_fetch_id",),
    view=True,
    columns=(string("version_fetch_id", "The fetch whose rows hold the content.", nullable=False),),
)
fct_cost_corrections = Table(
    name="fct_cost_corrections",
    layer="curated",
    description="What the facts of closed months' days say today beyond what has been booked for them: booked to the first open month.",
    grain="the grain of fct_cost_daily",
    key=curated.fct_cost_daily.key,
    date_column="cost_date",
    cluster_by=("platform", "user_email"),
    columns=curated.fct_cost_daily.columns,
    do_not="add it to `fct_cost_daily`: it is a difference of it.",
)

vw_cost_booked = Table(
    name="vw_cost_booked",
    layer="mart",
    description="Money as finance books it: closed months as they were closed, open ones as the facts say, and corrections of closed months in the first open one.",
    grain="one row of the facts, of a closed month, or of a correction",
    view=True,
    columns=(
        *BOOKED[:1],
        date("booked_month", "First day of the month that books it.", nullable=False),
        *BOOKED[1:-2],
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=staging.SETTLE_STATES),
        *BOOKED[-2:],
        string("note", "What a correction corrects."),
    ),
    date_column="booked_on",
)
vw_month_close = Table(
    name="vw_month_close",
    layer="mart",
    description="Each month on the books: open or closed, by whom, what was booked to it, and what came in for it later.",
    grain="one month",
    view=True,
    columns=(
        date("month", "First day of the month.", nullable=False),
        string(
            "settle_state", "The least final state of the month's cost; closed by finance.", nullable=False, allowed=staging.SETTLE_STATES
        ),
        usd("booked_usd", "What is booked to the month.", nullable=False),
        usd("corrections_usd", "The part of it that corrects months closed before.", nullable=False),
        usd("learned_later_usd", "What came in for this month after it was closed; booked to later months.", nullable=False),
        timestamp("closed_at", "When it was closed; NULL while it is open."),
        string("closed_by", "Who closed it."),
        string("sha256", "Hash over its frozen rows."),
        count("reopened", "How often it was reopened.", "times", nullable=False),
    ),
    key=("month",),
    date_column="month",
)
vw_adjustments = Table(
    name="vw_adjustments",
    layer="mart",
    description="What finance books by hand: each row of the sheet's tab with its author and its reason.",
    grain="one row of the tab",
    view=True,
    columns=(
        integer("sheet_row", "Row number that a person sees.", nullable=False),
        date("adjustment_date", "UTC day that it belongs to.", nullable=False),
        date("month", "First day of its month.", nullable=False),
        string("platform", "Platform.", nullable=False),
        string("cost_type", "Kind of charge.", nullable=False, allowed=("adjustment", "credit", "tax")),
        email("user_email", "Whose cost it is; '(unattributed)' when nobody's.", nullable=False),
        usd("amount_usd", "Added to the cost.", nullable=False),
        string("author", "Who decided it.", nullable=False),
        string("reason", "Why.", nullable=False),
    ),
    key=("sheet_row",),
    date_column="adjustment_date",
)

BOOKS: tuple[Table, ...] = (month_closings, closed_cost, closed_invoices)
STAGING: tuple[Table, ...] = (stg_closed_months, stg_closing_fetches)
