"""One pass: look, write down what happened, tell what is due, write down what was told.

Belongs here: the order of these steps and what each failure leaves behind. Does not belong here: Dagster, SQL, words.

What happened is written before anything is sent, and each delivery is written as soon as it was accepted: a crash between the two makes one
message come twice, never not at all. A pass holds a lock in the data folder, so that two at once do not tell the same twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import filelock
import pyarrow as pa

from ai_usage import tables
from ai_usage.alerts import delivery, plan, wording
from ai_usage.alerts.conditions import Cause, Found, look
from ai_usage.alerts.config import Alert, Config, load_config
from ai_usage.alerts.delivery import Destination, Sender
from ai_usage.alerts.plan import Due, Event
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources.registry import EXPORTED, SOURCES
from ai_usage.warehouse import Warehouse, WarehouseError

LOG = tables.BY_NAME["alert_log"]
LOCK_WAIT_S = 300.0
TOLD_COST = ("finance",)  # whose digest opens with what the month comes to
# Fetches that the alerts depend on; a change of them, and nothing else, makes a whole pass worth its cost.
_DATA = "SELECT COUNT(*) AS fetches, MAX(fetched_at) AS latest FROM raw_fetches"


@dataclass
class Outcome:
    """What a pass found and did. `messages` are the number that was accepted, `failures` one sentence for each that was not."""

    found: Found
    events: list[Event] = field(default_factory=list)
    due: dict[str, list[Due]] = field(default_factory=dict)
    """By destination's name: what it has to be told."""
    messages: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def opened(self) -> int:
        return sum(e.event == "opened" for e in self.events)

    @property
    def resolved(self) -> int:
        return sum(e.event == "resolved" for e in self.events)


def configured(settings: Settings) -> tuple[Config, list[Destination]]:
    """The alerts and the addresses that the settings name. Raises `SettingsError`."""
    config = load_config(settings.alerts_file)
    given = settings.alert_urls.get_secret_value() if settings.alert_urls else None
    return config, delivery.destinations(given, config.audiences, settings.hosts_in_clear)


def sources_on(settings: Settings) -> list[str]:
    """Sources whose silence and failures count: those that are on, and those that are files alone."""
    off = settings.off()
    return [*(name for name in SOURCES if name not in off), *EXPORTED]


def preview(runtime: Runtime, failed_runs: Iterable[Cause] | None = None, now: datetime | None = None) -> Outcome:
    """What a pass would do now; writes and sends nothing."""
    at = now or datetime.now(UTC)
    config, to = configured(runtime.settings)
    return _decided(runtime, config, to, at, failed_runs, lambda alert: True)


def pass_once(
    runtime: Runtime, *, failed_runs: Iterable[Cause] | None = None, run_id: str | None = None, now: datetime | None = None,
    send: Sender = delivery.deliver,
) -> Outcome:  # fmt: skip
    """One whole pass. Raises `SettingsError` for a file or address that cannot be used, `WarehouseError` when the log cannot be written; a
    delivery that fails raises nothing, is written down, and is tried again by the next pass."""
    config, to = configured(runtime.settings)
    with _alone(runtime.settings.data_dir):
        at = now or datetime.now(UTC)
        outcome = _decided(runtime, config, to, at, failed_runs, lambda alert: True)
        _write(runtime.warehouse, [replace(e, run_id=run_id) for e in outcome.events])
        seq = len(outcome.events)
        lead = _lead(runtime.warehouse) if any(len(items) > 1 for items in outcome.due.values()) else None
        for destination in to:
            items = outcome.due.get(destination.name, [])
            if not items:
                continue
            error = send(
                destination,
                wording.message(config, items, runtime.settings.alerts_link, at, lead if destination.audience in TOLD_COST else None),
            )
            kind = "delivery_failed" if error else "sent"
            told = [
                replace(plan.as_told(item, kind, at, seq + n, destination.audience, destination.name, error), run_id=run_id)
                for n, item in enumerate(items, start=1)
            ]
            seq += len(told)
            _write(runtime.warehouse, told)
            outcome.messages += error is None
            outcome.failures += [error] if error else []
    return outcome


def needed(runtime: Runtime, seen: str | None, now: datetime | None = None) -> tuple[str | None, str]:
    """(why a pass is needed, the mark of the data): cheap, for a clock. `seen` is the mark of the last time; the same data need no pass,
    unless time alone opened or ended something, or something waits to be told."""
    at = now or datetime.now(UTC)
    warehouse = runtime.warehouse
    row = warehouse.select(_DATA).to_pylist()[0]
    mark = f"{row['fetches']} {row['latest']:%Y-%m-%dT%H:%M:%S.%f}" if row["latest"] else "none"
    if not row["fetches"]:
        return None, mark
    if mark != seen:
        return "the data changed", mark
    warehouse.ensure()
    config, to = configured(runtime.settings)
    outcome = _decided(runtime, config, to, at, None, lambda alert: alert.clock)
    if outcome.events:
        return f"{outcome.events[0].headline} ({outcome.events[0].event})", mark
    waiting = [name for name, items in outcome.due.items() if items]
    return (f"{waiting[0]} waits to be told", mark) if waiting else (None, mark)


def _decided(
    runtime: Runtime,
    config: Config,
    to: Sequence[Destination],
    at: datetime,
    failed_runs: Iterable[Cause] | None,
    only: Callable[[Alert], bool],
) -> Outcome:
    warehouse = runtime.warehouse
    warehouse.ensure()
    found = look(
        config,
        warehouse.select,
        today=at.astimezone(UTC).date(),
        now=at,
        sources=sources_on(runtime.settings),
        failed_runs=failed_runs,
        only=only,
    )
    words = wording.labelled(found.causes, config)
    log = read_log(warehouse)
    outcome = Outcome(found, plan.happened(config, found, log, at, words))
    log += outcome.events
    current = plan.current_events(config, found, at, words)
    for destination in to:
        audience = {name for name, alert in config.alerts.items() if destination.audience in alert.audience}
        mine = [e for e in log if e.alert in audience]
        outcome.due[destination.name] = plan.due(config, mine, current, destination.name, at)
    return outcome


def read_log(warehouse: Warehouse) -> list[Event]:
    """The whole log, in order: a few events a day, so that years of it are read in a moment."""
    columns = ", ".join(LOG.column_names)
    return [Event(**row) for row in warehouse.select(f"SELECT {columns} FROM alert_log ORDER BY logged_at, seq").to_pylist()]


def _lead(warehouse: Warehouse) -> str | None:
    """What the month comes to, as Executive Summary says it first."""
    return next(
        iter(warehouse.select("SELECT sentence FROM vw_headlines WHERE dashboard = 'executive_summary'")["sentence"].to_pylist()), None
    )


def _write(warehouse: Warehouse, events: Sequence[Event]) -> None:
    if events:
        rows = [{name: getattr(event, name) for name in LOG.column_names} for event in events]
        empty = tables.BY_NAME["raw_fetches"].arrow_schema().empty_table()
        warehouse.publish({LOG: pa.Table.from_pylist(rows, schema=LOG.arrow_schema())}, empty)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / "alerts.lock", timeout=LOCK_WAIT_S)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise WarehouseError(f"another pass of the alerts has run for more than {LOCK_WAIT_S:.0f} s; wait for it, or end it.") from None
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()
