-- Each person's UTC day in claude.ai: how many different conversations, projects and files, and how many messages. Claude Enterprise's own count
-- (analytics/users) stands before the audit log, person by person: of a person's day that both know, the log is left out. In the log, signing in and
-- administration make no row, and deleting or removing something is no use of it. People are resolved here, since distinct counts cannot be added
-- later.
-- Grain: usage_date, user_email. Inputs: raw_claude_enterprise_users, raw_claude_ai_audit_log, stg_current_fetches, stg_email_aliases.
WITH engaged_as_written AS (
  SELECT
    r.usage_date,
    NULLIF(REGEXP_REPLACE(LOWER(TRIM(r.email)), r'\+[^@]*@', '@'), '') AS written_email,
    r.conversations,
    r.messages,
    r.projects_used,
    r.files_uploaded,
    r.web_searches
  FROM raw_claude_enterprise_users AS r
  INNER JOIN stg_current_fetches AS f
    ON
      r.fetch_id = f.version_fetch_id
      AND r.usage_date = f.usage_date
      AND f.source = 'claude_enterprise'
      AND f.endpoint = 'analytics/users'
  WHERE r.usage_date BETWEEN @start_date AND @end_date
),

engaged AS (
  SELECT
    e.usage_date,
    COALESCE(a.email, e.written_email) AS user_email,
    SUM(e.conversations) AS conversations,
    SUM(e.messages) AS messages,
    SUM(e.projects_used) AS projects,
    SUM(e.files_uploaded) AS files,
    SUM(e.web_searches) AS web_searches
  FROM engaged_as_written AS e
  LEFT JOIN stg_email_aliases AS a ON e.written_email = a.alias
  GROUP BY e.usage_date, COALESCE(a.email, e.written_email)
),

written AS (
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
),

logged AS (
  SELECT
    w.usage_date,
    COALESCE(a.email, w.written_email) AS user_email,
    NULLIF(
      COUNT(DISTINCT CASE WHEN w.entity_type = 'chat_conversation' THEN w.entity_uuid END), 0
    ) AS conversations,
    NULLIF(COUNT(CASE WHEN w.entity_type = 'chat_message' THEN 1 END), 0) AS messages,
    COUNT(
      DISTINCT CASE WHEN w.entity_type IN ('project', 'chat_project') THEN w.entity_uuid ELSE w.project_uuid END
    ) AS projects,
    COUNT(DISTINCT CASE WHEN w.entity_type = 'file' THEN w.entity_uuid END) AS files
  FROM written AS w
  LEFT JOIN stg_email_aliases AS a ON w.written_email = a.alias
  WHERE
    w.entity_type IN (
      'chat_conversation', 'chat_message', 'project', 'chat_project', 'project_document', 'chat_project_document', 'file'
    )
    AND NOT REGEXP_CONTAINS(w.event, r'(^|_)(delet|remov)')
  GROUP BY w.usage_date, COALESCE(a.email, w.written_email)
)

SELECT
  usage_date,
  user_email,
  conversations,
  messages,
  projects,
  files,
  web_searches,
  'claude_enterprise_users' AS source
FROM engaged
UNION ALL
SELECT
  l.usage_date,
  l.user_email,
  l.conversations,
  l.messages,
  l.projects,
  l.files,
  CAST(NULL AS INT64) AS web_searches,
  'claude_ai_audit_log' AS source
FROM logged AS l
LEFT JOIN engaged AS e ON l.usage_date = e.usage_date AND COALESCE(l.user_email, '') = COALESCE(e.user_email, '')
WHERE e.usage_date IS NULL
