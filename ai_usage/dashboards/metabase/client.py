"""HTTP to Metabase: one request, its retries, and an error sentence for each way in which it can fail.

Belongs here: sessions, keys, the version. Does not belong here: what is asked. GET and PUT are repeated after a 5xx or a broken
connection; a POST never is, since it may have been carried out and a second one would make a second object.
"""

from __future__ import annotations

import re
import time
from typing import Any

import requests

from ai_usage.dashboards.metabase.errors import ConflictError, ConnectionLostError, MetabaseError
from ai_usage.guards.outgoing import guarded, hide, without_login

OLDEST, NEWEST = 58, 64
"""The majors that the payloads here were written for. Older ones lack the query format; newer ones get a note."""


class Client:
    """One Metabase. `secrets` are blotted out of whatever it says."""

    def __init__(
        self, url: str, *, secrets: tuple[str, ...] = (), tries: int = 4, backoff_s: float = 1.0, timeout_s: float = 120.0
    ) -> None:
        self.url = url.rstrip("/")
        self._secrets = secrets
        self._tries = tries
        self._backoff_s = backoff_s
        self._timeout_s = timeout_s
        self._http = guarded(requests.Session())
        self.notes: list[str] = []

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._ask("GET", path, params=params)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("PUT", path, body)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._ask("POST", path, body if body is not None else {})

    def query(self, path: str, body: dict[str, Any]) -> list[list[Any]]:
        """The rows of a query. Metabase answers 202 even when it failed, so the body's `status` decides."""
        answer = self.post(path, body)
        if not isinstance(answer, dict) or answer.get("status") != "completed":
            said = answer.get("error") if isinstance(answer, dict) else answer
            raise MetabaseError(f"the query failed: {self._clean(said or answer)}")
        rows = answer["data"]["rows"]
        return [list(row) for row in rows]

    # Start ----------------------------------------------------------------------------------------------------

    def wait(self, patience_s: float) -> dict[str, Any]:
        """The session properties, once Metabase serves them: its health is green before the rest answers."""
        deadline = time.monotonic() + patience_s
        pause = 0.05
        while True:
            try:
                self._once("GET", "/api/health")
                properties = self._once("GET", "/api/session/properties")
                break
            except ConnectionLostError as error:
                if time.monotonic() + pause > deadline:
                    raise MetabaseError(f"{error} Waited {patience_s:.0f} s.") from None
                time.sleep(pause)
                pause = min(pause * 2, 3.0)
        self._check_version(properties)
        return dict(properties)

    def _check_version(self, properties: Any) -> None:
        tag = str(((properties.get("version") or {}) if isinstance(properties, dict) else {}).get("tag") or "")
        found = re.match(r"v[01]\.(\d+)", tag)
        if not found:
            raise MetabaseError(f"{self.url} does not say a Metabase version (it says {tag!r}); is METABASE_URL the address of Metabase?")
        major = int(found.group(1))
        if major < OLDEST:
            raise MetabaseError(f"Metabase at {self.url} is {tag}, and 0.{OLDEST} is the oldest that works here; upgrade Metabase first.")
        if major > NEWEST:
            self.notes.append(f"Metabase is {tag}; this version of ai-usage was written for 0.{OLDEST} to 0.{NEWEST}.")

    def use_key(self, key: str) -> None:
        self._http.headers["x-api-key"] = key

    def log_in(self, user: str, password: str) -> None:
        answer = self.post("/api/session", {"username": user, "password": password})
        self._http.headers["X-Metabase-Session"] = answer["id"]

    # How it is done -------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None) -> Any:
        for attempt in range(1, self._tries + 1):
            try:
                return self._once(method, path, body, params)
            except ConnectionLostError:
                if method == "POST" or attempt == self._tries:
                    raise
                time.sleep(self._backoff_s * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: Any = None, params: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._http.request(method, self.url + path, json=body, params=params, timeout=self._timeout_s, allow_redirects=False)
        except requests.RequestException as error:
            unsure = " Whether it was carried out is not known: run `ai-usage metabase apply` again." if method == "POST" else ""
            raise ConnectionLostError(
                f"Metabase at {self.url} gave no answer to {method} {path} ({type(error).__name__}); is it running, and is METABASE_URL right?"
                + unsure
            ) from None
        if answer.status_code >= 500 and answer.status_code != 501:
            raise ConnectionLostError(
                f"Metabase failed at {method} {path} with {answer.status_code}: {self._clean(answer.text)}; see its log."
            )
        if answer.status_code >= 300:
            raise self._refusal(method, path, answer)
        if not answer.content or answer.status_code == 204:
            return None
        try:
            return answer.json()
        except ValueError:
            raise MetabaseError(
                f"{self.url}{path} answered with {answer.headers.get('Content-Type', 'no type')} where JSON was expected; "
                "is METABASE_URL the address of Metabase itself, without a path?"
            ) from None

    def _refusal(self, method: str, path: str, answer: requests.Response) -> MetabaseError:
        status, said = answer.status_code, self._clean(answer.text)
        if status == 401 and path == "/api/session":
            return MetabaseError(f"Metabase at {self.url} refuses METABASE_USER with METABASE_PASSWORD; correct them.")
        if status == 401:
            return MetabaseError(
                f"Metabase at {self.url} refuses METABASE_API_KEY; make a key for the group Administrators under Admin settings, API keys."
            )
        if status == 402:
            return MetabaseError(f"Metabase says that {method} {path} needs a paid edition ({said}); nothing here should, so report it.")
        if status == 403:
            return MetabaseError(f"the key may not {method} {path}; its group must be Administrators.")
        if status == 404:
            return MetabaseError(f"Metabase at {self.url} has no {path} ({method}); the object is gone or METABASE_URL is wrong.")
        if status == 409:
            return ConflictError(f"{method} {path}: somebody changed it at the same moment ({said}); run the command again.")
        if 300 <= status < 400:
            return MetabaseError(
                f"{self.url} redirects {path} to {self._clean(without_login(answer.headers.get('Location', 'nowhere')))}; set METABASE_URL to that address."
            )
        return MetabaseError(f"Metabase refused {method} {path} with {status}: {said}")

    def _clean(self, said: Any) -> str:
        text = hide(" ".join(str(said).split()), self._secrets)
        for secret in self._secrets:  # a short password too: what is said here is read by people and kept nowhere
            text = text.replace(secret, "***")
        return text[:400]
