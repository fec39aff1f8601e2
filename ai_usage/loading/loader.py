"""One fetch becomes one version of one day: decode, compare with what is current, append, publish.

Belongs here: the order of these steps, and how failures are recorded. Does not belong here: what makes a version (`versions.py`), counting (`report.py`),
HTTP, parsing, SQL dialects. Walks arrive as an iterator and are decoded in batches of at most 16 MB of records, so
memory does not grow with the length of history.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ai_usage.loading.forgotten import Forgotten
from ai_usage.loading.report import LoadReport, as_a_person_counts, reason
from ai_usage.loading.versions import Current, Decision, current, decide
from ai_usage.sources import redaction
from ai_usage.sources.decode import Day, Decoder
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import ContractError, RefusedError, SourceError
from ai_usage.sources.spool import Spooled
from ai_usage.sources.walk import FailedWalk
from ai_usage.tables.raw import raw_fetches, raw_rejects
from ai_usage.warehouse.base import Warehouse

# What is decoded at once, in bytes of records: each decoding plans its SQL. What is published at once is the warehouse's to say.
BATCH_BYTES = 8_000_000
REASONS = 20  # sentences about rows of one file


class _Outgoing:
    """What one load knows: the versions it found, and decoded ones that wait to be published together."""

    def __init__(self, warehouse: Warehouse, endpoint: Endpoint) -> None:
        self._warehouse, self._endpoint = warehouse, endpoint
        self._rows: list[pa.Table] = []
        self._rejects: list[pa.Table] = []
        self._fetches: list[dict[str, Any]] = []
        self._versions: dict[date | None, Current] | None = None

    def current(self, ask: Callable[[], dict[date | None, Current]]) -> dict[date | None, Current]:
        """The versions that counted when this load began: asked once, since opening the warehouse costs as much as decoding a day."""
        if self._versions is None:
            self._versions = ask()
        return self._versions

    def add(self, rows: pa.Table, rejects: pa.Table, fetches: list[dict[str, Any]]) -> None:
        self._rows.append(rows)
        self._rejects.append(rejects)
        self._fetches += fetches
        if sum(t.nbytes for t in self._rows) >= self._warehouse.publish_bytes:
            self.flush()

    def flush(self) -> None:
        if self._fetches:
            data = {self._endpoint.table: pa.concat_tables(self._rows), raw_rejects: pa.concat_tables(self._rejects)}
            self._warehouse.publish(data, pa.Table.from_pylist(self._fetches, schema=raw_fetches.arrow_schema()))
        self._rows, self._rejects, self._fetches = [], [], []


class Loader:
    """Publishes walks of one run into one warehouse."""

    def __init__(self, warehouse: Warehouse, run_id: str | None = None, forgotten: Forgotten | None = None) -> None:
        self._warehouse = warehouse
        self._run_id = run_id
        self._forgotten = forgotten or Forgotten(warehouse)

    def load(
        self,
        endpoint: Endpoint,
        walks: Iterable[Spooled | FailedWalk],
        origin: str = "api",
        replace: bool = False,
        again: Mapping[str, Collection[date]] | None = None,
    ) -> LoadReport:
        """Decode and publish every walk; failed ones are recorded and reported, the rest stands.

        A changed contract or a broken batch records its days as failed and publishes nothing of that batch.

        Args:
            endpoint: whose walks they are.
            walks: spooled answers and failed windows, in any order; taken one by one, so memory does not grow with them.
            origin: `api` or `upload`. A file fills days that the vendor has not given.
            replace: a file also takes the place of the vendor's version, until the vendor says something new.
            again: the walks are those of the versions that count, read by a newer rule; {path of a walk: the UTC days of it that are published}.

        Returns:
            What was read and written, in days, rows, requests and USD, and the windows that failed; `LoadReport.error()` is one error for all of them.

        Raises:
            ContractError: a file takes away rows of a day that an earlier file holds.
            WarehouseError: the warehouse cannot be read or written; nothing of that publication stands.
        """
        self._warehouse.ensure()
        report = LoadReport()
        outgoing = _Outgoing(self._warehouse, endpoint)
        with Decoder() as decoder:
            batch: list[Spooled] = []
            size = 0
            for walk in walks:
                if isinstance(walk, FailedWalk):
                    report.failures.append(walk)
                    continue
                batch.append(walk)
                size += walk.size
                if size >= BATCH_BYTES:
                    self._batch(decoder, endpoint, batch, origin, replace, report, outgoing, again)
                    batch, size = [], 0
            if batch:
                self._batch(decoder, endpoint, batch, origin, replace, report, outgoing, again)
        outgoing.flush()
        if report.failures:
            refusals = [f for f in report.failures if isinstance(f.error, RefusedError)]
            if refusals and endpoint.without and not self._ever_answered(endpoint):
                report.refused = f"{refusals[0].error} Until then {endpoint.without}."
                self._record_failures(refusals, origin, "refused")
                report.failures = [f for f in report.failures if f not in refusals]
            self._record_failures(report.failures, origin)
        return report

    def _ever_answered(self, endpoint: Endpoint) -> bool:
        """Whether the vendor gave this endpoint before: then a refusal loses what was there, and is a failure."""
        found = self._warehouse.select(
            "SELECT COUNT(*) AS n FROM stg_current_fetches WHERE source = @source AND endpoint = @endpoint AND origin = 'api'",
            {"source": endpoint.source, "endpoint": endpoint.name},
        )
        return bool(found["n"][0].as_py())

    def _batch(
        self,
        decoder: Decoder,
        endpoint: Endpoint,
        walks: Sequence[Spooled],
        origin: str,
        replace: bool,
        report: LoadReport,
        outgoing: _Outgoing,
        again: Mapping[str, Collection[date]] | None,
    ) -> None:
        try:
            days = decoder.load(walks)
        except SourceError as error:
            if len(walks) == 1:
                self._redact_spool(walks)
                report.failures.append(FailedWalk(endpoint, walks[0].window, error))
            else:  # each for itself: a changed day must not take the days beside it along
                for walk in walks:
                    self._batch(decoder, endpoint, [walk], origin, replace, report, outgoing, again)
            return
        if origin == "upload":
            days = [day for day in days if day.records or (endpoint.whole_window and day.usage_date == day.spooled.window.last)]
        if again is not None:
            days = [day for day in days if day.usage_date in again[str(day.spooled.path)]]
        snapshot = endpoint.usage_date is None
        held = outgoing.current(lambda: current(self._warehouse, endpoint))
        now = datetime.now(UTC)
        if held:  # a clock that was set back must not make a new version look older than the one it supersedes
            now = max(now, max(c.fetched_at for c in held.values()) + timedelta(microseconds=1))
        fetches: list[dict[str, Any]] = []
        new: dict[tuple[str, date], str] = {}
        for day in days:
            decision = decide(
                held.get(None if snapshot else day.usage_date), endpoint, day, origin, replace=replace, again=again is not None
            )
            if decision is None:
                unread = f", {day.rejected} of its rows could not be read" if day.rejected else ""
                report.skipped.append(f"{day.usage_date}: the vendor's own data is there already{unread}")
                report.rejected += day.rejected
                continue
            fetch_id = uuid.uuid4().hex
            if decision.is_new and day.records:
                new[str(day.spooled.path), day.usage_date] = fetch_id
            fetches.append(self._fetch(endpoint, day, fetch_id, decision, now, origin))
            report.count(day, decision.is_new)
        for walk in walks:
            report.pages += walk.pages
            report.requests += walk.requests
        report.unknown_fields |= set(decoder.unknown_fields)
        report.absent_fields |= set(decoder.absent_fields)
        rows = decoder.rows(new, now) if new else endpoint.table.arrow_schema().empty_table()
        rejects = (
            decoder.rejects(new, now) if any(d.rejected or d.incomplete for d in days) and new else raw_rejects.arrow_schema().empty_table()
        )
        if self._forgotten.anyone() and self._forgotten.among(decoder.addresses()):
            # After the hash, which is of what the vendor sent: an unchanged answer is then known again. Before the publication.
            rows = redaction.redact_rows(endpoint.table, rows, self._forgotten)
            rejects = redaction.redact_rows(raw_rejects, rejects, self._forgotten)
            self._redact_spool(walks)
        decoder.clear()
        if origin == "upload":
            numbers = {str(walk.path): walk.rows for walk in walks}
            rejects = as_a_person_counts(rejects, {fetch: numbers[path] for (path, _), fetch in new.items()})
            report.reasons += [reason(row) for row in rejects.to_pylist()[:REASONS]]
            if not replace and again is None and not endpoint.whole_window:
                changed_days = {f["usage_date"] for f in fetches if f["changed"]}
                self._check_files_agree(endpoint, rows, {c.usage_date: c for c in held.values() if c.usage_date in changed_days})
        outgoing.add(rows, rejects, fetches)

    def _check_files_agree(self, endpoint: Endpoint, rows: pa.Table, before: Mapping[date, Current]) -> None:
        """A file may add to a day that an earlier file holds, and correct rows that could not be read; it may not take one away.

        Raises `ContractError` naming the day: an export that came in two parts would lose the first one silently.
        """
        own = [c for c in rows.column_names if c not in {"fetch_id", "fetched_at", "ingest_date", "extra"}]
        for day, held in sorted(before.items()):
            if held.origin != "upload":
                continue
            there = self._warehouse.select(
                f"SELECT {', '.join(own)} FROM {endpoint.table.name} WHERE fetch_id = @version AND usage_date = @day",
                {"version": held.version_fetch_id, "day": day},
            )
            given = Counter(map(repr, rows.select(own).filter(pc.equal(rows["usage_date"], day)).cast(there.schema).to_pylist()))
            lost = Counter(map(repr, there.to_pylist())) - given
            if lost:
                raise ContractError(
                    f"an earlier file holds {day} with {lost.total()} rows that this one lacks; put all rows of a day into one file, or end its name in "
                    ".replace.csv if it shall take the place of what is held."
                )

    def _redact_spool(self, walks: Sequence[Spooled]) -> None:
        """The evidence names nobody whom the tables may not name."""
        if self._forgotten.anyone():
            for walk in walks:
                redaction.redact_spool(walk.path, walk.endpoint, self._forgotten)

    def _fetch(self, endpoint: Endpoint, day: Day, fetch_id: str, decision: Decision, fetched_at: datetime, origin: str) -> dict[str, Any]:
        snapshot = endpoint.usage_date is None
        return {
            "fetch_id": fetch_id,
            "version_fetch_id": decision.version or fetch_id,
            "source": endpoint.source,
            "endpoint": endpoint.name,
            "usage_date": day.usage_date,
            "fetched_at": fetched_at,
            "run_id": self._run_id,
            "state": "complete" if day.records else "empty",
            "origin": origin,
            "row_count": day.rows,
            "rejected_count": day.rejected,
            "pages": day.spooled.pages,
            "requests": day.spooled.requests,
            "vendor_total_usd": day.vendor_total_usd,
            "unknown_money_count": day.unknown_money,
            "parser_version": endpoint.parser_version,
            "window_start": None if snapshot else day.spooled.window.start,
            "window_end": None if snapshot else day.spooled.window.end,
            "spool_path": day.spooled.relative_path,
            "changed": decision.is_new,
            "content_sha256": decision.content_sha256,
            "changed_by": decision.changed_by,
            "told_at": decision.told_at,
            **decision.figures,
        }

    def _record_failures(self, failures: Sequence[FailedWalk], origin: str, state: str = "failed") -> None:
        now = datetime.now(UTC)
        rows = [
            {
                "fetch_id": uuid.uuid4().hex,
                "source": failed.endpoint.source,
                "endpoint": failed.endpoint.name,
                "usage_date": day,
                "fetched_at": now,
                "run_id": self._run_id,
                "state": state,
                "origin": origin,
                "window_start": None if failed.endpoint.usage_date is None else failed.window.start,
                "window_end": None if failed.endpoint.usage_date is None else failed.window.end,
                "error": redaction.replaced(str(failed.error), self._forgotten) if self._forgotten.anyone() else str(failed.error),
            }
            for failed in failures
            for day in failed.window.days
        ]
        if rows:
            self._warehouse.publish({}, pa.Table.from_pylist(rows, schema=raw_fetches.arrow_schema()))
