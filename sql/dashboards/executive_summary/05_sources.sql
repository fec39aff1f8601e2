-- Grain: source and endpoint. Additive: the days.
SELECT
  source,
  endpoint,
  last_day,
  last_fetched_at,
  days_missing + days_failed AS days_not_held
FROM vw_data_health
