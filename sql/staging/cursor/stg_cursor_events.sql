-- Cursor's events of the versions that count, and what became of each: billed, included (in a plan), or not_charged.
-- Grain: one event. Inputs: stg_cursor_event_versions, stg_current_fetches.
SELECT
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
  e.billing,
  e.is_known_kind
FROM stg_cursor_event_versions AS e
INNER JOIN stg_current_fetches AS f
  ON
    e.fetch_id = f.version_fetch_id
    AND e.usage_date = f.usage_date
    AND f.source = 'cursor'
    AND f.endpoint = 'filtered-usage-events'
