-- claude.ai's usage by the console's exports. No overlap: stg_claude_ai_days gives the person's day, the
-- spend report gives the list price per model. A range of days stands on its last day; requests and tokens only where the range is one day,
-- since otherwise nobody says on which day somebody worked. Prompt tokens stay in raw: whether cached ones are inside is not documented.
-- Grain: usage_date, user_email, model, source. Inputs: stg_claude_ai_days, raw_claude_ai_spend, stg_current_fetches,
-- stg_set_aside.
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
  r.usage_date,
  'claude_ai' AS platform,
  r.user_email,
  CAST(NULL AS STRING) AS api_key_id,
  CAST(NULL AS STRING) AS workspace_id,
  r.model,
  CAST(NULL AS INT64) AS input_tokens,
  SUM(CASE WHEN r.period_start = r.period_end THEN r.completion_tokens END) AS output_tokens,
  CAST(NULL AS INT64) AS cache_read_tokens,
  CAST(NULL AS INT64) AS cache_write_tokens,
  SUM(CASE WHEN r.period_start = r.period_end THEN r.requests END) AS requests,
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
  SUM(r.gross_usd) AS list_usd,
  'claude_ai_spend' AS source
FROM raw_claude_ai_spend AS r
INNER JOIN stg_current_fetches AS f
  ON
    r.fetch_id = f.version_fetch_id
    AND r.usage_date = f.usage_date
    AND f.source = 'claude_ai'
    AND f.endpoint = 'spend'
LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
GROUP BY r.usage_date, r.user_email, r.model
