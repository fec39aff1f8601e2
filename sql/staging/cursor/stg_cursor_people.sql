-- Cursor's members as people. Grain: one member. Inputs: raw_cursor_members, stg_snapshots.
SELECT
  m.email,
  m.name,
  NOT COALESCE(m.is_removed, FALSE) AS is_active,
  m.usage_date AS seen_on
FROM raw_cursor_members AS m
INNER JOIN stg_snapshots AS s ON m.fetch_id = s.version_fetch_id
WHERE s.source = 'cursor' AND s.endpoint = 'members'
