-- Grain: row of the sheet's tab. Additive: amount_usd.
SELECT
  adjustment_date,
  platform,
  cost_type,
  user_email,
  author,
  reason,
  amount_usd
FROM vw_adjustments
