-- Grain: month, budget scope, department and platform. '(all)' is a scope's own row: a budget of the company names neither department nor platform.
-- Scopes overlap, so a card reads one of them.
SELECT
  month,
  department,
  platform,
  budget_usd,
  cost_with_budget_usd,
  variance_usd
FROM vw_budget_variance
