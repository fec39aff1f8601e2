-- What each person's day on a platform cost in all (usage, seats, credits), beside what came of it. Nothing is repeated per model, and a
-- platform's cost stands against a count only where that platform reports the count at all: else the cost of the others would be missing
-- its lines. Facts are added up once, here, and not in views before it: that is most of what a card costs.
-- Grain: usage_date, platform, department, user_email. Inputs: fct_usage_daily, vw_cost_allocation, dim_user_assignments, dim_users.
WITH reported AS (
  SELECT
    platform,
    COUNT(loc_accepted) > 0 AS has_lines,
    COUNT(commits) > 0 AS has_commits,
    COUNT(output_tokens) > 0 AS has_tokens,
    COUNT(requests) + COUNT(sessions) + COUNT(loc_added) + COUNT(suggestions_shown) + COUNT(messages) + COUNT(conversations) > 0 AS has_days
  FROM fct_usage_daily
  GROUP BY platform
),

both_sides AS (
  SELECT
    f.usage_date, f.platform, COALESCE(a.department, '(no department)') AS department, COALESCE(f.user_email, '(unattributed)') AS user_email,
    f.loc_added, f.loc_accepted, f.loc_removed, f.suggestions_shown, f.suggestions_accepted, f.suggestions_rejected, f.requests, f.sessions,
    f.commits, f.pull_requests, f.conversations, f.messages, f.input_tokens, f.output_tokens, f.cache_read_tokens, f.cache_write_tokens,
    CAST(NULL AS NUMERIC) AS cost_usd, CAST(NULL AS NUMERIC) AS seat_usd
  FROM fct_usage_daily AS f
  LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.usage_date BETWEEN a.valid_from AND a.valid_to
  UNION ALL
  SELECT
    cost_date, platform, department, user_email, CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    cost_usd, CASE WHEN cost_type = 'subscription' THEN cost_usd END
  FROM vw_cost_allocation
),

days AS (
  SELECT
    usage_date,
    platform,
    department,
    user_email,
    SUM(loc_added) AS loc_added,
    SUM(loc_accepted) AS loc_accepted,
    SUM(suggestions_shown) AS suggestions_shown,
    SUM(suggestions_accepted) AS suggestions_accepted,
    SUM(suggestions_rejected) AS suggestions_rejected,
    SUM(requests) AS requests,
    SUM(sessions) AS sessions,
    SUM(commits) AS commits,
    SUM(pull_requests) AS pull_requests,
    SUM(input_tokens) AS input_tokens,
    SUM(output_tokens) AS output_tokens,
    SUM(cache_read_tokens) AS cache_read_tokens,
    SUM(cache_write_tokens) AS cache_write_tokens,
    COALESCE(SUM(requests), 0) + COALESCE(SUM(loc_added), 0) + COALESCE(SUM(loc_removed), 0) + COALESCE(SUM(suggestions_shown), 0)
    + COALESCE(SUM(sessions), 0) + COALESCE(SUM(messages), 0) + COALESCE(SUM(conversations), 0) > 0 AS is_active,
    SUM(cost_usd) AS cost_usd,
    SUM(seat_usd) AS seat_usd
  FROM both_sides
  GROUP BY usage_date, platform, department, user_email
)

SELECT
  d.usage_date,
  d.platform,
  d.department,
  d.user_email,
  COALESCE(u.user_name, d.user_email) AS user_name,
  d.is_active,
  CASE WHEN r.has_days THEN CASE WHEN d.is_active AND d.user_email != '(unattributed)' THEN 1 ELSE 0 END END AS active_days,
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
  CASE
    WHEN COALESCE(d.input_tokens, d.output_tokens, d.cache_read_tokens, d.cache_write_tokens) IS NOT NULL
      THEN COALESCE(d.input_tokens, 0) + COALESCE(d.output_tokens, 0) + COALESCE(d.cache_read_tokens, 0)
        + COALESCE(d.cache_write_tokens, 0)
  END AS total_tokens,
  CASE
    WHEN d.cache_read_tokens IS NOT NULL
      THEN COALESCE(d.input_tokens, 0) + d.cache_read_tokens + COALESCE(d.cache_write_tokens, 0)
  END AS cacheable_tokens,
  d.cost_usd,
  d.seat_usd,
  CASE WHEN r.has_days THEN d.cost_usd END AS cost_with_days_usd,
  CASE WHEN r.has_lines THEN d.cost_usd END AS cost_with_lines_usd,
  CASE WHEN r.has_commits THEN d.cost_usd END AS cost_with_commits_usd,
  CASE WHEN r.has_tokens THEN d.cost_usd END AS cost_with_tokens_usd
FROM days AS d
LEFT JOIN reported AS r ON d.platform = r.platform
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name
  FROM dim_users
) AS u ON d.user_email = u.email
