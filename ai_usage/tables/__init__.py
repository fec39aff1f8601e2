"""One declaration per table. DDL, Arrow and pandera schemas, Dagster metadata and `docs/tables.md` are made from it.

A vendor's tables lie in its own folder (`sources/<vendor>/tables.py`) and are read when the sets of this module are first asked for: that folder builds
on what lies here.
"""

from __future__ import annotations

from ai_usage import vendors
from ai_usage.tables.schema import Column, Personal, Table, Type

RAW: tuple[Table, ...]
STAGING: tuple[Table, ...]
CURATED: tuple[Table, ...]
BOOKS: tuple[Table, ...]
CHECKS: tuple[Table, ...]
MARTS: tuple[Table, ...]
OPERATIONS: tuple[Table, ...]
ALL: tuple[Table, ...]
BY_NAME: dict[str, Table]

__all__ = ["ALL", "BOOKS", "BY_NAME", "CHECKS", "CURATED", "MARTS", "OPERATIONS", "RAW", "STAGING", "Column", "Personal", "Table", "Type"]


def __getattr__(name: str) -> object:
    """The sets of tables, made of every module that declares some."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ai_usage.tables import (
        alerts,
        answers,
        books,
        checks,
        curated,
        declared,
        focus,
        forgetting,
        marts,
        operations,
        raw,
        sheet,
        staging,
        tabs,
        totals,
    )

    own = list(vendors.parts("tables"))
    made: dict[str, tuple[Table, ...]] = {
        "RAW": (*raw.RAW, *tabs.RAW, *(table for module in own for table in module.RAW)),
        "CHECKS": checks.CHECKS,
        "STAGING": (
            *sheet.STAGING, *staging.STAGING, *declared.STAGING, *tabs.STAGING, *(table for module in own for table in module.STAGING), *books.STAGING,
            focus.stg_charge_measures, totals.stg_cost_basis,
        ),
        "CURATED": (*curated.CURATED, books.fct_cost_corrections, *totals.CURATED),
        "BOOKS": books.BOOKS,
        "OPERATIONS": (*forgetting.OPERATIONS, *operations.OPERATIONS, *alerts.ALERTS),
        "MARTS": (*marts.MARTS, *answers.MARTS, *checks.MARTS, operations.vw_certificate, operations.vw_sources, alerts.vw_alerts),
    }  # fmt: skip
    found = tuple(table for tables in made.values() for table in tables)
    globals().update(made, ALL=found, BY_NAME={table.name: table for table in found})
    return globals()[name]
