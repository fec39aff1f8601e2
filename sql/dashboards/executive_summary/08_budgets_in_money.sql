-- Grain: month, department and platform of a budget; '(all)' where it names none. Scopes overlap: no column adds up over them.
SELECT
  month,
  department,
  platform,
  budget_usd,
  spent_usd,
  left_usd,
  planned_usd,
  projected_usd,
  over_on,
  children_above_usd
FROM vw_budgets
