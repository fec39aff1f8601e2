-- What the audit log says of each person and UTC day: how many different conversations, projects and files their events name, and how many
-- events are about messages. Signing in and administration make no row. People are resolved here, since distinct counts cannot be added later.
-- Deleting a conversation is no use of it. Grain: usage_date, user_email. Inputs: raw_claude_ai_audit_log, stg_current_fetches, stg_email_aliases.
WITH written AS (
  SELECT
    r.usage_date,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.actor_email)), r'\+[^@]*@', '@'), '') AS written_email,
    r.event,
    r.entity_type,
    r.entity_uuid,
    r.project_uuid
  FROM raw_claude_ai_audit_log AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'claude_ai'
      AND f.endpoint = 'audit_log'
  WHERE r.usage_date BETWEEN @start_date AND @end_date AND (r.actor_uuid IS NOT NULL OR r.actor_email IS NOT NULL)
)

SELECT
  w.usage_date,
  COALESCE(a.email, w.written_email) AS user_email,
  NULLIF(
    COUNT(DISTINCT CASE WHEN w.entity_type = 'chat_conversation' AND NOT ENDS_WITH(w.event, '_deleted') THEN w.entity_uuid END), 0
  ) AS conversations,
  NULLIF(COUNT(CASE WHEN w.entity_type = 'chat_message' AND NOT ENDS_WITH(w.event, '_deleted') THEN 1 END), 0) AS messages,
  COUNT(
    DISTINCT CASE WHEN w.entity_type IN ('project', 'chat_project') THEN w.entity_uuid ELSE w.project_uuid END
  ) AS projects,
  COUNT(DISTINCT CASE WHEN w.entity_type = 'file' AND NOT ENDS_WITH(w.event, '_deleted') THEN w.entity_uuid END) AS files
FROM written AS w
LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
WHERE w.entity_type IN ('chat_conversation', 'chat_message', 'project', 'chat_project', 'file')
GROUP BY w.usage_date, COALESCE(a.email, w.written_email)
