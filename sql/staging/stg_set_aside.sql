-- Days that an endpoint holds and that do not count, since another one reports the same bill or the same usage. Two reports by day (the newer and
-- the older generation of Anthropic's): the preferred one counts where it has rows. Where it says that nothing happened and the other one has rows,
-- the other one counts: what one report shows is not dropped because another is silent. A report by range (claude.ai's spend report, a file) and
-- one by day (Claude Enterprise's API): the range counts, and the API's days inside it do not, unless the API holds every one of its days and not all
-- of them are empty; then the range, which stands on its last day, is left out whole. Never both, and never a part of each: a range cannot be cut.
-- A bill whose lines come to 0 is empty too, whichever report it is: a report that knows of no money never sets aside one that knows of some. So a
-- range of 0 gives way to any day of the API with money.
-- Grain: source, endpoint, usage_date. Inputs: stg_current_fetches, stg_claude_ai_ranges.
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
),

held AS (
  SELECT
    p.*,
    n.usage_date,
    CASE WHEN n.state = 'empty' THEN 0 WHEN n.vendor_total_usd = 0 THEN 1 ELSE 2 END
    >= CASE WHEN o.state = 'empty' THEN 0 WHEN o.vendor_total_usd = 0 THEN 1 ELSE 2 END AS is_preferred
  FROM pairs AS p
  INNER JOIN stg_current_fetches AS n ON p.source = n.source AND p.endpoint = n.endpoint
  INNER JOIN stg_current_fetches AS o ON p.other_source = o.source AND p.other_endpoint = o.endpoint AND n.usage_date = o.usage_date
),

api_days AS (
  SELECT
    usage_date,
    state = 'complete' AND COALESCE(vendor_total_usd != 0, TRUE) AS has_money,
    -- Read before it ended, a day is not held whole.
    origin != 'api' OR DATE(told_at) > usage_date AS is_whole
  FROM stg_current_fetches
  WHERE source = 'claude_enterprise' AND endpoint = 'analytics/cost'
),

range_days AS (
  SELECT
    r.last_day,
    COALESCE(r.net_usd != 0, TRUE) AS has_money,
    usage_date
  FROM stg_claude_ai_ranges AS r
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(r.first_day, r.last_day)) AS usage_date
),

ranges AS (
  SELECT
    d.last_day,
    COUNTIF(COALESCE(a.has_money, FALSE)) > 0 AND (COUNTIF(COALESCE(a.is_whole, FALSE)) = COUNT(*) OR COUNTIF(d.has_money) = 0) AS api_counts
  FROM range_days AS d
  LEFT JOIN api_days AS a ON d.usage_date = a.usage_date
  GROUP BY d.last_day
)

SELECT
  CASE WHEN is_preferred THEN other_source ELSE source END AS source,
  CASE WHEN is_preferred THEN other_endpoint ELSE endpoint END AS endpoint,
  usage_date,
  CASE WHEN is_preferred THEN source ELSE other_source END AS counted_source,
  CASE WHEN is_preferred THEN endpoint ELSE other_endpoint END AS counted_endpoint
FROM held
UNION ALL
SELECT
  'claude_ai' AS source,
  'spend' AS endpoint,
  last_day AS usage_date,
  'claude_enterprise' AS counted_source,
  'analytics/cost' AS counted_endpoint
FROM ranges
WHERE api_counts
UNION ALL
SELECT DISTINCT
  'claude_enterprise' AS source,
  'analytics/cost' AS endpoint,
  a.usage_date,
  'claude_ai' AS counted_source,
  'spend' AS counted_endpoint
FROM ranges AS r
INNER JOIN range_days AS d ON r.last_day = d.last_day
INNER JOIN api_days AS a ON d.usage_date = a.usage_date
WHERE NOT r.api_counts
