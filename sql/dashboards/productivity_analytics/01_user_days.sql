-- Grain: day x platform x department x person. Additive: everything but active_person (count it distinct).
-- NULL is unknown: a platform that does not report lines adds nothing to lines, and its cost is not set against them.
SELECT
  usage_date,
  platform,
  department,
  user_email,
  user_name,
  CASE WHEN LOGICAL_OR(is_active) AND user_email <> '(unattributed)' THEN user_email END AS active_person,
  CASE WHEN LOGICAL_OR(is_active) THEN usage_date END AS active_day,
  SUM(loc_accepted) AS loc_accepted,
  SUM(COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected)) AS suggestions_decided,
  SUM(CASE
    WHEN COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected) IS NOT NULL THEN suggestions_accepted
  END) AS suggestions_accepted,
  SUM(requests) AS requests,
  SUM(sessions) AS sessions,
  SUM(commits) AS commits,
  SUM(pull_requests) AS pull_requests,
  CASE
    WHEN COUNT(input_tokens) + COUNT(output_tokens) + COUNT(cache_read_tokens) + COUNT(cache_write_tokens) > 0
      THEN COALESCE(SUM(input_tokens), 0) + COALESCE(SUM(output_tokens), 0) + COALESCE(SUM(cache_read_tokens), 0)
        + COALESCE(SUM(cache_write_tokens), 0)
  END AS tokens,
  SUM(CASE WHEN loc_accepted IS NOT NULL THEN cost_usd END) AS cost_with_lines_usd
FROM vw_productivity_metrics
GROUP BY usage_date, platform, department, user_email, user_name
