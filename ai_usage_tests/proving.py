"""How much is proved, in which order, and what a failure says.

Belongs here: the switch between `make test` and `make prove`, the order of the tests on two workers, what the terminal says beside pytest's own
words. Does not belong here: fixtures (`conftest.py`).
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from xdist.scheduler import LoadScopeScheduling

PROVE = bool(os.environ.get("AI_USAGE_TEST_PROVE"))
"""`make prove`: every combination and many random examples, where `make test` takes each kind once and the same examples each time."""
TIMES = Path(__file__).with_name("times.json")
MORE = 25  # times the examples of a property, when proving

# Examples are small, and shrinking one that loads a warehouse may take minutes: what failed is printed as it was found, with a blob to run it again.
_SHARED: dict[str, Any] = {
    "deadline": None, "report_multiple_bugs": False, "phases": (Phase.explicit, Phase.reuse, Phase.generate), "print_blob": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}  # fmt: skip
settings.register_profile("test", **_SHARED, derandomize=True)
settings.register_profile("prove", **_SHARED, derandomize=False)
settings.load_profile("prove" if PROVE else "test")


only_in_prove = pytest.mark.skipif(not PROVE, reason="They belong to `make prove`.")


def some(few: Iterable[Any], every: Iterable[Any]) -> list[Any]:
    """`few` in `make test`, `every` in `make prove`."""
    return list(every if PROVE else few)


def once(
    faults: Sequence[str], kinds: Mapping[str, Sequence[str]], applies: Callable[[str, str], bool] = lambda fault, name: True
) -> list[Any]:
    """Pairs of fault and endpoint: each fault once for each kind of page chain, its endpoints taking turns. All pairs when proving.

    Args:
        faults: What strikes.
        kinds: The endpoints of each kind of chain.
        applies: Whether this fault can strike this endpoint.

    Raises:
        ValueError: when there are fewer faults than endpoints of a kind, so that one would not be struck at all.
    """
    if PROVE:
        return [(fault, name) for fault in faults for names in kinds.values() for name in names if applies(fault, name)]
    pairs = []
    for names in kinds.values():
        turn = 0
        for fault in faults:
            able = [name for name in names if applies(fault, name)]
            if able:
                pairs.append((fault, able[turn % len(able)]))
                turn += 1
        if missed := set(names) - {name for _, name in pairs}:
            raise ValueError(f"no fault strikes {sorted(missed)}; there are fewer faults than endpoints.")
    return pairs


# Order --------------------------------------------------------------------------------------------------------------


class LongestFirst(LoadScopeScheduling):
    """A worker takes a whole file, so that its fixtures are made once, or a whole `xdist_group`.

    xdist's own groups are lost on pytest 9.2: it writes them into the tests' names, which can no longer be written. So a worker tells them in a file.
    """

    def _split_scope(self, nodeid: str) -> str:
        return self.config.stash[PLAN].unit(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst | None:
    return LongestFirst(config, log) if config.getvalue("dist") == "loadgroup" else None


def group(item: pytest.Item) -> str | None:
    """The group of a test; None: it goes with its file."""
    return next((str(mark.args[0]) for mark in item.iter_markers("xdist_group")), None)


def pytest_collection_finish(session: pytest.Session) -> None:
    if told := getattr(session.config, "workerinput", {}).get("groups"):
        Path(told).write_text(json.dumps({item.nodeid: name for item in session.items if (name := group(item))}))


@functools.cache
def _recorded() -> dict[str, float]:
    return json.loads(TIMES.read_text()) if TIMES.exists() else {}


def _seconds(item: pytest.Item) -> float | None:
    """What its unit took; None: nobody has timed it."""
    return _recorded().get(group(item) or item.nodeid.split("::")[0])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What took longest starts first, and what nobody has timed yet before that, so that no worker idles at the end."""
    limit = config.getoption("each_within")
    if limit is not None:
        config.hook.pytest_deselected(items=[item for item in items if (_seconds(item) or 0) > limit])
        items[:] = [item for item in items if (_seconds(item) or 0) <= limit]
    items.sort(key=lambda item: -(float("inf") if (known := _seconds(item)) is None else known))
    if PROVE:
        for item in items:
            inner: Any = getattr(item, "obj", None)
            given = getattr(inner, "_hypothesis_internal_use_settings", None)
            if given is not None and not getattr(inner, "_multiplied", False):
                inner = getattr(inner, "__func__", inner)
                inner._hypothesis_internal_use_settings = settings(given, max_examples=MORE * given.max_examples)
                inner._multiplied = True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-times", action="store_true", help=f"write what each file took into {TIMES.name}, which orders the next runs")
    parser.addoption("--each-within", type=float, metavar="SECONDS", help="leave out the files that took longer the last time")


# Words --------------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a browser its tests are left out, and the summary says so; `make test` tries to install one first."""
    if item.get_closest_marker("browser"):
        from ai_usage_tests.browser import chromium_path

        try:
            chromium_path()
        except AssertionError as error:
            pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.append(("Run it alone", f"{'AI_USAGE_TEST_PROVE=1 ' if PROVE else ''}.venv/bin/pytest -n 0 '{item.nodeid}'"))
    return report


class Plan:
    """Of the process that starts the workers: who runs what, and what the terminal says."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.left_out: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self._folder = tempfile.TemporaryDirectory()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["groups"] = f"{self._folder.name}/groups.json"

    @functools.cached_property
    def _groups(self) -> dict[str, str]:
        told = Path(self._folder.name) / "groups.json"
        return json.loads(told.read_text()) if told.exists() else {}

    def unit(self, nodeid: str) -> str:
        """What one worker runs in one go."""
        return self._groups.get(nodeid) or nodeid.split("::")[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.skipped and isinstance(report.longrepr, tuple):
            self.left_out[report.longrepr[2].removeprefix("Skipped: ")] += 1
        self._show(report, report.when)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._show(report, "collection")

    def _show(self, report: Any, when: Any) -> None:
        terminal: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal:
            terminal.ensure_newline()
            terminal.write_sep("_", f"{report.nodeid}: {when}", red=True)
            terminal._outrep_summary(report)

    def pytest_sessionfinish(self) -> None:
        self.config.option.tbstyle = "no"  # they have been shown; the summary names them

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for why, count in sorted(self.left_out.items()):
            terminalreporter.write_line(f"Left out: {count} {'test' if count == 1 else 'tests'}. {why}", yellow=True)
        if self.config.getoption("write_times"):
            units: dict[str, float] = defaultdict(float)
            for nodeid, seconds in self.seconds.items():
                units[self.unit(nodeid)] += seconds
            kept = {unit: s for unit, s in _recorded().items() if unit not in units and (not unit.endswith(".py") or Path(unit).exists())}
            ordered = sorted((kept | units).items(), key=lambda pair: (-round(pair[1]), pair[0]))
            TIMES.write_text(json.dumps({unit: round(s) for unit, s in ordered}, indent=1) + "\n")


PLAN = pytest.StashKey[Plan]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[PLAN] = Plan(config)
        config.pluginmanager.register(config.stash[PLAN])
