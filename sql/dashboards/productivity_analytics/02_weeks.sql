-- Grain: week x platform x person who was active in it. Additive within a week and platform: people.
SELECT
  week,
  platform,
  department,
  user_email,
  people
FROM vw_weekly_adoption
