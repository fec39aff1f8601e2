-- Anthropic's organisation members as people, removed ones included. Grain: one user. Inputs: stg_anthropic_users.
SELECT
  email,
  name,
  is_active,
  first_seen_on AS seen_on
FROM stg_anthropic_users
