-- The latest snapshot of each directory: members, sheet tabs, spend.
-- Grain: source, endpoint. Inputs: stg_current_fetches.
SELECT
  source,
  endpoint,
  usage_date,
  version_fetch_id,
  fetched_at
FROM stg_current_fetches
QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint ORDER BY usage_date DESC, fetched_at DESC) = 1
