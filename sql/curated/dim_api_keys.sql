-- API keys and service accounts, and who answers for them when. Where the sheet names an owner for a period it wins;
-- elsewhere the vendor's creator stands. Keys that only the sheet knows are kept under `sheet:` and their name.
-- Every day that is held counts, and every directory that was read, so that no order of runs matters and a key that a vendor no longer lists
-- stays known. Grain: api_key_id, valid_from. Inputs: raw_sheet_api_keys, stg_keys, stg_snapshots, stg_email_aliases.
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
    api_key_id,
    api_key_name,
    platform,
    workspace_id,
    creator_email AS written_creator,
    is_active,
    seen_on
  FROM stg_keys
),

listed AS (
  SELECT
    s.api_key_id,
    s.platform,
    ANY_VALUE(s.workspace_id HAVING MAX s.seen_on) AS workspace_id,
    ANY_VALUE(s.api_key_name HAVING MAX s.seen_on) AS api_key_name,
    ANY_VALUE(s.is_active HAVING MAX s.seen_on) AS is_active,
    MIN(COALESCE(a.email, NULLIF(REGEXP_REPLACE(LOWER(TRIM(s.written_creator)), r'\+[^@]*@', '@'), ''))) AS creator_email
  FROM seen AS s
  LEFT JOIN stg_email_aliases AS a ON REGEXP_REPLACE(LOWER(TRIM(s.written_creator)), r'\+[^@]*@', '@') = a.alias
  GROUP BY s.api_key_id, s.platform
),

keys AS (
  SELECT
    api_key_id,
    api_key_name,
    platform,
    workspace_id,
    creator_email,
    is_active
  FROM listed
  UNION ALL
  SELECT DISTINCT
    CONCAT('sheet:', o.api_key_name) AS api_key_id,
    o.api_key_name,
    CAST(NULL AS STRING) AS platform,
    CAST(NULL AS STRING) AS workspace_id,
    CAST(NULL AS STRING) AS creator_email,
    CAST(NULL AS BOOL) AS is_active
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
  k.creator_email,
  o.description,
  k.is_active,
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
