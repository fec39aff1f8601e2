-- Anthropic's bill, split over API keys by the vendor's own arithmetic. Inside one day, workspace, model, token type, tier, window and geo the
-- price of a token is one number, so a key's part of the line is its share of those tokens; web search splits by requests alike.
-- Tier, window or geo may be missing from a line, and usage have it: such a line takes what no line of its group that reports it took, over all its
-- values. Of two that lack different ones, the one that lacks fewer takes it, then geo before window before tier. They may be missing from usage, and
-- a line have them: what then fits no line otherwise shares each line of its group that no usage fits otherwise. A text that means nothing, such as
-- not_available, is missing, and case does not count. Where what a line took differs in list price (batch half; us 1.1; beyond 200k tokens of
-- context twice, output 1.5; fast twice, of Opus 4.6 and 4.7 six times, whatever the context) in what the line does not name, tokens are weighted
-- by it and the parts are `allocated`. No line names a speed. Flex has usage, no line of its own and no price that is documented: it counts as if
-- usage lacked its tier, and beside other tiers in one line as standard, `allocated`.
-- What no usage explains (code execution, session time) stays whole and without a key. Parts are cut at 1e-9 USD and what is left over goes to
-- the largest, so that they sum to the line exactly. In Claude Code's workspace, tokens without a key go to the actors of claude_code by
-- their tokens of that model, since a person, not a key, signed in.
-- Days on which analytics/cost counts instead are left out.
-- A day settles after 30 days. Grain: cost_date, workspace_id, api_key_id, user_email, model, cost_type, token_type, attribution.
-- Inputs: raw_anthropic_cost, raw_anthropic_usage, stg_claude_code_models, stg_anthropic_users, stg_anthropic_workspaces, stg_current_fetches,
-- stg_set_aside.
WITH billed AS (
  SELECT
    r.usage_date,
    r.workspace_id,
    r.model,
    COALESCE(r.token_type, r.cost_type) AS token_type,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.service_tier)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '') AS tier,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.context_window)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '') AS context_window,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.inference_geo)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '') AS geo,
    CAST(SUM(r.amount_usd) * 1000000000 AS INT64) AS nano_usd
  FROM raw_anthropic_cost AS r
  INNER JOIN stg_current_fetches AS f
    ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date AND f.source = 'anthropic' AND f.endpoint = 'cost_report'
  LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL
  GROUP BY
    r.usage_date, r.workspace_id, r.model, COALESCE(r.token_type, r.cost_type),
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.service_tier)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), ''),
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.context_window)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), ''),
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.inference_geo)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '')
),

-- A line is known by its day and number.
lines AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY usage_date ORDER BY workspace_id, model, token_type, tier, context_window, geo) AS line,
    CASE WHEN geo IS NULL THEN 11 ELSE 0 END + CASE WHEN context_window IS NULL THEN 12 ELSE 0 END
    + CASE WHEN tier IS NULL THEN 14 ELSE 0 END AS lacks
  FROM billed
),

usage AS (
  SELECT
    r.usage_date,
    COALESCE(r.workspace_id, '') AS workspace,
    r.model,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.service_tier)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '') AS tier,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.context_window)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '') AS context_window,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.inference_geo)), r'^(-|null|none|undefined|unknown|n/a|not_available)$', ''), '') AS geo,
    COALESCE(LOWER(TRIM(r.speed)), '') = 'fast' AS is_fast,
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
    usage_date, workspace, model, tier, context_window, geo, is_fast, api_key_id, user_email,
    'uncached_input_tokens' AS token_type,
    uncached_input_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, is_fast, api_key_id, user_email,
    'cache_read_input_tokens' AS token_type,
    cache_read_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, is_fast, api_key_id, user_email,
    'cache_creation.ephemeral_5m_input_tokens' AS token_type,
    cache_write_5m_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, is_fast, api_key_id, user_email,
    'cache_creation.ephemeral_1h_input_tokens' AS token_type,
    cache_write_1h_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, model, tier, context_window, geo, is_fast, api_key_id, user_email,
    'output_tokens' AS token_type,
    output_tokens AS quantity
  FROM usage
  UNION ALL
  SELECT
    usage_date, workspace, CAST(NULL AS STRING) AS model, tier, context_window, geo, is_fast, api_key_id, user_email,
    'web_search' AS token_type,
    web_search_requests AS quantity
  FROM usage
),

-- Usage by what its price depends on.
cells AS (
  SELECT
    usage_date,
    workspace,
    model,
    token_type,
    tier,
    context_window,
    geo,
    is_fast,
    api_key_id,
    user_email,
    SUM(q.quantity) AS quantity
  FROM quantities AS q
  GROUP BY usage_date, workspace, model, token_type, tier, context_window, geo, is_fast, api_key_id, user_email
  HAVING SUM(q.quantity) > 0
),

-- Which usage could be of which line. It is found where the line says no more than the usage does.
fits AS (
  SELECT
    l.usage_date,
    l.line,
    l.lacks,
    c.workspace,
    c.model,
    c.token_type,
    c.tier,
    c.context_window,
    c.geo,
    c.is_fast,
    c.api_key_id,
    c.user_email,
    c.quantity,
    (l.tier IS NULL OR COALESCE(l.tier = c.tier, FALSE))
    AND (l.context_window IS NULL OR COALESCE(l.context_window = c.context_window, FALSE))
    AND (l.geo IS NULL OR COALESCE(l.geo = c.geo, FALSE)) AS is_found,
    -- Against that of standard tokens, in fortieths. What the line names has one price.
    CASE WHEN c.token_type = 'web_search' THEN 1 ELSE
      CASE WHEN COALESCE(l.tier, c.tier) = 'batch' THEN 1 ELSE 2 END
      * CASE WHEN COALESCE(l.geo, c.geo) = 'us' THEN 11 ELSE 10 END
      * CASE
        WHEN c.is_fast THEN CASE WHEN REGEXP_CONTAINS(c.model, r'opus-4-[67]') THEN 12 ELSE 4 END
        WHEN COALESCE(l.context_window, c.context_window, '0-200k') = '0-200k' THEN 2
        WHEN c.token_type = 'output_tokens' THEN 3
        ELSE 4
      END
    END AS price,
    CASE WHEN l.tier IS NULL AND STARTS_WITH(c.tier, 'flex') THEN c.tier ELSE '' END AS tier_without_price
  FROM lines AS l
  INNER JOIN cells AS c
    ON
      l.usage_date = c.usage_date
      AND COALESCE(l.workspace_id, '') = c.workspace
      AND COALESCE(l.model, '') = COALESCE(c.model, '')
      AND l.token_type = c.token_type
  WHERE
    -- Priority Tier is not in the bill: only a line that names it takes it.
    COALESCE(
      l.tier = c.tier OR STARTS_WITH(c.tier, 'flex'), l.tier IS NOT NULL OR COALESCE(c.tier, 'standard') NOT IN ('priority', 'priority_on_demand')
    )
    AND COALESCE(l.context_window = c.context_window, TRUE)
    AND COALESCE(l.geo = c.geo, TRUE)
),

-- Each cell of usage goes to the one line that says most of it.
placed AS (
  SELECT
    *,
    is_found
    AND ROW_NUMBER() OVER (
      PARTITION BY usage_date, workspace, model, token_type, tier, context_window, geo, is_fast, api_key_id, user_email, is_found ORDER BY lacks
    ) = 1 AS is_placed,
    LOGICAL_OR(is_found) OVER (
      PARTITION BY usage_date, workspace, model, token_type, tier, context_window, geo, is_fast, api_key_id, user_email
    ) AS is_found_anywhere
  FROM fits
),

taken AS (
  SELECT
    usage_date,
    line,
    api_key_id,
    user_email,
    quantity,
    price,
    tier_without_price
  FROM placed
  QUALIFY is_placed OR (NOT is_found_anywhere AND NOT LOGICAL_OR(is_placed) OVER (PARTITION BY usage_date, line))
),

priced AS (
  SELECT
    *,
    MIN(price) OVER (PARTITION BY usage_date, line) != MAX(price) OVER (PARTITION BY usage_date, line)
    OR MIN(tier_without_price) OVER (PARTITION BY usage_date, line) != MAX(tier_without_price) OVER (PARTITION BY usage_date, line)
      AS is_allocated
  FROM taken
),

weights AS (
  SELECT
    usage_date,
    line,
    api_key_id,
    user_email,
    is_allocated,
    SUM(CASE WHEN is_allocated THEN quantity * price ELSE quantity END) AS weight
  FROM priced
  GROUP BY usage_date, line, api_key_id, user_email, is_allocated
),

shares AS (
  SELECT
    l.usage_date,
    l.line,
    l.nano_usd AS line_nano_usd,
    w.api_key_id,
    w.user_email,
    w.is_allocated,
    w.weight,
    SUM(w.weight) OVER (PARTITION BY l.usage_date, l.line) AS whole,
    DIV(l.nano_usd, 100000000) AS high,
    MOD(l.nano_usd, 100000000) AS low,
    ROW_NUMBER() OVER (PARTITION BY l.usage_date, l.line ORDER BY w.weight DESC, w.api_key_id, w.user_email) AS place
  FROM lines AS l
  LEFT JOIN weights AS w ON l.usage_date = w.usage_date AND l.line = w.line
),

-- As on paper: 1e-9 USD times tokens may have 33 digits, and NUMERIC holds 29. So the eighth digit and those above it are divided first, and what
-- they leave over with the digits below.
keyed AS (
  SELECT
    *,
    CASE
      WHEN weight IS NULL THEN line_nano_usd
      ELSE CAST(
        100000000 * above
        + DIV(
          CAST(
            100000000 * (CAST(high AS NUMERIC) * weight - CAST(above AS NUMERIC) * whole)
            + CAST(low AS NUMERIC) * weight AS NUMERIC
          ),
          CAST(whole AS NUMERIC)
        ) AS INT64
      )
    END AS nano_usd
  FROM (SELECT *, DIV(CAST(high AS NUMERIC) * weight, CAST(whole AS NUMERIC)) AS above FROM shares) AS s
),

parts AS (
  SELECT
    usage_date,
    line,
    api_key_id,
    user_email,
    is_allocated,
    nano_usd
    + CASE WHEN place = 1 THEN line_nano_usd - SUM(nano_usd) OVER (PARTITION BY usage_date, line) ELSE 0 END AS nano_usd
  FROM keyed
),

actors AS (
  SELECT
    usage_date,
    actor_email,
    model,
    SUM(input_tokens) AS input_tokens,
    SUM(output_tokens) AS output_tokens,
    SUM(cache_read_tokens) AS cache_read_tokens,
    SUM(cache_write_tokens) AS cache_write_tokens
  FROM stg_claude_code_models
  WHERE customer_type = 'api' AND actor_email IS NOT NULL
  GROUP BY usage_date, actor_email, model
),

signed_in AS (
  SELECT
    p.usage_date,
    p.line,
    p.is_allocated,
    p.nano_usd AS part_nano_usd,
    a.actor_email,
    CASE
      WHEN l.token_type = 'uncached_input_tokens' THEN a.input_tokens
      WHEN l.token_type = 'output_tokens' THEN a.output_tokens
      WHEN l.token_type = 'cache_read_input_tokens' THEN a.cache_read_tokens
      ELSE a.cache_write_tokens
    END AS weight,
    DIV(p.nano_usd, 100000000) AS high,
    MOD(p.nano_usd, 100000000) AS low
  FROM parts AS p
  INNER JOIN lines AS l ON p.usage_date = l.usage_date AND p.line = l.line
  INNER JOIN stg_anthropic_workspaces AS w ON l.workspace_id = w.workspace_id AND w.is_claude_code
  INNER JOIN actors AS a ON p.usage_date = a.usage_date AND l.model = a.model
  WHERE p.is_allocated IS NOT NULL AND p.api_key_id IS NULL AND p.user_email IS NULL
),

signed_in_cut AS (
  SELECT
    *,
    CAST(
      100000000 * above
      + DIV(
        CAST(
          100000000 * (CAST(high AS NUMERIC) * weight - CAST(above AS NUMERIC) * whole)
          + CAST(low AS NUMERIC) * weight AS NUMERIC
        ),
        CAST(whole AS NUMERIC)
      ) AS INT64
    ) AS nano_usd,
    ROW_NUMBER() OVER (PARTITION BY usage_date, line ORDER BY weight DESC, actor_email) AS place
  FROM (
    SELECT *, DIV(CAST(high AS NUMERIC) * weight, CAST(whole AS NUMERIC)) AS above
    FROM (SELECT *, SUM(weight) OVER (PARTITION BY usage_date, line) AS whole FROM signed_in WHERE weight > 0) AS s
  ) AS s
),

final AS (
  SELECT
    p.usage_date,
    p.line,
    p.api_key_id,
    p.user_email,
    p.is_allocated,
    p.nano_usd
  FROM parts AS p
  LEFT JOIN (SELECT DISTINCT usage_date, line FROM signed_in_cut) AS s
    ON p.usage_date = s.usage_date AND CASE WHEN p.api_key_id IS NULL AND p.user_email IS NULL THEN p.line END = s.line
  WHERE s.line IS NULL
  UNION ALL
  SELECT
    usage_date,
    line,
    CAST(NULL AS STRING) AS api_key_id,
    actor_email AS user_email,
    is_allocated,
    nano_usd
    + CASE WHEN place = 1 THEN part_nano_usd - SUM(nano_usd) OVER (PARTITION BY usage_date, line) ELSE 0 END AS nano_usd
  FROM signed_in_cut
)

SELECT
  x.usage_date AS cost_date,
  CASE WHEN COALESCE(w.is_claude_code, FALSE) THEN 'claude_code' ELSE 'claude_api' END AS platform,
  'Anthropic' AS vendor,
  l.workspace_id,
  x.api_key_id,
  x.user_email,
  l.model,
  'usage' AS cost_type,
  l.token_type,
  CAST(CAST(SUM(x.nano_usd) AS NUMERIC) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS cost_usd,
  CASE WHEN x.is_allocated IS NULL THEN 'unattributed' WHEN x.is_allocated THEN 'allocated' ELSE 'token_share' END AS attribution,
  DATE_ADD(x.usage_date, INTERVAL 30 DAY) AS settled_on,
  'anthropic_cost_report' AS source
FROM final AS x
INNER JOIN lines AS l ON x.usage_date = l.usage_date AND x.line = l.line
LEFT JOIN stg_anthropic_workspaces AS w ON l.workspace_id = w.workspace_id
GROUP BY x.usage_date, w.is_claude_code, l.workspace_id, x.api_key_id, x.user_email, l.model, l.token_type, x.is_allocated
