"""Who an object is: ids that follow from the repository alone, and the mark in a description that says whose it is.

Belongs here: names turned into Metabase's 21-character ids, and the mark. Does not belong here: asking Metabase.
A card is ours when its entity id is the one that its own mark demands: a copy made by hand has the mark, and another id.
"""

from __future__ import annotations

import hashlib
import re
import uuid

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "ai-usage-analytics/metabase")
_MARK = re.compile(r"\[ai-usage ([a-z0-9_/]+)\]")


def entity_id(key: str) -> str:
    """The 21-character nano id of a card: 126 bits of SHA-256 of its key, `dashboard/card`."""
    digest = int.from_bytes(hashlib.sha256(f"ai-usage/{key}".encode()).digest(), "big")
    return "".join(ALPHABET[(digest >> (6 * place)) & 63] for place in range(21))


def tag_id(key: str, name: str) -> str:
    """The UUID of a template tag, and of the card parameter that goes with it."""
    return str(uuid.uuid5(NAMESPACE, f"{key}#{name}"))


def parameter_id(dashboard: str, name: str) -> str:
    """The id of a dashboard's parameter: eight hexadecimal digits, as Metabase's own page makes them."""
    return hashlib.sha256(f"{dashboard}#{name}".encode()).hexdigest()[:8]


def marked(text: str, key: str) -> str:
    """A description with the mark at its end."""
    return f"{text}\n\n[ai-usage {key}] Made from the repository; changes made here are undone.".strip()


def mark_of(description: str | None) -> str | None:
    """The key in a description's mark; None when it bears none."""
    found = _MARK.findall(description or "")
    return found[-1] if found else None
