"""The rehearsal's clock: simulated wall time that all its processes share, and that jumps when it is told to.

Belongs here: compiling `clock.c`, the file that holds the shift, and jumps. Does not belong here: what happens at which hour.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
FILE = "REHEARSAL_CLOCK"


def compiler() -> str | None:
    """A C compiler of this machine; None where the rehearsal cannot run."""
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None) if sys.platform == "linux" else None


def prepare(folder: Path, at: datetime) -> dict[str, str]:
    """The environment of every process that is to live in simulated time, which begins at `at`."""
    library, file, cc = folder / "clock.so", folder / "clock", compiler()
    if cc is None:
        raise RuntimeError("the rehearsal needs Linux and a C compiler; install gcc.")
    subprocess.run(
        [cc, "-O2", "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("clock.c")), "-ldl", "-lpthread"], check=True
    )
    file.write_bytes(_nanoseconds((at - datetime.now(UTC)).total_seconds()))
    return {"LD_PRELOAD": str(library), FILE: str(file)}


def _nanoseconds(seconds: float) -> bytes:
    return int(seconds * 1e9).to_bytes(8, sys.byteorder, signed=True)


class Clock:
    """Simulated time as this process sees it; it must have been started with the environment of `prepare`."""

    def __init__(self) -> None:
        with Path(os.environ[FILE]).open("r+b") as file:
            self._shift = mmap.mmap(file.fileno(), 8)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def to(self, at: datetime) -> None:
        """Jump forward to that instant; time never goes back, so an instant that has passed changes nothing."""
        ahead = (at - self.now).total_seconds()
        if ahead > 0:
            self._shift[:] = (int.from_bytes(self._shift[:], sys.byteorder, signed=True) + int(ahead * 1e9)).to_bytes(
                8, sys.byteorder, signed=True
            )


def pacific(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """That hour of the day in Los Angeles, as UTC: 06:00 is 13:00 in summer and 14:00 in winter."""
    return datetime.combine(day, time(hour, minute, second), PACIFIC).astimezone(UTC)
