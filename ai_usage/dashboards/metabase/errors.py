"""What can go wrong with a Metabase. Every message is one sentence with the remedy. Nothing else belongs here."""

from __future__ import annotations

from ai_usage.errors import PlatformError


class MetabaseError(PlatformError):
    """Metabase could not be asked or did not do what was asked."""


class ConflictError(MetabaseError):
    """Somebody changed a permission graph between our reading and our writing (409); read it again and repeat."""


class ConnectionLostError(MetabaseError):
    """No answer came; whether a POST was carried out is not known, and running apply again finds out."""
