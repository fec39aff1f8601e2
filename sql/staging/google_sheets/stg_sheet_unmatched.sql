-- Names in the sheet that match nothing which is known: departments that nobody in the tab people belongs to, platforms, keys that no vendor lists,
-- people whom neither the tab people nor a vendor names. Nearest is the known name that shares the largest part of its pairs of letters.
-- A platform of another vendor is known once two tabs name it. Where nothing is known of a kind, nothing is compared: names of keys only where a
-- vendor lists its keys, and then letter for letter, as dim_api_keys does.
-- Grain: tab, sheet_row, column_name. Inputs: stg_sheet_budgets_rows, stg_sheet_subscriptions_rows, stg_sheet_adjustments_rows,
-- stg_sheet_invoices_rows, stg_platforms, stg_sheet_api_keys_rows, stg_sheet_people_rows, stg_departments, stg_email_aliases, stg_keys, stg_people.
WITH platforms AS (
  SELECT
    tab,
    sheet_row,
    platform AS value
  FROM (
    SELECT 'budgets' AS tab, sheet_row, platform FROM stg_sheet_budgets_rows
    UNION ALL
    SELECT 'subscriptions' AS tab, sheet_row, platform FROM stg_sheet_subscriptions_rows
    UNION ALL
    SELECT 'adjustments' AS tab, sheet_row, platform FROM stg_sheet_adjustments_rows
    UNION ALL
    SELECT 'invoices' AS tab, sheet_row, platform FROM stg_sheet_invoices_rows
  ) AS every_tab
  WHERE platform != ''
),

people AS (
  SELECT
    tab,
    sheet_row,
    REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS value
  FROM (
    SELECT 'subscriptions' AS tab, sheet_row, email FROM stg_sheet_subscriptions_rows
    UNION ALL
    SELECT 'adjustments' AS tab, sheet_row, email FROM stg_sheet_adjustments_rows
  ) AS every_tab
  WHERE TRIM(email) != ''
),

written AS (
  SELECT tab, sheet_row, 'platform' AS column_name, value FROM platforms
  UNION ALL
  SELECT 'budgets' AS tab, sheet_row, 'department' AS column_name, TRIM(department) AS value
  FROM stg_sheet_budgets_rows
  WHERE TRIM(department) != ''
  UNION ALL
  SELECT 'api_keys' AS tab, sheet_row, 'api_key_name' AS column_name, TRIM(api_key_name) AS value FROM stg_sheet_api_keys_rows
  UNION ALL
  SELECT tab, sheet_row, 'email' AS column_name, value FROM people
),

known AS (
  SELECT 'platform' AS column_name, platform AS value FROM stg_platforms
  UNION DISTINCT
  SELECT 'platform' AS column_name, value FROM platforms GROUP BY value HAVING COUNT(DISTINCT tab) > 1
  UNION DISTINCT
  SELECT 'department' AS column_name, department AS value FROM stg_departments
  UNION DISTINCT
  SELECT 'api_key_name' AS column_name, TRIM(api_key_name) AS value FROM stg_keys WHERE TRIM(api_key_name) != ''
  UNION DISTINCT
  SELECT 'api_key_name' AS column_name, api_key_id AS value FROM stg_keys
  UNION DISTINCT
  SELECT 'email' AS column_name, REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS value FROM stg_sheet_people_rows
  UNION DISTINCT
  SELECT 'email' AS column_name, alias AS value FROM stg_email_aliases
  UNION DISTINCT
  SELECT 'email' AS column_name, REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@') AS value FROM stg_people WHERE TRIM(email) != ''
),

unmatched AS (
  SELECT
    w.tab,
    w.sheet_row,
    w.column_name,
    w.value
  FROM written AS w
  LEFT JOIN known AS k
    ON w.column_name = k.column_name
      AND IF(w.column_name = 'api_key_name', w.value, LOWER(w.value)) = IF(k.column_name = 'api_key_name', k.value, LOWER(k.value))
  WHERE
    k.value IS NULL
    AND w.column_name IN (SELECT c.column_name FROM known AS c)
    AND (w.column_name != 'api_key_name' OR (SELECT COUNT(*) FROM stg_keys WHERE is_directory) > 0)
),

pairs AS (
  SELECT DISTINCT
    column_name,
    value,
    SUBSTR(LOWER(value), place, 2) AS pair
  FROM (
    SELECT column_name, value FROM unmatched
    UNION DISTINCT
    SELECT column_name, value FROM known
  ) AS names,
    UNNEST(GENERATE_ARRAY(1, LENGTH(value) - 1)) AS place
),

sized AS (
  SELECT
    column_name,
    value,
    pair,
    COUNT(*) OVER (PARTITION BY column_name, value) AS pairs_of_name
  FROM pairs
),

near AS (
  SELECT
    u.column_name,
    u.value,
    k.value AS nearest,
    DIV(2000 * COUNT(*), MAX(u.pairs_of_name) + MAX(k.pairs_of_name)) AS alike
  FROM sized AS u
  INNER JOIN sized AS k ON u.column_name = k.column_name AND u.pair = k.pair
  INNER JOIN (SELECT DISTINCT column_name, value FROM unmatched) AS a ON u.column_name = a.column_name AND u.value = a.value
  INNER JOIN known AS n ON k.column_name = n.column_name AND k.value = n.value
  GROUP BY u.column_name, u.value, k.value
),

nearest_one AS (
  SELECT
    column_name,
    value,
    nearest
  FROM near
  QUALIFY ROW_NUMBER() OVER (PARTITION BY column_name, value ORDER BY alike DESC, nearest) = 1
)

SELECT
  u.tab,
  u.sheet_row,
  u.column_name,
  u.value,
  n.nearest
FROM unmatched AS u
LEFT JOIN nearest_one AS n ON u.column_name = n.column_name AND u.value = n.value
