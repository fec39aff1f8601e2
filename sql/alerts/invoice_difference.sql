-- Invoices that differ from the warehouse by more than @tolerance_usd and more than @tolerance_share of the invoice, after every reason on the
-- list was taken off; and invoices of which nothing is held at all. The month of the last ended day has no invoice yet. Inputs: vw_reconciliation.
SELECT
  CONCAT(FORMAT_DATE('%Y-%m-%d', month), '/', platform) AS cause_key,
  platform AS subject,
  1 AS level,
  COALESCE(unknown_usd, invoice_usd) AS figure,
  CAST(0 AS NUMERIC) AS usual,
  'USD' AS unit,
  CASE
    WHEN warehouse_usd IS NULL THEN 'Nothing is held of that month and platform: its source was off, or the line names another platform.'
    ELSE 'No reason of the list explains it: a line was typed wrongly, a charge is on no report, or a day is not held.'
  END AS likely_reason,
  LAST_DAY(month) AS since,
  month AS first_day,
  LAST_DAY(month) AS last_day,
  'the invoice' AS mover,
  invoice_usd AS mover_figure,
  'USD' AS mover_unit,
  1 AS mover_rank
FROM vw_reconciliation
WHERE
  month < DATE_TRUNC(@end_date, MONTH)
  AND invoice_usd IS NOT NULL
  AND ABS(COALESCE(unknown_usd, invoice_usd)) > @tolerance_usd
  AND ABS(COALESCE(unknown_usd, invoice_usd)) > CAST(ABS(invoice_usd) * @tolerance_share AS NUMERIC)
