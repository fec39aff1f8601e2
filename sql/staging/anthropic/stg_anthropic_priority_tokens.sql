-- Tokens of Anthropic's priority tier, which its cost report leaves out.
-- Grain: one usage record. Inputs: raw_anthropic_usage, stg_anthropic_workspaces, stg_current_fetches.
SELECT
  r.usage_date,
  CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
  COALESCE(r.uncached_input_tokens, 0) + COALESCE(r.output_tokens, 0) + COALESCE(r.cache_read_tokens, 0)
  + COALESCE(r.cache_write_5m_tokens, 0) + COALESCE(r.cache_write_1h_tokens, 0) AS tokens
FROM raw_anthropic_usage AS r
INNER JOIN stg_current_fetches AS f
  ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'usage_report/messages'
LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
WHERE r.usage_date BETWEEN @start_date AND @end_date AND r.service_tier = 'priority'
