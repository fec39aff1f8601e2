-- Subscriptions with what a seat costs in US dollars and the days for which it does. A price in another currency is converted by the rate that the
-- tab fx_rates gives for the month: a row for each month with a rate, none for a month without.
-- Grain: sheet_row, valid_from. Inputs: stg_subscription_terms, stg_sheet_fx_rates_rows.
SELECT
  sheet_row, platform, email, seats, price_usd, currency, written_amount, CAST(NULL AS NUMERIC) AS usd_rate, valid_from, valid_to
FROM stg_subscription_terms
WHERE price_usd IS NOT NULL
UNION ALL
SELECT
  t.sheet_row,
  t.platform,
  t.email,
  t.seats,
  CAST(t.written_amount * x.usd AS NUMERIC) AS price_usd,
  t.currency,
  t.written_amount,
  x.usd AS usd_rate,
  GREATEST(t.valid_from, DATE_TRUNC(x.month, MONTH)) AS valid_from,
  LEAST(t.valid_to, LAST_DAY(x.month)) AS valid_to
FROM stg_subscription_terms AS t
INNER JOIN stg_sheet_fx_rates_rows AS x
  ON t.currency = x.currency AND DATE_TRUNC(x.month, MONTH) <= t.valid_to AND LAST_DAY(x.month) >= t.valid_from
WHERE t.price_usd IS NULL AND t.written_amount IS NOT NULL AND x.usd IS NOT NULL
