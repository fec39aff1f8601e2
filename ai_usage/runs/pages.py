"""Dagster's web pages behind a guard: what `ai-usage dev` and the container's webserver start.

Dagster's webserver takes any `Host`, any WebSocket `Origin`, and mutations by GET: any web site that an operator visits could start runs. Here each
request passes `Guard` first.

Belongs here: who may ask the pages, and Dagster's three private names through which the guard is put in place (a test holds them). Does not belong
here: what the pages show; the proxy with a company's login (docs/how-to/login.md).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
import sys
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ai_usage.errors import SettingsError
from ai_usage.settings import Settings, load_settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
HEALTH = "/server_info"  # versions and nothing else, for health checks that hold no token


def check_reach(host: str, settings: Settings) -> None:
    """`SettingsError` when others can reach the address that is to listen, and no token is set."""
    try:
        closed = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        closed = False
    if not closed and settings.pages_token is None:
        raise SettingsError(
            f"{host} can be reached from other machines and the pages have no login of their own; set AI_USAGE_PAGES_TOKEN, or listen on 127.0.0.1 "
            "(docs/how-to/login.md)."
        )


class Guard:
    """An ASGI application before another one: own names, own origin, JSON for what acts, and a token where one is set."""

    def __init__(self, app: ASGIApp, host: str, settings: Settings) -> None:
        check_reach(host, settings)
        token = settings.pages_token
        self.app, self.token = app, token.get_secret_value() if token else None
        own = frozenset() if host in ANY_ADDRESS else {f"[{host}]" if ":" in host else host}
        self.names = LOOPBACK | {name.lower() for name in (*own, *settings.pages_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = None if scope["type"] == "lifespan" else self.refusal(scope)
        if refused is None:
            await self.app(scope, receive, _unframed(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1][:120]})
        else:
            login = {"WWW-Authenticate": 'Basic realm="AI Usage Analytics", charset="UTF-8"'} if refused[0] == 401 else None
            await PlainTextResponse(refused[1] + "\n", refused[0], login)(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """(status, sentence) for a request that is not answered."""
        headers, reads = Headers(scope=scope), scope.get("method", "GET") in ("GET", "HEAD")
        hosts = [value.lower() for value in headers.getlist("host")]
        named = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d+)?", hosts[0]) if len(hosts) == 1 else None
        if named is None or named[1] not in self.names:
            return 421, "These pages do not answer to this name; add it to AI_USAGE_PAGES_HOSTS if it is theirs."
        if any(o.lower() not in (f"http://{hosts[0]}", f"https://{hosts[0]}") for o in headers.getlist("origin")):
            return 403, "A page of another origin may not ask these pages."
        # Without an Origin a browser asks for an image, a script, a frame or a link; only a link that is followed may come from elsewhere.
        followed = reads and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not followed:
            return 403, "A page of another origin may not use these pages."
        if self.token is not None and scope["path"] != HEALTH and not self._knows(headers.get("authorization", ""), self.token):
            return 401, "Give any name, and AI_USAGE_PAGES_TOKEN as the password."
        if scope["type"] == "websocket":
            return None
        kinds = [value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")]
        if not reads and (scope["method"] != "POST" or kinds != ["application/json"]):
            return 415, "Send a POST whose Content-Type is application/json."
        asks = "query" in parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if reads and scope["path"].rstrip("/").endswith("/graphql") and asks and "text/html" not in headers.get("accept", ""):
            return 405, "Send a GraphQL query as a POST."  # with text/html the answer is the page to write queries on, and nothing runs
        return None

    @staticmethod
    def _knows(authorization: str, token: str) -> bool:
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "basic":
            try:
                value = base64.b64decode(value).decode("utf-8").partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        return kind.lower() in ("basic", "bearer") and hmac.compare_digest(value.encode(), token.encode())


def _unframed(send: Send) -> Send:
    """Answers that no page of another origin can show in a frame, where a click would be the operator's."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Frame-Options"] = "DENY"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
        await send(message)

    return answer


def _serve(app: ASGIApp, *, host: str, **options: Any) -> None:
    import uvicorn

    uvicorn.run(Guard(app, host, load_settings()), host=host, **options)


def _guarded_process(words: list[str], **options: Any) -> Any:
    """Dagster's `dev` starts the webserver as a process of its own: ours in its place."""
    from dagster_shared.ipc import open_ipc_subprocess

    return open_ipc_subprocess(["ai_usage.runs.pages" if word == "dagster_webserver" else word for word in words], **options)


def main() -> None:
    """`python -m ai_usage.runs.pages dev …` is `dagster dev …`, anything else is `dagster-webserver …`; both behind the guard."""
    if sys.argv[1:2] == ["dev"]:
        import dagster._cli
        from dagster._cli import dev

        dev.open_ipc_subprocess = _guarded_process
        dagster._cli.main()
    from dagster_webserver import cli

    cli.uvicorn = SimpleNamespace(run=_serve)  # type: ignore[attr-defined,assignment]
    try:
        cli.main()
    except SettingsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
