-- How much of a week vw_team_productivity shows: of the people who were active on a platform, how many stand in none of its rows, since their group
-- is too small even with the other small ones. Their counts are in no row, so that no total minus what is shown tells of a single person.
-- Somebody who changed the department within the week may stand in two rows there; nobody is then left out more than once.
-- Grain: ISO week, platform. Inputs: agg_person_days, dim_users, vw_team_productivity.
SELECT
  a.week,
  a.platform,
  a.people,
  a.people - LEAST(a.people, COALESCE(s.people, 0)) AS people_left_out
FROM (
  SELECT
    CAST(DATE_TRUNC(d.usage_date, ISOWEEK) AS DATE) AS week,
    d.platform,
    COUNT(DISTINCT d.user_email) AS people
  FROM agg_person_days AS d
  LEFT JOIN dim_users AS u ON d.user_email = u.email
  WHERE d.is_active AND COALESCE(u.kind, 'person') = 'person'
  GROUP BY CAST(DATE_TRUNC(d.usage_date, ISOWEEK) AS DATE), d.platform
  HAVING COUNT(DISTINCT d.user_email) > 0
) AS a
LEFT JOIN (SELECT week, platform, SUM(people) AS people FROM vw_team_productivity GROUP BY week, platform) AS s
  ON a.week = s.week AND a.platform = s.platform
