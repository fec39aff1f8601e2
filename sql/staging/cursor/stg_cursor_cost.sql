-- Cursor's bill: the events that are billed, and no others. Included usage is not money.
-- A day settles two days after the billing cycle that holds it has ended; the cycle's day of month comes from /teams/spend.
-- Grain: cost_date, user_email, api_key_id, model. Inputs: stg_cursor_events, raw_cursor_spend, stg_snapshots.
WITH cycle AS (
  SELECT MAX(DATE(r.cycle_start_at)) AS started_on
  FROM raw_cursor_spend AS r
  INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
  WHERE s.source = 'cursor' AND s.endpoint = 'spend'
),

billed AS (
  SELECT
    usage_date,
    user_email,
    service_account_id,
    model,
    SUM(charged_usd) AS cost_usd
  FROM stg_cursor_events
  WHERE billing = 'billed'
  GROUP BY usage_date, user_email, service_account_id, model
)

SELECT
  b.usage_date AS cost_date,
  'cursor' AS platform,
  'Cursor' AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  b.service_account_id AS api_key_id,
  b.user_email,
  b.model,
  'usage' AS cost_type,
  CAST(NULL AS STRING) AS token_type,
  b.cost_usd,
  'direct' AS attribution,
  DATE_ADD(
    CASE
      WHEN c.started_on IS NULL THEN DATE_ADD(b.usage_date, INTERVAL 31 DAY)
      WHEN DATE_ADD(c.started_on, INTERVAL DATE_DIFF(b.usage_date, c.started_on, MONTH) MONTH) > b.usage_date
        THEN DATE_ADD(c.started_on, INTERVAL DATE_DIFF(b.usage_date, c.started_on, MONTH) MONTH)
      ELSE DATE_ADD(c.started_on, INTERVAL DATE_DIFF(b.usage_date, c.started_on, MONTH) + 1 MONTH)
    END, INTERVAL 2 DAY
  ) AS settled_on,
  'cursor_events' AS source
FROM billed AS b
CROSS JOIN cycle AS c
