-- Cursor's service accounts, learned from the events that they make: every name that an account had on a day, and the account's e-mail where the
-- day's events agree on one. Grain: one service account, name and day. Inputs: raw_cursor_events, stg_current_fetches.
WITH used AS (
  SELECT
    e.usage_date,
    e.service_account_id,
    e.service_account_name,
    CASE WHEN STRPOS(e.user_email, '@') > 0 THEN LOWER(TRIM(e.user_email)) END AS user_email
  FROM raw_cursor_events AS e
  INNER JOIN stg_current_fetches AS f
    ON
      e.fetch_id = f.version_fetch_id
      AND e.usage_date = f.usage_date
      AND f.source = 'cursor'
      AND f.endpoint = 'filtered-usage-events'
  -- Of all days, whatever days a run is about: a key that was used last year is a key.
  WHERE e.service_account_id IS NOT NULL
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
