"""Anthropic's legacy reports: usage, cost, Claude Code.

Belongs here: buckets, grouping, filters, paging, and the JSON text, rendered once per day and kept in bounded memory.
Does not belong here: authentication (api.py), the numbers themselves (days.py, books.py).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import date, timedelta
from json.encoder import encode_basestring_ascii as quote
from operator import itemgetter

from ..cursor.events import Bounded
from ..numbers import dumps
from ..subscriptions import days
from ..wire import Problem, Request, Response, parse_day
from .cast import ORGANIZATION
from .catalog import cents_text, description
from .days import CodeRow, Usage
from .query import chosen, cursor, fingerprint, instant, only, required, stamp, uncursor, whole_number

_KEPT_BYTES = 256 << 20
DIMENSIONS = Usage._fields[:9]
_FILTERS = {
    "account_ids[]": "account_id",
    "api_key_ids[]": "api_key_id",
    "context_window[]": "context_window",
    "inference_geos[]": "inference_geo",
    "models[]": "model",
    "service_account_ids[]": "service_account_id",
    "service_tiers[]": "service_tier",
    "speeds[]": "speed",
    "workspace_ids[]": "workspace_id",
}
_SPEED_BETA = "fast-mode-2026-02-01"
_USAGE_ORDER = (
    "account_id",
    "api_key_id",
    "workspace_id",
    "model",
    "service_account_id",
    "service_tier",
    "context_window",
    "inference_geo",
)
_COST_DIMENSIONS = ("workspace_id", "description")
_RESULT = (
    '%s"uncached_input_tokens":%d,"cache_creation":{"ephemeral_1h_input_tokens":%d,"ephemeral_5m_input_tokens":%d},'
    '"cache_read_input_tokens":%d,"output_tokens":%d,"server_tool_use":{"web_search_requests":%d}}'
)
_TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")


class Reports:
    def __init__(self, world) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._buckets = Bounded(_KEPT_BYTES)

    # ------------------------------------------------------------ usage and cost

    def usage(self, request: Request) -> Response:
        only(request, "starting_at", "ending_at", "bucket_width", "limit", "page", "group_by[]", *_FILTERS)
        group = chosen(request, "group_by[]", DIMENSIONS)
        filters = tuple((_FILTERS[n], frozenset(v)) for n, v in sorted(request.query.items()) if n in _FILTERS)
        if ("speed" in group or "speeds[]" in request.query) and _SPEED_BETA not in request.headers.get("anthropic-beta", ""):
            raise Problem(400, f"speed: requires the beta header {_SPEED_BETA}")
        return self._walk(request, lambda day: self._kept(day, ("usage", group, filters), lambda: self._usage_results(day, group, filters)))

    def cost(self, request: Request) -> Response:
        only(request, "starting_at", "ending_at", "bucket_width", "limit", "page", "group_by[]")
        group = chosen(request, "group_by[]", _COST_DIMENSIONS)
        return self._walk(request, lambda day: self._kept(day, ("cost", group), lambda: self._cost_results(day, group)))

    def _walk(self, request: Request, bucket) -> Response:
        start = required(instant(request, "starting_at"), "starting_at")
        end = instant(request, "ending_at")
        if end is not None and end <= start:
            raise Problem(400, "ending_at: must be later than starting_at")
        if request.arg("bucket_width", "1d") != "1d":
            raise Problem(400, "bucket_width: the simulator has 1d only")
        limit = whole_number(request, "limit", 7, 31)
        first, after = start.date(), self.world.last_day + timedelta(days=1)
        if end is not None:
            after = end.date()  # only whole buckets
        begin = first
        if (page := request.arg("page")) is not None:
            begin = parse_day(uncursor(page)[:10])
            if not first <= begin < after:
                raise Problem(400, "page: invalid cursor")
        last = min(begin + timedelta(days=limit), after)
        shown = [bucket(day) for day in days(begin, last - timedelta(days=1))] if begin < last else []
        more = last < after
        following = quote(cursor(stamp(last))) if more else "null"
        body = b'{"data":[%b],"has_more":%b,"next_page":%b}' % (b",".join(shown), b"true" if more else b"false", following.encode())
        return Response(200, body)

    def _kept(self, day: date, what: tuple, render) -> bytes:
        key = (day, self.world.claude.history(day), what)
        with self._lock:
            found = self._buckets.get(key)
            if found is None:
                head = f'{{"starting_at":"{stamp(day)}","ending_at":"{stamp(day + timedelta(days=1))}","results":['
                found = (head + ",".join(render()) + "]}").encode()
                self._buckets.put(key, found, len(found))
            return found

    def _usage_results(self, day: date, group: tuple[str, ...], filters) -> list[str]:
        rows = self.world.claude.day(day).usage
        for name, wanted in filters:
            rows = [row for row in rows if getattr(row, name) in wanted]
        total: dict[tuple, list[int]] = {}
        pick = itemgetter(*(DIMENSIONS.index(name) for name in group)) if len(group) > 1 else None
        only_one = DIMENSIONS.index(group[0]) if len(group) == 1 else None
        for row in rows:
            key = pick(row) if pick else () if only_one is None else (row[only_one],)
            tokens = row.tokens
            mine = total.get(key)
            if mine is None:
                total[key] = [*tokens, row.searches]
            else:
                for n in range(5):
                    mine[n] += tokens[n]
                mine[5] += row.searches
        names = (*_USAGE_ORDER, "speed") if "speed" in group else _USAGE_ORDER
        places = [(name, group.index(name) if name in group else None) for name in names]
        found = []
        for key, (uncached, read, short, hour, output, searches) in total.items():
            head = "{" + "".join(f'"{name}":{_text(None if place is None else key[place])},' for name, place in places)
            found.append(_RESULT % (head, uncached, hour, short, read, output, searches))
        return found

    def _cost_results(self, day: date, group: tuple[str, ...]) -> list[str]:
        by_workspace, described = "workspace_id" in group, "description" in group
        total: dict[tuple, int] = defaultdict(int)
        for line, nano in self.world.claude.ledger(day).lines.items():
            total[line[0] if by_workspace else None, *(line[1:] if described else (None,) * 6)] += nano
        found = []
        for (workspace, cost_type, model, token_type, tier, window, geo), nano in total.items():
            if not nano:
                continue
            row = {
                "amount": cents_text(nano),
                "currency": "USD",
                "cost_type": cost_type,
                "description": description(cost_type, model, token_type) if cost_type else None,
                "model": model,
                "token_type": token_type,
                "service_tier": tier,
                "context_window": window,
                "inference_geo": geo,
                "workspace_id": workspace,
            }
            found.append(dumps(row))
        return found

    # ------------------------------------------------------------ Claude Code

    def claude_code(self, request: Request) -> Response:
        only(request, "starting_at", "limit", "page")
        text = request.arg("starting_at")
        if text is None:
            raise Problem(400, "starting_at: Field required")
        day = parse_day(text)
        if len(text) != 10:
            raise Problem(400, "starting_at: a day is expected (YYYY-MM-DD)")
        limit = whole_number(request, "limit", 20, 1000)
        start, mark = 0, fingerprint(request)
        if (page := request.arg("page")) is not None:
            given, _, place = uncursor(page).partition("|")
            if given != mark or not place.isdigit():
                raise Problem(400, "page: this cursor belongs to another query")
            start = int(place)
        rows = self._code_rows(day)
        shown, more = rows[start : start + limit], start + limit < len(rows)
        following = quote(cursor(f"{mark}|{start + limit}")) if more else "null"
        body = b'{"data":[%b],"has_more":%b,"next_page":%b}' % (b",".join(shown), b"true" if more else b"false", following.encode())
        return Response(200, body)

    def _code_rows(self, day: date) -> list[bytes]:
        key = (day, self.world.claude.history(day), "claude_code")
        with self._lock:
            found = self._buckets.get(key)
            if found is None:
                found = [_code_row(day, row).encode() for row in self.world.claude.day(day).code]
                self._buckets.put(key, found, sum(map(len, found)) + 1)
            return found


def _text(value: str | None) -> str:
    return "null" if value is None else f'"{value}"'  # identifiers and enumerations: nothing to escape


def _code_row(day: date, row: CodeRow) -> str:
    if row.user is not None:
        actor = f'{{"type":"user_actor","email_address":{quote(row.user.email)}}}'
    else:
        actor = f'{{"type":"api_actor","api_key_name":{quote(row.key_name or "")}}}'
    tools = ",".join(f'"{name}":{{"accepted":{yes},"rejected":{no}}}' for name, (yes, no) in zip(_TOOLS, row.tools, strict=True))
    models = ",".join(
        f'{{"model":"{model}","tokens":{{"input":{tokens[0]},"output":{tokens[1]},"cache_read":{tokens[2]},'
        f'"cache_creation":{tokens[3]}}},"estimated_cost":{{"currency":"USD","amount":{cents_text(nano)}}}}}'
        for model, tokens, nano in row.models
    )
    plan = '"team"' if row.customer_type == "subscription" else "null"
    return (
        f'{{"date":"{stamp(day)}","actor":{actor},"organization_id":"{ORGANIZATION}","customer_type":"{row.customer_type}",'
        f'"subscription_type":{plan},"terminal_type":"{row.terminal}","is_remote":{"true" if row.remote else "false"},'
        f'"core_metrics":{{"num_sessions":{row.sessions},"lines_of_code":{{"added":{row.added},"removed":{row.removed}}},'
        f'"commits_by_claude_code":{row.commits},"pull_requests_by_claude_code":{row.pull_requests}}},'
        f'"tool_actions":{{{tools}}},"model_breakdown":[{models}]}}'
    )
