-- Which endpoints failed when they were last asked. A day that failed and was read later is well again; a directory is well when its last
-- reading succeeded, whatever its day. Only sources that are on. What was read and could not be proved has
-- failed too. Inputs: raw_fetches, held_back.
WITH latest AS (
  SELECT
    source,
    endpoint,
    usage_date,
    state,
    fetched_at,
    error
  FROM raw_fetches
  WHERE usage_date BETWEEN @start_date AND @as_of_date AND source IN UNNEST(@sources)
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY source, endpoint, CASE WHEN window_start IS NOT NULL THEN usage_date END
      ORDER BY fetched_at DESC, CASE WHEN state = 'failed' THEN 1 ELSE 0 END DESC, fetch_id DESC
    ) = 1
),

failures AS (
  SELECT
    source,
    endpoint,
    usage_date,
    fetched_at,
    error
  FROM latest
  WHERE state = 'failed'
  UNION DISTINCT
  SELECT
    source,
    endpoint,
    usage_date,
    found_at AS fetched_at,
    reason AS error
  FROM held_back
  WHERE usage_date BETWEEN @start_date AND @as_of_date AND source IN UNNEST(@sources)
)

SELECT
  CONCAT(source, '/', endpoint) AS cause_key,
  CONCAT(source, ' ', endpoint) AS subject,
  1 AS level,
  CAST(COUNT(DISTINCT usage_date) AS NUMERIC) AS figure,
  CAST(0 AS NUMERIC) AS usual,
  'days' AS unit,
  ANY_VALUE(error HAVING MAX fetched_at) AS likely_reason,
  MIN(DATE(fetched_at)) AS since,
  MIN(usage_date) AS first_day,
  MAX(usage_date) AS last_day,
  CAST(NULL AS STRING) AS mover,
  CAST(NULL AS NUMERIC) AS mover_figure,
  CAST(NULL AS STRING) AS mover_unit,
  1 AS mover_rank
FROM failures
GROUP BY source, endpoint
