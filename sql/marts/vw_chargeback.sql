-- The lines to book for a month: billed cost by cost center, department, person, platform, vendor, cost type and the closed month that a correction
-- is of. Cost without a person is in rows of its own. A month's sum is that of vw_cost_allocation. A line is as final as the least final cost in it,
-- and open until the month's last day is held: else a line that is booked as settled would grow. Grain: the view's key. Inputs: vw_cost_months.
SELECT
  month,
  cost_center,
  department,
  user_email,
  user_name,
  platform,
  vendor,
  cost_type,
  CASE
    WHEN COUNTIF(settle_state != 'closed') = 0 THEN 'closed'
    WHEN LAST_DAY(month) > (SELECT MAX(all_lines.last_day) FROM vw_cost_months AS all_lines) OR COUNTIF(settle_state = 'open') > 0 THEN 'open'
    WHEN COUNTIF(settle_state = 'provisional') > 0 THEN 'provisional'
    ELSE 'settled'
  END AS settle_state,
  corrects_month,
  SUM(cost_usd) AS cost_usd
FROM vw_cost_months
GROUP BY month, cost_center, department, user_email, user_name, platform, vendor, cost_type, corrects_month
