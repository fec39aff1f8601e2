-- Which models are used, and what their usage was billed. Seats belong to no model and are not here.
-- Grain: usage_date, platform, department, model. Inputs: vw_cost_allocation, fct_usage_daily, dim_user_assignments.
WITH both_sides AS (
  SELECT
    u.usage_date,
    u.platform,
    COALESCE(a.department, '(no department)') AS department,
    u.model,
    u.requests,
    u.input_tokens,
    u.output_tokens,
    u.cache_read_tokens,
    u.cache_write_tokens,
    CAST(NULL AS NUMERIC) AS cost_usd
  FROM fct_usage_daily AS u
  LEFT JOIN dim_user_assignments AS a ON u.user_email = a.email AND u.usage_date BETWEEN a.valid_from AND a.valid_to
  WHERE u.model IS NOT NULL
  UNION ALL
  SELECT
    cost_date, platform, department, model, CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64), CAST(NULL AS INT64),
    CAST(NULL AS INT64), cost_usd
  FROM vw_cost_allocation
  WHERE cost_type IN ('usage', 'overage')
)

SELECT
  usage_date,
  platform,
  department,
  COALESCE(model, '(no model)') AS model,
  SUM(requests) AS requests,
  CASE
    WHEN COUNT(input_tokens) + COUNT(output_tokens) + COUNT(cache_read_tokens) + COUNT(cache_write_tokens) > 0
      THEN COALESCE(SUM(input_tokens), 0) + COALESCE(SUM(output_tokens), 0) + COALESCE(SUM(cache_read_tokens), 0)
        + COALESCE(SUM(cache_write_tokens), 0)
  END AS total_tokens,
  SUM(cost_usd) AS cost_usd
FROM both_sides
GROUP BY usage_date, platform, department, model
