"""What a vendor, or finance in its sheet, said of a figure's days: the bytes in the spool, and the sheet's rows with their arithmetic.

Belongs here: opening what was read, and summing it again by another path than the SQL's. Does not belong here: lines and bills (`finance/figure.py`).

A record is shown as it came, but for people: an address is written as the warehouse holds it, and of whoever was forgotten nothing is shown.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

from ai_usage.finance import figure
from ai_usage.finance.figure import ZERO
from ai_usage.loading.forgotten import Forgotten
from ai_usage.sources import redaction, spool
from ai_usage.sources.decode import Decoder
from ai_usage.sources.endpoint import Window
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.warehouse.base import Warehouse

SHEET = {"sheet_subscriptions": "subscriptions", "sheet_adjustments": "adjustments"}
"""`source` of the sheet's lines, and the tab that tells of them."""


@dataclass(frozen=True)
class Record:
    """A record that a line comes from. `line` is that of the spool file, from 1; `usd` what the record bills."""

    line: int
    usd: Decimal
    text: str


@dataclass(frozen=True)
class Found:
    """The records behind one line of the books, the largest of `count`. They bill `told_usd`, and `facts_usd` is what the facts hold of the lines that
    they are for, which may be more than the one; `quantity` is what was used for it, in `unit`. `missing` says why there are none."""

    source: str
    endpoint: str
    spool_path: str | None
    records: tuple[Record, ...] = ()
    count: int = 0
    told_usd: Decimal = ZERO
    facts_usd: Decimal = ZERO
    quantity: Decimal | None = None
    unit: str | None = None
    missing: str | None = None


class Evidence:
    """The spool below `root`, read by today's rules, and people as `warehouse` holds them; `close()` frees the decoder."""

    def __init__(self, warehouse: Warehouse, root: Path, forgotten: Forgotten) -> None:
        self._warehouse, self._root, self._forgotten = warehouse, root, forgotten
        self._decoder = Decoder()
        self._totals: dict[tuple[str, str, str], dict[date, Decimal | None]] = {}
        aliases = warehouse.select("SELECT alias, email FROM stg_email_aliases").to_pylist()
        self._aliases = {r["alias"]: r["email"] for r in aliases}

    def close(self) -> None:
        self._decoder.close()

    def path(self, bill: Mapping[str, Any]) -> str | None:
        """The spool file that still holds a version: the one that brought it last, else the one that brought it first."""
        return next((p for p in (bill["spool_path"], bill["version_spool_path"]) if p and (self._root / p).is_file()), None)

    def total(self, bill: Mapping[str, Any], path: str) -> Decimal:
        """What a version's bytes bill, read again; a file is read once for all days that it holds."""
        key = bill["source"], bill["endpoint"], path
        if key not in self._totals:
            self._totals[key] = {day.usage_date: day.vendor_total_usd for day in self._load(bill, path)}
        return self._totals[key].get(bill["usage_date"]) or ZERO

    def records(self, line: Mapping[str, Any], bill: Mapping[str, Any], limit: int) -> Found:
        """The vendor's records behind a line.

        The vendor may bill by less than a line says (by key and not by person), or by more. So records and lines meet in what both name, and in that the
        records sum to the lines; where the person too is named by both, only theirs are taken.

        Args:
            line: A row of `figure.lines`.
            bill: The row of `figure.bills` of its source and day.
            limit: At most so many records, the largest.

        Returns:
            What was found; `facts_usd` is what the facts hold of the lines that these records are for.
        """
        endpoint, path = ENDPOINTS[bill["source"], bill["endpoint"]], self.path(bill)
        if path is None:
            gone = "retention has taken the vendor's bytes away (AI_USAGE_SPOOL_KEEP_DAYS); the rows that were made of them remain"
            return Found(bill["source"], bill["endpoint"], None, missing=gone)
        self._load(bill, path)
        first, last = self._span(bill) if endpoint.whole_window else (line["cost_date"], line["cost_date"])
        group = {name: line[name] for name in endpoint.named_by if name != "user_email"}
        mine = [r for r in self._decoder.billed(bill["usage_date"]) if all(r[name] == value for name, value in group.items())]
        theirs = [r for r in mine if r.get("user_email") and self._held(r["user_email"]) == line["user_email"]]
        facts = figure.facts_of(self._warehouse, line["source"], first, last, group)
        if theirs:
            person = figure.facts_of(self._warehouse, line["source"], first, last, {**group, "user_email": line["user_email"]})
            if person == sum((r["usd"] for r in theirs), ZERO):
                mine, facts = theirs, person
        told = sum((r["usd"] for r in mine), ZERO)
        largest = sorted(mine, key=lambda r: (-abs(r["usd"]), r["number"]))[:limit]
        texts = self._decoder.texts([r["number"] for r in largest])
        shown = tuple(Record(r["number"], r["usd"], self._text(texts[r["number"]])) for r in largest)
        quantity, unit = figure.used(self._warehouse, line["source"], first, last, group) if mine is not theirs else (None, None)
        return Found(bill["source"], bill["endpoint"], path, shown, len(mine), told, facts, quantity, unit)

    def sheet(self, source: str, wanted: Sequence[date]) -> tuple[dict[date, Decimal], tuple[Record, ...]]:
        """What the sheet's rows come to on some days, worked out again row by row, and the rows."""
        tab = SHEET[source]
        rows = (_seat_days if tab == "subscriptions" else _adjusted)(self._warehouse, min(wanted), max(wanted))
        told = dict.fromkeys(wanted, ZERO)
        for row in rows:
            for day, usd in row["days"].items():
                if day in told:
                    told[day] += usd
        shown = tuple(
            Record(row["sheet_row"], sum((usd for day, usd in row["days"].items() if day in told), ZERO), row["said"]) for row in rows
        )
        return told, shown

    def snapshots(self) -> dict[str, dict[str, Any]]:
        """The fetch of each tab of the sheet that counts now."""
        found = self._warehouse.select(
            "SELECT s.source, s.endpoint, s.usage_date, r.fetch_id, r.fetched_at, r.origin, r.spool_path FROM stg_snapshots AS s "
            "INNER JOIN raw_fetches AS r ON s.version_fetch_id = r.fetch_id WHERE s.endpoint IN UNNEST(@tabs)",
            {"tabs": list(SHEET.values())},
        )
        return {row["endpoint"]: row for row in found.to_pylist()}

    def _load(self, bill: Mapping[str, Any], path: str) -> list[Any]:
        first, last = self._span(bill)
        endpoint = ENDPOINTS[bill["source"], bill["endpoint"]]
        return self._decoder.load([spool.reopen(self._root, endpoint, Window(first, last), path, 0, 0)])

    @staticmethod
    def _span(bill: Mapping[str, Any]) -> tuple[date, date]:
        """The days that the walk asked for."""
        first, last = bill["window_start"], bill["window_end"] or bill["window_start"]
        return first.astimezone(UTC).date(), last.astimezone(UTC).date()

    def _held(self, address: str) -> str:
        """An address as the warehouse holds it."""
        folded = redaction.fold(address)
        return self._aliases.get(folded, folded)

    def _text(self, text: str) -> str:
        if self._forgotten.anyone() and self._forgotten.among(re.findall(redaction.ADDRESS, text)):
            return redaction.EMPTIED
        return redaction.replaced(text, self._held)


def _seat_days(warehouse: Warehouse, first: date, last: date) -> list[dict[str, Any]]:
    """Rows of seats with what each day costs: a month's price in whole 1e-9 USD over its days, what is left over on the last one."""
    rows = warehouse.select(
        """
        SELECT r.sheet_row, r.platform, r.email, r.seats, r.price_usd, r.currency, r.written_amount, r.usd_rate, r.valid_from, r.valid_to, l.last_day
        FROM stg_subscription_prices AS r
        CROSS JOIN stg_last_day AS l
        WHERE r.valid_from <= @last_day AND r.valid_to >= @first_day
        ORDER BY r.sheet_row, r.valid_from
        """,
        {"first_day": first, "last_day": last},
    ).to_pylist()
    for row in rows:
        span = Window(max(row["valid_from"], first), min(row["valid_to"], last, row["last_day"] or last))
        row["days"] = {day: day_price(row["price_usd"], row["seats"], day) for day in span.days} if span.first <= span.last else {}
        rate = f" ({row['written_amount']} {row['currency']} at {row['usd_rate']})" if row["usd_rate"] else ""
        whose = f" of {row['email']}" if row["email"] else ""
        until = "" if row["valid_to"].year == 9999 else f" to {row['valid_to']}"
        row["said"] = f"{row['platform']}: {row['seats']} × {row['price_usd']:f} USD a month{rate}{whose}, from {row['valid_from']}{until}"
    return [row for row in rows if row["days"]]


def day_price(month_usd: Decimal, seats: int, day: date) -> Decimal:
    """What a month's price of some seats costs on one of its days, USD."""
    nano, length = int(month_usd * seats * 10**9), monthrange(day.year, day.month)[1]
    daily = abs(nano) // length * (1 if nano >= 0 else -1)
    return Decimal(nano - daily * (length - 1) if day.day == length else daily).scaleb(-9)


def _adjusted(warehouse: Warehouse, first: date, last: date) -> list[dict[str, Any]]:
    """Rows of adjustments, each on its day."""
    rows = warehouse.select(
        "SELECT sheet_row, adjustment_date, platform, amount_usd, author, reason FROM stg_sheet_adjustments_rows "
        "WHERE adjustment_date BETWEEN @first_day AND @last_day AND amount_usd IS NOT NULL ORDER BY sheet_row",
        {"first_day": first, "last_day": last},
    ).to_pylist()
    for row in rows:
        row["days"] = {row["adjustment_date"]: row["amount_usd"]}
        row["said"] = f"{row['platform']}: {row['amount_usd']:f} USD on {row['adjustment_date']}, {row['reason']} ({row['author']})"
    return rows
