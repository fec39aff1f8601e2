"""What a vendor is: the one declaration from which settings, clients, runs, assets, checks, labels, FOCUS and documentation follow.

Belongs here: the vocabulary of each vendor's `vendor.py`. Does not belong here: any vendor, and what is made of a declaration. Everything is imported
with it, so a declaration imports its client only when the client is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.given import VendorSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from ai_usage.sources.spool import Spooled
    from ai_usage.sources.walk import FailedWalk

# A client's methods are its vendor's own business: only the declaration beside it calls them, and knows the class of its settings.
Client = Any
Settings = Any
Maker = Callable[[Settings, "Link"], Client]


class Asks(Protocol):
    """A warehouse, as a check sees it."""

    def select(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table: ...


@dataclass(frozen=True)
class Platform:
    """What is used and paid for, as dashboards and FOCUS call it.

    `key`: the value of `platform` in every table. `label`: what people read. `colour`: its place among the colours, from 0. `invoices_as`: who sends the
    bill, the value of `vendor` in `fct_cost_daily`. `service`, `account`: FOCUS's ServiceName and BillingAccountName; `seats_account`: the latter of
    seats, where they have another one. `resource`: FOCUS's ResourceType of what has an id of its own.
    """

    key: str
    label: str
    colour: int
    invoices_as: str
    service: str
    account: str
    seats_account: str | None = None
    resource: str = "API Key"


@dataclass(frozen=True)
class Link:
    """What a client is made with beside its vendor's settings: where it spools, how patient it is, the key file that Google's sources share."""

    source: str
    spool: Path
    http: Mapping[str, Any]
    connections: int
    google_credentials: Path | None = None


@dataclass(frozen=True)
class Reach:
    """What a key can read of an endpoint: nothing, with the sentence why, or the days from `first` to `last`; `note` says why no further."""

    refused: str | None = None
    first: date = date.min
    last: date = date.max
    note: str | None = None

    def of(self, window: Window) -> Window | None:
        """The part of the window that can be asked."""
        first, last = max(window.first, self.first), min(window.last, self.last)
        return None if self.refused or last < first else Window(first, last)


@dataclass(frozen=True)
class Verdict:
    """What a check found: what should be, what is, and what to do; `sample` are rows that show it."""

    passed: bool
    expected: Any
    actual: Any
    remedy: str
    sample: Sequence[Mapping[str, Any]] = ()
    difference: Any = None
    description: str | None = None


@dataclass(frozen=True)
class Check:
    """A question about a table that only this vendor's asks for; a warning. It is made after the table was read, over the days of the run."""

    name: str
    description: str
    ask: Callable[[Asks, Window], Verdict]


@dataclass(frozen=True)
class Question:
    """One endpoint and how it is asked.

    `ask`: reads a window of at most `walk_days` UTC days (a snapshot: today) into the spool. `answers_today`: also about a day that has not ended.
    `client`: makes the client, where it is not the source's. `reach`: what the key can read of these days; absent: all of them. `last`: read after the
    source's others, with which its checks compare it.
    """

    endpoint: Endpoint
    ask: Callable[[Client, Window], Spooled | FailedWalk]
    walk_days: int = 1
    answers_today: bool = False
    client: Maker | None = None
    reach: Callable[[Client, Endpoint, Window], Reach] | None = None
    checks: tuple[Check, ...] = ()
    last: bool = False


@dataclass(frozen=True)
class Source:
    """What one key opens; each is read in a run of its own.

    `name`: of its switch. `client`: makes its client. `probe`: one cheap question for `ai-usage doctor`, given the vendor's settings, what makes a
    client, and today: a sentence, or an error in one. `platforms`: of which it tells cost and use: a day that it lacks is missing from these and from
    no other. `one_moment`: all its questions of a run go to one client, which sees one state. `account`: FOCUS's BillingAccountName of what it bills,
    where that is not the platform's. `has_default_workspace`: lines of its bill without a workspace are the default one's.
    """

    name: str
    client: Maker
    probe: Callable[[Settings, Callable[[Maker], Client], date], str]
    questions: tuple[Question, ...]
    platforms: tuple[str, ...] = ()
    one_moment: bool = False
    account: str | None = None
    has_default_workspace: bool = False


@dataclass(frozen=True)
class Upload:
    """A kind of file that people drop, and the example in its template: a value for each column that has one.

    `named`: how the vendor itself begins the name of such a file. `header`: words that its first row holds, by which a file of any name is known.
    """

    endpoint: Endpoint
    example: Mapping[str, str]
    named: str | None = None
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vendor:
    """Everything that the platform knows of a vendor.

    `name`: of its folders. `kind`: what Dagster's pages show beside its assets, where that is not the name. `settings`: the class in its `settings.py`.
    `stands_in`: files that stand in for what an API did not give, by the beginning of their names. `exports`: files behind which no API stands,
    all of which tell of `platforms`. `claims`: beginnings of platforms' names that mean this vendor where a person writes them.
    `written`: files of its staging SQL that `make docs` writes from its code.
    """

    name: str
    title: str
    platforms: tuple[Platform, ...] = ()
    settings: type[VendorSettings] | None = None
    sources: tuple[Source, ...] = ()
    stands_in: Mapping[str, Upload] = field(default_factory=dict, hash=False)
    exports: Mapping[str, Upload] = field(default_factory=dict, hash=False)
    kind: str | None = None
    claims: tuple[str, ...] = ()
    written: Mapping[str, Callable[[], str]] = field(default_factory=dict, hash=False)

    @property
    def questions(self) -> tuple[Question, ...]:
        return tuple(question for source in self.sources for question in source.questions)
