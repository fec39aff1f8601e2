"""Dashboards as code: the spec (YAML and SQL files) and the renderers that show it.

Belongs here: reading `sql/dashboards/`, the query a card stands for, and each renderer (offline HTML;
Metabase). Does not belong here: any SQL of a mart, any connection to a warehouse, Dagster. A renderer gets
a `query` callable.
"""

from ai_usage.dashboards.encode import EncodeError
from ai_usage.dashboards.html import render_report, write_report
from ai_usage.dashboards.load import load_dashboard, load_dashboards
from ai_usage.dashboards.meta import Checks, ReportMeta, SourceFreshness, meta_from_marts
from ai_usage.dashboards.query import CardQuery, FilterValues, card_query, compared_period
from ai_usage.dashboards.spec import Card, Dashboard, SpecError

__all__ = [
    "Card",
    "CardQuery",
    "Checks",
    "Dashboard",
    "EncodeError",
    "FilterValues",
    "ReportMeta",
    "SourceFreshness",
    "SpecError",
    "card_query",
    "compared_period",
    "load_dashboard",
    "load_dashboards",
    "meta_from_marts",
    "render_report",
    "write_report",
]
