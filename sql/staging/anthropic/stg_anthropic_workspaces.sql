-- Anthropic's workspaces: which of them is Claude Code's, one that ever had its name, since a rename must not move past days to another platform;
-- and which is the default one. Grain: one workspace. Inputs: raw_anthropic_workspaces, stg_current_fetches.
SELECT
  w.workspace_id,
  ANY_VALUE(w.name HAVING MAX f.usage_date) AS name,
  LOGICAL_OR(LOWER(TRIM(w.name)) = 'claude code') AS is_claude_code,
  LOGICAL_OR(COALESCE(w.is_default, FALSE)) AS is_default
FROM raw_anthropic_workspaces AS w
INNER JOIN stg_current_fetches AS f ON w.fetch_id = f.version_fetch_id AND f.source = 'anthropic' AND f.endpoint = 'workspaces'
GROUP BY w.workspace_id
