"""One declaration per table. DDL, Arrow and pandera schemas, Dagster metadata and `docs/tables.md` are made from it."""

from __future__ import annotations

from ai_usage.tables import claude_ai, marts, raw
from ai_usage.tables.curated import CURATED, STAGING
from ai_usage.tables.operations import OPERATIONS, vw_certificate
from ai_usage.tables.raw_analytics import ANALYTICS
from ai_usage.tables.schema import Column, Table, Type

RAW: tuple[Table, ...] = (*raw.RAW, *claude_ai.RAW, *ANALYTICS)
MARTS: tuple[Table, ...] = (*marts.MARTS, vw_certificate)
ALL: tuple[Table, ...] = (*RAW, *OPERATIONS, *STAGING, *CURATED, *MARTS)
BY_NAME: dict[str, Table] = {table.name: table for table in ALL}

__all__ = ["ALL", "BY_NAME", "CURATED", "MARTS", "OPERATIONS", "RAW", "STAGING", "Column", "Table", "Type"]
