"""Faults that a careful client survives: the tables end in exact truth, and nothing is lost or doubled.

Every fault strikes every endpoint that the platform reads; that it struck is read from the simulator's own log. What follows from raw is computed
once more where it says something new, and by `make prove` each time: the same raw tables give the same facts (properties/test_laws.py).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from ai_usage.loading import LoadReport
from ai_usage.simulator import Fault, script
from ai_usage.simulator.google_sheets.sheet import Cell
from ai_usage_tests.fixtures.company import (
    CURATED,
    DAYS,
    FIRST,
    LAST,
    MARTS,
    PATHS,
    RAW,
    Company,
    Prepared,
    assert_books,
    assert_same,
    company,
    load_raw,
    new_world,
    opened,
    rows,
    snapshot,
)  # fmt: skip
from ai_usage_tests.proving import PROVE, some

BUSY = max(DAYS, key=new_world().truth.events_by_day().__getitem__)
ONCE = {
    "429 with seconds": {"kind": "429", "retry_after": 1},
    "429 with a date": {"kind": "429", "retry_after": "date"},
    "429 without a hint": {"kind": "429"},
    "500": {"kind": "500"},
    "503": {"kind": "503"},
    "529": {"kind": "529"},
    "truncated": {"kind": "truncated"},
    "reset": {"kind": "reset"},
    "reset in the middle": {"kind": "reset_mid"},
    "slow": {"kind": "slow", "seconds": 0.2},
    "html": {"kind": "html"},
    "moving total": {"kind": "moving_total"},
    "nulls for absent fields": {"kind": "extra_null"},
}


# An answer survives six faults, so `make test` lets those of a kind strike one after another, each every endpoint; `make prove` also each alone.
IN_A_ROW = {
    "429 in three ways": ["429 with seconds", "429 with a date", "429 without a hint"],
    "5xx and a late answer": ["500", "503", "529", "slow"],
    "answers cut off": ["truncated", "reset", "reset in the middle", "html"],
    "moving total": ["moving total"],
    "nulls for absent fields": ["nulls for absent fields"],
}
LATER = (*CURATED, *MARTS)


def load(firm: Company, empty: Path, first: date = FIRST, last: date = LAST, *, whole: bool = PROVE) -> dict[str, LoadReport]:
    """Raw tables alone, and all the others when `whole`."""
    firm.data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(empty, firm.db)
    if whole:
        return firm.load(first, last)
    with firm.runtime() as runtime:
        return load_raw(runtime, first, last)


def tables(firm: Company, without: Sequence[str] = (), *, whole: bool = PROVE) -> dict[str, list[str]]:
    return snapshot(firm.db, without=without if whole else (*without, *LATER))


@pytest.fixture(scope="module")
def clean(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tables of a run without such faults, but for the states of sources, which a load alone does not record."""
    path = tmp_path_factory.mktemp("clean") / "w.duckdb"
    shutil.copyfile(prepared.db, path)
    with opened(path, read_only=False) as con:
        con.execute("DELETE FROM source_states")
    assert_books(path, new_world())
    return snapshot(path)


def test_every_fault_strikes() -> None:
    assert sorted(name for names in IN_A_ROW.values() for name in names) == sorted(ONCE)


@pytest.mark.parametrize("names", some(IN_A_ROW.values(), [*IN_A_ROW.values(), *([name] for name in ONCE)]), ids=", ".join)
def test_faults_on_every_endpoint_change_nothing(names: list[str], tmp_path: Path, empty_file: Path, clean: dict[str, list[str]]) -> None:
    whole = PROVE or "reset in the middle" in names or "nulls for absent fields" in names
    waits = "retry_after" in ONCE[names[0]]  # those that wait, on two
    paths = [PATHS[p] for p in (("filtered-usage-events", "sheet") if waits else PATHS)]
    with company(tmp_path, faults=[Fault(path=path, **ONCE[name]) for path in paths for name in names]) as firm:
        reports = load(firm, empty_file, whole=whole)
        struck = sorted((next(p for p in PATHS.values() if r.path.startswith(p)), r.fault) for r in firm.sim.log if r.fault)
        assert struck == sorted((path, ONCE[name]["kind"]) for path in paths for name in names), (
            "a fault did not reach every endpoint, so the rest would prove nothing"
        )
        assert not any(report.failures for report in reports.values())
        without = RAW if "nulls for absent fields" in names else ()  # a new field, though null, is kept in `extra`
        found = tables(firm, without, whole=whole)
        assert_same(found, {k: clean[k] for k in found}, ", ".join(names))
        if whole:
            assert_books(firm.db, firm.world)


def test_the_rough_script(tmp_path: Path, empty_file: Path) -> None:
    """A mix of everything, again and again, on several windows at once."""
    with company(tmp_path) as firm:
        for fault in script("rough", 3):
            firm.sim.add_fault(fault)
        load(firm, empty_file)
        firm.load()
        assert_books(firm.db, firm.world)


@pytest.fixture(scope="module")
def many() -> object:
    """One day that fills three pages of 1000."""
    return new_world(first_day=BUSY, last_day=BUSY, events_per_person_day=500.0)


@pytest.mark.parametrize("kind", ["repeated_page", "moving_total", "truncated", "reset_mid", "html", "500", "429"])
def test_a_fault_on_a_later_page(kind: str, many: object, tmp_path: Path, empty_file: Path) -> None:
    """A page chain that breaks in its middle: no page is doubled or skipped."""
    with company(tmp_path, many, [Fault(kind, match={"page": 2})]) as firm:  # type: ignore[arg-type]
        whole = PROVE or kind == "repeated_page"
        reports = load(firm, empty_file, BUSY, BUSY, whole=whole)
        assert [r.fault for r in firm.log(PATHS["filtered-usage-events"])].count(kind) == 1
        assert not reports["filtered-usage-events"].failures
        [(events, usd)] = rows(
            firm.db, "SELECT row_count, vendor_total_usd FROM stg_current_fetches WHERE endpoint = 'filtered-usage-events'"
        )
        assert events == firm.world.truth.events_by_day(BUSY, BUSY)[BUSY] > 2000
        assert usd == firm.world.truth.billed_usd_by_day(BUSY, BUSY)[BUSY] > 0
        raw = "SELECT COUNT(*), SUM(CASE WHEN billing = 'billed' THEN charged_usd ELSE 0 END) FROM stg_cursor_events"
        assert rows(firm.db, raw) == [(events, usd)]
        if whole:
            assert_books(firm.db, firm.world, BUSY, BUSY)


def test_a_page_repeated_under_its_own_number_is_noticed(many: object, tmp_path: Path) -> None:
    """The vendor sends page 1's events and calls them page 2: the count alone would agree, and money would be doubled and lost."""
    with company(tmp_path, many) as firm:  # type: ignore[arg-type]
        vendor = next(v for v in firm.sim._vendors if v.name == "cursor")
        plain_page, done = vendor.events.page, []

        def page(start: int, end: int, number: int, size: int, filters: dict) -> bytes:
            if number == 2 and not done:
                done.append(1)
                first = plain_page(start, end, 1, size, filters)  # byte for byte, but for the number it claims
                claimed = re.sub(rb'"currentPage": ?1\b', b'"currentPage":2', first)
                assert claimed != first
                return claimed
            return plain_page(start, end, number, size, filters)

        vendor.events.page = page
        firm.load(BUSY, BUSY)
        assert done
        assert_books(firm.db, firm.world, BUSY, BUSY)


def test_unknown_fields_are_kept_and_reported(tmp_path: Path, empty_file: Path, clean: dict[str, list[str]]) -> None:
    faults = [Fault("unknown_field", PATHS[p], times=None) for p in ("filtered-usage-events", "daily-usage-data", "members", "spend")]
    with company(tmp_path, faults=faults) as firm:
        head, ana = firm.world.sheet.tab("people").rows[:2]
        head.append(Cell("favourite_colour"))
        ana.append(Cell("blue"))
        reports = load(firm, empty_file, whole=True)
        for name in ("filtered-usage-events", "daily-usage-data", "members", "spend"):
            assert "vendorSurprise" in reports[name].unknown_fields
            table = {"filtered-usage-events": "events", "daily-usage-data": "usage"}.get(name, name)
            [(every, kept)] = rows(
                firm.db,
                f"SELECT COUNT(*), COUNT(*) FILTER (json_extract_string(extra, '$.vendorSurprise') = 'new') FROM raw_cursor_{table}",
            )
            assert every == kept > 0
        assert rows(
            firm.db, "SELECT json_extract_string(extra, '$.favourite_colour') FROM raw_sheet_people ORDER BY sheet_row LIMIT 1"
        ) == [("blue",)]
        assert_books(firm.db, firm.world)
        names = ("fct_cost_daily", "fct_usage_daily", "dim_users", "dim_user_assignments")
        assert_same(snapshot(firm.db, only=names), {name: clean[name] for name in names})


def test_the_days_of_the_world_are_the_days_held(clean: dict[str, list[str]]) -> None:
    """Guards the tests above: the clean run holds all ten days of both windowed endpoints."""
    held = [r for r in clean["stg_current_fetches"] if "'filtered-usage-events'" in r]
    assert len(held) == len(DAYS) == (LAST - FIRST).days + 1
