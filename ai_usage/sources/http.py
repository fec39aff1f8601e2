"""One HTTP client for every vendor: retries, Retry-After, rate limits, whole bodies, typed errors.

Belongs here: everything about a single request that is alike for all vendors. Does not belong here: paths, parameters
and page chains (each vendor's `client.py`), how much of an answer is taken (`bounds.py`), and how long a wait is (`pace.py`). Bodies are read from the raw
stream in pieces of 1 MB: `requests`' own `.content` reads 10 KB at a time and costs twice the CPU on 0.5 MB pages (measured: 0.22 s against 0.12 s for 93 MB).
"""

from __future__ import annotations

import http.client
import logging
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import google.auth.exceptions
import msgspec
import requests
import requests.auth
import tenacity
import urllib3

from ai_usage import __version__
from ai_usage.guards import bounds as bounded
from ai_usage.guards.bounds import BoundError, Bounds
from ai_usage.guards.outgoing import guarded, hide, hide_in_answer, host_of, is_loopback, without_login
from ai_usage.guards.outside import line
from ai_usage.guards.timed import TimedAdapter
from ai_usage.sources.errors import AuthError, ContractError, PermanentError, RefusedError, SourceError, TransientError
from ai_usage.sources.halves import mended
from ai_usage.sources.pace import RateLimit, retry_after
from ai_usage.sources.traffic import Traffic

log = logging.getLogger(__name__)
T = TypeVar("T")
Params = Mapping[str, Any] | Sequence[tuple[str, str]] | None
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_EXCERPT = 200


@dataclass
class Stats:
    """What a client did, for materialization metadata; safe to share between threads."""

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)


@dataclass(frozen=True)
class Body:
    """A whole answer: status 200, length as announced."""

    content: bytes
    request_id: str | None


class HttpClient:
    """Requests to one vendor.

    Every request is counted in `traffic` under `source` and its endpoint. `read` turns a body into a value and may raise `TransientError`
    for a body that cannot be the answer (HTML, cut JSON): then the request is made again. At most `tries` requests are made for one answer and none begins later than
    `patience_s` after the first; both end in a `TransientError` that says so. An answer beyond `bounds` is a `PermanentError`, one that takes too long
    a `TransientError`.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        auth: requests.auth.AuthBase | tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        key_setting: str = "",
        tries: int = 7,
        patience_s: float = 300.0,
        timeout_s: tuple[float, float] = (10.0, 60.0),
        backoff_s: float = 1.0,
        connections: int = 8,
        bounds: Bounds | None = None,
        session: requests.Session | None = None,
        hints: Mapping[int, str] | None = None,
        source: str | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self.vendor = vendor
        self.source = source or vendor
        self.traffic = traffic or Traffic()
        self.base_url = base_url.rstrip("/")
        self.stats = Stats()
        self._shown_url = without_login(self.base_url)
        # A proxy's own loopback is another machine, so a key for this one goes through none.
        self._proxies = {"no_proxy": host_of(self.base_url)} if is_loopback(self.base_url) else None
        self._secrets = secrets
        self._key_setting = key_setting
        self._tries, self._patience_s, self._timeout_s, self._backoff_s = tries, patience_s, timeout_s, backoff_s
        self._hints = hints or {}
        self._bounds = bounds or Bounds()
        self._session = guarded(session or requests.Session())
        self._session.auth = auth or self._session.auth
        self._session.headers.update({"User-Agent": f"ai-usage-analytics/{__version__}", "Accept-Encoding": "gzip"})
        self._session.headers.update(headers or {})
        adapter = TimedAdapter(self._bounds.seconds, pool_connections=connections, pool_maxsize=connections, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __repr__(self) -> str:
        return f"HttpClient({self.vendor}, {self._shown_url})"

    def close(self) -> None:
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        read: Callable[[Body], T],
        *,
        params: Params = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        limit: RateLimit | None = None,
        stats: Stats | None = None,
        endpoint: str | None = None,
    ) -> T:
        """Make one request, again where that can help, and return what `read` makes of the answer. `endpoint` is its name in counts and logs.

        `stats` counts the requests of one walk. Every page of every chain comes by here, so here a chain without an end meets its bound.
        """
        begun = time.monotonic()

        chosen: dict[int, float] = {}

        def wait(state: tenacity.RetryCallState) -> float:
            """One pause for each try: the one that is judged is the one that is slept."""
            if state.attempt_number not in chosen:
                chosen[state.attempt_number] = pause(state)
            return chosen[state.attempt_number]

        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, TransientError) else None
            backoff = tenacity.wait_exponential_jitter(multiplier=self._backoff_s, max=60 * self._backoff_s, jitter=self._backoff_s)(state)
            return max(asked or 0.0, backoff)  # a lower bound: 0, a past date or a negative number is no leave to hammer

        def give_up(state: tenacity.RetryCallState) -> bool:
            ahead = wait(state) if state.outcome and state.outcome.failed else 0.0
            return state.attempt_number >= self._tries or time.monotonic() - begun + ahead > self._patience_s

        def again(state: tenacity.RetryCallState) -> None:
            self.stats.add(retries=1)
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, SourceError):
                self._tell(error, name, state.attempt_number, f"; try {state.attempt_number + 1} of {self._tries} in {wait(state):.1f} s.")

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=wait,
            stop=give_up,
            before_sleep=again,
            reraise=True,
        )
        attempts = 0
        name = endpoint or path

        def attempt() -> T:
            nonlocal attempts
            attempts += 1
            if limit is not None:
                time.sleep(limit.reserve())
            if stats is not None:
                if stats.requests >= self._bounds.pages:
                    raise PermanentError(
                        f"{self.vendor} {name} announces more pages than {self._bounds.pages:,}, the most that AI_USAGE_HTTP_MAX_PAGES allows for one "
                        "window; nothing of it was stored, so raise the setting if it has so many, or report it to the vendor."
                    )
                stats.add(requests=1)
            return read(self._once(method, path, params, json, headers, name, attempts))

        try:
            return retrying(attempt)
        except PermanentError as error:
            self._tell(error, name, attempts, ".")
            raise
        except TransientError as error:
            self._tell(error, name, attempts, "; given up.")
            said = str(error).rstrip(".")
            ended = type(error)(
                f"{said}; {attempts} tries in {time.monotonic() - begun:.0f} s did not help, so run again later.", error.retry_after
            )
            ended.status, ended.request_id = error.status, error.request_id
            raise ended from None

    def _tell(self, error: SourceError, endpoint: str, attempt: int, ending: str) -> None:
        """One line of the log for a request that did not bring what was asked; the sentence holds no key."""
        facts = {"source": self.source, "endpoint": endpoint, "attempt": attempt, "status": error.status, "request_id": error.request_id}
        # What the vendor said, in brackets, may name people; it stands in the error, which a person reads, and not in the log.
        log.warning("%s%s", re.sub(r" \(.*\)", "", str(error), flags=re.DOTALL).rstrip("."), ending, extra=facts)

    def _once(
        self, method: str, path: str, params: Params, json: Any, headers: Mapping[str, str] | None, endpoint: str, attempt: int
    ) -> Body:
        """One request, counted and logged however it ends."""
        begun = time.monotonic()
        status: int | None = None
        request_id: str | None = None
        try:
            body = self._send(method, path, params, json, headers)
            status, request_id = 200, body.request_id
            return body
        except SourceError as error:
            status, request_id = error.status, error.request_id
            raise
        finally:
            seconds = time.monotonic() - begun
            self.traffic.add(self.source, endpoint, status, seconds, retried=attempt > 1)
            if log.isEnabledFor(logging.DEBUG):
                facts = {"source": self.source, "endpoint": endpoint, "attempt": attempt, "status": status, "request_id": request_id}
                log.debug("%s %s %s answered %s", self.vendor, method, path, status, extra=facts | {"duration_s": round(seconds, 6)})

    def _send(self, method: str, path: str, params: Params, json: Any, headers: Mapping[str, str] | None = None) -> Body:
        self.stats.add(requests=1)
        where = f"{self.vendor} {method} {path}"
        begun = time.monotonic()
        try:
            with self._session.request(
                method,
                self.base_url + path,
                params=params,
                json=json,
                headers=headers,
                timeout=self._timeout_s,
                stream=True,
                proxies=self._proxies,
            ) as answer:
                content = bounded.read(answer.raw, self._bounds)
            if answer.status_code == 200:
                bounded.check(content, self._bounds)
        except BoundError as error:
            raise PermanentError(f"{where}: the answer {error}; report it to the vendor, or raise the setting.") from None
        except zlib.error:
            raise TransientError(f"{where}: the answer cannot be unpacked.") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
            raise PermanentError(f"{self.vendor}: the base URL {self._shown_url!r} is not a URL; correct the setting.") from None
        except google.auth.exceptions.RefreshError as error:
            raise AuthError(
                f"{self.vendor}: the credentials in {self._key_setting} are refused ({self._safe(_first(error))}); replace the file."
            ) from None
        except google.auth.exceptions.TransportError as error:
            raise TransientError(f"{where}: no token could be fetched, {self._safe(_cause(error))}.") from None
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
            OverflowError,
        ) as error:
            # The last two: Python reads a chunk of -5 bytes, and who knows which other line of a head.
            most = self._bounds.seconds
            if time.monotonic() - begun >= most:
                raise TransientError(
                    f"{where}: the answer takes longer than {most:g} s, the most that AI_USAGE_HTTP_MAX_S allows."
                ) from None
            raise TransientError(f"{where}: {self._safe(_cause(error))}.") from None
        self.stats.add(bytes=len(content))
        if answer.status_code != 200:
            refusal = self._error(where, answer, content)
            refusal.status, refusal.request_id = answer.status_code, self._request_id(answer)
            raise refusal
        # As debugging gateways do: it would carry the key into the spool and into the column `extra`.
        return Body(hide_in_answer(content, self._hidden()), self._request_id(answer))

    def _error(self, where: str, answer: requests.Response, content: bytes) -> SourceError:
        """Status -> class, kind and a sentence: the one place where statuses are judged."""
        status = answer.status_code
        said = self.excerpt(content)
        if status in RETRYABLE:
            if status == 429:
                self.stats.add(rate_limited=1)
            wait = retry_after(answer.headers.get("Retry-After"))
            hint = f": {self._hints[status]}" if wait is None and status in self._hints else ""
            return TransientError(f"{where} answered {status}{hint} ({said})", wait)
        key = self._key_setting or "the credential"
        if status in self._hints:
            kind = {401: AuthError, 403: RefusedError}.get(status, PermanentError)
            return kind(f"{where} answered {status}: {self._hints[status]} ({said}).")
        if status == 401:
            return AuthError(f"{where} answered 401: {self.vendor} does not accept {key}; set a valid one ({said}).")
        if status == 403:
            return RefusedError(
                f"{where} answered 403: {key} is valid but not allowed to read this; ask an administrator of {self.vendor} ({said})."
            )
        if status in {301, 302, 303, 307, 308}:
            return PermanentError(f"{where} redirects elsewhere: the base URL {self._shown_url!r} is not the API's; correct the setting.")
        if status == 404:
            return PermanentError(f"{where} answered 404: no such resource below {self._shown_url!r}; check the base URL ({said}).")
        return PermanentError(f"{where} answered {status} and would again; see the message and the request ({said}).")

    def page(self, name: str, decoder: msgspec.json.Decoder[T], body: Body, follow: str) -> T:
        """The body as the decoder's shape. Half an emoji in a name costs that name; `follow` is the file that must follow another shape."""
        try:
            try:
                return decoder.decode(body.content)
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:
                if b"\\u" not in body.content:
                    raise
                return decoder.decode(mended(body.content))
        except msgspec.ValidationError as error:
            raise ContractError(
                f"{self.vendor} {name}: the answer is JSON of another shape ({error}); nothing was stored, and sources/{follow} must follow the "
                "vendor's change."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            start = self.excerpt(body.content, 40)
            raise TransientError(f"{self.vendor} {name} answered 200 with something that is not JSON (it begins {start!r})") from None

    def excerpt(self, content: bytes, length: int = _EXCERPT) -> str:
        """The beginning of a body on one line, secrets hidden before it is cut: half a key is a key too."""
        return self._safe(content[: 20 * _EXCERPT].decode("utf-8", "replace"))[:length]

    def _safe(self, text: str) -> str:
        return hide(text, self._hidden())

    def _request_id(self, answer: requests.Response) -> str | None:
        found = _request_id(answer)
        return found and self._safe(line(found))

    def _hidden(self) -> tuple[str, ...]:
        """The keys, and the token that Google's session fetched with one."""
        token = getattr(getattr(self._session, "credentials", None), "token", None)
        return (*self._secrets, token) if isinstance(token, str) and token else self._secrets


def _request_id(answer: requests.Response) -> str | None:
    """The vendor's own name for the request, which its support asks for."""
    found = answer.headers.get("request-id") or answer.headers.get("x-request-id")
    return found[:100] if found else None


def _first(error: Exception) -> str:
    return str(error.args[0] if error.args else error)[:_EXCERPT]


def _cause(error: BaseException) -> str:
    """The innermost reason of a connection error, in words: urllib3's own text repeats the pool and the path."""
    text = str(error)
    if "NameResolution" in text or "Name or service" in text or "getaddrinfo" in text:
        return "the host name cannot be resolved; check the base URL and the network"
    if "refused" in text:
        return "the connection was refused; check the base URL and that the service is up"
    if "timed out" in text or "Timeout" in type(error).__name__:
        return "no answer within the time limit"
    if "CERTIFICATE" in text.upper():
        return "the TLS certificate is not trusted"
    if "IncompleteRead" in text:
        return "the answer ended before its announced length"
    return f"the connection broke ({type(error).__name__})"
