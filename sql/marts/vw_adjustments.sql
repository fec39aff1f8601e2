-- What finance books by hand: each row of the sheet's tab with its author and its reason.
-- Grain: sheet_row. Inputs: raw_sheet_adjustments, stg_snapshots.
SELECT
  r.sheet_row,
  r.adjustment_date,
  DATE_TRUNC(r.adjustment_date, MONTH) AS month,
  r.platform,
  COALESCE(r.cost_type, 'adjustment') AS cost_type,
  COALESCE(NULLIF(LOWER(TRIM(r.email)), ''), '(unattributed)') AS user_email,
  r.amount_usd,
  r.author,
  r.reason
FROM raw_sheet_adjustments AS r
INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
WHERE s.source = 'google_sheets' AND s.endpoint = 'adjustments'
