-- Days that an endpoint holds and that do not count, since another one reports the same bill or the same usage: the newer generation of
-- Anthropic's reports, and the API of Claude Enterprise before a spend report that somebody exported. The preferred one counts where it has rows.
-- Where it says that nothing happened and the other one has rows, the other one counts: what one report shows is not dropped because another is
-- silent. Grain: source, endpoint, usage_date. Inputs: stg_current_fetches.
WITH pairs AS (
  SELECT
    'anthropic' AS source,
    'analytics/cost' AS endpoint,
    'anthropic' AS other_source,
    'cost_report' AS other_endpoint
  UNION ALL
  SELECT
    'anthropic' AS source,
    'analytics/usage' AS endpoint,
    'anthropic' AS other_source,
    'usage_report/messages' AS other_endpoint
  UNION ALL
  SELECT
    'claude_enterprise' AS source,
    'analytics/cost' AS endpoint,
    'claude_ai' AS other_source,
    'spend' AS other_endpoint
),

held AS (
  SELECT
    p.*,
    n.usage_date,
    n.state = 'complete' OR o.state = 'empty' AS is_preferred
  FROM pairs AS p
  INNER JOIN stg_current_fetches AS n ON p.source = n.source AND p.endpoint = n.endpoint
  INNER JOIN stg_current_fetches AS o ON p.other_source = o.source AND p.other_endpoint = o.endpoint AND n.usage_date = o.usage_date
)

SELECT
  CASE WHEN is_preferred THEN other_source ELSE source END AS source,
  CASE WHEN is_preferred THEN other_endpoint ELSE endpoint END AS endpoint,
  usage_date,
  CASE WHEN is_preferred THEN source ELSE other_source END AS counted_source,
  CASE WHEN is_preferred THEN endpoint ELSE other_endpoint END AS counted_endpoint
FROM held
