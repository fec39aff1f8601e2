-- Seats against use: who held a paid seat in a month, and whether they used it. Seats that nobody holds are '(unattributed)'.
-- On a platform that reports no activity, use is unknown. A person who changed department stands in the last one of the month, whole. What came in
-- for a closed month is no seat of the month that books it, and a person booked under an older address is the person.
-- Grain: month, platform, user_email. Inputs: agg_person_months, agg_cost_months, stg_email_aliases, dim_user_assignments, dim_users,
-- vw_seats.
WITH reported AS (
  SELECT
    platform,
    SUM(days_with_activity) > 0 AS has_days
  FROM agg_person_months
  GROUP BY platform
),

both_sides AS (
  SELECT
    m.month, m.platform, COALESCE(a.department, '(no department)') AS department, COALESCE(m.user_email, '(unattributed)') AS user_email,
    DATE_DIFF(m.last_day, DATE '1900-01-01', DAY) * 3 + 1 AS standing, m.active_days, CAST(NULL AS NUMERIC) AS cost_usd,
    CAST(NULL AS NUMERIC) AS seat_usd
  FROM agg_person_months AS m
  LEFT JOIN dim_user_assignments AS a ON m.user_email = a.email AND m.last_day BETWEEN a.valid_from AND a.valid_to
  UNION ALL
  SELECT
    c.month, c.platform, COALESCE(c.department, '(no department)'), COALESCE(e.email, c.user_email, '(unattributed)'),
    DATE_DIFF(c.last_day, DATE '1900-01-01', DAY) * 3 + CASE WHEN c.corrects_month IS NULL THEN 2 ELSE 0 END, CAST(NULL AS INT64),
    c.cost_usd, CASE WHEN c.cost_type = 'subscription' AND c.corrects_month IS NULL THEN c.cost_usd END
  FROM agg_cost_months AS c
  LEFT JOIN stg_email_aliases AS e ON c.user_email = e.alias
),

months AS (
  SELECT
    month,
    platform,
    -- The last day's. Of one day the books stand before the sheet of today, and that before what is booked for another month.
    ANY_VALUE(department HAVING MAX standing) AS department,
    user_email,
    SUM(seat_usd) AS seat_usd,
    SUM(cost_usd) AS cost_usd,
    COALESCE(SUM(active_days), 0) AS active_dates
  FROM both_sides
  GROUP BY month, platform, user_email
),

known AS (
  SELECT
    m.month,
    m.platform,
    m.department,
    m.user_email,
    m.seat_usd,
    m.cost_usd,
    CASE WHEN r.has_days THEN CASE WHEN m.user_email = '(unattributed)' THEN 0 ELSE m.active_dates END END AS active_days
  FROM months AS m
  LEFT JOIN reported AS r ON m.platform = r.platform
),

history AS (
  SELECT
    month,
    platform,
    COALESCE(user_email, '(unattributed)') AS user_email,
    last_active_date
  FROM agg_person_months
  WHERE last_active_date IS NOT NULL
),

dated AS (
  SELECT
    k.month,
    k.platform,
    k.department,
    k.user_email,
    k.seat_usd,
    k.cost_usd,
    k.active_days,
    MAX(h.last_active_date) AS last_active_date
  FROM known AS k
  LEFT JOIN history AS h ON k.platform = h.platform AND k.user_email = h.user_email AND k.month >= h.month
  GROUP BY k.month, k.platform, k.department, k.user_email, k.seat_usd, k.cost_usd, k.active_days
)

SELECT
  d.month,
  d.platform,
  d.department,
  d.user_email,
  COALESCE(u.user_name, d.user_email) AS user_name,
  CASE WHEN d.user_email != '(unattributed)' THEN COALESCE(u.user_kind, 'person') END AS user_kind,
  CASE
    WHEN COALESCE(d.seat_usd, 0) = 0 THEN 'no_seat'
    WHEN d.user_email = '(unattributed)' THEN 'unheld'
    WHEN d.active_days IS NULL THEN 'unknown'
    WHEN d.active_days > 0 THEN 'used'
    ELSE 'idle'
  END AS seat_state,
  -- A seat of a person's own on a platform whose vendor names no holders is one account.
  CASE WHEN COALESCE(d.seat_usd, 0) != 0 AND d.user_email != '(unattributed)' THEN COALESCE(s.accounts, 1) END AS accounts,
  d.seat_usd,
  CASE
    WHEN d.user_email = '(unattributed)' OR d.active_days = 0 THEN d.seat_usd
    WHEN d.active_days > 0 AND d.seat_usd IS NOT NULL THEN CAST(0 AS NUMERIC)
  END AS idle_usd,
  d.cost_usd,
  d.active_days,
  d.last_active_date
FROM dated AS d
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
) AS u ON d.user_email = u.email
LEFT JOIN vw_seats AS s ON d.month = s.month AND d.platform = s.platform AND d.user_email = s.user_email
