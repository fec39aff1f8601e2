-- Seats and flat fees: the month's price spread over all days of the calendar month, in whole 1e-9 USD; what the division
-- leaves over falls on the month's last day, so that a full month is the price to the last digit.
-- A row without valid_from counts from 2023-01-01. Grain: cost_date, platform, user_email. Inputs: raw_sheet_subscriptions, stg_snapshots.
WITH paid AS (
  SELECT
    r.platform,
    r.email,
    day,
    EXTRACT(DAY FROM LAST_DAY(day)) AS days_in_month,
    CAST(r.price_usd * 1000000000 AS INT64) * COALESCE(r.seats, 1) AS month_nano_usd,
    day = LAST_DAY(day) AS is_last_day
  FROM raw_sheet_subscriptions AS r
  INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id,
    UNNEST(
      GENERATE_DATE_ARRAY(
        COALESCE(r.valid_from, DATE '2023-01-01'), LEAST(COALESCE(r.valid_to, CURRENT_DATE()), CURRENT_DATE())
      )
    ) AS day
  WHERE s.source = 'google_sheets' AND s.endpoint = 'subscriptions'
),

parts AS (
  SELECT
    platform,
    email,
    day,
    CASE
      WHEN is_last_day THEN month_nano_usd - DIV(month_nano_usd, days_in_month) * (days_in_month - 1)
      ELSE DIV(month_nano_usd, days_in_month)
    END AS nano_usd
  FROM paid
)

SELECT
  day AS cost_date,
  platform,
  CASE
    WHEN platform = 'cursor' THEN 'Cursor'
    WHEN STARTS_WITH(platform, 'claude') THEN 'Anthropic'
    ELSE platform
  END AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS api_key_id,
  email AS user_email,
  CAST(NULL AS STRING) AS model,
  'subscription' AS cost_type,
  CAST(NULL AS STRING) AS token_type,
  CAST(CAST(SUM(nano_usd) AS NUMERIC) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS cost_usd,
  CASE WHEN email IS NULL THEN 'unattributed' ELSE 'seat' END AS attribution,
  day AS settled_on,
  'sheet_subscriptions' AS source
FROM parts
GROUP BY day, platform, email
