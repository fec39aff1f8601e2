"""Reading the query of an Anthropic request, as strictly as the vendor.

Belongs here: instants, limits, lists, cursors; every refusal is a 400 in words.
Does not belong here: what is answered.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import UTC, date, datetime

from ..wire import Problem, Request


def only(request: Request, *known: str) -> None:
    """A parameter that the vendor does not know is a mistake of the client: say so."""
    for name in request.query:
        if name not in known:
            raise Problem(400, f"{name}: Extra inputs are not permitted")


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    text = request.arg(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Problem(400, f"{name}: must be between 1 and {most}")
    return int(text)


def instant(request: Request, name: str) -> datetime | None:
    text = request.arg(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(400, f"{name}: {text!r} is not an RFC 3339 instant") from None
    if found.tzinfo is None:
        raise Problem(400, f"{name}: a time zone is required")
    return found.astimezone(UTC)


def required(found: datetime | None, name: str) -> datetime:
    if found is None:
        raise Problem(400, f"{name}: Field required")
    return found


def chosen(request: Request, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """A list parameter, without repetitions, in the vendor's order."""
    given = request.query.get(name, [])
    for value in given:
        if value not in allowed:
            raise Problem(400, f"{name}: {value!r} is not one of {', '.join(allowed)}")
    return tuple(value for value in allowed if value in given)


def stamp(day: date) -> str:
    return f"{day}T00:00:00Z"


def cursor(text: str) -> str:
    return "page_" + base64.urlsafe_b64encode(text.encode()).decode()


def uncursor(page: str) -> str:
    try:
        if not page.startswith("page_"):
            raise ValueError
        return base64.urlsafe_b64decode(page.removeprefix("page_")).decode()
    except (binascii.Error, ValueError):
        raise Problem(400, "page: invalid cursor") from None


def fingerprint(request: Request) -> str:
    """Of the whole query but its page: cursors are bound to it."""
    rest = sorted((name, sorted(values)) for name, values in request.query.items() if name != "page")
    return f"{zlib.crc32(repr((request.path, rest)).encode()):08x}"
