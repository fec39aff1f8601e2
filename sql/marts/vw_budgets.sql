-- Each budget in money: spent, left, the pace, where it ends and the day on which it is or will be exceeded. Where a month ends is the
-- forecast's word for the company and for platforms; a department's is its pace so far: what it spent, times the days of the month over those that
-- passed. A month that has passed ended with what was spent. Budgets form a tree: the company's over those of departments, and of platforms; a
-- department's, and a platform's, over those that name both. Children that are planned for more than their parent are named.
-- Grain: month, budget_scope, department, platform, of budgets that somebody set. Inputs: vw_budget_variance, vw_cost_allocation, vw_forecast.
WITH frame AS (
  SELECT MAX(month) AS month, MAX(as_of_date) AS as_of_date
  FROM vw_forecast
),

budgets AS (
  SELECT
    b.month,
    b.budget_scope,
    b.department,
    b.platform,
    b.budget_usd,
    b.cost_with_budget_usd AS spent_usd,
    EXTRACT(DAY FROM LAST_DAY(b.month)) AS days_in_month,
    CASE
      WHEN f.month IS NULL OR b.month > f.month THEN 0
      WHEN b.month < f.month THEN EXTRACT(DAY FROM LAST_DAY(b.month))
      ELSE EXTRACT(DAY FROM f.as_of_date)
    END AS days_passed
  FROM vw_budget_variance AS b
  CROSS JOIN frame AS f
  WHERE b.budget_usd IS NOT NULL
),

days AS (
  SELECT cost_date, DATE_TRUNC(cost_date, MONTH) AS month, department, platform, SUM(cost_usd) AS cost_usd
  FROM vw_cost_allocation
  GROUP BY cost_date, department, platform
),

daily AS (
  SELECT b.month, b.budget_scope, b.department, b.platform, b.budget_usd, d.cost_date, SUM(d.cost_usd) AS cost_usd
  FROM budgets AS b
  INNER JOIN days AS d ON b.month = d.month
  WHERE (b.department = '(all)' OR b.department = d.department) AND (b.platform = '(all)' OR b.platform = d.platform)
  GROUP BY b.month, b.budget_scope, b.department, b.platform, b.budget_usd, d.cost_date
),

running AS (
  SELECT
    *,
    SUM(cost_usd) OVER (PARTITION BY month, budget_scope, department, platform ORDER BY cost_date) AS so_far_usd
  FROM daily
),

exceeded AS (
  SELECT month, budget_scope, department, platform, MIN(cost_date) AS over_on
  FROM running
  WHERE so_far_usd > budget_usd
  GROUP BY month, budget_scope, department, platform
),

foreseen AS (
  SELECT
    month,
    level AS budget_scope,
    platform,
    MAX(CASE WHEN cost_date = LAST_DAY(cost_date) THEN projected_usd END) AS projected_usd,
    MIN(CASE WHEN projected_usd > budget_usd AND cost_date > as_of_date THEN cost_date END) AS over_on
  FROM vw_forecast
  GROUP BY month, level, platform
),

-- By pace a budget lasts so many whole days of the month: the next one exceeds it.
paced AS (
  SELECT
    b.*,
    x.over_on AS exceeded_on,
    f.projected_usd AS foreseen_usd,
    f.over_on AS foreseen_on,
    CASE
      WHEN b.days_passed BETWEEN 1 AND b.days_in_month - 1 THEN CAST(SAFE_DIVIDE(b.spent_usd * b.days_in_month, b.days_passed) AS NUMERIC)
      WHEN b.days_passed = b.days_in_month THEN b.spent_usd
    END AS paced_usd,
    CASE
      WHEN b.spent_usd > 0 AND b.budget_usd >= 0 AND b.days_passed BETWEEN 1 AND b.days_in_month - 1
        THEN CAST(
          LEAST(
            DIV(CAST(b.budget_usd * 1000000000 * b.days_passed AS NUMERIC), CAST(b.spent_usd * 1000000000 AS NUMERIC)),
            CAST(b.days_in_month AS NUMERIC)
          ) AS INT64
        )
    END AS days_lasting
  FROM budgets AS b
  LEFT JOIN exceeded AS x
    ON b.month = x.month AND b.budget_scope = x.budget_scope AND b.department = x.department AND b.platform = x.platform
  LEFT JOIN foreseen AS f ON b.month = f.month AND b.budget_scope = f.budget_scope AND b.platform = f.platform
),

children AS (
  SELECT month, parent_scope, parent_department, parent_platform, MAX(children_usd) AS children_usd
  FROM (
    SELECT
      month,
      'company' AS parent_scope,
      '(all)' AS parent_department,
      '(all)' AS parent_platform,
      budget_scope AS of_scope,
      SUM(budget_usd) AS children_usd
    FROM budgets
    WHERE budget_scope IN ('department', 'platform')
    GROUP BY month, budget_scope
    UNION ALL
    SELECT month, 'department', department, '(all)', 'department_platform', SUM(budget_usd)
    FROM budgets
    WHERE budget_scope = 'department_platform'
    GROUP BY month, department
    UNION ALL
    SELECT month, 'platform', '(all)', platform, 'department_platform', SUM(budget_usd)
    FROM budgets
    WHERE budget_scope = 'department_platform'
    GROUP BY month, platform
  ) AS sums
  GROUP BY month, parent_scope, parent_department, parent_platform
)

SELECT
  p.month,
  p.budget_scope,
  p.department,
  p.platform,
  p.budget_usd,
  p.spent_usd,
  p.budget_usd - p.spent_usd AS left_usd,
  CAST(SAFE_DIVIDE(p.budget_usd * p.days_passed, p.days_in_month) AS NUMERIC) AS planned_usd,
  COALESCE(p.foreseen_usd, p.paced_usd) AS projected_usd,
  CASE
    WHEN p.foreseen_usd IS NOT NULL THEN 'forecast'
    WHEN p.days_passed BETWEEN 1 AND p.days_in_month - 1 THEN 'pace'
    ELSE 'spent'
  END AS projected_by,
  CASE
    WHEN p.spent_usd > p.budget_usd THEN p.exceeded_on
    WHEN p.foreseen_usd IS NOT NULL THEN p.foreseen_on
    WHEN p.days_lasting < p.days_in_month THEN DATE_ADD(p.month, INTERVAL GREATEST(p.days_lasting, p.days_passed) DAY)
  END AS over_on,
  CASE
    WHEN p.spent_usd > p.budget_usd THEN 'over'
    WHEN COALESCE(p.foreseen_usd, p.paced_usd) > p.budget_usd THEN 'will_be_over'
    WHEN p.spent_usd IS NULL OR p.days_passed = 0 THEN 'unknown'
    ELSE 'within'
  END AS budget_state,
  c.children_usd,
  CASE WHEN c.children_usd > p.budget_usd THEN c.children_usd - p.budget_usd END AS children_above_usd
FROM paced AS p
LEFT JOIN children AS c
  ON p.month = c.month AND p.budget_scope = c.parent_scope AND p.department = c.parent_department AND p.platform = c.parent_platform
