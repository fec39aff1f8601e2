-- The state of what decides, beside the facts, how cost is booked: who belonged where, and which months are closed. One hash over both; each
-- text is hashed by itself, so that no two states are written alike. Grain: one row. Inputs: dim_user_assignments, stg_closed_months.
SELECT
  LOWER(TO_HEX(SHA256(CONCAT(
    COALESCE((
      SELECT
        STRING_AGG(
          CONCAT(
            TO_HEX(SHA256(email)), COALESCE(TO_HEX(SHA256(department)), '-'), COALESCE(TO_HEX(SHA256(cost_center)), '-'),
            FORMAT_DATE('%Y-%m-%d', valid_from), FORMAT_DATE('%Y-%m-%d', valid_to)
          ), ';' ORDER BY email, valid_from
        )
      FROM dim_user_assignments
    ), ''),
    '|',
    COALESCE((SELECT STRING_AGG(CONCAT(FORMAT_DATE('%Y-%m', month), closing_id), ';' ORDER BY month) FROM stg_closed_months), '')
  )))) AS basis
