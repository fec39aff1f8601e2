-- Grain: month and department, of the budgets that name a department and no platform. Additive.
SELECT
  month,
  department,
  budget_usd,
  cost_with_budget_usd,
  CASE WHEN budget_usd IS NULL THEN cost_usd END AS cost_without_budget_usd,
  variance_usd
FROM vw_budget_variance
WHERE budget_scope = 'department'
