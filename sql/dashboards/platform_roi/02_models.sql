-- Grain: day x platform x department x model. Additive. Seats belong to no model and are not in it.
SELECT
  usage_date,
  platform,
  department,
  model,
  requests,
  total_tokens,
  cost_usd,
  CASE WHEN total_tokens IS NOT NULL THEN cost_usd END AS cost_with_tokens_usd
FROM vw_model_mix
