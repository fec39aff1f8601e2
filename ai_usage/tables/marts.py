"""The marts: what people and dashboards read. Views, so that they are never older than the facts.

Belongs here: one declaration for each `vw_*`. Names for nobody ("(unattributed)", "(no department)") appear in marts
only: below them unknown is NULL.
"""

from __future__ import annotations

from ai_usage.tables import use
from ai_usage.tables.books import vw_adjustments, vw_cost_booked, vw_month_close
from ai_usage.tables.focus import vw_focus
from ai_usage.tables.schema import Table, boolean, count, date, integer, numeric, string, timestamp, usd
from ai_usage.tables.shape import DEPARTMENT, PLATFORM, USER, USER_KIND, mart
from ai_usage.tables.staging import ATTRIBUTIONS, COST_TYPES, SETTLE_STATES, TIMINGS

BUDGET_SCOPES = ("company", "department", "platform", "department_platform")
RECONCILIATION_REASONS = (
    "agrees", "no_invoice", "not_held", "priority_tier", "tax", "credit", "seats", "timing", "rounding", "unknown",
)  # fmt: skip

vw_monthly_finance = mart(
    "vw_monthly_finance",
    "Billed cost per month, for the books.",
    "one month, platform, department, cost center, cost type and settle state",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        DEPARTMENT,
        string("cost_center", "Cost center on that day."),
        string("cost_type", "Kind of charge.", nullable=False, allowed=COST_TYPES),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=SETTLE_STATES),
        usd("cost_usd", "Billed cost.", nullable=False),
    ),
    key=("month", "platform", "vendor", "department", "cost_center", "cost_type", "settle_state"),
    date_column="month",
)
vw_chargeback = mart(
    "vw_chargeback",
    "The lines to book for a month, by cost center and person. Names, meaning and order of its columns change only with a new version.",
    "one month, cost center, department, person, platform, vendor, cost type and corrected month",
    (
        date("month", "First day of the month.", nullable=False),
        string("cost_center", "Cost center on the day of the cost; NULL when nobody said."),
        string("department", "Department on the day of the cost; '(no department)' when nobody said.", nullable=False),
        *USER,
        PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        string(
            "cost_type", "Kind of charge; invoice_difference: what a received invoice says beyond the lines booked for its month.", nullable=False,
            allowed=(*COST_TYPES, "invoice_difference"),
        ),
        string("settle_state", "The least final state in the line; open until the month has ended.", nullable=False, allowed=SETTLE_STATES),
        date("corrects_month", "First day of the closed month that the line corrects; NULL for the month's own cost."),
        usd("cost_usd", "Billed cost; 0 on the line of an invoice's difference.", nullable=False),
        usd("booked_usd", "The amount to book, in whole cents. A vendor's lines of a month sum to its cost in cents, or to its invoices.", nullable=False),
    ),
    key=("month", "cost_center", "department", "user_email", "platform", "vendor", "cost_type", "corrects_month"),
    date_column="month",
    tags={"columns_version": "2"},
)  # fmt: skip
vw_cost_allocation = mart(
    "vw_cost_allocation",
    "Billed cost per day with person and department as of that day, as it stands in the books.",
    "one line of vw_cost_booked",
    (
        date("cost_date", "UTC day.", nullable=False),
        PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        DEPARTMENT,
        string("cost_center", "Cost center on that day."),
        *USER,
        USER_KIND,
        string("model", "Model."),
        string("cost_type", "Kind of charge.", nullable=False, allowed=COST_TYPES),
        string("attribution", "How the cost found its owner.", nullable=False, allowed=ATTRIBUTIONS),
        string("timing", "Charged on its day, or spread over the days of a range that was billed as one.", nullable=False, allowed=TIMINGS),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=SETTLE_STATES),
        date("corrects_month", "First day of the closed month that the row corrects; NULL for the month's own cost."),
        usd("cost_usd", "Billed cost.", nullable=False),
    ),
    date_column="cost_date",
)
vw_cost_months = mart(
    "vw_cost_months",
    "Billed cost per month with person and department as of each day, as it stands in the books: `vw_cost_allocation` by month.",
    "one month, platform, vendor, department, cost center, person, cost type, attribution, settle state and corrected month",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        string("vendor", "Who sends the invoice.", nullable=False),
        DEPARTMENT,
        string("cost_center", "Cost center on the day of the cost; NULL when nobody said."),
        *USER,
        string("cost_type", "Kind of charge.", nullable=False, allowed=COST_TYPES),
        string("attribution", "How the cost found its owner.", nullable=False, allowed=ATTRIBUTIONS),
        string("settle_state", "Whether the figure may still move.", nullable=False, allowed=SETTLE_STATES),
        date("corrects_month", "First day of the closed month that the row corrects; NULL for the month's own cost."),
        date("first_day", "The first UTC day of the month with such cost.", nullable=False),
        date("last_day", "The last one.", nullable=False),
        usd("cost_usd", "Billed cost.", nullable=False),
    ),
    date_column="month",
)
vw_restatements = mart(
    "vw_restatements",
    "What changed after a vendor first said it: when we learned it, by how much, and whether the vendor changed or the rule that reads it.",
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
        string(
            "changed_by",
            "vendor: it sent other records. rule: the same records, read by another rule. vendor and rule: both may have changed.",
            nullable=False,
        ),
        boolean("is_counted", "False where another endpoint's report of the same bill counts on that day.", nullable=False),
    ),
    key=("source", "endpoint", "usage_date", "version_no"),
    date_column="usage_date",
)
vw_data_health = mart(
    "vw_data_health",
    "For each endpoint: which days we hold, which failed, which nobody asked for.",
    "one source and endpoint",
    (
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint.", nullable=False),
        boolean("is_daily", "True where the endpoint is asked about days; false for snapshots.", nullable=False),
        date("first_day", "First UTC day asked.", nullable=False),
        date("last_day", "Last UTC day asked.", nullable=False),
        integer("days_expected", "Days between the two, inclusive; for snapshots the days on which one was taken.", nullable=False),
        integer("days_complete", "Days whose current version has rows.", nullable=False),
        integer("days_empty", "Days of which the source said that nothing happened.", nullable=False),
        integer("days_failed", "Days whose only attempts failed.", nullable=False),
        integer("days_refused", "Days that the vendor did not let this key read, and that are not held.", nullable=False),
        integer("days_missing", "Days never asked for.", nullable=False),
        timestamp("last_fetched_at", "Latest successful fetch."),
        count("row_count", "Rows of the current versions.", "rows"),
        count("rejected_rows", "Rejected records of the current versions.", "records"),
        usd("vendor_total_usd", "Billed USD of the current versions by the vendor's records."),
        integer("days_set_aside", "Days held that do not count, since another endpoint reports the same bill or usage.", nullable=False),
        string(
            "state",
            "read, late, missing, refused or failed, as `vw_sources` judges it; NULL where nothing is expected: files, and sources that are off.",
            allowed=("read", "late", "missing", "refused", "failed"),
        ),
        string("reason", "What the last failure said; NULL where there is none."),
    ),
    key=("source", "endpoint"),
)
vw_identity_issues = mart(
    "vw_identity_issues",
    "What of the sheet leaves open who is meant, with the remedy: names of several keys and addresses of two people; and addresses that look like a "
    "machine's and count as people.",
    "one doubt of one row of the current snapshot",
    (
        string("tab", "Sheet tab.", nullable=False),
        integer("sheet_row", "Row as a person counts it; the header is row 1. NULL for an address that has none."),
        string("column_name", "Column."),
        string("value", "What stands there."),
        string("reason", "What is open.", nullable=False),
        string("remedy", "What to write instead.", nullable=False),
        timestamp("seen_at", "When it was read.", nullable=False),
    ),
)
sheet_issues = mart(
    "sheet_issues",
    "What the owner of the sheet should look at: rows that are not used, and rows that are and say something doubtful or leave open who is meant, with the "
    "remedy.",
    "one remark on one row of the current snapshot",
    (
        string("tab", "Sheet tab.", nullable=False),
        integer("sheet_row", "Row as a person counts it; the header is row 1.", nullable=False),
        string("column_name", "Column."),
        string("value", "What stands there."),
        string("reason", "What is wrong.", nullable=False),
        string("remedy", "What to write instead.", nullable=False),
        boolean(
            "is_used", "Whether the row counts all the same. A subscription without a rate counts in its other months.", nullable=False
        ),
        timestamp("seen_at", "When the tab was read.", nullable=False),
    ),
)

vw_currency_conversions = mart(
    "vw_currency_conversions",
    "Money of the sheet that is written in another currency: the amount as written, the rate of its month and what it makes in US dollars.",
    "one row of a tab and one month",
    (
        string("tab", "Sheet tab.", nullable=False),
        integer("sheet_row", "Row as a person counts it.", nullable=False),
        date("month", "First day of the month whose rate is used.", nullable=False),
        string("currency", "ISO code.", nullable=False),
        numeric("written_amount", "The amount in that currency; of a subscription one seat's price for a month.", nullable=False),
        numeric("usd_rate", "US dollars for one unit of the currency, from the tab fx_rates.", nullable=False),
        usd("amount_usd", "What it makes in US dollars.", nullable=False),
    ),
    do_not="sum prices of seats with amounts: this view says what was converted, not what was spent.",
)

vw_budget_variance = mart(
    "vw_budget_variance",
    "Budgets of the sheet against billed cost, in the scope in which each budget was given.",
    "one month, scope, department and platform",
    (
        date("month", "First day of the month.", nullable=False),
        string("budget_scope", "What the budget speaks for.", nullable=False, allowed=BUDGET_SCOPES),
        string("department", "Department; '(all)' where the scope names none.", nullable=False),
        string("platform", "Platform; '(all)' where the scope names none.", nullable=False),
        usd("budget_usd", "Budget of the whole month; NULL when nobody set one."),
        usd("cost_usd", "Billed cost of the scope in the month so far.", nullable=False),
        usd("cost_with_budget_usd", "The same where there is a budget, for ratios of sums; NULL elsewhere."),
        usd("variance_usd", "Budget minus cost: what is left; negative is overspent."),
    ),
    key=("month", "budget_scope", "department", "platform"),
    date_column="month",
    do_not="add up over scopes: they overlap.",
)
vw_forecast = mart(
    "vw_forecast",
    "Where the latest month with data will end: spent, known fees ahead, expected usage ahead, and a range.",
    "one level, platform and UTC day of the latest month with data",
    (
        string(
            "level",
            "company: all platforms in one row a day; platform: one row a platform and day.",
            nullable=False,
            allowed=("company", "platform"),
        ),
        string("platform", "Platform; '(all)' at company level.", nullable=False),
        date("cost_date", "UTC day, up to the end of the month.", nullable=False),
        date("month", "First day of the month.", nullable=False),
        date("as_of_date", "Last ended day with usage: the forecast begins after it.", nullable=False),
        usd("spent_usd", "Billed on that day; NULL ahead."),
        usd("moving_usd", "The part of it that the vendor may still change; NULL ahead."),
        usd("fee_usd", "Seats and flat fees of a day ahead, known from the sheet; NULL up to as_of_date."),
        usd("expected_usd", "Usage expected on a day ahead; NULL up to as_of_date."),
        usd("projected_usd", "Running total from the first of the month: spent, fees and expected usage.", nullable=False),
        usd("low_usd", "Running total at the low end of the range (8 of 10 outcomes lie inside); NULL when too few past forecasts exist."),
        usd("high_usd", "Running total at the high end of the range."),
        integer("past_forecasts", "Past forecasts that the range rests on; NULL up to as_of_date and where there is no range."),
        usd("budget_usd", "Budget of the whole month for this level; NULL when nobody set one."),
    ),
    key=("level", "platform", "cost_date"),
    date_column="cost_date",
    do_not="add up projected_usd, low_usd, high_usd or budget_usd over days, or anything over both levels.",
)
vw_reconciliation = mart(
    "vw_reconciliation",
    "Does it match the invoice: the vendor's API, the warehouse and the invoice of each month, and why they differ.",
    "one month and platform",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        string("settle_state", "The least final state of the month's cost.", nullable=False, allowed=SETTLE_STATES),
        usd("vendor_usd", "Billed usage by the vendor's own records, current versions; NULL where no API gives it."),
        usd("priced_usd", "Tokens times list price, for models with a known price; NULL where none is known."),
        usd("warehouse_usd", "Billed cost in fct_cost_daily; NULL when nothing is held."),
        usd("vendor_difference_usd", "Warehouse usage minus the vendor's records: 0 by conservation; NULL where no API gives it."),
        usd("invoice_usd", "Sum of the invoice lines in the sheet; NULL without an invoice."),
        usd("difference_usd", "Invoice minus warehouse; NULL without an invoice. The columns below add up to it."),
        usd("tax_usd", "Tax lines of the invoice over those held."),
        usd("credit_usd", "Credits and adjustments of the invoice over those held."),
        usd("seats_usd", "Subscription lines of the invoice over the seats held."),
        usd("timing_usd", "What the vendor changed after the invoice was drawn."),
        usd("rounding_usd", "Up to half a cent for each invoice line."),
        usd(
            "priority_tier_usd",
            "The rest, on a platform with priority-tier tokens in that month: the vendor's cost report leaves them out.",
        ),
        usd("unknown_usd", "The rest that nothing explains."),
        string("reason", "The main reason.", nullable=False, allowed=RECONCILIATION_REASONS),
    ),
    key=("month", "platform"),
    date_column="month",
)
vw_unmapped = mart(
    "vw_unmapped",
    "What somebody has to name so that cost finds its owner or its department.",
    "one month, platform, kind and item",
    (
        date("month", "First day of the month.", nullable=False),
        PLATFORM,
        string(
            "kind",
            "key, person (without department), seat (held by nobody), no_key (the vendor names neither), key_name (use under a name that means no one key).",
            nullable=False,
            allowed=("key", "person", "seat", "no_key", "key_name"),
        ),
        string("item", "Key id, e-mail, workspace, the name of a key or '(none)'.", nullable=False),
        string("item_name", "The key's name, or the item.", nullable=False),
        string("remedy", "What to do.", nullable=False),
        date("first_day", "First UTC day of the month with it.", nullable=False),
        date("last_day", "Last UTC day of the month with it.", nullable=False),
        usd("cost_usd", "Billed cost in the month; NULL for a person or a key's name with use and no cost."),
    ),
    key=("month", "platform", "kind", "item"),
    date_column="month",
    do_not="add up over kinds as a total of unattributed cost: kind `person` has an owner and lacks a department only.",
)
vw_rejects = mart(
    "vw_rejects",
    "Records of current versions that could not be used: how many rules they broke, by what is wrong with them.",
    "one source, endpoint, UTC day, column, reason and remedy",
    (
        string("source", "Source.", nullable=False),
        string("endpoint", "Endpoint or sheet tab.", nullable=False),
        date("usage_date", "UTC day asked about.", nullable=False),
        string("column_name", "The field; '(record)' when the whole record is wrong.", nullable=False),
        string("reason", "What is wrong.", nullable=False),
        string("remedy", "What a person can do.", nullable=False),
        count("broken_rules", "Rules broken; a record that breaks two counts twice.", "rules", nullable=False),
    ),
    key=("source", "endpoint", "usage_date", "column_name", "reason", "remedy"),
    date_column="usage_date",
)
vw_days = mart(
    "vw_days",
    "The calendar: every UTC day and the month that it is in.",
    "one UTC day",
    (date("day", "UTC day.", nullable=False), date("month", "First day of its month.", nullable=False)),
    key=("day",),
    date_column="day",
)

MARTS: tuple[Table, ...] = (
    vw_monthly_finance,
    vw_chargeback,
    vw_cost_allocation,
    vw_cost_months,
    vw_cost_booked,
    vw_month_close,
    vw_adjustments,
    vw_focus,
    *use.MARTS,
    vw_budget_variance,
    vw_forecast,
    vw_reconciliation,
    vw_unmapped,
    vw_rejects,
    vw_restatements,
    vw_data_health,
    vw_identity_issues,
    sheet_issues,
    vw_currency_conversions,
    vw_days,
)
