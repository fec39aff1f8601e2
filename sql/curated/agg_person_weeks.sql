-- Who was active on a platform in a week. Whole ISO weeks: a run of some days writes the weeks that they touch. Nobody known is nobody.
-- Grain: week, platform, user_email. Inputs: agg_person_days.
SELECT
  CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE) AS week,
  platform,
  user_email,
  COUNT(*) AS active_days,
  MAX(usage_date) AS last_active_date,
  @processed_at AS processed_at
FROM agg_person_days
WHERE usage_date BETWEEN @start_date AND @end_date AND is_active AND user_email IS NOT NULL
GROUP BY CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE), platform, user_email
