"""One declaration per table. DDL, Arrow and pandera schemas, Dagster metadata and `docs/tables.md` are made from it."""

from __future__ import annotations

from ai_usage.tables import alerts, books, checks, claude_ai, curated, focus, forgetting, marts, operations, raw, sheet, totals
from ai_usage.tables.books import BOOKS
from ai_usage.tables.checks import CHECKS
from ai_usage.tables.raw_analytics import ANALYTICS
from ai_usage.tables.schema import Column, Personal, Table, Type

STAGING: tuple[Table, ...] = (*sheet.STAGING, *curated.STAGING, *books.STAGING, focus.stg_charge_measures, totals.stg_cost_basis)
CURATED: tuple[Table, ...] = (*curated.CURATED, books.fct_cost_corrections, *totals.CURATED)
RAW: tuple[Table, ...] = (*raw.RAW, *claude_ai.RAW, *ANALYTICS)
MARTS: tuple[Table, ...] = (*marts.MARTS, *checks.MARTS, operations.vw_certificate, alerts.vw_alerts)
OPERATIONS: tuple[Table, ...] = (*forgetting.OPERATIONS, *operations.OPERATIONS, *alerts.ALERTS)
ALL: tuple[Table, ...] = (*RAW, *CHECKS, *STAGING, *CURATED, *BOOKS, *OPERATIONS, *MARTS)
BY_NAME: dict[str, Table] = {table.name: table for table in ALL}

__all__ = ["ALL", "BOOKS", "BY_NAME", "CHECKS", "CURATED", "MARTS", "OPERATIONS", "RAW", "STAGING", "Column", "Personal", "Table", "Type"]
