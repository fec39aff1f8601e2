"""Asking the warehouse which causes there are now.

Belongs here: what a cause is, binding a condition's parameters, and reading its answer. Does not belong here: whether anybody is told.

A condition answers with one row for each cause and mover, in the columns `COLUMNS`; a cause without movers has one row whose mover is NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from ai_usage import tables
from ai_usage.alerts.config import Alert, Config
from ai_usage.warehouse import WarehouseError, dialect
from ai_usage.warehouse.base import Value

COLUMNS = {
    "cause_key": "STRING", "subject": "STRING", "level": "INT64", "figure": "NUMERIC", "usual": "NUMERIC", "unit": "STRING", "likely_reason": "STRING",
    "since": "DATE", "first_day": "DATE", "last_day": "DATE", "mover": "STRING", "mover_figure": "NUMERIC", "mover_unit": "STRING",
    "mover_rank": "INT64",
}  # fmt: skip
Query = Callable[[str, Mapping[str, Value]], pa.Table]


@dataclass(frozen=True)
class Mover:
    """Who or what moved a figure, and by how much; `figure` is in `unit`."""

    name: str
    figure: Decimal | None
    unit: str | None


@dataclass(frozen=True)
class Cause:
    """Something that an alert is about, as it is now. `level` rises as it gets worse; days are UTC and inclusive."""

    alert: str
    cause_key: str
    subject: str
    figure: Decimal | None
    usual: Decimal | None
    unit: str
    likely_reason: str | None = None
    level: int = 1
    since: date | None = None
    first_day: date | None = None
    last_day: date | None = None
    movers: tuple[Mover, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.alert, self.cause_key


@dataclass
class Found:
    """What was found. `looked_at` are the alerts whose answer is known and the first day that each looked at (None: all days). Of any other alert
    nothing is known, so that its causes stay as they were: `skipped` says why nobody asked, `broken` why there was no answer."""

    causes: list[Cause] = field(default_factory=list)
    looked_at: dict[str, date | None] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def bound(alert: Alert, today: date, now: datetime, sources: Sequence[str]) -> dict[str, Value]:
    """The parameters of a condition: its thresholds, its days, and what of the moment its SQL names."""
    end = today - timedelta(days=1)
    known: dict[str, Value] = {"as_of_date": today, "end_date": end, "now": now, "sources": list(sources) or [""]}
    start = first_day(alert, today)
    if start is not None:
        known["start_date"] = start
    asked = dialect.parameters(alert.sql or "SELECT 1")
    return {**{name: value for name, value in known.items() if name in asked}, **{n: v for n, v in alert.parameters.items() if n in asked}}


def first_day(alert: Alert, today: date) -> date | None:
    """The first day that an alert looks at; None for all days."""
    if alert.look_back == "month":
        return (today - timedelta(days=1)).replace(day=1)
    return None if alert.look_back is None else today - timedelta(days=alert.look_back)


def look(
    config: Config, query: Query, *, today: date, now: datetime, sources: Sequence[str], failed_runs: Iterable[Cause] | None = None,
    only: Callable[[Alert], bool] = lambda alert: True,
) -> Found:  # fmt: skip
    """Every cause of every alert that is enabled and `only` lets through. `failed_runs` are the causes that Dagster knows; None where nobody asked.

    A condition that cannot be answered is skipped with its reason and takes no other one along.
    """
    found = Found()
    for alert in config.alerts.values():
        if not only(alert):
            continue
        if not alert.enabled:
            found.skipped[alert.name] = "it is switched off in the file of AI_USAGE_ALERTS_FILE."
        elif alert.sql is None:
            if failed_runs is None:
                found.skipped[alert.name] = "the record of runs was not asked."
            else:
                found.causes += failed_runs
                found.looked_at[alert.name] = None
        else:
            missing = sorted(dialect.references(alert.sql) - tables.BY_NAME.keys())
            if missing:
                found.skipped[alert.name] = f"it reads {missing[0]}, which this version does not have."
                continue
            try:
                answer = query(alert.sql, bound(alert, today, now, sources))
            except WarehouseError as error:
                found.broken[alert.name] = str(error)
                continue
            found.causes += causes_of(alert.name, answer)
            found.looked_at[alert.name] = first_day(alert, today)
    return found


def causes_of(alert: str, answer: pa.Table) -> list[Cause]:
    """The causes of a condition's answer, each with its movers in order."""
    rows = sorted(answer.to_pylist(), key=lambda r: (r["cause_key"], r["mover_rank"]))
    causes: dict[str, Cause] = {}
    movers: dict[str, list[Mover]] = {}
    for row in rows:
        if row["mover"] is not None:
            movers.setdefault(row["cause_key"], []).append(Mover(row["mover"], row["mover_figure"], row["mover_unit"]))
        names = ("cause_key", "subject", "figure", "usual", "unit", "likely_reason", "level", "since", "first_day", "last_day")
        causes[row["cause_key"]] = Cause(alert, **{name: row[name] for name in names}, movers=tuple(movers.get(row["cause_key"], ())))
    return list(causes.values())
