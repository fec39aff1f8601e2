"""The truth: what the company really used and owes, added up from the generator's own ledger.

Belongs here: sums over events and subscriptions in exact numbers, and who belonged where.
Does not belong here: anything read back from rendered JSON or from the sheet.

Cursor bills the calls that no plan and no grant covers, whatever their flag says: each event knows what became of it, and how the vendor spells that
is not looked at here. An event that names nobody stands under the user None.

All money is USD as Decimal. Dictionaries by user leave out zero entries; dictionaries by day hold every day
of the world. Users are canonical e-mails. The service account's cost stands on agent-runner@example.com.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from .anthropic.books import AnthropicBooks
from .cast import Cast, ServiceAccount
from .catalog import INCLUDED, USAGE
from .events import Day, work
from .numbers import usd
from .subscriptions import days, months

if TYPE_CHECKING:
    from .world import World

TOKENS = ("input", "output", "cache_read", "cache_write")


@dataclass(slots=True)
class AccountDay:
    charged: int = 0
    overall: int = 0
    billed_calls: int = 0


@dataclass(slots=True)
class Ledger:
    """One day of the books, in micro-cents."""

    events: int = 0
    billed: dict[str | None, int] = field(default_factory=lambda: defaultdict(int))
    included: dict[str | None, int] = field(default_factory=lambda: defaultdict(int))
    listed: dict[str | None, int] = field(default_factory=lambda: defaultdict(int))
    lines: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[tuple[str | None, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))
    accounts: dict[str, AccountDay] = field(default_factory=lambda: defaultdict(AccountDay))


def keep_books(day: Day, cast: Cast) -> Ledger:
    ledger = Ledger(events=len(day.events))
    for event in day.events:
        account = event.account
        person = account.email if isinstance(account, ServiceAccount) else cast.people[account.person].email
        email = None if event.email is None else person
        if event.outcome == USAGE:
            ledger.billed[email] += event.charged
        elif event.outcome == INCLUDED:
            ledger.included[email] += event.charged
        if event.tokens is not None:
            ledger.listed[email] += event.list_micro
            total = ledger.tokens[email, event.model]
            for n in range(4):
                total[n] += event.tokens[n]
        if not isinstance(account, ServiceAccount):
            ledger.lines[person] += work(event.work).accepted_added
            mine = ledger.accounts[account.user_id]
            mine.overall += event.charged if event.outcome in (USAGE, INCLUDED) else 0
            if event.outcome == USAGE:
                mine.charged += event.charged
                mine.billed_calls += 1
    for edit in day.edits:
        ledger.lines[cast.people[edit.account.person].email] += work(edit.work).accepted_added
    return ledger


def _by_day_and_user(item: tuple) -> tuple:
    """Whom nobody names comes first."""
    return tuple(part or "" for part in item[0])


class Books:
    """The books as of a version of the world; without one they follow every restatement."""

    def __init__(self, world: World, version: int | None = None) -> None:
        self._world, self.version = world, version

    @property
    def anthropic(self) -> AnthropicBooks:
        """Anthropic's, of the same version; everything else here is Cursor's, or subscriptions."""
        return AnthropicBooks(self._world, self.version)

    def _days(self, first: date | None, last: date | None):
        world = self._world
        start, end = (
            max(first or world.first_day, world.first_day),
            min(last or world.last_day, world.last_day),
        )
        for day in days(start, end):
            yield day, world.ledger(day, self.version)

    def _by_user(self, what: str, first: date | None, last: date | None) -> dict[tuple[date, str | None], Decimal]:
        return {
            (day, email): usd(micro) for day, ledger in self._days(first, last) for email, micro in getattr(ledger, what).items() if micro
        }

    def billed_usd(self, day: date | None = None, last: date | None = None) -> Decimal:
        """Billed on that day; from that day to `last`; without arguments: ever."""
        end = day if last is None else last
        return usd(sum(sum(ledger.billed.values()) for _, ledger in self._days(day, end)))

    def billed_usd_by_day(self, first: date | None = None, last: date | None = None) -> dict[date, Decimal]:
        return {day: usd(sum(ledger.billed.values())) for day, ledger in self._days(first, last)}

    def billed_usd_by_day_user(self, first: date | None = None, last: date | None = None):
        return self._by_user("billed", first, last)

    def included_usd_by_day_user(self, first: date | None = None, last: date | None = None):
        """The charged value of events that the plan includes."""
        return self._by_user("included", first, last)

    def list_usd_by_day_user(self, first: date | None = None, last: date | None = None):
        """tokenUsage.totalCents of every event that has it, errored ones too: before discount and fee."""
        return self._by_user("listed", first, last)

    def accepted_lines_by_day_user(self, first: date | None = None, last: date | None = None) -> dict[tuple[date, str], int]:
        return {(d, e): n for d, ledger in self._days(first, last) for e, n in ledger.lines.items() if n}

    def tokens_by_day_user_model(
        self, first: date | None = None, last: date | None = None
    ) -> dict[tuple[date, str | None, str], dict[str, int]]:
        return {
            (day, email, model): dict(zip(TOKENS, counts, strict=True))
            for day, ledger in self._days(first, last)
            for (email, model), counts in ledger.tokens.items()
        }

    def events_by_day(self, first: date | None = None, last: date | None = None) -> dict[date, int]:
        return {day: ledger.events for day, ledger in self._days(first, last)}

    @property
    def active_days(self) -> list[date]:
        return [day for day, n in self.events_by_day().items() if n]

    def canonical(self, email: str) -> str:
        return self._world.cast.canonical(email)

    def department_on(self, email: str, day: date) -> str | None:
        """None: nobody told us."""
        row = self._world.cast.assignment_on(email, day)
        return row.department if row else None

    def cost_center_on(self, email: str, day: date) -> str | None:
        row = self._world.cast.assignment_on(email, day)
        return row.cost_center if row else None

    def claude_ai_spend_usd_by_day_user(self, first: date | None = None, last: date | None = None) -> dict[tuple[date, str], Decimal]:
        """Net spend beyond the seats, by the day on which it arose; an export of a range tells only the sum."""
        found: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
        for (day, email, _), one in self._world.claude_ai_spend.items():
            if (first or day) <= day <= (last or day):
                found[day, email] += Decimal(one.net).scaleb(-9)
        return dict(found)

    def subscription_usd(self, platform: str, first: date, last: date) -> Decimal:
        """Accrued from first to last, both included, inside or outside the world."""
        rows = [s for s in self._world.subscriptions if s.platform == platform]
        return sum((row.usd_on(day) for row in rows for day in days(first, last)), Decimal(0))

    def subscription_usd_by_day(self) -> dict[tuple[date, str], Decimal]:
        world = self._world
        platforms = sorted({s.platform for s in world.subscriptions})
        return {(d, p): self.subscription_usd(p, d, d) for d in days(world.first_day, world.last_day) for p in platforms}

    def subscription_usd_by_month(self) -> dict[tuple[date, str], Decimal]:
        """By (first day of the month, platform); only the world's days: edge months can be partial."""
        total: dict[tuple[date, str], Decimal] = {}
        for (day, platform), amount in self.subscription_usd_by_day().items():
            key = (day.replace(day=1), platform)
            total[key] = total.get(key, Decimal(0)) + amount
        return total

    def claude_ai_usage_by_day_user(self) -> dict[tuple[date, str], dict[str, int]]:
        return self._world.claude_ai_usage

    def as_json(self, first: date | None = None, last: date | None = None) -> dict:
        """Everything above with text for dates and decimals."""

        def users(found: dict) -> list[dict]:
            return [{"day": str(d), "email": e, "usd": format(v, "f")} for (d, e), v in sorted(found.items(), key=_by_day_and_user)]

        world = self._world
        return {
            "version": world.version if self.version is None else self.version,
            "first_day": str(world.first_day),
            "last_day": str(world.last_day),
            "billed_usd": format(sum(self.billed_usd_by_day(first, last).values(), Decimal(0)), "f"),
            "billed_usd_by_day": {str(d): format(v, "f") for d, v in self.billed_usd_by_day(first, last).items()},
            "events_by_day": {str(d): n for d, n in self.events_by_day(first, last).items()},
            "billed_usd_by_day_user": users(self.billed_usd_by_day_user(first, last)),
            "included_usd_by_day_user": users(self.included_usd_by_day_user(first, last)),
            "list_usd_by_day_user": users(self.list_usd_by_day_user(first, last)),
            "accepted_lines_by_day_user": [
                {"day": str(d), "email": e, "lines": n} for (d, e), n in sorted(self.accepted_lines_by_day_user(first, last).items())
            ],
            "tokens_by_day_user_model": [
                {"day": str(d), "email": e, "model": m, **n}
                for (d, e, m), n in sorted(self.tokens_by_day_user_model(first, last).items(), key=_by_day_and_user)
            ],
            "subscription_usd_by_month": [
                {"month": str(m), "platform": p, "usd": format(v, "f")} for (m, p), v in sorted(self.subscription_usd_by_month().items())
            ],
            "months": [str(m) for m in months(world.first_day, world.last_day)],
            **({"anthropic": self.anthropic.as_json(first, last)} if world.anthropic else {}),
        }
