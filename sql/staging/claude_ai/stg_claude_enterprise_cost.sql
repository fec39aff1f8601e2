-- What Claude Enterprise bills beyond seats, by the person who used it. A deleted user has no e-mail: the cost stays, nobody's.
-- Days inside a range for which claude.ai's spend report counts are left out. A day settles after 30 days.
-- Grain: cost_date, platform, user_email, model, token_type, attribution. Inputs: raw_claude_enterprise_cost, stg_current_fetches, stg_set_aside.
WITH lines AS (
  SELECT
    r.usage_date AS cost_date,
    CASE WHEN r.product IN ('claude_code', 'cc_security_autopatch') THEN 'claude_code' ELSE 'claude_ai' END AS platform,
    r.service_account_id AS api_key_id,
    r.actor_email AS user_email,
    r.model,
    COALESCE(r.token_type, r.cost_type) AS token_type,
    r.amount_usd
  FROM raw_claude_enterprise_cost AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'claude_enterprise' AND f.endpoint = 'analytics/cost'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
)

SELECT
  cost_date,
  platform,
  'Anthropic' AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  api_key_id,
  user_email,
  model,
  'usage' AS cost_type,
  token_type,
  SUM(amount_usd) AS cost_usd,
  CASE WHEN api_key_id IS NULL AND user_email IS NULL THEN 'unattributed' ELSE 'direct' END AS attribution,
  DATE_ADD(cost_date, INTERVAL 30 DAY) AS settled_on,
  'claude_enterprise_cost' AS source
FROM lines
GROUP BY cost_date, platform, api_key_id, user_email, model, token_type
