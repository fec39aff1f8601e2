"""The vendors on localhost, with known truth and scripted faults.

Belongs here: an invented company (`World`), its books, and HTTP servers that answer as the vendors do, well
or badly.
Does not belong here: anything of the platform. The simulator shares no code with the client, so that an
error of one cannot hide in the other; it needs the standard library only.
"""

from .faults import Fault, script
from .server import Simulator
from .world import World

__all__ = ["Fault", "Simulator", "World", "script"]
