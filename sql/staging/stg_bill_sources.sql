-- Which lines of cost stand for which endpoint's bill: source in stg_cost and fct_cost_daily for each endpoint with a vendor's total.
-- Grain: source, endpoint. Inputs: none.
SELECT
  'cursor' AS source,
  'filtered-usage-events' AS endpoint,
  'cursor_events' AS cost_source
UNION ALL
SELECT
  'anthropic' AS source,
  'cost_report' AS endpoint,
  'anthropic_cost_report' AS cost_source
UNION ALL
SELECT
  'anthropic' AS source,
  'analytics/cost' AS endpoint,
  'anthropic_analytics_cost' AS cost_source
UNION ALL
SELECT
  'claude_enterprise' AS source,
  'analytics/cost' AS endpoint,
  'claude_enterprise_cost' AS cost_source
UNION ALL
SELECT
  'claude_ai' AS source,
  'spend' AS endpoint,
  'claude_ai_spend' AS cost_source
