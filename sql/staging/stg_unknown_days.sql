-- Days whose cost is not known whole: a source that bills has told other days and not this one. A comparison leaves them out, since a day that
-- a vendor failed to give looks like a day without cost. Grain: source, usage_date.
-- Inputs: stg_billed_days.
WITH billing AS (
  SELECT
    source,
    MIN(usage_date) AS first_day
  FROM stg_billed_days
  GROUP BY source
),

span AS (
  SELECT MAX(usage_date) AS last_day
  FROM stg_billed_days
)

SELECT
  b.source,
  day AS usage_date
FROM billing AS b
CROSS JOIN span AS s
CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(b.first_day, s.last_day)) AS day
LEFT JOIN stg_billed_days AS d ON b.source = d.source AND day = d.usage_date
WHERE d.usage_date IS NULL
