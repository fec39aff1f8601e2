-- Versions that counted at the moment on which a month, closed now, was closed: `--as-of` that moment reads them again.
-- Grain: version_fetch_id. Inputs: stg_closed_months, raw_fetches.
WITH counted AS (
  SELECT f.version_fetch_id
  FROM stg_closed_months AS k
  INNER JOIN raw_fetches AS f ON k.as_of >= f.fetched_at
  WHERE f.state IN ('complete', 'empty')
  QUALIFY
    ROW_NUMBER() OVER (PARTITION BY k.closing_id, f.source, f.endpoint, f.usage_date ORDER BY f.fetched_at DESC, f.fetch_id DESC) = 1
)

SELECT DISTINCT version_fetch_id
FROM counted
