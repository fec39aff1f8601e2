-- Grain: month. Additive: the money.
SELECT
  month,
  settle_state,
  CASE
    WHEN closed_at IS NOT NULL THEN CONCAT('Closed by ', closed_by)
    WHEN settle_state = 'settled' THEN 'Can be closed'
    ELSE 'Still moving'
  END AS what_it_is,
  closed_at,
  booked_usd,
  corrections_usd,
  learned_later_usd
FROM vw_month_close
