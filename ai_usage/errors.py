"""What can go wrong and is said in one sentence: what, value, remedy. A room's own errors are subclasses and lie in the room.

Belongs here: the one class that commands print and retries judge. Does not belong here: sentences.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Kind = Literal["permanent", "transient"]


class PlatformError(Exception):
    """A known failure. The message is one sentence for people and holds no credential.

    `kind` says whether another try may succeed: `transient` is tried again, with `permanent` a person must act.
    """

    kind: ClassVar[Kind] = "permanent"


class SettingsError(PlatformError):
    """A setting has a value that cannot be used; the message names the variable, the value and the remedy."""


def class_names(kind: Kind | None = None) -> frozenset[str]:
    """The names of all known failures, or of those of a kind: Dagster's records keep the name of a class and not the class."""
    found: set[str] = set()
    left: list[type[PlatformError]] = [PlatformError]
    while left:
        one = left.pop()
        left += one.__subclasses__()
        if kind in (None, one.kind):
            found.add(one.__name__)
    return frozenset(found)
