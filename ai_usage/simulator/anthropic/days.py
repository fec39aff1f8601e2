"""What the organization used on one UTC day: the generator.

Belongs here: usage by every dimension the vendor counts, costs without usage, Claude Code's sessions, corrections of a
day; drawn from (seed, day, key) alone, whatever the window.
Does not belong here: adding up (books.py), JSON (reports.py).
"""

from __future__ import annotations

import random
from datetime import date
from typing import NamedTuple

from ..events import is_holiday
from . import catalog as shop
from .cast import DEFAULT, PRODUCTION, Actor, Key, Org, User, customer_types
from .catalog import BATCH, ESTIMATE, GLOBAL, LONG, NOT_AVAILABLE, OLDER, PRIORITY, SHORT, SONNET, STANDARD, US, prices_on

Tokens = tuple[int, ...]  # in the order of shop.TOKEN_TYPES


class Usage(NamedTuple):
    """One combination of all dimensions; the first nine are those of group_by[]."""

    account_id: str | None
    api_key_id: str | None
    context_window: str
    inference_geo: str
    model: str
    service_account_id: str | None
    service_tier: str
    speed: str
    workspace_id: str | None  # as the legacy reports have it
    tokens: Tokens
    searches: int
    requests: int
    actor: Actor

    def cost(self, day: date) -> tuple[int, ...]:
        """Nano-USD by token type; Priority Tier is paid for elsewhere."""
        if self.service_tier == PRIORITY:
            return (0, 0, 0, 0, 0)
        prices = prices_on(day, self.model, self.service_tier, self.context_window, self.inference_geo)
        return tuple(n * p for n, p in zip(self.tokens, prices, strict=True))


class Extra(NamedTuple):
    """A cost that no usage row explains."""

    workspace_id: str | None
    cost_type: str  # code_execution | session_usage
    nano: int


class CodeRow(NamedTuple):
    """One row of the Claude Code report."""

    user: User | None  # None: a key acted
    key_name: str | None
    customer_type: str
    terminal: str
    remote: bool
    sessions: int
    added: int
    removed: int
    commits: int
    pull_requests: int
    tools: tuple[tuple[int, int], ...]  # (accepted, rejected): edit, multi edit, write, notebook
    models: tuple[tuple[str, tuple[int, int, int, int], int], ...]  # input, output, read, creation; estimate in nano-USD


class AnthropicDay(NamedTuple):
    usage: tuple[Usage, ...]
    extra: tuple[Extra, ...]
    code: tuple[CodeRow, ...]


EMPTY_DAY = AnthropicDay((), (), ())
_TERMINALS = ("vscode", "iTerm.app", "Apple_Terminal", "tmux", "ghostty")


def generate(seed: int, day: date, org: Org) -> AnthropicDay:
    if is_holiday(seed, day):
        return EMPTY_DAY
    usage: list[Usage] = []
    code: list[CodeRow] = []
    for key in org.keys:
        if key.person in org.code_keys and key is org.code_keys[key.person]:
            continue
        usage += _key_day(seed, day, key)
    usage += _playground(seed, day, org.playground)
    for user in org.claude_code_users:
        used, rows = _code_day(seed, day, user, org.code_keys.get(user.person))
        usage += used
        code += rows
    if any(row.api_key_id == org.ci_key.id for row in usage):
        rng = random.Random(f"anthropic/ci/{seed}/{day}")
        code.append(CodeRow(None, org.ci_key.name, "api", "non-interactive", False, 1 + int(rng.random() * 9), int(rng.random() * 90),
                            int(rng.random() * 40), 0, 0, ((0, 0),) * 4, ()))  # fmt: skip
    return AnthropicDay(tuple(usage), tuple(_extra(seed, day)), tuple(code))


def corrected(before: AnthropicDay, kind: str, seed: int, day: date, org: Org, nth: int) -> AnthropicDay:
    """Usage and cost after the vendor's correction; Claude Code's own report does not change."""
    if kind == "empty":
        return AnthropicDay((), (), before.code)
    rng = random.Random(f"anthropic/restate/{seed}/{day}/{nth}")
    if kind == "up":
        late = _row(rng, org.keys[0], SONNET, 0.2)
        usage = _merged([*(_scaled(u, 1 + rng.random() * 0.2) for u in before.usage), late])
        return AnthropicDay(usage, (*before.extra, Extra(PRODUCTION.id, "code_execution", (nth + 7) * shop.CODE_EXECUTION)), before.code)
    billed = next((n for n, u in enumerate(before.usage) if any(u.cost(day))), None)
    kept = [u if rng.random() < 0.5 else _scaled(u, 0.7) for n, u in enumerate(before.usage) if n != billed and rng.random() > 0.15]
    return AnthropicDay(tuple(kept), before.extra[1:], before.code)


def _merged(rows: list[Usage]) -> tuple[Usage, ...]:
    """Every combination of dimensions once."""
    found: dict[tuple, Usage] = {}
    for row in rows:
        old = found.get(row[:9])
        if old is not None:
            tokens = tuple(a + b for a, b in zip(old.tokens, row.tokens, strict=True))
            row = old._replace(tokens=tokens, searches=old.searches + row.searches, requests=old.requests + row.requests)
        found[row[:9]] = row
    return tuple(found.values())


def _scaled(row: Usage, by: float) -> Usage:
    return row._replace(tokens=tuple(int(n * by) for n in row.tokens), searches=int(row.searches * by))


def _key_day(seed: int, day: date, key: Key) -> list[Usage]:
    if not key.size or (key.last_day is not None and day > key.last_day):
        return []
    rng = random.Random(f"anthropic/{seed}/{day}/{key.name}")
    draw, weekend = rng.random, day.weekday() > 4
    if draw() < (0.5 if weekend else 0.06):
        return []
    found: dict[tuple, Usage] = {}

    def add(row: Usage) -> None:
        found[row[:9]] = row

    for n, model in enumerate(key.models):
        if n and draw() < 0.3:
            continue
        size = key.size * (0.3 if weekend else 1.0) * (0.5 if n else 1.0)
        add(_row(rng, key, model, size))
        if key.us and draw() < 0.4 and model != OLDER:
            add(_row(rng, key, model, size * 0.3, geo=US))
        if key.batch and draw() < 0.6:
            add(_row(rng, key, model, size * 1.5, tier=BATCH))
        if key.long and draw() < 0.35:
            add(_row(rng, key, model, size * 2.0, window=LONG))
        if key.priority and draw() < 0.5:
            add(_row(rng, key, model, size * 0.5, tier=PRIORITY))
    return list(found.values())


def _row(rng: random.Random, key: Key, model: str, size: float, tier: str = STANDARD, window: str = SHORT, geo: str = GLOBAL) -> Usage:
    draw = rng.random
    write = int(size * 300_000 * draw())
    hour = draw() < 0.3
    tokens = (
        1 + int(size * 900_000 * draw()),
        int(size * 3_000_000 * draw() ** 2),
        0 if hour else write,
        write if hour else 0,
        1 + int(size * 250_000 * draw()),
    )
    searches = int(draw() * 40 * size) if key.search and tier == STANDARD else 0
    geo = NOT_AVAILABLE if model == OLDER else geo
    return Usage(
        None, key.id, window, geo, model, None, tier, "standard", key.workspace.reported, tokens, searches,
        1 + sum(tokens) // 16_000, key.actor,
    )  # fmt: skip


def _playground(seed: int, day: date, user: User) -> list[Usage]:
    rng = random.Random(f"anthropic/playground/{seed}/{day}")
    if day.weekday() > 4 or rng.random() < 0.4:
        return []
    tokens = (200 + int(rng.random() * 9000), 0, 0, 0, 100 + int(rng.random() * 4000))
    actor = Actor("user_actor", user.id, user.person)
    return [Usage(None, None, SHORT, GLOBAL, SONNET, None, STANDARD, "standard", DEFAULT.reported, tokens, 0, 4, actor)]


def _extra(seed: int, day: date) -> list[Extra]:
    rng = random.Random(f"anthropic/extra/{seed}/{day}")
    found = []
    if rng.random() < 0.5:
        found.append(Extra(PRODUCTION.id, "code_execution", (1 + int(rng.random() * 600)) * shop.CODE_EXECUTION))
    if rng.random() < 0.1:
        found.append(Extra(DEFAULT.reported, "code_execution", (1 + int(rng.random() * 60)) * shop.CODE_EXECUTION))
    if rng.random() < 0.3:
        found.append(Extra(PRODUCTION.id, "session_usage", (1 + int(rng.random() * 300)) * shop.SESSION_USAGE))
    return found


def _code_day(seed: int, day: date, user: User, key: Key | None) -> tuple[list[Usage], list[CodeRow]]:
    rng = random.Random(f"anthropic/code/{seed}/{day}/{user.person}")
    draw = rng.random
    if draw() < (0.92 if day.weekday() > 4 else 0.2):
        return [], []
    used: list[Usage] = []
    rows: list[CodeRow] = []
    for customer in customer_types(user.person):
        key_used = key if customer == "api" else None
        parts = [(_TERMINALS[(user.person + n) % 5], False) for n in range(2 if draw() < 0.25 else 1)]
        if draw() < 0.3:
            parts.append(("web", True))
        models: list[list[tuple[str, Tokens]]] = [[] for _ in parts]
        for model, share in ((shop.OPUS, 0.8), (SONNET, 0.6), (shop.HAIKU, 0.4)):
            if draw() > share:
                continue
            size = 0.3 + draw()
            tokens: Tokens = (1 + int(60_000 * size * draw()), int(3_000_000 * size * draw()), int(300_000 * size * draw()), 0,
                      1 + int(70_000 * size * draw()))  # fmt: skip
            searches = int(draw() * 4) if draw() < 0.1 else 0
            if key_used is not None:
                used.append(Usage(
                    None, key_used.id, SHORT, GLOBAL, model, None, STANDARD, "standard", key_used.workspace.reported, tokens,
                    searches, 1 + sum(tokens) // 12_000, key_used.actor,
                ))  # fmt: skip
            rest: Tokens = tokens
            for n in range(len(parts) - 1, 0, -1):
                cut = tuple(t // 4 for t in tokens)
                models[n].append((model, cut))
                rest = tuple(a - b for a, b in zip(rest, cut, strict=True))
            models[0].append((model, rest))
        for (terminal, remote), mine in zip(parts, models, strict=True):
            rows.append(_code_row(rng, day, user, customer, terminal, remote, mine))
    return used, rows


def _code_row(rng: random.Random, day: date, user: User, customer: str, terminal: str, remote: bool, models) -> CodeRow:
    draw = rng.random
    tools = tuple((int(n * draw()), int(n * draw() * 0.2)) for n in (50, 6, 14, 4))
    breakdown = []
    for model, tokens in models:
        prices = prices_on(day, model, STANDARD, SHORT, GLOBAL)
        exact = sum(n * p for n, p in zip(tokens, prices, strict=True)) * ESTIMATE
        estimate = round(exact / 100_000) * 100_000  # to a hundredth of a cent
        breakdown.append((model, (tokens[0], tokens[4], tokens[1], tokens[2] + tokens[3]), estimate))
    return CodeRow(
        user, None, customer, terminal, remote, 1 + int(draw() * 6), int(draw() * 1500), int(draw() * 700), int(draw() * 8),
        int(draw() * 2.2), tools, tuple(breakdown),
    )  # fmt: skip
