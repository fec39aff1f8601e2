-- What Cursor says of a charge beside its price: a billed event is one request.
-- Grain: one billed event. Inputs: stg_cursor_events.
SELECT
  r.usage_date,
  'cursor' AS platform,
  r.service_account_id AS api_key_id,
  r.user_email,
  r.model,
  'Requests' AS unit,
  1 AS quantity,
  FALSE AS is_money,
  'cursor_events' AS cost_source
FROM stg_cursor_events AS r
WHERE r.usage_date BETWEEN @start_date AND @end_date AND r.billing = 'billed'
