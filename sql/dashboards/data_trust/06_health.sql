-- Grain: source and endpoint. Additive: the days.
SELECT
  source,
  endpoint,
  first_day,
  last_day,
  days_expected,
  days_complete,
  days_empty,
  days_failed,
  days_missing,
  days_missing + days_failed AS days_not_held,
  rejected_rows,
  last_fetched_at
FROM vw_data_health
