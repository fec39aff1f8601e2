-- The ranges of days that claude.ai's spend report sums, as they count now. A report without rows says nothing that another one could contradict:
-- it is also how a range is taken back, so it is not here. Grain: last_day (ranges with rows never overlap).
-- Inputs: raw_claude_ai_spend, stg_current_fetches.
SELECT
  f.version_fetch_id,
  f.usage_date AS last_day,
  MIN(r.period_start) AS first_day,
  SUM(r.net_usd) AS net_usd
FROM stg_current_fetches AS f
INNER JOIN raw_claude_ai_spend AS r ON f.version_fetch_id = r.fetch_id AND f.usage_date = r.usage_date
WHERE f.source = 'claude_ai' AND f.endpoint = 'spend' AND f.state = 'complete'
GROUP BY f.version_fetch_id, f.usage_date
