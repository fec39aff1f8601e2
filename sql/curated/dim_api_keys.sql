-- API keys and service accounts, and who answers for them when. A row of the sheet names a key by id or by name: the name means the key that
-- bore it on the day, otherwise the only key that ever bore it. Where the sheet names an owner for a period it wins; elsewhere the vendor's creator
-- of that day stands. Where a name means several keys, nobody is the owner and candidates names the keys; so it is where two rows of the sheet begin
-- on one day with different owners, unless an owner was read before them, who stands. Which key bears a name when stands in stg_key_bearers.
-- Keys that only the sheet knows are kept under `sheet:` and their name. Every day that is held counts, and every directory that was read, so that no
-- order of runs matters and a key that a vendor no longer lists stays known.
-- Grain: api_key_id, valid_from. Inputs: stg_sheet_api_keys_rows, stg_sheet_repeats, raw_sheet_api_keys, stg_keys, stg_key_bearers, stg_snapshots,
-- stg_email_aliases.
WITH told AS (
  SELECT
    TRIM(api_key_name) AS key_text,
    email,
    description,
    COALESCE(valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(valid_to, DATE '9999-12-31') AS valid_to
  FROM stg_sheet_api_keys_rows
),

-- Rows that contradict each other, where nothing was read before them.
open_rows AS (
  SELECT
    TRIM(r.api_key_name) AS key_text,
    r.email,
    r.description,
    COALESCE(r.valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(r.valid_to, DATE '9999-12-31') AS valid_to
  FROM raw_sheet_api_keys AS r
  INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id AND s.source = 'google_sheets' AND s.endpoint = 'api_keys'
  INNER JOIN stg_sheet_repeats AS p ON s.endpoint = p.tab AND r.sheet_row = p.sheet_row AND p.is_disputed
  LEFT JOIN told AS t ON TRIM(r.api_key_name) = t.key_text AND COALESCE(r.valid_from, DATE '1900-01-01') = t.valid_from
  WHERE t.key_text IS NULL
),

owners AS (
  SELECT
    w.key_text,
    COALESCE(a.email, w.written_email) AS email,
    w.description,
    w.valid_from,
    w.valid_to
  FROM (
    SELECT
      *,
      REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS written_email
    FROM (
      SELECT * FROM told
      UNION ALL
      SELECT * FROM open_rows
    ) AS rows_that_count
  ) AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
),

seen AS (
  SELECT
    k.api_key_id,
    k.api_key_name,
    k.platform,
    k.workspace_id,
    COALESCE(a.email, k.creator_email) AS creator_email,
    k.is_active,
    k.seen_on
  FROM stg_keys AS k
  LEFT JOIN stg_email_aliases AS a ON k.creator_email = a.alias
),

-- One row for each key and day on which it was shown. What a day says in two ways is unknown.
days AS (
  SELECT
    *,
    LAG(seen_on) OVER (PARTITION BY api_key_id ORDER BY seen_on) AS before_on,
    LEAD(seen_on) OVER (PARTITION BY api_key_id ORDER BY seen_on) AS next_on
  FROM (
    SELECT
      api_key_id,
      seen_on,
      LOGICAL_OR(is_active) AS is_active,
      CASE WHEN COUNT(DISTINCT platform) = 1 THEN MIN(platform) END AS platform,
      CASE WHEN COUNT(DISTINCT COALESCE(workspace_id, '')) = 1 THEN MIN(workspace_id) END AS workspace_id,
      CASE WHEN COUNT(DISTINCT creator_email) = 1 THEN MIN(creator_email) END AS creator_email
    FROM seen
    GROUP BY api_key_id, seen_on
  ) AS said
),

borne AS (
  SELECT
    api_key_id,
    api_key_name,
    valid_from AS begins,
    valid_to AS ends
  FROM stg_key_bearers
  WHERE valid_from IS NOT NULL
),

-- Runs of days that say the same, so that the joins below see changes and not days.
creators AS (
  SELECT
    api_key_id,
    MIN(begins) AS begins,
    MAX(ends) AS ends,
    MIN(creator_email) AS creator_email
  FROM (
    SELECT
      *,
      SUM(is_new) OVER (PARTITION BY api_key_id ORDER BY begins) AS run
    FROM (
      SELECT
        api_key_id,
        creator_email,
        -- Before a key was first shown, it was whoever's it was then.
        CASE WHEN before_on IS NULL THEN DATE '1900-01-01' ELSE seen_on END AS begins,
        COALESCE(DATE_SUB(next_on, INTERVAL 1 DAY), DATE '9999-12-31') AS ends,
        CASE
          WHEN before_on IS NOT NULL
            AND COALESCE(LAG(creator_email) OVER (PARTITION BY api_key_id ORDER BY seen_on), '') = COALESCE(creator_email, '')
            THEN 0
          ELSE 1
        END AS is_new
      FROM days
    ) AS marked
  ) AS numbered
  GROUP BY api_key_id, run
),

ever AS (
  SELECT
    s.api_key_id,
    s.api_key_name,
    n.bearers,
    n.candidates
  FROM (SELECT DISTINCT api_key_id, api_key_name FROM stg_key_bearers) AS s
  INNER JOIN (
    SELECT
      api_key_name,
      COUNT(DISTINCT api_key_id) AS bearers,
      STRING_AGG(DISTINCT api_key_id, ', ' ORDER BY api_key_id) AS candidates
    FROM stg_key_bearers
    GROUP BY api_key_name
  ) AS n ON s.api_key_name = n.api_key_name
),

latest_names AS (
  SELECT
    s.api_key_id,
    -- Names that one day shows together are shown together.
    STRING_AGG(DISTINCT s.api_key_name, ' / ' ORDER BY s.api_key_name) AS api_key_name
  FROM seen AS s
  INNER JOIN (
    SELECT
      api_key_id,
      MAX(seen_on) AS seen_on
    FROM seen
    WHERE api_key_name IS NOT NULL
    GROUP BY api_key_id
  ) AS m ON s.api_key_id = m.api_key_id AND s.seen_on = m.seen_on
  GROUP BY s.api_key_id
),

keys AS (
  SELECT
    d.api_key_id,
    n.api_key_name,
    d.platform,
    d.workspace_id,
    d.is_active
  FROM days AS d
  LEFT JOIN latest_names AS n ON d.api_key_id = n.api_key_id
  WHERE d.next_on IS NULL
  UNION ALL
  SELECT DISTINCT
    CONCAT('sheet:', o.key_text) AS api_key_id,
    o.key_text AS api_key_name,
    CAST(NULL AS STRING) AS platform,
    CAST(NULL AS STRING) AS workspace_id,
    CAST(NULL AS BOOL) AS is_active
  FROM owners AS o
  LEFT JOIN (
    SELECT api_key_name AS key_text FROM ever
    UNION DISTINCT
    SELECT api_key_id AS key_text FROM days
  ) AS l ON o.key_text = l.key_text
  WHERE l.key_text IS NULL
),

-- Rows of the sheet beside the keys that they may mean.
meant AS (
  SELECT k.api_key_id, o.key_text, o.email, o.description, o.valid_from, o.valid_to, TRUE AS is_id
  FROM keys AS k
  INNER JOIN owners AS o ON k.api_key_id = o.key_text
  UNION ALL
  SELECT k.api_key_id, o.key_text, o.email, o.description, o.valid_from, o.valid_to, TRUE AS is_id
  FROM keys AS k
  INNER JOIN owners AS o ON k.api_key_id = CONCAT('sheet:', o.key_text)
  UNION ALL
  SELECT e.api_key_id, o.key_text, o.email, o.description, o.valid_from, o.valid_to, FALSE AS is_id
  FROM ever AS e
  INNER JOIN owners AS o ON e.api_key_name = o.key_text
),

edges AS (
  SELECT api_key_id, DATE '1900-01-01' AS begins FROM keys
  UNION DISTINCT
  SELECT api_key_id, begins FROM creators
  UNION DISTINCT
  SELECT api_key_id, valid_from AS begins FROM meant
  UNION DISTINCT
  SELECT api_key_id, DATE_ADD(valid_to, INTERVAL 1 DAY) AS begins FROM meant WHERE valid_to < DATE '9999-12-31'
  UNION DISTINCT
  SELECT m.api_key_id, b.begins FROM meant AS m INNER JOIN borne AS b ON m.key_text = b.api_key_name WHERE NOT m.is_id
  UNION DISTINCT
  SELECT m.api_key_id, DATE_ADD(b.ends, INTERVAL 1 DAY) AS begins
  FROM meant AS m
  INNER JOIN borne AS b ON m.key_text = b.api_key_name
  WHERE NOT m.is_id AND b.ends < DATE '9999-12-31'
),

periods AS (
  SELECT
    api_key_id,
    begins,
    COALESCE(
      DATE_SUB(LEAD(begins) OVER (PARTITION BY api_key_id ORDER BY begins), INTERVAL 1 DAY), DATE '9999-12-31'
    ) AS ends
  FROM edges
),

-- Who bore, on the first day of a period, a name that the sheet uses.
bearing AS (
  SELECT
    p.api_key_id,
    p.begins,
    b.api_key_name,
    COUNT(DISTINCT b.api_key_id) AS bearers,
    COUNTIF(b.api_key_id = p.api_key_id) > 0 AS is_own,
    STRING_AGG(DISTINCT b.api_key_id, ', ' ORDER BY b.api_key_id) AS candidates
  FROM periods AS p
  INNER JOIN (SELECT DISTINCT api_key_id, key_text FROM meant WHERE NOT is_id) AS m ON p.api_key_id = m.api_key_id
  INNER JOIN borne AS b ON m.key_text = b.api_key_name AND p.begins BETWEEN b.begins AND b.ends
  GROUP BY p.api_key_id, p.begins, b.api_key_name
),

-- A row of the sheet that gives its key by id comes before one by the name of the day, and that before one by a name of other days.
claims AS (
  SELECT
    p.api_key_id,
    p.begins,
    m.email,
    m.description,
    m.key_text,
    m.valid_from,
    CASE WHEN m.is_id THEN 1 WHEN b.is_own THEN 2 ELSE 3 END AS place,
    CASE WHEN m.is_id THEN 1 WHEN b.is_own THEN b.bearers ELSE e.bearers END AS bearers,
    CASE WHEN m.is_id THEN m.api_key_id WHEN b.is_own THEN b.candidates ELSE e.candidates END AS candidates
  FROM periods AS p
  INNER JOIN meant AS m ON p.api_key_id = m.api_key_id AND p.begins BETWEEN m.valid_from AND m.valid_to
  LEFT JOIN bearing AS b ON p.api_key_id = b.api_key_id AND p.begins = b.begins AND CASE WHEN NOT m.is_id THEN m.key_text END = b.api_key_name
  LEFT JOIN ever AS e ON p.api_key_id = e.api_key_id AND CASE WHEN NOT m.is_id THEN m.key_text END = e.api_key_name
  -- A name that other keys bear on the day means them.
  WHERE m.is_id OR b.api_key_id IS NULL OR b.is_own
),

decided AS (
  SELECT
    api_key_id,
    begins,
    MAX(bearers) > 1 OR COUNT(DISTINCT email) > 1 AS is_ambiguous,
    MIN(email) AS email,
    MIN(description) AS description,
    MIN(key_text) AS key_text,
    MIN(candidates) AS candidates
  FROM (
    SELECT *
    FROM claims
    QUALIFY RANK() OVER (PARTITION BY api_key_id, begins ORDER BY place, valid_from DESC) = 1
  ) AS first_claims
  GROUP BY api_key_id, begins
),

owned AS (
  SELECT
    p.api_key_id,
    p.begins,
    p.ends,
    CASE
      WHEN COALESCE(d.is_ambiguous, FALSE) THEN CAST(NULL AS STRING)
      ELSE COALESCE(d.email, c.creator_email)
    END AS email,
    c.creator_email,
    CASE WHEN NOT d.is_ambiguous THEN d.description END AS description,
    CASE
      WHEN d.is_ambiguous THEN 'ambiguous'
      WHEN d.email IS NOT NULL THEN 'sheet'
      WHEN c.creator_email IS NOT NULL THEN 'vendor_creator'
      ELSE 'none'
    END AS owner_source,
    d.key_text AS sheet_name,
    CASE WHEN d.is_ambiguous THEN d.candidates END AS candidates
  FROM periods AS p
  LEFT JOIN decided AS d ON p.api_key_id = d.api_key_id AND p.begins = d.begins
  LEFT JOIN creators AS c ON p.api_key_id = c.api_key_id AND p.begins BETWEEN c.begins AND c.ends
),

-- Neighbours that say the same are one period.
numbered AS (
  SELECT
    *,
    SUM(is_new) OVER (PARTITION BY api_key_id ORDER BY begins) AS run
  FROM (
    SELECT
      *,
      CASE WHEN LAG(said) OVER (PARTITION BY api_key_id ORDER BY begins) = said THEN 0 ELSE 1 END AS is_new
    FROM (
      SELECT
        *,
        CONCAT(
          TO_HEX(SHA256(COALESCE(email, ''))), TO_HEX(SHA256(COALESCE(creator_email, ''))), TO_HEX(SHA256(COALESCE(description, ''))),
          TO_HEX(SHA256(COALESCE(sheet_name, ''))), owner_source, COALESCE(candidates, '')
        ) AS said
      FROM owned
    ) AS hashed
  ) AS marked
)

SELECT
  k.api_key_id,
  k.api_key_name,
  k.platform,
  k.workspace_id,
  n.email,
  n.creator_email,
  n.description,
  k.is_active,
  MIN(n.begins) AS valid_from,
  MAX(n.ends) AS valid_to,
  n.owner_source,
  n.sheet_name,
  n.candidates
FROM numbered AS n
INNER JOIN keys AS k ON n.api_key_id = k.api_key_id
GROUP BY
  k.api_key_id, k.api_key_name, k.platform, k.workspace_id, n.email, n.creator_email, n.description, k.is_active, n.owner_source, n.sheet_name,
  n.candidates, n.run
