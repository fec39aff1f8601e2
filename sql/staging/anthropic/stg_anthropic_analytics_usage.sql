-- Anthropic's usage by actor, key and model as analytics/usage tells it; the value at list price from analytics/cost beside it, in rows of its own.
-- Days on which the older reports count instead are left out. Claude Code's sessions and lines come from its own report.
-- Grain: usage_date, platform, user_email, api_key_id, workspace_id, model, source.
-- Inputs: raw_anthropic_analytics_usage, raw_anthropic_analytics_cost, stg_anthropic_users, stg_anthropic_workspaces, stg_current_fetches,
-- stg_set_aside.
WITH tokens AS (
  SELECT
    r.usage_date,
    CASE
      WHEN r.product IN ('claude_code', 'cc_security_autopatch') OR COALESCE(w.is_claude_code, FALSE) THEN 'claude_code'
      ELSE 'claude_api'
    END AS platform,
    COALESCE(r.actor_email, u.email) AS user_email,
    COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
    CASE WHEN COALESCE(w.is_default, FALSE) THEN CAST(NULL AS STRING) ELSE r.workspace_id END AS workspace_id,
    r.model,
    r.uncached_input_tokens,
    r.output_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.requests,
    r.web_search_requests
  FROM raw_anthropic_analytics_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'analytics/usage'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
  LEFT JOIN stg_anthropic_users AS u ON r.actor_user_id = u.user_id
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
),

list_prices AS (
  SELECT
    r.usage_date,
    CASE
      WHEN r.product IN ('claude_code', 'cc_security_autopatch') OR COALESCE(w.is_claude_code, FALSE) THEN 'claude_code'
      ELSE 'claude_api'
    END AS platform,
    COALESCE(r.actor_email, u.email) AS user_email,
    COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
    CASE WHEN COALESCE(w.is_default, FALSE) THEN CAST(NULL AS STRING) ELSE r.workspace_id END AS workspace_id,
    r.model,
    r.list_usd
  FROM raw_anthropic_analytics_cost AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'analytics/cost'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
  LEFT JOIN stg_anthropic_users AS u ON r.actor_user_id = u.user_id
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
)

SELECT
  usage_date,
  platform,
  user_email,
  api_key_id,
  workspace_id,
  model,
  SUM(uncached_input_tokens) AS input_tokens,
  SUM(output_tokens) AS output_tokens,
  SUM(cache_read_tokens) AS cache_read_tokens,
  SUM(COALESCE(cache_write_5m_tokens, 0) + COALESCE(cache_write_1h_tokens, 0)) AS cache_write_tokens,
  SUM(requests) AS requests,
  CAST(NULL AS INT64) AS sessions,
  CAST(NULL AS INT64) AS loc_added,
  CAST(NULL AS INT64) AS loc_accepted,
  CAST(NULL AS INT64) AS loc_removed,
  CAST(NULL AS INT64) AS suggestions_shown,
  CAST(NULL AS INT64) AS suggestions_accepted,
  CAST(NULL AS INT64) AS suggestions_rejected,
  CAST(NULL AS INT64) AS commits,
  CAST(NULL AS INT64) AS pull_requests,
  SUM(web_search_requests) AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'anthropic_analytics_usage' AS source
FROM tokens
GROUP BY usage_date, platform, user_email, api_key_id, workspace_id, model
UNION ALL
SELECT
  usage_date,
  platform,
  user_email,
  api_key_id,
  workspace_id,
  model,
  CAST(NULL AS INT64) AS input_tokens,
  CAST(NULL AS INT64) AS output_tokens,
  CAST(NULL AS INT64) AS cache_read_tokens,
  CAST(NULL AS INT64) AS cache_write_tokens,
  CAST(NULL AS INT64) AS requests,
  CAST(NULL AS INT64) AS sessions,
  CAST(NULL AS INT64) AS loc_added,
  CAST(NULL AS INT64) AS loc_accepted,
  CAST(NULL AS INT64) AS loc_removed,
  CAST(NULL AS INT64) AS suggestions_shown,
  CAST(NULL AS INT64) AS suggestions_accepted,
  CAST(NULL AS INT64) AS suggestions_rejected,
  CAST(NULL AS INT64) AS commits,
  CAST(NULL AS INT64) AS pull_requests,
  CAST(NULL AS INT64) AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  SUM(list_usd) AS list_usd,
  'anthropic_analytics_list' AS source
FROM list_prices
GROUP BY usage_date, platform, user_email, api_key_id, workspace_id, model
