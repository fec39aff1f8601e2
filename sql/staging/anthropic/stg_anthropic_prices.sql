-- Anthropic's list prices in USD per million tokens: standard tier, no long-context or regional surcharge. Reviewed data, not what is billed:
-- it judges whether billed cost has the right unit. A model is the beginning of the vendor's model id; the longest that fits counts.
-- Source: https://platform.claude.com/docs/en/about-claude/pricing and the models' own pages, read on 2026-11-22; valid_from 2020-01-01 stands
-- for "since it is sold". claude-haiku-5-5 costs five times as much for prompts over 100,000 tokens. Grain: model, valid_from. Inputs: none.
SELECT
  'claude-fable-5-1' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('10' AS NUMERIC) AS input_usd,
  CAST('0.25' AS NUMERIC) AS cache_read_usd,
  CAST('12.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('20' AS NUMERIC) AS cache_write_1h_usd,
  CAST('50' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-mythos-5-1' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('10' AS NUMERIC) AS input_usd,
  CAST('0.25' AS NUMERIC) AS cache_read_usd,
  CAST('12.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('20' AS NUMERIC) AS cache_write_1h_usd,
  CAST('50' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-fable-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('10' AS NUMERIC) AS input_usd,
  CAST('1' AS NUMERIC) AS cache_read_usd,
  CAST('12.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('20' AS NUMERIC) AS cache_write_1h_usd,
  CAST('50' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-mythos-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('10' AS NUMERIC) AS input_usd,
  CAST('1' AS NUMERIC) AS cache_read_usd,
  CAST('12.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('20' AS NUMERIC) AS cache_write_1h_usd,
  CAST('50' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-5-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('4' AS NUMERIC) AS input_usd,
  CAST('0.20' AS NUMERIC) AS cache_read_usd,
  CAST('5' AS NUMERIC) AS cache_write_5m_usd,
  CAST('8' AS NUMERIC) AS cache_write_1h_usd,
  CAST('20' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('5' AS NUMERIC) AS input_usd,
  CAST('0.50' AS NUMERIC) AS cache_read_usd,
  CAST('6.25' AS NUMERIC) AS cache_write_5m_usd,
  CAST('10' AS NUMERIC) AS cache_write_1h_usd,
  CAST('25' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-4-8' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('5' AS NUMERIC) AS input_usd,
  CAST('0.50' AS NUMERIC) AS cache_read_usd,
  CAST('6.25' AS NUMERIC) AS cache_write_5m_usd,
  CAST('10' AS NUMERIC) AS cache_write_1h_usd,
  CAST('25' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-4-7' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('5' AS NUMERIC) AS input_usd,
  CAST('0.50' AS NUMERIC) AS cache_read_usd,
  CAST('6.25' AS NUMERIC) AS cache_write_5m_usd,
  CAST('10' AS NUMERIC) AS cache_write_1h_usd,
  CAST('25' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-4-6' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('5' AS NUMERIC) AS input_usd,
  CAST('0.50' AS NUMERIC) AS cache_read_usd,
  CAST('6.25' AS NUMERIC) AS cache_write_5m_usd,
  CAST('10' AS NUMERIC) AS cache_write_1h_usd,
  CAST('25' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-4-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('5' AS NUMERIC) AS input_usd,
  CAST('0.50' AS NUMERIC) AS cache_read_usd,
  CAST('6.25' AS NUMERIC) AS cache_write_5m_usd,
  CAST('10' AS NUMERIC) AS cache_write_1h_usd,
  CAST('25' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-opus-4' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('15' AS NUMERIC) AS input_usd,
  CAST('1.50' AS NUMERIC) AS cache_read_usd,
  CAST('18.75' AS NUMERIC) AS cache_write_5m_usd,
  CAST('30' AS NUMERIC) AS cache_write_1h_usd,
  CAST('75' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-3-opus' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('15' AS NUMERIC) AS input_usd,
  CAST('1.50' AS NUMERIC) AS cache_read_usd,
  CAST('18.75' AS NUMERIC) AS cache_write_5m_usd,
  CAST('30' AS NUMERIC) AS cache_write_1h_usd,
  CAST('75' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-sonnet-5-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('2' AS NUMERIC) AS input_usd,
  CAST('0.20' AS NUMERIC) AS cache_read_usd,
  CAST('2.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('4' AS NUMERIC) AS cache_write_1h_usd,
  CAST('10' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-sonnet-5-5' AS model,
  DATE '2026-10-07' AS valid_from,
  CAST('2' AS NUMERIC) AS input_usd,
  CAST('0.10' AS NUMERIC) AS cache_read_usd,
  CAST('2.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('4' AS NUMERIC) AS cache_write_1h_usd,
  CAST('10' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-sonnet-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('2' AS NUMERIC) AS input_usd,
  CAST('0.20' AS NUMERIC) AS cache_read_usd,
  CAST('2.50' AS NUMERIC) AS cache_write_5m_usd,
  CAST('4' AS NUMERIC) AS cache_write_1h_usd,
  CAST('10' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-sonnet-4' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('3' AS NUMERIC) AS input_usd,
  CAST('0.30' AS NUMERIC) AS cache_read_usd,
  CAST('3.75' AS NUMERIC) AS cache_write_5m_usd,
  CAST('6' AS NUMERIC) AS cache_write_1h_usd,
  CAST('15' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-3-7-sonnet' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('3' AS NUMERIC) AS input_usd,
  CAST('0.30' AS NUMERIC) AS cache_read_usd,
  CAST('3.75' AS NUMERIC) AS cache_write_5m_usd,
  CAST('6' AS NUMERIC) AS cache_write_1h_usd,
  CAST('15' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-3-5-sonnet' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('3' AS NUMERIC) AS input_usd,
  CAST('0.30' AS NUMERIC) AS cache_read_usd,
  CAST('3.75' AS NUMERIC) AS cache_write_5m_usd,
  CAST('6' AS NUMERIC) AS cache_write_1h_usd,
  CAST('15' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-haiku-5-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('0.10' AS NUMERIC) AS input_usd,
  CAST('0.01' AS NUMERIC) AS cache_read_usd,
  CAST('0.125' AS NUMERIC) AS cache_write_5m_usd,
  CAST('0.20' AS NUMERIC) AS cache_write_1h_usd,
  CAST('0.50' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-haiku-4-5' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('1' AS NUMERIC) AS input_usd,
  CAST('0.10' AS NUMERIC) AS cache_read_usd,
  CAST('1.25' AS NUMERIC) AS cache_write_5m_usd,
  CAST('2' AS NUMERIC) AS cache_write_1h_usd,
  CAST('5' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-3-5-haiku' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('0.80' AS NUMERIC) AS input_usd,
  CAST('0.08' AS NUMERIC) AS cache_read_usd,
  CAST('1' AS NUMERIC) AS cache_write_5m_usd,
  CAST('1.60' AS NUMERIC) AS cache_write_1h_usd,
  CAST('4' AS NUMERIC) AS output_usd
UNION ALL
SELECT
  'claude-3-haiku' AS model,
  DATE '2020-01-01' AS valid_from,
  CAST('0.25' AS NUMERIC) AS input_usd,
  CAST('0.03' AS NUMERIC) AS cache_read_usd,
  CAST('0.30' AS NUMERIC) AS cache_write_5m_usd,
  CAST('0.50' AS NUMERIC) AS cache_write_1h_usd,
  CAST('1.25' AS NUMERIC) AS output_usd
