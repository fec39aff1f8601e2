-- Cursor's service accounts, learned from the events that they make. Grain: one service account and day.
-- Inputs: stg_cursor_events.
SELECT
  e.service_account_id AS api_key_id,
  MAX(e.service_account_name) AS api_key_name,
  'cursor' AS platform,
  CAST(NULL AS STRING) AS workspace_id,
  MIN(LOWER(TRIM(e.user_email))) AS creator_email,
  CAST(NULL AS BOOL) AS is_active,
  e.usage_date AS seen_on,
  FALSE AS is_directory
FROM stg_cursor_events AS e
WHERE e.service_account_id IS NOT NULL
GROUP BY e.service_account_id, e.usage_date
