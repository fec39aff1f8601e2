-- Billed money per day from every vendor, people resolved, nothing dropped. A new vendor joins by adding
-- sql/staging/stg_<vendor>_cost.sql. Grain: the table's key. Inputs: stg_cost, stg_email_aliases, dim_api_keys.
WITH written AS (
  SELECT
    *,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(user_email)), r'\+[^@]*@', '@'), '') AS written_email
  FROM stg_cost
  WHERE cost_date BETWEEN @start_date AND @end_date
),

resolved AS (
  SELECT
    w.cost_date,
    w.platform,
    w.vendor,
    w.workspace_id,
    w.api_key_id,
    COALESCE(a.email, w.written_email, k.email) AS user_email,
    w.model,
    w.cost_type,
    w.token_type,
    w.cost_usd,
    CASE
      WHEN COALESCE(w.written_email, k.email) IS NULL THEN 'unattributed'
      WHEN w.written_email IS NULL AND w.attribution IN ('direct', 'unattributed') THEN 'key_owner'
      ELSE w.attribution
    END AS attribution,
    CASE
      WHEN w.cost_date >= @as_of_date THEN 'open'
      WHEN w.settled_on <= @as_of_date THEN 'settled'
      ELSE 'provisional'
    END AS settle_state,
    w.source,
    COALESCE(w.timing, 'day') AS timing
  FROM written AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
  LEFT JOIN dim_api_keys AS k ON w.api_key_id = k.api_key_id AND w.cost_date BETWEEN k.valid_from AND k.valid_to
)

SELECT
  cost_date,
  platform,
  vendor,
  workspace_id,
  api_key_id,
  user_email,
  model,
  cost_type,
  token_type,
  SUM(cost_usd) AS cost_usd,
  attribution,
  settle_state,
  source,
  @processed_at AS processed_at,
  timing
FROM resolved
GROUP BY
  cost_date, platform, vendor, workspace_id, api_key_id, user_email, model, cost_type, token_type, attribution, settle_state,
  source, timing
