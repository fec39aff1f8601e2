-- People, keys and departments whose usage cost of a day is far above their usual day. Method "weekday median with pooled MAD": of the 56 days
-- before the days judged, usual is the median of the same weekday, and spread is 1.4826 times the median of all days' distances from their
-- weekday's median (the scaled MAD, which a few wild days do not move), at least @least_spread of usual. A day is unusual when it is above usual
-- by more than @spreads spreads and by at least the floor of its kind. Who has less than @min_history_days known days since the first cost is not
-- judged, so that somebody new is no anomaly. Days that a source failed to give are left out. Seats are not in it, nor what is
-- spread over a range of days, whose own days nobody knows.
-- Inputs: fct_cost_daily, dim_user_assignments, dim_api_keys, stg_unknown_days.
WITH lines AS (
  SELECT
    f.cost_date,
    f.user_email,
    f.api_key_id,
    a.department,
    CONCAT(COALESCE(f.model, '(no model)'), ' on ', f.platform) AS mover,
    SUM(f.cost_usd) AS usd
  FROM fct_cost_daily AS f
  LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.cost_date BETWEEN a.valid_from AND a.valid_to
  WHERE
    f.cost_date BETWEEN DATE_SUB(@start_date, INTERVAL 56 DAY) AND @end_date
    AND f.cost_type != 'subscription'
    AND f.settle_state != 'open'
    AND COALESCE(f.timing, 'day') = 'day'
  GROUP BY f.cost_date, f.user_email, f.api_key_id, a.department, f.model, f.platform
),

kinds AS (
  SELECT 'person' AS kind, user_email AS item, cost_date, mover, usd, @person_floor_usd AS floor_usd
  FROM lines
  WHERE user_email IS NOT NULL
  UNION ALL
  SELECT 'key' AS kind, api_key_id AS item, cost_date, mover, usd, @key_floor_usd AS floor_usd
  FROM lines
  WHERE api_key_id IS NOT NULL
  UNION ALL
  SELECT 'department' AS kind, department AS item, cost_date, COALESCE(user_email, '(unattributed)') AS mover, usd, @department_floor_usd AS floor_usd
  FROM lines
  WHERE department IS NOT NULL
),

daily AS (
  SELECT
    kind,
    item,
    cost_date,
    floor_usd,
    SUM(usd) AS usd
  FROM kinds
  GROUP BY kind, item, cost_date, floor_usd
),

-- Only who could pass the floor at all is looked at further: a handful among thousands.
subjects AS (
  SELECT
    kind,
    item,
    floor_usd,
    MIN(cost_date) AS first_day
  FROM daily
  GROUP BY kind, item, floor_usd
  HAVING MAX(CASE WHEN cost_date >= @start_date THEN usd END) >= floor_usd
),

frame AS (
  SELECT MAX(cost_date) AS last_day
  FROM lines
),

points AS (
  SELECT
    s.kind,
    s.item,
    s.floor_usd,
    day,
    EXTRACT(DAYOFWEEK FROM day) AS weekday,
    COALESCE(d.usd, CAST(0 AS NUMERIC)) AS usd
  FROM subjects AS s
  CROSS JOIN frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(s.first_day, f.last_day)) AS day
  LEFT JOIN daily AS d ON s.kind = d.kind AND s.item = d.item AND day = d.cost_date
  LEFT JOIN (SELECT DISTINCT usage_date FROM stg_unknown_days) AS x ON day = x.usage_date
  WHERE x.usage_date IS NULL
),

placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY kind, item, weekday ORDER BY usd, day) AS place,
    COUNT(*) OVER (PARTITION BY kind, item, weekday) AS places
  FROM points
  WHERE day < @start_date
),

usual AS (
  SELECT
    kind,
    item,
    weekday,
    CAST(SAFE_DIVIDE(SUM(usd), COUNT(*)) AS NUMERIC) AS usual_usd
  FROM placed
  WHERE place BETWEEN DIV(places + 1, 2) AND DIV(places + 2, 2)
  GROUP BY kind, item, weekday
),

distances AS (
  SELECT
    p.kind,
    p.item,
    ABS(p.usd - u.usual_usd) AS distance_usd,
    ROW_NUMBER() OVER (PARTITION BY p.kind, p.item ORDER BY ABS(p.usd - u.usual_usd), p.day) AS place,
    COUNT(*) OVER (PARTITION BY p.kind, p.item) AS places
  FROM placed AS p
  INNER JOIN usual AS u ON p.kind = u.kind AND p.item = u.item AND p.weekday = u.weekday
),

spreads AS (
  SELECT
    kind,
    item,
    CAST(CAST(SAFE_DIVIDE(SUM(distance_usd), COUNT(*)) AS NUMERIC) * CAST('1.4826' AS NUMERIC) AS NUMERIC) AS spread_usd
  FROM distances
  WHERE places >= @min_history_days AND place BETWEEN DIV(places + 1, 2) AND DIV(places + 2, 2)
  GROUP BY kind, item
),

unusual AS (
  SELECT
    p.kind,
    p.item,
    p.day,
    p.usd,
    u.usual_usd
  FROM points AS p
  INNER JOIN usual AS u ON p.kind = u.kind AND p.item = u.item AND p.weekday = u.weekday
  INNER JOIN spreads AS s ON p.kind = s.kind AND p.item = s.item
  WHERE
    p.day >= @start_date
    AND p.usd - u.usual_usd >= p.floor_usd
    AND p.usd - u.usual_usd > CAST(GREATEST(s.spread_usd, CAST(u.usual_usd * @least_spread AS NUMERIC)) * @spreads AS NUMERIC)
),

causes AS (
  SELECT
    kind,
    item,
    MIN(day) AS first_day,
    MAX(day) AS last_day,
    ANY_VALUE(usd HAVING MAX day) AS usd,
    ANY_VALUE(usual_usd HAVING MAX day) AS usual_usd
  FROM unusual
  GROUP BY kind, item
),

movers AS (
  SELECT
    c.kind,
    c.item,
    k.mover,
    SUM(CASE WHEN k.cost_date = c.last_day THEN k.usd ELSE CAST(0 AS NUMERIC) END)
    - CAST(SAFE_DIVIDE(SUM(CASE WHEN k.cost_date < @start_date THEN k.usd ELSE CAST(0 AS NUMERIC) END), 56) AS NUMERIC) AS more_usd
  FROM causes AS c
  INNER JOIN kinds AS k ON c.kind = k.kind AND c.item = k.item
  GROUP BY c.kind, c.item, k.mover
),

names AS (
  SELECT
    api_key_id,
    ANY_VALUE(api_key_name HAVING MAX valid_from) AS api_key_name
  FROM dim_api_keys
  GROUP BY api_key_id
)

SELECT
  CONCAT(c.kind, '/', c.item) AS cause_key,
  CASE c.kind
    WHEN 'person' THEN c.item
    WHEN 'key' THEN CONCAT('Key ', COALESCE(n.api_key_name, c.item))
    ELSE CONCAT('Department ', c.item)
  END AS subject,
  1 AS level,
  c.usd AS figure,
  c.usual_usd AS usual,
  'USD' AS unit,
  'A new job, a loop that does not end, a dearer model, or a key in wrong hands: ask the owner.' AS likely_reason,
  c.first_day AS since,
  c.first_day,
  c.last_day,
  m.mover,
  m.more_usd AS mover_figure,
  'USD' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY c.kind, c.item ORDER BY m.more_usd DESC, m.mover) AS mover_rank
FROM causes AS c
INNER JOIN movers AS m ON c.kind = m.kind AND c.item = m.item
LEFT JOIN names AS n ON CASE WHEN c.kind = 'key' THEN c.item END = n.api_key_id
QUALIFY ROW_NUMBER() OVER (PARTITION BY c.kind, c.item ORDER BY m.more_usd DESC, m.mover) <= 3
