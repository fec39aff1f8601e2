"""What is due: from the log and the causes of this moment to events and messages. Pure: no clock, no warehouse, no network.

Belongs here: the law of telling.

- A cause opens when it appears and is resolved when it is gone; between two resolutions it opens once. Within its quiet period it does not open
  again: it is `reopened`, and whoever was told is told again only when the period is over, or when it is worse than what was told.
- Each destination keeps its own account: what one accepted is not sent to it again because another one failed.
- The end of a cause is told once, to those who were told of it or should have been. A cause that merely grew old (its days left the days that
  the alert looks at, or the alert was switched off) ends without a word.
- An alert that could not be looked at leaves its causes as they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ai_usage.alerts.conditions import Cause, Found
from ai_usage.alerts.config import Config

OF_THE_CAUSE = ("opened", "reopened", "worsened", "resolved")
TOLD_OF_IT = ("open", "worse", "still")
Key = tuple[str, str]


@dataclass(frozen=True)
class Event:
    """One row of `alert_log`."""

    logged_at: datetime
    seq: int
    event: str
    alert: str
    cause_key: str
    severity: str
    level: int
    subject: str
    headline: str
    figure: Decimal | None
    usual: Decimal | None
    unit: str
    likely_reason: str | None = None
    moved_by: str | None = None
    since: date | None = None
    first_day: date | None = None
    last_day: date | None = None
    ending: str | None = None
    audience: str | None = None
    destination: str | None = None
    told: str | None = None
    error: str | None = None
    run_id: str | None = None

    @property
    def key(self) -> Key:
        return self.alert, self.cause_key


@dataclass(frozen=True)
class Due:
    """One thing to tell one destination: `told` is open, worse, still or resolved; `event` holds the words and figures."""

    told: str
    event: Event
    repeated: bool


@dataclass(frozen=True)
class History:
    """What the log says of one cause: the last opening, the last event, and each destination's account."""

    opened_at: datetime | None
    last: Event | None
    """The last event of the cause itself."""
    accepted: Mapping[str, tuple[Event, ...]]
    """By destination: what it accepted, in order."""
    failed: Mapping[str, Event]
    """By destination: its last failed delivery, where nothing was accepted after it."""

    @property
    def is_open(self) -> bool:
        return self.last is not None and self.last.event != "resolved"


def histories(log: Iterable[Event]) -> dict[Key, History]:
    """The log by cause."""
    grouped: dict[Key, list[Event]] = defaultdict(list)
    for event in sorted(log, key=lambda e: (e.logged_at, e.seq)):
        grouped[event.key].append(event)
    found = {}
    for key, events in grouped.items():
        of_cause = [e for e in events if e.event in OF_THE_CAUSE]
        accepted: dict[str, list[Event]] = defaultdict(list)
        failed: dict[str, Event] = {}
        for event in events:
            if event.destination and event.event in ("sent", "repeated"):
                accepted[event.destination].append(event)
                failed.pop(event.destination, None)
            elif event.destination and event.event == "delivery_failed":
                failed[event.destination] = event
        opened = [e.logged_at for e in of_cause if e.event == "opened"]
        found[key] = History(
            opened[-1] if opened else None, of_cause[-1] if of_cause else None, {d: tuple(e) for d, e in accepted.items()}, failed
        )
    return found


def happened(config: Config, found: Found, log: Sequence[Event], now: datetime, words: Mapping[Key, Mapping[str, Any]]) -> list[Event]:
    """The events of causes since the log was written: opened, reopened, worsened, resolved. `words` are the texts of each cause of `found`."""
    known = histories(log)
    events: list[Event] = []

    def note(kind: str, event: Event, **more: Any) -> None:
        blank: dict[str, Any] = {"audience": None, "destination": None, "told": None, "error": None, "ending": None}
        events.append(replace(event, **{**blank, "event": kind, "logged_at": now, "seq": len(events) + 1, **more}))

    for cause in found.causes:
        one, history = config.alerts[cause.alert], known.get(cause.key)
        fresh = _event(cause, one.severity, now, words[cause.key])
        if history is None or not history.is_open:
            quiet = history is not None and history.opened_at is not None and now - history.opened_at < timedelta(hours=one.quiet_hours)
            note("reopened" if quiet else "opened", fresh)
        elif history.last is not None and cause.level > history.last.level:
            note("worsened", fresh)
    there = {cause.key for cause in found.causes}
    for key, history in known.items():
        if not history.is_open or history.last is None or key in there:
            continue
        alert = config.alerts.get(key[0])
        if alert is None or not alert.enabled:
            note("resolved", history.last, ending="aged")
        elif key[0] in found.looked_at:
            start, last_day = found.looked_at[key[0]], history.last.last_day
            aged = start is not None and last_day is not None and last_day < start
            note("resolved", history.last, ending="aged" if aged else "over")
    return events


def due(config: Config, log: Sequence[Event], current: Mapping[Key, Event], destination: str, now: datetime) -> list[Due]:
    """What this destination has to be told now. `log` holds the events of this pass already; `current` the words of causes that are there now.

    Alerts that no file names any more are left alone.
    """
    found: list[Due] = []
    for key, history in sorted(histories(log).items()):
        alert = config.alerts.get(key[0])
        if alert is None or history.last is None or not alert.enabled:
            continue
        accepted = history.accepted.get(destination, ())
        last = accepted[-1] if accepted else None
        was_told = last is not None and last.told in TOLD_OF_IT
        unsaid = history.failed.get(destination)
        event = current.get(key, history.last)
        if history.is_open:
            spoken = next((e for e in reversed(accepted) if e.told in TOLD_OF_IT), None)
            is_quiet = spoken is not None and now - spoken.logged_at < timedelta(hours=alert.quiet_hours)
            if spoken is not None and event.level > spoken.level:
                found.append(Due("worse", event, repeated=True))
            elif not is_quiet:
                found.append(Due("still" if was_told else "open", event, repeated=was_told))
        elif history.last.ending == "over" and (was_told or (unsaid is not None and unsaid.told in (*TOLD_OF_IT, "resolved"))):
            found.append(Due("resolved", history.last, repeated=False))
        elif history.last.ending == "aged" and unsaid is not None and unsaid.told in TOLD_OF_IT and not was_told:
            found.append(Due("open", history.last, repeated=False))
    rank = {"error": 0, "warning": 1, "info": 2}
    return sorted(
        found, key=lambda d: (d.told == "resolved", rank[d.event.severity], list(config.alerts).index(d.event.alert), d.event.cause_key)
    )


def as_told(item: Due, event: str, now: datetime, seq: int, audience: str, destination: str, error: str | None = None) -> Event:
    """The row of the log for a message that was accepted or failed."""
    kind = "repeated" if event == "sent" and item.repeated else event
    return replace(
        item.event, event=kind, logged_at=now, seq=seq, audience=audience, destination=destination, told=item.told, error=error, ending=None
    )


def _event(cause: Cause, severity: str, now: datetime, words: Mapping[str, Any]) -> Event:
    return Event(
        now, 0, "opened", cause.alert, cause.cause_key, severity, cause.level, cause.subject, words["headline"], cause.figure, cause.usual, cause.unit,
        cause.likely_reason, words["moved_by"], cause.since, cause.first_day, cause.last_day,
    )  # fmt: skip


def current_events(config: Config, found: Found, now: datetime, words: Mapping[Key, Mapping[str, Any]]) -> dict[Key, Event]:
    """Causes that are there now, in the words and figures of now."""
    return {c.key: _event(c, config.alerts[c.alert].severity, now, words[c.key]) for c in found.causes}
