"""What vendors declare, as relations that SQL can join: platforms, who invoices them, which lines of cost stand for which endpoint's bill.

Belongs here: turning declarations into SELECTs, so that no model names a vendor. Does not belong here: the declarations (`sources/<vendor>/vendor.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from ai_usage import tables, vendors
from ai_usage.tables.schema import Type


def _literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return {None: "NULL", True: "TRUE", False: "FALSE"}[value]  # type: ignore[index]


def _relation(name: str, rows: Iterable[Sequence[object]]) -> str:
    columns = tables.BY_NAME[name].columns

    def cell(value: object, of: Type) -> str:
        return f"CAST({_literal(value)} AS {of.value})" if value is None else _literal(value)

    return "\nUNION ALL\n".join(
        "SELECT " + ", ".join(f"{cell(value, c.type)} AS {c.name}" for value, c in zip(row, columns, strict=True)) for row in rows
    )


@lru_cache(maxsize=1)
def all_sql() -> dict[str, str]:
    """{table: SELECT} of every model that is made here."""
    declared: list[Any] = list(vendors.declared())
    platforms = [p for vendor in declared for p in vendor.platforms]
    claims = [(f"{beginning}%", vendor.title) for vendor in declared for beginning in vendor.claims]
    claimed = tuple(beginning for vendor in declared for beginning in vendor.claims)
    endpoints = [(source, q.endpoint) for vendor in declared for source in vendor.sources for q in source.questions]
    endpoints += [(None, upload.endpoint) for vendor in declared for upload in vendor.exports.values()]
    return {
        "stg_platforms": _relation(
            "stg_platforms", ((p.key, p.invoices_as, p.service, p.account, p.seats_account or p.account, p.resource) for p in platforms)
        ),
        "stg_invoicing": _relation(
            "stg_invoicing", [*claims, *((p.key, p.invoices_as) for p in platforms if not p.key.startswith(claimed or ("%",)))]
        ),
        "stg_endpoints": _relation("stg_endpoints", ((e.source, e.name, e.by_permission, e.whole_window) for _, e in endpoints)),
        "stg_bill_sources": _relation(
            "stg_bill_sources",
            [
                (e.source, e.name, e.staged_as, source.account if source else None, bool(source and source.has_default_workspace))
                for source, e in endpoints
                if e.vendor_total
            ],
        ),
    }
