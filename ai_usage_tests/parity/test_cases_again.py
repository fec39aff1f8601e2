"""Every case of the SQL unit tests again, with GoogleSQL asked beside DuckDB: what was worked out by hand holds on both.

Belongs here: the imports that let pytest collect those tests a second time, under this folder's `desk`, whose warehouse is `Witnessed`.
"""

from __future__ import annotations

from ai_usage_tests.unit import test_sql_alerts, test_sql_curated, test_sql_marts, test_sql_staging
from ai_usage_tests.unit.test_sql_alerts import *  # noqa: F403
from ai_usage_tests.unit.test_sql_curated import *  # noqa: F403
from ai_usage_tests.unit.test_sql_marts import *  # noqa: F403
from ai_usage_tests.unit.test_sql_staging import *  # noqa: F403


def test_no_case_hides_another() -> None:
    """Two modules with a test of one name would leave one of them out here."""
    modules = (test_sql_alerts, test_sql_curated, test_sql_marts, test_sql_staging)
    names = [name for module in modules for name in vars(module) if name.startswith("test_")]
    assert len(names) == len(set(names)) > 40
