"""The company's Anthropic organization: workspaces, users, API keys, and whose they are.

Belongs here: the directory as the vendor keeps it, the awkward keys, the rule that says who owns a key on a day.
Does not belong here: usage (days.py), the JSON of the directory (api.py).

A key belongs to one workspace for ever. The first twelve keys are the awkward cases, by name in KEYS; further ones are
ordinary. Keys of Claude Code are on top of `api_keys`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from ..cast import MANY_NAMES, REMOVED, SERVICE, Cast, Person
from ..key_owners import KeyOwner
from .catalog import HAIKU, OLDER, OPUS, SONNET

ORGANIZATION = "dc9f6c26-0000-4000-8000-000000000001"
ENTERPRISE = "dc9f6c26-0000-4000-8000-000000000002"
SERVICE_ACCOUNT = "svac_01NightlyCi000000000000000"


@dataclass(frozen=True, slots=True)
class Workspace:
    """`id` as the directory has it; `reported` as the legacy reports have it: null for the default workspace."""

    id: str
    name: str
    created_at: str
    archived_at: str | None = None
    color: str = "#6C5BB9"
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def reported(self) -> str | None:
        return None if self.name == "Default" else self.id


def _workspace(name: str, color: str, archived: str | None = None, **tags: str) -> Workspace:
    made = "2025-03-04T09:15:00.000000Z"
    return Workspace(f"wrkspc_01{name.replace(' ', '')}".ljust(29, "0"), name, made, archived, color, tuple(tags.items()))


DEFAULT = _workspace("Default", "#6C5BB9")
PRODUCTION = _workspace("Production", "#3B82F6", cost_center="CC-100")
EVALUATION = _workspace("Evaluation", "#10B981", cost_center="CC-200")
CLAUDE_CODE = _workspace("Claude Code", "#D97757")
PROTOTYPES = _workspace("Prototypes", "#999999", archived="2026-09-15T12:00:00.000000Z")
WORKSPACES = (PRODUCTION, EVALUATION, CLAUDE_CODE, PROTOTYPES, DEFAULT)


@dataclass(frozen=True, slots=True)
class User:
    id: str
    email: str  # as the vendor spells it
    name: str
    role: str
    added_at: str
    person: int


class Actor(NamedTuple):
    type: str  # user_actor | service_account_actor | api_actor
    id: str
    person: int = -1


@dataclass(frozen=True, slots=True)
class Key:
    index: int
    id: str
    name: str
    workspace: Workspace
    creator: tuple[str, str] | None  # (type, id)
    person: int  # the creating person; -1: none
    status: str = "active"
    expires_at: str | None = None
    principal: bool = False  # acts as its creator
    last_day: date | None = None  # no usage afterwards
    size: float = 1.0
    models: tuple[str, ...] = (SONNET,)
    batch: bool = False
    long: bool = False
    us: bool = False
    priority: bool = False
    search: bool = False

    @property
    def actor(self) -> Actor:
        if self.principal and self.creator:
            kind = "user_actor" if self.creator[0] == "user" else "service_account_actor"
            return Actor(kind, self.creator[1], self.person)
        return Actor("api_actor", self.id)


class Kind(NamedTuple):
    name: str
    workspace: Workspace
    creator: int | None  # a person; SERVICE_CREATED; None: the vendor does not say
    models: tuple[str, ...]
    flags: str = ""
    size: float = 1.0


SERVICE_CREATED = -2
KEYS = (
    Kind("prod-etl", PRODUCTION, 0, (SONNET, HAIKU), "batch us priority", 2.0),  # the sheet hands it over on a day
    Kind("support-bot", PRODUCTION, 3, (SONNET,), "search", 1.5),
    Kind("data-notebooks", DEFAULT, 5, (OPUS, SONNET), "long"),
    Kind("007", EVALUATION, 1, (OPUS, SONNET, HAIKU), "batch long"),
    Kind("nightly-ci", PRODUCTION, SERVICE_CREATED, (SONNET,), "principal"),
    Kind("search-indexer", PRODUCTION, 5, (HAIKU, OLDER), "search"),  # in no sheet: its creator owns it
    Kind("shadow-batch", EVALUATION, SERVICE_CREATED, (HAIKU,), "batch principal", 0.5),  # nobody owns it
    Kind("release-notes", PRODUCTION, 8, (SONNET,), "", 0.6),  # in the sheet only from a day on
    Kind("eval-harness", EVALUATION, 1, (OPUS, SONNET), "batch", 0.8),  # the sheet writes an alias of its owner
    Kind("batch-reports", DEFAULT, REMOVED, (SONNET,), "batch", 0.4),  # made by a user since removed: no owner
    Kind("old-prototype", PROTOTYPES, 6, (OLDER,), "archived", 0.7),  # archived; old usage remains
    Kind("legacy-default", DEFAULT, None, (SONNET,), "inactive", 0.0),  # never used; no creator
)


class Org:
    def __init__(self, seed: int, cast: Cast, first_day: date, last_day: date, api_keys: int, claude_code_users: int | None):
        if api_keys < 1:
            raise ValueError("an organization has at least one API key")
        self._cast = cast
        self.users = tuple(_user(p) for p in cast.people if p.index != REMOVED)
        self.user_of = {user.person: user for user in self.users}
        archived_on = first_day + (last_day - first_day) // 4
        made = [_key(seed, n, cast, archived_on) for n in range(api_keys)]
        wanted = min(12, len(self.users)) if claude_code_users is None else min(claude_code_users, len(self.users))
        self.claude_code_users = self.users[:wanted]
        self.code_keys: dict[int, Key] = {}  # by person
        for user in self.claude_code_users:
            if customer_types(user.person)[0] == "api":
                self.code_keys[user.person] = _code_key(api_keys + len(self.code_keys), cast.people[user.person], user)
        number = api_keys + len(self.code_keys)
        self.ci_key = Key(
            number, _id("apikey_01", "ClaudeCodeCi", number), "claude_code_ci", CLAUDE_CODE,
            ("service_account", SERVICE_ACCOUNT), -1, size=0.3, models=(SONNET,),
        )  # fmt: skip
        self.keys = (*made, *self.code_keys.values(), self.ci_key)
        self.by_id = {key.id: key for key in self.keys}
        self.playground = self.users[5 % len(self.users)]  # whoever tries things in the console

    def sheet_rows(self, start: date, moved: date) -> list[KeyOwner]:
        """What the company writes of these keys beyond what it had written before."""
        people = self._cast.people
        odd = people[MANY_NAMES % len(people)]
        alias = odd.aliases[0].upper() if odd.aliases else odd.email
        rows = [
            KeyOwner("release-notes", people[9 % len(people)].email, "Drafts release notes", moved, None),
            KeyOwner("eval-harness", alias, "Nightly evaluations", start, None),
            KeyOwner("old-prototype", people[6 % len(people)].email, "Stopped", start, None),
            KeyOwner("claude_code_ci", SERVICE.email, "Claude Code in CI", start, None),
        ]
        for key in self.keys[len(KEYS) :]:
            if key.workspace is not CLAUDE_CODE and key.index % 4:
                rows.append(KeyOwner(key.name, people[(key.index * 5) % len(people)].email, "Application", start, None))
        names = {key.name for key in self.keys}
        return [row for row in rows if row.name in names]

    def owner_on(self, key_id: str | None, day: date, sheet: list[KeyOwner]) -> str | None:
        """The sheet's owner as of the day; else the creating user, if the vendor still lists it; else nobody."""
        key = self.by_id.get(key_id) if key_id else None
        if key is None:
            return None
        for row in sheet:
            if row.name == key.name and row.holds(day):
                return self._cast.canonical(row.email)
        user = self.user_of.get(key.person)
        return self._cast.canonical(user.email) if user else None

    def members(self, workspace: Workspace) -> list[tuple[User, str]]:
        if workspace is CLAUDE_CODE:
            return [(user, "workspace_user") for user in self.claude_code_users]
        chosen = self.users if workspace is DEFAULT else self.users[: max(3, len(self.users) // 2)]
        return [(u, "workspace_admin" if n == 0 else "workspace_developer") for n, u in enumerate(chosen)]


def customer_types(person: int) -> tuple[str, ...]:
    """How a person pays for Claude Code: an API key, a seat, or both."""
    if person % 7 == 6:
        return "api", "subscription"
    return ("subscription",) if person % 4 == 2 else ("api",)


def _id(prefix: str, name: str, number: int) -> str:
    plain = "".join(c for c in name if c.isalnum())
    return f"{prefix}{plain[:14].ljust(14, '0')}{number:06d}"


def user_id(person: Person) -> str:
    return _id("user_01", person.first + person.last, person.index)


def _user(person: Person) -> User:
    role = "admin" if person.index == 0 else ("developer", "claude_code_user", "user")[person.index % 3]
    email = person.accounts[0].email  # spelled as other vendors do: case and all
    added = f"{date(2025, 3, 4) + timedelta(days=person.index % 300)}T09:12:44.102331Z"
    return User(user_id(person), email, person.name, role, added, person.index)


def _key(seed: int, number: int, cast: Cast, archived_on: date) -> Key:
    people = cast.people
    rng = random.Random(f"anthropic/key/{seed}/{number}")
    if number < len(KEYS):
        kind = KEYS[number]
    else:
        place = (PRODUCTION, EVALUATION, DEFAULT)[number % 3]
        models = ((SONNET,), (OPUS, SONNET), (HAIKU,), (SONNET, HAIKU))[int(rng.random() * 4)]
        flags = " ".join(f for f, share in (("batch", 0.25), ("long", 0.15), ("search", 0.1)) if rng.random() < share)
        kind = Kind(f"app-{number:03d}", place, number % len(people), models, flags, 0.2 + rng.random())
    given = set(kind.flags.split())
    creator: tuple[str, str] | None = None
    person = -1
    if kind.creator == SERVICE_CREATED:
        creator = "service_account", SERVICE_ACCOUNT
    elif kind.creator is not None:
        # A removed user stays removed in a company too small to have had one.
        person = kind.creator if kind.creator == REMOVED else kind.creator % len(people)
        creator = "user", user_id(people[person]) if person < len(people) else _id("user_01", "Gone", person)
    return Key(
        number,
        _id("apikey_01", kind.name.title(), number),
        kind.name,
        kind.workspace,
        creator,
        person,
        status="archived" if "archived" in given else "inactive" if "inactive" in given else "active",
        expires_at="2027-01-15T10:00:00Z" if kind.name == "support-bot" else None,
        principal="principal" in given,
        last_day=archived_on if "archived" in given else None,
        size=kind.size,
        models=kind.models,
        batch="batch" in given,
        long="long" in given,
        us="us" in given,
        priority="priority" in given,
        search="search" in given,
    )


def _code_key(number: int, person: Person, user: User) -> Key:
    local = person.email.partition("@")[0].replace(".", "_")
    tail = "".join("abcdefghjkmnpqrstuvwxyz"[ord(c) % 23] for c in f"{person.index * 7919:04d}"[-4:])
    return Key(
        number, _id("apikey_01", f"ClaudeCode{person.first}", number), f"claude_code_key_{local}_{tail}", CLAUDE_CODE,
        ("user", user.id), person.index, principal=True, size=person.appetite, models=(OPUS, SONNET, HAIKU),
    )  # fmt: skip
