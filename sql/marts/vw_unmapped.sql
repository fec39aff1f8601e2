-- What somebody has to name so that cost finds its owner or its department: keys, people, seats that nobody holds. A credit, a tax or an adjustment
-- without a person is nobody's on purpose.
-- Grain: month, platform, kind, item. Inputs: fct_cost_daily, dim_api_keys, agg_person_days, agg_cost_months,
-- dim_user_assignments, stg_anthropic_key_names.
WITH key_names AS (
  SELECT
    'key' AS kind,
    api_key_id,
    ANY_VALUE(api_key_name HAVING MAX valid_from) AS api_key_name
  FROM dim_api_keys
  GROUP BY api_key_id
),

ownerless AS (
  SELECT
    DATE_TRUNC(f.cost_date, MONTH) AS month,
    f.platform,
    CASE
      WHEN f.api_key_id IS NOT NULL THEN 'key'
      WHEN f.cost_type = 'subscription' THEN 'seat'
      ELSE 'no_key'
    END AS kind,
    COALESCE(f.api_key_id, f.workspace_id, '(none)') AS item,
    -- Of several owners that were open on days with cost, those of the last such day.
    ANY_VALUE(x.candidates HAVING MAX x.valid_from) AS candidates,
    MIN(f.cost_date) AS first_day,
    MAX(f.cost_date) AS last_day,
    SUM(f.cost_usd) AS cost_usd
  FROM fct_cost_daily AS f
  LEFT JOIN dim_api_keys AS x
    ON f.api_key_id = x.api_key_id AND x.owner_source = 'ambiguous' AND f.cost_date BETWEEN x.valid_from AND x.valid_to
  WHERE f.attribution = 'unattributed' AND f.cost_type IN ('usage', 'overage', 'subscription')
  GROUP BY
    DATE_TRUNC(f.cost_date, MONTH),
    f.platform,
    CASE
      WHEN f.api_key_id IS NOT NULL THEN 'key'
      WHEN f.cost_type = 'subscription' THEN 'seat'
      ELSE 'no_key'
    END,
    COALESCE(f.api_key_id, f.workspace_id, '(none)')
),

homeless AS (
  SELECT
    month,
    platform,
    item,
    MIN(first_day) AS first_day,
    MAX(last_day) AS last_day,
    SUM(cost_usd) AS cost_usd
  FROM (
    SELECT
      DATE_TRUNC(d.usage_date, MONTH) AS month, d.platform, d.user_email AS item, MIN(d.usage_date) AS first_day,
      MAX(d.usage_date) AS last_day, CAST(NULL AS NUMERIC) AS cost_usd
    FROM agg_person_days AS d
    LEFT JOIN dim_user_assignments AS a ON d.user_email = a.email AND d.usage_date BETWEEN a.valid_from AND a.valid_to
    WHERE d.is_active AND d.user_email IS NOT NULL AND a.department IS NULL
    GROUP BY DATE_TRUNC(d.usage_date, MONTH), d.platform, d.user_email
    UNION ALL
    SELECT month, platform, user_email, first_day, last_day, cost_usd
    FROM agg_cost_months
    WHERE department IS NULL AND user_email IS NOT NULL AND cost_usd != 0
  ) AS both_sides
  GROUP BY month, platform, item
)

SELECT
  o.month,
  o.platform,
  o.kind,
  o.item,
  COALESCE(k.api_key_name, o.item) AS item_name,
  CASE o.kind
    WHEN 'key'
      THEN CASE
        WHEN STRPOS(o.candidates, ',') > 0
          THEN CONCAT('The name of this key in the sheet means several: ', o.candidates, '. Write the id of each and its owner there.')
        WHEN o.candidates IS NOT NULL
          THEN 'Rows of the tab api_keys give this key to different owners from the same day: give the later one a valid_from.'
        ELSE 'Write the key and its owner into the tab api_keys.'
      END
    WHEN 'seat' THEN 'No account is known to hold these seats: name their holders in the tab subscriptions, give them to people, or buy fewer.'
    ELSE CASE
      WHEN o.item = '(none)' THEN 'The vendor names no key, person or workspace for this cost: it stays without an owner.'
      ELSE 'The vendor names neither key nor person: ask who owns the workspace.'
    END
  END AS remedy,
  o.first_day,
  o.last_day,
  o.cost_usd
FROM ownerless AS o
LEFT JOIN key_names AS k ON o.item = k.api_key_id AND o.kind = k.kind
UNION ALL
SELECT
  month,
  platform,
  'person' AS kind,
  item,
  item AS item_name,
  'Write the person and the department into the tab people.' AS remedy,
  first_day,
  last_day,
  cost_usd
FROM homeless
UNION ALL
SELECT
  DATE_TRUNC(usage_date, MONTH) AS month,
  'claude_code' AS platform,
  'key_name' AS kind,
  api_key_name AS item,
  api_key_name AS item_name,
  COALESCE(
    CONCAT('Claude Code names this key by a name that several bear: ', MAX(candidates), '. Rename all but one in the console.'),
    'Claude Code names this key, and no list of keys has the name: read the keys, or look for a key that was renamed.'
  ) AS remedy,
  MIN(usage_date) AS first_day,
  MAX(usage_date) AS last_day,
  CAST(NULL AS NUMERIC) AS cost_usd
FROM stg_anthropic_key_names
WHERE api_key_id IS NULL
GROUP BY DATE_TRUNC(usage_date, MONTH), api_key_name
