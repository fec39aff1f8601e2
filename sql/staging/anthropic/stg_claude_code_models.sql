-- Tokens of each model in each record of Claude Code's report. A number that cannot be read or meant is unknown: what the vendor sends inside a
-- list is judged by nobody before. Grain: one model of one record. Inputs: raw_claude_code_usage, stg_current_fetches.
SELECT
  t.usage_date,
  t.actor_email,
  t.api_key_name,
  t.customer_type,
  t.subscription_type,
  t.model,
  CASE
    WHEN t.input_tokens BETWEEN 0 AND 9999999999999 AND t.input_tokens = CAST(FLOOR(t.input_tokens) AS NUMERIC)
      THEN CAST(t.input_tokens AS INT64)
  END AS input_tokens,
  CASE
    WHEN t.output_tokens BETWEEN 0 AND 9999999999999 AND t.output_tokens = CAST(FLOOR(t.output_tokens) AS NUMERIC)
      THEN CAST(t.output_tokens AS INT64)
  END AS output_tokens,
  CASE
    WHEN t.cache_read_tokens BETWEEN 0 AND 9999999999999 AND t.cache_read_tokens = CAST(FLOOR(t.cache_read_tokens) AS NUMERIC)
      THEN CAST(t.cache_read_tokens AS INT64)
  END AS cache_read_tokens,
  CASE
    WHEN t.cache_write_tokens BETWEEN 0 AND 9999999999999 AND t.cache_write_tokens = CAST(FLOOR(t.cache_write_tokens) AS NUMERIC)
      THEN CAST(t.cache_write_tokens AS INT64)
  END AS cache_write_tokens
FROM (
  SELECT
    r.usage_date,
    r.actor_email,
    r.api_key_name,
    r.customer_type,
    r.subscription_type,
    JSON_VALUE(m, '$.model') AS model,
    SAFE_CAST(JSON_VALUE(m, '$.tokens.input') AS NUMERIC) AS input_tokens,
    SAFE_CAST(JSON_VALUE(m, '$.tokens.output') AS NUMERIC) AS output_tokens,
    SAFE_CAST(JSON_VALUE(m, '$.tokens.cache_read') AS NUMERIC) AS cache_read_tokens,
    SAFE_CAST(JSON_VALUE(m, '$.tokens.cache_creation') AS NUMERIC) AS cache_write_tokens
  FROM raw_claude_code_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'anthropic'
      AND f.endpoint = 'usage_report/claude_code',
    UNNEST(JSON_QUERY_ARRAY(CASE WHEN STARTS_WITH(r.model_breakdown, '[') THEN r.model_breakdown END)) AS m
  WHERE r.usage_date BETWEEN @start_date AND @end_date
) AS t
