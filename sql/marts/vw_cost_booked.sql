-- Money as finance books it: open months as the facts say today, closed months as they were when they were closed, and what was learned about closed
-- months since as correction rows of the first open month. Over all months it sums to fct_cost_daily.
-- Grain: one row of the facts, of a closed month, or of a correction.
-- Inputs: fct_cost_daily, fct_cost_corrections, closed_cost, stg_closed_months, stg_email_aliases,
-- dim_user_assignments.
WITH first_open AS (
  SELECT DATE_ADD(MAX(month), INTERVAL 1 MONTH) AS month FROM stg_closed_months
),

rows_of_all AS (
  SELECT
    f.cost_date AS booked_on, f.cost_date, f.platform, f.vendor, f.workspace_id, f.api_key_id, f.user_email, a.department, a.cost_center,
    f.model, f.cost_type, f.token_type, f.cost_usd, f.attribution, f.settle_state, f.source, f.timing, FALSE AS is_correction
  FROM fct_cost_daily AS f
  LEFT JOIN stg_closed_months AS k ON DATE_TRUNC(f.cost_date, MONTH) = k.month
  LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.cost_date BETWEEN a.valid_from AND a.valid_to
  WHERE k.month IS NULL
  UNION ALL
  SELECT
    c.booked_on, c.cost_date, c.platform, c.vendor, c.workspace_id, c.api_key_id, c.user_email, c.department, c.cost_center, c.model,
    c.cost_type, c.token_type, c.cost_usd, c.attribution, 'closed' AS settle_state, c.source, c.timing, c.is_correction
  FROM closed_cost AS c
  INNER JOIN stg_closed_months AS k ON c.closing_id = k.closing_id
  UNION ALL
  SELECT
    o.month AS booked_on, c.cost_date, c.platform, c.vendor, c.workspace_id, c.api_key_id, c.user_email, a.department, a.cost_center,
    c.model, c.cost_type, c.token_type, c.cost_usd, c.attribution, c.settle_state, c.source, c.timing, TRUE AS is_correction
  FROM fct_cost_corrections AS c
  INNER JOIN first_open AS o ON c.cost_date < o.month
  -- A person who was booked under an address that is an alias now: both rows of the correction belong to the one department.
  LEFT JOIN stg_email_aliases AS e ON c.user_email = e.alias
  LEFT JOIN dim_user_assignments AS a ON COALESCE(e.email, c.user_email) = a.email AND c.cost_date BETWEEN a.valid_from AND a.valid_to
)

SELECT
  booked_on,
  DATE_TRUNC(booked_on, MONTH) AS booked_month,
  cost_date,
  platform,
  vendor,
  workspace_id,
  api_key_id,
  user_email,
  model,
  cost_type,
  token_type,
  cost_usd,
  attribution,
  COALESCE(timing, 'day') AS timing,
  department,
  cost_center,
  settle_state,
  source,
  is_correction,
  CASE WHEN is_correction THEN CONCAT('Corrects ', FORMAT_DATE('%Y-%m', cost_date)) END AS note
FROM rows_of_all
