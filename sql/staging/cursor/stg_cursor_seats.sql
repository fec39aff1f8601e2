-- Which Cursor accounts held a seat on which day: members that daily-usage-data lists for the day, inactive ones included. Somebody whom the list of
-- members of that day (before the first list, the first) calls removed holds none, but on days of actual use, since Cursor does not say when the
-- removal was. Grain: seat_date, platform, account. Inputs: raw_cursor_usage, raw_cursor_members, stg_current_fetches.
WITH listed AS (
  SELECT
    m.usage_date,
    LOWER(TRIM(m.email)) AS email,
    LOGICAL_AND(COALESCE(m.is_removed, FALSE)) AS is_removed
  FROM raw_cursor_members AS m
  INNER JOIN stg_current_fetches AS f
    ON m.fetch_id = f.version_fetch_id AND m.usage_date = f.usage_date AND f.source = 'cursor' AND f.endpoint = 'members'
  GROUP BY m.usage_date, LOWER(TRIM(m.email))
),

spans AS (
  SELECT
    email,
    is_removed,
    CASE WHEN ROW_NUMBER() OVER (PARTITION BY email ORDER BY usage_date) = 1 THEN DATE '1900-01-01' ELSE usage_date END AS begins,
    COALESCE(DATE_SUB(LEAD(usage_date) OVER (PARTITION BY email ORDER BY usage_date), INTERVAL 1 DAY), DATE '9999-12-31') AS ends
  FROM listed
)

SELECT DISTINCT
  r.usage_date AS seat_date,
  'cursor' AS platform,
  LOWER(TRIM(r.email)) AS account,
  LOWER(TRIM(r.email)) AS user_email
FROM raw_cursor_usage AS r
INNER JOIN stg_current_fetches AS f
  ON
    r.fetch_id = f.version_fetch_id
    AND r.usage_date = f.usage_date
    AND f.source = 'cursor'
    AND f.endpoint = 'daily-usage-data'
LEFT JOIN spans AS x ON LOWER(TRIM(r.email)) = x.email AND r.usage_date BETWEEN x.begins AND x.ends
WHERE
  r.usage_date BETWEEN @start_date AND @end_date
  AND r.email IS NOT NULL
  AND (NOT COALESCE(x.is_removed, FALSE) OR COALESCE(r.is_active, FALSE))
