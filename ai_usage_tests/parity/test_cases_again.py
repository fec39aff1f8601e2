"""Every case of the SQL unit tests again, with GoogleSQL asked beside DuckDB: what was worked out by hand holds on both.

Belongs here: the import that lets pytest collect those tests a second time, under this folder's `desk`, whose warehouse is `Witnessed`.
"""

from __future__ import annotations

from ai_usage_tests.unit.test_sql_curated import *
from ai_usage_tests.unit.test_sql_marts import *
from ai_usage_tests.unit.test_sql_staging import *
