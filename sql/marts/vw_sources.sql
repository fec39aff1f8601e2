-- What each endpoint that is expected has told, as it was judged last. A pass that was cut off leaves two rows of an endpoint: the later one counts.
-- Grain: source, endpoint. Inputs: source_states.
SELECT
  source,
  endpoint,
  state,
  is_owed,
  due_day,
  last_held,
  lacking_since,
  reason,
  source_state,
  source_said,
  judged_at
FROM source_states
QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint ORDER BY judged_at DESC) = 1
