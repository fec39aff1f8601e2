-- Rows of the sheet, as it is now, that leave open who is meant: a name that several keys bear, an address that two people claim, aliases that lead
-- in a circle, a kind that is none or that another row of the person and day contradicts; and addresses that look like a machine's and count as
-- people. Names that match nothing and rows that contradict each other in what else they say are in sheet_issues.
-- Nothing of it is decided: the rows that are clear count. Grain: one doubt of one row.
-- Inputs: raw_sheet_api_keys, raw_sheet_people, stg_snapshots, stg_email_aliases, dim_api_keys, dim_users.
WITH key_rows AS (
  SELECT
    r.sheet_row,
    TRIM(r.api_key_name) AS key_text,
    REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@') AS email,
    COALESCE(r.valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(r.valid_to, DATE '9999-12-31') AS valid_to,
    s.fetched_at
  FROM raw_sheet_api_keys AS r
  INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'api_keys'
),

people_rows AS (
  SELECT
    p.sheet_row,
    REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@') AS email,
    p.kind,
    REGEXP_REPLACE(COALESCE(p.aliases, ''), r'[;,\s]+', ';') AS aliases,
    COALESCE(p.valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(p.valid_to, DATE '9999-12-31') AS valid_to,
    s.fetched_at
  FROM raw_sheet_people AS p
  INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'people'
),

ambiguous AS (
  SELECT DISTINCT
    r.sheet_row,
    r.key_text,
    r.fetched_at,
    k.candidates
  FROM key_rows AS r
  INNER JOIN dim_api_keys AS k
    ON r.key_text = k.sheet_name AND STRPOS(k.candidates, ',') > 0 AND r.valid_from <= k.valid_to AND r.valid_to >= k.valid_from
),

aliases AS (
  SELECT
    sheet_row,
    email,
    REGEXP_REPLACE(LOWER(TRIM(alias)), r'\+[^@]*@', '@') AS alias,
    valid_from,
    valid_to,
    fetched_at
  FROM people_rows, UNNEST(SPLIT(aliases, ';')) AS alias
),

-- What rows say of a person's kind, whichever of the person's rows and addresses it is.
kinds AS (
  SELECT
    r.sheet_row,
    COALESCE(a.email, r.email) AS email,
    LOWER(TRIM(r.kind)) AS kind,
    r.valid_from,
    r.fetched_at
  FROM people_rows AS r
  LEFT JOIN stg_email_aliases AS a ON r.email = a.alias
  WHERE LOWER(TRIM(r.kind)) IN ('person', 'service')
),

claims AS (
  SELECT DISTINCT
    'people' AS tab, a.sheet_row, 'aliases' AS column_name, a.alias AS value,
    CONCAT('is claimed by ', o.email, ' too, in row ', CAST(o.sheet_row AS STRING)) AS reason,
    'Give the address to one person; until then it belongs to neither.' AS remedy, a.fetched_at AS seen_at
  FROM aliases AS a
  INNER JOIN aliases AS o ON a.alias = o.alias AND a.email != o.email
  WHERE a.alias != '' AND a.alias != a.email AND o.alias != o.email
  UNION ALL
  SELECT DISTINCT
    'people', a.sheet_row, 'aliases', a.alias,
    CONCAT('is the main address of row ', CAST(o.sheet_row AS STRING), ', which holds on the same days'),
    'Take it out of the aliases, or end the other row with valid_to before this one begins.', a.fetched_at
  FROM aliases AS a
  INNER JOIN people_rows AS o ON a.alias = o.email AND a.email != o.email AND a.valid_from <= o.valid_to AND a.valid_to >= o.valid_from
),

doubts AS (
  SELECT
    'api_keys' AS tab, sheet_row, 'api_key_name' AS column_name, key_text AS value, CONCAT('is the name of several keys: ', candidates) AS reason,
    'Write the id of the key that is meant, one row for each key.' AS remedy, fetched_at AS seen_at
  FROM ambiguous
  UNION ALL
  SELECT
    tab,
    sheet_row,
    column_name,
    value,
    reason,
    remedy,
    seen_at
  FROM claims
  UNION ALL
  SELECT DISTINCT
    'people', a.sheet_row, 'aliases', a.alias, 'leads from alias to alias in a circle or over more than eight steps, so it belongs to nobody',
    'Write the address into the aliases of the row that is the person.', a.fetched_at
  FROM aliases AS a
  LEFT JOIN stg_email_aliases AS e ON a.alias = e.alias
  LEFT JOIN claims AS c ON a.alias = c.value
  WHERE a.alias != '' AND a.alias != a.email AND e.alias IS NULL AND c.value IS NULL
  UNION ALL
  SELECT
    'people', sheet_row, 'kind', kind, 'is neither person nor service', 'Write person or service, or leave it empty.', fetched_at
  FROM people_rows
  WHERE kind IS NOT NULL AND LOWER(TRIM(kind)) NOT IN ('person', 'service')
  UNION ALL
  SELECT DISTINCT
    'people', k.sheet_row, 'kind', k.kind,
    CONCAT('is contradicted by row ', CAST(o.sheet_row AS STRING), ', which says ', o.kind, ' of the same person and begins on the same day'),
    'Say the same in both rows, or give the later one its own valid_from; until then neither counts.', k.fetched_at
  FROM kinds AS k
  INNER JOIN kinds AS o ON k.email = o.email AND k.valid_from = o.valid_from AND k.kind != o.kind
  UNION ALL
  SELECT
    'people', r.sheet_row, 'email', u.email, 'looks like the address of a machine and counts as a person',
    'Write service or person into the column kind of this address, in a row of its own if it has none.', u.updated_at
  FROM dim_users AS u
  LEFT JOIN (SELECT email, MIN(sheet_row) AS sheet_row FROM people_rows GROUP BY email) AS r ON u.email = r.email
  LEFT JOIN (SELECT DISTINCT email FROM kinds) AS k ON u.email = k.email
  WHERE
    u.kind = 'person'
    AND k.email IS NULL
    AND REGEXP_CONTAINS(
      u.email, r'^([^@]*[._-])?(bot|robot|svc|service|ci|cicd|noreply|no-reply|automation|pipeline|deploy|cron|jenkins)[0-9]*([._-][^@]*)?@'
    )
)

SELECT
  tab,
  sheet_row,
  column_name,
  value,
  reason,
  remedy,
  seen_at
FROM doubts
