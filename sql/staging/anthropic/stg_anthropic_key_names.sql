-- Which key Claude Code's report means by a key's name on a day: the one that bore it on that day, otherwise the only one that ever bore it
-- (stg_key_bearers, of Anthropic's keys alone). Where several keys answer, or none, api_key_id is NULL and candidates names them.
-- Grain: usage_date, api_key_name. Inputs: raw_claude_code_usage, stg_current_fetches, stg_anthropic_key_bearers.
WITH asked AS (
  SELECT DISTINCT
    r.usage_date,
    r.api_key_name
  FROM raw_claude_code_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'anthropic'
      AND f.endpoint = 'usage_report/claude_code'
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND r.actor_email IS NULL AND r.api_key_name IS NOT NULL
),

-- Bearers of the day before whoever ever bore the name.
answers AS (
  SELECT
    a.usage_date,
    a.api_key_name,
    b.api_key_id,
    LOGICAL_OR(COALESCE(a.usage_date BETWEEN b.valid_from AND b.valid_to, FALSE)) AS is_of_the_day
  FROM asked AS a
  INNER JOIN stg_anthropic_key_bearers AS b ON TRIM(a.api_key_name) = b.api_key_name
  GROUP BY a.usage_date, a.api_key_name, b.api_key_id
),

meant AS (
  SELECT
    usage_date,
    api_key_name,
    api_key_id
  FROM answers
  WHERE TRUE
  QUALIFY RANK() OVER (PARTITION BY usage_date, api_key_name ORDER BY CASE WHEN is_of_the_day THEN 1 ELSE 2 END) = 1
)

SELECT
  q.usage_date,
  q.api_key_name,
  CASE WHEN COUNT(m.api_key_id) = 1 THEN MIN(m.api_key_id) END AS api_key_id,
  STRING_AGG(m.api_key_id, ', ' ORDER BY m.api_key_id) AS candidates
FROM asked AS q
LEFT JOIN meant AS m ON q.usage_date = m.usage_date AND q.api_key_name = m.api_key_name
GROUP BY q.usage_date, q.api_key_name
