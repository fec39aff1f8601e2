-- What each version of Anthropic's bills holds, whether it counts or not: the older report, the newer one, and Claude Enterprise's.
-- Grain: one charge line of one fetch.
-- Inputs: raw_anthropic_cost, raw_anthropic_analytics_cost, raw_claude_enterprise_cost, stg_anthropic_workspaces.
SELECT
  'anthropic' AS source,
  'cost_report' AS endpoint,
  r.fetch_id,
  r.usage_date AS version_day,
  r.usage_date AS billed_on,
  CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
  r.amount_usd AS usd
FROM raw_anthropic_cost AS r
LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
WHERE r.usage_date BETWEEN @start_date AND @end_date
UNION ALL
SELECT
  'anthropic' AS source,
  'analytics/cost' AS endpoint,
  r.fetch_id,
  r.usage_date AS version_day,
  r.usage_date AS billed_on,
  CASE
    WHEN r.product IN ('claude_code', 'cc_security_autopatch') OR COALESCE(w.is_claude_code, FALSE) THEN 'claude_code'
    ELSE 'claude_api'
  END AS platform,
  r.amount_usd AS usd
FROM raw_anthropic_analytics_cost AS r
LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
WHERE r.usage_date BETWEEN @start_date AND @end_date
UNION ALL
SELECT
  'claude_enterprise' AS source,
  'analytics/cost' AS endpoint,
  r.fetch_id,
  r.usage_date AS version_day,
  r.usage_date AS billed_on,
  CASE WHEN r.product IN ('claude_code', 'cc_security_autopatch') THEN 'claude_code' ELSE 'claude_ai' END AS platform,
  r.amount_usd AS usd
FROM raw_claude_enterprise_cost AS r
WHERE r.usage_date BETWEEN @start_date AND @end_date
