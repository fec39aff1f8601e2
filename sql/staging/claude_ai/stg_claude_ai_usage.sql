-- claude.ai's usage by the console's exports. No overlap: stg_claude_ai_days gives the person's day, the spend report gives the list price per model,
-- spread over its days like the cost. Requests and tokens only where the range is one day, since otherwise nobody says on which day somebody worked,
-- and only where Claude Enterprise's own report of the day has none.
-- Grain: usage_date, user_email, model, source. Inputs: stg_claude_ai_days, stg_claude_ai_spend_days, stg_current_fetches, stg_set_aside.
SELECT
  d.usage_date,
  'claude_ai' AS platform,
  d.user_email,
  CAST(NULL AS STRING) AS api_key_id,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS model,
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
  d.web_searches,
  d.conversations,
  d.messages,
  d.projects,
  d.files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  d.source
FROM stg_claude_ai_days AS d
WHERE d.usage_date BETWEEN @start_date AND @end_date
UNION ALL
SELECT
  d.cost_date AS usage_date,
  'claude_ai' AS platform,
  d.user_email,
  CAST(NULL AS STRING) AS api_key_id,
  CAST(NULL AS STRING) AS workspace_id,
  d.model,
  CASE WHEN e.usage_date IS NULL THEN d.uncached_input_tokens END AS input_tokens,
  CASE WHEN e.usage_date IS NULL THEN d.output_tokens END AS output_tokens,
  CASE WHEN e.usage_date IS NULL THEN d.cache_read_tokens END AS cache_read_tokens,
  CASE WHEN e.usage_date IS NULL THEN d.cache_write_5m_tokens + d.cache_write_1h_tokens END AS cache_write_tokens,
  CASE WHEN e.usage_date IS NULL THEN d.requests END AS requests,
  CAST(NULL AS INT64) AS sessions,
  CAST(NULL AS INT64) AS loc_added,
  CAST(NULL AS INT64) AS loc_accepted,
  CAST(NULL AS INT64) AS loc_removed,
  CAST(NULL AS INT64) AS suggestions_shown,
  CAST(NULL AS INT64) AS suggestions_accepted,
  CAST(NULL AS INT64) AS suggestions_rejected,
  CAST(NULL AS INT64) AS commits,
  CAST(NULL AS INT64) AS pull_requests,
  CASE WHEN e.usage_date IS NULL THEN d.web_searches END AS web_searches,
  CAST(NULL AS INT64) AS conversations,
  CAST(NULL AS INT64) AS messages,
  CAST(NULL AS INT64) AS projects,
  CAST(NULL AS INT64) AS files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  d.gross_usd AS list_usd,
  'claude_ai_spend' AS source
FROM stg_claude_ai_spend_days AS d
INNER JOIN stg_current_fetches AS f
  ON
    d.fetch_id = f.version_fetch_id
    AND d.last_day = f.usage_date
    AND f.source = 'claude_ai'
    AND f.endpoint = 'spend'
LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
LEFT JOIN stg_current_fetches AS e
  ON d.cost_date = e.usage_date AND e.source = 'claude_enterprise' AND e.endpoint = 'analytics/usage' AND e.state = 'complete'
WHERE d.cost_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
