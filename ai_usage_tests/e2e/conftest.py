"""What the end-to-end tests share: one day that is today for all of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ai_usage.runtime import Runtime
from ai_usage_tests.fixtures.company import TODAY


@pytest.fixture(scope="session", autouse=True)
def _today() -> Iterator[None]:
    """A session that begins before midnight in UTC and ends after it has one today."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "today", property(lambda _: TODAY))
        yield
