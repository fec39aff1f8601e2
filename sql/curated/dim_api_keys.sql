-- API keys and service accounts, and who answers for them when. Where the sheet names an owner for a period it wins;
-- elsewhere the vendor's creator stands. Keys that only the sheet knows are kept under `sheet:` and their name.
-- Service accounts are those of every day held, so that no order of runs matters. Grain: api_key_id, valid_from.
-- Inputs: raw_sheet_api_keys, raw_cursor_events, stg_current_fetches, stg_snapshots, stg_email_aliases.
WITH written AS (
  SELECT
    r.sheet_row,
    r.api_key_name,
    REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@') AS written_email,
    r.description,
    COALESCE(r.valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(r.valid_to, DATE '9999-12-31') AS valid_to
  FROM raw_sheet_api_keys AS r
  INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'api_keys'
),

owners AS (
  SELECT
    w.sheet_row,
    w.api_key_name,
    COALESCE(a.email, w.written_email) AS email,
    w.description,
    w.valid_from,
    w.valid_to
  FROM written AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
),

seen AS (
  SELECT
    e.service_account_id AS api_key_id,
    e.service_account_name AS api_key_name,
    'cursor' AS platform,
    CAST(NULL AS STRING) AS workspace_id,
    COALESCE(a.email, REGEXP_REPLACE(LOWER(TRIM(e.user_email)), r'\+[^@]*@', '@')) AS creator_email,
    e.event_at AS seen_at
  FROM raw_cursor_events AS e
  INNER JOIN stg_current_fetches AS f ON e.fetch_id = f.version_fetch_id AND e.usage_date = f.usage_date
  LEFT JOIN stg_email_aliases AS a ON REGEXP_REPLACE(LOWER(TRIM(e.user_email)), r'\+[^@]*@', '@') = a.alias
  WHERE
    e.service_account_id IS NOT NULL
    AND f.source = 'cursor'
    AND f.endpoint = 'filtered-usage-events'
),

listed AS (
  SELECT
    api_key_id,
    platform,
    MAX(workspace_id) AS workspace_id,
    ANY_VALUE(api_key_name HAVING MAX seen_at) AS api_key_name,
    MIN(creator_email) AS creator_email
  FROM seen
  GROUP BY api_key_id, platform
),

keys AS (
  SELECT
    api_key_id,
    api_key_name,
    platform,
    workspace_id,
    creator_email
  FROM listed
  UNION ALL
  SELECT DISTINCT
    CONCAT('sheet:', o.api_key_name) AS api_key_id,
    o.api_key_name,
    CAST(NULL AS STRING) AS platform,
    CAST(NULL AS STRING) AS workspace_id,
    CAST(NULL AS STRING) AS creator_email
  FROM owners AS o
  LEFT JOIN listed AS l ON o.api_key_name = l.api_key_name
  WHERE l.api_key_id IS NULL
),

edges AS (
  SELECT api_key_id, DATE '1900-01-01' AS begins FROM keys
  UNION DISTINCT
  SELECT k.api_key_id, o.valid_from AS begins FROM keys AS k INNER JOIN owners AS o ON k.api_key_name = o.api_key_name
  UNION DISTINCT
  SELECT k.api_key_id, DATE_ADD(o.valid_to, INTERVAL 1 DAY) AS begins
  FROM keys AS k
  INNER JOIN owners AS o ON k.api_key_name = o.api_key_name
  WHERE o.valid_to < DATE '9999-12-31'
),

periods AS (
  SELECT
    api_key_id,
    begins,
    COALESCE(
      DATE_SUB(LEAD(begins) OVER (PARTITION BY api_key_id ORDER BY begins), INTERVAL 1 DAY), DATE '9999-12-31'
    ) AS ends
  FROM edges
)

SELECT
  k.api_key_id,
  k.api_key_name,
  k.platform,
  k.workspace_id,
  COALESCE(o.email, k.creator_email) AS email,
  o.description,
  CAST(NULL AS BOOL) AS is_active,
  p.begins AS valid_from,
  p.ends AS valid_to,
  CASE
    WHEN o.email IS NOT NULL THEN 'sheet'
    WHEN k.creator_email IS NOT NULL THEN 'vendor_creator'
    ELSE 'none'
  END AS owner_source
FROM periods AS p
INNER JOIN keys AS k ON p.api_key_id = k.api_key_id
LEFT JOIN owners AS o ON k.api_key_name = o.api_key_name AND p.begins BETWEEN o.valid_from AND o.valid_to
QUALIFY ROW_NUMBER() OVER (PARTITION BY p.api_key_id, p.begins ORDER BY o.valid_from DESC, o.sheet_row DESC) = 1
