-- Cursor's billed events of a kind that nobody has classed: they count as billed until somebody says otherwise, in ai_usage/sources/cursor/kinds.py.
-- Grain: usage_date, kind. Inputs: stg_cursor_events.
SELECT
  usage_date,
  COALESCE(kind, '(none)') AS kind,
  COUNT(*) AS events,
  SUM(charged_usd) AS cost_usd
FROM stg_cursor_events
WHERE billing = 'billed' AND NOT is_known_kind
GROUP BY usage_date, COALESCE(kind, '(none)')
