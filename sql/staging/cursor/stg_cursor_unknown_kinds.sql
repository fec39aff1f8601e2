-- Cursor's events of a kind that nobody has classed: they count as billed where their flag says so, until somebody says otherwise, in
-- ai_usage/sources/cursor/kinds.py. Where the flag does not, they are billed nothing, and are named if they carry a price.
-- Grain: usage_date, kind. Inputs: stg_cursor_events.
SELECT
  usage_date,
  COALESCE(kind, '(none)') AS kind,
  COUNTIF(billing = 'billed') AS events,
  SUM(CASE WHEN billing = 'billed' THEN charged_usd ELSE 0 END) AS cost_usd,
  COUNTIF(billing != 'billed') AS unbilled_events,
  SUM(CASE WHEN billing != 'billed' THEN charged_usd ELSE 0 END) AS unbilled_usd
FROM stg_cursor_events
WHERE NOT is_known_kind AND (billing = 'billed' OR charged_usd > 0)
GROUP BY usage_date, COALESCE(kind, '(none)')
