"""A stand-in Metabase: a real HTTP server whose state behaves, and misbehaves, as the real one's does by the contract.

Every request body is validated against the OpenAPI subset, and the behaviour that a schema cannot show is added: inert mappings,
arrays that replace, masks, revisions, background sync, parts recreated under other ids. Belongs here: routes, and the switches that
tests turn. Does not belong here: expectations. What each route does: `state.py`.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from ai_usage_tests.metabase import openapi
from ai_usage_tests.metabase.state import Refusal, State

READING = re.compile(r"/query$|/eid-translation/|^/api/session$")
OPEN = {"/api/health", "/api/session/properties", "/api/setup", "/api/session"}


def changes(method: str, path: str) -> bool:
    return method != "GET" and not READING.search(path)


class StandIn(State):
    """Start it with `with StandIn(engine) as metabase`. `log` holds every request; `invalid` what a schema refused."""

    def __init__(self, database: Any, **switches: Any) -> None:
        super().__init__(database, **switches)
        self.log: list[tuple[str, str, Any]] = []
        self.invalid: list[str] = []
        self.cut_after: int | None = None
        """Carry out this many more writes, then break the connection at each, after carrying it out."""
        self.cut_before = False
        """With `cut_after`: break it before carrying it out instead."""
        self.broken_gets = 0
        """Answer this many GETs with 502 first."""
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one packet: apart, each answer waits 40 ms for an acknowledgement

            def handle_any(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                parts = urlsplit(self.path)
                with owner._lock:
                    answer = owner.answer(
                        self.command, unquote(parts.path), parse_qs(parts.query), json.loads(raw) if raw else None,
                        {k.lower(): v for k, v in self.headers.items()},
                    )  # fmt: skip
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, body = answer
                said = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def writes(self) -> list[tuple[str, str, Any]]:
        """The requests that changed something."""
        return [entry for entry in self.log if changes(*entry[:2])]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, headers: dict[str, str]) -> tuple[int, Any] | None:
        self.log.append((method, path, body))
        if method == "GET" and self.broken_gets > 0:
            self.broken_gets -= 1
            return 502, {"message": "starting"}
        writing = changes(method, path)
        if writing and self.cut_after is not None and self.cut_before and self.cut_after <= 0:
            return None
        try:
            if path not in OPEN:
                self.authenticate(headers)
            if method in ("POST", "PUT") and (found := openapi.problems(method, path, body)):
                self.invalid += [f"{method} {path}: {p}" for p in found]
                status = 404 if openapi.operation(method, path) is None else 400
                return status, {"message": "; ".join(found)}
            result = 200, self.dispatch(method, path, query, body)
        except Refusal as refusal:
            result = refusal.status, {"message": refusal.said}
        if writing and self.cut_after is not None:
            if self.cut_after <= 0:
                return None
            self.cut_after -= 1
        return (202, result[1]) if path.endswith("/query") and result[0] == 200 else result

    def dispatch(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        one = {name: values[0] for name, values in query.items()}
        for verb, pattern, name in ROUTES:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                arguments = [int(a) if a.isdigit() else a for a in match.groups()]
                takes = {"GET": [one], "POST": [body], "PUT": [body]}[method]
                return getattr(self, name)(*arguments, *takes)
        raise Refusal(404, "API endpoint does not exist.")


ROUTES = [
    ("GET", "/api/health", "health"),
    ("GET", "/api/session/properties", "properties"),
    ("POST", "/api/setup", "setup"),
    ("POST", "/api/session", "login"),
    ("GET", "/api/user/current", "current_user"),
    ("GET", "/api/database", "databases"),
    ("POST", "/api/database", "create_database"),
    ("GET", r"/api/database/(\d+)", "get_database"),
    ("PUT", r"/api/database/(\d+)", "update_database"),
    ("GET", r"/api/database/(\d+)/metadata", "metadata"),
    ("POST", r"/api/database/(\d+)/sync_schema", "sync"),
    ("POST", r"/api/database/(\d+)/rescan_values", "rescan"),
    ("PUT", r"/api/table/(\d+)", "update_table"),
    ("PUT", r"/api/field/(\d+)", "update_field"),
    ("GET", "/api/permissions/group", "groups"),
    ("POST", "/api/permissions/group", "create_group"),
    ("GET", "/api/permissions/graph", "data_graph"),
    ("PUT", "/api/permissions/graph", "put_data_graph"),
    ("GET", "/api/collection/graph", "collection_graph"),
    ("PUT", "/api/collection/graph", "put_collection_graph"),
    ("GET", "/api/collection", "list_collections"),
    ("POST", "/api/collection", "create_collection"),
    ("PUT", r"/api/collection/(\d+)", "update_collection"),
    ("GET", r"/api/collection/(\d+)/items", "items"),
    ("POST", "/api/eid-translation/translate", "translate"),
    ("POST", "/api/card", "create_card"),
    ("GET", r"/api/card/(\d+)", "get_card"),
    ("PUT", r"/api/card/(\d+)", "update_card"),
    ("POST", r"/api/card/(\d+)/query", "run_card"),
    ("POST", "/api/dashboard", "create_dashboard"),
    ("GET", r"/api/dashboard/(\d+)", "get_dashboard"),
    ("PUT", r"/api/dashboard/(\d+)", "update_dashboard"),
    ("POST", r"/api/dashboard/(\d+)/dashcard/(\d+)/card/(\d+)/query", "run_dashcard"),
    ("GET", "/api/pulse", "list_pulses"),
    ("POST", "/api/pulse", "create_pulse"),
    ("PUT", r"/api/pulse/(\d+)", "update_pulse"),
    ("GET", "/api/notification", "list_notifications"),
    ("POST", "/api/notification", "create_notification"),
    ("PUT", r"/api/notification/(\d+)", "update_notification"),
    ("GET", "/api/timeline", "list_timelines"),
    ("POST", "/api/timeline", "create_timeline"),
    ("POST", "/api/timeline-event", "create_event"),
    ("PUT", r"/api/timeline-event/(\d+)", "update_event"),
    ("GET", "/api/cache", "get_cache"),
    ("PUT", "/api/cache", "put_cache"),
    ("GET", r"/api/setting/(.+)", "get_setting"),
]
