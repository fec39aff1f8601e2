-- On how many days each person was active on a platform in a month, and what the platform told about these days at all.
-- Whole months: a run of some days writes the months that they touch. Grain: month, platform, user_email. Inputs: agg_person_days.
SELECT
  DATE_TRUNC(usage_date, MONTH) AS month,
  platform,
  user_email,
  COUNTIF(is_active) AS active_days,
  MAX(CASE WHEN is_active THEN usage_date END) AS last_active_date,
  MAX(usage_date) AS last_day,
  COUNTIF(has_activity) AS days_with_activity,
  COUNT(loc_accepted) AS days_with_lines,
  COUNT(commits) AS days_with_commits,
  COUNT(output_tokens) AS days_with_tokens,
  @processed_at AS processed_at
FROM agg_person_days
WHERE usage_date BETWEEN @start_date AND @end_date
GROUP BY DATE_TRUNC(usage_date, MONTH), platform, user_email
