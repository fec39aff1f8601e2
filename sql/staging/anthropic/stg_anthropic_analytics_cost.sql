-- Anthropic's bill by actor and key as analytics/cost tells it: nothing is split, the vendor names the payer of each line.
-- Days on which cost_report counts instead are left out. The default workspace is NULL as in the older report, so that a workspace keeps its name.
-- A day settles after 30 days. Grain: cost_date, workspace_id, api_key_id, user_email, model, cost_type, token_type, attribution.
-- Inputs: raw_anthropic_analytics_cost, stg_anthropic_users, stg_anthropic_workspaces, stg_current_fetches, stg_set_aside.
WITH lines AS (
  SELECT
    r.usage_date AS cost_date,
    CASE
      WHEN r.product IN ('claude_code', 'cc_security_autopatch') OR COALESCE(w.is_claude_code, FALSE) THEN 'claude_code'
      ELSE 'claude_api'
    END AS platform,
    CASE WHEN COALESCE(w.is_default, FALSE) THEN CAST(NULL AS STRING) ELSE r.workspace_id END AS workspace_id,
    COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
    COALESCE(r.actor_email, u.email) AS user_email,
    r.model,
    COALESCE(r.token_type, r.cost_type) AS token_type,
    r.amount_usd
  FROM raw_anthropic_analytics_cost AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'analytics/cost'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
  LEFT JOIN stg_anthropic_users AS u ON r.actor_user_id = u.user_id
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
)

SELECT
  cost_date,
  platform,
  'Anthropic' AS vendor,
  workspace_id,
  api_key_id,
  user_email,
  model,
  'usage' AS cost_type,
  token_type,
  SUM(amount_usd) AS cost_usd,
  CASE WHEN api_key_id IS NULL AND user_email IS NULL THEN 'unattributed' ELSE 'direct' END AS attribution,
  DATE_ADD(cost_date, INTERVAL 30 DAY) AS settled_on,
  'anthropic_analytics_cost' AS source
FROM lines
GROUP BY cost_date, platform, workspace_id, api_key_id, user_email, model, token_type
