-- Grain: one version after the first of a source, endpoint and day. Additive: change_usd, corrections.
SELECT
  source,
  endpoint,
  usage_date,
  fetched_at,
  1 AS corrections,
  CASE WHEN change_usd <> 0 THEN 1 ELSE 0 END AS money_corrections,
  CASE WHEN change_usd > 0 THEN change_usd ELSE 0 END AS raised_usd,
  CASE WHEN change_usd < 0 THEN change_usd ELSE 0 END AS lowered_usd,
  change_usd
FROM vw_restatements
WHERE is_counted
