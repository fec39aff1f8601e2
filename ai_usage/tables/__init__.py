"""One declaration per table. DDL, Arrow and pandera schemas, Dagster metadata and `docs/tables.md` are made from it."""

from __future__ import annotations

from ai_usage.tables import claude_ai, curated, focus, raw
from ai_usage.tables.curated import CURATED
from ai_usage.tables.marts import MARTS
from ai_usage.tables.raw_analytics import ANALYTICS
from ai_usage.tables.schema import Column, Table, Type

RAW: tuple[Table, ...] = (*raw.RAW, *claude_ai.RAW, *ANALYTICS)
STAGING: tuple[Table, ...] = (*curated.STAGING, focus.stg_charge_measures)
ALL: tuple[Table, ...] = (*RAW, *STAGING, *CURATED, *MARTS)
BY_NAME: dict[str, Table] = {table.name: table for table in ALL}

__all__ = ["ALL", "BY_NAME", "CURATED", "MARTS", "RAW", "STAGING", "Column", "Table", "Type"]
