-- Anthropic's organisation members as people. Grain: one user. Inputs: raw_anthropic_users, stg_snapshots.
SELECT
  u.email,
  u.name,
  TRUE AS is_active,
  u.usage_date AS seen_on
FROM raw_anthropic_users AS u
INNER JOIN stg_snapshots AS s ON u.fetch_id = s.version_fetch_id
WHERE s.source = 'anthropic' AND s.endpoint = 'users'
