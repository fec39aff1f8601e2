"""What every command shares: where it prints, and the runtime that it opens and closes.

Belongs here: that. Does not belong here: any one command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from ai_usage import files, logs
from ai_usage.runtime import Runtime
from ai_usage.settings import load_settings

out = Console()
err = Console(stderr=True)


def harmless(text: str) -> str:
    """Text from outside for a terminal: characters that would steer it are shown as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def opened() -> Iterator[Runtime]:
    """The runtime of the environment's settings, with its log in the format that they ask for."""
    settings = load_settings()
    files.keep_private(settings.data_dir, settings.file_group)
    runtime = Runtime(settings)
    logs.configure(runtime.settings.log_format)
    try:
        with runtime.held():
            yield runtime
    finally:
        runtime.close()
