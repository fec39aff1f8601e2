-- What groups of people did in a week, without anybody's name. Departments of fewer than 3 active people stand together as '(small groups)' of the
-- week and platform; where those are fewer than 3 people too, they are left out.
-- Grain: ISO week, platform, department. Rows do not overlap, so that no difference of two rows shows a single person.
-- What services did is no group's work. Inputs: agg_person_days, dim_user_assignments, dim_users.
WITH placed AS (
  SELECT
    d.usage_date,
    d.platform,
    COALESCE(a.department, '(no department)') AS department,
    CASE WHEN d.is_active THEN d.user_email END AS active_person,
    d.loc_accepted,
    COALESCE(d.suggestions_shown, d.suggestions_accepted + d.suggestions_rejected) AS suggestions_decided,
    CASE
      WHEN COALESCE(d.suggestions_shown, d.suggestions_accepted + d.suggestions_rejected) IS NOT NULL THEN d.suggestions_accepted
    END AS suggestions_accepted,
    d.requests,
    d.sessions,
    d.commits,
    d.pull_requests
  FROM agg_person_days AS d
  LEFT JOIN dim_user_assignments AS a ON d.user_email = a.email AND d.usage_date BETWEEN a.valid_from AND a.valid_to
  LEFT JOIN dim_users AS u ON d.user_email = u.email
  WHERE COALESCE(u.kind, 'person') = 'person'
),

sizes AS (
  SELECT
    CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE) AS week,
    platform,
    department,
    COUNT(DISTINCT active_person) AS people
  FROM placed
  GROUP BY CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE), platform, department
),

grouped AS (
  SELECT
    s.week,
    CASE WHEN s.people >= 3 THEN p.department ELSE '(small groups)' END AS department,
    p.platform,
    p.active_person,
    p.loc_accepted,
    p.suggestions_decided,
    p.suggestions_accepted,
    p.requests,
    p.sessions,
    p.commits,
    p.pull_requests
  FROM placed AS p
  INNER JOIN sizes AS s
    ON CAST(DATE_TRUNC(p.usage_date, ISOWEEK) AS DATE) = s.week AND p.platform = s.platform AND p.department = s.department
)

SELECT
  week,
  platform,
  department,
  COUNT(DISTINCT active_person) AS people,
  SUM(loc_accepted) AS loc_accepted,
  SUM(suggestions_decided) AS suggestions_decided,
  SUM(suggestions_accepted) AS suggestions_accepted,
  SUM(requests) AS requests,
  SUM(sessions) AS sessions,
  SUM(commits) AS commits,
  SUM(pull_requests) AS pull_requests
FROM grouped
GROUP BY week, platform, department
HAVING COUNT(DISTINCT active_person) >= 3
