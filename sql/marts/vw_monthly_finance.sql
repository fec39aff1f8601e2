-- Billed cost per month, for the books. Grain: the view's key. Inputs: agg_cost_months.
SELECT
  month,
  platform,
  vendor,
  COALESCE(department, '(no department)') AS department,
  cost_center,
  cost_type,
  settle_state,
  SUM(cost_usd) AS cost_usd
FROM agg_cost_months
GROUP BY month, platform, vendor, COALESCE(department, '(no department)'), cost_center, cost_type, settle_state
