-- Claude Enterprise's usage: tokens and requests by person and model (analytics/usage), value at list price (analytics/cost), and each person's day
-- in Claude Code (analytics/users); the day in claude.ai stands in stg_claude_ai_days. Web searches come from there too, by person.
-- Grain: usage_date, platform, user_email, api_key_id, workspace_id, model, source.
-- Inputs: raw_claude_enterprise_usage, raw_claude_enterprise_cost, raw_claude_enterprise_users, stg_current_fetches,
-- stg_set_aside.
WITH tokens AS (
  SELECT
    r.usage_date,
    CASE WHEN r.product IN ('claude_code', 'cc_security_autopatch') THEN 'claude_code' ELSE 'claude_ai' END AS platform,
    r.actor_email AS user_email,
    r.service_account_id AS api_key_id,
    CAST(NULL AS STRING) AS workspace_id,
    r.model,
    r.uncached_input_tokens,
    r.output_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.requests
  FROM raw_claude_enterprise_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'claude_enterprise' AND f.endpoint = 'analytics/usage'
  WHERE r.usage_date BETWEEN @start_date AND @end_date
),

list_prices AS (
  SELECT
    r.usage_date,
    CASE WHEN r.product IN ('claude_code', 'cc_security_autopatch') THEN 'claude_code' ELSE 'claude_ai' END AS platform,
    r.actor_email AS user_email,
    r.service_account_id AS api_key_id,
    CAST(NULL AS STRING) AS workspace_id,
    r.model,
    r.list_usd
  FROM raw_claude_enterprise_cost AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'claude_enterprise' AND f.endpoint = 'analytics/cost'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
),

people AS (
  SELECT
    r.usage_date,
    r.email AS user_email,
    CAST(NULL AS STRING) AS api_key_id,
    CAST(NULL AS STRING) AS workspace_id,
    CAST(NULL AS STRING) AS model,
    r.code_sessions,
    r.code_lines_added,
    r.code_lines_removed,
    r.code_commits,
    r.code_pull_requests,
    r.code_accepted,
    r.code_rejected
  FROM raw_claude_enterprise_users AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'claude_enterprise' AND f.endpoint = 'analytics/users'
  WHERE r.usage_date BETWEEN @start_date AND @end_date
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
  CAST(NULL AS INT64) AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'claude_enterprise_usage' AS source
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
  'claude_enterprise_list' AS source
FROM list_prices
GROUP BY usage_date, platform, user_email, api_key_id, workspace_id, model
UNION ALL
SELECT
  usage_date,
  'claude_code' AS platform,
  user_email,
  api_key_id,
  workspace_id,
  model,
  CAST(NULL AS INT64) AS input_tokens,
  CAST(NULL AS INT64) AS output_tokens,
  CAST(NULL AS INT64) AS cache_read_tokens,
  CAST(NULL AS INT64) AS cache_write_tokens,
  CAST(NULL AS INT64) AS requests,
  SUM(code_sessions) AS sessions,
  SUM(code_lines_added) AS loc_added,
  SUM(code_lines_added) AS loc_accepted,
  SUM(code_lines_removed) AS loc_removed,
  SUM(code_accepted + code_rejected) AS suggestions_shown,
  SUM(code_accepted) AS suggestions_accepted,
  SUM(code_rejected) AS suggestions_rejected,
  SUM(code_commits) AS commits,
  SUM(code_pull_requests) AS pull_requests,
  CAST(NULL AS INT64) AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'claude_enterprise_code' AS source
FROM people
WHERE code_sessions > 0 OR code_lines_added > 0 OR code_commits > 0 OR code_accepted > 0 OR code_rejected > 0
GROUP BY usage_date, user_email, api_key_id, workspace_id, model
