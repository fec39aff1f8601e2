-- Which key bears which name, and when: the one rule for every place where a name must become a key. A key bears the name that a list of keys shows,
-- from that list to the next; one that was switched off, until the list that says so. A name that a key had only while it was off has no days.
-- ai_usage/warehouse/models.py asks the same of the keys of one vendor alone. Grain: api_key_id, api_key_name, valid_from. Inputs: stg_keys.
WITH seen AS (
  SELECT
    api_key_id,
    api_key_name,
    seen_on,
    COALESCE(is_active, TRUE) AS bears
  FROM stg_keys
),

days AS (
  SELECT
    *,
    LAG(seen_on) OVER (PARTITION BY api_key_id ORDER BY seen_on) AS before_on,
    LEAD(seen_on) OVER (PARTITION BY api_key_id ORDER BY seen_on) AS next_on,
    LEAD(bears) OVER (PARTITION BY api_key_id ORDER BY seen_on) AS next_bears
  FROM (
    SELECT
      api_key_id,
      seen_on,
      LOGICAL_OR(bears) AS bears
    FROM seen
    GROUP BY api_key_id, seen_on
  ) AS said
),

named AS (
  SELECT DISTINCT
    s.api_key_id,
    s.api_key_name,
    s.seen_on,
    d.before_on,
    CASE
      WHEN d.next_on IS NULL THEN DATE '9999-12-31'
      WHEN d.next_bears THEN DATE_SUB(d.next_on, INTERVAL 1 DAY)
      ELSE d.next_on
    END AS until
  FROM seen AS s
  INNER JOIN days AS d ON s.api_key_id = d.api_key_id AND s.seen_on = d.seen_on
  WHERE d.bears AND s.api_key_name IS NOT NULL
),

-- Days in a row that show the same name are one period.
borne AS (
  SELECT
    api_key_id,
    api_key_name,
    MIN(seen_on) AS valid_from,
    MAX(until) AS valid_to
  FROM (
    SELECT
      *,
      SUM(is_new) OVER (PARTITION BY api_key_id, api_key_name ORDER BY seen_on) AS run
    FROM (
      SELECT
        *,
        CASE WHEN LAG(seen_on) OVER (PARTITION BY api_key_id, api_key_name ORDER BY seen_on) = before_on THEN 0 ELSE 1 END AS is_new
      FROM named
    ) AS marked
  ) AS numbered
  GROUP BY api_key_id, api_key_name, run
)

SELECT
  e.api_key_id,
  e.api_key_name,
  b.valid_from,
  b.valid_to
FROM (SELECT DISTINCT api_key_id, api_key_name FROM seen WHERE api_key_name IS NOT NULL) AS e
LEFT JOIN borne AS b ON e.api_key_id = b.api_key_id AND e.api_key_name = b.api_key_name
