-- Who held a Cursor seat on which day: members that daily-usage-data lists for the day, inactive ones included. Somebody who has since been
-- removed counts on the days of actual use only, since Cursor does not say when the removal was.
-- Grain: seat_date, platform, user_email. Inputs: raw_cursor_usage, raw_cursor_members, stg_current_fetches, stg_snapshots.
WITH removed AS (
  SELECT DISTINCT LOWER(TRIM(m.email)) AS email
  FROM raw_cursor_members AS m
  INNER JOIN stg_snapshots AS s ON m.fetch_id = s.version_fetch_id
  WHERE s.source = 'cursor' AND s.endpoint = 'members' AND m.is_removed
)

SELECT DISTINCT
  r.usage_date AS seat_date,
  'cursor' AS platform,
  LOWER(TRIM(r.email)) AS user_email
FROM raw_cursor_usage AS r
INNER JOIN stg_current_fetches AS f
  ON
    r.fetch_id = f.version_fetch_id
    AND r.usage_date = f.usage_date
    AND f.source = 'cursor'
    AND f.endpoint = 'daily-usage-data'
LEFT JOIN removed AS x ON LOWER(TRIM(r.email)) = x.email
WHERE r.usage_date BETWEEN @start_date AND @end_date AND r.email IS NOT NULL AND (x.email IS NULL OR COALESCE(r.is_active, FALSE))
