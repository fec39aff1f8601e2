-- Billed cost per day with person and department as of that day, as it stands in the books: what came in for a closed month stands in the first
-- open one and names the month that it corrects.
-- Grain: one day, platform, person, department, model, cost type, attribution, settle state, corrected month.
-- Inputs: vw_cost_booked, dim_users.
SELECT
  f.booked_on AS cost_date,
  f.platform,
  f.vendor,
  COALESCE(f.department, '(no department)') AS department,
  f.cost_center,
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
  CASE WHEN f.is_correction THEN DATE_TRUNC(f.cost_date, MONTH) END AS corrects_month,
  SUM(f.cost_usd) AS cost_usd
FROM vw_cost_booked AS f
LEFT JOIN dim_users AS u ON f.user_email = u.email
GROUP BY
  f.booked_on, f.platform, f.vendor, f.department, f.cost_center, f.user_email, u.first_name, u.last_name, f.model, f.cost_type,
  f.attribution, f.settle_state, CASE WHEN f.is_correction THEN DATE_TRUNC(f.cost_date, MONTH) END
