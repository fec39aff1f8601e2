"""The invented company over time: its days, its restatements, its sheet.

Belongs here: what exists in which version, and bounded caches of it.
Does not belong here: how a day comes about (events.py), HTTP.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from .anthropic.cast import Org
from .anthropic.world import Claude
from .books import Books, Ledger, keep_books
from .cast import Cast
from .claude_ai import exports as claude_ai_exports
from .events import Day, generate, is_holiday, restated
from .google_sheets.content import company_sheet
from .google_sheets.sheet import Sheet
from .subscriptions import company_subscriptions, days

KINDS = ("up", "down", "empty")
_KEEP_EVENTS = 250_000  # generated events held in memory

History = tuple[tuple[int, str], ...]  # (version, kind): what the vendor changed about a day


class World:
    def __init__(
        self,
        seed: int = 7,
        people: int = 24,
        first_day: date = date(2026, 8, 1),
        last_day: date = date(2026, 11, 21),
        events_per_person_day: float = 6.0,
        *,
        anthropic: bool = False,
        api_keys: int = 12,
        claude_code_users: int | None = None,
        api_key_shape: str = "scope",
        analytics: str = "allowed",
        enterprise: bool = False,
    ) -> None:
        """The keyword arguments are those of the Anthropic organization, which exists only with `anthropic`: API keys (those
        of Claude Code come on top), its users (None: at most twelve), the JSON of a key (scope, legacy, both), whether
        /analytics/cost and /usage are allowed or forbidden to the Admin key, and an Enterprise organization beside it."""
        if last_day < first_day:
            raise ValueError("last_day is before first_day")
        self.seed, self.first_day, self.last_day = seed, first_day, last_day
        self.events_per_person_day = events_per_person_day
        self.cast = Cast(seed, people, first_day, last_day)
        self.subscriptions = company_subscriptions(self.cast, first_day, last_day)
        self.version = 0
        self._history: dict[date, History] = {}
        self.lock = threading.RLock()
        self._days: OrderedDict[tuple[date, History], Day] = OrderedDict()
        self._held = 0
        self._sheet: Sheet | None = None
        self._ledgers: dict[tuple[date, History], Ledger] = {}
        self.anthropic = anthropic
        if anthropic:
            self.anthropic_org = Org(seed, self.cast, first_day, last_day, api_keys, claude_code_users)
            self.claude = Claude(self, api_key_shape, analytics, enterprise)

    @property
    def truth(self) -> Books:
        """The books of the present version; they follow restatements."""
        return Books(self)

    def truth_at(self, version: int) -> Books:
        """The books as they were at a version (0 is the beginning)."""
        if not 0 <= version <= self.version:
            raise ValueError(f"no version {version}: this world is at {self.version}")
        return Books(self, version)

    @property
    def sheet(self) -> Sheet:
        """Made when first asked for: its invoices need the books, and the books may be large."""
        with self.lock:
            if self._sheet is None:
                self._sheet = company_sheet(self)
            return self._sheet

    def restate(self, day: date, kind: str) -> int:
        """Cursor corrects a day; returns the new version."""
        self._check(day, kind)
        with self.lock:
            self._history[day] = (*self._history.get(day, ()), (self.version + 1, kind))
            self.version += 1
            return self.version

    def restate_anthropic(self, day: date, kind: str) -> int:
        """Anthropic corrects usage and cost of a day; returns the new version, counted together with Cursor's."""
        if not self.anthropic:
            raise ValueError("this world has no Anthropic organization")
        self._check(day, kind)
        with self.lock:
            self.claude.correct(day, kind, self.version + 1)
            self.version += 1
            return self.version

    def _check(self, day: date, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        if not self.first_day <= day <= self.last_day:
            raise ValueError(f"{day} is outside this world")

    def history(self, day: date, version: int | None = None) -> History:
        """The corrections of a day known at a version: with the day, the name of its content."""
        found = self._history.get(day, ())
        return found if version is None else tuple(h for h in found if h[0] <= version)

    def is_holiday(self, day: date) -> bool:
        return is_holiday(self.seed, day)

    def day(self, day: date, version: int | None = None) -> Day:
        if not self.first_day <= day <= self.last_day:
            return Day((), ())
        return self._day(day, self.history(day, version))

    def ledger(self, day: date, version: int | None = None) -> Ledger:
        if not self.first_day <= day <= self.last_day:
            return Ledger()
        key = (day, self.history(day, version))
        with self.lock:
            if key not in self._ledgers:
                self._ledgers[key] = keep_books(self._day(*key), self.cast)
            return self._ledgers[key]

    def _day(self, day: date, history: History) -> Day:
        key = (day, history)
        with self.lock:
            if key in self._days:
                self._days.move_to_end(key)
                return self._days[key]
            made = self._make(day, history)
            self._days[key] = made
            self._held += len(made.events)
            while self._held > _KEEP_EVENTS and len(self._days) > 1:
                _, dropped = self._days.popitem(last=False)
                self._held -= len(dropped.events)
            return made

    def _make(self, day: date, history: History) -> Day:
        people, rate = self.cast.people, self.events_per_person_day
        if not history:
            return generate(self.seed, day, people, rate)
        before = self._make(day, history[:-1])
        # The nth correction of a day is the same whatever happened to other days.
        return restated(before, history[-1][1], self.seed, day, people, rate, len(history))

    @cached_property
    def claude_ai_usage(self) -> dict[tuple[date, str], dict[str, int]]:
        """Claude.ai as its export tells it: by (day, e-mail) of the people who have a seat that day."""
        seats = [(s.email, s) for s in self.subscriptions if s.platform == "claude_ai" and s.email]
        found = {}
        for day in days(self.first_day, self.last_day):
            if day.weekday() > 4 or self.is_holiday(day):
                continue
            for email, seat in seats:
                rng = random.Random(f"claude_ai/{self.seed}/{day}/{email}")
                if day < seat.valid_from or (seat.valid_to and day > seat.valid_to) or rng.random() < 0.15:
                    continue
                talks = 1 + int(rng.random() * 9)
                found[day, email] = {
                    "conversations": talks,
                    "messages": talks * (2 + int(rng.random() * 9)),
                    "projects": int(rng.random() * 3),
                    "files": int(rng.random() * 5),
                }
        return found

    @cached_property
    def claude_ai_spend(self) -> dict[tuple[date, str, int], claude_ai_exports.Spend]:
        """What people spent in claude.ai beyond their seats: only the export of the spend report tells it."""
        return claude_ai_exports.spend(self)

    def export_audit_log(self, first: date, last: date, begin: datetime | None = None, end: datetime | None = None) -> str:
        """The CSV of claude.ai's audit log over these UTC days; `begin` and `end` (exclusive) cut the first and the last one."""
        after = datetime.combine(last, time(), UTC) + timedelta(days=1)
        return claude_ai_exports.audit_log(self, begin or datetime.combine(first, time(), UTC), end or after)

    def export_spend(self, first: date, last: date) -> str:
        """The CSV of claude.ai's spend report over these UTC days, both inclusive."""
        return claude_ai_exports.spend_report(self, first, last)
