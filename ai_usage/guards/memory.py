"""How much memory this process may take from now on.

Belongs here: the limit that the system keeps. Does not belong here: what an engine counts of its own: DuckDB's memory_limit does not see one text of 2 GB.
"""

from __future__ import annotations

import sys
from pathlib import Path

_OWN_MB = 200
"""What rows take on their way from the engine to the screen."""


def limit_memory(mb: int) -> None:
    """Let this process take `mb` megabytes more than it has; beyond that an allocation fails, as MemoryError or the engine's own error.

    Linux keeps it. Elsewhere nothing happens, and the engine's own limit is all there is.
    """
    if sys.platform != "linux":
        return
    import resource

    held = next(int(line.split()[1]) << 10 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + ((mb + _OWN_MB) << 20)
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
