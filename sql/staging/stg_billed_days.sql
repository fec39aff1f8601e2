-- Days of which a source that bills has told the bill, in any of its reports. Files that somebody uploads claim only their own days, so a source
-- known by files alone is none that could be missing. Grain: source, usage_date. Inputs: stg_current_fetches, raw_fetches.
SELECT DISTINCT
  source,
  usage_date
FROM stg_current_fetches
WHERE vendor_total_usd IS NOT NULL AND source IN (SELECT source FROM raw_fetches WHERE origin = 'api')
