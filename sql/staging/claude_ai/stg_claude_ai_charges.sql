-- What claude.ai's spend report says of a charge beside its price: requests, and the same at list price.
-- Grain: one row of the report and day. Inputs: stg_claude_ai_spend_days, stg_current_fetches.
SELECT
  d.cost_date AS usage_date,
  'claude_ai' AS platform,
  d.user_email,
  d.model,
  'Requests' AS unit,
  d.requests AS quantity,
  d.gross_usd AS list_usd,
  TRUE AS is_money,
  'claude_ai_spend' AS cost_source
FROM stg_claude_ai_spend_days AS d
INNER JOIN stg_current_fetches AS f
  ON d.fetch_id = f.version_fetch_id AND d.last_day = f.usage_date AND f.source = 'claude_ai' AND f.endpoint = 'spend'
WHERE d.cost_date BETWEEN @start_date AND @end_date
