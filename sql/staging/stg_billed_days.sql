-- Days of which a source that bills has told the bill. A second report that only some keys may read tells it where it knows of money; where it says
-- that nothing happened, the report that every key may read has the word, where the source has one: its day may have failed.
-- Files that somebody uploads claim only their own days, so a source known by files alone is none that could be missing.
-- Grain: source, usage_date. Inputs: stg_current_fetches, raw_fetches, stg_endpoints.
WITH told AS (
  SELECT
    f.source,
    f.usage_date,
    f.vendor_total_usd,
    COALESCE(e.is_by_permission, FALSE) AS is_second
  FROM stg_current_fetches AS f
  LEFT JOIN stg_endpoints AS e ON f.source = e.source AND f.endpoint = e.endpoint
  WHERE f.vendor_total_usd IS NOT NULL AND f.source IN (SELECT source FROM raw_fetches WHERE origin = 'api')
),

first_reports AS (
  SELECT DISTINCT source
  FROM told
  WHERE NOT is_second
)

SELECT DISTINCT
  t.source,
  t.usage_date
FROM told AS t
LEFT JOIN first_reports AS r ON t.source = r.source
WHERE NOT t.is_second OR t.vendor_total_usd != 0 OR r.source IS NULL
