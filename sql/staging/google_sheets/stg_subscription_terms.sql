-- Subscriptions with the days for which each price holds. Of one platform, plan, person and contract a later valid_from ends the earlier row the day
-- before: a new price written below the old one is a new price, not a second block. A row without valid_from counts from 2023-01-01.
-- Grain: sheet_row. Inputs: stg_sheet_subscriptions_rows.
WITH ordered AS (
  SELECT
    sheet_row,
    platform,
    email,
    COALESCE(seats, 1) AS seats,
    price_usd,
    currency,
    written_amount,
    COALESCE(valid_from, DATE '2023-01-01') AS valid_from,
    COALESCE(valid_to, DATE '9999-12-31') AS valid_to,
    LEAD(valid_from) OVER (
      PARTITION BY
        platform, LOWER(TRIM(plan)), REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@'), LOWER(TRIM(contract_id)), unread
      ORDER BY COALESCE(valid_from, DATE '1900-01-01')
    ) AS next_from,
    LEAD(sheet_row) OVER (
      PARTITION BY
        platform, LOWER(TRIM(plan)), REGEXP_REPLACE(LOWER(TRIM(email)), r'\+[^@]*@', '@'), LOWER(TRIM(contract_id)), unread
      ORDER BY COALESCE(valid_from, DATE '1900-01-01')
    ) AS next_row
  FROM stg_sheet_subscriptions_rows
)

SELECT
  sheet_row,
  platform,
  email,
  seats,
  price_usd,
  currency,
  written_amount,
  valid_from,
  CASE WHEN next_from <= valid_to THEN DATE_SUB(next_from, INTERVAL 1 DAY) ELSE valid_to END AS valid_to,
  CASE WHEN next_from <= valid_to THEN next_row END AS ended_by_row
FROM ordered
