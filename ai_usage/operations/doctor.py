"""`ai-usage doctor`: what works and, for what does not, one sentence with the remedy.

Belongs here: cheap questions, one for each thing that a run needs. Nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests

from ai_usage.errors import SettingsError
from ai_usage.guards.outgoing import guarded
from ai_usage.runtime import Runtime
from ai_usage.secrets import Secret, exposed
from ai_usage.settings import SWITCHES
from ai_usage.sources.errors import SourceError
from ai_usage.sources.pace import http_date
from ai_usage.sources.registry import SOURCES
from ai_usage.warehouse import WarehouseError

CLOCK_TOLERANCE_S = 120


@dataclass(frozen=True)
class Finding:
    """One thing examined."""

    what: str
    state: Literal["ok", "off", "warn", "bad"]
    sentence: str


def examine(runtime: Runtime) -> list[Finding]:
    """Data folder, warehouse, where each key comes from, each source (reachable, authorised), the clock."""
    off = runtime.settings.off()
    findings = [_try("data folder", lambda: _folder(runtime)), _try("warehouse", lambda: _warehouse(runtime))]
    findings += _privileges(runtime)
    findings += [_try(key.setting, lambda key=key: _key(key)) for key in runtime.settings.given_keys()]  # type: ignore[misc]
    for switch in SWITCHES:
        if switch.source in off:
            findings.append(Finding(switch.title, "off", off[switch.source]))
        else:
            findings.append(_try(switch.title, lambda source=switch.source: _probe(runtime, source)))  # type: ignore[misc]
    if runtime.settings.any_source_is_on:
        findings.append(_try("clock", lambda: _clock(runtime)))
    return findings


def _try(what: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", ask())
    except (SourceError, WarehouseError, SettingsError, OSError) as error:
        return Finding(what, "bad", str(error))


def _folder(runtime: Runtime) -> str:
    folder = runtime.settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{time.time_ns()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written ({error.strerror}); set AI_USAGE_DATA_DIR to a folder that can.") from None
    return f"{folder} can be written."


def _warehouse(runtime: Runtime) -> str:
    return runtime.warehouse.probe()


def _key(key: Secret) -> str:
    """Where a key comes from. `.env` and the environment are told apart here: to the settings they are one."""
    whence = key.whence()
    return "from .env." if key.form == "value" and key.setting not in os.environ else f"{whence}."


def _privileges(runtime: Runtime) -> list[Finding]:
    """What can be seen without asking anybody: key files and data that everybody on this machine may read, and one account for two tasks."""
    settings = runtime.settings
    files = (settings.google_application_credentials, settings.metabase_bigquery_credentials, Path(".env"), settings.duckdb_file)
    # A container's secrets are open inside it, where one user lives.
    judged = [path.resolve() for path in files if path and path.is_file() and not path.is_relative_to("/run/secrets")]
    found = [Finding("privileges", "warn", f"{said}.") for path in judged if (said := exposed(path))]
    reads, writes = settings.metabase_postgres_url, settings.serving_url
    try:
        users = [urlsplit(url.get_secret_value()).username for url in (reads, writes) if url is not None]
    except (SettingsError, ValueError):  # the line of that key says so
        users = []
    if len(users) == 2 and users[0] == users[1]:
        sentence = f"METABASE_POSTGRES_URL and AI_USAGE_SERVING_URL name one user, {users[0]}, who may write; give Metabase a user who may only read."
        found.append(Finding("privileges", "warn", sentence))
    return found


def _probe(runtime: Runtime, name: str) -> str:
    source = SOURCES[name]
    if source.one_moment:
        runtime.fresh(name)
    return source.probe(runtime.settings, lambda maker: runtime.client(name, maker), runtime.today)


def _clock(runtime: Runtime) -> str:
    """This machine's clock against a vendor's Date header: a wrong one shifts which day is yesterday. Any source that is on will do."""
    off = runtime.settings.off()
    for address in dict.fromkeys(getattr(runtime.settings, s.url) for s in SWITCHES if s.source not in off):
        try:
            answer = guarded(requests.Session()).get(address, timeout=10, stream=True)
        except requests.RequestException:
            continue
        answer.close()
        vendors = http_date(answer.headers.get("Date", ""))
        if vendors is None:
            continue
        ahead = time.time() - vendors.timestamp()
        if abs(ahead) > CLOCK_TOLERANCE_S:
            raise SettingsError(f"this machine's clock is {ahead:+.0f} s off that of {address}; set it by NTP, since days are cut by it.")
        return f"within {abs(ahead):.0f} s of that of {address}."
    raise SettingsError("no vendor could be reached that says what time it is; the lines above say why.")
