"""A desk with a witness: the unit tests that are asked again here use it without knowing.

Belongs here: the engine, started once a process where a question is new, the day that is today here, and the fixtures that put `Witnessed`
where other tests have a plain warehouse.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from ai_usage import tables
from ai_usage.warehouse import DuckDBWarehouse, models
from ai_usage_tests.fixtures.desk import NOON, Desk
from ai_usage_tests.parity.answers import KEEP, KeptAnswers, load, save
from ai_usage_tests.parity.googlesql import GoogleSQL
from ai_usage_tests.parity.witness import Witnessed
from ai_usage_tests.unit import test_sql_staging


class _Plain(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class NoonToday(datetime, metaclass=_Plain):
    """`datetime` where it is always the desk's noon: a question that names today is new on every day."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOON


@pytest.fixture(scope="module", autouse=True)
def today(empty_file: Path) -> Iterator[date]:
    """CURRENT_DATE() is the desk's day in every model, and in the unit test that compares with it.

    For a module, not a package: these folders are no packages to pytest, and a fixture of package scope would last to the end of the session,
    in which other tests run on the same worker and lose the seats of every later day. `empty_file` is made before, for the same reason: it lasts for
    the session and holds the views.
    """
    held = models.all_models()
    says = f"DATE '{NOON.date()}'"
    fixed = {name: replace(m, sql=m.sql.replace("CURRENT_DATE()", says)) for name, m in held.items() if "CURRENT_DATE()" in m.sql}
    before = {name: held[name] for name in fixed}

    def put(changed: dict[str, models.Model]) -> None:
        held.update(changed)
        for name, function in vars(models).items():
            if hasattr(function, "cache_clear") and name not in ("all_models", "fingerprint"):
                function.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_sql_staging, "datetime", NoonToday)
        put(fixed)
        yield NOON.date()
        put(before)


@pytest.fixture(scope="session")
def google(request: pytest.FixtureRequest) -> Iterator[KeptAnswers]:
    """GoogleSQL's kept answers, and GoogleSQL over the declared tables for what is new; what it compiles is kept in pytest's cache folder."""
    answers = KeptAnswers(lambda: GoogleSQL(tables.ALL, Path(request.config.cache.mkdir("googlesql"))), load())
    yield answers
    if os.environ.get(KEEP):
        save(answers.used, Path(os.environ[KEEP]))


@pytest.fixture(scope="module")
def new_desk(google: KeptAnswers, today: date, empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Desk]:
    empty = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    shutil.copyfile(empty_file, empty)
    for name in [m.table.name for m in models.views() if f"DATE '{today}'" in m.sql]:
        DuckDBWarehouse(empty).create_view(tables.BY_NAME[name])

    def make() -> Desk:
        folder = tmp_path_factory.mktemp("desk")
        shutil.copyfile(empty, folder / "w.duckdb")
        desk = Desk(Witnessed(folder / "w.duckdb", google), folder)
        desk.keep_open()
        return desk

    return make


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    return new_desk()
