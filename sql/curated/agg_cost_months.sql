-- What is booked to each month, by person and department: what finance asks for by month is read here, and not added up from the days again.
-- Whole months: a run of some days writes the months that they touch. Departments and closed months come in from tables that a run of other days may
-- change, so each row says by its basis which state of them it was made from: when that state changes, every month is written anew.
-- Grain: the table's key. Inputs: vw_cost_booked, stg_cost_basis.
SELECT
  b.booked_month AS month,
  b.platform,
  b.vendor,
  b.department,
  b.cost_center,
  b.user_email,
  b.cost_type,
  b.attribution,
  b.settle_state,
  CASE WHEN b.is_correction THEN DATE_TRUNC(b.cost_date, MONTH) END AS corrects_month,
  MIN(b.booked_on) AS first_day,
  MAX(b.booked_on) AS last_day,
  SUM(b.cost_usd) AS cost_usd,
  s.basis,
  @processed_at AS processed_at
FROM vw_cost_booked AS b
CROSS JOIN stg_cost_basis AS s
WHERE b.booked_on BETWEEN @start_date AND @end_date
GROUP BY
  b.booked_month, b.platform, b.vendor, b.department, b.cost_center, b.user_email, b.cost_type, b.attribution, b.settle_state,
  CASE WHEN b.is_correction THEN DATE_TRUNC(b.cost_date, MONTH) END, s.basis
