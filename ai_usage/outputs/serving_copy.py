"""The serving copy: every mart in a PostgreSQL that dashboards read.

Belongs here: the settings, and errors by their names. Does not belong here: Dagster, how tables are copied (`postgres.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ai_usage import tables
from ai_usage.dashboards.metabase.config import postgres_details
from ai_usage.dashboards.metabase.errors import MetabaseError
from ai_usage.outputs.postgres import Difference, copy_marts, differences
from ai_usage.runtime import Runtime
from ai_usage.warehouse import WarehouseError

SERVING_IS_OFF = (
    "the serving copy is off: AI_USAGE_SERVING_URL is not set; set it to postgresql://user:password@host:5432/database?schema=ai_usage."
)


def publish_serving_copy(runtime: Runtime) -> Mapping[str, int]:
    """Copy every mart into the serving Postgres, in one transaction; returns the rows of each."""
    url, schema = _serving(runtime)
    return copy_marts(runtime.warehouse, url, schema, tables.MARTS)


def serving_differences(runtime: Runtime) -> list[Difference]:
    """Where the serving copy, as a reader finds it now, has other rows or other money than the marts."""
    url, schema = _serving(runtime)
    return differences(runtime.warehouse, url, schema, tables.MARTS)


def _serving(runtime: Runtime) -> tuple[str, str]:
    if runtime.settings.serving_url is None:
        raise WarehouseError(SERVING_IS_OFF)
    url = runtime.settings.serving_url.get_secret_value()
    try:
        return url, postgres_details(url)[0]
    except MetabaseError as error:
        raise WarehouseError(str(error).replace("METABASE_POSTGRES_URL", "AI_USAGE_SERVING_URL")) from None
