-- Grain: month x platform x person of a saving. Additive within a month: monthly_usd, yearly_usd.
SELECT
  month,
  platform,
  department,
  user_email,
  saving,
  evidence,
  what_to_do,
  monthly_usd,
  yearly_usd
FROM vw_savings
