"""A desk with a witness: the unit tests that are asked again here use it without knowing.

Belongs here: the engine, started once a process where a question is new, and the fixtures that put `Witnessed` where other tests have a plain
warehouse.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_usage import tables
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.parity.answers import KEEP, KeptAnswers, load, save
from ai_usage_tests.parity.googlesql import GoogleSQL
from ai_usage_tests.parity.witness import Witnessed


@pytest.fixture(scope="session")
def google(request: pytest.FixtureRequest) -> Iterator[KeptAnswers]:
    """GoogleSQL's kept answers, and GoogleSQL over the declared tables for what is new; what it compiles is kept in pytest's cache folder."""
    answers = KeptAnswers(lambda: GoogleSQL(tables.ALL, Path(request.config.cache.mkdir("googlesql"))), load())
    yield answers
    if os.environ.get(KEEP):
        save(answers.used, Path(os.environ[KEEP]))


@pytest.fixture(scope="module")
def new_desk(google: KeptAnswers, empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Desk]:
    def make() -> Desk:
        folder = tmp_path_factory.mktemp("desk")
        shutil.copyfile(empty_file, folder / "w.duckdb")
        desk = Desk(Witnessed(folder / "w.duckdb", google), folder)
        desk.keep_open()
        return desk

    return make


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    return new_desk()
