-- Who belonged to which department and cost center, when. Every change of any row of a person begins a new period; the
-- row with the latest valid_from that covers the period wins. Rows that begin on one day and say different things decide nothing: what they
-- disagree about is unknown, and sheet_issues lists them.
-- Grain: email, valid_from. Inputs: stg_sheet_people_rows, stg_departments, stg_email_aliases.
WITH people AS (
  SELECT
    COALESCE(a.email, REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@')) AS email,
    COALESCE(d.department, p.department) AS department,
    p.cost_center,
    COALESCE(p.valid_from, DATE '1900-01-01') AS valid_from,
    COALESCE(p.valid_to, DATE '9999-12-31') AS valid_to
  FROM stg_sheet_people_rows AS p
  LEFT JOIN stg_departments AS d ON LOWER(TRIM(p.department)) = d.folded
  LEFT JOIN stg_email_aliases AS a ON REGEXP_REPLACE(LOWER(TRIM(p.email)), r'\+[^@]*@', '@') = a.alias
),

edges AS (
  SELECT email, valid_from AS begins FROM people
  UNION DISTINCT
  SELECT email, DATE_ADD(valid_to, INTERVAL 1 DAY) AS begins FROM people WHERE valid_to < DATE '9999-12-31'
),

periods AS (
  SELECT
    email,
    begins,
    COALESCE(
      DATE_SUB(LEAD(begins) OVER (PARTITION BY email ORDER BY begins), INTERVAL 1 DAY), DATE '9999-12-31'
    ) AS ends
  FROM edges
),

said AS (
  SELECT
    d.email,
    d.begins,
    d.ends,
    p.department,
    p.cost_center
  FROM periods AS d
  INNER JOIN people AS p ON d.email = p.email AND d.begins BETWEEN p.valid_from AND p.valid_to
  QUALIFY RANK() OVER (PARTITION BY d.email, d.begins ORDER BY p.valid_from DESC) = 1
)

SELECT
  email,
  CASE WHEN COUNT(DISTINCT department) = 1 THEN MIN(department) END AS department,
  CASE WHEN COUNT(DISTINCT cost_center) = 1 THEN MIN(cost_center) END AS cost_center,
  begins AS valid_from,
  ends AS valid_to
FROM said
GROUP BY email, begins, ends
