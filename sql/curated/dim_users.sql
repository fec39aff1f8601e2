-- People and services: one row each. Directories are read whole (they are small); usage and cost only for the day range, since whoever was
-- seen before is in the table already. created_at is a minimum, so any order of days gives the same table.
-- A service is an address that the sheet calls one, or that a vendor shows only as that of a service account and lists among no people.
-- Grain: user_id. Inputs: fct_usage_daily, fct_cost_daily, raw_sheet_people, raw_sheet_api_keys, raw_sheet_subscriptions,
-- stg_people, stg_snapshots, stg_email_aliases, dim_user_assignments, dim_api_keys, dim_users (itself).
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
  -- A table that was written before labels were told from addresses still holds them.
  WHERE STRPOS(email, '@') > 0
),

people AS (
  SELECT
    COALESCE(a.email, w.written_email) AS email,
    MIN(w.seen_on) AS first_seen_on
  FROM written AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
  GROUP BY COALESCE(a.email, w.written_email)
),

sheet_rows AS (
  SELECT
    REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@') AS written_email,
    p.first_name,
    p.last_name,
    CASE WHEN LOWER(TRIM(p.kind)) IN ('person', 'service') THEN LOWER(TRIM(p.kind)) END AS kind,
    COALESCE(p.valid_from, DATE '1900-01-01') AS valid_from,
    p.sheet_row
  FROM raw_sheet_people AS p
  INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'people'
),

named AS (
  SELECT
    written_email AS email,
    first_name,
    last_name
  FROM sheet_rows
  QUALIFY ROW_NUMBER() OVER (PARTITION BY written_email ORDER BY valid_from DESC, sheet_row DESC) = 1
),

-- Of the rows that say anything, the one that began last; two that began on one day and disagree say nothing.
kinds AS (
  SELECT
    email,
    CASE WHEN COUNT(DISTINCT kind) = 1 THEN MIN(kind) END AS kind
  FROM (
    SELECT
      COALESCE(a.email, r.written_email) AS email,
      r.kind
    FROM sheet_rows AS r
    LEFT JOIN stg_email_aliases AS a ON r.written_email = a.alias
    WHERE r.kind IS NOT NULL
    QUALIFY RANK() OVER (PARTITION BY COALESCE(a.email, r.written_email) ORDER BY r.valid_from DESC) = 1
  ) AS latest
  GROUP BY email
),

-- A name is a label, which decides nothing: of two that vendors give one address, the first in the alphabet; the sheet's stands before both.
members AS (
  SELECT
    COALESCE(a.email, w.email) AS email,
    MIN(w.name) AS name,
    LOGICAL_OR(w.is_active) AS is_active
  FROM stg_people AS w
  LEFT JOIN stg_email_aliases AS a ON w.email = a.alias
  GROUP BY COALESCE(a.email, w.email)
),

-- Where no list of people is held, nobody can be missing from it.
service_accounts AS (
  SELECT DISTINCT k.creator_email AS email
  FROM dim_api_keys AS k
  LEFT JOIN members AS m ON k.creator_email = m.email
  WHERE m.email IS NULL AND (SELECT COUNT(*) FROM members) > 0
)

SELECT
  TO_HEX(SHA256(p.email)) AS user_id,
  p.email,
  COALESCE(n.first_name, REGEXP_EXTRACT(m.name, r'^(\S+)')) AS first_name,
  COALESCE(n.last_name, REGEXP_EXTRACT(m.name, r'^\S+\s+(.+)$')) AS last_name,
  d.department,
  d.cost_center,
  m.is_active,
  COALESCE(s.kind, CASE WHEN v.email IS NOT NULL THEN 'service' ELSE 'person' END) AS kind,
  TIMESTAMP(p.first_seen_on) AS created_at,
  @processed_at AS updated_at
FROM people AS p
LEFT JOIN named AS n ON p.email = n.email
LEFT JOIN kinds AS s ON p.email = s.email
LEFT JOIN members AS m ON p.email = m.email
LEFT JOIN service_accounts AS v ON p.email = v.email
LEFT JOIN dim_user_assignments AS d ON p.email = d.email AND @as_of_date BETWEEN d.valid_from AND d.valid_to
