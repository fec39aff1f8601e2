-- Grain: source, endpoint, day, column and reason. Additive: broken_rules.
SELECT
  source,
  endpoint,
  usage_date,
  column_name,
  reason AS what_is_wrong,
  remedy,
  broken_rules
FROM vw_rejects
