#!/bin/bash
# A third database, for the serving copy of the marts: who writes it, and who may only read it. Runs by itself when the volume is empty.
# Run it by hand on a volume that is older, or after new passwords: what is there stays, and the passwords become those of the files.
set -euo pipefail
for name in marts_writer_password marts_reader_password; do
  [ -s "/run/secrets/$name" ] || { echo "$name is missing or empty; run scripts/secrets on the host." >&2; exit 1; }
done
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set writer="$(cat /run/secrets/marts_writer_password)" --set reader="$(cat /run/secrets/marts_reader_password)" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', wanted) FROM unnest(ARRAY['marts_writer', 'marts_reader']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
ALTER ROLE marts_writer PASSWORD :'writer';
ALTER ROLE marts_reader PASSWORD :'reader';
SELECT 'CREATE DATABASE marts OWNER marts_writer' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'marts') \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE marts FROM PUBLIC;
GRANT CONNECT ON DATABASE marts TO marts_reader;
SQL
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname marts <<'SQL'
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS ai_usage AUTHORIZATION marts_writer;
GRANT USAGE ON SCHEMA ai_usage TO marts_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE marts_writer IN SCHEMA ai_usage GRANT SELECT ON TABLES TO marts_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ai_usage TO marts_reader;
SQL
