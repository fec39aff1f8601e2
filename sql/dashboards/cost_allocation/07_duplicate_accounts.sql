-- Grain: month x platform x person with more than one account. Additive: extra_accounts, extra_usd_per_year.
SELECT
  month,
  platform,
  department,
  user_email,
  account_names,
  extra_accounts,
  extra_usd_per_year
FROM vw_seats
WHERE extra_accounts > 0
