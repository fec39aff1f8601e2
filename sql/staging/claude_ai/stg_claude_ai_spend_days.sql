-- Each version of claude.ai's spend report by day: the money of a range of days is spread evenly over them, in whole 1e-9 USD, what is left over
-- on the last one. Requests and tokens are told of a day only by a report of one day. A row without an e-mail, as "(org service usage)", is nobody's.
-- Grain: fetch_id, cost_date, user_email, model. Inputs: raw_claude_ai_spend.
WITH lines AS (
  SELECT
    fetch_id,
    usage_date,
    period_start,
    period_end,
    DATE_DIFF(period_end, period_start, DAY) + 1 AS day_count,
    CASE WHEN STRPOS(user_email, '@') > 0 THEN user_email END AS user_email,
    model,
    CAST(SUM(net_usd) * 1000000000 AS INT64) AS net_nano_usd,
    -- Where one line leaves it out, the sum is not known.
    CASE WHEN COUNT(gross_usd) = COUNT(*) THEN CAST(SUM(gross_usd) * 1000000000 AS INT64) END AS gross_nano_usd,
    SUM(requests) AS requests,
    SUM(uncached_input_tokens) AS uncached_input_tokens,
    SUM(cache_read_tokens) AS cache_read_tokens,
    SUM(cache_write_5m_tokens) AS cache_write_5m_tokens,
    SUM(cache_write_1h_tokens) AS cache_write_1h_tokens,
    SUM(completion_tokens) AS output_tokens,
    SUM(web_searches) AS web_searches
  FROM raw_claude_ai_spend
  WHERE usage_date >= @start_date AND period_start <= @end_date
  GROUP BY fetch_id, usage_date, period_start, period_end, CASE WHEN STRPOS(user_email, '@') > 0 THEN user_email END, model
),

days AS (
  SELECT
    l.*,
    day AS cost_date,
    CASE WHEN day = period_end THEN net_nano_usd - DIV(net_nano_usd, day_count) * (day_count - 1) ELSE DIV(net_nano_usd, day_count) END AS net_part,
    CASE
      WHEN day = period_end THEN gross_nano_usd - DIV(gross_nano_usd, day_count) * (day_count - 1)
      ELSE DIV(gross_nano_usd, day_count)
    END AS gross_part
  FROM lines AS l
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(period_start, period_end)) AS day
)

SELECT
  fetch_id,
  usage_date AS last_day,
  cost_date,
  CASE WHEN day_count = 1 THEN 'day' ELSE 'spread' END AS timing,
  user_email,
  model,
  CAST(CAST(net_part AS NUMERIC) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS net_usd,
  CAST(CAST(gross_part AS NUMERIC) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS gross_usd,
  CASE WHEN day_count = 1 THEN requests END AS requests,
  CASE WHEN day_count = 1 THEN uncached_input_tokens END AS uncached_input_tokens,
  CASE WHEN day_count = 1 THEN cache_read_tokens END AS cache_read_tokens,
  CASE WHEN day_count = 1 THEN cache_write_5m_tokens END AS cache_write_5m_tokens,
  CASE WHEN day_count = 1 THEN cache_write_1h_tokens END AS cache_write_1h_tokens,
  CASE WHEN day_count = 1 THEN output_tokens END AS output_tokens,
  CASE WHEN day_count = 1 THEN web_searches END AS web_searches
FROM days
WHERE cost_date BETWEEN @start_date AND @end_date
