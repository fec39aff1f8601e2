-- What each check found when it last ran. Grain: asset and check. Inputs: check_results.
SELECT
  asset,
  check_name,
  state,
  blocking,
  expected,
  actual,
  what_to_do,
  checked_at,
  run_id,
  CASE state WHEN 'failed' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END AS severity
FROM (
  SELECT
    asset,
    check_name,
    state,
    blocking,
    expected,
    actual,
    what_to_do,
    checked_at,
    run_id,
    ROW_NUMBER() OVER (PARTITION BY asset, check_name ORDER BY checked_at DESC, run_id DESC) AS place
  FROM check_results
) AS ranked
WHERE place = 1
