-- For each endpoint: which days we hold, which failed, which the vendor refused, which nobody asked for. Snapshots are expected only on days they
-- were tried.
-- A file claims only the days that it has rows of: an endpoint that came by files alone misses none. A day that was read before it ended does
-- not count as asked.
-- Grain: source, endpoint. Inputs: raw_fetches, stg_current_fetches,
-- stg_set_aside, vw_sources.
WITH asked AS (
  SELECT
    source,
    endpoint,
    MIN(usage_date) AS first_day,
    MAX(usage_date) AS last_day,
    COUNT(DISTINCT usage_date) AS days_asked,
    LOGICAL_OR(window_start IS NOT NULL AND origin = 'api') AS has_window
  FROM raw_fetches
  WHERE window_start IS NULL OR origin != 'api' OR DATE(COALESCE(told_at, fetched_at)) > usage_date
  GROUP BY source, endpoint
),

held AS (
  SELECT
    f.source,
    f.endpoint,
    COUNTIF(f.state = 'complete') AS days_complete,
    COUNTIF(f.state = 'empty') AS days_empty,
    MAX(f.told_at) AS last_fetched_at,
    SUM(f.row_count) AS row_count,
    SUM(f.rejected_count) AS rejected_rows,
    SUM(f.vendor_total_usd) AS vendor_total_usd
  FROM stg_current_fetches AS f
  INNER JOIN asked AS a ON f.source = a.source AND f.endpoint = a.endpoint
  WHERE NOT a.has_window OR f.origin != 'api' OR DATE(f.told_at) > f.usage_date
  GROUP BY f.source, f.endpoint
),

-- Days that are not held and whose last attempt was refused.
refused AS (
  SELECT
    t.source,
    t.endpoint,
    COUNT(*) AS days_refused
  FROM (
    SELECT
      source,
      endpoint,
      usage_date,
      state
    FROM raw_fetches
    WHERE window_start IS NULL OR origin != 'api' OR DATE(fetched_at) > usage_date
    QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at DESC, fetch_id DESC) = 1
  ) AS t
  LEFT JOIN stg_current_fetches AS f ON t.source = f.source AND t.endpoint = f.endpoint AND t.usage_date = f.usage_date
  WHERE t.state = 'refused' AND f.usage_date IS NULL
  GROUP BY t.source, t.endpoint
),

aside AS (
  SELECT
    source,
    endpoint,
    COUNT(*) AS days_set_aside
  FROM stg_set_aside
  GROUP BY source, endpoint
)

SELECT
  a.source,
  a.endpoint,
  a.has_window AS is_daily,
  a.first_day,
  a.last_day,
  CASE WHEN a.has_window THEN DATE_DIFF(a.last_day, a.first_day, DAY) + 1 ELSE a.days_asked END AS days_expected,
  COALESCE(h.days_complete, 0) AS days_complete,
  COALESCE(h.days_empty, 0) AS days_empty,
  a.days_asked - COALESCE(h.days_complete, 0) - COALESCE(h.days_empty, 0) - COALESCE(r.days_refused, 0) AS days_failed,
  COALESCE(r.days_refused, 0) AS days_refused,
  CASE WHEN a.has_window THEN DATE_DIFF(a.last_day, a.first_day, DAY) + 1 - a.days_asked ELSE 0 END AS days_missing,
  h.last_fetched_at,
  h.row_count,
  h.rejected_rows,
  h.vendor_total_usd,
  COALESCE(x.days_set_aside, 0) AS days_set_aside,
  w.state,
  w.reason
FROM asked AS a
LEFT JOIN held AS h ON a.source = h.source AND a.endpoint = h.endpoint
LEFT JOIN refused AS r ON a.source = r.source AND a.endpoint = r.endpoint
LEFT JOIN aside AS x ON a.source = x.source AND a.endpoint = x.endpoint
LEFT JOIN vw_sources AS w ON a.source = w.source AND a.endpoint = w.endpoint
