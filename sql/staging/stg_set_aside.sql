-- Days that an endpoint holds and that do not count, since another endpoint of the same vendor reports the same bill or the same usage.
-- The newer generation counts where it has rows. Where it says that nothing happened and the older one has rows, the older one counts: what one
-- report shows is not dropped because another is silent. Grain: source, endpoint, usage_date. Inputs: stg_current_fetches.
WITH generations AS (
  SELECT 'anthropic' AS source, 'analytics/cost' AS newer, 'cost_report' AS older
  UNION ALL
  SELECT 'anthropic' AS source, 'analytics/usage' AS newer, 'usage_report/messages' AS older
)

SELECT
  g.source,
  CASE WHEN n.state = 'complete' OR o.state = 'empty' THEN g.older ELSE g.newer END AS endpoint,
  n.usage_date,
  CASE WHEN n.state = 'complete' OR o.state = 'empty' THEN g.newer ELSE g.older END AS counted_endpoint
FROM generations AS g
INNER JOIN stg_current_fetches AS n ON g.source = n.source AND g.newer = n.endpoint
INNER JOIN stg_current_fetches AS o ON g.source = o.source AND g.older = o.endpoint AND n.usage_date = o.usage_date
