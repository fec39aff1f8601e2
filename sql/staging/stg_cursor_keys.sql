-- Cursor's service accounts, learned from the events that they make: every name that an account had on a day, and the account's e-mail where the
-- day's events agree on one. Grain: one service account, name and day. Inputs: stg_cursor_events.
WITH used AS (
  SELECT
    e.usage_date,
    e.service_account_id,
    e.service_account_name,
    LOWER(TRIM(e.user_email)) AS user_email
  FROM stg_cursor_events AS e
  WHERE LOWER(TRIM(e.service_account_id)) NOT IN ('', 'null', 'none', 'undefined', 'n/a', '#n/a')
),

emails AS (
  SELECT
    usage_date,
    service_account_id,
    CASE WHEN COUNT(DISTINCT user_email) = 1 THEN MIN(user_email) END AS email
  FROM used
  GROUP BY usage_date, service_account_id
)

SELECT DISTINCT
  u.service_account_id AS api_key_id,
  u.service_account_name AS api_key_name,
  'cursor' AS platform,
  CAST(NULL AS STRING) AS workspace_id,
  e.email AS creator_email,
  CAST(NULL AS BOOL) AS is_active,
  u.usage_date AS seen_on,
  FALSE AS is_directory
FROM used AS u
INNER JOIN emails AS e ON u.usage_date = e.usage_date AND u.service_account_id = e.service_account_id
