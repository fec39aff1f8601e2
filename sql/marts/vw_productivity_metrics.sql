-- What each person did on each day with each platform, and what that cost. Seats are no part of a day's cost here.
-- NULL stays NULL: a platform that does not count commits has no commits, not zero.
-- Grain: usage_date, platform, user_email. Inputs: agg_person_days, vw_cost_booked, dim_user_assignments, dim_users.
WITH rows_of_both AS (
  SELECT
    usage_date, platform, user_email, loc_added, loc_accepted, loc_removed, suggestions_shown, suggestions_accepted,
    suggestions_rejected, requests, sessions, commits, pull_requests, conversations, messages, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, CAST(NULL AS NUMERIC) AS cost_usd, included_usd, list_usd
  FROM agg_person_days
  UNION ALL
  SELECT
    booked_on, platform, user_email, CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    cost_usd, CAST(NULL AS NUMERIC), CAST(NULL AS NUMERIC)
  FROM vw_cost_booked
  WHERE cost_type IN ('usage', 'overage')
),

days AS (
  SELECT
    usage_date,
    platform,
    user_email,
    SUM(loc_added) AS loc_added,
    SUM(loc_accepted) AS loc_accepted,
    SUM(loc_removed) AS loc_removed,
    SUM(suggestions_shown) AS suggestions_shown,
    SUM(suggestions_accepted) AS suggestions_accepted,
    SUM(suggestions_rejected) AS suggestions_rejected,
    SUM(requests) AS requests,
    SUM(sessions) AS sessions,
    SUM(commits) AS commits,
    SUM(pull_requests) AS pull_requests,
    SUM(conversations) AS conversations,
    SUM(messages) AS messages,
    SUM(input_tokens) AS input_tokens,
    SUM(output_tokens) AS output_tokens,
    SUM(cache_read_tokens) AS cache_read_tokens,
    SUM(cache_write_tokens) AS cache_write_tokens,
    SUM(cost_usd) AS cost_usd,
    SUM(included_usd) AS included_usd,
    SUM(list_usd) AS list_usd
  FROM rows_of_both
  GROUP BY usage_date, platform, user_email
)

SELECT
  d.usage_date,
  d.platform,
  COALESCE(a.department, '(no department)') AS department,
  COALESCE(d.user_email, '(unattributed)') AS user_email,
  CASE
    WHEN d.user_email IS NULL THEN '(unattributed)'
    WHEN u.first_name IS NULL AND u.last_name IS NULL THEN d.user_email
    ELSE TRIM(CONCAT(COALESCE(u.first_name, ''), ' ', COALESCE(u.last_name, '')))
  END AS user_name,
  CASE WHEN d.user_email IS NOT NULL THEN COALESCE(u.kind, 'person') END AS user_kind,
  d.loc_added,
  d.loc_accepted,
  d.loc_removed,
  d.suggestions_shown,
  d.suggestions_accepted,
  d.suggestions_rejected,
  d.requests,
  d.sessions,
  d.commits,
  d.pull_requests,
  d.conversations,
  d.messages,
  d.input_tokens,
  d.output_tokens,
  d.cache_read_tokens,
  d.cache_write_tokens,
  d.cost_usd,
  d.included_usd,
  d.list_usd,
  COALESCE(d.requests, 0) + COALESCE(d.loc_added, 0) + COALESCE(d.loc_removed, 0) + COALESCE(d.suggestions_shown, 0)
  + COALESCE(d.sessions, 0) + COALESCE(d.messages, 0) + COALESCE(d.conversations, 0) > 0 AS is_active
FROM days AS d
LEFT JOIN dim_user_assignments AS a ON d.user_email = a.email AND d.usage_date BETWEEN a.valid_from AND a.valid_to
LEFT JOIN dim_users AS u ON d.user_email = u.email
