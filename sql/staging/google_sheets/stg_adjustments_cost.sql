-- Money that finance books by hand, from the sheet's tab: it counts as written, on its day, and is never mixed into what a vendor said.
-- Grain: cost_date, platform, user_email, cost_type. Inputs: stg_sheet_adjustments_rows, stg_invoicing.
SELECT
  r.adjustment_date AS cost_date,
  r.platform,
  COALESCE(MAX(v.vendor), r.platform) AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS api_key_id,
  NULLIF(LOWER(TRIM(r.email)), '') AS user_email,
  CAST(NULL AS STRING) AS model,
  COALESCE(r.cost_type, 'adjustment') AS cost_type,
  CAST(NULL AS STRING) AS token_type,
  SUM(r.amount_usd) AS cost_usd,
  CASE WHEN COALESCE(TRIM(r.email), '') = '' THEN 'unattributed' ELSE 'direct' END AS attribution,
  r.adjustment_date AS settled_on,
  'sheet_adjustments' AS source
FROM stg_sheet_adjustments_rows AS r
LEFT JOIN stg_invoicing AS v ON r.platform LIKE v.platform_like
WHERE r.adjustment_date BETWEEN @start_date AND @end_date
GROUP BY
  r.adjustment_date, r.platform, NULLIF(LOWER(TRIM(r.email)), ''), COALESCE(r.cost_type, 'adjustment'),
  CASE WHEN COALESCE(TRIM(r.email), '') = '' THEN 'unattributed' ELSE 'direct' END
