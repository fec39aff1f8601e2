"""Who owns which API key, as the company's spreadsheet says.

Belongs here: the rows of the api_keys tab, which the books need as well.
Does not belong here: cells (google_sheets/content.py), what the vendor knows of a key (anthropic/cast.py).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .cast import MANY_NAMES, OWNER

if TYPE_CHECKING:
    from .world import World


class KeyOwner(NamedTuple):
    """One row; `valid_to` is inclusive, None means until further notice."""

    name: str
    email: str
    description: str
    valid_from: date
    valid_to: date | None

    def holds(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def key_owners(world: World) -> list[KeyOwner]:
    people, start, moved = world.cast.people, world.first_day.replace(month=1, day=1), world.cast.moved_on

    def owner(index: int) -> str:
        return people[index % len(people)].email

    rows = [
        KeyOwner("prod-etl", owner(OWNER), "Nightly ETL summaries", start, moved - timedelta(days=1)),
        KeyOwner("prod-etl", owner(7), "Nightly ETL summaries (handed over)", moved, None),
        KeyOwner("support-bot", owner(3), "Answers in the help center", start, None),
        KeyOwner("data-notebooks", owner(MANY_NAMES), "Shared notebooks", start, None),
        KeyOwner("007", owner(1), "Evaluation runs", start, None),
        KeyOwner("nightly-ci", "agent-runner@example.com", "Code review in CI", start, None),
    ]
    return rows + (world.anthropic_org.sheet_rows(start, moved) if world.anthropic else [])
