-- Seats and flat fees. The month's price is spread over all days of the calendar month, in whole 1e-9 USD; what the division leaves over falls
-- on the month's last day, so that a full month is the price to the last digit. Where a price in another currency has no rate, there is no cost, and
-- sheet_issues names the row. A row without an end is paid until the last day that a run asked for, and no further.
-- A block of seats goes to the accounts that hold one on that day (stg_seats), a seat's price each, at the cost of the person behind the account: who
-- has three accounts holds three seats. A row of a person's own pays for one of the accounts. Seats that nobody holds stay unattributed. Where more
-- accounts hold a seat than were bought, they share the block evenly.
-- Grain: cost_date, platform, user_email, attribution.
-- Inputs: stg_subscription_prices, stg_last_day, stg_seats, stg_invoicing, stg_email_aliases.
WITH days AS (
  SELECT
    r.platform,
    REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@') AS written_email,
    r.seats,
    r.price_usd,
    day
  FROM stg_subscription_prices AS r
  CROSS JOIN stg_last_day AS l,
    UNNEST(GENERATE_DATE_ARRAY(GREATEST(r.valid_from, @start_date), LEAST(r.valid_to, l.last_day, @end_date))) AS day
),

-- NUMERIC, since a price times seats in 1e-9 may not fit 64 bits.
paid AS (
  SELECT
    d.platform,
    d.written_email,
    d.seats,
    d.day,
    EXTRACT(DAY FROM LAST_DAY(d.day)) AS days_in_month,
    CAST(d.price_usd * d.seats * 1000000000 AS NUMERIC) AS month_nano_usd,
    d.day = LAST_DAY(d.day) AS is_last_day
  FROM days AS d
),

parts AS (
  SELECT
    p.platform,
    COALESCE(a.email, p.written_email) AS user_email,
    p.seats,
    p.day,
    CASE
      WHEN p.is_last_day
        THEN p.month_nano_usd - CAST(DIV(CAST(p.month_nano_usd AS NUMERIC), CAST(p.days_in_month AS NUMERIC)) AS NUMERIC) * (p.days_in_month - 1)
      ELSE CAST(DIV(CAST(p.month_nano_usd AS NUMERIC), CAST(p.days_in_month AS NUMERIC)) AS NUMERIC)
    END AS nano_usd
  FROM paid AS p
  LEFT JOIN stg_email_aliases AS a ON p.written_email = a.alias
),

own AS (
  SELECT
    day,
    platform,
    user_email,
    COUNT(*) AS own_seats,
    SUM(nano_usd) AS nano_usd
  FROM parts
  WHERE user_email IS NOT NULL
  GROUP BY day, platform, user_email
),

blocks AS (
  SELECT
    day,
    platform,
    SUM(seats) AS seats,
    SUM(nano_usd) AS nano_usd
  FROM parts
  WHERE user_email IS NULL
  GROUP BY day, platform
),

holders AS (
  SELECT
    h.seat_date,
    h.platform,
    h.user_email,
    ROW_NUMBER() OVER (PARTITION BY h.seat_date, h.platform ORDER BY h.user_email, h.account) AS place,
    COUNT(*) OVER (PARTITION BY h.seat_date, h.platform) AS accounts
  FROM (
    SELECT
      w.seat_date,
      w.platform,
      w.account,
      COALESCE(a.email, w.user_email) AS user_email,
      ROW_NUMBER() OVER (PARTITION BY w.seat_date, w.platform, COALESCE(a.email, w.user_email) ORDER BY w.account) AS nth
    FROM stg_seats AS w
    LEFT JOIN stg_email_aliases AS a ON w.user_email = a.alias
  ) AS h
  LEFT JOIN own AS o ON h.seat_date = o.day AND h.platform = o.platform AND h.user_email = o.user_email
  WHERE h.nth > COALESCE(o.own_seats, 0)
),

held AS (
  SELECT
    b.day,
    b.platform,
    h.user_email,
    CAST(DIV(CAST(b.nano_usd AS NUMERIC), CAST(GREATEST(b.seats, h.accounts) AS NUMERIC)) AS NUMERIC)
    + CASE
      WHEN h.place = 1 AND h.accounts >= b.seats
        THEN b.nano_usd - CAST(DIV(CAST(b.nano_usd AS NUMERIC), CAST(GREATEST(b.seats, h.accounts) AS NUMERIC)) AS NUMERIC) * h.accounts
      ELSE CAST(0 AS NUMERIC)
    END AS nano_usd
  FROM blocks AS b
  INNER JOIN holders AS h ON b.day = h.seat_date AND b.platform = h.platform
),

idle AS (
  SELECT
    b.day,
    b.platform,
    b.nano_usd - COALESCE(t.nano_usd, CAST(0 AS NUMERIC)) AS nano_usd
  FROM blocks AS b
  LEFT JOIN (SELECT day, platform, SUM(nano_usd) AS nano_usd FROM held GROUP BY day, platform) AS t
    ON b.day = t.day AND b.platform = t.platform
),

lines AS (
  SELECT day, platform, user_email, 'seat' AS attribution, nano_usd FROM own
  UNION ALL
  SELECT day, platform, user_email, 'seat' AS attribution, nano_usd FROM held
  UNION ALL
  SELECT day, platform, CAST(NULL AS STRING) AS user_email, 'unattributed' AS attribution, nano_usd FROM idle WHERE nano_usd != 0
)

SELECT
  day AS cost_date,
  platform,
  COALESCE(MAX(v.vendor), platform) AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS api_key_id,
  user_email,
  CAST(NULL AS STRING) AS model,
  'subscription' AS cost_type,
  CAST(NULL AS STRING) AS token_type,
  CAST(SUM(nano_usd) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS cost_usd,
  attribution,
  day AS settled_on,
  'sheet_subscriptions' AS source
FROM lines
LEFT JOIN stg_invoicing AS v ON platform LIKE v.platform_like
GROUP BY day, platform, user_email, attribution
