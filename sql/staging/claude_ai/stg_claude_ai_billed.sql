-- What each version of claude.ai's spend report bills, by day; a version stands on the last day of its range.
-- Grain: one row of the report and day. Inputs: stg_claude_ai_spend_days.
SELECT
  'claude_ai' AS source,
  'spend' AS endpoint,
  fetch_id,
  last_day AS version_day,
  cost_date AS billed_on,
  'claude_ai' AS platform,
  net_usd AS usd
FROM stg_claude_ai_spend_days
WHERE cost_date BETWEEN @start_date AND @end_date
