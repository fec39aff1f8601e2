-- Billed cost per month with person and department, as it stands in the books: vw_cost_allocation by month.
-- Grain: one row of agg_cost_months. Inputs: agg_cost_months, dim_users.
SELECT
  m.month,
  m.platform,
  m.vendor,
  COALESCE(m.department, '(no department)') AS department,
  m.cost_center,
  COALESCE(m.user_email, '(unattributed)') AS user_email,
  COALESCE(u.user_name, m.user_email, '(unattributed)') AS user_name,
  m.cost_type,
  m.attribution,
  m.settle_state,
  m.corrects_month,
  m.first_day,
  m.last_day,
  m.cost_usd
FROM agg_cost_months AS m
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name
  FROM dim_users
) AS u ON m.user_email = u.email
