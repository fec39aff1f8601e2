-- What could be saved, each with its evidence: seats that nobody holds, seats whose holder did not use the platform in the month, and the accounts
-- of a person beyond the first. Only what the books hold as paid: nothing that needs an assumption, such as another plan or model, is here.
-- A seat is named once: an unused seat stands with its person, whatever the number of their accounts; of somebody who uses the platform, only the
-- accounts beyond the first. A month that still runs has not shown that a seat is idle, so only months that have passed are here. A year is twelve
-- months at the month's price.
-- Grain: month, platform, user_email. Inputs: vw_adoption, vw_seats, agg_cost_months.
WITH passed AS (
  SELECT month
  FROM agg_cost_months
  GROUP BY month
  HAVING MAX(last_day) = LAST_DAY(month)
),

found AS (
  SELECT
    a.month,
    a.platform,
    a.department,
    a.user_email,
    CASE WHEN a.seat_state IN ('unheld', 'idle') THEN a.seat_state ELSE 'duplicate' END AS saving,
    CASE WHEN a.seat_state IN ('unheld', 'idle') THEN a.idle_usd ELSE CAST(SAFE_DIVIDE(s.extra_yearly_usd, 12) AS NUMERIC) END AS monthly_usd,
    a.accounts,
    s.account_names,
    a.last_active_date
  FROM vw_adoption AS a
  INNER JOIN passed AS p ON a.month = p.month
  LEFT JOIN vw_seats AS s ON a.month = s.month AND a.platform = s.platform AND a.user_email = s.user_email
)

SELECT
  month,
  platform,
  department,
  user_email,
  saving,
  monthly_usd,
  CAST(monthly_usd * 12 AS NUMERIC) AS yearly_usd,
  CASE
    WHEN saving = 'unheld' THEN 'Paid, and no account holds it'
    WHEN saving = 'duplicate' THEN CONCAT('Holds ', CAST(accounts AS STRING), ' accounts: ', account_names)
    WHEN last_active_date IS NULL THEN 'Never used while on record'
    ELSE CONCAT('Last used ', CAST(last_active_date AS STRING))
  END AS evidence,
  CASE
    WHEN saving = 'unheld' THEN 'Cancel the seats, or give them to somebody'
    WHEN saving = 'duplicate' THEN 'Close the accounts beyond the first'
    ELSE 'Ask the person, then take the seat back'
  END AS what_to_do
FROM found
WHERE monthly_usd > 0
