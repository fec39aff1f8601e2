"""Answers computed from texts, remembered across processes: a SQL text is parsed once for as long as nothing that reads it changes.

Parsing and translating took 16 of the 47 s of CPU of a daily run, each time the same. Answers lie one to a file in the user's cache folder
(`$XDG_CACHE_HOME` or `~/.cache`, below it `ai-usage`), as Python keeps bytecode: whoever may write there may run code as this user anyway. The
folder may be removed at any time, or be read-only, or absent.

Belongs here: where answers lie, when they count. Does not belong here: what is asked. Nothing that a person typed belongs into it, since nobody
looks there when somebody is to be forgotten: `unrecorded`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import sqlglot

P = ParamSpec("P")
A = TypeVar("A")  # what JSON gives back as it was: text, lists, numbers
KEPT_DAYS = 30  # for versions that nobody runs any more
_recorded: ContextVar[bool] = ContextVar("recorded", default=True)


def remembered(*sources: str, also: Callable[[], str] = str) -> Callable[[Callable[P, A]], Callable[P, A]]:
    """Remember what a pure function of texts answers, in memory and across processes.

    Args:
        sources: paths of the Python files that decide the answer; sqlglot's version always counts.
        also: says what else decides it, asked once.

    Returns:
        A decorator. An answer that is absent, damaged or of other sources is computed; an exception is not remembered.
    """

    # Read at import: a file that an upgrade replaces while this process runs says what another process computes.
    texts = [Path(s).read_text(encoding="utf-8") for s in (*sources, __file__)]

    def decorate(compute: Callable[P, A]) -> Callable[P, A]:
        @lru_cache(maxsize=1)
        def stamp() -> str:
            said = [sqlglot.__version__, also(), *texts]
            return hashlib.sha256("\0".join(said).encode()).hexdigest()[:20]

        def ask(*args: P.args, **kwargs: P.kwargs) -> A:
            if kwargs or not _recorded.get():
                return compute(*args, **kwargs)
            key = json.dumps([compute.__module__, compute.__qualname__, *args])
            found = _read(stamp(), key)
            if found is None:
                found = [compute(*args, **kwargs)]
                _write(stamp(), key, found)
            answer: A = found[0]
            return answer

        return cast("Callable[P, A]", wraps(compute)(lru_cache(maxsize=2048)(ask)))

    return decorate


@contextmanager
def unrecorded() -> Iterator[None]:
    """Inside, no file is read or written: for texts that a person typed. This process still remembers what it computed, as long as it lives."""
    token = _recorded.set(False)
    try:
        yield
    finally:
        _recorded.reset(token)


def folder() -> Path | None:
    """Where answers lie; None where the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME") or f"{os.environ.get('HOME', '')}/.cache"
    return Path(base, "ai-usage") if os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME") else None


def _file(stamp: str, key: str) -> Path | None:
    place = folder()
    return place / stamp / hashlib.sha256(key.encode()).hexdigest() if place else None


def _read(stamp: str, key: str) -> list[Any] | None:
    """The answer in a list; None unless the file holds exactly what was written for this key."""
    file = _file(stamp, key)
    try:
        said = file.read_text(encoding="utf-8") if file else ""
    except (OSError, ValueError):
        return None
    proof, _, body = said.partition("\n")
    if proof != _proof(key, body):
        return None
    return list(json.loads(body))


def _write(stamp: str, key: str, answer: list[Any]) -> None:
    """Whole or not at all, whoever else writes the same. A folder that cannot be written costs the next process the same work."""
    file = _file(stamp, key)
    if file is None:
        return
    body = json.dumps(answer, ensure_ascii=False)
    part = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}")
    with suppress(OSError):
        if not file.parent.is_dir():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _prune(file.parent)
        part.write_text(f"{_proof(key, body)}\n{body}", encoding="utf-8")
        part.replace(file)


def _proof(key: str, body: str) -> str:
    return hashlib.sha256(f"{key}\0{body}".encode()).hexdigest()


def _prune(current: Path) -> None:
    """Drop the answers of versions that have written nothing for long."""
    for other in current.parent.iterdir():
        if other != current and time.time() - other.stat().st_mtime > KEPT_DAYS * 86_400:
            shutil.rmtree(other, ignore_errors=True)
