"""Metabase as code: the dashboard spec made real in an open-source Metabase, and kept so.

Belongs here: a client, what Metabase shall hold (`desired.py`), the comparison with what it holds and the writing of the difference
(`run.py` and the stages beside it: one code for plan, apply and export-check, so that they cannot disagree), and the proof that
every filter filters (`verify.py`). Does not belong here: settings, a warehouse, the command line.
"""

from ai_usage.dashboards.metabase.config import DatabaseConfig, MetabaseConfig
from ai_usage.dashboards.metabase.errors import MetabaseError
from ai_usage.dashboards.metabase.run import Change, Run
from ai_usage.dashboards.metabase.suite import Suite, load_suite
from ai_usage.dashboards.metabase.verify import verify

__all__ = ["Change", "DatabaseConfig", "MetabaseConfig", "MetabaseError", "Run", "Suite", "load_suite", "verify"]
