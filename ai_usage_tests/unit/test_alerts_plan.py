"""The law of telling: opened once, told once, quiet, worse, resolved once; and for any sequence of states.

Belongs here: `alerts/plan.py` without a warehouse: a little world whose clock, causes and addresses the test moves by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ai_usage.alerts import plan, wording
from ai_usage.alerts.conditions import Cause, Found
from ai_usage.alerts.config import load_config
from ai_usage.alerts.plan import Event

CONFIG = load_config()
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUIET = 24  # hours, of ingestion_failed; budget's is 720
ONE = "finance 1 (mailtos)"


def cause(level: int = 1, alert: str = "ingestion_failed", key: str = "a", last_day: date | None = None) -> Cause:
    return Cause(alert, key, "A", Decimal(level), Decimal(0), "days", level=level, last_day=last_day)


@dataclass
class World:
    """A log, and passes over it. `down` are addresses that fail."""

    now: datetime = START
    log: list[Event] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    addresses: tuple[str, ...] = (ONE,)

    def step(
        self, *causes: Cause, hours: float = 1, looked_at: dict[str, date | None] | None = None, crash: bool = False
    ) -> dict[str, list[str]]:
        """A pass some hours later; returns what each address was told. `crash`: after sending, before writing that it was sent."""
        self.now += timedelta(hours=hours)
        found = Found(list(causes), {"ingestion_failed": None, "budget": None} if looked_at is None else looked_at)
        words = wording.labelled(found.causes, CONFIG)
        events = plan.happened(CONFIG, found, self.log, self.now, words)
        self.log += events
        current = plan.current_events(CONFIG, found, self.now, words)
        said: dict[str, list[str]] = {}
        seq = len(events)
        for address in self.addresses:
            items = plan.due(CONFIG, self.log, current, address, self.now)
            failed = address in self.down
            said[address] = [] if failed else [f"{i.told} {i.event.cause_key}" for i in items]
            if not crash:
                for item in items:
                    seq += 1
                    self.log.append(
                        plan.as_told(
                            item, "delivery_failed" if failed else "sent", self.now, seq, "finance", address, "x" if failed else None
                        )
                    )
        return said

    def events(self, *kinds: str) -> list[str]:
        return [e.event for e in self.log if e.event in kinds]


def test_it_is_told_once_and_its_end_once() -> None:
    world = World()
    assert world.step(cause())[ONE] == ["open a"]
    assert world.step(cause())[ONE] == []
    assert world.step()[ONE] == ["resolved a"]
    assert world.step()[ONE] == []
    assert world.events("opened", "resolved", "sent") == ["opened", "sent", "resolved", "sent"]


def test_the_quiet_period_ends_on_the_hour() -> None:
    world = World()
    world.step(cause())
    assert world.step(cause(), hours=QUIET - 0.001)[ONE] == []
    assert world.step(cause(), hours=0.001)[ONE] == ["still a"]
    assert world.log[-1].event == "repeated"


def test_worse_is_told_within_the_quiet_period_and_better_is_not() -> None:
    world = World()
    assert world.step(cause(1, "budget"))[ONE] == ["open a"]
    assert world.step(cause(2, "budget"))[ONE] == ["worse a"]
    assert world.step(cause(1, "budget"))[ONE] == []
    assert world.step(cause(2, "budget"))[ONE] == []
    assert world.step()[ONE] == ["resolved a"]
    assert world.events("opened", "worsened", "resolved") == ["opened", "worsened", "resolved"]


def test_a_cause_that_comes_and_goes_is_no_storm() -> None:
    """On, off, on within the day: one message that it began, one that it ended; the third state is told when the quiet period is over."""
    world = World()
    assert [world.step(cause())[ONE], world.step()[ONE], world.step(cause())[ONE], world.step()[ONE], world.step(cause())[ONE]] == [
        ["open a"], ["resolved a"], [], [], []
    ]  # fmt: skip
    assert world.events("opened", "reopened", "resolved") == ["opened", "resolved", "reopened", "resolved", "reopened"]
    assert world.step(cause(), hours=QUIET)[ONE] == ["open a"]
    assert world.step()[ONE] == ["resolved a"]


def test_each_address_has_its_own_account() -> None:
    world = World(addresses=(ONE, "two"), down={"two"})
    assert world.step(cause()) == {ONE: ["open a"], "two": []}
    world.down.clear()
    assert world.step(cause()) == {ONE: [], "two": ["open a"]}
    assert world.step(cause(), hours=QUIET - 1) == {ONE: ["still a"], "two": []}


def test_what_could_not_be_delivered_is_told_even_when_it_is_over() -> None:
    world = World(down={ONE})
    world.step(cause())
    world.step()
    assert world.events("delivery_failed") == ["delivery_failed"] * 2
    world.down.clear()
    assert world.step()[ONE] == ["resolved a"]
    assert world.step()[ONE] == []


def test_an_end_that_could_not_be_delivered_is_told_later() -> None:
    world = World()
    world.step(cause())
    world.down = {ONE}
    world.step()
    world.down = set()
    assert [world.step()[ONE], world.step()[ONE]] == [["resolved a"], []]


def test_a_crash_between_sending_and_writing_tells_twice_and_never_not_at_all() -> None:
    world = World()
    assert world.step(cause(), crash=True)[ONE] == ["open a"]
    assert world.step(cause())[ONE] == ["open a"]
    assert world.step(crash=True)[ONE] == ["resolved a"]
    assert world.step()[ONE] == ["resolved a"]
    assert world.step()[ONE] == []
    assert world.events("opened", "resolved") == ["opened", "resolved"]


def test_days_that_grew_old_end_without_a_word() -> None:
    """The day left the days looked at: nobody is told that 1 November is over. A day that was corrected while it was looked at is told."""
    old = cause(last_day=date(2026, 11, 1))
    world = World()
    world.step(old)
    assert world.step(looked_at={"ingestion_failed": date(2026, 11, 2)})[ONE] == []
    assert world.log[-1].ending == "aged"
    world = World()
    world.step(old)
    assert world.step(looked_at={"ingestion_failed": date(2026, 11, 1)})[ONE] == ["resolved a"]
    world = World(down={ONE})
    world.step(old)
    world.down.clear()
    assert world.step(looked_at={"ingestion_failed": date(2026, 11, 2)})[ONE] == ["open a"], "nobody has been told of it yet"
    assert world.step(looked_at={"ingestion_failed": date(2026, 11, 2)})[ONE] == []


def test_what_could_not_be_asked_stays_as_it_was() -> None:
    world = World()
    world.step(cause())
    assert world.step(looked_at={})[ONE] == []
    assert world.events("resolved") == []
    assert world.step(cause())[ONE] == []


def test_a_new_address_hears_of_what_is_open_and_not_of_what_is_over() -> None:
    world = World(addresses=())
    world.step(cause(key="a"), cause(key="b"))
    world.step(cause(key="b"))
    world.addresses = (ONE,)
    assert world.step(cause(key="b"))[ONE] == ["open b"]


STATES = st.lists(
    st.tuples(
        st.sets(st.sampled_from(["a", "b"])), st.sampled_from([0.5, 5, 23, 24, 30]), st.booleans(), st.integers(1, 2), st.booleans()
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@given(STATES)
def test_for_any_sequence_of_states(states) -> None:
    """However causes come and go and deliveries fail: a cause is opened at most once a quiet period, resolved exactly once between two openings,
    and nobody is told an opening twice within it, an end twice, or an end without the beginning."""
    world = World()
    for there, hours, works, level, asked in states:
        world.down = set() if works else {ONE}
        causes = [cause(level, key=key) for key in sorted(there)] if asked else []
        world.step(*causes, hours=hours, looked_at=None if asked else {})
    for key in ("a", "b"):
        mine = [e for e in world.log if e.cause_key == key]
        opened = [e.logged_at for e in mine if e.event == "opened"]
        assert all(later - before >= QUIET * HOUR for before, later in pairwise(opened))
        turns = [e.event == "resolved" for e in mine if e.event in ("opened", "reopened", "resolved")]
        assert turns == [n % 2 == 1 for n in range(len(turns))]
        told = [e for e in mine if e.event in ("sent", "repeated")]
        spoken = [e for e in told if e.told != "resolved"]
        for before, later in pairwise(spoken):
            assert later.logged_at - before.logged_at >= QUIET * HOUR or later.level > before.level
        ends = [e.told == "resolved" for e in told]
        assert not any(one and other for one, other in pairwise(ends))
        if ends and ends[0]:
            assert any(e.event == "delivery_failed" and e.told != "resolved" for e in mine)
    # Nothing is lost: one more pass with everything in order tells what is left, and a second one nothing.
    world.down = set()
    final = {e.cause_key: e for e in world.log if e.event in plan.OF_THE_CAUSE}
    still = [cause(1, key=key) for key, e in sorted(final.items()) if e.event != "resolved"]
    world.step(*still, hours=QUIET)
    assert world.step(*still, hours=0.5)[ONE] == []
    for event in (e for e in world.log if e.event == "opened"):
        later = [
            e for e in world.log if e.cause_key == event.cause_key and e.event in ("sent", "repeated") and e.logged_at >= event.logged_at
        ]
        assert later, "an opening that nobody ever heard of"
