-- Rows of the sheet, as it is now, that could not be used. Grain: one broken rule of one row. Inputs: raw_rejects, stg_snapshots.
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
