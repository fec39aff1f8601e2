"""What a vendor module needs of HTTP: requests, responses, routes.

Belongs here: plain values and the base class of every vendor.
Does not belong here: sockets (server.py), any vendor's own rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from .numbers import dumps

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # decoded
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]  # lower-case names
    body: Any  # parsed; None when there was none

    def arg(self, name: str, default: str | None = None) -> str | None:
        return self.query.get(name, [default])[-1]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any) -> Response:
        return cls(status, dumps(value).encode())


class Problem(Exception):
    """An error answer, in the vendor's own form."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


class Records(NamedTuple):
    """Where faults find records in a page: the list's key, a required field, a number, the total's key, and the key of a
    list inside each member of the list, if the records are there."""

    key: str
    required: str
    number: str
    total: str | None = None
    inside: str | None = None


class Vendor:
    """One vendor: its routes, its errors, its limits. Handlers take (request, **path parts)."""

    name = ""
    paths: tuple[str, ...] = ()  # prefixes that this vendor answers for
    records: tuple[Records, ...] = ()

    def __init__(self, world: World, key: str = "simulator") -> None:
        self.world, self.key = world, key
        self._routes = [(method, re.compile(path), handler) for method, path, handler in self.routes()]

    @staticmethod
    def present(world: World) -> bool:
        """Whether this world has such a vendor."""
        return True

    def records_of(self, path: str) -> tuple[Records, ...]:
        return self.records

    def routes(self) -> list[tuple[str, str, Callable[..., Response]]]:
        raise NotImplementedError

    def error(self, status: int, message: str | None = None) -> Response:
        raise NotImplementedError

    def authorize(self, request: Request) -> None:
        """Raise Problem(401) unless the request may pass."""

    def limit(self, path: str) -> tuple[str, int] | None:
        """(bucket, requests per minute) of a path."""
        return None

    def answer(self, request: Request) -> Response:
        try:
            for method, path, handler in self._routes:
                if request.method == method and (found := path.fullmatch(request.path)):
                    self.authorize(request)
                    return handler(request, **found.groupdict())
            raise Problem(404)
        except Problem as problem:
            return self.error(problem.status, problem.message)


def parse_day(text: Any) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise Problem(400, f"{text!r} is not a date (YYYY-MM-DD)") from None
