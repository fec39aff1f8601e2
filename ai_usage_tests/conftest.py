"""What several tests share: a warehouse that costs a file copy, and a server on localhost that gives prepared answers.

Belongs here: fixtures without opinions. Helpers to import are in `ai_usage_tests/fixtures/desk.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_usage.warehouse import DuckDBWarehouse
from ai_usage.warehouse.bigquery import BigQueryWarehouse
from ai_usage.warehouse.duckdb_file import DuckDBFile
from ai_usage_tests.fixtures import company
from ai_usage_tests.fixtures.bigquery import BigQueryDesk, Place, local
from ai_usage_tests.fixtures.company import Prepared
from ai_usage_tests.fixtures.desk import Answers, Desk

pytest_plugins = ["ai_usage_tests.proving"]

# Two workers share the machine, and one thread answers small questions for an eighth less CPU. Commands in processes of their own take two.
if not os.environ.get("AI_USAGE_TEST_PROVE"):
    DuckDBFile.threads = 1


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB file with every table and view and no row: made once, copied for each test (a second of CPU against 5 ms)."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    DuckDBWarehouse(path).ensure()
    return path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A company whose ten days were read by one command, for all workers. Read only."""
    base = tmp_path_factory.getbasetemp()
    return company.prepared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(scope="session")
def new_desk(empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Desk]:
    """Makes a fresh warehouse each time it is called: hypothesis runs one test many times."""

    def make() -> Desk:
        folder = tmp_path_factory.mktemp("desk")
        path = folder / "w.duckdb"
        shutil.copyfile(empty_file, path)
        desk = Desk(DuckDBWarehouse(path), folder)
        desk.keep_open()
        return desk

    return make


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """An instance that an earlier test's generator never left would be asked by whatever loads definitions next, and it is gone by then."""
    if "dagster" in sys.modules:
        from dagster._core.storage.defs_state.base import _current_storage

        _current_storage.set(None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`both_engines`: the test runs at DuckDB and at BigQuery's emulator. `either_engine`: it could, and does where AI_USAGE_TEST_PROVE is set;
    docs/decisions/0025-proof-at-the-engines.md says which is which."""
    if "parity" in metafunc.definition.path.parts:  # its desk asks GoogleSQL beside DuckDB
        return
    asked = bool(os.environ.get("AI_USAGE_TEST_PROVE")) and metafunc.definition.get_closest_marker("either_engine")
    if "desk" in metafunc.fixturenames and (asked or metafunc.definition.get_closest_marker("both_engines")):
        metafunc.parametrize("desk", ["duckdb", "bigquery"], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks the emulator is of one group, so that one worker starts one emulator and makes one dataset (17 s of CPU)."""
    for item in items:
        asked = getattr(getattr(item, "callspec", None), "params", {}).get("desk") == "bigquery"
        if asked or {"bigquery_place", "bigquery_dataset", "bigquery_desk"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("bigquery"))


@pytest.fixture
def desk(request: pytest.FixtureRequest, new_desk: Callable[[], Desk]) -> Desk:
    """A fresh warehouse and the words to fill it by hand."""
    return request.getfixturevalue("bigquery_desk") if getattr(request, "param", "duckdb") == "bigquery" else new_desk()


@pytest.fixture(scope="session")
def bigquery_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """BigQuery's emulator, started once for each worker that asks it: with `--dist loadgroup` for one."""
    with local(tmp_path_factory.mktemp("bigquery")) as place:
        yield place


@pytest.fixture(scope="session")
def bigquery_dataset(bigquery_place: Place) -> Iterator[BigQueryWarehouse]:
    """The worker's dataset, which whoever uses it empties first: making its tables and views takes the emulator 14 s of CPU."""
    with bigquery_place.dataset() as name:
        warehouse = bigquery_place.warehouse(name)
        warehouse.ensure()
        yield warehouse


@pytest.fixture
def bigquery_desk(bigquery_place: Place, bigquery_dataset: BigQueryWarehouse, tmp_path: Path) -> BigQueryDesk:
    bigquery_place.without_rows(bigquery_dataset.place.split(".")[1])
    return BigQueryDesk(bigquery_dataset, tmp_path)


@pytest.fixture
def answers() -> Iterator[Answers]:
    """A real HTTP server that gives the answers a test prepared, in order, and remembers the requests."""
    with Answers() as server:
        yield server
