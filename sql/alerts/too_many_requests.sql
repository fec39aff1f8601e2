-- Hours in which a vendor answered more than @answers times with 429. Inputs: vendor_requests.
WITH hours AS (
  SELECT
    source,
    hour,
    SUM(requests) AS answers
  FROM vendor_requests
  WHERE status = 429 AND DATE(hour) BETWEEN @start_date AND @as_of_date
  GROUP BY source, hour
),

causes AS (
  SELECT
    source,
    MAX(answers) AS answers,
    MIN(DATE(hour)) AS first_day,
    MAX(DATE(hour)) AS last_day
  FROM hours
  WHERE answers > @answers
  GROUP BY source
),

movers AS (
  SELECT
    source,
    endpoint,
    SUM(requests) AS answers
  FROM vendor_requests
  WHERE status = 429 AND DATE(hour) BETWEEN @start_date AND @as_of_date
  GROUP BY source, endpoint
)

SELECT
  c.source AS cause_key,
  c.source AS subject,
  1 AS level,
  CAST(c.answers AS NUMERIC) AS figure,
  CAST(@answers AS NUMERIC) AS usual,
  'requests' AS unit,
  'Another program uses the same key, or the vendor lowered its limit.' AS likely_reason,
  c.first_day AS since,
  c.first_day,
  c.last_day,
  m.endpoint AS mover,
  CAST(m.answers AS NUMERIC) AS mover_figure,
  'requests' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY c.source ORDER BY m.answers DESC, m.endpoint) AS mover_rank
FROM causes AS c
INNER JOIN movers AS m ON c.source = m.source
QUALIFY ROW_NUMBER() OVER (PARTITION BY c.source ORDER BY m.answers DESC, m.endpoint) <= 3
