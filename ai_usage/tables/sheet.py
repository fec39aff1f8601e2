"""The sheet between raw and facts: which rows count, which are listed, what is converted.

Belongs here: the declarations of the models that `warehouse/sheet_models.py` writes and of those under `sql/staging` that read them. A row
of a tab has a business key; the order of rows decides nothing.
"""

from __future__ import annotations

from ai_usage.tables import tabs
from ai_usage.tables.raw import LINEAGE
from ai_usage.tables.schema import Table, boolean, date, email, integer, numeric, string, usd

_TAB = string("tab", "Sheet tab.", nullable=False)
RATE = numeric(
    "usd_rate", "US dollars for one unit of `currency` in the cost's month, from the tab fx_rates; NULL is written in US dollars."
)
# Tabs whose money belongs to one month: its column, and the column of the money.
MONTHS = {
    "invoices": ("invoice_month", "amount_usd"),
    "budgets": ("month", "budget_usd"),
    "adjustments": ("adjustment_date", "amount_usd"),
}


def _rows(table: Table) -> Table:
    tab = table.name.removeprefix("raw_sheet_")
    own = tuple(c for c in table.columns if c not in LINEAGE)
    return Table(
        name=f"stg_sheet_{tab}_rows",
        layer="staging",
        description=f"Rows of the sheet's tab `{tab}` that count: one for each business key; of a contradiction the value read last before it."
        + (
            " Money in another currency is converted by the rate of its month; without a rate the row is not here." if tab in MONTHS else ""
        ),
        grain="one business key of the tab",
        view=True,
        columns=(LINEAGE[0], *own, *((RATE,) if tab in MONTHS else ())),
    )


TABS = {t.name.removeprefix("raw_sheet_"): t for t in tabs.RAW}
ROWS = {tab: _rows(table) for tab, table in TABS.items()}

stg_sheet_repeats = Table(
    name="stg_sheet_repeats",
    layer="staging",
    description="Rows of the sheet that say again or otherwise what another row says; none of them counts.",
    grain="one row of a tab",
    key=("tab", "sheet_row"),
    view=True,
    columns=(
        _TAB,
        integer("sheet_row", "Row as a person counts it.", nullable=False),
        integer("other_row", "A row of the same business key: the one that counts, or one that contradicts.", nullable=False),
        boolean("is_disputed", "True where the rows contradict each other, so that neither is new.", nullable=False),
    ),
)
stg_sheet_unread = Table(
    name="stg_sheet_unread",
    layer="staging",
    description="Cells that could not be read and count as empty, of rows that count all the same.",
    grain="one cell",
    view=True,
    columns=(
        _TAB,
        integer("sheet_row", "Row as a person counts it.", nullable=False),
        string("column_name", "The column as the sheet heads it."),
        string("value", "What stands there."),
        string("reason", "What is wrong."),
        string("remedy", "What to write instead."),
    ),
)
stg_subscription_terms = Table(
    name="stg_subscription_terms",
    layer="staging",
    description="Subscriptions with the days for which each price holds: a later valid_from of the same seat ends the earlier row the day before.",
    grain="one row of the tab that counts",
    view=True,
    columns=(
        integer("sheet_row", "Row as a person counts it.", nullable=False),
        string("platform", "Platform.", nullable=False),
        email("email", "The person whose seat it is; NULL for a block."),
        integer("seats", "Seats bought; 1 for a person's seat.", nullable=False),
        usd("price_usd", "Price of one seat for one calendar month; NULL where it is written in another currency."),
        string("currency", "ISO code where that is not US dollars."),
        numeric("written_amount", "The price in that currency."),
        date("valid_from", "First UTC day paid.", nullable=False),
        date("valid_to", "Last UTC day paid.", nullable=False),
        integer("ended_by_row", "The row with a later valid_from, where it ends this one before the day that the sheet gives."),
    ),
)
stg_subscription_prices = Table(
    name="stg_subscription_prices",
    layer="staging",
    description="What a seat of each subscription costs in US dollars, and on which days: in another currency by the rate of each month that has one.",
    grain="one row of the tab that counts; in another currency one month of it",
    key=("sheet_row", "valid_from"),
    view=True,
    columns=(
        *(c for c in stg_subscription_terms.columns if c.name in {"sheet_row", "platform", "email", "seats"}),
        usd("price_usd", "Price of one seat for one calendar month.", nullable=False),
        *(c for c in stg_subscription_terms.columns if c.name in {"currency", "written_amount"}),
        RATE,
        date("valid_from", "First UTC day at this price.", nullable=False),
        date("valid_to", "Last UTC day at this price.", nullable=False),
    ),
)
stg_departments = Table(
    name="stg_departments",
    layer="staging",
    description="The one spelling of each department: the one that most rows of the tab people use, then the first in the alphabet.",
    grain="one department",
    key=("folded",),
    view=True,
    columns=(
        string("folded", "The name in lower case.", nullable=False),
        string("department", "The name as it is shown.", nullable=False),
    ),
)
stg_sheet_unmatched = Table(
    name="stg_sheet_unmatched",
    layer="staging",
    description="Names in the sheet that match nothing which is known, with the nearest name that is. The rows count.",
    grain="one cell",
    key=("tab", "sheet_row", "column_name"),
    view=True,
    columns=(
        _TAB,
        integer("sheet_row", "Row as a person counts it.", nullable=False),
        string("column_name", "Column.", nullable=False),
        string("value", "The name.", nullable=False),
        string("nearest", "The known name that shares most pairs of letters with it; NULL where none shares any."),
    ),
)
STAGING: tuple[Table, ...] = (
    *ROWS.values(),
    stg_sheet_repeats,
    stg_sheet_unread,
    stg_subscription_terms,
    stg_subscription_prices,
    stg_departments,
    stg_sheet_unmatched,
)
