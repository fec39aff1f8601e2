"""How soon the next request may begin: a vendor's limit a minute, and what it says in Retry-After.

Belongs here: waiting as numbers. Does not belong here: who waits, and how often (`http.py`).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class RateLimit:
    """At most `per_minute` requests begin in any 60 seconds, whichever threads make them; None is no limit."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = None if per_minute is None else max(1, int(per_minute))
        self._clock = clock
        self._begun: deque[float] = deque()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Book the next place; returns the seconds to wait until it comes."""
        if self._allowed is None:
            return 0.0
        with self._lock:
            now = self._clock()
            at = now if len(self._begun) < self._allowed else max(now, self._begun[0] + 60.0)
            self._begun.append(at)
            while len(self._begun) > self._allowed:
                self._begun.popleft()
            return at - now


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a Retry-After header, which holds seconds or an HTTP date; None when it holds neither."""
    if not header:
        return None
    try:
        seconds = float(header)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    at = http_date(header)
    return None if at is None else max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def http_date(header: str) -> datetime | None:
    """The moment that a header names, None where it names none: a zone of 30 digits is an OverflowError to Python, and no zone is UTC."""
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
