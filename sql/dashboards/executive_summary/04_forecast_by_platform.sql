-- Grain: day of the latest month x platform. The columns of the month's end stand in one row of each platform.
SELECT
  platform,
  spent_usd,
  moving_usd,
  fee_usd,
  expected_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN projected_usd END AS month_end_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN low_usd END AS month_end_low_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN high_usd END AS month_end_high_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN budget_usd END AS month_budget_usd
FROM vw_forecast
WHERE level = 'platform'
