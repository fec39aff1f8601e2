-- Cursor's events of all versions and what became of each: billed, included (in a plan), or not_charged (errored, a free credit, the user's own
-- key). An event is billed when it is chargeable and no plan or grant covers its kind; `is_known_kind` is false where nobody has said so yet, and
-- then it is billed all the same.
-- Grain: one event of one fetch. Inputs: raw_cursor_events. Written by `make docs` from ai_usage/sources/cursor/kinds.py.
SELECT
  e.fetch_id,
  e.usage_date,
  e.event_at,
  e.user_email,
  e.service_account_id,
  e.service_account_name,
  e.model,
  e.kind,
  e.is_chargeable,
  e.input_tokens,
  e.output_tokens,
  e.cache_read_tokens,
  e.cache_write_tokens,
  e.list_usd,
  e.charged_usd,
  CASE
    WHEN REGEXP_CONTAINS(e.folded_kind, '^_?(usage_event_kind_)?(included(_in_.+)?)_?$') THEN 'included'
    WHEN REGEXP_CONTAINS(e.folded_kind, '^_?(usage_event_kind_)?(free_credit|user_api_key|(.+_)?not_charged)_?$') THEN 'not_charged'
    WHEN e.is_chargeable THEN 'billed'
    ELSE 'not_charged'
  END AS billing,
  REGEXP_CONTAINS(
    e.folded_kind, '^_?(usage_event_kind_)?(usage_based|on_demand|included(_in_.+)?|free_credit|user_api_key|(.+_)?not_charged)_?$'
  ) AS is_known_kind
FROM (
  SELECT
    r.fetch_id,
    r.usage_date,
    r.event_at,
    r.user_email,
    r.service_account_id,
    r.service_account_name,
    r.model,
    r.kind,
    r.is_chargeable,
    r.input_tokens,
    r.output_tokens,
    r.cache_read_tokens,
    r.cache_write_tokens,
    r.list_usd,
    r.charged_usd,
    LOWER(COALESCE(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(r.kind, r'[\p{Cf}\x{0}-\x{8}\x{E}-\x{1F}\x{7F}-\x{84}\x{86}-\x{9F}\x{34F}\x{115F}-\x{1160}\x{17B4}-\x{17B5}\x{180B}-\x{180F}\x{2065}\x{3164}\x{FE00}-\x{FE0F}\x{FFA0}\x{FFF0}-\x{FFF8}\x{E0000}-\x{E0FFF}]', r''), r'([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])', r'\1\3_\2\4'), r'[^a-zA-Z0-9]+', r'_'), '')) AS folded_kind  -- noqa: LT05
  FROM raw_cursor_events AS r
  WHERE r.usage_date BETWEEN @start_date AND @end_date
) AS e
