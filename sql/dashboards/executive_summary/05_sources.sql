-- Grain: source and endpoint. Additive: the days.
SELECT
  source,
  endpoint,
  CASE WHEN is_daily THEN last_day END AS last_daily_day,
  last_fetched_at,
  days_missing + days_failed AS days_not_held
FROM vw_data_health
