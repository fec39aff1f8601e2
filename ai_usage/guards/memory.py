"""How much memory this process may take from now on.

Belongs here: the limit that the system keeps. Does not belong here: what an engine counts of its own: DuckDB's memory_limit does not see one text of 2 GB.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWN_MB = 200
"""What rows take on their way from the engine to the screen."""


@contextmanager
def limited_memory(mb: int) -> Iterator[None]:
    """Inside, this process may take `mb` megabytes more than it had; beyond that an allocation fails, as MemoryError or the engine's own error.

    Linux keeps it. Elsewhere nothing happens, and the engine's own limit is all there is.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    held = next(int(line.split()[1]) << 10 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + ((mb + _OWN_MB) << 20)
    if before == resource.RLIM_INFINITY or wanted < before:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))
