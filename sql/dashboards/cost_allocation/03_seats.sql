-- Grain: month x platform x person or service with a seat, or nobody. Additive: accounts, seat_usd, idle_usd. Count the holders distinct.
SELECT
  a.month,
  a.platform,
  a.department,
  a.user_email,
  -- A seat of a person's own on a platform whose vendor names no holders is one account.
  CASE WHEN a.seat_state <> 'unheld' THEN COALESCE(s.accounts, 1) END AS accounts,
  CASE WHEN a.seat_state IN ('used', 'idle') AND a.user_kind = 'person' THEN a.user_email END AS holder,
  CASE WHEN a.seat_state = 'used' AND a.user_kind = 'person' THEN a.user_email END AS holder_who_used_it,
  CASE WHEN a.seat_state = 'idle' AND a.user_kind = 'person' THEN a.user_email END AS idle_holder,
  a.seat_usd,
  a.idle_usd
FROM vw_adoption AS a
LEFT JOIN vw_seats AS s ON a.month = s.month AND a.platform = s.platform AND a.user_email = s.user_email
WHERE a.seat_state <> 'no_seat'
