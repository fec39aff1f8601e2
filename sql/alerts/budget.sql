-- Budgets of the month of which @warn_share is spent (level 1) or @full_share (level 2), each in the scope in which it was given.
-- Inputs: vw_budget_variance, vw_cost_allocation.
WITH daily AS (
  SELECT
    b.budget_scope,
    b.department,
    b.platform,
    b.budget_usd,
    c.cost_date,
    SUM(c.cost_usd) AS usd
  FROM vw_budget_variance AS b
  INNER JOIN vw_cost_allocation AS c
    ON (b.department = '(all)' OR b.department = c.department) AND (b.platform = '(all)' OR b.platform = c.platform)
  WHERE
    b.month = @start_date
    AND b.budget_usd >= 0
    AND c.cost_date BETWEEN @start_date AND @end_date
    AND c.settle_state != 'open'
  GROUP BY b.budget_scope, b.department, b.platform, b.budget_usd, c.cost_date
),

running AS (
  SELECT
    *,
    SUM(usd) OVER (PARTITION BY budget_scope, department, platform ORDER BY cost_date) AS spent_usd
  FROM daily
),

scopes AS (
  SELECT
    budget_scope,
    department,
    platform,
    budget_usd,
    SUM(usd) AS spent_usd,
    MAX(cost_date) AS last_day,
    MIN(CASE WHEN spent_usd >= CAST(budget_usd * @warn_share AS NUMERIC) AND spent_usd > 0 THEN cost_date END) AS since
  FROM running
  GROUP BY budget_scope, department, platform, budget_usd
),

reached AS (
  SELECT *
  FROM scopes
  WHERE spent_usd >= CAST(budget_usd * @warn_share AS NUMERIC) AND spent_usd > 0
),

movers AS (
  SELECT
    r.budget_scope,
    r.department,
    r.platform,
    CASE
      WHEN r.department != '(all)' THEN CASE WHEN c.user_name = c.user_email THEN c.user_email ELSE CONCAT(c.user_name, ' (', c.user_email, ')') END
      WHEN r.platform != '(all)' THEN c.department
      ELSE CONCAT(c.department, ' on ', c.platform)
    END AS mover,
    SUM(c.cost_usd) AS usd
  FROM reached AS r
  INNER JOIN vw_cost_allocation AS c
    ON (r.department = '(all)' OR r.department = c.department) AND (r.platform = '(all)' OR r.platform = c.platform)
  WHERE c.cost_date BETWEEN @start_date AND @end_date AND c.settle_state != 'open'
  GROUP BY
    r.budget_scope,
    r.department,
    r.platform,
    CASE
      WHEN r.department != '(all)' THEN CASE WHEN c.user_name = c.user_email THEN c.user_email ELSE CONCAT(c.user_name, ' (', c.user_email, ')') END
      WHEN r.platform != '(all)' THEN c.department
      ELSE CONCAT(c.department, ' on ', c.platform)
    END
)

SELECT
  CONCAT(FORMAT_DATE('%Y-%m-%d', @start_date), '/', r.budget_scope, '/', r.department, '/', r.platform) AS cause_key,
  CASE r.budget_scope
    WHEN 'company' THEN 'The company'
    WHEN 'department' THEN r.department
    WHEN 'platform' THEN r.platform
    ELSE CONCAT(r.department, ' on ', r.platform)
  END AS subject,
  CASE WHEN r.spent_usd >= CAST(r.budget_usd * @full_share AS NUMERIC) THEN 2 ELSE 1 END AS level,
  r.spent_usd AS figure,
  r.budget_usd AS usual,
  'USD' AS unit,
  CASE
    WHEN r.spent_usd >= CAST(r.budget_usd * @full_share AS NUMERIC)
      THEN 'More was used than the budget of the month is for; the lines below cost most.'
    WHEN r.spent_usd * EXTRACT(DAY FROM LAST_DAY(@end_date)) > r.budget_usd * EXTRACT(DAY FROM @end_date)
      THEN 'It is spent faster than the month passes, and at this pace it does not last; the lines below cost most.'
    ELSE 'It is spent no faster than the month passes, and at this pace it lasts; the lines below cost most.'
  END AS likely_reason,
  COALESCE(r.since, r.last_day) AS since,
  @start_date AS first_day,
  r.last_day,
  m.mover,
  m.usd AS mover_figure,
  'USD' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY r.budget_scope, r.department, r.platform ORDER BY m.usd DESC, m.mover) AS mover_rank
FROM reached AS r
INNER JOIN movers AS m ON r.budget_scope = m.budget_scope AND r.department = m.department AND r.platform = m.platform
QUALIFY ROW_NUMBER() OVER (PARTITION BY r.budget_scope, r.department, r.platform ORDER BY m.usd DESC, m.mover) <= 3
