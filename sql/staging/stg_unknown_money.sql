-- Records of days that count as read whose billed amount, currency or day could not be read: what the day's total may lack, and where the record
-- lies.
-- `record_number` is the line of the spool file; of an uploaded file, the row.
-- Grain: source, endpoint, usage_date, record_number. Inputs: stg_current_fetches, raw_fetches, raw_rejects.
SELECT
  f.source,
  f.endpoint,
  f.usage_date,
  r.record_number,
  STRING_AGG(CONCAT(r.column_name, ' ', r.reason), '; ' ORDER BY r.column_name, r.reason) AS reason,
  MAX(v.spool_path) AS spool_path
FROM stg_current_fetches AS f
INNER JOIN raw_fetches AS v ON f.version_fetch_id = v.fetch_id
INNER JOIN raw_rejects AS r ON f.version_fetch_id = r.fetch_id AND f.usage_date = r.usage_date
WHERE f.unknown_money_count > 0 AND NOT COALESCE(r.is_counted, FALSE)
GROUP BY f.source, f.endpoint, f.usage_date, r.record_number
