-- For each endpoint that is asked about days, and each UTC day since its source's first: what is held, or why nothing is.
-- A day that was read before it ended is open: a part of it is held, and the whole must still be read. A day that could not be proved is failed,
-- whatever is held of it. Files claim only the days that they hold.
-- Grain: source, endpoint, usage_date. Inputs: raw_fetches, stg_current_fetches, stg_endpoints, held_back.
WITH asked AS (
  SELECT
    f.source,
    f.endpoint,
    -- Only some keys may read these, and only some days: they begin when they were first read, and end when they were last.
    COALESCE(e.is_by_permission, FALSE) AS has_own_days,
    MIN(f.usage_date) AS first_day,
    MAX(f.usage_date) AS last_day
  FROM raw_fetches AS f
  LEFT JOIN stg_endpoints AS e ON f.source = e.source AND f.endpoint = e.endpoint
  WHERE f.window_start IS NOT NULL AND f.origin = 'api' AND DATE(COALESCE(f.told_at, f.fetched_at)) > f.usage_date
  GROUP BY f.source, f.endpoint, COALESCE(e.is_by_permission, FALSE)
),

sources AS (
  SELECT
    source,
    MIN(first_day) AS first_day,
    MAX(last_day) AS last_day
  FROM asked
  WHERE NOT has_own_days
  GROUP BY source
),

spans AS (
  SELECT
    a.source,
    a.endpoint,
    CASE WHEN a.has_own_days THEN a.first_day ELSE s.first_day END AS first_day,
    CASE WHEN a.has_own_days THEN a.last_day ELSE s.last_day END AS last_day
  FROM asked AS a
  LEFT JOIN sources AS s ON a.source = s.source
),

days AS (
  SELECT
    s.source,
    s.endpoint,
    usage_date
  FROM spans AS s
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(s.first_day, s.last_day)) AS usage_date
  UNION DISTINCT
  SELECT
    source,
    endpoint,
    usage_date
  FROM raw_fetches
  WHERE window_start IS NOT NULL AND origin = 'upload' AND state IN ('complete', 'empty')
),

failures AS (
  SELECT
    source,
    endpoint,
    usage_date,
    state,
    fetched_at,
    error
  FROM raw_fetches
  WHERE state IN ('failed', 'refused')
  QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at DESC, fetch_id DESC) = 1
),

unproved AS (
  SELECT
    source,
    endpoint,
    usage_date,
    found_at,
    reason
  FROM held_back
  QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY found_at DESC, reason) = 1
)

SELECT
  d.source,
  d.endpoint,
  d.usage_date,
  CASE
    WHEN h.fetch_id IS NULL AND f.fetched_at IS NULL THEN 'missing'
    WHEN h.fetch_id IS NULL THEN f.state
    WHEN b.reason IS NOT NULL THEN 'failed'
    WHEN h.origin = 'api' AND DATE(h.told_at) <= d.usage_date THEN 'open'
    ELSE h.state
  END AS state,
  h.origin,
  h.row_count,
  h.rejected_count,
  h.vendor_total_usd,
  COALESCE(h.unknown_money_count, 0) AS unknown_money_count,
  r.content_sha256,
  h.fetch_id,
  h.version_fetch_id,
  h.fetched_at,
  CASE WHEN h.fetch_id IS NULL OR f.fetched_at > h.told_at THEN f.fetched_at ELSE b.found_at END AS failed_at,
  CASE WHEN h.fetch_id IS NULL OR f.fetched_at > h.told_at THEN f.error ELSE b.reason END AS error
FROM days AS d
LEFT JOIN stg_current_fetches AS h ON d.source = h.source AND d.endpoint = h.endpoint AND d.usage_date = h.usage_date
LEFT JOIN raw_fetches AS r ON h.fetch_id = r.fetch_id AND h.usage_date = r.usage_date
LEFT JOIN failures AS f ON d.source = f.source AND d.endpoint = f.endpoint AND d.usage_date = f.usage_date
LEFT JOIN unproved AS b ON d.source = b.source AND d.endpoint = b.endpoint AND d.usage_date = b.usage_date
