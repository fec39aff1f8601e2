-- What each person did on a platform in a day, over keys, workspaces and models: added up once, when the facts are, and not in each question.
-- NULL stays NULL: a platform that does not count commits has no commits, not zero. Counts are never negative, so a day has activity where a sum has.
-- Grain: usage_date, platform, user_email. Inputs: fct_usage_daily.
SELECT
  usage_date,
  platform,
  user_email,
  COALESCE(SUM(requests), 0) + COALESCE(SUM(loc_added), 0) + COALESCE(SUM(loc_removed), 0) + COALESCE(SUM(suggestions_shown), 0)
  + COALESCE(SUM(sessions), 0) + COALESCE(SUM(messages), 0) + COALESCE(SUM(conversations), 0) > 0 AS is_active,
  COUNT(requests) + COUNT(sessions) + COUNT(loc_added) + COUNT(suggestions_shown) + COUNT(messages) + COUNT(conversations) > 0 AS has_activity,
  SUM(input_tokens) AS input_tokens,
  SUM(output_tokens) AS output_tokens,
  SUM(cache_read_tokens) AS cache_read_tokens,
  SUM(cache_write_tokens) AS cache_write_tokens,
  SUM(requests) AS requests,
  SUM(sessions) AS sessions,
  SUM(loc_added) AS loc_added,
  SUM(loc_accepted) AS loc_accepted,
  SUM(loc_removed) AS loc_removed,
  SUM(suggestions_shown) AS suggestions_shown,
  SUM(suggestions_accepted) AS suggestions_accepted,
  SUM(suggestions_rejected) AS suggestions_rejected,
  SUM(commits) AS commits,
  SUM(pull_requests) AS pull_requests,
  SUM(web_searches) AS web_searches,
  SUM(conversations) AS conversations,
  SUM(messages) AS messages,
  SUM(projects) AS projects,
  SUM(files) AS files,
  SUM(included_usd) AS included_usd,
  SUM(estimated_usd) AS estimated_usd,
  SUM(list_usd) AS list_usd,
  @processed_at AS processed_at
FROM fct_usage_daily
WHERE usage_date BETWEEN @start_date AND @end_date
GROUP BY usage_date, platform, user_email
