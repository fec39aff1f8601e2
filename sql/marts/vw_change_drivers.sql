-- Why cost changed from one period to the next: an exact bridge from each month to the one before it, in parts that sum to the change. A month that
-- still runs stands beside the same days of the month before. Parts are Shapley values of
-- days of use x requests a day x tokens a request x model mix x price x share that no plan covers, for each person and platform: the mean over every
-- order in which the factors could have changed, so that no order counts. Counted in whole 1e-9 USD; what division leaves over stands with the price.
-- A person in several departments brings each the share of cost that they had there; the rest is the move, and moves sum to zero.
-- Grain: month, department, platform, user_email, driver. The row `before` is the earlier period's cost; the others are the change.
-- `ai-usage why` puts other periods in place of `periods`. Inputs: vw_cost_booked, fct_usage_daily, agg_person_days, agg_cost_days, agg_cost_months,
-- stg_subscription_prices, dim_users.
WITH seen AS (
  SELECT MAX(day) AS last_day
  FROM (
    SELECT MAX(usage_date) AS day FROM agg_person_days
    UNION ALL
    SELECT MAX(cost_date) AS day FROM agg_cost_days WHERE cost_type = 'usage'
  ) AS days
),

months AS (
  SELECT
    m.month,
    DATE_SUB(m.month, INTERVAL 1 MONTH) AS month_before,
    LEAST(LAST_DAY(m.month), s.last_day) AS last_day
  FROM (SELECT month FROM agg_cost_months GROUP BY month) AS m
  CROSS JOIN seen AS s
  CROSS JOIN (SELECT MIN(cost_date) AS first_day FROM agg_cost_days) AS b
  WHERE m.month <= s.last_day AND DATE_SUB(m.month, INTERVAL 1 MONTH) >= b.first_day
),

periods AS (
  SELECT month AS pair, 1 AS side, month AS first_day, last_day
  FROM months
  UNION ALL
  SELECT
    month AS pair,
    0 AS side,
    month_before AS first_day,
    CASE WHEN last_day = LAST_DAY(month) THEN LAST_DAY(month_before) ELSE DATE_SUB(last_day, INTERVAL 1 MONTH) END AS last_day
  FROM months
),

spans AS (
  SELECT p.pair, p.side, day
  FROM periods AS p
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(p.first_day, p.last_day)) AS day
),

costs AS (
  SELECT
    s.pair,
    s.side,
    b.platform,
    COALESCE(b.user_email, '(unattributed)') AS user_email,
    COALESCE(b.department, '(no department)') AS department,
    CASE
      WHEN b.is_correction OR b.source = 'sheet_adjustments' OR b.cost_type IN ('credit', 'tax', 'adjustment') THEN 'credit'
      WHEN b.cost_type = 'subscription' THEN 'seat'
      ELSE 'usage'
    END AS class,
    COALESCE(b.model, '') AS model,
    CASE
      WHEN b.token_type IS NULL THEN 'all'
      WHEN b.token_type = 'uncached_input_tokens' THEN 'input'
      WHEN b.token_type = 'output_tokens' THEN 'output'
      WHEN b.token_type = 'cache_read_input_tokens' THEN 'cache_read'
      WHEN STARTS_WITH(b.token_type, 'cache_creation') THEN 'cache_write'
      ELSE 'other'
    END AS kind,
    DIV(CAST(SUM(b.cost_usd) * 1000000000 AS NUMERIC), CAST(1 AS NUMERIC)) AS nano
  FROM vw_cost_booked AS b
  INNER JOIN spans AS s ON b.booked_on = s.day
  GROUP BY pair, side, platform, user_email, department, class, model, kind
),

used AS (
  SELECT
    s.pair,
    s.side,
    u.platform,
    COALESCE(u.user_email, '(unattributed)') AS user_email,
    COALESCE(u.model, '') AS model,
    u.usage_date,
    SUM(COALESCE(u.input_tokens, 0)) AS input_tokens,
    SUM(COALESCE(u.output_tokens, 0)) AS output_tokens,
    SUM(COALESCE(u.cache_read_tokens, 0)) AS cache_read_tokens,
    SUM(COALESCE(u.cache_write_tokens, 0)) AS cache_write_tokens,
    SUM(COALESCE(u.input_tokens, 0) + COALESCE(u.output_tokens, 0) + COALESCE(u.cache_read_tokens, 0) + COALESCE(u.cache_write_tokens, 0)) AS tokens,
    SUM(COALESCE(u.requests, 0)) AS requests,
    SUM(COALESCE(u.included_usd, CAST(0 AS NUMERIC))) AS included_usd
  FROM fct_usage_daily AS u
  INNER JOIN spans AS s ON u.usage_date = s.day
  GROUP BY pair, side, platform, user_email, model, usage_date
),

-- Platforms whose bill names the kind of token: there each kind of a model has its own price.
typed AS (
  SELECT DISTINCT platform
  FROM costs
  WHERE class = 'usage' AND kind IN ('input', 'output', 'cache_read', 'cache_write')
),

cells AS (
  SELECT pair, side, platform, user_email, model, kind, SUM(nano) AS cost, SUM(tokens) AS tokens, SUM(covered) AS covered
  FROM (
    SELECT pair, side, platform, user_email, model, kind, nano, 0 AS tokens, 0 AS covered
    FROM costs
    WHERE class = 'usage'
    UNION ALL
    SELECT
      u.pair,
      u.side,
      u.platform,
      u.user_email,
      u.model,
      kind,
      0 AS nano,
      CASE kind
        WHEN 'input' THEN u.input_tokens
        WHEN 'output' THEN u.output_tokens
        WHEN 'cache_read' THEN u.cache_read_tokens
        WHEN 'cache_write' THEN u.cache_write_tokens
        ELSE u.tokens
      END AS tokens,
      CASE WHEN kind = 'all' THEN DIV(CAST(u.included_usd * 1000000000 AS NUMERIC), CAST(1 AS NUMERIC)) ELSE 0 END AS covered
    FROM used AS u
    CROSS JOIN UNNEST(['all', 'input', 'output', 'cache_read', 'cache_write']) AS kind
    LEFT JOIN typed AS t ON u.platform = t.platform
    WHERE (t.platform IS NULL) = (kind = 'all')
  ) AS told
  GROUP BY pair, side, platform, user_email, model, kind
),

-- q tokens, c cost, v value: cost and what a plan covered. Cost without tokens has no quantity that could explain it.
items AS (
  SELECT
    pair,
    platform,
    user_email,
    SUM(CASE WHEN side = 0 AND tokens > 0 AND cost >= 0 THEN tokens ELSE 0 END) AS q0,
    SUM(CASE WHEN side = 1 AND tokens > 0 AND cost >= 0 THEN tokens ELSE 0 END) AS q1,
    SUM(CASE WHEN side = 0 AND tokens > 0 AND cost >= 0 THEN cost ELSE 0 END) AS c0,
    SUM(CASE WHEN side = 1 AND tokens > 0 AND cost >= 0 THEN cost ELSE 0 END) AS c1,
    SUM(CASE WHEN side = 0 AND tokens > 0 AND cost >= 0 THEN cost + covered ELSE 0 END) AS v0,
    SUM(CASE WHEN side = 1 AND tokens > 0 AND cost >= 0 THEN cost + covered ELSE 0 END) AS v1,
    SUM(CASE WHEN model = '' AND (tokens <= 0 OR cost < 0) THEN cost * (2 * side - 1) ELSE 0 END) AS uncounted
  FROM cells
  GROUP BY pair, platform, user_email, model, kind
),

-- A model that one period lacks has no price there: the other period's stands in, and what it brings is mix.
priced AS (
  SELECT
    pair,
    platform,
    user_email,
    q0,
    q1,
    CASE WHEN q0 > 0 THEN v0 ELSE v1 END AS price0,
    CASE WHEN q0 > 0 THEN q0 ELSE q1 END AS of0,
    CASE WHEN q1 > 0 THEN v1 ELSE v0 END AS price1,
    CASE WHEN q1 > 0 THEN q1 ELSE q0 END AS of1,
    CASE WHEN v0 > 0 THEN c0 ELSE c1 END AS billed0,
    CASE WHEN v0 > 0 THEN v0 WHEN v1 > 0 THEN v1 ELSE 1 END AS value0,
    CASE WHEN v1 > 0 THEN c1 ELSE c0 END AS billed1,
    CASE WHEN v1 > 0 THEN v1 WHEN v0 > 0 THEN v0 ELSE 1 END AS value1
  FROM items
  WHERE q0 > 0 OR q1 > 0
),

-- What a mix d would cost at the prices e and the plans f.
mixes AS (
  SELECT
    p.pair,
    p.platform,
    p.user_email,
    d,
    e,
    f,
    SUM(
      DIV(
        CAST(
          DIV(
            CAST(CASE WHEN d = 1 THEN p.q1 ELSE p.q0 END * CASE WHEN e = 1 THEN p.price1 ELSE p.price0 END AS NUMERIC),
            CAST(CASE WHEN e = 1 THEN p.of1 ELSE p.of0 END AS NUMERIC)
          ) * CASE WHEN f = 1 THEN p.billed1 ELSE p.billed0 END AS NUMERIC
        ),
        CAST(CASE WHEN f = 1 THEN p.value1 ELSE p.value0 END AS NUMERIC)
      )
    ) AS nano
  FROM priced AS p
  CROSS JOIN UNNEST([0, 1]) AS d
  CROSS JOIN UNNEST([0, 1]) AS e
  CROSS JOIN UNNEST([0, 1]) AS f
  GROUP BY p.pair, p.platform, p.user_email, d, e, f
),

worked AS (
  SELECT
    pair,
    platform,
    user_email,
    COUNT(DISTINCT CASE WHEN side = 0 AND tokens > 0 THEN usage_date END) AS days0,
    COUNT(DISTINCT CASE WHEN side = 1 AND tokens > 0 THEN usage_date END) AS days1,
    SUM(CASE WHEN side = 0 THEN requests ELSE 0 END) AS requests0,
    SUM(CASE WHEN side = 1 THEN requests ELSE 0 END) AS requests1
  FROM used
  GROUP BY pair, platform, user_email
),

totals AS (
  SELECT
    i.pair,
    i.platform,
    i.user_email,
    SUM(i.q0) AS tokens0,
    SUM(i.q1) AS tokens1,
    SUM(i.c1 - i.c0) AS measured,
    SUM(i.uncounted) AS uncounted
  FROM items AS i
  GROUP BY i.pair, i.platform, i.user_email
),

-- Where a platform counts no requests, a day's tokens are one factor.
volumes AS (
  SELECT
    t.pair,
    t.platform,
    t.user_email,
    t.tokens0,
    t.tokens1,
    w.days0,
    w.days1,
    CASE WHEN w.requests0 > 0 AND w.requests1 > 0 THEN w.requests0 ELSE w.days0 END AS requests0,
    CASE WHEN w.requests0 > 0 AND w.requests1 > 0 THEN w.requests1 ELSE w.days1 END AS requests1
  FROM totals AS t
  INNER JOIN worked AS w ON t.pair = w.pair AND t.platform = w.platform AND t.user_email = w.user_email
  WHERE t.tokens0 > 0 AND t.tokens1 > 0
),

-- Each way in which some of the six factors are the later period's and the others the earlier's.
ways AS (
  SELECT
    v.pair,
    v.platform,
    v.user_email,
    a,
    b,
    c,
    m.d,
    m.e,
    m.f,
    a + b + c + m.d + m.e + m.f AS later,
    DIV(
      CAST(
        DIV(
          CAST(
            DIV(
              CAST(m.nano * CASE WHEN c = 1 THEN v.tokens1 ELSE v.tokens0 END AS NUMERIC),
              CAST(CASE WHEN m.d = 1 THEN v.tokens1 ELSE v.tokens0 END AS NUMERIC)
            ) * CASE WHEN b = 1 THEN v.requests1 ELSE v.requests0 END AS NUMERIC
          ),
          CAST(CASE WHEN c = 1 THEN v.requests1 ELSE v.requests0 END AS NUMERIC)
        ) * CASE WHEN a = 1 THEN v.days1 ELSE v.days0 END AS NUMERIC
      ),
      CAST(CASE WHEN b = 1 THEN v.days1 ELSE v.days0 END AS NUMERIC)
    ) AS nano
  FROM volumes AS v
  INNER JOIN mixes AS m ON v.pair = m.pair AND v.platform = m.platform AND v.user_email = m.user_email
  CROSS JOIN UNNEST([0, 1]) AS a
  CROSS JOIN UNNEST([0, 1]) AS b
  CROSS JOIN UNNEST([0, 1]) AS c
),

-- A factor's Shapley value: what it adds to each way without it, weighted by k! (5 - k)! / 6!, which is 10, 2, 1, 1, 2, 10 sixtieths for k later
-- factors.
weighted AS (
  SELECT
    pair,
    platform,
    user_email,
    a,
    b,
    c,
    d,
    f,
    nano * CASE WHEN later IN (1, 6) THEN 10 WHEN later IN (2, 5) THEN 2 ELSE 1 END AS added,
    nano * CASE WHEN later IN (0, 5) THEN -10 WHEN later IN (1, 4) THEN -2 ELSE -1 END AS lacked
  FROM ways
),

shapley AS (
  SELECT
    pair,
    platform,
    user_email,
    DIV(CAST(SUM(CASE WHEN a = 1 THEN added ELSE lacked END) AS NUMERIC), CAST(60 AS NUMERIC)) AS active_days,
    DIV(CAST(SUM(CASE WHEN b = 1 THEN added ELSE lacked END) AS NUMERIC), CAST(60 AS NUMERIC)) AS requests,
    DIV(CAST(SUM(CASE WHEN c = 1 THEN added ELSE lacked END) AS NUMERIC), CAST(60 AS NUMERIC)) AS tokens,
    DIV(CAST(SUM(CASE WHEN d = 1 THEN added ELSE lacked END) AS NUMERIC), CAST(60 AS NUMERIC)) AS model_mix,
    DIV(CAST(SUM(CASE WHEN f = 1 THEN added ELSE lacked END) AS NUMERIC), CAST(60 AS NUMERIC)) AS plan_cover
  FROM weighted
  GROUP BY pair, platform, user_email
),

-- A change of a seat's price is told from a change of seats where a platform has one price in each period.
seat_prices AS (
  SELECT
    pair,
    platform,
    MAX(CASE WHEN side = 0 THEN price END) AS price0,
    MAX(CASE WHEN side = 1 THEN price END) AS price1
  FROM (
    SELECT
      p.pair,
      p.side,
      r.platform,
      DIV(CAST(MAX(r.price_usd) * 1000000000 AS NUMERIC), CAST(1 AS NUMERIC)) AS price
    FROM periods AS p
    INNER JOIN stg_subscription_prices AS r ON p.last_day >= r.valid_from AND p.first_day <= r.valid_to
    GROUP BY p.pair, p.side, r.platform
    HAVING MIN(r.price_usd) = MAX(r.price_usd) AND MAX(r.price_usd) > 0
  ) AS single
  GROUP BY pair, platform
),

placed AS (
  SELECT
    pair,
    platform,
    user_email,
    department,
    SUM(CASE WHEN side = 0 THEN nano ELSE 0 END) AS before,
    SUM(CASE WHEN class = 'credit' THEN nano * (2 * side - 1) ELSE 0 END) AS credits,
    SUM(CASE WHEN class != 'credit' AND side = 0 THEN nano ELSE 0 END) AS gross0,
    SUM(CASE WHEN class != 'credit' AND side = 1 THEN nano ELSE 0 END) AS gross1,
    SUM(CASE WHEN class = 'seat' AND side = 0 THEN nano ELSE 0 END) AS seat0,
    SUM(CASE WHEN class = 'seat' AND side = 1 THEN nano ELSE 0 END) AS seat1
  FROM costs
  GROUP BY pair, platform, user_email, department
),

present AS (
  SELECT pair, user_email, MIN(side) AS first_side, MAX(side) AS last_side
  FROM (
    SELECT pair, user_email, side FROM costs WHERE class != 'credit'
    UNION ALL
    SELECT pair, user_email, side FROM used
  ) AS anywhere
  WHERE user_email != '(unattributed)'
  GROUP BY pair, user_email
),

leaves AS (
  SELECT
    p.pair,
    p.platform,
    p.user_email,
    CASE WHEN MAX(h.first_side) = 1 THEN 'joined' WHEN MAX(h.last_side) = 0 THEN 'left' END AS presence,
    SUM(p.gross1 - p.gross0) AS change,
    SUM(p.gross0) AS gross0,
    SUM(p.gross1) AS gross1,
    SUM(p.seat1 - p.seat0) AS seat_change,
    COALESCE(
      DIV(
        CAST(
          DIV(CAST(SUM(p.seat0) * (MAX(s.price1) - MAX(s.price0)) AS NUMERIC), CAST(MAX(s.price0) AS NUMERIC))
          + DIV(CAST(SUM(p.seat1) * (MAX(s.price1) - MAX(s.price0)) AS NUMERIC), CAST(MAX(s.price1) AS NUMERIC)) AS NUMERIC
        ),
        CAST(2 AS NUMERIC)
      ), 0
    ) AS seat_price
  FROM placed AS p
  LEFT JOIN present AS h ON p.pair = h.pair AND p.user_email = h.user_email
  LEFT JOIN seat_prices AS s ON p.pair = s.pair AND p.platform = s.platform
  GROUP BY p.pair, p.platform, p.user_email
),

-- Use that begins or ends within the two periods is days of use.
effects AS (
  SELECT
    l.pair,
    l.platform,
    l.user_email,
    driver,
    CASE driver
      WHEN 'seats' THEN l.seat_change - l.seat_price
      WHEN 'seat_price' THEN l.seat_price
      WHEN 'active_days' THEN CASE WHEN y.pair IS NULL THEN COALESCE(t.measured, 0) ELSE y.active_days END
      WHEN 'requests' THEN COALESCE(y.requests, 0)
      WHEN 'tokens' THEN COALESCE(y.tokens, 0)
      WHEN 'model_mix' THEN COALESCE(y.model_mix, 0)
      WHEN 'plan_cover' THEN COALESCE(y.plan_cover, 0)
      WHEN 'price' THEN COALESCE(t.measured - y.active_days - y.requests - y.tokens - y.model_mix - y.plan_cover, 0)
      WHEN 'uncounted' THEN COALESCE(t.uncounted, 0)
      ELSE l.change - l.seat_change - COALESCE(t.measured + t.uncounted, 0)
    END AS nano
  FROM leaves AS l
  CROSS JOIN UNNEST([
    'seats', 'seat_price', 'active_days', 'requests', 'tokens', 'model_mix', 'plan_cover', 'price', 'uncounted', 'not_explained'
  ]) AS driver
  LEFT JOIN totals AS t ON l.pair = t.pair AND l.platform = t.platform AND l.user_email = t.user_email
  LEFT JOIN shapley AS y ON l.pair = y.pair AND l.platform = y.platform AND l.user_email = y.user_email
  WHERE l.presence IS NULL
),

-- A department's weight is the mean of the shares of the person's cost that it had in the two periods.
weights AS (
  SELECT
    p.pair,
    p.platform,
    p.user_email,
    p.department,
    CASE
      WHEN l.gross0 <= 0 AND l.gross1 <= 0 THEN 1
      WHEN l.gross0 <= 0 THEN p.gross1
      WHEN l.gross1 <= 0 THEN p.gross0
      ELSE
        DIV(CAST(p.gross0 * 1000000000 AS NUMERIC), CAST(l.gross0 AS NUMERIC))
        + DIV(CAST(p.gross1 * 1000000000 AS NUMERIC), CAST(l.gross1 AS NUMERIC))
    END AS weight
  FROM placed AS p
  INNER JOIN leaves AS l ON p.pair = l.pair AND p.platform = l.platform AND p.user_email = l.user_email
  WHERE l.presence IS NULL
),

ranged AS (
  SELECT
    *,
    SUM(weight) OVER (PARTITION BY pair, platform, user_email ORDER BY department) AS upto,
    SUM(weight) OVER (PARTITION BY pair, platform, user_email) AS whole
  FROM weights
),

-- Cut at running sums, so that the departments' parts sum to the person's.
spread AS (
  SELECT
    e.pair,
    e.platform,
    e.user_email,
    r.department,
    e.driver,
    DIV(CAST(e.nano * r.upto AS NUMERIC), CAST(r.whole AS NUMERIC))
    - DIV(CAST(e.nano * (r.upto - r.weight) AS NUMERIC), CAST(r.whole AS NUMERIC)) AS nano
  FROM effects AS e
  INNER JOIN ranged AS r ON e.pair = r.pair AND e.platform = r.platform AND e.user_email = r.user_email
  WHERE e.nano != 0
),

-- What a department gained beyond its parts came with people who moved.
explained AS (
  SELECT pair, platform, user_email, department, SUM(nano) AS nano
  FROM spread
  GROUP BY pair, platform, user_email, department
),

parts AS (
  SELECT pair, platform, user_email, department, driver, nano
  FROM spread
  UNION ALL
  SELECT
    p.pair,
    p.platform,
    p.user_email,
    p.department,
    driver,
    CASE driver
      WHEN 'before' THEN p.before
      WHEN 'credits' THEN p.credits
      WHEN 'moved' THEN CASE WHEN l.presence IS NULL THEN p.gross1 - p.gross0 - COALESCE(x.nano, 0) ELSE 0 END
      ELSE CASE WHEN driver = l.presence THEN p.gross1 - p.gross0 ELSE 0 END
    END AS nano
  FROM placed AS p
  CROSS JOIN UNNEST(['before', 'joined', 'left', 'moved', 'credits']) AS driver
  INNER JOIN leaves AS l ON p.pair = l.pair AND p.platform = l.platform AND p.user_email = l.user_email
  LEFT JOIN explained AS x
    ON p.pair = x.pair AND p.platform = x.platform AND p.user_email = x.user_email AND p.department = x.department
)

SELECT
  a.pair AS month,
  w.earlier_from,
  w.earlier_to,
  w.later_from,
  w.later_to,
  a.department,
  a.platform,
  a.user_email,
  COALESCE(u.user_name, a.user_email) AS user_name,
  a.driver,
  CAST(a.nano * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS amount_usd
FROM parts AS a
INNER JOIN (
  SELECT
    pair,
    MIN(CASE WHEN side = 0 THEN first_day END) AS earlier_from,
    MAX(CASE WHEN side = 0 THEN last_day END) AS earlier_to,
    MIN(CASE WHEN side = 1 THEN first_day END) AS later_from,
    MAX(CASE WHEN side = 1 THEN last_day END) AS later_to
  FROM periods
  GROUP BY pair
) AS w ON a.pair = w.pair
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name
  FROM dim_users
) AS u ON a.user_email = u.email
WHERE a.nano != 0
