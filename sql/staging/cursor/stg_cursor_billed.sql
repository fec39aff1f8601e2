-- What each version of Cursor's events bills, whether it counts or not.
-- Grain: one billed event of one fetch. Inputs: stg_cursor_event_versions.
SELECT
  'cursor' AS source,
  'filtered-usage-events' AS endpoint,
  fetch_id,
  usage_date AS version_day,
  usage_date AS billed_on,
  'cursor' AS platform,
  charged_usd AS usd
FROM stg_cursor_event_versions
WHERE usage_date BETWEEN @start_date AND @end_date AND billing = 'billed'
