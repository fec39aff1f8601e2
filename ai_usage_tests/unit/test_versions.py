"""What a day that came becomes: every case of the rule, beside what counted before.

Belongs here: the decision as a table. Does not belong here: that it is written so (`test_loader.py`, `test_uploads.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from ai_usage.loading.versions import Current, Decision, decide

READ_BY_2 = SimpleNamespace(parser_version="2")
DAY, NOON, EARLIER = date(2026, 11, 1), datetime(2026, 11, 2, 12, tzinfo=UTC), datetime(2026, 11, 2, 6, tzinfo=UTC)


def sha(content: str, parser: str = "2") -> str:
    """Of the parser's version and what the vendor sent, as stored hashes are."""
    return hashlib.sha256(f"{parser}{content}".encode()).hexdigest()


def held(content: str, origin: str = "api", parser: str = "2", **more: Any) -> Current:
    return Current("v1", sha(content, parser), NOON, origin, DAY, parser, EARLIER, **more)


FILE = {"replaced_sha256": sha("a"), "figures": {"row_count": 7}}
NEW, SAME = Decision(sha("b"), None, "vendor"), Decision(sha("a"), "v1", is_new=False)


@pytest.mark.parametrize(
    ("before", "came", "how", "becomes"),
    [
        (None, "a", {}, Decision(sha("a"), None)),
        (held("a"), "a", {}, SAME),
        (held("a"), "b", {}, NEW),
        # The parser changed and the bytes did not, then both, then nobody knows by which parser it was read.
        (held("a", parser="1"), "a", {}, Decision(sha("a"), None, "rule")),
        (held("a", parser="1"), "b", {}, Decision(sha("b"), None, "vendor and rule")),
        (replace(held("a", parser="1"), parser_version=None), "a", {}, Decision(sha("a"), None, "vendor and rule")),
        # Read again by today's rules: told when the vendor told it.
        (held("a", parser="1"), "a", {"again": True}, Decision(sha("a"), None, "rule", EARLIER)),
        # A file stands behind the vendor's own data, but for one that says so, and for a day that only a file holds.
        (held("a"), "b", {"origin": "upload"}, None),
        (held("a"), "b", {"origin": "upload", "replace": True}, NEW),
        (held("a", "upload"), "b", {"origin": "upload"}, NEW),
        # A replacement stays while the vendor says what it said before, with the replacement's figures, and goes when it says something new.
        (held("file", "upload", **FILE), "a", {}, Decision(sha("a"), "v1", figures={"row_count": 7}, is_new=False)),
        (held("file", "upload", **FILE), "b", {}, NEW),
    ],
)
def test_what_a_day_becomes(before: Current | None, came: str, how: dict[str, Any], becomes: Decision | None) -> None:
    day = SimpleNamespace(usage_date=DAY, sha256=came)
    assert decide(before, READ_BY_2, day, **{"origin": "api", **how}) == becomes  # type: ignore[arg-type]
