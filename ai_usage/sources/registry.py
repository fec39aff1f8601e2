"""Every endpoint that the platform reads, by the folder of the spool in which its records lie.

Belongs here: the list. Does not belong here: declarations (each vendor's `records.py`).
"""

from __future__ import annotations

from ai_usage.sources.anthropic import analytics_records, records
from ai_usage.sources.claude_ai import records as claude_ai
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.google_sheets import records as google_sheets

ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    (endpoint.source, endpoint.name): endpoint
    for endpoint in (
        *records.ENDPOINTS, *analytics_records.ENDPOINTS, *claude_ai.ENDPOINTS.values(), *cursor.ENDPOINTS, *google_sheets.ENDPOINTS,
    )
}  # fmt: skip
