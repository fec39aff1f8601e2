"""The truth about Anthropic: what was billed, by everything it can be asked by.

Belongs here: sums over the generator's days in exact numbers, and the rule of ownership applied to them.
Does not belong here: anything read back from rendered JSON.

All money is USD as Decimal. Dictionaries leave out zero entries, but `usd_by_day` holds every day of the world.
`workspace_id` and `api_key_id` are None as in the vendor's reports: default workspace, no key. E-mails are canonical;
None is nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..key_owners import KeyOwner, key_owners
from ..subscriptions import days
from .cast import CLAUDE_CODE
from .catalog import PRIORITY, TOKEN_TYPES, WEB_SEARCH, prices_on, usd
from .days import AnthropicDay, CodeRow

if TYPE_CHECKING:
    from ..world import World

# (workspace_id, cost_type, model, token_type, service_tier, context_window, inference_geo)
Line = tuple[str | None, str, str | None, str | None, str | None, str | None, str | None]


@dataclass(slots=True)
class AnthropicLedger:
    """One day in nano-USD: the lines of the cost report, and whose they are."""

    lines: dict[Line, int] = field(default_factory=lambda: defaultdict(int))
    keys: dict[str | None, int] = field(default_factory=lambda: defaultdict(int))  # usage only
    playground: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # by person

    @property
    def total(self) -> int:
        return sum(self.lines.values())


def keep_books(day: date, told: AnthropicDay) -> AnthropicLedger:
    ledger = AnthropicLedger()
    lines, keys = ledger.lines, ledger.keys
    for row in told.usage:
        total = 0
        if row.service_tier != PRIORITY:
            prices = prices_on(day, row.model, row.service_tier, row.context_window, row.inference_geo)
            for token_type, count, price in zip(TOKEN_TYPES, row.tokens, prices, strict=True):
                if count:
                    nano = count * price
                    total += nano
                    lines[row.workspace_id, "tokens", row.model, token_type, row.service_tier, row.context_window, row.inference_geo] += (
                        nano
                    )
        if row.searches:
            lines[row.workspace_id, "web_search", None, None, None, None, None] += row.searches * WEB_SEARCH
            total += row.searches * WEB_SEARCH
        keys[row.api_key_id] += total
        if row.api_key_id is None:
            ledger.playground[row.actor.person] += total
    for extra in told.extra:
        lines[extra.workspace_id, extra.cost_type, None, None, None, None, None] += extra.nano
    return ledger


class AnthropicBooks:
    """As of a version of the world; without one they follow every restatement. `first` and `last` are inclusive."""

    def __init__(self, world: World, version: int | None = None) -> None:
        if not world.anthropic:
            raise ValueError("this world has no Anthropic organization: World(..., anthropic=True)")
        self._world, self.version = world, version

    def _days(self, first: date | None, last: date | None) -> Iterator[date]:
        world = self._world
        return days(max(first or world.first_day, world.first_day), min(last or world.last_day, world.last_day))

    def _ledgers(self, first: date | None, last: date | None) -> Iterator[tuple[date, AnthropicLedger]]:
        for day in self._days(first, last):
            yield day, self._world.claude.ledger(day, self.version)

    def _sum(self, first: date | None, last: date | None, name) -> dict[tuple, Decimal]:
        """By (day, *name(line))."""
        total: dict[tuple, int] = defaultdict(int)
        for day, ledger in self._ledgers(first, last):
            for line, nano in ledger.lines.items():
                total[day, *name(line)] += nano
        return {key: usd(nano) for key, nano in total.items() if nano}

    def usd(self, day: date | None = None, last: date | None = None) -> Decimal:
        """Billed on that day; from that day to `last`; without arguments: ever."""
        return usd(sum(ledger.total for _, ledger in self._ledgers(day, day if last is None else last)))

    def usd_by_day(self, first: date | None = None, last: date | None = None) -> dict[date, Decimal]:
        return {day: usd(ledger.total) for day, ledger in self._ledgers(first, last)}

    def usd_by_day_workspace(self, first: date | None = None, last: date | None = None):
        return self._sum(first, last, lambda line: (line[0],))

    def usd_by_day_platform(self, first: date | None = None, last: date | None = None):
        """The workspace "Claude Code" is claude_code; the rest is claude_api."""
        return self._sum(first, last, lambda line: ("claude_code" if line[0] == CLAUDE_CODE.id else "claude_api",))

    def usd_by_day_model_token(self, first: date | None = None, last: date | None = None):
        """(day, None, None) holds what is not tokens."""
        return self._sum(first, last, lambda line: (line[2], line[3]))

    def usd_by_day_cost_type(self, first: date | None = None, last: date | None = None):
        return self._sum(first, last, lambda line: (line[1],))

    def usd_by_day_line(self, first: date | None = None, last: date | None = None):
        """By (day, workspace_id, cost_type, model, token_type, service_tier, context_window, inference_geo)."""
        return self._sum(first, last, lambda line: line)

    def usd_by_day_key(self, first: date | None = None, last: date | None = None) -> dict[tuple[date, str | None], Decimal]:
        """None: the console's playground, code execution and session time."""
        found = {}
        for day, ledger in self._ledgers(first, last):
            keyed = {key: nano for key, nano in ledger.keys.items() if key is not None}
            rest = ledger.total - sum(keyed.values())
            found.update({(day, key): usd(nano) for key, nano in (*keyed.items(), (None, rest)) if nano})
        return found

    def usd_by_day_user(
        self, first: date | None = None, last: date | None = None, source: str = "legacy"
    ) -> dict[tuple[date, str | None], Decimal]:
        """By the owner of the key on the day. source="analytics": playground usage stands on its user, whom only that
        generation of the API names."""
        if source not in ("legacy", "analytics"):
            raise ValueError("source is legacy or analytics")
        total: dict[tuple[date, str | None], Decimal] = defaultdict(Decimal)
        sheet = self.sheet_owners
        for (day, key), amount in self.usd_by_day_key(first, last).items():
            total[day, self.owner_on(key, day, sheet)] += amount
        if source == "analytics":
            users = self._world.anthropic_org.user_of
            for day, ledger in self._ledgers(first, last):
                for person, nano in ledger.playground.items():
                    total[day, None] -= usd(nano)
                    total[day, self._world.cast.canonical(users[person].email)] += usd(nano)
        return {key: amount for key, amount in total.items() if amount}

    @property
    def sheet_owners(self) -> list[KeyOwner]:
        return key_owners(self._world)

    def owner_on(self, key_id: str | None, day: date, sheet: list[KeyOwner] | None = None) -> str | None:
        return self._world.anthropic_org.owner_on(key_id, day, self.sheet_owners if sheet is None else sheet)

    def tokens_by_day_key_model(
        self, first: date | None = None, last: date | None = None
    ) -> dict[tuple[date, str | None, str], dict[str, int]]:
        """Every tier, Priority too. With the token types' names: web_search_requests."""
        names = (*TOKEN_TYPES, "web_search_requests")
        found = {}
        for day in self._days(first, last):
            total: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0] * 6)
            for row in self._world.claude.day(day, self.version).usage:
                mine = total[row.api_key_id, row.model]
                for n, count in enumerate((*row.tokens, row.searches)):
                    mine[n] += count
            found.update({(day, *key): dict(zip(names, counts, strict=True)) for key, counts in total.items()})
        return found

    def claude_code_by_day_actor(self, first: date | None = None, last: date | None = None) -> dict[tuple[date, str], dict[str, Any]]:
        """Claude Code's report by (day, canonical e-mail or key name); estimated_usd is never billed money."""
        return self._code(first, last, lambda day, row: row.key_name if row.user is None else self._world.cast.canonical(row.user.email))

    def claude_code_by_day_user(self, first: date | None = None, last: date | None = None) -> dict[tuple[date, str | None], dict[str, Any]]:
        """The same with keys folded into their owner of the day."""
        world, sheet = self._world, self.sheet_owners
        ids = {key.name: key.id for key in world.anthropic_org.keys}

        def who(day: date, row: CodeRow) -> str | None:
            return self.owner_on(ids[row.key_name or ""], day, sheet) if row.user is None else world.cast.canonical(row.user.email)

        return self._code(first, last, who)

    def _code(self, first: date | None, last: date | None, who) -> dict[tuple, dict[str, Any]]:
        found: dict[tuple, dict[str, Any]] = {}
        names = ("sessions", "lines_added", "lines_removed", "commits", "pull_requests", "tool_accepted", "tool_rejected")
        for day in self._days(first, last):
            for row in self._world.claude.day(day, self.version).code:
                mine = found.setdefault(
                    (day, who(day, row)), {**dict.fromkeys(names, 0), "estimated_usd": Decimal(0), "subscription_estimated_usd": Decimal(0)}
                )
                accepted, rejected = (sum(counts) for counts in zip(*row.tools, strict=True))
                counts = (row.sessions, row.added, row.removed, row.commits, row.pull_requests, accepted, rejected)
                for name, count in zip(names, counts, strict=True):
                    mine[name] += count
                estimate = usd(sum(nano for _, _, nano in row.models))
                mine["estimated_usd"] += estimate
                if row.customer_type == "subscription":
                    mine["subscription_estimated_usd"] += estimate
        return found

    def enterprise_usd_by_day_user_product(
        self, first: date | None = None, last: date | None = None
    ) -> dict[tuple[date, str | None, str | None], Decimal]:
        """The Enterprise organization's overage: (day, e-mail or None, product or None)."""
        world = self._world
        total: dict[tuple[date, str | None, str | None], int] = defaultdict(int)
        if world.claude.enterprise:
            for day in self._days(first, last):
                for item in world.claude.enterprise_day(day):
                    total[day, item.email and world.cast.canonical(item.email), item.product] += item.nano
        return {key: usd(nano) for key, nano in total.items() if nano}

    def enterprise_usd_by_day(self, first: date | None = None, last: date | None = None) -> dict[date, Decimal]:
        total: dict[date, Decimal] = defaultdict(Decimal)
        for (day, _, _), amount in self.enterprise_usd_by_day_user_product(first, last).items():
            total[day] += amount
        return dict(total)

    def as_json(self, first: date | None = None, last: date | None = None) -> dict[str, Any]:
        def rows(found: dict, *names: str) -> list[dict[str, Any]]:
            ordered = sorted(found.items(), key=lambda item: str(item[0]))
            return [{**dict(zip(names, map(_text, key), strict=True)), "usd": format(amount, "f")} for key, amount in ordered]

        return {
            "usd": format(sum(self.usd_by_day(first, last).values(), Decimal(0)), "f"),
            "usd_by_day": {str(day): format(amount, "f") for day, amount in self.usd_by_day(first, last).items()},
            "usd_by_day_workspace": rows(self.usd_by_day_workspace(first, last), "day", "workspace_id"),
            "usd_by_day_platform": rows(self.usd_by_day_platform(first, last), "day", "platform"),
            "usd_by_day_key": rows(self.usd_by_day_key(first, last), "day", "api_key_id"),
            "usd_by_day_user": rows(self.usd_by_day_user(first, last), "day", "email"),
            "usd_by_day_model_token": rows(self.usd_by_day_model_token(first, last), "day", "model", "token_type"),
        }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
