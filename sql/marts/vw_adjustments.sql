-- What finance books by hand: each row of the sheet's tab with its author and its reason.
-- Grain: sheet_row. Inputs: raw_sheet_adjustments, stg_snapshots, stg_email_aliases.
SELECT
  r.sheet_row,
  r.adjustment_date,
  DATE_TRUNC(r.adjustment_date, MONTH) AS month,
  r.platform,
  COALESCE(r.cost_type, 'adjustment') AS cost_type,
  COALESCE(a.email, NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@'), ''), '(unattributed)') AS user_email,
  r.amount_usd,
  r.author,
  r.reason
FROM raw_sheet_adjustments AS r
INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
LEFT JOIN stg_email_aliases AS a ON REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@') = a.alias
WHERE s.source = 'google_sheets' AND s.endpoint = 'adjustments'
