"""The Anthropic organization over time: its days, their corrections, bounded caches.

Belongs here: which version of a day is served, and the Enterprise organization beside the Platform one.
Does not belong here: how a day comes about (days.py), HTTP (api.py).
"""

from __future__ import annotations

import random
from collections import OrderedDict
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from ..cast import REMOVED
from .books import AnthropicLedger, keep_books
from .days import EMPTY_DAY, AnthropicDay, corrected, generate

if TYPE_CHECKING:
    from ..world import World

_KEEP_ROWS = 400_000  # generated usage rows held in memory
KEY_SHAPES = ("scope", "legacy", "both")
ACCESS = ("allowed", "forbidden")

History = tuple[tuple[int, str], ...]


class Overage(NamedTuple):
    """A line of the Enterprise organization's usage credits."""

    person: int  # -1: nobody
    email: str | None  # None: deleted, or nobody
    product: str | None
    cost_type: str
    model: str | None
    nano: int
    list_nano: int
    tokens: int


class Claude:
    """`key_shape` and `analytics` may be changed at any time: they only alter what is served."""

    def __init__(self, world: World, key_shape: str, analytics: str, enterprise: bool) -> None:
        if key_shape not in KEY_SHAPES or analytics not in ACCESS:
            raise ValueError(f"api_key_shape is one of {', '.join(KEY_SHAPES)}; analytics is one of {', '.join(ACCESS)}")
        self.world, self.key_shape, self.analytics, self.enterprise = world, key_shape, analytics, enterprise
        self.refreshes = 0  # corrections of this vendor: cursors of the analytics endpoints end with each
        self._history: dict[date, History] = {}
        self._days: OrderedDict[tuple[date, History], AnthropicDay] = OrderedDict()
        self._held = 0
        self._ledgers: dict[tuple[date, History], AnthropicLedger] = {}

    def history(self, day: date, version: int | None = None) -> History:
        found = self._history.get(day, ())
        return found if version is None else tuple(h for h in found if h[0] <= version)

    def correct(self, day: date, kind: str, version: int) -> None:
        self._history[day] = (*self._history.get(day, ()), (version, kind))
        self.refreshes += 1

    def day(self, day: date, version: int | None = None) -> AnthropicDay:
        if not self.world.first_day <= day <= self.world.last_day:
            return EMPTY_DAY
        return self._day(day, self.history(day, version))

    def ledger(self, day: date, version: int | None = None) -> AnthropicLedger:
        if not self.world.first_day <= day <= self.world.last_day:
            return AnthropicLedger()
        key = (day, self.history(day, version))
        with self.world.lock:
            if key not in self._ledgers:
                self._ledgers[key] = keep_books(day, self._day(*key))
            return self._ledgers[key]

    def _day(self, day: date, history: History) -> AnthropicDay:
        key = (day, history)
        with self.world.lock:
            if key in self._days:
                self._days.move_to_end(key)
                return self._days[key]
            made = self._make(day, history)
            self._days[key] = made
            self._held += len(made.usage) + len(made.code)
            while self._held > _KEEP_ROWS and len(self._days) > 1:
                _, dropped = self._days.popitem(last=False)
                self._held -= len(dropped.usage) + len(dropped.code)
            return made

    def _make(self, day: date, history: History) -> AnthropicDay:
        world = self.world
        if not history:
            return generate(world.seed, day, world.anthropic_org)
        before = self._make(day, history[:-1])
        return corrected(before, history[-1][1], world.seed, day, world.anthropic_org, len(history))

    def enterprise_day(self, day: date) -> list[Overage]:
        """Seats with more use than they include, a deleted user, a shared tag, code execution of nobody."""
        world, found = self.world, list[Overage]()
        if not world.first_day <= day <= world.last_day or world.is_holiday(day):
            return found

        def add(rng: random.Random, person: int, email: str | None, product: str | None, kind: str, model: str | None, most: int) -> None:
            nano = (1 + int(rng.random() * most)) * 40_000
            found.append(Overage(person, email, product, kind, model, nano, nano + nano // 4, nano // 3000 if kind == "tokens" else 0))

        users = world.anthropic_org.user_of
        for email in sorted({s.email for s in world.subscriptions if s.platform == "claude_ai" and s.email}):
            person = next(p for p in world.cast.people if p.email == email)
            rng = random.Random(f"enterprise/{world.seed}/{day}/{email}")
            if person.index not in users or rng.random() < (0.9 if day.weekday() > 4 else 0.35):
                continue
            add(rng, person.index, users[person.index].email, "chat", "tokens", "claude-opus-5", 90_000)
            if rng.random() < 0.4:
                add(rng, person.index, users[person.index].email, "cowork", "tokens", "claude-sonnet-5", 60_000)
            if rng.random() < 0.2:
                add(rng, person.index, users[person.index].email, "chat", "web_search", None, 3000)
        rng = random.Random(f"enterprise/{world.seed}/{day}")
        if rng.random() < 0.5 and len(world.cast.people) > REMOVED:
            add(rng, REMOVED, None, "cowork", "tokens", "claude-sonnet-5", 20_000)
        if rng.random() < 0.5:
            add(rng, -1, None, "claude_tag", "tokens", "claude-sonnet-5", 20_000)
        if rng.random() < 0.3:
            add(rng, -1, None, None, "code_execution", None, 2000)
        return found
