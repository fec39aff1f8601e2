-- What changed after a vendor first said it, and by whom: the vendor, or the rule that reads its records. Only days that a vendor reports on (a
-- window was asked), not snapshots; a day that was read before it ended was not said yet. A spend report of another range that ends on the same
-- day, or one taken back by a person, is no change by the vendor.
-- Grain: source, endpoint, usage_date, version_no. Inputs: raw_fetches, stg_set_aside, stg_endpoints.
WITH ended AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS place
  FROM raw_fetches
  WHERE state IN ('complete', 'empty') AND window_start IS NOT NULL AND (origin != 'api' OR DATE(COALESCE(told_at, fetched_at)) > usage_date)
),

said AS (
  SELECT
    *,
    LAG(content_sha256) OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS previous_sha256
  FROM ended
  -- The first one counts even when it equals what was read before the day ended.
  WHERE changed OR place = 1
),

versions AS (
  SELECT
    source,
    endpoint,
    usage_date,
    ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS version_no,
    fetched_at,
    LAG(fetched_at) OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS previous_fetched_at,
    state,
    window_start,
    LAG(state) OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS previous_state,
    LAG(window_start) OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS previous_window_start,
    row_count,
    LAG(row_count) OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id) AS previous_row_count,
    vendor_total_usd,
    LAG(vendor_total_usd) OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at, fetch_id)
      AS previous_vendor_total_usd,
    COALESCE(changed_by, 'vendor') AS changed_by
  FROM said
  -- Two loads at one moment publish one content twice: that is no restatement. The same rows totalled by another rule are one.
  WHERE previous_sha256 IS NULL OR previous_sha256 != content_sha256 OR changed_by = 'rule'
)

SELECT
  v.source,
  v.endpoint,
  v.usage_date,
  v.version_no,
  v.fetched_at,
  v.previous_fetched_at,
  v.state,
  v.row_count,
  v.previous_row_count,
  v.vendor_total_usd,
  v.previous_vendor_total_usd,
  v.vendor_total_usd - v.previous_vendor_total_usd AS change_usd,
  v.changed_by,
  x.usage_date IS NULL AS is_counted
FROM versions AS v
LEFT JOIN stg_set_aside AS x ON v.source = x.source AND v.endpoint = x.endpoint AND v.usage_date = x.usage_date
LEFT JOIN stg_endpoints AS e ON v.source = e.source AND v.endpoint = e.endpoint
WHERE
  v.version_no > 1
  AND (
    NOT COALESCE(e.is_whole_window, FALSE)
    OR (v.window_start = v.previous_window_start AND v.state = 'complete' AND v.previous_state = 'complete')
  )
