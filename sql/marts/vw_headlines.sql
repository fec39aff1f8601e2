-- What each dashboard says first: one sentence made of its figures, for the whole company and the latest month with data. Where a month ends is
-- the forecast's word, and what it cost once it has passed. Beside the budget, or the month before where nobody set one. The cause is the
-- departments that are over budgets of their own, else those that grew most beside the same days of the month before. What a source has not told
-- stands behind it.
-- Grain: dashboard. Inputs: vw_forecast, vw_budgets, vw_cost_allocation, vw_sources, vw_check_results, agg_cost_months, agg_person_months, dim_users,
-- stg_closed_months, stg_platforms.
WITH foreseen AS (
  SELECT month, as_of_date, MAX(CASE WHEN cost_date = LAST_DAY(cost_date) THEN projected_usd END) AS end_usd
  FROM vw_forecast
  WHERE level = 'company'
  GROUP BY month, as_of_date
),

held AS (
  SELECT MAX(month) AS month, MAX(last_day) AS last_day, MIN(first_day) AS first_day
  FROM agg_cost_months
),

frame AS (
  SELECT
    COALESCE(f.month, h.month) AS month,
    COALESCE(f.as_of_date, h.last_day) AS as_of_date,
    DATE_SUB(COALESCE(f.month, h.month), INTERVAL 1 MONTH) AS month_before,
    h.first_day <= DATE_SUB(COALESCE(f.month, h.month), INTERVAL 1 MONTH) AS has_before,
    COALESCE(f.as_of_date, h.last_day) = LAST_DAY(COALESCE(f.month, h.month)) AS is_passed,
    f.end_usd
  FROM held AS h
  LEFT JOIN foreseen AS f ON h.month IS NOT NULL
),

budgets AS (
  SELECT b.budget_scope, b.department, b.budget_usd, b.projected_usd
  FROM vw_budgets AS b
  INNER JOIN frame AS f ON b.month = f.month
),

days AS (
  SELECT
    c.department,
    c.platform,
    SUM(CASE WHEN DATE_TRUNC(c.cost_date, MONTH) = f.month THEN c.cost_usd ELSE CAST(0 AS NUMERIC) END) AS cost_usd,
    SUM(CASE WHEN DATE_TRUNC(c.cost_date, MONTH) = f.month THEN CAST(0 AS NUMERIC) ELSE c.cost_usd END) AS before_usd
  FROM vw_cost_allocation AS c
  INNER JOIN frame AS f
    ON
      DATE_TRUNC(c.cost_date, MONTH) = f.month
      OR (
        DATE_TRUNC(c.cost_date, MONTH) = f.month_before
        AND (f.is_passed OR EXTRACT(DAY FROM c.cost_date) <= EXTRACT(DAY FROM f.as_of_date))
      )
  GROUP BY c.department, c.platform
),

totals AS (
  SELECT
    SUM(CASE WHEN m.month = f.month THEN m.cost_usd END) AS spent_usd,
    SUM(CASE WHEN m.month = f.month_before THEN m.cost_usd END) AS before_usd,
    SUM(CASE WHEN m.month = f.month AND m.department IS NULL THEN m.cost_usd END) AS homeless_usd
  FROM agg_cost_months AS m
  INNER JOIN frame AS f ON m.month = f.month OR m.month = f.month_before
),

outcome AS (
  SELECT
    f.month,
    f.is_passed,
    f.end_usd IS NOT NULL AND NOT f.is_passed AS is_foreseen,
    k.month IS NOT NULL AS is_closed,
    b.budget_usd,
    CASE WHEN f.has_before THEN t.before_usd END AS before_usd,
    t.spent_usd,
    t.homeless_usd,
    CASE WHEN f.is_passed THEN t.spent_usd ELSE COALESCE(f.end_usd, t.spent_usd) END AS end_usd,
    FORMAT_DATE('%B %Y', f.month) AS month_name,
    FORMAT_DATE('%B', f.month_before) AS before_name
  FROM frame AS f
  CROSS JOIN totals AS t
  LEFT JOIN budgets AS b ON b.budget_scope = 'company'
  LEFT JOIN stg_closed_months AS k ON f.month = k.month
),

-- The two departments that say most of why: those over budgets of their own come first.
above AS (
  SELECT department, 1 AS reason, projected_usd - budget_usd AS usd
  FROM budgets
  WHERE budget_scope = 'department' AND projected_usd > budget_usd
),

grown AS (
  SELECT department, 2 AS reason, SUM(cost_usd) - SUM(before_usd) AS usd
  FROM days
  WHERE department != '(no department)'
  GROUP BY department
  HAVING SUM(cost_usd) > SUM(before_usd)
),

causes AS (
  SELECT
    reason,
    CONCAT(
      MAX(CASE WHEN place = 1 THEN department END), COALESCE(CONCAT(' and ', MAX(CASE WHEN place = 2 THEN department END)), '')
    ) AS departments,
    COUNT(*) AS department_count
  FROM (
    SELECT department, reason, ROW_NUMBER() OVER (PARTITION BY reason ORDER BY usd DESC, department) AS place
    FROM (
      SELECT department, reason, usd FROM above
      UNION ALL
      SELECT department, reason, usd FROM grown
    ) AS found
  ) AS ranked
  WHERE place <= 2
  GROUP BY reason
),

largest AS (
  SELECT 'department' AS of_what, department AS name, SUM(cost_usd) AS usd
  FROM days
  WHERE department != '(no department)'
  GROUP BY department
  UNION ALL
  SELECT 'platform' AS of_what, COALESCE(MAX(p.service_name), d.platform) AS name, SUM(d.cost_usd) AS usd
  FROM days AS d
  LEFT JOIN stg_platforms AS p ON d.platform = p.platform
  GROUP BY d.platform
),

first_of AS (
  SELECT of_what, name, usd
  FROM largest
  WHERE usd > 0
  QUALIFY ROW_NUMBER() OVER (PARTITION BY of_what ORDER BY usd DESC, name) = 1
),

people AS (
  SELECT
    COUNT(DISTINCT CASE WHEN p.month = f.month THEN p.user_email END) AS active_people,
    COUNT(DISTINCT CASE WHEN p.month = f.month_before THEN p.user_email END) AS before_people
  FROM agg_person_months AS p
  INNER JOIN frame AS f ON p.month = f.month OR p.month = f.month_before
  LEFT JOIN dim_users AS u ON p.user_email = u.email
  WHERE p.active_days > 0 AND COALESCE(u.kind, 'person') = 'person'
),

amounts AS (
  SELECT 'end' AS name, end_usd AS usd FROM outcome
  UNION ALL
  SELECT 'spent' AS name, spent_usd AS usd FROM outcome
  UNION ALL
  SELECT 'homeless' AS name, homeless_usd AS usd FROM outcome
  UNION ALL
  SELECT 'over' AS name, ABS(end_usd - budget_usd) AS usd FROM outcome
  UNION ALL
  SELECT 'more' AS name, ABS(end_usd - before_usd) AS usd FROM outcome
  UNION ALL
  SELECT of_what AS name, usd FROM first_of
),

-- Whole dollars as people write them.
written AS (
  SELECT
    name,
    CONCAT(
      CASE WHEN usd < 0 AND dollars > 0 THEN '-$' WHEN dollars = 0 AND usd != 0 THEN 'less than $' ELSE '$' END,
      CASE
        WHEN dollars = 0 AND usd != 0 THEN '1'
        WHEN dollars < 1000 THEN CAST(dollars AS STRING)
        WHEN dollars < 1000000 THEN CONCAT(CAST(DIV(dollars, 1000) AS STRING), ',', LPAD(CAST(MOD(dollars, 1000) AS STRING), 3, '0'))
        ELSE CONCAT(
          CAST(DIV(dollars, 1000000) AS STRING), ',', LPAD(CAST(MOD(DIV(dollars, 1000), 1000) AS STRING), 3, '0'), ',',
          LPAD(CAST(MOD(dollars, 1000) AS STRING), 3, '0')
        )
      END
    ) AS said
  FROM (SELECT name, usd, CAST(ROUND(ABS(usd)) AS INT64) AS dollars FROM amounts) AS rounded
),

texts AS (
  SELECT
    MAX(CASE WHEN name = 'end' THEN said END) AS end_text,
    MAX(CASE WHEN name = 'spent' THEN said END) AS spent_text,
    MAX(CASE WHEN name = 'homeless' THEN said END) AS homeless_text,
    MAX(CASE WHEN name = 'over' THEN said END) AS over_text,
    MAX(CASE WHEN name = 'more' THEN said END) AS more_text,
    MAX(CASE WHEN name = 'department' THEN said END) AS department_text,
    MAX(CASE WHEN name = 'platform' THEN said END) AS platform_text
  FROM written
),

behind AS (
  SELECT COALESCE(CONCAT(' ', STRING_AGG(DISTINCT source_said, '. ' ORDER BY source_said), '.'), '') AS said
  FROM vw_sources
  WHERE source_state != 'read' AND is_owed
),

checked AS (
  SELECT COUNT(*) AS checks, COUNTIF(state != 'passed') AS troubled, MIN(CASE WHEN state != 'passed' THEN check_name END) AS first_name
  FROM vw_check_results
),

clauses AS (
  SELECT
    o.*,
    t.*,
    CONCAT(
      o.month_name,
      CASE
        WHEN o.is_closed THEN ' is closed at '
        WHEN o.is_passed THEN ' cost '
        WHEN o.is_foreseen THEN ' ends near '
        ELSE ' has cost '
      END,
      t.end_text,
      CASE
        WHEN o.budget_usd IS NULL AND o.before_usd IS NULL THEN ', and no budget is set'
        WHEN o.budget_usd IS NULL AND CAST(ROUND(o.end_usd) AS INT64) = CAST(ROUND(o.before_usd) AS INT64)
          THEN CONCAT(', as much as ', o.before_name, ', and no budget is set')
        WHEN o.budget_usd IS NULL
          THEN CONCAT(
            ', ', t.more_text, CASE WHEN o.end_usd > o.before_usd THEN ' more' ELSE ' less' END, ' than ', o.before_name, ', and no budget is set'
          )
        WHEN CAST(ROUND(o.end_usd) AS INT64) = CAST(ROUND(o.budget_usd) AS INT64) THEN ', as its budget'
        ELSE CONCAT(', ', t.over_text, CASE WHEN o.end_usd > o.budget_usd THEN ' over budget' ELSE ' under budget' END)
      END
    ) AS outcome_text,
    CASE
      WHEN v.departments IS NOT NULL AND o.budget_usd IS NOT NULL
        THEN CONCAT('; ', v.departments, CASE WHEN v.department_count = 1 THEN ' is over its own' ELSE ' are over their own' END)
      WHEN NOT (o.end_usd > COALESCE(o.budget_usd, o.before_usd)) THEN ''
      WHEN g.departments IS NOT NULL AND o.before_usd IS NOT NULL THEN CONCAT('; ', g.departments, ' grew most since ', o.before_name)
      ELSE ''
    END AS cause_text,
    CASE WHEN o.is_passed THEN '' ELSE ' so far' END AS so_far
  FROM outcome AS o
  CROSS JOIN texts AS t
  LEFT JOIN causes AS v ON v.reason = 1
  LEFT JOIN causes AS g ON g.reason = 2
)

SELECT
  d.dashboard,
  c.month,
  CONCAT(
    CASE
      WHEN c.month IS NULL THEN 'No cost is on record yet: run ai-usage run, or ai-usage demo to see what it will look like.'
      WHEN d.dashboard = 'executive_summary' THEN CONCAT(c.outcome_text, COALESCE(c.cause_text, ''), '.')
      WHEN d.dashboard = 'cost_allocation' AND b.name IS NULL
        THEN CONCAT('No department is known for any cost of ', c.month_name, ': fill the tab people of the sheet.')
      WHEN d.dashboard = 'cost_allocation'
        THEN CONCAT(
          b.name, ' has the largest part of ', c.month_name, c.so_far, ': ', c.department_text, ' of ', c.spent_text,
          COALESCE(CONCAT('; ', c.homeless_text, ' is of no department'), ''), '.'
        )
      WHEN d.dashboard = 'platform_roi'
        THEN CONCAT(
          COALESCE(p.name, 'No platform'), ' costs most in ', c.month_name, c.so_far,
          COALESCE(CONCAT(': ', c.platform_text, ' of ', c.spent_text), ''), '.'
        )
      WHEN d.dashboard = 'data_trust' AND k.checks = 0 THEN 'No check was recorded yet.'
      WHEN d.dashboard = 'data_trust' AND k.troubled = 0 THEN CONCAT('All ', CAST(k.checks AS STRING), ' checks passed.')
      WHEN d.dashboard = 'data_trust'
        THEN CONCAT(CAST(k.troubled AS STRING), ' of ', CAST(k.checks AS STRING), ' checks did not pass, such as ', k.first_name, '.')
      WHEN n.active_people = 0 THEN CONCAT('Nobody used AI tools in ', c.month_name, c.so_far, '.')
      ELSE CONCAT(
        CAST(n.active_people AS STRING), CASE WHEN n.active_people = 1 THEN ' person' ELSE ' people' END,
        ' used AI tools in ', c.month_name, c.so_far,
        CASE
          WHEN NOT c.is_passed OR c.before_usd IS NULL THEN ''
          WHEN n.active_people = n.before_people THEN CONCAT(', as many as in ', c.before_name)
          ELSE CONCAT(
            ', ', CAST(ABS(n.active_people - n.before_people) AS STRING), CASE WHEN n.active_people > n.before_people THEN ' more' ELSE ' fewer' END,
            ' than in ', c.before_name
          )
        END,
        '.'
      )
    END,
    CASE WHEN c.month IS NULL THEN '' ELSE s.said END
  ) AS sentence
FROM (
  SELECT 'executive_summary' AS dashboard
  UNION ALL
  SELECT 'cost_allocation' AS dashboard
  UNION ALL
  SELECT 'platform_roi' AS dashboard
  UNION ALL
  SELECT 'productivity_analytics' AS dashboard
  UNION ALL
  SELECT 'team_productivity' AS dashboard
  UNION ALL
  SELECT 'data_trust' AS dashboard
) AS d
CROSS JOIN clauses AS c
CROSS JOIN behind AS s
CROSS JOIN checked AS k
CROSS JOIN people AS n
LEFT JOIN first_of AS b ON b.of_what = 'department'
LEFT JOIN first_of AS p ON p.of_what = 'platform'
