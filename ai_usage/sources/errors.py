"""What can go wrong with a source, classified once: worth another try, or permanent.

Every message is one sentence that names the thing, the value and the remedy, and is safe to log: no message holds a
credential. Retry layers look only at the class.
"""

from __future__ import annotations

from typing import ClassVar

from ai_usage.errors import Kind, PlatformError
from ai_usage.guards.outside import line


class SourceError(PlatformError):
    """A source could not give what was asked. `status` is the HTTP status that said so, where one did, and `request_id` the vendor's name for
    the request. Words of the vendor, of a sheet and of a file stand in messages, so each is folded to one line."""

    kind: ClassVar[Kind] = "transient"  # until something more is known of it
    status: int | None = None
    request_id: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(line(message))


class TransientError(SourceError):
    """Another try may succeed. `retry_after` is the wait in seconds that the vendor asked for, if it did."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(SourceError):
    """Trying again changes nothing; a person must act."""

    kind: ClassVar[Kind] = "permanent"


class AuthError(PermanentError):
    """The credential is missing, wrong or not allowed."""


class RefusedError(AuthError):
    """The vendor knows the credential and does not let it read this endpoint: 403, or what a vendor says instead of it."""


class ContractError(PermanentError):
    """The vendor's answer no longer has the shape this code was written for."""


class MovingSetError(TransientError):
    """The records changed while their pages were walked; the walk must start again."""
