-- People: one row each. Directories are read whole (they are small); usage and cost only for the day range, since whoever was
-- seen before is in the table already. created_at is a minimum, so any order of days gives the same table.
-- Grain: user_id. Inputs: fct_usage_daily, fct_cost_daily, raw_sheet_people, raw_sheet_api_keys, raw_sheet_subscriptions,
-- stg_people, stg_snapshots, stg_email_aliases, dim_user_assignments, dim_users (itself).
WITH seen AS (
  SELECT user_email AS email, usage_date AS seen_on FROM fct_usage_daily WHERE usage_date BETWEEN @start_date AND @end_date
  UNION ALL
  SELECT user_email AS email, cost_date AS seen_on FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date
  UNION ALL
  SELECT p.email, p.usage_date AS seen_on FROM raw_sheet_people AS p INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
  UNION ALL
  SELECT k.email, k.usage_date AS seen_on FROM raw_sheet_api_keys AS k INNER JOIN stg_snapshots AS s ON k.fetch_id = s.version_fetch_id
  UNION ALL
  SELECT b.email, b.usage_date AS seen_on
  FROM raw_sheet_subscriptions AS b
  INNER JOIN stg_snapshots AS s ON b.fetch_id = s.version_fetch_id
  UNION ALL
  SELECT email, seen_on FROM stg_people
  UNION ALL
  SELECT email, DATE(created_at) AS seen_on FROM dim_users
),

written AS (
  SELECT
    REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS written_email,
    seen_on
  FROM seen
  WHERE TRIM(email) != ''
),

people AS (
  SELECT
    COALESCE(a.email, w.written_email) AS email,
    MIN(w.seen_on) AS first_seen_on
  FROM written AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
  GROUP BY COALESCE(a.email, w.written_email)
),

named AS (
  SELECT
    REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@') AS email,
    p.first_name,
    p.last_name
  FROM raw_sheet_people AS p
  INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'people'
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@')
      ORDER BY COALESCE(p.valid_from, DATE '1900-01-01') DESC, p.sheet_row DESC
    ) = 1
),

members_written AS (
  SELECT
    REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS written_email,
    name,
    is_active
  FROM stg_people
),

members AS (
  SELECT
    COALESCE(a.email, w.written_email) AS email,
    MIN(w.name) AS name,
    LOGICAL_OR(w.is_active) AS is_active
  FROM members_written AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
  GROUP BY COALESCE(a.email, w.written_email)
)

SELECT
  TO_HEX(SHA256(p.email)) AS user_id,
  p.email,
  COALESCE(n.first_name, REGEXP_EXTRACT(m.name, r'^(\S+)')) AS first_name,
  COALESCE(n.last_name, REGEXP_EXTRACT(m.name, r'^\S+\s+(.+)$')) AS last_name,
  d.department,
  d.cost_center,
  m.is_active,
  TIMESTAMP(p.first_seen_on) AS created_at,
  @processed_at AS updated_at
FROM people AS p
LEFT JOIN named AS n ON p.email = n.email
LEFT JOIN members AS m ON p.email = m.email
LEFT JOIN dim_user_assignments AS d ON p.email = d.email AND @as_of_date BETWEEN d.valid_from AND d.valid_to
