-- Everybody whom Anthropic's directory ever listed, as it listed them last: whoever is removed keeps the keys and requests that were theirs.
-- Active are those of the latest snapshot. Grain: user_id. Inputs: raw_anthropic_users, stg_current_fetches, stg_snapshots.
SELECT
  u.user_id,
  u.email,
  u.name,
  s.version_fetch_id IS NOT NULL AS is_active,
  MIN(f.usage_date) OVER (PARTITION BY u.user_id) AS first_seen_on
FROM raw_anthropic_users AS u
INNER JOIN stg_current_fetches AS f ON u.fetch_id = f.version_fetch_id AND f.source = 'anthropic' AND f.endpoint = 'users'
LEFT JOIN stg_snapshots AS s ON u.fetch_id = s.version_fetch_id AND s.source = 'anthropic' AND s.endpoint = 'users'
QUALIFY ROW_NUMBER() OVER (PARTITION BY u.user_id ORDER BY f.usage_date DESC, u.email) = 1
