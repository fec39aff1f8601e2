-- Money that finance books by hand, from the sheet's tab: it counts as written, on its day, and is never mixed into what a vendor said.
-- Grain: cost_date, platform, user_email, cost_type. Inputs: raw_sheet_adjustments, stg_snapshots.
SELECT
  r.adjustment_date AS cost_date,
  r.platform,
  CASE
    WHEN r.platform = 'cursor' THEN 'Cursor'
    WHEN STARTS_WITH(r.platform, 'claude') THEN 'Anthropic'
    ELSE r.platform
  END AS vendor,
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
FROM raw_sheet_adjustments AS r
INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
WHERE s.source = 'google_sheets' AND s.endpoint = 'adjustments' AND r.adjustment_date BETWEEN @start_date AND @end_date
GROUP BY
  r.adjustment_date, r.platform, NULLIF(LOWER(TRIM(r.email)), ''), COALESCE(r.cost_type, 'adjustment'),
  CASE WHEN COALESCE(TRIM(r.email), '') = '' THEN 'unattributed' ELSE 'direct' END
