-- What the facts of closed months' days say today, minus what has been booked for those days: in the month itself when it was closed, and as
-- corrections in months closed after it. The first open month carries it. A cost that found another owner is two rows that sum to 0.
-- Grain: the table's key. Inputs: fct_cost_daily, closed_cost, stg_closed_months.
WITH told AS (
  SELECT
    f.cost_date, f.platform, f.vendor, f.workspace_id, f.api_key_id, f.user_email, f.model, f.cost_type, f.token_type, f.attribution,
    f.source, f.settle_state, COALESCE(f.timing, 'day') AS timing, f.cost_usd
  FROM fct_cost_daily AS f
  INNER JOIN stg_closed_months AS k ON DATE_TRUNC(f.cost_date, MONTH) = k.month
  WHERE f.cost_date BETWEEN @start_date AND @end_date
  UNION ALL
  SELECT
    c.cost_date, c.platform, c.vendor, c.workspace_id, c.api_key_id, c.user_email, c.model, c.cost_type, c.token_type, c.attribution,
    c.source, 'settled' AS settle_state, COALESCE(c.timing, 'day') AS timing, -c.cost_usd AS cost_usd
  FROM closed_cost AS c
  INNER JOIN stg_closed_months AS k ON c.closing_id = k.closing_id
  -- Booked on its day or later, which limits the partitions that are read.
  WHERE c.cost_date BETWEEN @start_date AND @end_date AND c.booked_on >= @start_date
)

SELECT
  t.cost_date,
  t.platform,
  t.vendor,
  t.workspace_id,
  t.api_key_id,
  t.user_email,
  t.model,
  t.cost_type,
  t.token_type,
  SUM(t.cost_usd) AS cost_usd,
  t.attribution,
  CASE
    WHEN COUNTIF(t.settle_state = 'open') > 0 THEN 'open'
    WHEN COUNTIF(t.settle_state = 'provisional') > 0 THEN 'provisional'
    ELSE 'settled'
  END AS settle_state,
  t.source,
  @processed_at AS processed_at,
  t.timing
FROM told AS t
GROUP BY
  t.cost_date, t.platform, t.vendor, t.workspace_id, t.api_key_id, t.user_email, t.model, t.cost_type, t.token_type, t.attribution, t.source,
  t.timing
HAVING SUM(t.cost_usd) != 0
