-- Grain: day x platform x department x person. Additive: everything but active_person (count it distinct).
-- NULL is unknown: a platform that does not report lines adds nothing to lines, and its cost is not set against them.
SELECT
  usage_date,
  platform,
  department,
  user_email,
  user_name,
  CASE WHEN active_days > 0 THEN user_email END AS active_person,
  CASE WHEN is_active THEN usage_date END AS active_day,
  active_days,
  loc_accepted,
  COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected) AS suggestions_decided,
  CASE
    WHEN COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected) IS NOT NULL THEN suggestions_accepted
  END AS suggestions_accepted,
  requests,
  sessions,
  commits,
  pull_requests,
  total_tokens,
  CASE WHEN cacheable_tokens IS NOT NULL THEN cache_read_tokens END AS cache_read_tokens,
  cacheable_tokens,
  cost_usd,
  cost_with_days_usd,
  cost_with_lines_usd,
  cost_with_commits_usd,
  cost_with_tokens_usd
FROM vw_platform_roi
