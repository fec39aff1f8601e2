-- Grain: month x platform x person with more than one account. Additive: extra_accounts, extra_yearly_usd.
SELECT
  month,
  platform,
  department,
  user_email,
  account_names,
  extra_accounts,
  extra_yearly_usd
FROM vw_seats
WHERE extra_accounts > 0
