-- What Anthropic's reports say of a charge beside its price: tokens and searches by the usage reports, list price by the analytics endpoint.
-- Priority-tier tokens are left out, since no cost report holds them.
-- Grain: one measure of one record. Inputs: raw_anthropic_usage, raw_anthropic_analytics_usage, raw_anthropic_analytics_cost,
-- raw_claude_enterprise_usage, raw_claude_enterprise_cost, stg_anthropic_users, stg_anthropic_workspaces, stg_current_fetches.
WITH used AS (
  SELECT
    r.usage_date,
    CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
    r.workspace_id,
    COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
    u.email AS user_email,
    r.model,
    r.uncached_input_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.output_tokens,
    r.web_search_requests,
    'anthropic_cost_report' AS cost_source
  FROM raw_anthropic_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'usage_report/messages'
  LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
  LEFT JOIN stg_anthropic_users AS u ON r.account_id = u.user_id
  WHERE
    r.usage_date BETWEEN @start_date AND @end_date
    AND COALESCE(r.service_tier, 'standard') NOT IN ('priority', 'priority_on_demand')
  UNION ALL
  SELECT
    r.usage_date,
    CASE
      WHEN r.product IN ('claude_code', 'cc_security_autopatch') OR COALESCE(w.is_claude_code, FALSE) THEN 'claude_code'
      ELSE 'claude_api'
    END AS platform,
    CASE WHEN COALESCE(w.is_default, FALSE) THEN CAST(NULL AS STRING) ELSE r.workspace_id END AS workspace_id,
    COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
    COALESCE(r.actor_email, u.email) AS user_email,
    r.model,
    r.uncached_input_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.output_tokens,
    r.web_search_requests,
    'anthropic_analytics_cost' AS cost_source
  FROM raw_anthropic_analytics_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'analytics/usage'
  LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
  LEFT JOIN stg_anthropic_users AS u ON r.actor_user_id = u.user_id
  WHERE r.usage_date BETWEEN @start_date AND @end_date
  UNION ALL
  SELECT
    r.usage_date,
    CASE WHEN r.product IN ('claude_code', 'cc_security_autopatch') THEN 'claude_code' ELSE 'claude_ai' END AS platform,
    CAST(NULL AS STRING) AS workspace_id,
    r.service_account_id AS api_key_id,
    r.actor_email AS user_email,
    r.model,
    r.uncached_input_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.output_tokens,
    r.web_search_requests,
    'claude_enterprise_cost' AS cost_source
  FROM raw_claude_enterprise_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'claude_enterprise' AND f.endpoint = 'analytics/usage'
  WHERE r.usage_date BETWEEN @start_date AND @end_date
)

SELECT
  usage_date,
  platform,
  workspace_id,
  api_key_id,
  user_email,
  CASE WHEN token_type != 'web_search' THEN model END AS model,
  token_type,
  CASE WHEN token_type = 'web_search' THEN 'Requests' ELSE 'Tokens' END AS unit,
  CASE token_type
    WHEN 'uncached_input_tokens' THEN uncached_input_tokens
    WHEN 'cache_read_input_tokens' THEN cache_read_tokens
    WHEN 'cache_creation.ephemeral_5m_input_tokens' THEN cache_write_5m_tokens
    WHEN 'cache_creation.ephemeral_1h_input_tokens' THEN cache_write_1h_tokens
    WHEN 'output_tokens' THEN output_tokens
    ELSE web_search_requests
  END AS quantity,
  CAST(NULL AS NUMERIC) AS list_usd,
  FALSE AS is_money,
  cost_source
FROM used
CROSS JOIN UNNEST([
  'uncached_input_tokens', 'cache_read_input_tokens', 'cache_creation.ephemeral_5m_input_tokens', 'cache_creation.ephemeral_1h_input_tokens',
  'output_tokens', 'web_search'
]) AS token_type
UNION ALL
SELECT
  r.usage_date,
  CASE
    WHEN r.product IN ('claude_code', 'cc_security_autopatch') OR COALESCE(w.is_claude_code, FALSE) THEN 'claude_code'
    ELSE 'claude_api'
  END AS platform,
  CASE WHEN COALESCE(w.is_default, FALSE) THEN CAST(NULL AS STRING) ELSE r.workspace_id END AS workspace_id,
  COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
  COALESCE(r.actor_email, u.email) AS user_email,
  r.model,
  COALESCE(r.token_type, r.cost_type) AS token_type,
  CAST(NULL AS STRING) AS unit,
  CAST(NULL AS INT64) AS quantity,
  r.list_usd,
  TRUE AS is_money,
  'anthropic_analytics_cost' AS cost_source
FROM raw_anthropic_analytics_cost AS r
INNER JOIN stg_current_fetches AS f
  ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'analytics/cost'
LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
LEFT JOIN stg_anthropic_users AS u ON r.actor_user_id = u.user_id
WHERE r.usage_date BETWEEN @start_date AND @end_date
UNION ALL
SELECT
  r.usage_date,
  CASE WHEN r.product IN ('claude_code', 'cc_security_autopatch') THEN 'claude_code' ELSE 'claude_ai' END AS platform,
  CAST(NULL AS STRING) AS workspace_id,
  r.service_account_id AS api_key_id,
  r.actor_email AS user_email,
  r.model,
  COALESCE(r.token_type, r.cost_type) AS token_type,
  CAST(NULL AS STRING) AS unit,
  CAST(NULL AS INT64) AS quantity,
  r.list_usd,
  TRUE AS is_money,
  'claude_enterprise_cost' AS cost_source
FROM raw_claude_enterprise_cost AS r
INNER JOIN stg_current_fetches AS f
  ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'claude_enterprise' AND f.endpoint = 'analytics/cost'
WHERE r.usage_date BETWEEN @start_date AND @end_date
