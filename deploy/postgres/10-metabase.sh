#!/bin/bash
# Runs once, when the volume is empty: a second database and its owner for Metabase. Dagster's is made by the image itself.
set -euo pipefail
[ -s /run/secrets/metabase_db_password ] || { echo "metabase_db_password is missing or empty; run scripts/secrets on the host." >&2; exit 1; }
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set password="$(cat /run/secrets/metabase_db_password)" <<'SQL'
CREATE ROLE metabase LOGIN PASSWORD :'password';
CREATE DATABASE metabase OWNER metabase;
REVOKE CONNECT ON DATABASE metabase FROM PUBLIC;
SQL
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --set database="$POSTGRES_DB" <<'SQL'
REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;
SQL
