-- Sources that are on and were last read, with success, more than @hours hours before @now: the clock alone can make this true.
-- Inputs: raw_fetches.
SELECT
  source AS cause_key,
  source AS subject,
  1 AS level,
  CAST(TIMESTAMP_DIFF(@now, MAX(COALESCE(told_at, fetched_at)), HOUR) AS NUMERIC) AS figure,
  CAST(@hours AS NUMERIC) AS usual,
  'hours' AS unit,
  'No run has read it with success since then: the schedule may be off, the machine may have slept, or every run failed.' AS likely_reason,
  MAX(DATE(COALESCE(told_at, fetched_at))) AS since,
  MAX(usage_date) AS first_day,
  @as_of_date AS last_day,
  CAST(NULL AS STRING) AS mover,
  CAST(NULL AS NUMERIC) AS mover_figure,
  CAST(NULL AS STRING) AS mover_unit,
  1 AS mover_rank
FROM raw_fetches
WHERE state IN ('complete', 'empty') AND origin = 'api' AND source IN UNNEST(@sources)
GROUP BY source
HAVING TIMESTAMP_DIFF(@now, MAX(COALESCE(told_at, fetched_at)), SECOND) > @hours * 3600
