-- The one spelling of each department, whatever case people write it in: the one that most rows of the tab people use; of two used alike the
-- first in the alphabet, where capitals come first. Grain: folded. Inputs: stg_sheet_people_rows.
WITH spelled AS (
  SELECT
    TRIM(department) AS department,
    COUNT(*) AS times
  FROM stg_sheet_people_rows
  WHERE TRIM(department) != ''
  GROUP BY TRIM(department)
)

SELECT
  LOWER(department) AS folded,
  department
FROM spelled
QUALIFY ROW_NUMBER() OVER (PARTITION BY LOWER(department) ORDER BY times DESC, department) = 1
