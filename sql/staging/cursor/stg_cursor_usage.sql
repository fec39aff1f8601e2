-- Cursor's usage. Two sources, no overlap: daily-usage-data gives the person's day (lines, suggestions; model is NULL),
-- events give requests, tokens and values per model. A member's day on which nothing happened makes no row.
-- Grain: usage_date, user_email, api_key_id, model, source.
-- Inputs: raw_cursor_usage, stg_cursor_events, stg_current_fetches.
SELECT
  r.usage_date,
  'cursor' AS platform,
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
  SUM(r.lines_added) AS loc_added,
  SUM(r.accepted_lines_added) AS loc_accepted,
  SUM(r.lines_deleted) AS loc_removed,
  SUM(
    CASE WHEN r.tabs_shown IS NOT NULL OR r.applies IS NOT NULL THEN COALESCE(r.tabs_shown, 0) + COALESCE(r.applies, 0) END
  ) AS suggestions_shown,
  SUM(
    CASE WHEN r.tabs_accepted IS NOT NULL OR r.accepts IS NOT NULL THEN COALESCE(r.tabs_accepted, 0) + COALESCE(r.accepts, 0) END
  ) AS suggestions_accepted,
  SUM(r.rejects) AS suggestions_rejected,
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
  'cursor_daily_usage' AS source
FROM raw_cursor_usage AS r
INNER JOIN stg_current_fetches AS f
  ON
    r.fetch_id = f.version_fetch_id
    AND r.usage_date = f.usage_date
    AND f.source = 'cursor'
    AND f.endpoint = 'daily-usage-data'
WHERE
  r.usage_date BETWEEN @start_date AND @end_date
  AND (
    COALESCE(r.is_active, FALSE)
    OR COALESCE(r.lines_added, 0) + COALESCE(r.lines_deleted, 0) + COALESCE(r.accepted_lines_added, 0)
    + COALESCE(r.tabs_shown, 0) + COALESCE(r.tabs_accepted, 0) + COALESCE(r.applies, 0) + COALESCE(r.accepts, 0)
    + COALESCE(r.rejects, 0) > 0
  )
GROUP BY r.usage_date, r.email
UNION ALL
SELECT
  r.usage_date,
  'cursor' AS platform,
  r.user_email,
  r.service_account_id AS api_key_id,
  CAST(NULL AS STRING) AS workspace_id,
  r.model,
  SUM(r.input_tokens) AS input_tokens,
  SUM(r.output_tokens) AS output_tokens,
  SUM(r.cache_read_tokens) AS cache_read_tokens,
  SUM(r.cache_write_tokens) AS cache_write_tokens,
  COUNT(*) AS requests,
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
  SUM(CASE WHEN r.billing = 'included' THEN r.charged_usd END) AS included_usd,
  CAST(NULL AS NUMERIC) AS estimated_usd,
  SUM(r.list_usd) AS list_usd,
  'cursor_events' AS source
FROM stg_cursor_events AS r
WHERE r.usage_date BETWEEN @start_date AND @end_date
GROUP BY r.usage_date, r.user_email, r.service_account_id, r.model
