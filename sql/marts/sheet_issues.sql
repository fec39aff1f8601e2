-- Rows of the sheet, as it is now, that could not be used, or that leave open who is meant.
-- Grain: one broken rule or doubt of one row. Inputs: raw_rejects, stg_snapshots, vw_identity_issues.
SELECT
  r.endpoint AS tab,
  r.record_number AS sheet_row,
  r.column_name,
  r.value,
  r.reason,
  r.remedy,
  s.fetched_at AS seen_at
FROM raw_rejects AS r
INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
WHERE r.source = 'google_sheets'
UNION ALL
SELECT
  tab,
  sheet_row,
  column_name,
  value,
  reason,
  remedy,
  seen_at
FROM vw_identity_issues
WHERE sheet_row IS NOT NULL
