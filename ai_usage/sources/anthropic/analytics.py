"""Anthropic's analytics endpoints of 2026: cost and usage of an organisation, and engagement of a Claude Enterprise one.

Belongs here: what to ask, whether this key may ask, which days the vendor has finished. Records are rows of a list, not buckets of days: a day
without rows is an empty day, but only if the vendor's data reach past its end, so that is asked first. A cursor dies with 410 when the vendor
refreshes its data in the middle of a walk; the walk then begins again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from ai_usage.sources.anthropic import analytics_records as records
from ai_usage.sources.anthropic.client import HINTS, ROWS, AnthropicClient
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import MovingSetError, SourceError
from ai_usage.sources.http import Stats
from ai_usage.sources.spool import Spooled
from ai_usage.sources.vendor import Reach
from ai_usage.sources.walk import Page, beside, walk

EARLIEST = date(2026, 1, 1)  # the vendor has nothing before
DAYS = 31  # a question may span at most 31 days
BETA = "analytics-usage-cost-2026-08-24"
# At most 5 dimensions count, beside cost_type and token_type. These five name the payer exactly; tier, window and geo are given up for that.
PLATFORM_GROUPS = ("actor", "api_key_id", "workspace_id", "model", "product")
ENTERPRISE_GROUPS = ("actor", "model", "product")
FAN_OUT = ("cost_type", "token_type")
TOO_RECENT = (1, 2, 3, 4, 7)  # how many days back are tried when a day is refused: the documents say up to 3
ROUNDING = Decimal("0.01")  # cents a day: groups may be rounded each by itself
_ROOT = "/v1/organizations/analytics"


class _Report(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False
    next_page: str | None = None
    data_refreshed_at: str | msgspec.UnsetType | None = msgspec.UNSET  # null: nothing is final; absent: the answer does not say


class _People(msgspec.Struct):
    data: list[msgspec.Raw]
    next_page: str | None = None

    @property
    def has_more(self) -> bool:
        return bool(self.next_page)  # live answers end with null or ""


class _Money(msgspec.Struct):
    amount: Decimal


class _Tokens(msgspec.Struct):
    total_tokens: Decimal | None = None


class _Measured(msgspec.Struct):
    starting_at: str
    cost: _Money | None = None
    usage: _Tokens | None = None


_MEASURED = msgspec.json.Decoder(_Measured, strict=False)


def _add(sums: dict[str, Decimal], rows: list[msgspec.Raw]) -> None:
    """Add each row's cents, or tokens, to its day. A row that cannot be read so is left to the decoder, which rejects it with its reason."""
    for row in rows:
        try:
            measured = _MEASURED.decode(row)
        except ValueError:
            continue
        if measured.cost is not None:
            sums[measured.starting_at[:10]] += measured.cost.amount
        elif measured.usage is not None:
            sums[measured.starting_at[:10]] += measured.usage.total_tokens or 0


class AnalyticsClient(AnthropicClient):
    """Reads the analytics endpoints into the spool: 60 requests a minute, the beta's header on each."""

    PER_MINUTE = 60
    HEADERS = {**AnthropicClient.HEADERS, "anthropic-beta": BETA}
    # What 401 and 403 mean here depends on the organisation, so their general sentences stand.
    HINTS = {status: hint for status, hint in HINTS.items() if status not in {401, 403}}

    def reach(self, endpoint: Endpoint, window: Window) -> Reach:
        """Ask for one row: may this key read the endpoint, and which days are finished?

        403, 404 in older answers, and 400 where an organisation has HIPAA readiness mean "not for this key" and are no error. Another 400 means
        that the day is too recent, if an earlier one is answered: its wording is nobody's to rely on. A day counts as finished when
        `data_refreshed_at` is past its end; while that is empty, no day is.
        """
        first = max(EARLIEST, datetime.now(UTC).date() - timedelta(days=records.HISTORY - 1))
        if window.last < first:
            return Reach(refused=f"Anthropic {endpoint.name} has nothing before {first}.", first=first)
        try:
            return self._reach(endpoint, window.last, first)
        except SourceError as error:
            if error.status in {403, 404} or (error.status == 400 and "hipaa" in str(error).lower()):
                return Reach(refused=f"Anthropic {endpoint.name} is not for this key ({error}).", first=EARLIEST)
            if error.status != 400:
                raise
            latest = _latest(str(error))
            if latest and latest < window.last:
                return Reach(first=first, last=latest, note=f"Anthropic {endpoint.name} has days up to {latest} so far.")
            for day in (d for n in TOO_RECENT if (d := window.last - timedelta(days=n)) >= first):
                try:
                    reach = self._reach(endpoint, day, first)
                except SourceError as again:
                    if again.status != 400:
                        raise
                    continue
                note = f"Anthropic {endpoint.name} has days up to {min(day, reach.last)} so far."
                return Reach(first=first, last=min(day, reach.last), note=note)
            raise

    def _reach(self, endpoint: Endpoint, day: date, first: date) -> Reach:
        """What the answer about one day says of how far the endpoint's data reach."""
        if endpoint is records.ENTERPRISE_USERS:
            self._ask(endpoint.name, _People, Stats(), f"{_ROOT}/users", [("date", day.isoformat()), ("limit", "1")])
            return Reach(first=first)
        asked = [*_span(Window(day, day)), ("limit", "1")]
        _, page = self._ask(endpoint.name, _Report, Stats(), f"{_ROOT}/{_what(endpoint)}", asked)
        if page.data_refreshed_at is msgspec.UNSET:
            return Reach(first=first)
        if not page.data_refreshed_at:
            return Reach(first=first, last=first - timedelta(days=1), note=f"Anthropic {endpoint.name} has not finished any day yet.")
        refreshed = datetime.fromisoformat(page.data_refreshed_at)
        last = refreshed.date() - timedelta(days=1)
        note = f"Anthropic {endpoint.name} was last refreshed at {page.data_refreshed_at}, so days after {last} are not finished."
        return Reach(first=first, last=last, note=note if last < day else None)

    def report(self, endpoint: Endpoint) -> Callable[[Window], Spooled]:
        """How one of the two reports is read: rows of each day by group, in the order of time, which no later row changes."""
        groups = ENTERPRISE_GROUPS if endpoint.source == records.ENTERPRISE else PLATFORM_GROUPS
        fan = FAN_OUT if _what(endpoint) == "cost" else ()

        def one(window: Window) -> Spooled:
            fixed = [
                *_span(window), ("order_by", "time"), ("order", "asc"), ("limit", str(ROWS)), *(("group_by[]", g) for g in (*groups, *fan)),
            ]  # fmt: skip

            def pages(stats: Stats) -> Iterator[Page]:
                summed: dict[str, Decimal] = defaultdict(Decimal)
                for body, page, request in self._pages(endpoint, _Report, f"{_ROOT}/{_what(endpoint)}", fixed, "page", stats):
                    _add(summed, page.data)
                    envelope = {"has_more": page.has_more, "data_refreshed_at": page.data_refreshed_at or None}
                    yield Page(page.data, request, envelope, body)
                self._prove_whole(endpoint, window, summed, stats)

            return walk(self._spool, endpoint, window, pages)

        return one

    def _prove_whole(self, endpoint: Endpoint, window: Window, summed: dict[str, Decimal], stats: Stats) -> None:
        """The same question without groups: its totals must be the groups' sum, or groups were left out (older reports show the top 100 only)."""
        whole: dict[str, Decimal] = defaultdict(Decimal)
        fixed = [*_span(window), ("order_by", "time"), ("order", "asc"), ("limit", str(ROWS))]
        for _, page, _ in self._pages(endpoint, _Report, f"{_ROOT}/{_what(endpoint)}", fixed, "page", stats):
            _add(whole, page.data)
        for day in sorted(whole.keys() | summed.keys()):
            if abs(whole[day] - summed[day]) > ROUNDING:
                raise MovingSetError(
                    f"Anthropic {endpoint.name} {day}: the groups sum to {summed[day]} and the total is {whole[day]}, so groups are missing or the "
                    "data changed."
                )

    def people(self, window: Window) -> Spooled:
        """GET analytics/users for one UTC day, every page; each record gets its day, which stands in the question only."""
        day = window.first.isoformat()

        def pages(stats: Stats) -> Iterator[Page]:
            for body, page, request in self._pages(
                records.ENTERPRISE_USERS, _People, f"{_ROOT}/users", [("date", day), ("limit", str(ROWS))], "page", stats
            ):
                found = [beside(records.ENTERPRISE_USERS, msgspec.json.encode(day), r) for r in page.data]
                yield Page(found, request, {"has_more": page.has_more}, body)

        return walk(self._spool, records.ENTERPRISE_USERS, window, pages)


def _what(endpoint: Endpoint) -> str:
    return endpoint.name.rpartition("/")[2]


def _span(window: Window) -> list[tuple[str, str]]:
    return [
        ("starting_at", f"{window.first}T00:00:00Z"), ("ending_at", f"{window.last + timedelta(days=1)}T00:00:00Z"),
        ("time_bucket_width", "1d"),
    ]  # fmt: skip


def _latest(said: str) -> date | None:
    """The latest available day that a refusal names, if it names one."""
    found = re.search(r"latest available[^0-9]{0,40}(\d{4}-\d{2}-\d{2})", said, re.IGNORECASE)
    return date.fromisoformat(found.group(1)) if found else None
