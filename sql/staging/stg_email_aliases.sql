-- Which written e-mail belongs to which person. Case and plus-tags are folded before the look-up, on both sides.
-- An alias that two people claim goes to the upper row of the sheet; the identity check names both.
-- Grain: alias. Inputs: raw_sheet_people, stg_snapshots.
WITH people AS (
  SELECT
    p.sheet_row,
    REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@') AS email,
    REGEXP_REPLACE(COALESCE(p.aliases, ''), r'[;,\s]+', ';') AS aliases
  FROM raw_sheet_people AS p
  INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'people'
),

written AS (
  SELECT
    sheet_row,
    email,
    REGEXP_REPLACE(LOWER(TRIM(alias)), r'\+[^@]*@', '@') AS alias
  FROM people, UNNEST(SPLIT(aliases, ';')) AS alias
)

SELECT
  alias,
  email
FROM written
WHERE alias != '' AND alias != email
QUALIFY ROW_NUMBER() OVER (PARTITION BY alias ORDER BY sheet_row, email) = 1
