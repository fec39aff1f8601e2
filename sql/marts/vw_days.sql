-- The calendar: every UTC day and the month that it is in. A period that somebody picks chooses through it the months that it touches.
-- Grain: day. Inputs: none.
SELECT
  day,
  DATE_TRUNC(day, MONTH) AS month
FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2020-01-01', DATE '2049-12-31')) AS day
