"""What leaves this machine, and what of it may come back: which addresses a credential may go to, sessions that carry nothing else, echoes of keys.

Belongs here: the rules that every client keeps, of vendors, Google, Metabase and webhooks. Does not belong here: which addresses and keys there are
(`settings/`), and what is asked of them.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests

S = TypeVar("S", bound="requests.Session")
SHORTEST = 12
"""A shorter key is a placeholder behind a gateway that adds the real one: its text is in every answer, so it is taken out of none."""


_LONG = 500  # a file of JSON given as a key is sent nowhere; its pattern would take a second
_ESCAPED = re.compile(rb'%[2-7][0-9A-Fa-f]|\\(?:u00[2-7]|[/"\\])')


# Addresses ----------------------------------------------------------------------------------------------------


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, by its host and not by how it begins: `http://localhost.example.com` is not."""
    host = host_of(url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def names(text: str) -> list[str]:
    """A list by comma, in lower case."""
    return [part.strip().lower() for part in text.split(",") if part.strip()]


def in_clear(url: str, allowed: Collection[str]) -> str | None:
    """Why what is sent to this address could be read on the way, and what to do; None where it could not, or may."""
    if url.lower().startswith("https://") or is_loopback(url) or host_of(url) in allowed:
        return None
    return f"without TLS the credential could be read on its way; use https://, or name the host {host_of(url)} in AI_USAGE_PLAINTEXT_HOSTS"


def without_login(url: str) -> str:
    """The address without the user and the password in it."""
    return re.sub(r"^([a-z0-9+.-]*://)?.*@", r"\1***@", url, count=1, flags=re.IGNORECASE | re.DOTALL)


# Sessions -----------------------------------------------------------------------------------------------------


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An auth that adds nothing."""
    return request


def guarded(session: S) -> S:
    """A session that goes where it is sent and nowhere else, with what it was given and nothing else.

    It finds no address in a redirect, so that it follows none, and does not read the redirect's body either, whatever its length. An auth that is set
    keeps `~/.netrc` out; proxies and CA bundles still come from the environment. Google's sessions fetch their tokens by a second one.
    """
    for each in (session, getattr(session, "_auth_request_session", None)):
        if each is not None:
            each.get_redirect_target = lambda _: None  # type: ignore[method-assign,assignment]
            each.auth = each.auth or _unchanged
    return session


# Echoes -------------------------------------------------------------------------------------------------------


def hide(text: str, secrets: tuple[str, ...]) -> str:
    """What somebody said, with *** for each key in it."""
    pattern = _pattern(tuple(s for s in secrets if len(s) >= SHORTEST))
    return text if pattern is None else pattern.sub(b"***", text.encode(errors="surrogateescape")).decode(errors="surrogateescape")


def hide_in_answer(body: bytes, secrets: tuple[str, ...]) -> bytes:
    """The same for a JSON answer: values alone, since a field that lost its name would be another record."""
    found = tuple(s for s in secrets if len(s) >= SHORTEST)
    if not found or not _may_hold(body, found):
        return body
    pattern = _pattern(found)
    assert pattern is not None
    return re.sub(b"(?:" + pattern.pattern + rb')(?!(?:[^"\\]|\\.)*+"\s*+:)', b"***", body, flags=re.IGNORECASE | re.DOTALL)


def _may_hold(body: bytes, secrets: tuple[str, ...]) -> bool:
    """A cheap no for nearly every page: where no printable letter is escaped, a key can stand in plain or in base64 only."""
    if _ESCAPED.search(body):
        return True
    lower = body.lower()
    return any(core.lower() in lower for s in secrets for core in (s.encode(), *_cores(s)))


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[bytes] | None:
    """A key in the forms in which it comes back: as it is, quoted for a URL, escaped for JSON, as Basic authentication writes it; in any case."""
    forms = {re.escape(s.encode()) for s in secrets if len(s) > _LONG}
    secrets = tuple(s for s in secrets if len(s) <= _LONG)
    forms |= {b"".join(map(_byte, s.encode())) for s in secrets}
    forms |= {rb"".join(map(_byte, core)) + rb"[A-Za-z0-9+/_=-]*+" for s in secrets for core in _cores(s)}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile(b"|".join(longest_first), re.IGNORECASE) if forms else None


def _byte(code: int) -> bytes:
    """One byte of a key as it is, as %2B, as \\u002b, or behind a backslash; base64 for URLs writes - and _ for + and /."""
    ways = [rb"\\?+" + re.escape(bytes([code])), b"%%%02x" % code, rb"\\u00%02x" % code]
    ways += {ord("+"): [b"-"], ord("/"): [b"_"]}.get(code, [])
    return b"(?:" + b"|".join(ways) + b")"


@lru_cache(maxsize=64)
def _cores(secret: str) -> tuple[bytes, ...]:
    """What base64 makes of the key wherever it stands in a longer text: three ways, without the letters that its neighbours change."""
    raw = secret.encode()
    found = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        found.append(whole[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6])
    return tuple(found)
