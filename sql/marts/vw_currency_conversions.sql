-- Money of the sheet that is written in another currency, with the rate of its month. A rate that somebody corrects later moves the figures of that
-- month: of a closed one as a correction. Grain: tab, sheet_row, month. Inputs: stg_sheet_invoices_rows, stg_sheet_budgets_rows,
-- stg_sheet_adjustments_rows, stg_subscription_prices.
SELECT 'invoices' AS tab, sheet_row, DATE_TRUNC(invoice_month, MONTH) AS month, currency, written_amount, usd_rate, amount_usd
FROM stg_sheet_invoices_rows
WHERE currency != ''
UNION ALL
SELECT 'budgets' AS tab, sheet_row, DATE_TRUNC(month, MONTH) AS month, currency, written_amount, usd_rate, budget_usd AS amount_usd
FROM stg_sheet_budgets_rows
WHERE currency != ''
UNION ALL
SELECT 'adjustments' AS tab, sheet_row, DATE_TRUNC(adjustment_date, MONTH) AS month, currency, written_amount, usd_rate, amount_usd
FROM stg_sheet_adjustments_rows
WHERE currency != ''
UNION ALL
SELECT 'subscriptions' AS tab, sheet_row, DATE_TRUNC(valid_from, MONTH) AS month, currency, written_amount, usd_rate, price_usd AS amount_usd
FROM stg_subscription_prices
WHERE currency != ''
