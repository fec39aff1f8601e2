"""The judge is judged: figures that are right pass, and each way of being wrong is called by its name. Facts are written by hand, not by the
platform; truth is the simulator's books."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from ai_usage.simulator import World
from ai_usage_tests.soak import clock, plan, report, score
from ai_usage_tests.soak.rehearsal import Looked, Rehearsal, Result

DAY = date(2026, 10, 21)


@pytest.fixture(scope="module")
def world() -> World:
    return World(3, 6, DAY - timedelta(days=2), DAY + timedelta(days=2), anthropic=True, api_keys=3, analytics="forbidden")


@pytest.fixture
def db(world: World, tmp_path: Path) -> Path:
    """Tables with the columns that are compared, filled from the books."""
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TABLE fct_cost_daily (platform VARCHAR, cost_type VARCHAR, cost_date DATE, user_email VARCHAR, workspace_id VARCHAR, "
            "api_key_id VARCHAR, cost_usd DECIMAL(38, 9))"
        )
        con.execute("CREATE VIEW vw_cost_allocation AS SELECT * FROM fct_cost_daily")
        con.execute(
            "CREATE TABLE fct_usage_daily (platform VARCHAR, source VARCHAR, usage_date DATE, user_email VARCHAR, api_key_id VARCHAR, "
            "model VARCHAR, included_usd DECIMAL(38, 9), list_usd DECIMAL(38, 9), estimated_usd DECIMAL(38, 9), loc_accepted BIGINT, "
            "output_tokens BIGINT)"
        )
        con.execute("CREATE TABLE stg_current_fetches (endpoint VARCHAR, usage_date DATE, row_count BIGINT)")
        for (day, email), usd in world.truth.billed_usd_by_day_user(DAY, DAY).items():
            con.execute("INSERT INTO fct_cost_daily VALUES ('cursor', 'usage', ?, ?, NULL, NULL, ?)", [day, email, usd])
    return path


def cursor_only(db: Path, world: World) -> score.Verdict:
    """The verdict about one ledger: the hand-written tables hold no other."""
    books = score.truth(world, DAY, DAY)
    chosen = books.filter([part == "cursor, USD by person" for part in books["ledger"].to_pylist()])
    assert chosen.num_rows >= 3
    with score.opened(db) as con:
        con.register("truth", chosen)
        rows = con.execute(
            f"SELECT held, truth FROM ({score.COMPARE}) WHERE ledger = 'cursor, USD by person'", {"first": DAY, "last": DAY}
        ).fetchall()
    verdict = score.Verdict()
    for held, expected in rows:
        kind = score.judged(held, expected)
        setattr(verdict, kind, getattr(verdict, kind) + 1)
    return verdict


@pytest.mark.parametrize(
    ("change", "lost", "doubled", "wrong"),
    [
        (None, 0, 0, 0),
        ("DELETE FROM fct_cost_daily WHERE user_email = $who", 1, 0, 0),
        ("INSERT INTO fct_cost_daily SELECT * FROM fct_cost_daily WHERE user_email = $who", 0, 1, 0),
        ("UPDATE fct_cost_daily SET cost_usd = cost_usd + 0.00000001 WHERE user_email = $who", 0, 0, 1),
        ("UPDATE fct_cost_daily SET user_email = 'nobody@example.com' WHERE user_email = $who", 1, 1, 0),
    ],
)
def test_each_error_is_called_by_its_name(db: Path, world: World, change: str | None, lost: int, doubled: int, wrong: int) -> None:
    if change:
        who = min(email for _, email in world.truth.billed_usd_by_day_user(DAY, DAY))
        with duckdb.connect(str(db)) as con:
            con.execute(change, {"who": who})
    found = cursor_only(db, world)
    assert (found.lost, found.doubled, found.wrong) == (lost, doubled, wrong)


def test_the_books_hold_every_ledger(world: World) -> None:
    """A ledger without truth would compare nothing."""
    told = set(score.truth(world, world.first_day, world.last_day)["ledger"].to_pylist())
    asked = {line.split("'")[1] for line in score.HELD.splitlines() if "SELECT '" in line}
    assert told == asked and len(told) == 14


def test_mornings_are_drawn_by_the_seed_and_hold_everything() -> None:
    for seed in (7, 11, 12):
        mornings = plan.draw(seed, 30)
        assert mornings == plan.draw(seed, 30) != plan.draw(seed + 1, 30)
        assert {m.trial for m in mornings} == set(plan.TRIALS) and sum(m.nights for m in mornings) == 30
        days = [m.day + timedelta(days=n) for m in mornings for n in range(m.nights)]
        assert days == [days[0] + timedelta(days=n) for n in range(30)] and plan.CLOCK_CHANGE in days
    short = plan.draw(7, 2)
    assert {m.trial for m in short} == {"run killed", "code server killed"} and short[1].day == plan.CLOCK_CHANGE


def test_the_clock_changes_on_the_day_of_the_plan() -> None:
    before, after = (clock.pacific(plan.CLOCK_CHANGE + timedelta(days=n), 6) for n in (-1, 0))
    assert (before.hour, after.hour) == (13, 14)


def looked(trial: str, on_time: bool, n: int = 0) -> Looked:
    day = DAY + timedelta(days=n)
    return Looked(day, day + timedelta(days=1), trial, deadline=clock.pacific(day + timedelta(days=1), 8), on_time=on_time)


def result(days: list[Looked], opened: list[datetime] | None = None) -> Result:
    alerts = None if opened is None else [{"at": at, "event": "opened", "alert": "ingestion_failed", "cause": "x"} for at in opened]
    return Result(7, [], days=days, alerts=alerts, verdict=score.Verdict(compared=1))


def test_one_late_day_misses_the_target_and_an_excused_one_does_not() -> None:
    good = [looked("calm", True, n) for n in range(5)]
    assert report.passed(result(good))
    assert not report.passed(result([*good, looked("outage", False, 5)]))
    slept = looked("asleep", True, 5)
    slept.excused = True
    assert report.passed(result([*good, slept])) and len(result([*good, slept]).due) == 5
    slept.on_time = False
    assert not report.passed(result([*good, slept]))


def test_alerts_are_scored_where_there_are_any() -> None:
    late, calm = looked("outage", False, 0), looked("calm", True, 3)
    during, at_peace = clock.pacific(late.morning, 6, 20), clock.pacific(calm.morning, 9)

    def found(opened: list[datetime] | None) -> list[tuple[str, bool | None]]:
        return [(line.found, line.met) for line in report.alert_lines(result([late, calm], opened))]

    assert found(None) == [(report.NO_ALERTS, None)]
    assert found([during]) == [("1", True), ("0", True), ("0", True)]
    assert found([]) == [("0", False), ("0", True), ("0", True)]
    assert found([during, at_peace]) == [("1", True), ("1", False), ("0", True)]
    assert found([during, during + timedelta(hours=1)]) == [("1", True), ("0", True), ("1", False)]


def test_a_jump_only_goes_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clock"
    file.write_bytes(bytes(8))
    monkeypatch.setenv(clock.FILE, str(file))
    at = datetime(2026, 10, 21, tzinfo=UTC)
    found = clock.Clock()
    monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone: at))
    found.to(at - timedelta(days=1))
    assert file.read_bytes() == bytes(8)
    found.to(at + timedelta(days=3))
    assert int.from_bytes(file.read_bytes(), "little") == 3 * 86_400 * 10**9


def test_every_trial_can_be_held() -> None:
    for trial in plan.TRIALS:
        assert trial == "asleep" or callable(getattr(Rehearsal, f"_{trial.replace(' ', '_')}"))
    assert set(plan.TRIALS) >= plan.BLOCKING | plan.PEACEFUL
