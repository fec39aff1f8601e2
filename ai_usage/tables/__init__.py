"""One declaration per table. DDL, Arrow and pandera schemas, Dagster metadata and `docs/tables.md` are made from it."""

from __future__ import annotations

from ai_usage.tables import claude_ai, raw
from ai_usage.tables.alerts import ALERTS, vw_alerts
from ai_usage.tables.curated import CURATED, STAGING
from ai_usage.tables.marts import MARTS as MARTS_OF_FACTS
from ai_usage.tables.raw_analytics import ANALYTICS
from ai_usage.tables.schema import Column, Table, Type

RAW: tuple[Table, ...] = (*raw.RAW, *claude_ai.RAW, *ANALYTICS)
MARTS: tuple[Table, ...] = (*MARTS_OF_FACTS, vw_alerts)
OPERATIONS: tuple[Table, ...] = ALERTS
ALL: tuple[Table, ...] = (*RAW, *STAGING, *CURATED, *OPERATIONS, *MARTS)
BY_NAME: dict[str, Table] = {table.name: table for table in ALL}

__all__ = ["ALL", "BY_NAME", "CURATED", "MARTS", "OPERATIONS", "RAW", "STAGING", "Column", "Table", "Type"]
