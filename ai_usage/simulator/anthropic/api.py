"""Anthropic's Admin API: authentication, limits, errors, and which handler answers which path.

Belongs here: the contract that all of /v1/organizations shares, and the directory endpoints.
Does not belong here: reports (reports.py), the analytics generation (analytics.py), who exists
(cast.py).
"""

from __future__ import annotations

import itertools
from typing import Any

from ..numbers import dumps
from ..wire import Problem, Records, Request, Response, Vendor
from .analytics import Analytics
from .cast import ENTERPRISE, ORGANIZATION, WORKSPACES, Key, Workspace
from .engagement import engagement
from .query import only, whole_number
from .reports import Reports

_ERRORS = {
    400: ("invalid_request_error", "Invalid request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is an issue with billing"),
    403: ("permission_error", "This API key does not have the required scopes: has [org:admin], needs [read:analytics]"),
    404: ("not_found_error", "Not found"),
    409: ("conflict_error", "Conflict"),
    410: ("invalid_request_error", "The page cursor is no longer valid. Restart pagination from the first page."),
    413: ("request_too_large", "Request too large"),
    429: ("rate_limit_error", "Rate limit exceeded. Retry after the time indicated by the retry-after header."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "The request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_ROOT = "/v1/organizations"
_STATUSES = ("active", "inactive", "archived", "expired")


class Anthropic(Vendor):
    name = "anthropic"
    paths = ("/v1/organizations/",)

    def __init__(self, world, key: str = "simulator", analytics_key: str = "simulator-analytics") -> None:
        self.analytics_key = analytics_key  # of the Enterprise organization
        self._numbers = itertools.count(1)
        self.reports, self.analytics = Reports(world), Analytics(world)
        super().__init__(world, key)

    @staticmethod
    def present(world) -> bool:
        return world.anthropic

    def routes(self):
        return [
            ("GET", f"{_ROOT}/me", self._me),
            ("GET", f"{_ROOT}/users", self._users),
            ("GET", f"{_ROOT}/api_keys", self._api_keys),
            ("GET", f"{_ROOT}/workspaces", self._workspaces),
            ("GET", f"{_ROOT}/workspaces/(?P<workspace_id>[^/]+)/members", self._members),
            ("GET", f"{_ROOT}/usage_report/messages", self.reports.usage),
            ("GET", f"{_ROOT}/usage_report/claude_code", self.reports.claude_code),
            ("GET", f"{_ROOT}/cost_report", self.reports.cost),
            ("GET", f"{_ROOT}/analytics/(?P<what>cost|usage)", self._analytics),
            ("GET", f"{_ROOT}/analytics/users", self._engagement),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        kind, usual = _ERRORS.get(status, ("api_error", "Error"))
        number = self._request_id()
        body = {"type": "error", "error": {"type": kind, "message": message or usual}, "request_id": number}
        return Response(status, dumps(body).encode(), headers={"request-id": number})

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if "request-id" in response.headers:
            return response
        return Response(response.status, response.body, response.content_type, {**response.headers, "request-id": self._request_id()})

    def _request_id(self) -> str:
        return f"req_011{next(self._numbers):021d}"

    def authorize(self, request: Request) -> None:
        key = request.headers.get("x-api-key", "")
        enterprise = self._is_enterprise(request)
        if key != self.key and not enterprise:
            raise Problem(401)
        if not request.headers.get("anthropic-version"):
            raise Problem(400, "anthropic-version: header is required")
        if enterprise and not request.path.startswith((f"{_ROOT}/analytics/", f"{_ROOT}/me")):
            raise Problem(403, "This API key does not have the required scopes: has [read:analytics], needs [org:admin]")

    def _is_enterprise(self, request: Request) -> bool:
        return self.world.claude.enterprise and request.headers.get("x-api-key") == self.analytics_key

    def limit(self, path: str) -> tuple[str, int] | None:
        if "/analytics/" in path:
            return "analytics", 60
        return None if "_report" in path else ("admin", 100)

    def records_of(self, path: str) -> tuple[Records, ...]:
        if path.endswith("/usage_report/messages"):
            return (Records("data", "output_tokens", "output_tokens", inside="results"),)
        if path.endswith("/cost_report"):
            return (Records("data", "amount", "amount", inside="results"),)
        required = {"claude_code": "core_metrics", "cost": "cost", "usage": "usage", "api_keys": "status"}.get(
            path.rpartition("/")[2], "id"
        )
        if path.endswith("/members"):
            required = "user_id"
        if path.endswith("/analytics/users"):
            required = "chat_metrics"
        return (Records("data", required, required),)

    # ------------------------------------------------------------ directory

    def _me(self, request: Request) -> Response:
        if self._is_enterprise(request):
            return Response.json(200, {"id": ENTERPRISE, "type": "organization", "name": "Example Enterprise"})
        return Response.json(200, {"id": ORGANIZATION, "type": "organization", "name": "Example Org"})

    def _users(self, request: Request) -> Response:
        only(request, "limit", "after_id", "before_id", "email", "roles[]")
        wanted, roles = (request.arg("email") or "").lower(), request.query.get("roles[]")
        return _page(
            request,
            [
                {"id": u.id, "type": "user", "email": u.email, "name": u.name, "role": u.role, "added_at": u.added_at}
                for u in self.world.anthropic_org.users
                if (not wanted or u.email.lower() == wanted) and (not roles or u.role in roles)
            ],
        )

    def _api_keys(self, request: Request) -> Response:
        only(request, "limit", "after_id", "before_id", "status", "workspace_id", "created_by_user_id")
        status, place, maker = (request.arg(name) for name in ("status", "workspace_id", "created_by_user_id"))
        if status is not None and status not in _STATUSES:
            raise Problem(400, f"status: must be one of {', '.join(_STATUSES)}")
        shape = self.world.claude.key_shape
        return _page(
            request,
            [
                _api_key(key, shape)
                for key in self.world.anthropic_org.keys
                if (status is None or key.status == status)
                and (place is None or key.workspace.id == place)
                and (maker is None or key.creator == ("user", maker))
            ],
        )

    def _workspaces(self, request: Request) -> Response:
        only(request, "limit", "after_id", "before_id", "include_archived", "include_default", "ids[]")
        archived, default = (request.arg(f"include_{name}") == "true" for name in ("archived", "default"))
        ids = request.query.get("ids[]")
        if ids and len(ids) > 100:
            raise Problem(400, "ids: at most 100")
        return _page(
            request,
            [
                _workspace(w)
                for w in WORKSPACES
                if (archived or w.archived_at is None) and (default or w.reported is not None) and (not ids or w.id in ids)
            ],
        )

    def _members(self, request: Request, workspace_id: str) -> Response:
        only(request, "limit", "after_id", "before_id")
        workspace = next((w for w in WORKSPACES if w.id == workspace_id), None)
        if workspace is None:
            raise Problem(404)
        rows = [
            {"type": "workspace_member", "user_id": user.id, "workspace_id": workspace_id, "workspace_role": role}
            for user, role in self.world.anthropic_org.members(workspace)
        ]
        return _page(request, rows, "user_id")

    # ------------------------------------------------------------ the 2026 generation

    def _analytics(self, request: Request, what: str) -> Response:
        enterprise = self._is_enterprise(request)
        if not enterprise and self.world.claude.analytics != "allowed":
            raise Problem(403)
        return self.analytics.answer(request, what, enterprise)

    def _engagement(self, request: Request) -> Response:
        if not self.world.claude.enterprise:
            raise Problem(403)
        return Response.json(200, engagement(self.world, request))


def _page(request: Request, rows: list[dict[str, Any]], name: str = "id") -> Response:
    limit = whole_number(request, "limit", 20, 1000)
    after, before = request.arg("after_id"), request.arg("before_id")
    if after is not None and before is not None:
        raise Problem(400, "after_id and before_id exclude each other")
    places = {row[name]: n for n, row in enumerate(rows)}
    for cursor in (after, before):
        if cursor is not None and cursor not in places:
            raise Problem(400, f"{cursor!r} is not an id of this list")
    if before is not None:
        end = places[before]
        chosen, more = rows[max(0, end - limit) : end], end > limit
    else:
        start = places[after] + 1 if after is not None else 0
        chosen, more = rows[start : start + limit], start + limit < len(rows)
    ends = (chosen[0][name], chosen[-1][name]) if chosen else (None, None)
    return Response.json(200, {"data": chosen, "first_id": ends[0], "last_id": ends[1], "has_more": more})


def _api_key(key: Key, shape: str) -> dict[str, Any]:
    principal: dict[str, str] | None = None
    if key.principal and key.creator:
        kind, who = key.creator
        principal = {"id": who, "type": kind} if shape == "legacy" else {"type": f"{kind}_actor", f"{kind}_id": who}
    row: dict[str, Any] = {
        "id": key.id,
        "type": "api_key",
        "name": key.name,
        "status": key.status,
        "partial_key_hint": f"sk-ant-api03-...{key.id[-4:]}",
        "created_at": "2026-01-15T10:00:00.000000Z",
        "created_by": {"id": key.creator[1], "type": key.creator[0]} if key.creator else None,
        "expires_at": key.expires_at,
        "principal": principal,
    }
    if shape != "legacy":
        row["scope"] = {"type": "workspace", "workspace_id": key.workspace.id}
    if shape != "scope":
        row["workspace_id"] = key.workspace.reported
    return row


def _workspace(workspace: Workspace) -> dict[str, Any]:
    return {
        "id": workspace.id,
        "type": "workspace",
        "name": workspace.name,
        "created_at": workspace.created_at,
        "archived_at": workspace.archived_at,
        "display_color": workspace.color,
        "compartment_id": f"cmpt_{workspace.id[-14:]}",
        "external_key_id": None,
        "user_profile_id": None,
        "tags": dict(workspace.tags),
        "data_residency": {
            "workspace_geo": "us",
            "default_inference_geo": "global",
            "allowed_inference_geos": "unrestricted",
        },
    }
