"""Counting requests to vendors: how many, how they were answered, how long they took.

Belongs here: the counts of one process, between two times that they are taken away. Does not belong here: storing or showing them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

KEPT = 10_000  # response times of one line that are kept for quantiles; a run of a year makes fewer


@dataclass
class Line:
    """Requests of one hour, source, endpoint and status; `status` is None where no answer came."""

    hour: datetime
    source: str
    endpoint: str
    status: int | None
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    durations: list[float] = field(default_factory=list, repr=False)

    @property
    def exact_seconds(self) -> Decimal:
        return Decimal(f"{self.seconds:.6f}")


class Traffic:
    """Safe to share between threads and clients."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lines: dict[tuple[datetime, str, str, int | None], Line] = {}
        self._lock = threading.Lock()

    def add(self, source: str, endpoint: str, status: int | None, seconds: float, retried: bool) -> None:
        """One request has ended."""
        hour = self._clock().replace(minute=0, second=0, microsecond=0)
        with self._lock:
            line = self._lines.setdefault((hour, source, endpoint, status), Line(hour, source, endpoint, status))
            line.requests += 1
            line.retries += retried
            line.seconds += seconds
            if len(line.durations) < KEPT:
                line.durations.append(seconds)

    def lines(self) -> list[Line]:
        with self._lock:
            return list(self._lines.values())

    def take(self) -> list[Line]:
        """The lines, which then begin anew."""
        with self._lock:
            found, self._lines = list(self._lines.values()), {}
        return found


def quantile(lines: Iterable[Line], share: float) -> float | None:
    """The response time that this share of the requests did not exceed, in seconds; None without requests."""
    durations = sorted(d for line in lines for d in line.durations)
    return durations[max(0, math.ceil(share * len(durations)) - 1)] if durations else None
