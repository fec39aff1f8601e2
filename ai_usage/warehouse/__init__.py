"""Where the numbers live: one protocol, an engine behind it, and the runner of the files under `sql/`."""

from ai_usage.warehouse.base import Fact, ProofError, Warehouse, WarehouseBusyError, WarehouseError, WarehouseFullError
from ai_usage.warehouse.duckdb import DuckDBWarehouse

__all__ = ["DuckDBWarehouse", "Fact", "ProofError", "Warehouse", "WarehouseBusyError", "WarehouseError", "WarehouseFullError"]
