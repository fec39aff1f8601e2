-- The lines to book for a month: billed cost by cost center, department, person, platform, vendor, cost type, settle state and the closed month
-- that a correction is of. Cost without a person is in rows of its own. A month's sum is that of vw_cost_allocation. Grain: the view's key.
-- Inputs: vw_cost_months.
SELECT
  month,
  cost_center,
  department,
  user_email,
  user_name,
  platform,
  vendor,
  cost_type,
  settle_state,
  corrects_month,
  SUM(cost_usd) AS cost_usd
FROM vw_cost_months
GROUP BY month, cost_center, department, user_email, user_name, platform, vendor, cost_type, settle_state, corrects_month
