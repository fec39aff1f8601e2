-- Anthropic's user ids and whose they are, from every directory that was read: a user who left keeps the e-mail.
-- Grain: one user. Inputs: raw_anthropic_users, stg_current_fetches.
SELECT
  u.user_id,
  ANY_VALUE(u.email HAVING MAX u.usage_date) AS email
FROM raw_anthropic_users AS u
INNER JOIN (
  SELECT DISTINCT version_fetch_id FROM stg_current_fetches WHERE source = 'anthropic' AND endpoint = 'users'
) AS f ON u.fetch_id = f.version_fetch_id
GROUP BY u.user_id
