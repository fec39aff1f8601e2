-- Billed cost per day over people, keys and models, as the vendors tell it and not as it is booked: comparisons of days and months read it.
-- Grain: the table's key. Inputs: fct_cost_daily.
SELECT
  cost_date,
  platform,
  vendor,
  cost_type,
  attribution,
  settle_state,
  source,
  SUM(cost_usd) AS cost_usd,
  @processed_at AS processed_at,
  timing
FROM fct_cost_daily
WHERE cost_date BETWEEN @start_date AND @end_date
GROUP BY cost_date, platform, vendor, cost_type, attribution, settle_state, source, timing
