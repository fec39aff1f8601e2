"""From walks to published versions: the glue between sources and the warehouse, without Dagster."""

from ai_usage.loading.forgotten import Forgotten
from ai_usage.loading.loader import Loader
from ai_usage.loading.report import LoadReport

__all__ = ["Forgotten", "LoadReport", "Loader"]
