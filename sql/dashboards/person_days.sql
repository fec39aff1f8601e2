-- Grain: day x platform x department x person. Additive: everything but active_person and active_day (count them distinct).
-- NULL is unknown: a platform that does not report lines adds nothing to lines, and its cost is not set against them.
SELECT
  usage_date,
  platform,
  department,
  user_email,
  user_name,
  MAX(CASE WHEN active_days > 0 THEN user_email END) AS active_person,
  MAX(CASE WHEN is_active THEN usage_date END) AS active_day,
  SUM(active_days) AS active_days,
  SUM(loc_accepted) AS loc_accepted,
  SUM(COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected)) AS suggestions_decided,
  SUM(
    CASE
      WHEN COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected) IS NOT NULL THEN suggestions_accepted
    END
  ) AS suggestions_accepted,
  SUM(requests) AS requests,
  SUM(sessions) AS sessions,
  SUM(commits) AS commits,
  SUM(pull_requests) AS pull_requests,
  SUM(total_tokens) AS total_tokens,
  SUM(days_with_cost) AS days_with_cost,
  SUM(lines_with_cost) AS lines_with_cost,
  SUM(commits_with_cost) AS commits_with_cost,
  SUM(tokens_with_cost) AS tokens_with_cost,
  SUM(CASE WHEN cacheable_tokens IS NOT NULL THEN cache_read_tokens END) AS cache_read_tokens,
  SUM(cacheable_tokens) AS cacheable_tokens,
  SUM(cost_usd) AS cost_usd,
  SUM(gross_usd) AS gross_usd,
  SUM(cost_with_days_usd) AS cost_with_days_usd,
  SUM(cost_with_lines_usd) AS cost_with_lines_usd,
  SUM(cost_with_commits_usd) AS cost_with_commits_usd,
  SUM(cost_with_tokens_usd) AS cost_with_tokens_usd
FROM vw_use_and_cost
GROUP BY usage_date, platform, department, user_email, user_name
