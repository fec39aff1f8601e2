"""A desk with a witness: the unit tests that are asked again here use it without knowing.

Belongs here: the engine, started once a process, and the fixtures that put `Witnessed` where other tests have a plain warehouse.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_usage import tables
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.parity.googlesql import GoogleSQL
from ai_usage_tests.parity.witness import Witnessed


@pytest.fixture(scope="session")
def google(request: pytest.FixtureRequest) -> GoogleSQL:
    """GoogleSQL over the declared tables; what it compiles is kept in pytest's cache folder."""
    return GoogleSQL(tables.ALL, Path(request.config.cache.mkdir("googlesql")))


@pytest.fixture(scope="session")
def new_desk(google: GoogleSQL, empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Desk]:
    def make() -> Desk:
        folder = tmp_path_factory.mktemp("desk")
        shutil.copyfile(empty_file, folder / "w.duckdb")
        return Desk(Witnessed(folder / "w.duckdb", google), folder)

    return make


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    return new_desk()
