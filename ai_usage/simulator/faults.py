"""Scripted faults: what goes wrong, where, and how often.

Belongs here: the Fault and its counters, damage to a page's records, the named scripts.
Does not belong here: damage to the connection (server.py does it, on the socket).
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from .numbers import dumps, plain
from .wire import Records, Request, Response

STATUS = {k: k for k in ("429", "500", "529", "503", "401", "403", "504")} | {"expired_cursor": "410"}
SOCKET = ("truncated", "reset", "reset_mid", "slow")
CURSOR = ("null_cursor", "repeated_cursor")  # of answers that carry the next page's cursor
PAGE = (
    *("repeated_page", "moving_total", "malformed_record", "missing_field", "unknown_field", "extra_null"),
    *(*CURSOR, "missing_bucket", "cents_as_dollars"),
)
KINDS = (*STATUS, *SOCKET, "html", *PAGE)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that strikes requests whose path contains `path` ("" = every path).

    after    that many matching requests pass first
    every    then only each n-th is struck, the first at once; the default `times` of 1 then means: for ever
    times    how many requests are struck; None = for ever
    match    narrower: values that the body or the query must have, {"page": 2}, or a function of the request
    retry_after  429, 503, 529: seconds (int), or "date" for an HTTP date in the near future; None = no header
    seconds  slow: how long
    field    malformed_record, missing_field: which field (default: an important one of that endpoint)
    repeated_page never strikes page 1; where cursors are opaque, it serves page 1 again.
    null_cursor      has_more without a cursor
    repeated_cursor  the next page is this page again; strikes pages after the first
    expired_cursor   410, as after a refresh in the middle of a walk; strikes pages after the first
    missing_bucket   a day in the middle of a report is left out
    cents_as_dollars every amount a hundredth: the error of the unit
    """

    kind: str
    path: str = "filtered-usage-events"
    times: int | None = 1
    after: int = 0
    retry_after: int | str | None = None
    every: int | None = None
    match: Mapping[str, Any] | Callable[[Request], bool] | None = None
    seconds: float = 1.0
    field: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", str(self.kind))
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.every is not None and self.every < 1:
            raise ValueError("every counts from 1")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fault:
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        return cls(**value)

    def concerns(self, request: Request) -> bool:
        if self.path not in request.path:
            return False
        if self.kind in ("repeated_page", "repeated_cursor", "expired_cursor") and page_of(request) < 2:
            return False
        if self.match is None:
            return True
        if callable(self.match):
            return bool(self.match(request))
        body = request.body if isinstance(request.body, dict) else {}
        return all(body.get(k, request.arg(k)) in (v, str(v)) for k, v in self.match.items())


class FaultBook:
    """The faults in force, with their counters."""

    def __init__(self, faults=()) -> None:
        self._lock = threading.Lock()
        self._entries: list[list] = []  # [fault, seen, struck]
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._entries += [[fault, 0, 0] for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def strike(self, request: Request) -> Fault | None:
        """The first fault whose turn it is. Each fault counts every request that concerns it."""
        chosen = None
        with self._lock:
            for entry in self._entries:
                fault, seen, struck = entry
                if not fault.concerns(request):
                    continue
                entry[1] += 1
                turn = seen - fault.after
                forever = fault.times is None or (fault.every is not None and fault.times == 1)
                due = turn >= 0 and turn % (fault.every or 1) == 0 and (forever or struck < fault.times)
                if due and chosen is None:
                    entry[2] += 1
                    chosen = fault
        return chosen


def opaque(request: Request) -> str | None:
    """The cursor of a later page, where pages have no numbers."""
    page = request.arg("page") or ""
    return request.arg("after_id") or (page if page.startswith("page_") else None)


def page_of(request: Request) -> int:
    if opaque(request):
        return 2
    raw: Any = request.body.get("page") if isinstance(request.body, dict) else request.arg("page")
    try:
        return int(raw)
    except (TypeError, ValueError):
        return 1


def page_before(request: Request) -> Request:
    """The same request for the page before."""
    if opaque(request):
        query = {name: values for name, values in request.query.items() if name not in ("page", "after_id")}
        return Request(request.method, request.path, query, request.headers, request.body)
    page = page_of(request) - 1
    if isinstance(request.body, dict):
        return Request(request.method, request.path, request.query, request.headers, {**request.body, "page": page})
    return Request(request.method, request.path, {**request.query, "page": [str(page)]}, request.headers, request.body)


def damage(response: Response, fault: Fault, shapes: tuple[Records, ...], request: Request) -> Response:
    """The page with its fault. Pages that hold no records pass unharmed."""
    if response.status != 200:
        return response
    page = json.loads(response.body, parse_float=Decimal)
    if isinstance(page, dict) and isinstance(page.get("values"), list):
        _damage_grid(page["values"], fault)
        return Response.json(200, page)
    shape = next((s for s in shapes if isinstance(page.get(s.key), list)), None)
    if shape is None:
        return response
    if fault.kind in CURSOR:
        _damage_cursor(page, fault, request)
    elif fault.kind == "missing_bucket" and shape.inside:
        middle = len(page[shape.key]) // 2
        del page[shape.key][middle : middle + 1]
    elif fault.kind == "cents_as_dollars":
        _hundredths(page)
    _damage_records(page, fault, shape)
    return Response(200, dumps(page).encode())


def _damage_records(page: dict[str, Any], fault: Fault, shape: Records) -> None:
    lists = [page[shape.key]] if shape.inside is None else [part[shape.inside] for part in page[shape.key]]
    records = [r for found in lists for r in found if isinstance(r, dict)]
    if fault.kind == "moving_total":
        for holder in (page, page.get("pagination", {})):
            if shape.total is not None and shape.total in holder:
                holder[shape.total] += 1
    elif fault.kind == "malformed_record" and records:
        records[len(records) // 2][fault.field or shape.number] = "n/a"
    elif fault.kind == "missing_field":
        name = fault.field or shape.required
        for found in lists:
            found[:] = [{(f"{k}V2" if k == name else k): v for k, v in record.items()} for record in found]
    elif fault.kind == "unknown_field":
        for record in records:
            record["vendorSurprise"] = "new"
    elif fault.kind == "extra_null":
        names = {name for record in records for name in record} | {"extraNull"}
        for record in records:
            record.update((name, None) for name in sorted(names) if name not in record)


def _damage_cursor(page: dict[str, Any], fault: Fault, request: Request) -> None:
    name = "last_id" if "last_id" in page else "next_page" if "next_page" in page else None
    if name is not None:
        page[name] = None if fault.kind == "null_cursor" else opaque(request)
        if "has_more" in page:
            page["has_more"] = True


def _hundredths(value: Any) -> None:
    """Every amount of money below, text or number, moved by two places."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _hundredths(item)
    if isinstance(value, dict):
        for name in ("amount", "list_amount"):
            if isinstance(value.get(name), str):
                value[name] = plain(Decimal(value[name]).scaleb(-2))
            elif isinstance(value.get(name), int | Decimal):
                value[name] = Decimal(value[name]).scaleb(-2)


def _damage_grid(rows: list[list], fault: Fault) -> None:
    """The same for a sheet: a header renamed, a column too many, text where a number stood."""
    if not rows or not rows[0]:
        return
    head = rows[0]
    if fault.kind == "missing_field":
        column = head.index(fault.field) if fault.field in head else 0
        head[column] = f"{head[column]}_v2"
    elif fault.kind in ("unknown_field", "extra_null"):
        head.append("vendor_surprise")
        for row in rows[1:]:
            row += [""] * (len(head) - 1 - len(row)) + (["new"] if fault.kind == "unknown_field" else [])
    elif fault.kind == "malformed_record" and len(rows) > 1:
        column = head.index(fault.field) if fault.field in head else len(rows[1]) - 1
        rows[1][column] = "n/a"


def script(name: str, seed: int = 7, anthropic: bool = False) -> tuple[Fault, ...]:
    """A named mix. "rough": everything that a careful client survives without losing or doubling a cent."""
    if name != "rough":
        raise ValueError(f"no script {name!r}; there is: rough")
    rng = random.Random(f"rough/{seed}")
    paths = (
        "filtered-usage-events",
        "daily-usage-data",
        "/teams/spend",
        "/teams/members",
        "/v4/spreadsheets",
    )
    kinds = (
        "429",
        "429",
        "500",
        "503",
        "529",
        "truncated",
        "reset",
        "reset_mid",
        "slow",
        "unknown_field",
        "extra_null",
    )
    faults = []
    for path in paths:
        often = path == paths[0]
        for kind in kinds:
            if not often and rng.random() < 0.5:
                continue
            wait = (1 if rng.random() < 0.5 else "date") if kind in ("429", "503") and rng.random() < 0.7 else None
            after = int(rng.random() * (25 if often else 3))
            every = 15 + int(rng.random() * 30) if often else None
            faults.append(Fault(kind, path, after=after, every=every, retry_after=wait, seconds=0.3))
    rng_order = [(rng.random(), n) for n in range(len(faults))]
    return tuple(faults[n] for _, n in sorted(rng_order)) + (_rough_anthropic(seed, kinds) if anthropic else ())


def _rough_anthropic(seed: int, kinds: tuple[str, ...]) -> tuple[Fault, ...]:
    rng = random.Random(f"rough/anthropic/{seed}")
    faults = []
    for path in (
        "usage_report/messages",
        "cost_report",
        "claude_code",
        "organizations/users",
        "api_keys",
        "workspaces",
        "analytics/",
    ):
        often = path == "claude_code"
        for kind in (*kinds, "504"):
            if not often and rng.random() < 0.5:
                continue
            wait = 1 if kind in ("429", "503") and rng.random() < 0.5 else None
            every = 25 + int(rng.random() * 30) if often else None
            faults.append(
                Fault(
                    kind,
                    path,
                    after=int(rng.random() * (25 if often else 3)),
                    every=every,
                    retry_after=wait,
                    seconds=0.3,
                )
            )
    faults.append(Fault("expired_cursor", "analytics/", after=1))
    return tuple(faults)
