-- Budgets of the sheet against billed cost. A budget row speaks for one scope: the company (department and platform empty), a department,
-- a platform, or a department on a platform. Scopes overlap: add up within one scope only. Cost without a budget has a row with
-- budget_usd NULL, so that each of company, department and platform holds all cost of the month. While no cost of a month is any department's, what
-- a department spent of its budget is unknown, and not 0.
-- Grain: month, budget_scope, department, platform. Inputs: stg_sheet_budgets_rows, stg_departments, vw_monthly_finance.
WITH planned AS (
  SELECT
    DATE_TRUNC(b.month, MONTH) AS month,
    CASE
      WHEN TRIM(b.department) != '' AND TRIM(b.platform) != '' THEN 'department_platform'
      WHEN TRIM(b.department) != '' THEN 'department'
      WHEN TRIM(b.platform) != '' THEN 'platform'
      ELSE 'company'
    END AS budget_scope,
    COALESCE(d.department, NULLIF(TRIM(b.department), ''), '(all)') AS department,
    COALESCE(NULLIF(TRIM(b.platform), ''), '(all)') AS platform,
    b.budget_usd
  FROM stg_sheet_budgets_rows AS b
  LEFT JOIN stg_departments AS d ON LOWER(TRIM(b.department)) = d.folded
),

-- Months in which cost found its department; and those without cost, in which nobody spent anything.
unplaced AS (
  SELECT month
  FROM vw_monthly_finance
  GROUP BY month
  HAVING COUNTIF(department != '(no department)') = 0
),

spent AS (
  SELECT month, 'company' AS budget_scope, '(all)' AS department, '(all)' AS platform, SUM(cost_usd) AS cost_usd
  FROM vw_monthly_finance
  GROUP BY month
  UNION ALL
  SELECT month, 'department' AS budget_scope, department, '(all)' AS platform, SUM(cost_usd) AS cost_usd
  FROM vw_monthly_finance
  GROUP BY month, department
  UNION ALL
  SELECT month, 'platform' AS budget_scope, '(all)' AS department, platform, SUM(cost_usd) AS cost_usd
  FROM vw_monthly_finance
  GROUP BY month, platform
  UNION ALL
  SELECT f.month, 'department_platform' AS budget_scope, f.department, f.platform, SUM(f.cost_usd) AS cost_usd
  FROM vw_monthly_finance AS f
  INNER JOIN planned AS p
    ON f.month = p.month AND f.department = p.department AND f.platform = p.platform AND p.budget_scope = 'department_platform'
  GROUP BY f.month, f.department, f.platform
)

SELECT
  COALESCE(p.month, s.month) AS month,
  COALESCE(p.budget_scope, s.budget_scope) AS budget_scope,
  COALESCE(p.department, s.department) AS department,
  COALESCE(p.platform, s.platform) AS platform,
  p.budget_usd,
  COALESCE(s.cost_usd, CAST(0 AS NUMERIC)) AS cost_usd,
  CASE WHEN p.budget_usd IS NOT NULL AND u.month IS NULL THEN COALESCE(s.cost_usd, CAST(0 AS NUMERIC)) END AS cost_with_budget_usd,
  CASE WHEN u.month IS NULL THEN p.budget_usd - COALESCE(s.cost_usd, CAST(0 AS NUMERIC)) END AS variance_usd
FROM planned AS p
FULL OUTER JOIN spent AS s
  ON p.month = s.month AND p.budget_scope = s.budget_scope AND p.department = s.department AND p.platform = s.platform
LEFT JOIN unplaced AS u ON IF(p.department = '(all)', NULL, p.month) = u.month
