-- The version of each source, endpoint and UTC day that counts now: the latest that did not fail.
-- Grain: source, endpoint, usage_date. Inputs: raw_fetches.
SELECT
  source,
  endpoint,
  usage_date,
  fetch_id,
  version_fetch_id,
  fetched_at,
  COALESCE(told_at, fetched_at) AS told_at,
  state,
  origin,
  row_count,
  rejected_count,
  vendor_total_usd,
  unknown_money_count
FROM raw_fetches
WHERE state IN ('complete', 'empty')
QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY fetched_at DESC, fetch_id DESC) = 1
