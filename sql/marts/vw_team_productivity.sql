-- What groups of people did in a week, without anybody's name: groups of fewer than 3 active people are left out.
-- Grain: ISO week, platform, department. Rows do not overlap, so that no difference of two rows shows a single person.
-- Inputs: vw_productivity_metrics.
SELECT
  CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE) AS week,
  platform,
  department,
  COUNT(DISTINCT CASE WHEN is_active AND user_email <> '(unattributed)' THEN user_email END) AS people,
  SUM(loc_accepted) AS loc_accepted,
  SUM(COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected)) AS suggestions_decided,
  SUM(CASE
    WHEN COALESCE(suggestions_shown, suggestions_accepted + suggestions_rejected) IS NOT NULL THEN suggestions_accepted
  END) AS suggestions_accepted,
  SUM(requests) AS requests,
  SUM(sessions) AS sessions,
  SUM(commits) AS commits,
  SUM(pull_requests) AS pull_requests
FROM vw_productivity_metrics
GROUP BY CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE), platform, department
HAVING COUNT(DISTINCT CASE WHEN is_active AND user_email <> '(unattributed)' THEN user_email END) >= 3
