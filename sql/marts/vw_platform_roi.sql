-- What each person's day on a platform cost in all (usage, seats, credits), beside what came of it. Nothing is repeated per model.
-- Grain: usage_date, platform, department, user_email. Inputs: vw_use_and_cost.
SELECT
  usage_date,
  platform,
  department,
  user_email,
  user_name,
  COUNTIF(is_active) > 0 AS is_active,
  SUM(active_days) AS active_days,
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
  SUM(total_tokens) AS total_tokens,
  SUM(tokens_with_cost) AS tokens_with_cost,
  SUM(cacheable_tokens) AS cacheable_tokens,
  SUM(cost_usd) AS cost_usd,
  SUM(seat_usd) AS seat_usd,
  SUM(cost_with_days_usd) AS cost_with_days_usd,
  SUM(cost_with_lines_usd) AS cost_with_lines_usd,
  SUM(cost_with_commits_usd) AS cost_with_commits_usd,
  SUM(cost_with_tokens_usd) AS cost_with_tokens_usd
FROM vw_use_and_cost
GROUP BY usage_date, platform, department, user_email, user_name
