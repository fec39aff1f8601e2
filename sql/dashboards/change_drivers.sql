-- Grain: month, department, platform, person and part of the change. Additive within a month.
SELECT
  month,
  department,
  platform,
  user_email,
  driver,
  amount_usd
FROM vw_change_drivers
