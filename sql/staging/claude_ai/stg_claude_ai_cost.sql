-- claude.ai's billed spend by the console's spend report. Seats are not in it (they come from the sheet), so it is overage. The report has no
-- days: a range is spread over its days, which `timing` says. It settles two days after the range has ended, if a file that was loaded since says so;
-- an export made earlier may lack late spend and stays provisional until the same range is exported again.
-- Grain: cost_date, user_email, model. Inputs: stg_claude_ai_spend_days, stg_current_fetches, stg_set_aside.
SELECT
  d.cost_date,
  'claude_ai' AS platform,
  'Anthropic' AS vendor,
  CAST(NULL AS STRING) AS workspace_id,
  CAST(NULL AS STRING) AS api_key_id,
  d.user_email,
  d.model,
  'overage' AS cost_type,
  CAST(NULL AS STRING) AS token_type,
  d.net_usd AS cost_usd,
  CASE WHEN d.user_email IS NULL THEN 'unattributed' ELSE 'direct' END AS attribution,
  CASE WHEN DATE(f.told_at) >= DATE_ADD(d.last_day, INTERVAL 2 DAY) THEN DATE_ADD(d.last_day, INTERVAL 2 DAY) END AS settled_on,
  'claude_ai_spend' AS source,
  d.timing
FROM stg_claude_ai_spend_days AS d
INNER JOIN stg_current_fetches AS f
  ON
    d.fetch_id = f.version_fetch_id
    AND d.last_day = f.usage_date
    AND f.source = 'claude_ai'
    AND f.endpoint = 'spend'
LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
WHERE d.cost_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
