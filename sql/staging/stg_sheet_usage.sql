-- claude.ai activity that somebody keeps by hand, for plans without an API.
-- Grain: usage_date, user_email. Inputs: raw_sheet_claude_ai_usage, stg_snapshots.
SELECT
  r.activity_date AS usage_date,
  'claude_ai' AS platform,
  r.email AS user_email,
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
  CAST(NULL AS INT64) AS web_searches,
  SUM(r.conversations) AS conversations,
  SUM(r.messages) AS messages,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'sheet_claude_ai_usage' AS source
FROM raw_sheet_claude_ai_usage AS r
INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
WHERE s.source = 'google_sheets' AND s.endpoint = 'claude_ai_usage' AND r.activity_date BETWEEN @start_date AND @end_date
GROUP BY r.activity_date, r.email
