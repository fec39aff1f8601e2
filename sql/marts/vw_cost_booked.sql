-- Billed money as the books hold it: the day and month that book it beside the day on which it arose, person and department as of that day.
-- No month is closed here, so that every row is booked on its own day and none is a correction.
-- Grain: one row of fct_cost_daily. Inputs: fct_cost_daily, dim_user_assignments.
SELECT
  f.cost_date AS booked_on,
  DATE_TRUNC(f.cost_date, MONTH) AS booked_month,
  f.cost_date,
  f.platform,
  f.vendor,
  f.workspace_id,
  f.api_key_id,
  f.user_email,
  a.department,
  a.cost_center,
  f.model,
  f.cost_type,
  f.token_type,
  f.cost_usd,
  f.attribution,
  f.settle_state,
  f.source,
  FALSE AS is_correction,
  CAST(NULL AS STRING) AS note,
  CAST(NULL AS STRING) AS author
FROM fct_cost_daily AS f
LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.cost_date BETWEEN a.valid_from AND a.valid_to
