"""Exact numbers: integer micro-cents inside, decimal text in the JSON bytes.

Belongs here: money units, their text, and a JSON writer that never touches a float.
Does not belong here: what anything costs (catalog.py, events.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _quote
from typing import Any

MICRO = 1_000_000  # micro-cents in a cent


def cents_text(micro: int) -> str:
    """21_362_320 micro-cents -> "21.36232": the shortest exact text of that many cents."""
    if micro < 0:
        return "-" + cents_text(-micro)
    whole, rest = divmod(micro, MICRO)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)


def cents(micro: int) -> Decimal:
    return Decimal(cents_text(micro))


def usd(micro: int) -> Decimal:
    """Micro-cents to dollars, exactly."""
    return Decimal(micro).scaleb(-8)


def plain(number: Decimal) -> str:
    """A Decimal without exponent and without trailing zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def dumps(value: Any) -> str:
    """Compact JSON; Decimals become JSON numbers digit by digit; a float is an error."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quote(str(k))}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no exact JSON text")
