-- Grain: week x platform, of all departments. Additive: a person counts once in each week and platform.
SELECT
  week,
  platform,
  people AS person_weeks,
  people_left_out AS person_weeks_left_out
FROM vw_team_coverage
