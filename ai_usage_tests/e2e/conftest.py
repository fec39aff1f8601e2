"""What the end-to-end tests share: one company that was read once, and one day that is today for all of a session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ai_usage.runtime import Runtime
from ai_usage_tests.fixtures import company
from ai_usage_tests.fixtures.company import TODAY, Prepared


@pytest.fixture(scope="session", autouse=True)
def _today() -> Iterator[None]:
    """A session that begins before midnight in UTC and ends after it has one today."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "today", property(lambda _: TODAY))
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A company whose ten days were read by one command, for all workers. Read only."""
    base = tmp_path_factory.getbasetemp()
    return company.prepared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
