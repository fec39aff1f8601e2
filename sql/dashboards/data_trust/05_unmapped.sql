-- Grain: month, platform, kind and item. cost_usd is additive within a kind.
SELECT
  month,
  platform,
  kind,
  item_name,
  remedy,
  last_day,
  cost_usd
FROM vw_unmapped
