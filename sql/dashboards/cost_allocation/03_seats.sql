-- Grain: month x platform x person with a seat, or nobody. Additive: seat_usd, idle_usd. Count the holders distinct.
SELECT
  month,
  platform,
  department,
  user_email,
  CASE WHEN seat_state IN ('used', 'idle') THEN user_email END AS holder,
  CASE WHEN seat_state = 'used' THEN user_email END AS holder_who_used_it,
  CASE WHEN seat_state = 'idle' THEN user_email END AS idle_holder,
  seat_usd,
  idle_usd
FROM vw_adoption
WHERE seat_state <> 'no_seat'
