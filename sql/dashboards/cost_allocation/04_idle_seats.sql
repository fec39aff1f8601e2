-- Grain: month x platform x person whose seat was not used, or nobody. Additive: idle_usd.
SELECT
  month,
  platform,
  department,
  user_email,
  seat_state,
  idle_usd,
  last_active_date
FROM vw_adoption
WHERE seat_state IN ('idle', 'unheld')
