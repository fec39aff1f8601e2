-- What the sheet's owner should look at, in the sheet as it is now: rows that could not be used, cells that count as empty, rows that say the same
-- twice or contradict each other, prices that a later row ended, money without a rate, names that match nothing. is_used says whether the row
-- counts all the same. Grain: one remark on one row. Inputs: raw_rejects, stg_snapshots, stg_sheet_unread, stg_sheet_repeats,
-- stg_subscription_terms, stg_last_day, stg_sheet_fx_rates_rows, raw_sheet_invoices, raw_sheet_budgets, raw_sheet_adjustments,
-- stg_sheet_invoices_rows, stg_sheet_unmatched, vw_identity_issues.
WITH rates AS (
  SELECT
    currency,
    DATE_TRUNC(month, MONTH) AS month
  FROM stg_sheet_fx_rates_rows
),

foreign_money AS (
  SELECT 'invoices' AS tab, sheet_row, fetch_id, currency, DATE_TRUNC(invoice_month, MONTH) AS month FROM raw_sheet_invoices WHERE currency != ''
  UNION ALL
  SELECT 'budgets' AS tab, sheet_row, fetch_id, currency, DATE_TRUNC(month, MONTH) AS month FROM raw_sheet_budgets WHERE currency != ''
  UNION ALL
  SELECT 'adjustments' AS tab, sheet_row, fetch_id, currency, DATE_TRUNC(adjustment_date, MONTH) AS month
  FROM raw_sheet_adjustments
  WHERE currency != ''
),

-- The first month of each row whose rate is not there. A subscription needs the rates of all its months up to the last day that a run asked for.
without_rate AS (
  SELECT
    f.tab,
    f.sheet_row,
    f.currency,
    f.month,
    1 AS months
  FROM foreign_money AS f
  INNER JOIN stg_snapshots AS s ON f.fetch_id = s.version_fetch_id AND s.source = 'google_sheets' AND f.tab = s.endpoint
  LEFT JOIN rates AS x ON f.currency = x.currency AND f.month = x.month
  WHERE x.month IS NULL
  UNION ALL
  SELECT
    'subscriptions' AS tab,
    t.sheet_row,
    t.currency,
    MIN(t.month) AS month,
    COUNT(*) AS months
  FROM (
    SELECT
      p.sheet_row,
      p.currency,
      month
    FROM stg_subscription_terms AS p
    CROSS JOIN stg_last_day AS l,
      UNNEST(GENERATE_DATE_ARRAY(DATE_TRUNC(p.valid_from, MONTH), LEAST(p.valid_to, l.last_day), INTERVAL 1 MONTH)) AS month
    WHERE p.currency != ''
  ) AS t
  LEFT JOIN rates AS x ON t.currency = x.currency AND t.month = x.month
  WHERE x.month IS NULL
  GROUP BY t.sheet_row, t.currency
),

numbers AS (
  SELECT
    platform,
    LOWER(TRIM(invoice_number)) AS number,
    MIN(DATE_TRUNC(invoice_month, MONTH)) AS first_month
  FROM stg_sheet_invoices_rows
  WHERE TRIM(invoice_number) != ''
  GROUP BY platform, LOWER(TRIM(invoice_number))
),

remarks AS (
  SELECT
    r.endpoint AS tab,
    r.record_number AS sheet_row,
    r.column_name,
    r.value,
    r.reason,
    r.remedy,
    FALSE AS is_used
  FROM raw_rejects AS r
  INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
  WHERE r.source = 'google_sheets'
  UNION ALL
  SELECT
    u.tab,
    u.sheet_row,
    u.column_name,
    u.value,
    CONCAT(u.reason, '; the cell counts as empty') AS reason,
    u.remedy,
    TRUE AS is_used
  FROM stg_sheet_unread AS u
  UNION ALL
  SELECT
    tab,
    sheet_row,
    CAST(NULL AS STRING) AS column_name,
    CAST(NULL AS STRING) AS value,
    CASE
      WHEN is_disputed THEN CONCAT('contradicts row ', CAST(other_row AS STRING), '; neither is used, and what was read before them stands')
      ELSE CONCAT('says the same as row ', CAST(other_row AS STRING), ', which counts once')
    END AS reason,
    CASE
      WHEN is_disputed THEN 'Keep the row that is right and delete the other, or give the later one its own valid_from where the tab has it.'
      WHEN tab = 'subscriptions' THEN 'Delete the row, or write a contract_id into each where both are paid.'
      WHEN tab = 'adjustments' THEN 'Delete the row, or write a reference into each where both are meant.'
      WHEN tab = 'invoices' THEN 'Delete the row, or write into each the number or the description that tells them apart.'
      ELSE 'Delete the row.'
    END AS remedy,
    FALSE AS is_used
  FROM stg_sheet_repeats
  UNION ALL
  SELECT
    'subscriptions' AS tab,
    sheet_row,
    'valid_to' AS column_name,
    CAST(NULL AS STRING) AS value,
    CONCAT('ends on ', CAST(valid_to AS STRING), ', since row ', CAST(ended_by_row AS STRING), ' begins the day after for the same seats') AS reason,
    'Write that day into valid_to, or a contract_id into each row where both are paid.' AS remedy,
    TRUE AS is_used
  FROM stg_subscription_terms
  WHERE ended_by_row IS NOT NULL
  UNION ALL
  SELECT
    tab,
    sheet_row,
    'currency' AS column_name,
    currency AS value,
    CONCAT(
      'has no rate for ', SUBSTR(CAST(month AS STRING), 1, 7),
      CASE WHEN months > 1 THEN CONCAT(' and ', CAST(months - 1 AS STRING), ' later months') ELSE '' END, ', so it has no figure there'
    ) AS reason,
    CONCAT('Add a row to the tab fx_rates: ', CAST(month AS STRING), ', ', currency, ' and what one costs in US dollars.') AS remedy,
    FALSE AS is_used
  FROM without_rate
  UNION ALL
  SELECT
    'invoices' AS tab,
    r.sheet_row,
    'invoice_number' AS column_name,
    r.invoice_number AS value,
    CONCAT('stands on an invoice of ', SUBSTR(CAST(n.first_month AS STRING), 1, 7), ' too') AS reason,
    'Correct the number or the month; both rows count until then.' AS remedy,
    TRUE AS is_used
  FROM stg_sheet_invoices_rows AS r
  INNER JOIN numbers AS n ON r.platform = n.platform AND LOWER(TRIM(r.invoice_number)) = n.number
  WHERE DATE_TRUNC(r.invoice_month, MONTH) != n.first_month
  UNION ALL
  SELECT
    tab,
    sheet_row,
    column_name,
    value,
    'matches nothing that is known' AS reason,
    CASE WHEN nearest IS NOT NULL THEN CONCAT('Correct it; the nearest known name is ', nearest, '.') ELSE 'Correct it.' END AS remedy,
    TRUE AS is_used
  FROM stg_sheet_unmatched
  UNION ALL
  SELECT
    tab,
    sheet_row,
    column_name,
    value,
    reason,
    remedy,
    TRUE AS is_used
  FROM vw_identity_issues
  WHERE sheet_row IS NOT NULL
)

SELECT
  m.tab,
  m.sheet_row,
  m.column_name,
  m.value,
  m.reason,
  m.remedy,
  m.is_used AND p.sheet_row IS NULL AND x.sheet_row IS NULL AS is_used,
  s.fetched_at AS seen_at
FROM remarks AS m
INNER JOIN stg_snapshots AS s ON m.tab = s.endpoint AND s.source = 'google_sheets'
LEFT JOIN stg_sheet_repeats AS p ON m.tab = p.tab AND m.sheet_row = p.sheet_row
-- A subscription without the rate of one month still has its figure in others.
LEFT JOIN without_rate AS x ON m.tab = x.tab AND m.sheet_row = x.sheet_row AND x.tab != 'subscriptions'
