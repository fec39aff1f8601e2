-- Anthropic's workspaces, which of them is Claude Code's, and which is the default one.
-- Grain: one workspace. Inputs: raw_anthropic_workspaces, stg_snapshots.
SELECT
  w.workspace_id,
  w.name,
  w.name = 'Claude Code' AS is_claude_code,
  COALESCE(w.is_default, FALSE) AS is_default
FROM raw_anthropic_workspaces AS w
INNER JOIN stg_snapshots AS s ON w.fetch_id = s.version_fetch_id
WHERE s.source = 'anthropic' AND s.endpoint = 'workspaces'
