-- Billed cost per day with person and department as of that day. Not added up here: whoever reads it does that once, over the columns it needs.
-- Grain: one row of fct_cost_daily.
-- Inputs: fct_cost_daily, dim_user_assignments, dim_users.
SELECT
  f.cost_date,
  f.platform,
  f.vendor,
  COALESCE(a.department, '(no department)') AS department,
  a.cost_center,
  COALESCE(f.user_email, '(unattributed)') AS user_email,
  COALESCE(u.user_name, f.user_email, '(unattributed)') AS user_name,
  f.model,
  f.cost_type,
  f.attribution,
  f.settle_state,
  f.cost_usd
FROM fct_cost_daily AS f
LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.cost_date BETWEEN a.valid_from AND a.valid_to
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name
  FROM dim_users
) AS u ON f.user_email = u.email
