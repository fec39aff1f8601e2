-- Billed cost per day with person and department as of that day, as it stands in the books: what came in for a closed month stands in the first
-- open one and names the month that it corrects. Not added up here: whoever reads it does that once, over the columns it needs.
-- Grain: one row of vw_cost_booked. Inputs: vw_cost_booked, dim_users.
SELECT
  f.booked_on AS cost_date,
  f.platform,
  f.vendor,
  COALESCE(f.department, '(no department)') AS department,
  f.cost_center,
  COALESCE(f.user_email, '(unattributed)') AS user_email,
  COALESCE(u.user_name, f.user_email, '(unattributed)') AS user_name,
  CASE WHEN f.user_email IS NOT NULL THEN COALESCE(u.user_kind, 'person') END AS user_kind,
  f.model,
  f.cost_type,
  f.attribution,
  f.timing,
  f.settle_state,
  CASE WHEN f.is_correction THEN DATE_TRUNC(f.cost_date, MONTH) END AS corrects_month,
  f.cost_usd
FROM vw_cost_booked AS f
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name,
    COALESCE(kind, 'person') AS user_kind
  FROM dim_users
) AS u ON f.user_email = u.email
