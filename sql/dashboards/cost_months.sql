-- Grain: month x platform x department x person x settle state. Additive: cost_usd. The cost lines by month, for cards that show months.
SELECT
  month,
  platform,
  department,
  user_email,
  settle_state,
  CASE settle_state
    WHEN 'closed' THEN 'Final: finance has closed the month'
    WHEN 'settled' THEN 'Final: past the days in which the vendor corrects'
    WHEN 'provisional' THEN 'May move: the vendor can still correct it'
    ELSE 'Will grow: the day or billing cycle still runs'
  END AS settle_meaning,
  MAX(last_day) AS last_day,
  SUM(cost_usd) AS cost_usd
FROM vw_cost_months
GROUP BY month, platform, department, user_email, settle_state
