-- Grain: asset and check, as it last ran. Additive: severity (2 failed, 1 warning, 0 passed).
SELECT
  asset,
  check_name,
  state,
  expected,
  actual,
  COALESCE(what_to_do, '') AS what_to_do,
  checked_at,
  severity
FROM vw_check_results
