-- Anthropic's API keys with their creator, from every directory that was read. A key made by a service account has no person behind it.
-- Grain: one key of one snapshot. Inputs: raw_anthropic_api_keys, stg_anthropic_users, stg_anthropic_workspaces,
-- stg_current_fetches.
SELECT
  k.api_key_id,
  k.name AS api_key_name,
  CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
  k.workspace_id,
  COALESCE(p.email, CASE WHEN k.created_by_type = 'user' THEN c.email END) AS creator_email,
  k.status = 'active' AS is_active,
  k.usage_date AS seen_on,
  TRUE AS is_directory
FROM raw_anthropic_api_keys AS k
INNER JOIN (
  SELECT DISTINCT version_fetch_id FROM stg_current_fetches WHERE source = 'anthropic' AND endpoint = 'api_keys'
) AS f ON k.fetch_id = f.version_fetch_id
LEFT JOIN stg_anthropic_users AS c ON k.created_by_id = c.user_id
LEFT JOIN stg_anthropic_users AS p ON k.principal_user_id = p.user_id
LEFT JOIN stg_anthropic_workspaces AS w ON k.workspace_id = w.workspace_id
