-- Grain: month x platform x person or service with a seat, or nobody. Additive: accounts, seat_usd, idle_usd. Count the holders distinct.
SELECT
  month,
  platform,
  department,
  user_email,
  accounts,
  CASE WHEN seat_state IN ('used', 'idle') AND user_kind = 'person' THEN user_email END AS holder,
  CASE WHEN seat_state = 'used' AND user_kind = 'person' THEN user_email END AS holder_who_used_it,
  CASE WHEN seat_state = 'idle' AND user_kind = 'person' THEN user_email END AS idle_holder,
  seat_usd,
  idle_usd
FROM vw_adoption
WHERE seat_state <> 'no_seat'
