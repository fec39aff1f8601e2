-- claude.ai's billed spend by the console's spend report. Seats are not in it (they come from the sheet), so it is overage. The report has no
-- days: a range stands on its last day. It settles two days after the range has ended, if a file that was loaded since says so; an export made
-- earlier may lack late spend and stays provisional until the same range is exported again.
-- Grain: cost_date, user_email, model. Inputs: raw_claude_ai_spend, stg_current_fetches,
-- stg_set_aside.
SELECT
  r.usage_date AS cost_date,
  'claude_ai' AS platform,
  'Anthropic' AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS api_key_id,
  r.user_email,
  r.model,
  'overage' AS cost_type,
  CAST(NULL AS STRING) AS token_type,
  SUM(r.net_usd) AS cost_usd,
  'direct' AS attribution,
  MAX(
    CASE WHEN DATE(f.fetched_at) >= DATE_ADD(r.period_end, INTERVAL 2 DAY) THEN DATE_ADD(r.period_end, INTERVAL 2 DAY) END
  ) AS settled_on,
  'claude_ai_spend' AS source
FROM raw_claude_ai_spend AS r
INNER JOIN stg_current_fetches AS f
  ON
    r.fetch_id = f.version_fetch_id
    AND r.usage_date = f.usage_date
    AND f.source = 'claude_ai'
    AND f.endpoint = 'spend'
LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
GROUP BY r.usage_date, r.user_email, r.model
