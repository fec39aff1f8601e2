-- Seats that accounts hold at the vendor, by the person behind them, as of the last day of the month that is held. Who has three accounts takes three
-- seats and is one person; what the accounts beyond the first cost in a year is at the price of a seat of the sheet's blocks on that day, in US
-- dollars, the mean by seats where prices differ. Only platforms whose vendor names the holders. Grain: month, platform, user_email.
-- Inputs: stg_seats, stg_email_aliases, dim_user_assignments, stg_subscription_prices.
WITH last_days AS (
  SELECT
    platform,
    DATE_TRUNC(seat_date, MONTH) AS month,
    MAX(seat_date) AS seat_date
  FROM stg_seats
  GROUP BY platform, DATE_TRUNC(seat_date, MONTH)
),

held AS (
  SELECT
    l.month,
    w.seat_date,
    w.platform,
    COALESCE(a.email, w.user_email) AS user_email,
    COUNT(DISTINCT w.account) AS accounts,
    STRING_AGG(DISTINCT w.account, ', ' ORDER BY w.account) AS account_names
  FROM stg_seats AS w
  INNER JOIN last_days AS l ON w.platform = l.platform AND w.seat_date = l.seat_date
  LEFT JOIN stg_email_aliases AS a ON w.user_email = a.alias
  GROUP BY l.month, w.seat_date, w.platform, COALESCE(a.email, w.user_email)
),

prices AS (
  SELECT
    l.platform,
    l.month,
    CAST(SAFE_DIVIDE(SUM(CAST(r.price_usd * r.seats AS NUMERIC)), SUM(r.seats)) AS NUMERIC) AS seat_usd
  FROM last_days AS l
  INNER JOIN stg_subscription_prices AS r ON l.platform = r.platform AND r.email IS NULL AND l.seat_date BETWEEN r.valid_from AND r.valid_to
  GROUP BY l.platform, l.month
)

SELECT
  h.month,
  h.platform,
  COALESCE(d.department, '(no department)') AS department,
  h.user_email,
  h.accounts,
  h.account_names,
  h.accounts - 1 AS extra_accounts,
  CAST(p.seat_usd * (h.accounts - 1) * 12 AS NUMERIC) AS extra_yearly_usd
FROM held AS h
LEFT JOIN prices AS p ON h.platform = p.platform AND h.month = p.month
LEFT JOIN dim_user_assignments AS d ON h.user_email = d.email AND h.seat_date BETWEEN d.valid_from AND d.valid_to
