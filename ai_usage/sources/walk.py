"""Walking page chains to their closed end, several windows at once.

Belongs here: restarts when the set moved, concurrency, and turning a failed window into data instead of the end of the
run. Does not belong here: what a page looks like (each vendor's `client.py`).
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, ContractError, MovingSetError, RefusedError, SourceError
from ai_usage.sources.http import Stats
from ai_usage.sources.spool import Spooled, SpoolWriter

RESTARTS = 3


@dataclass(frozen=True)
class Page:
    """One page: its records as bytes, what was asked, and what stood around the records."""

    records: Sequence[bytes | memoryview]
    request: Any
    envelope: Any
    body: bytes


@dataclass(frozen=True)
class FailedWalk:
    """A window that could not be read."""

    endpoint: Endpoint
    window: Window
    error: SourceError


def beside(endpoint: Endpoint, value: bytes, record: bytes | memoryview) -> bytes:
    """A record with the endpoint's field `beside` in front of its own, byte for byte. What is not an object stays as it is: the decoder rejects it.

    `value` is JSON.
    """
    text = bytes(record).strip()
    if not text.startswith(b"{"):
        return text
    rest = text[1:].lstrip()
    return b'{"%b":%b%b%b' % (str(endpoint.beside).encode(), value, b"" if rest.startswith(b"}") else b",", rest)


def walk(spool: Path, endpoint: Endpoint, window: Window, pages: Callable[[Stats], Iterator[Page]]) -> Spooled:
    """Spool every page that `pages` yields; start again, at most 3 times, when it finds that the set moved."""
    stats = Stats()
    for restart in range(RESTARTS + 1):
        writer = SpoolWriter(spool, endpoint, window)
        try:
            for page in pages(stats):
                writer.page(page.records, request=page.request, envelope=page.envelope, body=page.body)
            return writer.close(stats.requests)
        except MovingSetError as error:
            writer.abandon()
            if restart == RESTARTS:
                raise MovingSetError(f"{str(error).rstrip('.')}; {RESTARTS} new walks did not end better, so run again later.") from None
        except BaseException:
            writer.abandon()
            raise
    raise AssertionError("unreachable")


def walk_all(
    windows: Sequence[Window], one: Callable[[Window], Spooled | FailedWalk], endpoint: Endpoint, in_flight: int = 4
) -> Iterator[Spooled | FailedWalk]:
    """Walk each window, `in_flight` at once; yields as they end.

    At most twice `in_flight` finished walks wait for the consumer, so disk and memory stay bounded. A wrong key or a
    changed contract ends everything at once: the other windows would meet it too. An endpoint that is refused is refused for every window.
    """
    stop = threading.Event()

    def guarded(window: Window) -> Spooled | FailedWalk | None:
        if stop.is_set():
            return None
        try:
            return one(window)
        except SourceError as error:
            return FailedWalk(endpoint, window, error)

    # Each window carries the caller's context along, so that what its requests log names the run and the asset.
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix=f"{endpoint.source}-{endpoint.name}")
    pending: set[Future[Spooled | FailedWalk | None]] = set()
    ahead = iter(windows)
    ended: set[Window] = set()
    try:
        exhausted = False
        refusal: RefusedError | None = None
        while pending or not exhausted:
            while not exhausted and len(pending) < 2 * in_flight:
                window = next(ahead, None)
                if window is None:
                    exhausted = True
                else:
                    pending.add(pool.submit(contextvars.copy_context().run, guarded, window))
            done, pending = wait(pending, return_when=FIRST_COMPLETED) if pending else (set(), pending)
            for future in done:
                result = future.result()
                if isinstance(result, FailedWalk) and isinstance(result.error, AuthError | ContractError):
                    stop.set()
                    refusal = result.error if isinstance(result.error, RefusedError) else refusal
                if result is not None:
                    ended.add(result.window)
                    yield result
            if stop.is_set():
                yield from (FailedWalk(endpoint, w, refusal) for w in windows if refusal and w not in ended)
                return
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
