"""Anthropic's 2026 generation: GET /v1/organizations/analytics/cost and /usage.

Belongs here: grouping by any dimension, rows and their order, cursors bound to query and refresh, for the Platform
organization and the Enterprise one.
Does not belong here: who may ask (api.py), engagement (engagement.py).

Priority Tier has usage and no cost, as in the legacy reports. The list amount is a quarter above the amount.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from ..cursor.events import Bounded
from ..numbers import dumps
from ..subscriptions import days
from ..wire import Problem, Request, Response
from .cast import CLAUDE_CODE, DEFAULT, ENTERPRISE, ORGANIZATION, Actor, user_id
from .catalog import BATCH, TOKEN_TYPES, WEB_SEARCH, cents_text
from .query import chosen, cursor, fingerprint, instant, only, required, stamp, uncursor, whole_number

BETA = "analytics-usage-cost-2026-08-24"
EARLIEST = date(2026, 1, 1)
GROUPS = (
    "actor", "actor_type", "agent_id", "api_key_id", "claude_tag_category", "claude_tag_user_id", "context_window",
    "deployment_id", "environment_id", "inference_geo", "model", "organization_id", "product", "rbac_group_id",
    "service_tier", "session_id", "slack_channel_id", "speed", "user_profile_id", "workspace_id",
)  # fmt: skip
FAN_OUT = ("cost_type", "token_type")
_NAMES = tuple(sorted((*GROUPS, *FAN_OUT)))
_FILTERS = {
    f"{name}s[]": name for name in ("api_key_id", "context_window", "inference_geo", "model", "product", "service_tier", "workspace_id")
}
_ORDERS = {
    "cost": ("amount", "list_amount", "time"),
    "usage": ("total_tokens", "output_tokens", "uncached_input_tokens", "requests", "time"),
}

# amount, list amount, requests; of usage also the five classes of tokens and web searches
Numbers = list[int]
Item = tuple[dict[str, Any], Numbers]


class Analytics:
    def __init__(self, world) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._kept = Bounded(160 << 20)

    @property
    def refreshed_at(self) -> datetime:
        """The day after the last one; an hour later with each correction."""
        day = self.world.last_day + timedelta(days=1)
        return datetime.combine(day, time(4), UTC) + timedelta(hours=self.world.claude.refreshes)

    def answer(self, request: Request, what: str, enterprise: bool) -> Response:
        known = (
            "starting_at",
            "ending_at",
            "time_bucket_width",
            "group_by[]",
            "limit",
            "order_by",
            "order",
            "page",
            "exclude_deleted_users",
        )
        only(request, *known, *_FILTERS)
        if BETA not in [part.strip() for part in request.headers.get("anthropic-beta", "").split(",")]:
            raise Problem(400, f"anthropic-beta: this endpoint requires {BETA}")
        group = chosen(request, "group_by[]", (*GROUPS, *FAN_OUT) if what == "cost" else GROUPS)
        if len([name for name in group if name in GROUPS]) > 5:
            raise Problem(400, "group_by: at most 5 dimensions")
        first, end, bucketed = self._range(request)
        limit = whole_number(request, "limit", 20, 1000)
        order_by, order = request.arg("order_by", _ORDERS[what][0]), request.arg("order", "desc")
        if order_by not in _ORDERS[what] or order not in ("asc", "desc") or (order_by == "time" and not bucketed):
            raise Problem(400, f"order_by: one of {', '.join(_ORDERS[what])} (time needs time_bucket_width); order: asc or desc")
        exclude = request.arg("exclude_deleted_users") == "true"
        if exclude and "actor" not in group:
            raise Problem(400, "exclude_deleted_users: needs group_by[]=actor")
        refreshes, mark = self.world.claude.refreshes, fingerprint(request)
        start = 0
        if (page := request.arg("page")) is not None:
            given = uncursor(page).split("|")
            if len(given) != 4 or given[0] != mark or not given[2].isdigit():
                raise Problem(400, "page: this cursor belongs to another query")
            if given[1] != str(refreshes):
                raise Problem(410)
            start = int(given[2])
        key = (mark, refreshes, enterprise)
        with self._lock:
            rows = self._kept.get(key)
            if rows is None:
                items = self._items(what, "token_type" in group, first, end, bucketed, enterprise, request)
                if exclude:
                    items = (item for item in items if not (item[0].get("actor") and item[0]["actor"].id == "deleted"))
                rows = self._rows(what, group, items, order_by, order, first, end)
                self._kept.put(key, rows, sum(len(text) for text in rows) + 1)
        more = start + limit < len(rows)
        following = dumps(cursor(f"{mark}|{refreshes}|{start + limit}|{what}") if more else None)
        refreshed = f"{self.refreshed_at:%Y-%m-%dT%H:%M:%SZ}"
        text = f'{{"data":[{",".join(rows[start : start + limit])}],"has_more":{dumps(more)},"next_page":{following},'
        return Response(200, (text + f'"data_refreshed_at":"{refreshed}"}}').encode())

    def _range(self, request: Request) -> tuple[date, date, bool]:
        start = required(instant(request, "starting_at"), "starting_at")
        end, width = instant(request, "ending_at"), request.arg("time_bucket_width")
        today = self.world.last_day + timedelta(days=1)
        if start.date() < EARLIEST:
            raise Problem(400, f"starting_at: must be on or after {stamp(EARLIEST)}")
        if start.date() < today - timedelta(days=365):
            raise Problem(400, "starting_at: must be within the last 365 days")
        if width is not None and end is None:
            raise Problem(400, "ending_at: required with time_bucket_width")
        if end is None:
            end = min(datetime.combine(today, time(), UTC), start + timedelta(days=31))
        if end <= start:
            raise Problem(400, "ending_at: must be later than starting_at")
        if end - start > timedelta(days=31):
            raise Problem(400, "ending_at: the span must not exceed 31 days")
        if width not in (None, "1d") or (start.time(), end.time()) != (time(), time()):
            raise Problem(400, "time_bucket_width: the simulator has 1d only, and whole days")
        return start.date(), end.date(), width is not None

    # ------------------------------------------------------------ what there is

    def _items(
        self, what: str, by_token: bool, first: date, end: date, bucketed: bool, enterprise: bool, request: Request
    ) -> Iterator[Item]:
        filters = [(_FILTERS[name], frozenset(values)) for name, values in request.query.items() if name in _FILTERS]
        found = self._enterprise if enterprise else self._platform
        for day in days(first, end - timedelta(days=1)):
            for dims, numbers in found(day, what, by_token):
                if all((dims.get(name) or "") in wanted for name, wanted in filters):
                    dims["day"] = day if bucketed else None
                    yield dims, numbers

    def _platform(self, day: date, what: str, by_token: bool) -> Iterator[Item]:
        told = self.world.claude.day(day)
        for row in told.usage:
            place = row.workspace_id or DEFAULT.id
            product = "messages_api"
            if place == CLAUDE_CODE.id:
                product = "claude_code"
            elif row.api_key_id is None:
                product = "claude_console"
            elif row.service_tier == BATCH:
                product = "message_batches_api"
            dims: dict[str, Any] = {
                "actor": row.actor,
                "actor_type": row.actor.type,
                "api_key_id": row.api_key_id,
                "context_window": row.context_window,
                "inference_geo": row.inference_geo,
                "model": row.model,
                "organization_id": ORGANIZATION,
                "product": product,
                "service_tier": row.service_tier,
                "speed": row.speed,
                "workspace_id": place,
            }
            if what == "usage":
                yield dims, [0, 0, row.requests, *row.tokens, row.searches]
                continue
            asked, costs = row.requests, row.cost(day)
            if row.searches:
                # A search is charged to its workspace and key whatever the model's tier, window and region were.
                plain = dict.fromkeys(("context_window", "inference_geo", "model", "service_tier", "speed", "token_type"))
                nano = row.searches * WEB_SEARCH
                yield {**dims, **plain, "cost_type": "web_search"}, [nano, nano + nano // 4, 0]
            dims["cost_type"] = "tokens"
            if not by_token:
                if total := sum(costs):
                    yield dims, [total, total + sum(nano // 4 for nano in costs), asked]
                continue
            for token_type, nano in zip(TOKEN_TYPES, costs, strict=True):
                if nano:
                    yield {**dims, "token_type": token_type}, [nano, nano + nano // 4, asked]
                    asked = 0
        for extra in told.extra if what == "cost" else ():
            dims = {
                "cost_type": extra.cost_type,
                "organization_id": ORGANIZATION,
                "product": "managed_agents_api" if extra.cost_type == "session_usage" else "messages_api",
                "workspace_id": extra.workspace_id or DEFAULT.id,
            }
            yield dims, [extra.nano, extra.nano + extra.nano // 4, 1]

    def _enterprise(self, day: date, what: str, by_token: bool) -> Iterator[Item]:
        people = self.world.cast.people
        for item in self.world.claude.enterprise_day(day):
            actor = None
            if item.person >= 0:
                actor = Actor("user_actor", "deleted" if item.email is None else user_id(people[item.person]), item.person)
            dims = {
                "actor": actor,
                "actor_type": actor and actor.type,
                "model": item.model,
                "organization_id": ENTERPRISE,
                "product": item.product,
            }
            if what == "cost":
                fan = {"cost_type": item.cost_type, "token_type": "output_tokens" if item.cost_type == "tokens" else None}
                yield {**dims, **fan}, [item.nano, item.list_nano, 1]
            elif item.tokens:
                yield dims, [0, 0, 1 + item.tokens // 9000, item.tokens, 0, 0, 0, item.tokens // 5, 0]

    # ------------------------------------------------------------ rows

    def _rows(
        self, what: str, group: tuple[str, ...], items: Iterator[Item], order_by: str, order: str, first: date, end: date
    ) -> list[str]:
        """One text for every group of counted dimensions; the fan-out of cost and token type stays together in it."""
        counted, fan = [n for n in group if n in GROUPS], [n for n in group if n in FAN_OUT]
        total: dict[tuple, dict[tuple, Numbers]] = defaultdict(lambda: defaultdict(lambda: [0] * (3 if what == "cost" else 9)))
        for dims, numbers in items:
            mine = total[dims["day"], *(dims.get(n) for n in counted)][tuple(dims.get(n) for n in fan)]
            for n, count in enumerate(numbers):
                mine[n] += count

        def rank(entry: tuple[tuple, dict[tuple, Numbers]]) -> Any:
            sums = [sum(column) for column in zip(*entry[1].values(), strict=True)] + [0] * 6
            return {
                "amount": sums[0],
                "list_amount": sums[1],
                "requests": sums[2],
                "total_tokens": sum(sums[3:8]),
                "output_tokens": sums[7],
                "uncached_input_tokens": sums[3],
                "time": entry[0][0],
            }[order_by]

        entries = sorted(total.items(), key=lambda entry: str(entry[0]))
        entries.sort(key=rank, reverse=order == "desc")
        names = [name for name in _NAMES if what == "cost" or name not in FAN_OUT]
        known: dict[Any, str] = {}  # the text of each value

        def text(value: Any) -> str:
            if value not in known:
                known[value] = dumps(self._actor(value) if isinstance(value, Actor) else value)
            return known[value]

        rows = []
        for key, fans in entries:
            day = key[0]
            bounds = (stamp(day), stamp(day + timedelta(days=1))) if day else (stamp(first), stamp(end))
            texts = []
            for values, numbers in sorted(fans.items(), key=lambda entry: (-entry[1][0], str(entry[0]))):
                dims = dict(zip((*counted, *fan), (*key[1:], *values), strict=True))
                shown = ",".join(f'"{name}":{text(dims.get(name))}' for name in names)
                said = _cost(numbers, bool(fan)) if what == "cost" else _usage(numbers)
                texts.append(f'{{"starting_at":"{bounds[0]}","ending_at":"{bounds[1]}","group":{{{shown}}},"{what}":{dumps(said)}}}')
            rows.append(",".join(texts))
        return rows

    def _actor(self, actor: Actor) -> dict[str, Any]:
        if actor.type == "api_actor":
            return {"type": actor.type, "api_key_id": actor.id}
        if actor.type == "service_account_actor":
            return {"type": actor.type, "service_account_id": actor.id}
        people, user = self.world.cast.people, self.world.anthropic_org.user_of.get(actor.person)
        who = user_id(people[actor.person])
        if actor.id == "deleted" or user is None:
            return {"type": actor.type, "user_id": who, "name": "Deleted User", "email_address": None, "deleted": True}
        return {"type": actor.type, "user_id": who, "name": user.name, "email_address": user.email, "deleted": False}


def _cost(numbers: Numbers, fanned: bool) -> dict[str, Any]:
    return {
        "amount": cents_text(numbers[0]),
        "currency": "USD",
        "list_amount": cents_text(numbers[1]),
        "requests": None if fanned else numbers[2],
    }


def _usage(numbers: Numbers) -> dict[str, Any]:
    _, _, requests, uncached, read, short, hour, output, searches = numbers
    return {
        "uncached_input_tokens": uncached,
        "output_tokens": output,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": hour},
        "total_tokens": sum(numbers[3:8]),
        "requests": requests,
        "server_tool_use": {"web_search_requests": searches},
    }
