-- What Anthropic's tokens would cost at list price: batch at half, Priority Tier left out since it is not in the cost report. Long-context and
-- regional surcharges are not applied. Models without a known price are left out. Grain: usage_date, platform, model.
-- Inputs: raw_anthropic_usage, stg_anthropic_prices, stg_anthropic_workspaces, stg_current_fetches.
WITH billable AS (
  SELECT
    r.usage_date,
    CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
    r.model,
    -- Batch costs half: counted in halves, so that everything stays a whole number. Fast costs twice, of Opus 4.6 and 4.7 six times as much.
    CASE WHEN r.service_tier = 'batch' THEN 1 ELSE 2 END
    * CASE
      WHEN COALESCE(LOWER(TRIM(r.speed)), '') != 'fast' THEN 1
      WHEN REGEXP_CONTAINS(r.model, r'opus-4-[67]') THEN 6
      ELSE 2
    END AS halves,
    r.uncached_input_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.output_tokens
  FROM raw_anthropic_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'anthropic'
      AND f.endpoint = 'usage_report/messages'
  LEFT JOIN stg_anthropic_workspaces AS w ON r.workspace_id = w.workspace_id
  WHERE
    r.usage_date BETWEEN @start_date AND @end_date
    AND COALESCE(r.service_tier, 'standard') NOT IN ('priority', 'priority_on_demand')
),

used AS (
  SELECT
    usage_date,
    platform,
    model,
    SUM(halves * uncached_input_tokens) AS input_halves,
    SUM(halves * cache_read_tokens) AS read_halves,
    SUM(halves * cache_write_5m_tokens) AS write_5m_halves,
    SUM(halves * cache_write_1h_tokens) AS write_1h_halves,
    SUM(halves * output_tokens) AS output_halves
  FROM billable
  GROUP BY usage_date, platform, model
),

priced AS (
  SELECT
    u.usage_date,
    u.platform,
    u.model,
    CAST(CAST(COALESCE(u.input_halves, 0) AS NUMERIC) * p.input_usd AS NUMERIC)
    + CAST(CAST(COALESCE(u.read_halves, 0) AS NUMERIC) * p.cache_read_usd AS NUMERIC)
    + CAST(CAST(COALESCE(u.write_5m_halves, 0) AS NUMERIC) * p.cache_write_5m_usd AS NUMERIC)
    + CAST(CAST(COALESCE(u.write_1h_halves, 0) AS NUMERIC) * p.cache_write_1h_usd AS NUMERIC)
    + CAST(CAST(COALESCE(u.output_halves, 0) AS NUMERIC) * p.output_usd AS NUMERIC) AS half_millionths_usd
  FROM used AS u
  INNER JOIN stg_anthropic_prices AS p
    ON (u.model = p.model OR STARTS_WITH(u.model, CONCAT(p.model, '-'))) AND u.usage_date >= p.valid_from
  QUALIFY ROW_NUMBER() OVER (PARTITION BY u.usage_date, u.platform, u.model ORDER BY LENGTH(p.model) DESC, p.valid_from DESC) = 1
)

SELECT
  usage_date,
  platform,
  model,
  CAST(half_millionths_usd * CAST('0.0000005' AS NUMERIC) AS NUMERIC) AS list_usd
FROM priced
