-- Who used which platform in which week, in the department of the week's last active day: a row is one active person, so people of a week and
-- platform are added up and not counted distinct; a service is none.
-- Grain: week, platform, user_email. Inputs: agg_person_weeks, dim_user_assignments, dim_users.
SELECT
  w.week,
  w.platform,
  COALESCE(a.department, '(no department)') AS department,
  w.user_email,
  COALESCE(u.user_name, w.user_email) AS user_name,
  1 AS people,
  w.active_days
FROM agg_person_weeks AS w
LEFT JOIN dim_user_assignments AS a ON w.user_email = a.email AND w.last_active_date BETWEEN a.valid_from AND a.valid_to
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
) AS u ON w.user_email = u.email
WHERE COALESCE(u.user_kind, 'person') = 'person'
