"""Every endpoint that the platform reads, by the folder of the spool in which its records lie.

Belongs here: the list. Does not belong here: declarations (each vendor's `records.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from ai_usage.sources.anthropic import analytics_records, records
from ai_usage.sources.claude_ai import records as claude_ai
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import PermanentError
from ai_usage.sources.google_sheets import records as google_sheets

ASKED: tuple[Endpoint, ...] = (*records.ENDPOINTS, *analytics_records.ENDPOINTS, *cursor.ENDPOINTS, *google_sheets.ENDPOINTS)
"""Those that a run asks; the others are files that somebody drops."""

ENDPOINTS: dict[tuple[str, str], Endpoint] = {(e.source, e.name): e for e in (*ASKED, *claude_ai.ENDPOINTS.values())}

PLATFORMS: dict[str, tuple[str, ...]] = {
    "anthropic": ("claude_api", "claude_code"), "claude_enterprise": ("claude_ai", "claude_code"), "claude_ai": ("claude_ai",), "cursor": ("cursor",),
}  # fmt: skip
"""Of which platforms each source tells cost and use: a day that it lacks is missing from these and from no other."""


def left_out(endpoint: Endpoint, names: Collection[str]) -> bool:
    """Whether the names, each a source/endpoint such as anthropic/usage_report/claude_code, leave the endpoint out."""
    return f"{endpoint.source}/{endpoint.name}" in names


def history(endpoint: Endpoint, given: Mapping[str, int]) -> int | None:
    """How many days back the vendor answers: as given for the endpoint or its source, else by its documentation; None where neither says."""
    return given.get(f"{endpoint.source}/{endpoint.name}", given.get(endpoint.source, endpoint.history_days))


def check_names(names: Collection[str]) -> None:
    """Raise `PermanentError` for a name that no endpoint has, with the nearest one that there is."""
    known = [f"{source}/{name}" for source, name in ENDPOINTS]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}" if near else f"name one of {', '.join(known)}"
            raise PermanentError(f"AI_USAGE_LEAVE_OUT names {name!r}, which is not an endpoint; {hint}.")
