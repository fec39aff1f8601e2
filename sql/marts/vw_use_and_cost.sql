-- What was done and what was billed, side by side: a row for each person's day on a platform, and a row for each row of the books. Not added up
-- here: whoever reads it does that once, over the columns it needs. Seats and idle days are in it, since a platform's cost is all of it.
-- A platform's cost stands against a count only where that platform reports the count at all: else the cost of the others would be missing
-- its lines.
-- And a count stands against its platform's cost only where that cost paid for it: what a person does in Claude Code on a seat of claude.ai costs
-- nothing there, and a department that has seats would look cheaper a commit than one that pays by token. So a person's Claude Code counts in the
-- months in which Claude Code billed that person anything.
-- What stands against a count is gross cost: a credit or a tax is no price of what was done, and over what a credit leaves a unit may cost less than
-- nothing. A service is no person: its days are no person-days, and its cost stands against none.
-- Grain: one row of agg_person_days or of vw_cost_booked.
-- Inputs: agg_person_days, agg_person_months, agg_cost_months, vw_cost_allocation, dim_user_assignments, dim_users.
WITH reported AS (
  SELECT
    platform,
    SUM(days_with_activity) > 0 AS has_days,
    SUM(days_with_lines) > 0 AS has_lines,
    SUM(days_with_commits) > 0 AS has_commits
  FROM agg_person_months
  GROUP BY platform
),

tokens_told AS (
  -- On at least a tenth of the month's days: claude.ai's exports tell the tokens of extra usage alone, on 2 days in 100, and all its seats over
  -- those made 33,744 USD a million. By month, so that what people do later does not blank a month that was shown.
  SELECT
    month,
    platform,
    SUM(days_with_tokens) > 0 AND 10 * SUM(days_with_tokens) >= SUM(days_with_activity) AS has_tokens
  FROM agg_person_months
  GROUP BY month, platform
),

paid_by_code AS (
  -- With its platform, so that the join below compares columns alone: a condition on one side made DuckDB compare each day with each person-month.
  SELECT
    month,
    platform,
    user_email
  FROM agg_cost_months
  WHERE platform = 'claude_code' AND corrects_month IS NULL
  GROUP BY month, platform, user_email
  HAVING SUM(cost_usd) > 0
),

days AS (
  SELECT
    p.*,
    (p.platform != 'claude_code' OR p.user_email IS NULL OR c.user_email IS NOT NULL) AS is_paid_here,
    CASE
      WHEN COALESCE(p.input_tokens, p.output_tokens, p.cache_read_tokens, p.cache_write_tokens) IS NOT NULL
        THEN COALESCE(p.input_tokens, 0) + COALESCE(p.output_tokens, 0) + COALESCE(p.cache_read_tokens, 0) + COALESCE(p.cache_write_tokens, 0)
    END AS total_tokens
  FROM agg_person_days AS p
  LEFT JOIN paid_by_code AS c ON p.platform = c.platform AND p.user_email = c.user_email AND DATE_TRUNC(p.usage_date, MONTH) = c.month
)

SELECT
  d.usage_date,
  d.platform,
  COALESCE(a.department, '(no department)') AS department,
  COALESCE(d.user_email, '(unattributed)') AS user_email,
  COALESCE(u.user_name, d.user_email, '(unattributed)') AS user_name,
  CASE WHEN d.user_email IS NOT NULL THEN COALESCE(u.user_kind, 'person') END AS user_kind,
  d.is_active,
  CASE
    WHEN r.has_days THEN CASE WHEN d.is_active AND d.user_email IS NOT NULL AND COALESCE(u.user_kind, 'person') = 'person' THEN 1 ELSE 0 END
  END AS active_days,
  d.loc_added,
  d.loc_accepted,
  d.suggestions_shown,
  d.suggestions_accepted,
  d.suggestions_rejected,
  d.requests,
  d.sessions,
  d.commits,
  d.pull_requests,
  d.input_tokens,
  d.output_tokens,
  d.cache_read_tokens,
  d.cache_write_tokens,
  d.total_tokens,
  CASE
    WHEN r.has_days AND d.is_paid_here
      THEN CASE WHEN d.is_active AND d.user_email IS NOT NULL AND COALESCE(u.user_kind, 'person') = 'person' THEN 1 ELSE 0 END
  END AS days_with_cost,
  CASE WHEN d.is_paid_here THEN d.loc_accepted END AS lines_with_cost,
  CASE WHEN d.is_paid_here THEN d.commits END AS commits_with_cost,
  CASE WHEN t.has_tokens AND d.is_paid_here THEN d.total_tokens END AS tokens_with_cost,
  CASE
    WHEN d.cache_read_tokens IS NOT NULL
      THEN COALESCE(d.input_tokens, 0) + d.cache_read_tokens + COALESCE(d.cache_write_tokens, 0)
  END AS cacheable_tokens,
  CAST(NULL AS NUMERIC) AS cost_usd,
  CAST(NULL AS NUMERIC) AS gross_usd,
  CAST(NULL AS NUMERIC) AS seat_usd,
  CAST(NULL AS NUMERIC) AS cost_with_days_usd,
  CAST(NULL AS NUMERIC) AS cost_with_lines_usd,
  CAST(NULL AS NUMERIC) AS cost_with_commits_usd,
  CAST(NULL AS NUMERIC) AS cost_with_tokens_usd
FROM days AS d
LEFT JOIN reported AS r ON d.platform = r.platform
LEFT JOIN tokens_told AS t ON d.platform = t.platform AND DATE_TRUNC(d.usage_date, MONTH) = t.month
LEFT JOIN dim_user_assignments AS a ON d.user_email = a.email AND d.usage_date BETWEEN a.valid_from AND a.valid_to
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name,
    COALESCE(kind, 'person') AS user_kind
  FROM dim_users
) AS u ON d.user_email = u.email
UNION ALL
SELECT
  c.cost_date,
  c.platform,
  c.department,
  c.user_email,
  c.user_name,
  c.user_kind,
  FALSE,
  CASE WHEN r.has_days THEN 0 END,
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CASE WHEN r.has_days THEN 0 END,
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  CAST(NULL AS INT64),
  c.cost_usd,
  c.gross_usd,
  CASE WHEN c.cost_type = 'subscription' THEN c.cost_usd END,
  CASE WHEN r.has_days AND COALESCE(c.user_kind, 'person') = 'person' THEN c.gross_usd END,
  CASE WHEN r.has_lines THEN c.gross_usd END,
  CASE WHEN r.has_commits THEN c.gross_usd END,
  CASE WHEN t.has_tokens THEN c.gross_usd END
FROM (
  SELECT
    *,
    CASE WHEN cost_type IN ('usage', 'overage', 'subscription') THEN cost_usd END AS gross_usd
  FROM vw_cost_allocation
) AS c
LEFT JOIN reported AS r ON c.platform = r.platform
LEFT JOIN tokens_told AS t ON c.platform = t.platform AND DATE_TRUNC(c.cost_date, MONTH) = t.month
