-- Endpoints of which more than @share of the records could not be used, over the days looked at; of directories the latest reading counts.
-- Inputs: stg_current_fetches, raw_fetches, stg_snapshots, raw_rejects.
WITH counted AS (
  SELECT
    c.source,
    c.endpoint,
    c.usage_date,
    c.version_fetch_id,
    COALESCE(c.row_count, 0) AS rows_used,
    COALESCE(c.rejected_count, 0) AS rows_rejected
  FROM stg_current_fetches AS c
  INNER JOIN raw_fetches AS f ON c.fetch_id = f.fetch_id
  LEFT JOIN stg_snapshots AS s ON c.source = s.source AND c.endpoint = s.endpoint AND c.usage_date = s.usage_date
  WHERE (f.window_start IS NOT NULL AND c.usage_date BETWEEN @start_date AND @end_date) OR (f.window_start IS NULL AND s.version_fetch_id IS NOT NULL)
),

endpoints AS (
  SELECT
    source,
    endpoint,
    SUM(rows_used) AS rows_used,
    SUM(rows_rejected) AS rows_rejected,
    MIN(CASE WHEN rows_rejected > 0 THEN usage_date END) AS first_day,
    MAX(CASE WHEN rows_rejected > 0 THEN usage_date END) AS last_day
  FROM counted
  GROUP BY source, endpoint
),

reasons AS (
  SELECT
    c.source,
    c.endpoint,
    CONCAT(COALESCE(r.column_name, '(record)'), ': ', r.reason) AS mover,
    COUNT(*) AS broken
  FROM raw_rejects AS r
  INNER JOIN counted AS c ON r.fetch_id = c.version_fetch_id
  GROUP BY c.source, c.endpoint, CONCAT(COALESCE(r.column_name, '(record)'), ': ', r.reason)
)

SELECT
  CONCAT(e.source, '/', e.endpoint) AS cause_key,
  CONCAT(e.source, ' ', e.endpoint) AS subject,
  1 AS level,
  CAST(SAFE_DIVIDE(CAST(e.rows_rejected AS NUMERIC), CAST(e.rows_used + e.rows_rejected AS NUMERIC)) AS NUMERIC) AS figure,
  CAST(@share AS NUMERIC) AS usual,
  'share' AS unit,
  'The vendor changed a field, or somebody typed into the sheet what its columns do not hold.' AS likely_reason,
  e.first_day AS since,
  e.first_day,
  e.last_day,
  r.mover,
  CAST(r.broken AS NUMERIC) AS mover_figure,
  CASE WHEN r.mover IS NOT NULL THEN 'records' END AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY e.source, e.endpoint ORDER BY r.broken DESC, r.mover) AS mover_rank
FROM endpoints AS e
LEFT JOIN reasons AS r ON e.source = r.source AND e.endpoint = r.endpoint
WHERE CAST(e.rows_rejected AS NUMERIC) > CAST(CAST(e.rows_used + e.rows_rejected AS NUMERIC) * @share AS NUMERIC)
QUALIFY ROW_NUMBER() OVER (PARTITION BY e.source, e.endpoint ORDER BY r.broken DESC, r.mover) <= 3
