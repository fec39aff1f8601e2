-- Months that are closed now: the latest decision about the month is not a reopening.
-- Grain: month. Inputs: month_closings.
WITH latest AS (
  SELECT
    month,
    action,
    closing_id,
    decided_at,
    as_of,
    author,
    row_count,
    cost_usd,
    sha256
  FROM month_closings
  QUALIFY ROW_NUMBER() OVER (PARTITION BY month ORDER BY decided_at DESC, action DESC) = 1
)

SELECT
  month,
  closing_id,
  decided_at AS closed_at,
  as_of,
  author,
  row_count,
  cost_usd,
  sha256
FROM latest
WHERE action != 'reopen'
