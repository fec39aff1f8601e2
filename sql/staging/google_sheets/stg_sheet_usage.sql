-- claude.ai activity that somebody keeps by hand, for plans without an API. What Claude Enterprise or the audit log says of the same person and day
-- stands before it, measure by measure: a measure that they give is NULL here, so that nothing is counted twice and nothing that only the sheet
-- knows is lost.
-- Grain: usage_date, user_email. Inputs: stg_sheet_claude_ai_usage_rows, stg_claude_ai_days, stg_email_aliases.
WITH kept AS (
  SELECT
    r.activity_date AS usage_date,
    r.email AS user_email,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@'), '') AS written_email,
    SUM(r.conversations) AS conversations,
    SUM(r.messages) AS messages,
    SUM(r.projects) AS projects,
    SUM(r.files) AS files
  FROM stg_sheet_claude_ai_usage_rows AS r
  WHERE r.activity_date BETWEEN @start_date AND @end_date
  GROUP BY r.activity_date, r.email
),

compared AS (
  SELECT
    k.usage_date,
    k.user_email,
    CASE WHEN d.conversations IS NULL THEN k.conversations END AS conversations,
    CASE WHEN d.messages IS NULL THEN k.messages END AS messages,
    CASE WHEN d.projects IS NULL THEN k.projects END AS projects,
    CASE WHEN d.files IS NULL THEN k.files END AS files,
    d.usage_date IS NOT NULL AS is_logged
  FROM kept AS k
  LEFT JOIN stg_email_aliases AS a ON k.written_email = a.alias
  LEFT JOIN stg_claude_ai_days AS d ON k.usage_date = d.usage_date AND COALESCE(a.email, k.written_email) = d.user_email
)

SELECT
  usage_date,
  'claude_ai' AS platform,
  user_email,
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
  conversations,
  messages,
  projects,
  files,
  CAST(NULL AS NUMERIC) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  CAST(NULL AS NUMERIC) AS list_usd,
  'sheet_claude_ai_usage' AS source
FROM compared
WHERE NOT is_logged OR COALESCE(conversations, messages, projects, files) IS NOT NULL
