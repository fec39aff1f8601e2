-- Billed cost per month, for the books. Grain: the view's key. Inputs: vw_cost_allocation.
SELECT
  DATE_TRUNC(cost_date, MONTH) AS month,
  platform,
  vendor,
  department,
  cost_center,
  cost_type,
  settle_state,
  SUM(cost_usd) AS cost_usd
FROM vw_cost_allocation
GROUP BY DATE_TRUNC(cost_date, MONTH), platform, vendor, department, cost_center, cost_type, settle_state
