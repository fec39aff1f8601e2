-- A closed month holds other rows or another sum than were closed, or a check found another hash. Inputs: closed_cost, stg_closed_months,
-- vw_check_results.
WITH held AS (
  SELECT
    closing_id,
    COUNT(*) AS found_rows,
    SUM(cost_usd) AS cost_usd
  FROM closed_cost
  GROUP BY closing_id
),

changed AS (
  SELECT
    k.month,
    FORMAT_DATE('%Y-%m', k.month) AS cause_key,
    COALESCE(h.cost_usd, CAST(0 AS NUMERIC)) AS figure,
    k.cost_usd AS usual
  FROM stg_closed_months AS k
  LEFT JOIN held AS h ON k.closing_id = h.closing_id
  WHERE k.row_count != COALESCE(h.found_rows, 0) OR k.cost_usd != COALESCE(h.cost_usd, CAST(0 AS NUMERIC))
),

hashed AS (
  SELECT
    MAX(k.month) AS month,
    'hash' AS cause_key,
    CAST(NULL AS NUMERIC) AS figure,
    CAST(NULL AS NUMERIC) AS usual
  FROM vw_check_results AS c
  CROSS JOIN stg_closed_months AS k
  WHERE c.check_name IN ('closed_months_stand', 'frozen_rows_stand') AND c.state = 'failed'
  HAVING COUNT(*) > 0
),

causes AS (
  SELECT month, cause_key, figure, usual FROM changed
  UNION ALL
  SELECT month, cause_key, figure, usual FROM hashed
)

SELECT
  cause_key,
  CASE WHEN cause_key = 'hash' THEN 'A closed month' ELSE CONCAT('The closed month ', cause_key) END AS subject,
  1 AS level,
  figure,
  usual,
  'USD' AS unit,
  'Somebody changed closed_cost or closed_invoices by hand: no run does.' AS likely_reason,
  month AS since,
  month AS first_day,
  LAST_DAY(month) AS last_day,
  CAST(NULL AS STRING) AS mover,
  CAST(NULL AS NUMERIC) AS mover_figure,
  CAST(NULL AS STRING) AS mover_unit,
  1 AS mover_rank
FROM causes
