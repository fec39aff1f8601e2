"""The time of a whole answer, however often a byte of it comes.

Belongs here: connections that end in time. Does not belong here: how much is taken (`bounds.py`), and what is tried again (`sources/http.py`).
"""

from __future__ import annotations

import http.client
import io
import time
from typing import Any

import requests.adapters


class _Until(io.RawIOBase):
    """A socket's stream that ends in TimeoutError at `end`, however often a byte comes. A read time limit alone begins anew with each byte."""

    def __init__(self, raw: Any, sock: Any, end: float) -> None:
        self._raw, self._sock, self._end = raw, sock, end
        self._pause = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left if self._pause is None else min(self._pause, left))
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


def _answers(seconds: float) -> Any:
    def answer(sock: Any, *given: Any, **named: Any) -> http.client.HTTPResponse:
        made = http.client.HTTPResponse(sock, *given, **named)
        made.fp = io.BufferedReader(_Until(made.fp.detach(), sock, time.monotonic() + seconds))  # type: ignore[attr-defined]
        return made

    return staticmethod(answer)


class TimedAdapter(requests.adapters.HTTPAdapter):
    """Connections whose answers, headers included, end within `seconds`."""

    def __init__(self, seconds: float, **given: Any) -> None:
        self._seconds = seconds
        super().__init__(**given)

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self._time(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        return self._time(super().proxy_manager_for(proxy, **named))

    def _time(self, manager: Any) -> Any:
        """A proxy's manager comes again for each request, and keeps its classes."""
        if "timed" not in manager.pool_classes_by_scheme:
            classes = {
                scheme: type("Pool", (pool,), {"ConnectionCls": type("Connection", (pool.ConnectionCls,), {"response_class": _answers(self._seconds)})})
                for scheme, pool in manager.pool_classes_by_scheme.items()
            }  # fmt: skip
            manager.pool_classes_by_scheme = {**classes, "timed": None}
        return manager
