-- Grain: day of the latest month, whole company. Running totals (to_date_usd, projected_usd, low_usd, high_usd) and budget_usd are levels, not
-- sums over days; the columns of the month's end stand in one row each, so that their sum is the figure.
SELECT
  cost_date,
  spent_usd,
  CASE WHEN cost_date <= as_of_date THEN projected_usd END AS to_date_usd,
  CASE WHEN cost_date >= as_of_date THEN projected_usd END AS projected_usd,
  CASE WHEN cost_date >= as_of_date THEN low_usd END AS low_usd,
  CASE WHEN cost_date >= as_of_date THEN high_usd END AS high_usd,
  budget_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN projected_usd END AS month_end_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN low_usd END AS month_end_low_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN high_usd END AS month_end_high_usd,
  CASE WHEN cost_date = LAST_DAY(cost_date) THEN budget_usd END AS month_budget_usd
FROM vw_forecast
WHERE level = 'company'
