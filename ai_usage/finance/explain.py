"""From a figure to the vendor's bytes, with the proof at each step that the parts sum to the whole.

Belongs here: the steps and what each proves. Does not belong here: questions to the warehouse (`figure.py`), bytes (`evidence.py`), printing.

A day of a source is the unit of proof. What the figure holds of it, and what the books hold of it besides (other people, other months that correct it),
is what the facts say, which is what the version of the bill says that counts now. So the proof needs no rule of its own for closed months.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from ai_usage.finance import figure as books
from ai_usage.finance.evidence import SHEET, Evidence, Found, Record
from ai_usage.finance.figure import ZERO, Figure, Lines
from ai_usage.loading.forgotten import Forgotten
from ai_usage.warehouse.base import Warehouse

SHOWN = 3  # so many lines are followed to their records
FAILING = 5  # so many parts of a step are named that do not sum
RERUN = "run these days again, since figures were written from something else (held_back, vw_certificate)"
UPGRADE = "run `ai-usage upgrade`, since another rule read these bytes"


@dataclass(frozen=True)
class Proof:
    """One step: the whole, what its parts sum to, and a sentence that names both; `remedy` says what to do where they differ."""

    step: str
    said: str
    whole_usd: Decimal
    parts_usd: Decimal
    remedy: str

    @property
    def holds(self) -> bool:
        return self.whole_usd == self.parts_usd


@dataclass
class Explanation:
    """All that is known of a figure. `days`: what each day of each source is made of; `found`: the records of its largest lines, in their order;
    `sheet`: the sheet's rows by tab; `notes`: what could not be shown, and why."""

    figure: Figure
    table: str
    total_usd: Decimal
    lines: Lines
    days: list[dict[str, Any]] = field(default_factory=list)
    found: list[tuple[dict[str, Any], Found]] = field(default_factory=list)
    sheet: dict[str, tuple[Record, ...]] = field(default_factory=dict)
    proofs: list[Proof] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return all(proof.holds for proof in self.proofs)


def explain(
    warehouse: Warehouse, spool: Path, forgotten: Forgotten, figure: Figure, *, lines: int = 20, records: int = 3, files: int = 100
) -> Explanation:
    """Explain a figure.

    Args:
        warehouse: Where the books are.
        spool: The folder of what vendors sent.
        forgotten: Who was erased.
        figure: What to explain.
        lines: At most so many lines, the largest.
        records: At most so many records of each of the three largest lines that a vendor bills; none: no record is shown.
        files: At most so many spool files are read again.

    Returns:
        The explanation; `holds` says whether every step was exact.
    """
    table, total = books.shown(warehouse, figure)
    found = Explanation(figure, table, total, books.lines(warehouse, figure, lines))
    found.proofs.append(
        Proof(
            "lines",
            f"{table}, which the dashboards show, and the {found.lines.count:,} lines of the books",
            total,
            found.lines.total_usd,
            RERUN,
        )
    )
    if not found.lines.count:
        return found
    found.days = books.days(warehouse, figure)
    found.proofs += _each(
        "days", "the facts of each day and source, and the books' lines of it: these and all others",
        [(_day(d), d["facts_usd"], d["figure_usd"] + d["elsewhere_usd"]) for d in found.days], RERUN,
    )  # fmt: skip
    first, last = min(d["cost_date"] for d in found.days), max(d["cost_date"] for d in found.days)
    bills = {(b["cost_source"], b["billed_on"]): b for b in books.bills(warehouse, first, last)}
    with closing(Evidence(warehouse, spool, forgotten)) as evidence:
        _told(found, bills, evidence)
        _bytes(found, bills, evidence, files)
        billed = [(line, bill) for line in found.lines.rows if (bill := bills.get((line["source"], line["cost_date"])))]
        found.found = [(line, evidence.records(line, bill, records)) for line, bill in billed[: SHOWN if records else 0]]
    found.proofs += _each(
        "records", "what the facts hold of the lines that the shown records are for, and these records",
        [(f"{f.source} {f.endpoint} {line['cost_date']}", f.facts_usd, f.told_usd) for line, f in found.found if not f.missing], UPGRADE,
    )  # fmt: skip
    return found


def _told(found: Explanation, bills: dict[tuple[str, date], dict[str, Any]], evidence: Evidence) -> None:
    """Give each day who told of it, and prove that they told what the facts hold."""
    told: dict[tuple[str, date], Decimal] = {}
    for source, tab in SHEET.items():
        wanted = [d["cost_date"] for d in found.days if d["source"] == source]
        if wanted:
            by_day, found.sheet[tab] = evidence.sheet(source, wanted)
            told |= {(source, day): usd for day, usd in by_day.items()}
    snapshots = evidence.snapshots() if found.sheet else {}
    for day in found.days:
        key = day["source"], day["cost_date"]
        bill = bills.get(key)
        told |= {key: bill["told_usd"]} if bill else {}
        made = bill or snapshots.get(SHEET.get(day["source"], ""), {})
        day |= {name: made.get(name) for name in ("endpoint", "usage_date", "fetch_id", "fetched_at", "origin", "spool_path")}
        day |= {"asked": made.get("source"), "told_usd": told.get(key, ZERO)}
    found.proofs += _each(
        "bills", "what the vendors' bills and the sheet's rows say of each day, and the facts",
        [(_day(d), d["told_usd"], d["facts_usd"]) for d in found.days], RERUN,
    )  # fmt: skip


def _bytes(found: Explanation, bills: dict[tuple[str, date], dict[str, Any]], evidence: Evidence, files: int) -> None:
    """Prove that each version is what its bytes say, as long as they are held."""
    mine = {(b["source"], b["endpoint"], b["usage_date"]): b for d in found.days if (b := bills.get((d["source"], d["cost_date"])))}
    if not mine:
        return
    named = [(f"{source} {endpoint} {day}", bill) for (source, endpoint, day), bill in sorted(mine.items())]
    found.proofs += _each(
        "versions", "the totals that were taken while the vendors' bytes were read, and the rows that were made of them",
        [(name, b["vendor_total_usd"], b["version_usd"]) for name, b in named if b["vendor_total_usd"] is not None], UPGRADE,
    )  # fmt: skip
    held = [(name, bill, path) for name, bill in named if (path := evidence.path(bill))]
    read = held[:files]
    found.proofs += _each(
        "bytes",
        "the rows, and the vendors' own records in the spool, read again",
        [(n, b["version_usd"], evidence.total(b, p)) for n, b, p in read],
        UPGRADE,
    )
    if len(held) < len(named):
        gone = len(named) - len(held)
        found.notes.append(
            f"The bytes of {gone} of {len(named)} fetches are gone: the spool is kept for AI_USAGE_SPOOL_KEEP_DAYS. Their totals and rows remain."
        )
    if len(read) < len(held):
        found.notes.append(f"{len(held) - len(read)} spool files were not read again; choose fewer days, or more with --files.")


def _each(step: str, said: str, parts: Sequence[tuple[str, Decimal, Decimal]], remedy: str) -> list[Proof]:
    """One proof where every part is exact, else one for each part that is not: sums of all could hide two that are wrong."""
    if not parts:
        return []
    wrong = [Proof(step, name, whole, summed, remedy) for name, whole, summed in parts if whole != summed]
    more = (
        [Proof(step, f"{len(wrong) - FAILING} more", *_sums([(w.whole_usd, w.parts_usd) for w in wrong[FAILING:]]), remedy)]
        if wrong[FAILING:]
        else []
    )
    return wrong[:FAILING] + more or [Proof(step, f"{said} ({len(parts):,})", *_sums([p[1:] for p in parts]), remedy)]


def _sums(pairs: Sequence[tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    return sum((whole for whole, _ in pairs), ZERO), sum((parts for _, parts in pairs), ZERO)


def _day(day: dict[str, Any]) -> str:
    return f"{day['source']} {day['cost_date']}"
