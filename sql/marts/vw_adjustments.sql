-- What finance books by hand: each row of the sheet's tab with its author and its reason.
-- Grain: sheet_row. Inputs: stg_sheet_adjustments_rows, stg_email_aliases.
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
FROM stg_sheet_adjustments_rows AS r
LEFT JOIN stg_email_aliases AS a ON REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@') = a.alias
