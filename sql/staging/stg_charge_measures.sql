-- What the vendors' records say of a charge beside its price: how much was used, and what it is at list price. Keys are those of the cost rows:
-- `cost_source` names the staging model whose rows a measure belongs to. NULL where the vendor does not say.
-- Grain: usage_date, platform, workspace_id, api_key_id, user_email, model, token_type, cost_source. Inputs: stg_charges.
SELECT
  usage_date,
  platform,
  workspace_id,
  api_key_id,
  user_email,
  model,
  token_type,
  MAX(unit) AS unit,
  SUM(quantity) AS quantity,
  CASE WHEN COUNTIF(is_money) > 0 AND COUNTIF(is_money) = COUNTIF(is_money AND list_usd IS NOT NULL) THEN SUM(list_usd) END AS list_usd,
  cost_source
FROM stg_charges
GROUP BY usage_date, platform, workspace_id, api_key_id, user_email, model, token_type, cost_source
