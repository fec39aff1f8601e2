-- Does it match the invoice? For each month and platform: what the vendor's API told, what the warehouse holds, what the invoice lines of the
-- sheet say, and the difference (invoice minus warehouse) split into reasons that add up to it. The reasons are a closed list:
--   tax, credit, seats: invoice lines of that type against the warehouse's own of that type (adjustments count as credits)
--   timing: what the vendor changed after the invoice was drawn, taken from the versions held on the day after the month; counted only
--           where it brings the two closer
--   rounding: what is left, up to half a cent for each invoice line
--   priority_tier: what is left on a platform with priority-tier tokens in that month, which the vendor's cost report leaves out
--   unknown: what is left then
-- Invoice lines without a type count as usage. priced_usd is tokens at list price, for models with a known price.
-- Grain: month, platform. Inputs: agg_cost_days, stg_sheet_invoices_rows, raw_fetches, stg_current_fetches, stg_billed, stg_priority_tokens,
-- stg_list_value, stg_set_aside, stg_closed_months.
WITH held AS (
  SELECT
    DATE_TRUNC(cost_date, MONTH) AS month,
    platform,
    SUM(cost_usd) AS warehouse_usd,
    SUM(CASE WHEN cost_type IN ('usage', 'overage') THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS usage_usd,
    SUM(CASE WHEN cost_type = 'subscription' THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS seats_usd,
    SUM(CASE WHEN cost_type = 'tax' THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS tax_usd,
    SUM(CASE WHEN cost_type IN ('credit', 'adjustment') THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS credit_usd,
    CASE
      WHEN
        COUNTIF(settle_state = 'open') > 0
        OR LAST_DAY(MAX(cost_date)) > (SELECT MAX(all_days.cost_date) FROM agg_cost_days AS all_days)
        THEN 'open'
      WHEN COUNTIF(settle_state = 'provisional') > 0 THEN 'provisional'
      ELSE 'settled'
    END AS settle_state
  FROM agg_cost_days
  GROUP BY DATE_TRUNC(cost_date, MONTH), platform
),

invoiced AS (
  SELECT
    DATE_TRUNC(r.invoice_month, MONTH) AS month,
    r.platform,
    COUNT(*) AS invoice_lines,
    SUM(r.amount_usd) AS invoice_usd,
    SUM(CASE WHEN COALESCE(r.cost_type, 'usage') IN ('usage', 'overage') THEN r.amount_usd ELSE CAST(0 AS NUMERIC) END) AS usage_usd,
    SUM(CASE WHEN r.cost_type = 'subscription' THEN r.amount_usd ELSE CAST(0 AS NUMERIC) END) AS seats_usd,
    SUM(CASE WHEN r.cost_type = 'tax' THEN r.amount_usd ELSE CAST(0 AS NUMERIC) END) AS tax_usd,
    SUM(CASE WHEN r.cost_type IN ('credit', 'adjustment') THEN r.amount_usd ELSE CAST(0 AS NUMERIC) END) AS credit_usd
  FROM stg_sheet_invoices_rows AS r
  GROUP BY DATE_TRUNC(r.invoice_month, MONTH), r.platform
),

-- The version of each day that was held when the invoice was drawn: the last one fetched by the end of the day after the month, else the first.
drawn AS (
  SELECT
    source,
    endpoint,
    usage_date,
    version_fetch_id
  FROM raw_fetches
  WHERE state IN ('complete', 'empty')
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY source, endpoint, usage_date
      ORDER BY
        DATE(COALESCE(told_at, fetched_at)) <= DATE_ADD(LAST_DAY(usage_date), INTERVAL 1 DAY) DESC,
        CASE WHEN DATE(COALESCE(told_at, fetched_at)) <= DATE_ADD(LAST_DAY(usage_date), INTERVAL 1 DAY) THEN fetched_at END DESC,
        fetched_at, fetch_id
    ) = 1
),

every_version AS (
  SELECT source, endpoint, usage_date, version_fetch_id, TRUE AS is_now FROM stg_current_fetches
  UNION ALL
  SELECT source, endpoint, usage_date, version_fetch_id, FALSE AS is_now FROM drawn
),

-- One report of each bill: days that another report counts for are left out.
versions AS (
  SELECT v.*
  FROM every_version AS v
  LEFT JOIN stg_set_aside AS x ON v.source = x.source AND v.endpoint = x.endpoint AND v.usage_date = x.usage_date
  WHERE x.usage_date IS NULL
),

told AS (
  SELECT
    b.billed_on AS usage_date,
    b.platform,
    v.is_now,
    b.usd
  FROM stg_billed AS b
  INNER JOIN versions AS v
    ON b.fetch_id = v.version_fetch_id AND b.version_day = v.usage_date AND b.source = v.source AND b.endpoint = v.endpoint
),

vendor AS (
  SELECT
    DATE_TRUNC(usage_date, MONTH) AS month,
    platform,
    SUM(CASE WHEN is_now THEN usd END) AS vendor_usd,
    SUM(CASE WHEN is_now THEN CAST(0 AS NUMERIC) ELSE usd END) AS drawn_usd
  FROM told
  GROUP BY DATE_TRUNC(usage_date, MONTH), platform
),

priority AS (
  SELECT
    DATE_TRUNC(usage_date, MONTH) AS month,
    platform,
    SUM(tokens) AS priority_tokens
  FROM stg_priority_tokens
  GROUP BY DATE_TRUNC(usage_date, MONTH), platform
),

priced AS (
  SELECT
    DATE_TRUNC(usage_date, MONTH) AS month,
    platform,
    SUM(list_usd) AS priced_usd
  FROM stg_list_value
  GROUP BY DATE_TRUNC(usage_date, MONTH), platform
),

compared AS (
  SELECT
    COALESCE(h.month, i.month) AS month,
    COALESCE(h.platform, i.platform) AS platform,
    h.settle_state,
    h.warehouse_usd,
    COALESCE(h.usage_usd, CAST(0 AS NUMERIC)) AS held_usage_usd,
    i.invoice_usd,
    COALESCE(i.invoice_lines, 0) AS invoice_lines,
    i.tax_usd - COALESCE(h.tax_usd, CAST(0 AS NUMERIC)) AS tax_usd,
    i.credit_usd - COALESCE(h.credit_usd, CAST(0 AS NUMERIC)) AS credit_usd,
    i.seats_usd - COALESCE(h.seats_usd, CAST(0 AS NUMERIC)) AS seats_usd,
    i.usage_usd - COALESCE(h.usage_usd, CAST(0 AS NUMERIC)) AS usage_usd,
    i.invoice_usd - COALESCE(h.warehouse_usd, CAST(0 AS NUMERIC)) AS difference_usd
  FROM held AS h
  FULL OUTER JOIN invoiced AS i ON h.month = i.month AND h.platform = i.platform
),

timed AS (
  SELECT
    c.month,
    c.platform,
    c.settle_state,
    v.vendor_usd,
    p.priced_usd,
    c.warehouse_usd,
    c.held_usage_usd,
    c.invoice_usd,
    c.invoice_lines,
    c.difference_usd,
    c.tax_usd,
    c.credit_usd,
    c.seats_usd,
    c.usage_usd,
    CASE
      WHEN ABS(c.usage_usd - (v.drawn_usd - v.vendor_usd)) < ABS(c.usage_usd) THEN v.drawn_usd - v.vendor_usd
      WHEN c.usage_usd IS NOT NULL THEN CAST(0 AS NUMERIC)
    END AS timing_usd,
    t.priority_tokens
  FROM compared AS c
  LEFT JOIN vendor AS v ON c.month = v.month AND c.platform = v.platform
  LEFT JOIN priced AS p ON c.month = p.month AND c.platform = p.platform
  LEFT JOIN priority AS t ON c.month = t.month AND c.platform = t.platform
),

small AS (
  SELECT
    *,
    CASE
      WHEN ABS(usage_usd - timing_usd) <= CAST('0.005' AS NUMERIC) * invoice_lines THEN usage_usd - timing_usd
      WHEN usage_usd IS NOT NULL THEN CAST(0 AS NUMERIC)
    END
    + CASE WHEN ABS(seats_usd) <= CAST('0.005' AS NUMERIC) * invoice_lines THEN seats_usd ELSE CAST(0 AS NUMERIC) END AS rounding_usd,
    CASE WHEN ABS(seats_usd) <= CAST('0.005' AS NUMERIC) * invoice_lines THEN CAST(0 AS NUMERIC) ELSE seats_usd END AS real_seats_usd
  FROM timed
),

split AS (
  SELECT
    *,
    difference_usd - tax_usd - credit_usd - real_seats_usd - timing_usd - rounding_usd AS left_usd
  FROM small
)

SELECT
  s.month,
  s.platform,
  CASE WHEN k.month IS NOT NULL THEN 'closed' ELSE COALESCE(s.settle_state, 'open') END AS settle_state,
  vendor_usd,
  priced_usd,
  warehouse_usd,
  held_usage_usd - vendor_usd AS vendor_difference_usd,
  invoice_usd,
  difference_usd,
  tax_usd,
  credit_usd,
  real_seats_usd AS seats_usd,
  timing_usd,
  rounding_usd,
  CASE WHEN left_usd > 0 AND priority_tokens > 0 THEN left_usd WHEN left_usd IS NOT NULL THEN CAST(0 AS NUMERIC) END AS priority_tier_usd,
  CASE WHEN left_usd > 0 AND priority_tokens > 0 THEN CAST(0 AS NUMERIC) ELSE left_usd END AS unknown_usd,
  CASE
    WHEN invoice_usd IS NULL THEN 'no_invoice'
    WHEN warehouse_usd IS NULL THEN 'not_held'
    WHEN difference_usd = 0 AND left_usd = 0 THEN 'agrees'
    WHEN left_usd > 0 AND priority_tokens > 0 THEN 'priority_tier'
    WHEN left_usd != 0 THEN 'unknown'
    WHEN ABS(real_seats_usd) >= GREATEST(ABS(tax_usd), ABS(credit_usd), ABS(timing_usd), ABS(rounding_usd)) THEN 'seats'
    WHEN ABS(timing_usd) >= GREATEST(ABS(tax_usd), ABS(credit_usd), ABS(rounding_usd)) THEN 'timing'
    WHEN ABS(tax_usd) >= GREATEST(ABS(credit_usd), ABS(rounding_usd)) THEN 'tax'
    WHEN ABS(credit_usd) >= ABS(rounding_usd) THEN 'credit'
    ELSE 'rounding'
  END AS reason
FROM split AS s
LEFT JOIN stg_closed_months AS k ON s.month = k.month
