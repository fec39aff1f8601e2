"""How one endpoint is declared: where records lie, what a record looks like, how its fields become columns.

Belongs here: the vocabulary that every vendor's `records.py` is written in. A declaration is data; `decode.py` is the one
mechanism that acts on it. Expressions are DuckDB SQL over the record's fields, each named by its dotted path in double
quotes, and run in memory, never in the warehouse.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from ai_usage.tables import texts
from ai_usage.tables.schema import Table, Type

Kind = Literal["string", "id", "email", "int", "decimal", "cents", "bool"]
NAMING = ("id", "email")  # the kinds that name somebody or something


@dataclass(frozen=True)
class Field:
    """One field of a record. `cents` are money in 1/100 of a unit, kept to 1e-7, which is 1e-9 of the unit. An `id` names somebody or something, and
    an `email` does so by an address: trimmed, without what is invisible, an address out of its wrapping; a blank, or a text that says that there is
    none ("null", "None"), is NULL.

    `required`: when no record has its key the contract has changed and the fetch fails."""

    path: str
    kind: Kind = "string"
    required: bool = False


def ids(*paths: str) -> tuple[Field, ...]:
    """Optional fields that name somebody or something."""
    return tuple(Field(path, "id") for path in paths)


@dataclass(frozen=True)
class Rule:
    """What must hold of a record beyond its column types: `holds` is a boolean expression over columns and fields."""

    column: str
    holds: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, tab or file kind and the raw table that it fills.

    `columns` maps a raw column to an expression over fields (default: the field of the same name). `usage_date` is an
    expression for the record's UTC day, None for snapshots, whose day is the window's. `vendor_total` sums, over every
    record that can be read, to the billed USD that the vendor claims, and is NULL for a record that hides it; None where the endpoint bills nothing.
    `staged_as` is then the `source` of its rows in `stg_cost`, and `named_by` is by what a line of cost and a record find each other: a column of the
    line, and an expression over the raw table's columns.
    `whole_window`: a file speaks of its window as a whole and stands on the window's last day; without rows it says that nothing happened.
    `history_days`: how many days back the vendor answers, None where it documents none. `lag_days`: how many whole days after a day's end the
    vendor may still call it unfinished. `by_permission`: only some keys may read it, so it is expected once it has been held.
    `beside`: the field that the client puts in front of a record's own, since the answer says it once for many records (`walk.beside`).
    `without`: which figures stay unknown where a vendor refuses the endpoint; None where a refusal is a failure, as for all that bills.
    `may_be_unknown`: columns that are NULL where the vendor leaves a part of them out, which is no fault of the record.
    `refusals`: the field in which the reader of a record says why it cannot be used, a JSON text of [{c: column, v: value, r: reason, m: remedy}];
    such a record is rejected for these reasons. `drift_remedy`: what to do about a field that is not declared, where that is not to declare it.
    `known`: what the vendor documents and no column needs, by path: no news when it comes. `*` stands for any name, `[]` for the parts of a list
    ("tool_actions.*.accepted", "model_breakdown[].model"). Where it names parts of a field that is read whole, every other part of it is news.
    """

    source: str
    name: str
    table: Table
    fields: tuple[Field, ...]
    columns: dict[str, str]
    usage_date: str | None = None
    rules: tuple[Rule, ...] = ()
    vendor_total: str | None = None
    staged_as: str | None = None
    named_by: Mapping[str, str] = field(default_factory=dict, hash=False)
    record_number: str | None = None
    refusals: str | None = None
    whole_window: bool = False
    history_days: int | None = None
    lag_days: int = 0
    by_permission: bool = False
    beside: str | None = None
    without: str | None = None
    may_be_unknown: frozenset[str] = frozenset()
    drift_remedy: str | None = None
    known: tuple[str, ...] = ()
    remedies: Mapping[Type, str] = field(default_factory=dict, hash=False)
    remedy: str = "Report it to the vendor; the day is read again with the next run, or can be replaced by a dropped .replace.csv file."

    def __repr__(self) -> str:
        return f"Endpoint({self.source} {self.name})"

    @property
    def read_whole(self) -> tuple[str, ...]:
        """The declared fields whose parts `known` names."""
        return tuple(f.path for f in self.fields if any(k.startswith((f"{f.path}.", f"{f.path}[]")) for k in self.known))

    def documents(self, parts: Sequence[str]) -> bool:
        """Whether `known` names this path, or something inside it."""
        return any(
            len(parts) <= len(names) and all(map(fnmatchcase, parts, names)) for names in (pattern.split(".") for pattern in self.known)
        )

    @property
    def money_fields(self) -> frozenset[str]:
        """The fields that say what a record bills, in which currency and on which day; none where the endpoint bills nothing."""
        return frozenset(named(f"{self.vendor_total} {self.usage_date}")) if self.vendor_total else frozenset()

    def decides(self, path: str) -> bool:
        """Whether a record does not count when this field breaks a rule. Money that can be read counts, whatever else its record lacks; a record
        without money counts whole or not at all."""
        needed = (self.columns.get(c.name, f'"{c.name}"') for c in self.table.columns if not c.nullable)
        return not self.vendor_total or path in self.money_fields or path in named(" ".join(needed))

    @property
    def parser_version(self) -> str:
        """Changes whenever the declaration or the reading of a name does, so that a corrected expression makes a new version of unchanged bytes."""
        said = repr(
            (
                self.fields,
                sorted(self.columns.items()),
                self.usage_date,
                self.rules,
                self.vendor_total,
                texts.read_sql("x", is_address=True),
            )
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def named(expression: str) -> list[str]:
    """The fields that an expression names, in order."""
    return re.findall(r'"([^"]+)"', expression)


@dataclass(frozen=True, order=True)
class Window:
    """UTC days from `first` to `last`, both inclusive: what one walk of an endpoint asks for."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The last instant that vendors resolve: 23:59:59.999."""
        return datetime.combine(self.last, time(23, 59, 59, 999000), UTC)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def split(self, days: int) -> list[Window]:
        """Consecutive windows of at most that many days."""
        starts = range(0, (self.last - self.first).days + 1, days)
        return [Window(self.first + timedelta(days=n), min(self.last, self.first + timedelta(days=n + days - 1))) for n in starts]


def ranges(days: Iterable[date], longest: int | None = None) -> list[Window]:
    """Consecutive days as windows, oldest first; of at most `longest` days where it is given."""
    found: list[Window] = []
    for day in sorted(set(days)):
        if found and day == found[-1].last + timedelta(days=1) and (longest is None or len(found[-1].days) < longest):
            found[-1] = Window(found[-1].first, day)
        else:
            found.append(Window(day, day))
    return found
