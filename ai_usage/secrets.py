"""Where a key comes from: its value, a file, or Google Secret Manager.

Belongs here: the three forms in which any `SecretStr` setting may be given, and reading them when the key is used. Does not belong
here: which keys there are (`settings.py`) and what they open (`sources/`).

    value                                     the key itself
    file:///run/secrets/name                  the file's content
    sm://projects/P/secrets/S/versions/V      Secret Manager's answer, V being a number or `latest`

Nothing is read before the key is needed, and nothing at import: Secret Manager's client alone costs 0.7 s to import. An answer of
Secret Manager is kept for 300 s, so that a rotated key counts in the next run and a run asks once for each key. Source of the
protocol: cloud.google.com/secret-manager/docs/reference/rest, `projects.secrets.versions.access`.
"""

from __future__ import annotations

import logging
import re
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from ai_usage.errors import SettingsError
from ai_usage.guards.outgoing import guarded, is_loopback

SECRET_MANAGER_URL = "https://secretmanager.googleapis.com"  # noqa: S105
KEPT_S = 300.0
PATIENCE_S = 30.0
_SM = re.compile(r"sm://(projects/[^/\s]+/secrets/([A-Za-z0-9_-]{1,255})/versions/([0-9]+|latest))")
# Compose and Kubernetes mount single files here and decide by the mount who sees them; the mode says nothing.
_MOUNTED = Path("/run/secrets")
_log = logging.getLogger("ai_usage.secrets")


@dataclass(frozen=True)
class _Kept:
    value: str = field(repr=False)
    version: str
    until: float


_kept: dict[tuple[str, str], _Kept] = {}
_lock = threading.Lock()


def forget() -> None:
    """Drop what Secret Manager said: the next use of a key asks again."""
    with _lock:
        _kept.clear()


def malformed(text: str) -> str | None:
    """Why `text` looks like a reference and is none; None for a value or a reference."""
    if text.startswith("sm:") and not _SM.fullmatch(text):
        return "a reference to Secret Manager has the form sm://projects/P/secrets/S/versions/V with a number or 'latest' as V"
    if text.startswith("file:") and not (text.startswith("file:///") and len(text) > len("file:///")):
        return "a reference to a file has the form file:///absolute/path"
    return None


class Secret(SecretStr):
    """A key as it was given. `get_secret_value()` reads the file or asks Secret Manager; everything else shows stars.

    `setting` is the variable's name, for errors. `lines` allows several lines, as in a JSON key file. Raises `SettingsError`.
    """

    def __init__(self, given: str, setting: str = "the key", base_url: str = SECRET_MANAGER_URL, lines: bool = False) -> None:
        super().__init__(given)
        self.setting, self._base_url, self._lines = setting, base_url, lines

    def __eq__(self, other: Any) -> bool:
        """Given alike: comparing two keys must fetch neither."""
        return isinstance(other, SecretStr) and self._secret_value == other._secret_value

    def __hash__(self) -> int:
        return hash(self._secret_value)

    def __len__(self) -> int:
        return len(self._secret_value)

    @property
    def form(self) -> str:
        """`value`, `file` or `secret manager`."""
        head = self._secret_value.partition(":")[0]
        return {"file": "file", "sm": "secret manager"}.get(head, "value")

    @property
    def path(self) -> Path:
        """The file of the form `file`."""
        return Path(unquote(urlsplit(self._secret_value).path))

    def get_secret_value(self) -> str:
        if self.form == "file":
            return self._checked(_read(self.path, self.setting), f"the file {self.path}")
        if self.form == "secret manager":
            return self._checked(self._fetched().value, f"the secret {self._name}")
        return self._secret_value

    def whence(self) -> str:
        """In words and without the value: where the key comes from. Reads it, so that what is wrong is an error here too."""
        self.get_secret_value()
        if self.form == "file":
            warned = f"; {exposed(self.path)}" if exposed(self.path) else ""
            return f"from the file {self.path}{warned}"
        if self.form == "secret manager":
            return f"from Secret Manager, {self._name}, version {self._fetched().version}"
        return "from the environment"

    @property
    def _name(self) -> str:
        return self._secret_value.removeprefix("sm://")

    def _fetched(self) -> _Kept:
        where = (self._base_url, self._name)
        with _lock:
            found = _kept.get(where)
            if found is None or found.until <= time.monotonic():
                value, version = _access(self._name, self._base_url, self.setting)
                found = _kept[where] = _Kept(value, version, time.monotonic() + KEPT_S)
        return found

    def _checked(self, text: str, where: str) -> str:
        """Without the newline that editors and `echo` add; a key that no header could carry is an error before it is one at the vendor."""
        value = text.rstrip("\r\n")
        if not value.strip():
            raise SettingsError(f"{self.setting}: {where} is empty; write the key into it.")
        if not self._lines and (not value.isprintable() or " " in value):
            raise SettingsError(f"{self.setting}: {where} holds spaces or several lines; it must hold the key and nothing else.")
        return value


def _read(path: Path, setting: str) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{setting}: there is no file {path}; make it, or correct the path after file://.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: the file {path} is not UTF-8 text; it must hold the key and nothing else.") from None
    except OSError as error:
        raise SettingsError(f"{setting}: the file {path} cannot be read ({error.strerror}); let this user read it.") from None
    warned = exposed(path)
    if warned:
        _log.warning("%s: %s", setting, warned)
    return text


def exposed(path: Path) -> str | None:
    """A warning when everybody on this machine may read the file."""
    if path.is_relative_to(_MOUNTED) or not path.stat().st_mode & stat.S_IROTH:
        return None
    if any(not folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents):
        return None
    return f"everybody on this machine can read {path}, so run chmod 600 on it"


class _DamagedError(Exception):
    """The bytes do not have the checksum that came with them."""


def _access(name: str, base_url: str, setting: str) -> tuple[str, str]:
    """(value, version) of `projects/P/secrets/S/versions/V`, through Google's client over REST: the same proxies and certificates as
    every other request, and no gRPC threads in processes that fork."""
    import google.api_core.exceptions as answered
    import google.auth.exceptions
    import requests

    try:
        return _tried(_request(name, base_url))
    except answered.NotFound:
        raise SettingsError(
            f"{setting}: Secret Manager has no {name} (404); create the secret and a version, or correct the reference."
        ) from None
    except (answered.Forbidden, answered.Unauthorized):
        raise SettingsError(
            f"{setting}: Secret Manager refuses {name} (403); grant this process' service account roles/secretmanager.secretAccessor on it."
        ) from None
    except (answered.FailedPrecondition, answered.BadRequest):
        raise SettingsError(
            f"{setting}: Secret Manager cannot give {name} (400); the version is disabled or destroyed, so enable it or name another."
        ) from None
    except google.auth.exceptions.GoogleAuthError:
        raise SettingsError(
            f"{setting}: there are no Google credentials to ask Secret Manager for {name} with; run on a machine with a service account, "
            "or set GOOGLE_APPLICATION_CREDENTIALS."
        ) from None
    except _DamagedError:
        raise SettingsError(
            f"{setting}: Secret Manager's answer for {name} does not match its checksum (CRC-32C); look for a proxy that alters it and run again."
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: the secret {name} is not UTF-8 text; store the key and nothing else.") from None
    except answered.GoogleAPICallError as error:
        raise SettingsError(
            f"{setting}: Secret Manager answered {error.code or 'with an error'} for {name} during {PATIENCE_S:.0f} s; run again later."
        ) from None
    except (answered.GoogleAPIError, requests.RequestException, OSError, ValueError):
        raise SettingsError(
            f"{setting}: Secret Manager cannot be reached at {base_url} for {name}; check the network and run again."
        ) from None


def _request(name: str, base_url: str) -> Callable[[], tuple[str, str]]:
    import google_crc32c
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import secretmanager

    # At DEBUG the client logs whole answers, the key among them.
    logging.getLogger("google.cloud.secretmanager_v1").setLevel(logging.INFO)
    local = base_url.startswith("http://") and is_loopback(base_url)
    client = secretmanager.SecretManagerServiceClient(
        transport="rest", client_options={"api_endpoint": base_url}, credentials=AnonymousCredentials() if local else None
    )

    guarded(client.transport._session)  # type: ignore[attr-defined]

    def ask() -> tuple[str, str]:
        answer = client.access_secret_version(name=name, retry=None, timeout=10.0)
        data = answer.payload.data
        if answer.payload.data_crc32c != int.from_bytes(google_crc32c.Checksum(data).digest(), "big"):
            raise _DamagedError
        return data.decode("utf-8"), answer.name.rpartition("/")[2]

    return ask


def _tried(ask: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Again after 0.5, 1, 2 … s where that can help, for `PATIENCE_S`; the last error as it was."""
    import google.api_core.exceptions as answered
    import requests
    import tenacity

    passing = (answered.TooManyRequests, answered.ServerError, _DamagedError, requests.ConnectionError, requests.Timeout)
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(passing),
        wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.25),
        stop=tenacity.stop_after_delay(PATIENCE_S) | tenacity.stop_after_attempt(7),
        reraise=True,
    )(ask)
