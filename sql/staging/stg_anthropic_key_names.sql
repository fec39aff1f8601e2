-- Which key Claude Code's report means by a key's name on a day: the one that bore it on that day, otherwise the only one that ever bore it. A key
-- bears its name from one list of keys to the next; one that was switched off bears it until the list that says so. Where several keys answer,
-- or none, api_key_id is NULL and candidates names them. Grain: usage_date, api_key_name.
-- Inputs: raw_claude_code_usage, stg_current_fetches, stg_anthropic_keys.
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

listed AS (
  SELECT
    api_key_id,
    TRIM(api_key_name) AS api_key_name,
    COALESCE(is_active, TRUE) AS is_active,
    seen_on,
    LEAD(seen_on) OVER (PARTITION BY api_key_id, TRIM(api_key_name) ORDER BY seen_on) AS same_on,
    LEAD(COALESCE(is_active, TRUE)) OVER (PARTITION BY api_key_id, TRIM(api_key_name) ORDER BY seen_on) AS same_is_active,
    LEAD(seen_on) OVER (PARTITION BY api_key_id ORDER BY seen_on) AS next_on
  FROM (
    SELECT api_key_id, api_key_name, seen_on, LOGICAL_OR(COALESCE(is_active, TRUE)) AS is_active
    FROM stg_anthropic_keys
    GROUP BY api_key_id, api_key_name, seen_on
  ) AS days
),

bearers AS (
  SELECT DISTINCT
    a.usage_date,
    a.api_key_name,
    l.api_key_id
  FROM asked AS a
  INNER JOIN listed AS l
    ON
      TRIM(a.api_key_name) = l.api_key_name
      AND l.is_active
      AND a.usage_date >= l.seen_on
      AND (l.next_on IS NULL OR a.usage_date < l.next_on OR (a.usage_date = l.next_on AND l.same_on = l.next_on AND NOT l.same_is_active))
),

-- Without a bearer on the day, whoever ever bore the name.
answers AS (
  SELECT
    usage_date,
    api_key_name,
    api_key_id
  FROM bearers
  UNION DISTINCT
  SELECT
    a.usage_date,
    a.api_key_name,
    l.api_key_id
  FROM asked AS a
  INNER JOIN listed AS l ON TRIM(a.api_key_name) = l.api_key_name
  LEFT JOIN bearers AS b ON a.usage_date = b.usage_date AND a.api_key_name = b.api_key_name
  WHERE b.api_key_id IS NULL
)

SELECT
  q.usage_date,
  q.api_key_name,
  CASE WHEN COUNT(a.api_key_id) = 1 THEN MIN(a.api_key_id) END AS api_key_id,
  STRING_AGG(a.api_key_id, ', ' ORDER BY a.api_key_id) AS candidates
FROM asked AS q
LEFT JOIN answers AS a ON q.usage_date = a.usage_date AND q.api_key_name = a.api_key_name
GROUP BY q.usage_date, q.api_key_name
