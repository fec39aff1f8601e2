-- Records of current versions that could not be used, counted by what is wrong with them. The payloads are in raw_rejects.
-- Grain: source, endpoint, usage_date, column_name, reason. Inputs: raw_rejects, raw_fetches, stg_current_fetches, stg_snapshots.
WITH counted AS (
  SELECT
    c.source,
    c.endpoint,
    c.usage_date,
    c.version_fetch_id
  FROM stg_current_fetches AS c
  INNER JOIN raw_fetches AS f ON c.fetch_id = f.fetch_id
  LEFT JOIN stg_snapshots AS s ON c.source = s.source AND c.endpoint = s.endpoint AND c.usage_date = s.usage_date
  WHERE f.window_start IS NOT NULL OR s.version_fetch_id IS NOT NULL
)

SELECT
  r.source,
  r.endpoint,
  c.usage_date,
  COALESCE(r.column_name, '(record)') AS column_name,
  r.reason,
  r.remedy,
  COUNT(*) AS broken_rules
FROM raw_rejects AS r
INNER JOIN counted AS c ON r.fetch_id = c.version_fetch_id
GROUP BY r.source, r.endpoint, c.usage_date, COALESCE(r.column_name, '(record)'), r.reason, r.remedy
