-- Grain: week x platform x department, groups of people only. Additive: everything but people.
SELECT
  week,
  platform,
  department,
  people,
  loc_accepted,
  suggestions_decided,
  suggestions_accepted,
  requests,
  commits,
  pull_requests
FROM vw_team_productivity
