"""The server on localhost: one port, one thread per connection, faults on the socket.

Belongs here: HTTP/1.1 with keep-alive, the request log, latency, rate limits, broken connections.
Does not belong here: what is answered (vendors.py), which fault is due (faults.py).
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from .control import Control
from .cursor.api import Cursor
from .faults import PAGE, STATUS, Fault, FaultBook, damage, page_before, script
from .google_sheets.sheet import SHEET_ID
from .vendors import VENDORS
from .wire import Request, Response, Vendor
from .world import World

_LOGIN = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"


@dataclass(frozen=True, slots=True)
class Record:
    """One request and what became of it. `status` is None when a reset took the place of the answer."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    status: int | None
    fault: str | None
    at: float  # time.monotonic()

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class RateLimit:
    """At most n requests in any 60 seconds, by bucket."""

    def __init__(self, clock=time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    def admits(self, bucket: str, per_minute: int) -> bool:
        now = self._clock()
        with self._lock:
            seen = self._seen[bucket]
            while seen and seen[0] <= now - 60:
                seen.popleft()
            if len(seen) >= per_minute:
                return False
            seen.append(now)
            return True


class Simulator:
    def __init__(
        self,
        world: World,
        port: int = 0,
        latency_s: float = 0.0,
        faults: Iterable[Fault] | str = (),
        rate_limit: bool = False,
        cursor_key: str = "simulator",
        host: str = "127.0.0.1",
        anthropic_key: str = "simulator",
        anthropic_analytics_key: str = "simulator-analytics",
    ) -> None:
        """`anthropic_key` is the Platform organization's Admin key, `anthropic_analytics_key` the Enterprise organization's."""
        self.world, self.latency_s, self.key = world, latency_s, cursor_key
        self.anthropic_key, self.anthropic_analytics_key = anthropic_key, anthropic_analytics_key
        self.log: list[Record] = []  # appended to by many threads, before the answer is sent
        self._limits = RateLimit() if rate_limit else None
        self._faults = FaultBook(script(faults, world.seed, world.anthropic) if isinstance(faults, str) else faults)
        self._control = Control(self)
        keys = {"anthropic": (anthropic_key, anthropic_analytics_key)}
        present = [vendor for vendor in VENDORS if vendor.present(world)]
        self._vendors: list[Vendor] = [vendor(world, *keys.get(vendor.name, (cursor_key,))) for vendor in present]
        self._address = (host, port)
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if self._server is not None:
            raise RuntimeError("this simulator runs already")
        self._server = _Server(self._address, self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.hang_up()

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the simulator is not running: use it as a context manager")
        return f"http://{self._server.server_name}:{self._server.server_port}"

    @property
    def sheet_id(self) -> str:
        return SHEET_ID

    def add_fault(self, fault: Fault) -> None:
        self._faults.add(fault)

    def clear_faults(self) -> None:
        self._faults.clear()

    def warm(self, first: date, last: date, window_days: int = 1, page_size: int = 1000) -> int:
        """Render Cursor's event pages of these windows beforehand (for benchmarks); returns their number."""
        cursor = next(v for v in self._vendors if isinstance(v, Cursor))
        return cursor.events.warm(first, last, window_days, page_size)

    def answer(self, request: Request) -> tuple[Response, Fault | None]:
        if request.path.startswith(self._control.paths):
            return self._control.answer(request), None
        vendor = next(v for v in self._vendors if request.path.startswith(v.paths))
        if self.latency_s:
            time.sleep(self.latency_s)
        limit = vendor.limit(request.path)
        if limit and self._limits and not self._limits.admits(*limit):
            return vendor.error(429), None
        fault = self._faults.strike(request)
        if fault is None:
            return vendor.answer(request), None
        if fault.kind in STATUS:
            refusal = vendor.error(int(STATUS[fault.kind]))
            headers = {**refusal.headers, **_retry_after(fault)}
            return Response(refusal.status, refusal.body, refusal.content_type, headers), fault
        if fault.kind == "html":
            return Response(200, _LOGIN, "text/html; charset=utf-8"), fault
        if fault.kind == "repeated_page":
            return vendor.answer(page_before(request)), fault
        response = vendor.answer(request)
        return (damage(response, fault, vendor.records_of(request.path), request) if fault.kind in PAGE else response), fault


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    # HTTP dates have whole seconds: two ahead is one to two seconds from now.
    text = formatdate(time.time() + 2, usegmt=True) if fault.retry_after == "date" else str(fault.retry_after)
    return {"Retry-After": text}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask DNS for its own name.
        socket_address = self.server_address
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request, client_address) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ValueError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        simulator = self.server.simulator
        request = self._request()
        try:
            response, fault = simulator.answer(request)
        except Exception as error:
            response, fault = Response.json(500, {"error": "simulator", "message": repr(error)}), None
        kind = fault.kind if fault else None
        status = None if kind == "reset" else response.status
        if not request.path.startswith("/_simulator/"):
            simulator.log.append(
                Record(
                    request.method,
                    request.path,
                    dict(request.query),
                    request.body,
                    status,
                    kind,
                    time.monotonic(),
                )
            )
        if fault and kind == "slow":
            time.sleep(fault.seconds)
        if kind == "reset":
            self._reset()
            return
        self._send(response, kind)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.rfile.read(int(headers.get("content-length") or 0))
        return Request(
            self.command,
            unquote(parts.path),
            parse_qs(parts.query, keep_blank_values=True),
            headers,
            _parsed(raw, headers),
        )

    def _send(self, response: Response, kind: str | None) -> None:
        lines = [
            f"HTTP/1.1 {response.status} {responses.get(response.status, 'Overloaded')}",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers.items()),
        ]
        broken = kind in ("truncated", "reset_mid")
        if self.close_connection and not broken:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        body = b"" if self.command == "HEAD" else response.body
        if broken:
            self.connection.sendall(head + body[: len(body) // 2])
            self.close_connection = True
            if kind == "reset_mid":
                time.sleep(0.02)  # let the half arrive: a reset discards what is still under way
                self._reset()
        elif len(body) < 65_536:
            self.connection.sendall(head + body)
        else:
            self.connection.sendall(head)
            self.connection.sendall(body)

    def _reset(self) -> None:
        """Close with RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()  # it shares the socket: only the last close counts
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """The log is `Simulator.log`."""


def _parsed(raw: bytes, headers: dict[str, str]) -> Any:
    if not raw:
        return None
    if "form-urlencoded" in headers.get("content-type", ""):
        return {name: values[-1] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
    try:
        return json.loads(raw, parse_float=Decimal)
    except ValueError:
        return raw.decode("utf-8", "replace")
