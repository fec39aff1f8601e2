-- The lines to book for a month: billed cost by cost center, department, person, platform, vendor, cost type and the closed month that a correction
-- is of. Cost without a person is in rows of its own. A month's sum is that of vw_cost_allocation. A line is as final as the least final cost in it,
-- and open until the month's last day is held: else a line that is booked as settled would grow.
-- booked_usd is the line in whole cents: a vendor's month is rounded once, and what its lines rounded down lack goes, a cent each, to those with
-- the largest rests. So cents sum to the whole. An invoice that was received adds a line of what it says beyond the lines booked for its month,
-- in whichever month they are booked; it has no cost. A closed month keeps the line that it was closed with (closed_invoices); what an invoice or a
-- correction says of it later is a line of the first open month that names it. A month that was closed before these lines were frozen follows its
-- invoice still. A line is provisional while a line may move, and while usage or seats have cost and no line of the
-- invoice (a line without a type is of both): what is missing there is an invoice that has not come, and no cost that was not charged.
-- Grain: the view's key. Inputs: vw_cost_months, stg_sheet_invoices_rows, closed_invoices, stg_closed_months,
-- stg_invoicing.
WITH lines AS (
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
),

-- The floor of a line, also of a negative one, is its cents or a cent below: every rest is positive.
floors AS (
  SELECT
    *,
    CAST(ROUND(cost_usd, 2) AS NUMERIC)
    - CASE WHEN CAST(ROUND(cost_usd, 2) AS NUMERIC) > cost_usd THEN CAST('0.01' AS NUMERIC) ELSE CAST(0 AS NUMERIC) END AS floor_usd
  FROM lines
),

sums AS (
  SELECT
    *,
    CAST(ROUND(SUM(cost_usd) OVER (PARTITION BY month, vendor), 2) AS NUMERIC)
    - SUM(floor_usd) OVER (PARTITION BY month, vendor) AS lacking_usd,
    ROW_NUMBER() OVER (
      PARTITION BY month, vendor
      ORDER BY
        cost_usd - floor_usd DESC, platform, COALESCE(cost_center, ''), department, user_email, cost_type, COALESCE(corrects_month, month) DESC,
        user_name
    ) AS place
  FROM floors
),

cents AS (
  SELECT
    *,
    CAST(
      floor_usd
      + CASE
        WHEN CAST(place AS NUMERIC) <= lacking_usd * 100 THEN CAST('0.01' AS NUMERIC)
        ELSE CAST(0 AS NUMERIC)
      END AS NUMERIC
    ) AS booked_usd
  FROM sums
),

invoiced AS (
  SELECT
    DATE_TRUNC(r.invoice_month, MONTH) AS month,
    r.platform,
    CAST(ROUND(SUM(r.amount_usd), 2) AS NUMERIC) AS invoice_usd,
    COUNTIF(COALESCE(r.cost_type, 'usage') IN ('usage', 'overage')) > 0 AS has_usage,
    COUNTIF(COALESCE(r.cost_type, 'subscription') = 'subscription') > 0 AS has_seats
  FROM stg_sheet_invoices_rows AS r
  GROUP BY DATE_TRUNC(r.invoice_month, MONTH), r.platform
),

booked AS (
  SELECT
    COALESCE(corrects_month, month) AS month,
    platform,
    SUM(booked_usd) AS booked_usd,
    COUNTIF(settle_state NOT IN ('closed', 'settled')) > 0 AS is_moving,
    COUNTIF(cost_type IN ('usage', 'overage') AND cost_usd != 0) > 0 AS has_usage,
    COUNTIF(cost_type = 'subscription' AND cost_usd != 0) > 0 AS has_seats
  FROM cents
  GROUP BY COALESCE(corrects_month, month), platform
),

frozen AS (
  SELECT
    k.month,
    c.corrects_month,
    COALESCE(c.corrects_month, k.month) AS of_month,
    c.platform,
    c.vendor,
    c.booked_usd
  FROM closed_invoices AS c
  INNER JOIN stg_closed_months AS k ON c.closing_id = k.closing_id
),

kept AS (
  SELECT DISTINCT month FROM frozen
),

first_open AS (
  SELECT DATE_ADD(MAX(month), INTERVAL 1 MONTH) AS month FROM stg_closed_months
),

-- What each month's invoices say beyond its lines, less what closed months carry of it. An invoice that was taken back leaves nothing to say.
beyond AS (
  SELECT
    COALESCE(i.month, h.of_month) AS month,
    COALESCE(i.platform, h.platform) AS platform,
    CASE WHEN i.month IS NULL THEN CAST(0 AS NUMERIC) ELSE i.invoice_usd - COALESCE(b.booked_usd, CAST(0 AS NUMERIC)) END
    - COALESCE(h.booked_usd, CAST(0 AS NUMERIC)) AS booked_usd,
    CASE
      WHEN b.is_moving OR (b.has_usage AND NOT i.has_usage) OR (b.has_seats AND NOT i.has_seats) THEN 'provisional'
      ELSE 'settled'
    END AS settle_state
  FROM invoiced AS i
  FULL OUTER JOIN (SELECT of_month, platform, SUM(booked_usd) AS booked_usd FROM frozen GROUP BY of_month, platform) AS h
    ON i.month = h.of_month AND i.platform = h.platform
  LEFT JOIN booked AS b ON COALESCE(i.month, h.of_month) = b.month AND COALESCE(i.platform, h.platform) = b.platform
),

invoice_lines AS (
  SELECT
    month,
    platform,
    'closed' AS settle_state,
    corrects_month,
    booked_usd
  FROM frozen
  UNION ALL
  SELECT
    CASE WHEN k.month IS NOT NULL THEN o.month ELSE n.month END AS month,
    n.platform,
    n.settle_state,
    k.month AS corrects_month,
    n.booked_usd
  FROM beyond AS n
  LEFT JOIN kept AS k ON n.month = k.month
  CROSS JOIN first_open AS o
),

vendors AS (
  SELECT
    platform,
    MAX(vendor) AS vendor
  FROM lines
  GROUP BY platform
)

SELECT
  month,
  cost_center,
  department,
  user_email,
  user_name,
  platform,
  vendor,
  cost_type,
  settle_state,
  corrects_month,
  cost_usd,
  booked_usd
FROM cents
UNION ALL
SELECT
  i.month,
  CAST(NULL AS STRING) AS cost_center,
  '(invoice difference)' AS department,
  '(unattributed)' AS user_email,
  '(unattributed)' AS user_name,
  i.platform,
  COALESCE(v.vendor, w.vendor, i.platform) AS vendor,
  'invoice_difference' AS cost_type,
  i.settle_state,
  i.corrects_month,
  CAST(0 AS NUMERIC) AS cost_usd,
  i.booked_usd
FROM invoice_lines AS i
LEFT JOIN vendors AS v ON i.platform = v.platform
LEFT JOIN stg_invoicing AS w ON i.platform LIKE w.platform_like
WHERE i.booked_usd != 0
