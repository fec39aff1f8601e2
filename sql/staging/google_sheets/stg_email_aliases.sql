-- Which written e-mail belongs to which person. Case and plus-tags are folded before the look-up, on both sides.
-- An alias that two people claim at once belongs to neither, and neither does the main address of somebody whose row holds on days on which another
-- row has it as an alias: both are listed. An alias of somebody who is an alias follows on to the end, over at most eight steps; what has no end by
-- then, such as a circle, is listed and belongs to nobody.
-- Grain: alias. Inputs: raw_sheet_people, stg_snapshots.
WITH people AS (
  SELECT
    REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@') AS email,
    REGEXP_REPLACE(COALESCE(p.aliases, ''), r'[;,\s]+', ';') AS aliases,
    COALESCE(p.valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(p.valid_to, DATE '9999-12-31') AS valid_to
  FROM raw_sheet_people AS p
  INNER JOIN stg_snapshots AS s ON p.fetch_id = s.version_fetch_id
  WHERE s.source = 'google_sheets' AND s.endpoint = 'people'
),

written AS (
  SELECT DISTINCT
    email,
    REGEXP_REPLACE(LOWER(TRIM(alias)), r'\+[^@]*@', '@') AS alias,
    valid_from,
    valid_to
  FROM people, UNNEST(SPLIT(aliases, ';')) AS alias
),

claimed AS (
  SELECT
    w.alias,
    MIN(w.email) AS email
  FROM written AS w
  WHERE w.alias != '' AND w.alias != w.email
  GROUP BY w.alias
  HAVING COUNT(DISTINCT w.email) = 1
),

-- Rows of one person under an old address and a new one follow each other; at once they are two people.
at_once AS (
  SELECT DISTINCT w.alias
  FROM written AS w
  INNER JOIN people AS p ON w.alias = p.email AND w.email != p.email
  WHERE w.valid_from <= p.valid_to AND p.valid_from <= w.valid_to
),

sure AS (
  SELECT
    c.alias,
    c.email
  FROM claimed AS c
  LEFT JOIN at_once AS x ON c.alias = x.alias
  WHERE x.alias IS NULL
),

-- Each of these is twice as many steps as the one before.
two_steps AS (
  SELECT
    a.alias,
    COALESCE(b.email, a.email) AS email
  FROM sure AS a
  LEFT JOIN sure AS b ON a.email = b.alias
),

four_steps AS (
  SELECT
    a.alias,
    COALESCE(b.email, a.email) AS email
  FROM two_steps AS a
  LEFT JOIN two_steps AS b ON a.email = b.alias
),

eight_steps AS (
  SELECT
    a.alias,
    COALESCE(b.email, a.email) AS email
  FROM four_steps AS a
  LEFT JOIN four_steps AS b ON a.email = b.alias
)

SELECT
  e.alias,
  e.email
FROM eight_steps AS e
LEFT JOIN sure AS s ON e.email = s.alias
WHERE s.alias IS NULL
