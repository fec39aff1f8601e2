-- Endpoints that are late, were never asked, or are refused although they bill or answered before, by the rule that the page and Metabase show.
-- One that failed is ingestion_failed's. A source of which nothing that is due was read is data_old's, once it is late. Inputs: vw_sources.
WITH endpoints AS (
  SELECT
    source,
    endpoint,
    state,
    due_day,
    last_held,
    lacking_since,
    reason,
    judged_at,
    COUNTIF(state != 'late') OVER (PARTITION BY source) > 0 AS has_others
  FROM vw_sources
  WHERE is_owed AND source IN UNNEST(@sources)
)

SELECT
  CONCAT(source, '/', endpoint) AS cause_key,
  CONCAT(source, ' ', endpoint) AS subject,
  1 AS level,
  CAST(DATE_DIFF(due_day, COALESCE(lacking_since, last_held, due_day), DAY) + 1 AS NUMERIC) AS figure,
  CAST(0 AS NUMERIC) AS usual,
  'days' AS unit,
  COALESCE(
    reason,
    CASE
      WHEN state = 'missing' THEN 'Nobody ever asked about these days: run them with ai-usage run --from DAY --to DAY.'
      ELSE 'No run has asked for what is due: look at the last runs in Dagster.'
    END
  ) AS likely_reason,
  DATE(judged_at) AS since,
  COALESCE(lacking_since, last_held, due_day) AS first_day,
  due_day AS last_day,
  state AS mover,
  CAST(NULL AS NUMERIC) AS mover_figure,
  CAST(NULL AS STRING) AS mover_unit,
  1 AS mover_rank
FROM endpoints
WHERE state IN ('missing', 'refused') OR (state = 'late' AND has_others)
