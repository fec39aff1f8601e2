"""What goes wrong on which morning: drawn from the seed, so that a rehearsal can be held again.

Belongs here: the trials by name and their order. Does not belong here: how a trial is done (`rehearsal.py`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

CLOCK_CHANGE = date(2026, 11, 1)  # Los Angeles goes back to standard time: 06:00 is 14:00 UTC from here on, 13:00 before

TRIALS = {
    "calm": "nothing goes wrong",
    "rough vendors": "429 with and without Retry-After, 500, 503, 529, cut and reset answers at every endpoint",
    "outage": "every vendor answers 503 until 07:00",
    "run killed": "SIGKILL of the run, in the middle of a write",
    "daemon killed": "SIGKILL of the daemon while the run works; back five minutes later",
    "daemon late": "the daemon is dead at 06:00; back at 06:30",
    "code server killed": "SIGKILL of the code server and its run; back at once",
    "code server late": "SIGKILL of the code server when the run is queued; back at 06:20",
    "power cut": "SIGKILL of everything in the middle of a write; back at 06:20",
    "warehouse held": "another process holds the DuckDB file for some seconds",
    "warehouse held long": "another process holds the DuckDB file until 06:40",
    "disk full": "ENOSPC on the data folder's disk until 06:40",
    "sheet edited": "somebody edits the sheet at noon",
    "asleep": "the machine sleeps for three mornings",
}
# What no retry heals: a run fails, data waits for an hour, and somebody must be told, once.
BLOCKING = frozenset({"outage", "warehouse held long", "disk full"})
# What heals by itself, without a failed run that anybody should hear of.
PEACEFUL = frozenset({"calm", "rough vendors", "warehouse held", "sheet edited", "daemon late"})
OFTEN = ("calm", "calm", "calm", "calm", "rough vendors", "rough vendors", "run killed", "code server killed", "daemon killed", "outage")


@dataclass(frozen=True)
class Morning:
    """One trial and the restatements that the vendors publish in the night before it."""

    day: date
    trial: str
    restate: tuple[tuple[str, str], ...] = ()  # (vendor, kind)
    nights: int = 1  # how many mornings it takes


def draw(seed: int, days: int, chosen: Sequence[str] = ()) -> list[Morning]:
    """Mornings in order; those of the `chosen` trials, where any are; else over at least 16 days every trial is among them; the change of the clocks always is."""
    rng = random.Random(f"rehearsal/{seed}")
    first = CLOCK_CHANGE - timedelta(days=days // 2)
    trials = [t for t in TRIALS if t != "asleep" or days >= 16]
    if len(trials) + 2 * ("asleep" in trials) > days:
        trials = (["run killed", "code server killed", *rng.sample(trials, len(trials))])[:days]
    while sum(3 if t == "asleep" else 1 for t in trials) < days:
        trials.append(rng.choice(OFTEN))
    rng.shuffle(trials)
    trials = list(chosen) or trials
    mornings, day = [], first
    for trial in trials:
        kinds = tuple((vendor, rng.choice(["up", "down", "empty"])) for vendor in ("cursor", "anthropic") if rng.random() < 0.3)
        nights = 3 if trial == "asleep" else 1
        mornings.append(Morning(day, trial, kinds, nights))
        day += timedelta(days=nights)
    return mornings
