"""What people did on one day: the generator.

Belongs here: usage events and edits, drawn from (seed, day, person) alone, whatever the window;
restatements of a day.
Does not belong here: adding them up (books.py), writing them as a vendor would (cursor.py).

Money is integer micro-cents. Floats only decide *what happens*, never what it costs. Only `random()` and
`getrandbits()` are drawn, because their sequences are the same in every Python.
"""

from __future__ import annotations

import random
from datetime import date
from typing import NamedTuple

from .cast import OWNER, REMOVED, SERVICE, Account, Person, ServiceAccount
from .catalog import ERRORED, GRANTED, INCLUDED, MODELS, REQUEST_PRICE, SPELLINGS, TOKEN_FEE, USAGE

DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
_GROWTH_FROM = date(2026, 10, 1).toordinal()
_WEEK = (1.0, 1.12, 1.15, 1.08, 0.85, 0.14, 0.12)  # Monday first


class Event(NamedTuple):
    ts: int
    account: Account | ServiceAccount
    model: str
    outcome: str  # usage, included, granted or errored: what becomes of the money
    max_mode: bool
    tokens: tuple[int, int, int, int] | None  # input, output, cache read, cache write
    list_micro: int  # tokenUsage.totalCents
    discount: int  # percent
    charged: int  # chargedCents
    fee: int  # cursorTokenFee, inside charged
    tenths: int  # requestsCosts x 10
    conversation: str
    work: int  # 64 random bits: the edits that came of it, see work(); the highest eight are free

    @property
    def billed(self) -> bool:
        return self.outcome == USAGE

    @property
    def kind(self) -> str:
        return SPELLINGS[self.outcome][self.work >> 56 & 3]

    @property
    def chargeable(self) -> bool:
        """The vendor's flag: whether the event has a price. True on most included events, and on credits."""
        return {USAGE: True, INCLUDED: self.work >> 58 & 7 != 0, GRANTED: "Credit" in self.kind.title(), ERRORED: False}[self.outcome]

    @property
    def email(self) -> str | None:
        """Who is named; of a removed member's events about every second names nobody."""
        return None if isinstance(self.account, Account) and self.account.removed and self.work >> 56 & 1 else self.account.email


class Edit(NamedTuple):
    """Editor activity without a model call."""

    ts: int
    account: Account
    work: int


class Day(NamedTuple):
    events: tuple[Event, ...]  # oldest first
    edits: tuple[Edit, ...]


def day_start(day: date) -> int:
    return (day.toordinal() - _EPOCH) * DAY_MS


def day_of(ms: int) -> date:
    return date.fromordinal(ms // DAY_MS + _EPOCH)


def is_holiday(seed: int, day: date) -> bool:
    """1 January, 25 December, and one seeded working day in every even month: nobody and nothing runs."""
    if (day.month, day.day) in ((1, 1), (12, 25)):
        return True
    if day.month % 2 or day.weekday() > 4:
        return False
    wanted = 1 + int(random.Random(f"holiday/{seed}/{day.year}/{day.month}").random() * 18)
    while date(day.year, day.month, wanted).weekday() > 4:
        wanted += 1
    return day.day == wanted


class WorkDone(NamedTuple):
    added: int
    deleted: int
    accepted_added: int
    accepted_deleted: int
    applies: int
    accepts: int
    tabs_shown: int
    tabs_accepted: int
    mode: int  # 0-1 composer, 2 chat, 3 cmd-k, 4-7 agent
    bugbot: int


def work(bits: int) -> WorkDone:
    """The edits in 64 random bits."""
    added, deleted, kept = bits >> 40 & 255, bits >> 48 & 127, (bits >> 11 & 7) + 1
    applies, shown = bits >> 14 & 3, bits >> 18 & 15
    return WorkDone(
        added, deleted, added * kept // 8, deleted * kept // 8, applies, min(applies, bits >> 16 & 3),
        shown, shown * (bits >> 22 & 3) // 4, bits >> 24 & 7, int(bits >> 27 & 63 == 0),
    )  # fmt: skip


def generate(seed: int, day: date, people: tuple[Person, ...], rate: float) -> Day:
    """The day as the vendor first tells it."""
    if is_holiday(seed, day):
        return Day((), ())
    events, edits = _service_day(seed, day, rate), []
    for person in people:
        mine, typed = _person_day(seed, day, person, rate, "")
        events += mine
        edits += typed
    return _ordered(events, edits)


def restated(before: Day, kind: str, seed: int, day: date, people: tuple[Person, ...], rate: float, nth: int) -> Day:
    """The day after the vendor's correction: late events, refunds, or nothing at all."""
    if kind == "empty":
        return Day((), ())
    rng = random.Random(f"restate/{seed}/{day}/{nth}")
    events, edits = list(before.events), list(before.edits)
    if kind == "up":
        events.append(_event(rng, day, people[OWNER], people[OWNER].accounts[0], f"{nth:04x}", force=True))
        for person in people:
            mine, typed = _person_day(seed, day, person, rate * 0.3, f"late{nth}")
            events += mine
            edits += typed
        return _ordered(events, edits)
    keep, hit = [], 0
    for event in events:
        if event.billed and hit < 2:  # the first goes, the second is refunded
            hit += 1
            if hit == 2:
                keep.append(event._replace(outcome=ERRORED, charged=0, fee=0, discount=0))
        elif rng.random() > 0.25:
            keep.append(event)
    return _ordered(keep, [e for e in edits if rng.random() > 0.25])


def _ordered(events: list[Event], edits: list[Edit]) -> Day:
    events.sort(key=lambda e: e.ts)  # stable: equal instants keep the order of people
    return Day(tuple(events), tuple(sorted(edits, key=lambda e: e.ts)))


def _person_day(seed: int, day: date, person: Person, rate: float, salt: str) -> tuple[list[Event], list[Edit]]:
    if person.index == REMOVED and day.day > 5:  # a freelancer, here for the first days of a month only
        return [], []
    rng = random.Random(f"{seed}/{day}/{person.index}/{salt}")
    growth = min(2.5, max(0.4, 1 + 0.002 * (day.toordinal() - _GROWTH_FROM)))
    mean = rate * person.appetite * _WEEK[day.weekday()] * growth
    if rng.random() < 0.07:
        mean = 0.0  # a day off
    count = int(mean * (0.4 + 1.2 * rng.random()) + rng.random())
    accounts = person.accounts
    events = []
    for n in range(count):
        account = accounts[0] if len(accounts) == 1 else accounts[int(rng.random() * len(accounts))]
        events.append(_event(rng, day, person, account, f"{n // 4:02x}{len(salt):02x}"))
    if person.index == OWNER and not salt:
        last = _event(rng, day, person, accounts[0], "00ff", force=True)
        events.append(last._replace(ts=day_start(day) + DAY_MS - 1))  # the last instant of the day
        if rng.random() < 0.35:
            events.append(next(e for e in events if e.billed))  # two equal events: both real, both billed
    edits = []
    if not events and mean and rng.random() < 0.4:
        edits.append(Edit(_working_hour(rng, day), accounts[0], rng.getrandbits(64)))
    return events, edits


def _working_hour(rng: random.Random, day: date) -> int:
    hour = 7 + 6 * rng.random() + 6 * rng.random()
    return day_start(day) + int(hour * 3_600_000)


def _event(rng: random.Random, day: date, person: Person, account: Account, talk: str, force: bool = False) -> Event:
    draw, luck = rng.random(), rng.random()
    model = MODELS[next(i for i, share in enumerate(person.taste) if draw <= share or i == 4)]
    usage_share = 0.40 + 0.40 * day.day / 31  # included usage runs out as the month goes on
    kind = USAGE if force or luck < usage_share else INCLUDED if luck < 0.94 else GRANTED if luck < 0.97 else ERRORED
    if not force and rng.random() < 0.06:
        tenths = 14 if rng.random() < 0.5 else 10
        charged = 0 if kind == ERRORED else tenths * REQUEST_PRICE
        return Event(
            _working_hour(rng, day), account, model.name, kind, False, None, 0, 0, charged, 0, tenths, "",
            rng.getrandbits(64),
        )  # fmt: skip
    conversation = f"{day.toordinal():08x}-{person.index & 0xFFFF:04x}-4e5f-9a7b-{talk:0>12}"
    return _token_event(rng, _working_hour(rng, day), account, model, kind, conversation)


def _token_event(rng: random.Random, ts: int, account, model, kind: str, conversation: str) -> Event:
    draw = rng.random
    max_mode = draw() < 0.1
    size = 2 if max_mode else 1
    tokens = (
        size * (200 + int(25_000 * draw() ** 2)),
        size * (60 + int(10_000 * draw() ** 2)),
        size * int(2_000_000 * draw() ** 3),
        size * int(120_000 * draw() ** 2),
    )
    listed = (
        tokens[0] * model.input + tokens[1] * model.output + tokens[2] * model.cache_read
        + tokens[3] * model.cache_write
    )  # fmt: skip
    discount = fee = charged = 0
    if kind == USAGE:
        luck = draw()
        discount = 0 if luck > 0.08 else 10 if luck > 0.03 else 20
        fee = (tokens[0] + tokens[1] + tokens[3]) * TOKEN_FEE
        charged = listed * (100 - discount) // 100 + fee
    elif kind in (INCLUDED, GRANTED):
        charged = listed
    return Event(
        ts, account, model.name, kind, max_mode, tokens, listed, discount, charged, fee, 10 * size,
        conversation, rng.getrandbits(64),
    )  # fmt: skip


def _service_day(seed: int, day: date, rate: float) -> list[Event]:
    """The automation: always one event at the first instant of the day."""
    rng = random.Random(f"{seed}/{day}/service")
    start, events = day_start(day), []
    for n in range(1 + int(rng.random() * min(max(rate, 1.0), 8.0))):
        conversation = f"{day.toordinal():08x}-ffff-4e5f-9a7b-{n:012x}"
        kind = ERRORED if n and rng.random() < 0.05 else USAGE
        ts = start + (0 if n == 0 else int(rng.random() * 6 * 3_600_000))
        events.append(_token_event(rng, ts, SERVICE, MODELS[0 if n % 3 else 3], kind, conversation))
    return events
