-- Usage per day from every vendor, people resolved. A new vendor joins by adding sql/staging/stg_<vendor>_usage.sql.
-- Grain: usage_date, platform, user_email, api_key_id, workspace_id, model, source.
-- Inputs: stg_usage, stg_email_aliases, dim_api_keys.
WITH written AS (
  SELECT
    *,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(user_email)), r'\+[^@]*@', '@'), '') AS written_email
  FROM stg_usage
  WHERE usage_date BETWEEN @start_date AND @end_date
)

SELECT
  w.usage_date,
  w.platform,
  COALESCE(a.email, w.written_email, k.email) AS user_email,
  w.api_key_id,
  w.workspace_id,
  w.model,
  SUM(w.input_tokens) AS input_tokens,
  SUM(w.output_tokens) AS output_tokens,
  SUM(w.cache_read_tokens) AS cache_read_tokens,
  SUM(w.cache_write_tokens) AS cache_write_tokens,
  SUM(w.requests) AS requests,
  SUM(w.sessions) AS sessions,
  SUM(w.loc_added) AS loc_added,
  SUM(w.loc_accepted) AS loc_accepted,
  SUM(w.loc_removed) AS loc_removed,
  SUM(w.suggestions_shown) AS suggestions_shown,
  SUM(w.suggestions_accepted) AS suggestions_accepted,
  SUM(w.suggestions_rejected) AS suggestions_rejected,
  SUM(w.commits) AS commits,
  SUM(w.pull_requests) AS pull_requests,
  SUM(w.web_searches) AS web_searches,
  SUM(w.conversations) AS conversations,
  SUM(w.messages) AS messages,
  SUM(w.projects) AS projects,
  SUM(w.files) AS files,
  SUM(w.included_usd) AS included_usd,
  SUM(w.estimated_usd) AS estimated_usd,
  SUM(w.list_usd) AS list_usd,
  w.source,
  @processed_at AS processed_at
FROM written AS w
LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
LEFT JOIN dim_api_keys AS k ON w.api_key_id = k.api_key_id AND w.usage_date BETWEEN k.valid_from AND k.valid_to
GROUP BY
  w.usage_date, w.platform, COALESCE(a.email, w.written_email, k.email), w.api_key_id, w.workspace_id, w.model, w.source
