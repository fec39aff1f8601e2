-- Anthropic's usage. Three sources without overlap: messages give tokens of every billed request by key and model; claude_code gives each
-- person's day (sessions, lines, commits; model is NULL); for people on a subscription, whose requests are in no messages report, claude_code
-- gives the tokens per model too. The estimate stands on the person's day only.
-- Days on which analytics/usage counts instead of messages, and Enterprise seats on days that analytics/users holds, are left out.
-- Grain: usage_date, platform, user_email, api_key_id, workspace_id, model, source.
-- Inputs: raw_anthropic_usage, raw_claude_code_usage, stg_claude_code_models, stg_anthropic_users, stg_anthropic_key_names,
-- stg_anthropic_workspaces, stg_current_fetches, stg_set_aside.
WITH code AS (
  SELECT
    r.usage_date,
    r.actor_email,
    n.api_key_id,
    r.customer_type,
    r.sessions,
    r.lines_added,
    r.lines_removed,
    r.commits,
    r.pull_requests,
    r.tool_accepted,
    r.tool_rejected,
    r.estimated_usd
  FROM raw_claude_code_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'anthropic'
      AND f.endpoint = 'usage_report/claude_code'
  LEFT JOIN stg_anthropic_key_names AS n
    ON r.usage_date = n.usage_date AND CASE WHEN r.actor_email IS NULL THEN r.api_key_name END = n.api_key_name
  LEFT JOIN stg_current_fetches AS e
    ON
      CASE WHEN r.subscription_type = 'enterprise' THEN r.usage_date END = e.usage_date
      AND e.source = 'claude_enterprise'
      AND e.endpoint = 'analytics/users'
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND e.usage_date IS NULL
),

seat_models AS (
  SELECT
    m.usage_date,
    m.actor_email,
    n.api_key_id,
    m.model,
    m.input_tokens,
    m.output_tokens,
    m.cache_read_tokens,
    m.cache_write_tokens
  FROM stg_claude_code_models AS m
  LEFT JOIN stg_anthropic_key_names AS n
    ON m.usage_date = n.usage_date AND CASE WHEN m.actor_email IS NULL THEN m.api_key_name END = n.api_key_name
  LEFT JOIN stg_current_fetches AS e
    ON
      CASE WHEN m.subscription_type = 'enterprise' THEN m.usage_date END = e.usage_date
      AND e.source = 'claude_enterprise'
      AND e.endpoint = 'analytics/users'
  WHERE m.customer_type = 'subscription' AND e.usage_date IS NULL
)

SELECT
  r.usage_date,
  CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
  u.email AS user_email,
  COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
  r.workspace_id,
  r.model,
  SUM(r.uncached_input_tokens) AS input_tokens,
  SUM(r.output_tokens) AS output_tokens,
  SUM(r.cache_read_tokens) AS cache_read_tokens,
  SUM(COALESCE(r.cache_write_5m_tokens, 0) + COALESCE(r.cache_write_1h_tokens, 0)) AS cache_write_tokens,
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
  SUM(r.web_search_requests) AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'anthropic_messages' AS source
FROM raw_anthropic_usage AS r
INNER JOIN stg_current_fetches AS f
  ON
    r.fetch_id = f.version_fetch_id
    AND r.usage_date = f.usage_date
    AND f.source = 'anthropic'
    AND f.endpoint = 'usage_report/messages'
LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
LEFT JOIN stg_anthropic_users AS u ON r.account_id = u.user_id
LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
GROUP BY r.usage_date, w.is_claude_code, u.email, r.api_key_id, r.service_account_id, r.workspace_id, r.model
UNION ALL
SELECT
  c.usage_date,
  'claude_code' AS platform,
  c.actor_email AS user_email,
  c.api_key_id,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS model,
  CAST(NULL AS INT64) AS input_tokens,
  CAST(NULL AS INT64) AS output_tokens,
  CAST(NULL AS INT64) AS cache_read_tokens,
  CAST(NULL AS INT64) AS cache_write_tokens,
  CAST(NULL AS INT64) AS requests,
  SUM(c.sessions) AS sessions,
  SUM(c.lines_added) AS loc_added,
  SUM(c.lines_added) AS loc_accepted,
  SUM(c.lines_removed) AS loc_removed,
  SUM(COALESCE(c.tool_accepted, 0) + COALESCE(c.tool_rejected, 0)) AS suggestions_shown,
  SUM(c.tool_accepted) AS suggestions_accepted,
  SUM(c.tool_rejected) AS suggestions_rejected,
  SUM(c.commits) AS commits,
  SUM(c.pull_requests) AS pull_requests,
  CAST(NULL AS INT64) AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  SUM(c.estimated_usd) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'anthropic_claude_code' AS source
FROM code AS c
GROUP BY c.usage_date, c.actor_email, c.api_key_id
UNION ALL
SELECT
  m.usage_date,
  'claude_code' AS platform,
  m.actor_email AS user_email,
  m.api_key_id,
  CAST(NULL AS STRING) AS workspace_id,
  m.model,
  SUM(m.input_tokens) AS input_tokens,
  SUM(m.output_tokens) AS output_tokens,
  SUM(m.cache_read_tokens) AS cache_read_tokens,
  SUM(m.cache_write_tokens) AS cache_write_tokens,
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
  CAST(NULL AS NUMERIC) AS list_usd,
  'anthropic_claude_code_seats' AS source
FROM seat_models AS m
GROUP BY m.usage_date, m.actor_email, m.api_key_id, m.model
