-- Billed cost per day with person and department as of that day.
-- Grain: one day, platform, person, department, model, cost type, attribution, settle state.
-- Inputs: fct_cost_daily, dim_user_assignments, dim_users.
SELECT
  f.cost_date,
  f.platform,
  f.vendor,
  COALESCE(a.department, '(no department)') AS department,
  a.cost_center,
  COALESCE(f.user_email, '(unattributed)') AS user_email,
  CASE
    WHEN f.user_email IS NULL THEN '(unattributed)'
    WHEN u.first_name IS NULL AND u.last_name IS NULL THEN f.user_email
    ELSE TRIM(CONCAT(COALESCE(u.first_name, ''), ' ', COALESCE(u.last_name, '')))
  END AS user_name,
  f.model,
  f.cost_type,
  f.attribution,
  f.settle_state,
  SUM(f.cost_usd) AS cost_usd
FROM fct_cost_daily AS f
LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.cost_date BETWEEN a.valid_from AND a.valid_to
LEFT JOIN dim_users AS u ON f.user_email = u.email
GROUP BY
  f.cost_date, f.platform, f.vendor, a.department, a.cost_center, f.user_email, u.first_name, u.last_name, f.model, f.cost_type,
  f.attribution, f.settle_state
