-- Grain: alert and cause that is open. Additive: open_causes.
SELECT
  severity,
  alert,
  headline,
  TRIM(CONCAT(COALESCE(likely_reason, ''), ' ', REPLACE(COALESCE(moved_by, ''), CHR(10), '; '))) AS reason_and_movers,
  opened_at,
  last_told_at,
  open_causes
FROM vw_alerts
WHERE state = 'open'
