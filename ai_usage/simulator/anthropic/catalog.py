"""What the invented Anthropic sells: models, token classes, and the dated price table.

Belongs here: constants of the price list and exact arithmetic on it.
Does not belong here: who uses what (days.py). Names, prices and the change of price are invented.

Money is integer nano-USD (1e-9 USD = 1e-7 cents), so that every price per token is a whole number: 3 USD per million
tokens is 3000. A price that is not whole is an error here, never a rounding.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import NamedTuple

TOKEN_TYPES = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "output_tokens",
)
STANDARD, BATCH, PRIORITY = "standard", "batch", "priority"
SHORT, LONG = "0-200k", "200k-1M"
GLOBAL, US, NOT_AVAILABLE = "global", "us", "not_available"

OPUS, SONNET, HAIKU, OLDER = "claude-opus-5", "claude-sonnet-5", "claude-haiku-5", "claude-haiku-4-5"
TITLES = {OPUS: "Claude Opus 5", SONNET: "Claude Sonnet 5", HAIKU: "Claude Haiku 5", OLDER: "Claude Haiku 4.5"}


class Price(NamedTuple):
    """USD per million tokens from a day on, at standard tier, short context, global."""

    model: str
    since: date
    prices: tuple[str, str, str, str, str]  # in the order of TOKEN_TYPES


PRICE_CHANGE = date(2026, 10, 15)
_START = date(2025, 1, 1)
PRICES = (
    Price(OPUS, _START, ("5", "0.50", "6.25", "10", "25")),
    Price(SONNET, _START, ("3", "0.30", "3.75", "6", "15")),
    Price(SONNET, PRICE_CHANGE, ("2.40", "0.24", "3.00", "4.80", "12")),
    Price(HAIKU, _START, ("1", "0.10", "1.25", "2", "5")),
    Price(OLDER, _START, ("0.80", "0.08", "1", "1.60", "4")),
)
_BATCH, _US = Fraction(1, 2), Fraction(11, 10)
_LONG = (Fraction(2), Fraction(2), Fraction(2), Fraction(2), Fraction(3, 2))  # output is 1.5 times, the rest twice

WEB_SEARCH = 10_000_000  # nano-USD a request: 10 USD per 1000
CODE_EXECUTION = 833_333  # nano-USD a container minute, about 0.05 USD an hour
SESSION_USAGE = 1_333_333  # nano-USD a session minute, about 0.08 USD an hour
ESTIMATE = Fraction(1005, 1000)  # what Claude Code's own estimate is of the billed amount


def usd(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)


def cents_text(nano: int) -> str:
    """15_094_320_000 nano-USD -> "1509.432": the shortest exact text of that many cents."""
    if nano < 0:
        return "-" + cents_text(-nano)
    whole, rest = divmod(nano, 10_000_000)
    return f"{whole}.{rest:07d}".rstrip("0") if rest else str(whole)


def prices_on(day: date, model: str, tier: str, window: str, geo: str) -> tuple[int, ...]:
    """Nano-USD per token of each token type."""
    number = max(n for n, p in enumerate(PRICES) if p.model == model and p.since <= day)
    return _prices(number, tier, window, geo)


@cache
def _prices(number: int, tier: str, window: str, geo: str) -> tuple[int, ...]:
    found = []
    for n, text in enumerate(PRICES[number].prices):
        price = Fraction(text) * 1000
        price *= _BATCH if tier == BATCH else 1
        price *= _LONG[n] if window == LONG else 1
        price *= _US if geo == US else 1
        if price.denominator != 1:
            raise ValueError(f"{PRICES[number].model} {TOKEN_TYPES[n]} {tier} {window} {geo} has no whole price: {price}")
        found.append(int(price))
    return tuple(found)


_LABELS = ("Input Tokens", "Input Tokens, Cache Read", "Input Tokens, 5m Cache Write", "Input Tokens, 1h Cache Write", "Output Tokens")
_LABEL = dict(zip(TOKEN_TYPES, _LABELS, strict=True))
_OTHER = {
    "web_search": "Web Search Usage",
    "code_execution": "Code Execution Usage",
    "session_usage": "Claude Managed Agents Session Usage",
}


def description(cost_type: str, model: str | None, token_type: str | None) -> str:
    """As the vendor's: the same for every tier, window and region."""
    if model is None or token_type is None:
        return _OTHER[cost_type]
    return f"{TITLES[model]} Usage - {_LABEL[token_type]}"
