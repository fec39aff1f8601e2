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
    IF(
      LOWER(TRIM(r.user_email)) IN ('', 'null', 'none', 'undefined', 'n/a', '#n/a'), NULL, r.user_email
    ) AS user_email,
    IF(
      LOWER(TRIM(r.service_account_id)) IN ('', 'null', 'none', 'undefined', 'n/a', '#n/a'), NULL, r.service_account_id
    ) AS service_account_id,
    IF(
      LOWER(TRIM(r.service_account_name)) IN ('', 'null', 'none', 'undefined', 'n/a', '#n/a'), NULL, r.service_account_name
    ) AS service_account_name,
    r.model,
    r.kind,
    r.is_chargeable,
    r.input_tokens,
    r.output_tokens,
    r.cache_read_tokens,
    r.cache_write_tokens,
    r.list_usd,
    r.charged_usd,
    REGEXP_REPLACE(LOWER(COALESCE(r.kind, '')), '[^a-z0-9]+', '_') AS folded_kind
  FROM raw_cursor_events AS r
  WHERE r.usage_date BETWEEN @start_date AND @end_date
) AS e
