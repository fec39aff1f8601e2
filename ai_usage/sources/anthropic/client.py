"""Anthropic's Admin API: what to ask and how its pages chain. Source: platform.claude.com/docs/en/api/admin.

Belongs here: paths, parameters, page chains and their proofs of being closed: a cursor that is null or repeats while more is
announced, or a day whose bucket is missing, is an error, never the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from ai_usage.sources.anthropic import records
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import MovingSetError, PermanentError
from ai_usage.sources.http import Body, HttpClient, Stats
from ai_usage.sources.pace import RateLimit
from ai_usage.sources.spool import Spooled
from ai_usage.sources.walk import Page, beside, walk

DEFAULT_BASE_URL = "https://api.anthropic.com"
BUCKETS = 31  # the documented maximum of 1d buckets a page; the default of 7 cuts longer ranges off without a word
ROWS = 1000
OLDER = ("api_key_id", "workspace_id", "model", "service_tier", "context_window")
# Dimensions that were added in 2026: an organisation's API may not know them yet. The last one needs a beta's header, which may be over one day.
NEWER = (*OLDER, "inference_geo", "account_id", "service_account_id")
GROUPS = (*NEWER, "speed")
SPEED_BETA = {"anthropic-beta": "fast-mode-2026-02-01"}
HINTS = {
    401: "Anthropic does not accept ANTHROPIC_ADMIN_API_KEY; set an Admin key, made in the Claude Console under Settings, Admin keys, since "
    "an ordinary API key is not one",
    402: "Anthropic holds the organisation back for its billing; ask whoever keeps its billing in the Claude Console",
    403: "ANTHROPIC_ADMIN_API_KEY is valid but not allowed to read this; either the organisation does not have this feature, or the key is of "
    "one workspace or has other scopes, and an Admin key of the whole organisation can",
    429: "without saying for how long, which may be the monthly spend limit; look at Limits in the Claude Console",
}
T = TypeVar("T")


class _Bucket(msgspec.Struct):
    starting_at: str
    ending_at: str
    results: list[msgspec.Raw]


class _Buckets(msgspec.Struct):
    data: list[_Bucket]
    has_more: bool  # required: without it every chain would end after its first page
    next_page: str | None = None


class _Rows(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool
    next_page: str | None = None
    last_id: str | None = None


class _Identified(msgspec.Struct):
    id: str = ""


def _identity(record: bytes | memoryview) -> str:
    try:
        return msgspec.json.decode(record, type=_Identified).id
    except ValueError:  # of another shape, or no text
        return ""  # the decoder says what is wrong with it


class AnthropicClient:
    """Reads whole endpoints into the spool. `rate_factor` scales the documented 100 requests a minute; 0 lifts the limit."""

    PER_MINUTE = 100
    HEADERS: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
    HINTS: Mapping[int, str] = HINTS

    def __init__(
        self, base_url: str, key: str, spool: Path, *, rate_factor: float = 1.0, key_setting: str = "ANTHROPIC_ADMIN_API_KEY", **http: Any
    ) -> None:
        self.http = HttpClient(
            "Anthropic",
            base_url,
            headers={"x-api-key": key, **self.HEADERS},
            secrets=(key,),
            key_setting=key_setting,
            hints=self.HINTS,
            **http,
        )
        self._spool = spool
        self._limit = RateLimit(self.PER_MINUTE * rate_factor if rate_factor > 0 else None)
        self._groups: tuple[str, ...] = GROUPS

    def close(self) -> None:
        self.http.close()

    def organization(self) -> str:
        """The organisation's name: proof that the key may read."""
        _, me = self._ask("me", dict, Stats(), "/v1/organizations/me", [])
        return str(me.get("name") or me.get("id"))

    def usage(self, window: Window) -> Spooled:
        """GET usage_report/messages, 1d buckets, grouped by every dimension that the API knows."""

        def pages(stats: Stats) -> Iterator[Page]:
            groups = self._groups  # the ones this walk asks with: another window may change them meanwhile
            headers = SPEED_BETA if "speed" in groups else None
            try:
                yield from self._buckets(records.USAGE, window, "/v1/organizations/usage_report/messages", groups, stats, headers)
            except PermanentError as error:
                of_groups = error.status == 400 and any(word in str(error) for word in ("group_by", "speed", "anthropic-beta"))
                if not of_groups or groups == OLDER:
                    raise
                self._groups = NEWER if headers else OLDER
                raise MovingSetError("Anthropic usage_report/messages: the API does not know every dimension.") from None

        return walk(self._spool, records.USAGE, window, pages)

    def cost(self, window: Window) -> Spooled:
        """GET cost_report by workspace and description: one shape only, since an ungrouped pull beside it would double the total."""

        def pages(stats: Stats) -> Iterator[Page]:
            return self._buckets(records.COST, window, "/v1/organizations/cost_report", ("workspace_id", "description"), stats)

        return walk(self._spool, records.COST, window, pages)

    def claude_code(self, window: Window) -> Spooled:
        """GET usage_report/claude_code for one UTC day, every page."""

        def pages(stats: Stats) -> Iterator[Page]:
            fixed = [("starting_at", window.first.isoformat()), ("limit", str(ROWS))]
            yield from self._chain(records.CLAUDE_CODE, "/v1/organizations/usage_report/claude_code", fixed, "page", stats)

        return walk(self._spool, records.CLAUDE_CODE, window, pages)

    def users(self, window: Window) -> Spooled:
        return self._directory(records.USERS, "/v1/organizations/users", [], window)

    def api_keys(self, window: Window) -> Spooled:
        return self._directory(records.API_KEYS, "/v1/organizations/api_keys", [], window)

    def workspaces(self, window: Window) -> Spooled:
        """Every workspace, archived ones too. The default one is what the list has only when asked for it; it gets `is_default`."""
        path, fixed = "/v1/organizations/workspaces", [("include_archived", "true"), ("limit", str(ROWS))]

        def pages(stats: Stats) -> Iterator[Page]:
            plain = {_identity(r) for page in self._chain(records.WORKSPACES, path, fixed, "after_id", stats) for r in page.records}
            for page in self._chain(records.WORKSPACES, path, [*fixed, ("include_default", "true")], "after_id", stats):
                marked = [beside(records.WORKSPACES, b"false" if _identity(r) in plain else b"true", r) for r in page.records]
                yield Page(marked, page.request, page.envelope, page.body)

        return walk(self._spool, records.WORKSPACES, window, pages)

    def workspace_members(self, window: Window) -> Spooled:
        """Members of every workspace, one list each. The default workspace has none of its own: everybody is in it."""

        def pages(stats: Stats) -> Iterator[Page]:
            for page in self._chain(
                records.WORKSPACES, "/v1/organizations/workspaces", [("include_archived", "true"), ("limit", str(ROWS))], "after_id", stats
            ):
                for workspace in filter(None, map(_identity, page.records)):
                    path = f"/v1/organizations/workspaces/{quote(workspace, safe='')}/members"
                    yield from self._chain(records.WORKSPACE_MEMBERS, path, [("limit", str(ROWS))], "after_id", stats)

        return walk(self._spool, records.WORKSPACE_MEMBERS, window, pages)

    # How it is done -------------------------------------------------------------------------------------------

    def _directory(self, endpoint: Endpoint, path: str, more: list[tuple[str, str]], window: Window) -> Spooled:
        return walk(
            self._spool, endpoint, window, lambda stats: self._chain(endpoint, path, [*more, ("limit", str(ROWS))], "after_id", stats)
        )

    def _buckets(
        self, endpoint: Endpoint, window: Window, path: str, groups: tuple[str, ...], stats: Stats, headers: Mapping[str, str] | None = None
    ) -> Iterator[Page]:
        """Pages of buckets; each record gets its bucket's start, which stands around it. Every day of the window must come once."""
        ending = window.days[-1].toordinal() + 1
        fixed = [
            ("starting_at", f"{window.first}T00:00:00Z"), ("ending_at", f"{window.first.fromordinal(ending)}T00:00:00Z"),
            ("bucket_width", "1d"), ("limit", str(BUCKETS)), *(("group_by[]", g) for g in groups),
        ]  # fmt: skip
        seen: list[str] = []
        for body, page, request in self._pages(endpoint, _Buckets, path, fixed, "page", stats, headers):
            found: list[bytes] = []
            for bucket in page.data:
                seen.append(bucket.starting_at[:10])
                start = msgspec.json.encode(bucket.starting_at)
                found += [beside(endpoint, start, r) for r in bucket.results]
            envelope = {"days": [b.starting_at for b in page.data], "has_more": page.has_more, "next_page": page.next_page}
            yield Page(found, request, envelope, body)
        expected = [day.isoformat() for day in window.days]
        if sorted(seen) != expected:
            missing, twice = sorted(set(expected) - set(seen)), sorted({d for d in seen if seen.count(d) > 1})
            raise MovingSetError(
                f"Anthropic {endpoint.name} {window.first} to {window.last}: the answer "
                + (
                    f"lacks the bucket of {missing[0]}"
                    if missing
                    else f"has the bucket of {(twice or sorted(set(seen) - set(expected)))[0]} too often"
                )
                + "."
            )

    def _chain(self, endpoint: Endpoint, path: str, fixed: list[tuple[str, str]], cursor: str, stats: Stats) -> Iterator[Page]:
        previous: list[bytes] = []
        for body, page, request in self._pages(endpoint, _Rows, path, fixed, cursor, stats):
            # Nothing counts these rows: a page that comes again under a new cursor shows in its content alone. One row may well stand twice.
            found = [bytes(r) for r in page.data]
            if len(found) > 1 and found == previous:
                raise MovingSetError(f"Anthropic {endpoint.name}: a page repeats the one before it.")
            previous = found
            yield Page(found, request, {"has_more": page.has_more}, body)

    def _pages(
        self,
        endpoint: Endpoint,
        shape: type[Any],
        path: str,
        fixed: list[tuple[str, str]],
        cursor: str,
        stats: Stats,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[bytes, Any, list[tuple[str, str]]]]:
        """Follow a cursor to the end. More without a new cursor is a broken chain, not its end."""
        used: set[str] = set()
        at: str | None = None
        while True:
            request = fixed if at is None else [*fixed, (cursor, at)]
            try:
                body, page = self._ask(endpoint.name, shape, stats, path, request, headers)
            except PermanentError as error:
                if at is None or error.status != 410:
                    raise
                raise MovingSetError(f"Anthropic {endpoint.name}: a page cursor expired before its page was read.") from None
            yield body, page, request
            if not page.has_more:
                return
            at = page.last_id if cursor == "after_id" else page.next_page
            if not at or at in used:
                raise MovingSetError(
                    f"Anthropic {endpoint.name}: more pages are announced but the cursor is {'repeated' if at else 'missing'}."
                )
            used.add(at)

    def _ask(
        self,
        name: str,
        shape: type[T],
        stats: Stats,
        path: str,
        params: list[tuple[str, str]],
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, T]:
        decoder = msgspec.json.Decoder(shape)

        def read(body: Body) -> tuple[bytes, T]:
            return body.content, self.http.page(name, decoder, body, "anthropic/client.py")

        return self.http.ask("GET", path, read, params=params, headers=headers, limit=self._limit, stats=stats, endpoint=name)
