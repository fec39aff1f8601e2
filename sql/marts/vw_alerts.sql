-- Every cause that ever raised an alert, as it stands: what the last event of the cause said, when it opened, whether it is over, who was told.
-- Grain: alert, cause_key. Inputs: alert_log.
WITH latest AS (
  SELECT *
  FROM alert_log
  WHERE event IN ('opened', 'reopened', 'worsened', 'resolved')
  QUALIFY ROW_NUMBER() OVER (PARTITION BY alert, cause_key ORDER BY logged_at DESC, seq DESC) = 1
),

counted AS (
  SELECT
    alert,
    cause_key,
    MAX(CASE WHEN event IN ('opened', 'reopened') THEN logged_at END) AS opened_at,
    COUNTIF(event IN ('sent', 'repeated')) AS messages_sent,
    COUNTIF(event = 'delivery_failed') AS deliveries_failed,
    MAX(CASE WHEN event IN ('sent', 'repeated') THEN logged_at END) AS last_told_at
  FROM alert_log
  GROUP BY alert, cause_key
)

SELECT
  l.alert,
  l.cause_key,
  l.severity,
  l.level,
  l.subject,
  l.headline,
  l.figure,
  l.usual,
  l.unit,
  l.likely_reason,
  l.moved_by,
  l.since,
  l.first_day,
  l.last_day,
  CASE WHEN l.event = 'resolved' THEN 'resolved' ELSE 'open' END AS state,
  c.opened_at,
  CASE WHEN l.event = 'resolved' THEN l.logged_at END AS resolved_at,
  CASE WHEN l.event = 'resolved' THEN 0 ELSE 1 END AS open_causes,
  c.messages_sent,
  c.deliveries_failed,
  c.last_told_at
FROM latest AS l
INNER JOIN counted AS c ON l.alert = c.alert AND l.cause_key = c.cause_key
