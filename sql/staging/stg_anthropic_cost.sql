-- Anthropic's bill, split over API keys by the vendor's own arithmetic. Inside one day, workspace, model, token type, tier, window and geo the
-- price of a token is one number, so a key's part of the line is its share of those tokens; web search splits by requests alike.
-- What no usage explains (code execution, session time) stays whole and without a key. Parts are cut at 1e-9 USD and what is left over goes to
-- the largest, so that they sum to the line exactly. In Claude Code's workspace, tokens without a key go to the actors of claude_code by
-- their tokens of that model, since a person, not a key, signed in.
-- Days on which analytics/cost counts instead are left out.
-- A day settles after 30 days. Grain: cost_date, workspace_id, api_key_id, user_email, model, cost_type, token_type, attribution.
-- Inputs: raw_anthropic_cost, raw_anthropic_usage, raw_claude_code_usage, stg_anthropic_users, stg_anthropic_workspaces, stg_current_fetches,
-- stg_set_aside.
WITH lines AS (
  SELECT
    r.usage_date,
    r.workspace_id,
    COALESCE(r.workspace_id, '') AS workspace,
    r.description,
    r.cost_type,
    r.model,
    r.token_type,
    COALESCE(r.service_tier, '') AS tier,
    COALESCE(r.context_window, '') AS context_window,
    COALESCE(r.inference_geo, '') AS geo,
    SUM(r.amount_usd) AS amount_usd
  FROM raw_anthropic_cost AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'cost_report'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
  GROUP BY
    r.usage_date, r.workspace_id, r.description, r.cost_type, r.model, r.token_type, r.service_tier, r.context_window, r.inference_geo
),

usage AS (
  SELECT
    r.usage_date,
    COALESCE(r.workspace_id, '') AS workspace,
    r.model,
    COALESCE(r.service_tier, '') AS tier,
    COALESCE(r.context_window, '') AS context_window,
    COALESCE(r.inference_geo, '') AS geo,
    COALESCE(r.api_key_id, r.service_account_id) AS api_key_id,
    u.email AS user_email,
    r.uncached_input_tokens,
    r.cache_read_tokens,
    r.cache_write_5m_tokens,
    r.cache_write_1h_tokens,
    r.output_tokens,
    r.web_search_requests
  FROM raw_anthropic_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'usage_report/messages'
  LEFT JOIN stg_anthropic_users AS u ON r.account_id = u.user_id
  WHERE r.usage_date BETWEEN @start_date AND @end_date
),

quantities AS (
  SELECT
    usage_date, workspace, model, tier, context_window, geo, api_key_id, user_email, 'uncached_input_tokens' AS token_type,
    uncached_input_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, api_key_id, user_email, 'cache_read_input_tokens' AS token_type,
    cache_read_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, api_key_id, user_email, 'cache_creation.ephemeral_5m_input_tokens' AS token_type,
    cache_write_5m_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, api_key_id, user_email, 'cache_creation.ephemeral_1h_input_tokens' AS token_type,
    cache_write_1h_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT usage_date, workspace, model, tier, context_window, geo, api_key_id, user_email, 'output_tokens' AS token_type, output_tokens AS quantity
  FROM usage
),

actors AS (
  SELECT
    r.usage_date,
    r.actor_email,
    JSON_VALUE(m, '$.model') AS model,
    SUM(CAST(JSON_VALUE(m, '$.tokens.input') AS INT64)) AS input_tokens,
    SUM(CAST(JSON_VALUE(m, '$.tokens.output') AS INT64)) AS output_tokens,
    SUM(CAST(JSON_VALUE(m, '$.tokens.cache_read') AS INT64)) AS cache_read_tokens,
    SUM(CAST(JSON_VALUE(m, '$.tokens.cache_creation') AS INT64)) AS cache_write_tokens
  FROM raw_claude_code_usage AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'anthropic'
      AND f.endpoint = 'usage_report/claude_code',
    UNNEST(JSON_QUERY_ARRAY(r.model_breakdown)) AS m
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND r.customer_type = 'api' AND r.actor_email IS NOT NULL
  GROUP BY r.usage_date, r.actor_email, JSON_VALUE(m, '$.model')
),

weights AS (
  SELECT
    q.usage_date,
    q.workspace,
    q.model,
    q.token_type,
    q.tier,
    q.context_window,
    q.geo,
    q.api_key_id,
    q.user_email,
    SUM(q.quantity) AS quantity
  FROM quantities AS q
  GROUP BY q.usage_date, q.workspace, q.model, q.token_type, q.tier, q.context_window, q.geo, q.api_key_id, q.user_email
  UNION ALL
  SELECT
    s.usage_date,
    s.workspace,
    CAST(NULL AS STRING) AS model,
    'web_search' AS token_type,
    '' AS tier,
    '' AS context_window,
    '' AS geo,
    s.api_key_id,
    s.user_email,
    SUM(s.web_search_requests) AS quantity
  FROM usage AS s
  GROUP BY s.usage_date, s.workspace, s.api_key_id, s.user_email
),

keyed AS (
  SELECT
    l.usage_date,
    l.workspace_id,
    l.workspace,
    l.description,
    l.cost_type,
    l.model,
    l.token_type,
    l.tier,
    l.context_window,
    l.geo,
    CAST(l.amount_usd * 1000000000 AS INT64) AS line_nano_usd,
    w.api_key_id,
    w.user_email,
    w.quantity,
    SUM(w.quantity) OVER (
      PARTITION BY
        l.usage_date, l.workspace, l.description, l.cost_type, l.model, l.token_type, l.tier, l.context_window, l.geo
    ) AS line_quantity,
    ROW_NUMBER() OVER (
      PARTITION BY
        l.usage_date, l.workspace, l.description, l.cost_type, l.model, l.token_type, l.tier, l.context_window, l.geo
      ORDER BY w.quantity DESC, w.api_key_id, w.user_email
    ) AS place
  FROM lines AS l
  LEFT JOIN weights AS w
    ON
      l.usage_date = w.usage_date
      AND l.workspace = w.workspace
      AND COALESCE(l.model, '') = COALESCE(w.model, '')
      AND COALESCE(l.token_type, l.cost_type, '') = w.token_type
      AND l.tier = w.tier
      AND l.context_window = w.context_window
      AND l.geo = w.geo
      AND w.quantity > 0
),

cut AS (
  SELECT
    *,
    CASE
      WHEN line_quantity IS NULL THEN line_nano_usd
      ELSE CAST(DIV(CAST(line_nano_usd AS NUMERIC) * CAST(quantity AS NUMERIC), CAST(line_quantity AS NUMERIC)) AS INT64)
    END AS nano_usd
  FROM keyed
),

parts AS (
  SELECT
    usage_date,
    workspace_id,
    workspace,
    description,
    cost_type,
    model,
    token_type,
    tier,
    context_window,
    geo,
    api_key_id,
    user_email,
    line_quantity IS NOT NULL AS is_split,
    nano_usd + CASE
      WHEN place = 1
        THEN line_nano_usd - SUM(nano_usd) OVER (
            PARTITION BY usage_date, workspace, description, cost_type, model, token_type, tier, context_window, geo
          )
      ELSE 0
    END AS nano_usd
  FROM cut
),

signed_in AS (
  SELECT
    p.usage_date,
    p.workspace_id,
    p.description,
    p.cost_type,
    p.model,
    p.token_type,
    p.tier,
    p.context_window,
    p.geo,
    p.nano_usd AS part_nano_usd,
    a.actor_email,
    CASE
      WHEN p.token_type = 'uncached_input_tokens' THEN a.input_tokens
      WHEN p.token_type = 'output_tokens' THEN a.output_tokens
      WHEN p.token_type = 'cache_read_input_tokens' THEN a.cache_read_tokens
      ELSE a.cache_write_tokens
    END AS quantity
  FROM parts AS p
  INNER JOIN stg_anthropic_workspaces AS w ON p.workspace_id = w.workspace_id AND w.is_claude_code
  INNER JOIN actors AS a ON p.usage_date = a.usage_date AND p.model = a.model
  WHERE p.is_split AND p.api_key_id IS NULL AND p.user_email IS NULL
),

signed_in_totals AS (
  SELECT
    *,
    SUM(quantity) OVER (PARTITION BY usage_date, workspace_id, description, model, token_type, tier, context_window, geo) AS total,
    ROW_NUMBER() OVER (
      PARTITION BY usage_date, workspace_id, description, model, token_type, tier, context_window, geo
      ORDER BY quantity DESC, actor_email
    ) AS place
  FROM signed_in
  WHERE quantity > 0
),

signed_in_cut AS (
  SELECT
    *,
    CAST(DIV(CAST(part_nano_usd AS NUMERIC) * CAST(quantity AS NUMERIC), CAST(total AS NUMERIC)) AS INT64) AS nano_usd
  FROM signed_in_totals
),

signed_in_parts AS (
  SELECT
    usage_date,
    workspace_id,
    description,
    cost_type,
    model,
    token_type,
    tier,
    context_window,
    geo,
    actor_email,
    nano_usd + CASE
      WHEN place = 1
        THEN part_nano_usd - SUM(nano_usd) OVER (
            PARTITION BY usage_date, workspace_id, description, model, token_type, tier, context_window, geo
          )
      ELSE 0
    END AS nano_usd
  FROM signed_in_cut
),

taken AS (
  SELECT DISTINCT usage_date, workspace_id, description, model, token_type, tier, context_window, geo FROM signed_in_parts
),

final AS (
  SELECT
    p.usage_date,
    p.workspace_id,
    p.cost_type,
    p.model,
    p.token_type,
    p.api_key_id,
    p.user_email,
    p.is_split,
    p.nano_usd
  FROM parts AS p
  LEFT JOIN taken AS t
    ON
      p.usage_date = t.usage_date
      AND p.workspace_id = t.workspace_id
      AND COALESCE(p.description, '') = COALESCE(t.description, '')
      AND COALESCE(p.model, '') = COALESCE(t.model, '')
      AND COALESCE(p.token_type, '') = COALESCE(t.token_type, '')
      AND p.tier = t.tier
      AND p.context_window = t.context_window
      AND CASE WHEN p.is_split AND p.api_key_id IS NULL AND p.user_email IS NULL THEN p.geo END = t.geo
  WHERE t.usage_date IS NULL
  UNION ALL
  SELECT
    usage_date,
    workspace_id,
    cost_type,
    model,
    token_type,
    CAST(NULL AS STRING) AS api_key_id,
    actor_email AS user_email,
    TRUE AS is_split,
    nano_usd
  FROM signed_in_parts
)

SELECT
  x.usage_date AS cost_date,
  CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
  'Anthropic' AS vendor,
  x.workspace_id,
  x.api_key_id,
  x.user_email,
  x.model,
  'usage' AS cost_type,
  COALESCE(x.token_type, x.cost_type) AS token_type,
  CAST(CAST(SUM(x.nano_usd) AS NUMERIC) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS cost_usd,
  CASE WHEN x.is_split THEN 'token_share' ELSE 'unattributed' END AS attribution,
  DATE_ADD(x.usage_date, INTERVAL 30 DAY) AS settled_on,
  'anthropic_cost_report' AS source
FROM final AS x
LEFT JOIN stg_anthropic_workspaces AS w ON x.workspace_id = w.workspace_id
GROUP BY
  x.usage_date, w.is_claude_code, x.workspace_id, x.api_key_id, x.user_email, x.model, COALESCE(x.token_type, x.cost_type), x.is_split
