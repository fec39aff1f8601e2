"""Who works at the invented company, and under which names the vendor knows them.

Belongs here: people, departments, vendor accounts, the awkward cases every real directory has, and folding
a vendor's e-mail to its person.
Does not belong here: what they do (events.py), or how the sheet writes it down (google_sheets/content.py).

Person number i is the same for any size of company. The awkward cases have fixed numbers: 0 the owner, 1
changes department, 2 has three vendor e-mails, 3 is missing in the people sheet, 4 was removed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

OWNER, MOVER, MANY_NAMES, UNKNOWN, REMOVED = range(5)
DOMAIN = "example.com"

FIRST = [
    "Ana",
    "Ben",
    "Chloe",
    "Dana",
    "Eli",
    "Farah",
    "Gus",
    "Hana",
    "Ivo",
    "Jun",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Omar",
    "Pia",
    "Quinn",
    "Rosa",
    "Sven",
    "Tara",
    "Uma",
    "Vito",
    "Wen",
    "Xena",
    "Yara",
    "Zane",
    "Alba",
    "Bruno",
    "Cora",
    "Diego",
    "Edda",
    "Finn",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Luca",
    "Mina",
    "Nils",
]
LAST = [
    "Example",
    "Rivers",
    "Meadow",
    "Harbor",
    "Stone",
    "Woods",
    "Field",
    "Brook",
    "Hill",
    "Lake",
    "Marsh",
    "Glen",
    "Vale",
    "Heath",
    "Banks",
    "Moor",
    "Grove",
    "Shore",
    "Ridge",
    "Cove",
]

DEPARTMENTS = {
    "Engineering": ("CC-100", (".py", ".ts", ".go")),
    "Data": ("CC-200", (".sql", ".py", ".ipynb")),
    "Product": ("CC-300", (".md", ".ts", ".md")),
    "Design": ("CC-400", (".css", ".tsx", ".css")),
    "Finance": ("CC-500", (".sql", ".csv", ".py")),
}
# Twelve seats of the company's shape, repeated: half of it is Engineering.
_SHAPE = [
    "Engineering",
    "Engineering",
    "Data",
    "Product",
    "Engineering",
    "Design",
    "Engineering",
    "Data",
    "Engineering",
    "Finance",
    "Product",
    "Engineering",
]


@dataclass(frozen=True, slots=True)
class Account:
    """A member as the vendor lists it; a person can have several."""

    user_id: str
    name: str
    email: str
    role: str
    removed: bool
    person: int


@dataclass(frozen=True, slots=True)
class Person:
    index: int
    first: str
    last: str
    email: str
    department: str
    aliases: tuple[str, ...]
    accounts: tuple[Account, ...]
    appetite: float  # 1.0 = the company's average
    taste: tuple[float, ...] = field(repr=False)  # cumulative share of each model
    extension: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    id: str = "sa_example01"
    name: str = "Nightly CI Agent"
    email: str = f"agent-runner@{DOMAIN}"
    cloud_agent_id: str = "bc-example-01"
    automation_id: str = "7fc64f90-0000-4a5d-91b1-000000000001"


@dataclass(frozen=True, slots=True)
class Assignment:
    email: str
    department: str
    cost_center: str
    valid_from: date
    valid_to: date | None  # inclusive


SERVICE = ServiceAccount()


class Cast:
    def __init__(self, seed: int, people: int, first_day: date, last_day: date) -> None:
        if people < 1:
            raise ValueError("a company has at least one person")
        self.people = tuple(_person(seed, i) for i in range(people))
        self.accounts = tuple(a for p in self.people for a in p.accounts)
        self.moved_on = first_day + (last_day - first_day) // 2 + timedelta(days=1)
        self._fold = {SERVICE.email: SERVICE.email}
        for person in self.people:
            self._fold[person.email] = person.email
            self._fold.update((alias, person.email) for alias in person.aliases)
        self.assignments = tuple(self._assignments(date(first_day.year, 1, 1)))

    def canonical(self, email: str) -> str:
        """The person behind a vendor's e-mail: case, plus-tags and aliases folded."""
        local, _, domain = email.strip().lower().partition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        return self._fold.get(plain, plain)

    def assignment_on(self, email: str, day: date) -> Assignment | None:
        email = self.canonical(email)
        for row in self.assignments:
            if row.email == email and row.valid_from <= day and (row.valid_to is None or day <= row.valid_to):
                return row
        return None

    def _assignments(self, start: date):
        for person in self.people:
            center = DEPARTMENTS[person.department][0]
            if person.index == UNKNOWN:
                continue
            if person.index == MOVER:
                yield Assignment(person.email, person.department, center, start, self.moved_on - timedelta(days=1))
                yield Assignment(person.email, "Product", DEPARTMENTS["Product"][0], self.moved_on, None)
            else:
                yield Assignment(person.email, person.department, center, start, None)
        yield Assignment(SERVICE.email, "Engineering", DEPARTMENTS["Engineering"][0], start, None)


def _person(seed: int, index: int) -> Person:
    rng = random.Random(f"cast/{seed}/{index}")
    lap, place = divmod(index, len(FIRST))
    first, last = FIRST[place], LAST[(lap + 7 * place) % len(LAST)]
    if index >= len(FIRST) * len(LAST):
        last += str(index)
    local = f"{first}.{last}".lower()
    email = f"{local}@{DOMAIN}"
    department = _SHAPE[index % len(_SHAPE)]
    luck = rng.random()
    appetite = 2.6 if luck > 0.88 else 0.35 if luck < 0.30 else 0.6 + rng.random() * 0.9
    if index == OWNER:
        appetite = 1.4
    weights = [0.15 + rng.random() ** 2 * 3 for _ in range(5)]
    total, run, taste = sum(weights), 0.0, []
    for weight in weights:
        run += weight / total
        taste.append(run)
    user_id = f"user_{first}{last}".ljust(29, "0")
    role = "owner" if index == OWNER else "member"
    emails: list[str] = [email]
    aliases: tuple[str, ...] = ()
    if index == MANY_NAMES:
        alias = f"{first[0]}{last}@{DOMAIN}".lower()
        emails, aliases = [f"{first}.{last}@Example.com", f"{local}+cursor@{DOMAIN}", alias], (alias,)
    accounts = tuple(
        Account(user_id[:28] + str(n), f"{first} {last}", mail, role, index == REMOVED, index) for n, mail in enumerate(emails)
    )
    extension = DEPARTMENTS[department][1][int(rng.random() * 3)]
    return Person(index, first, last, email, department, aliases, accounts, appetite, tuple(taste), extension)
