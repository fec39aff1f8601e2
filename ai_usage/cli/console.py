"""What every command shares: where it prints, and the runtime that it opens and closes.

Belongs here: that. Does not belong here: any one command.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.segment import Segment

from ai_usage import logs
from ai_usage.guards import files, outside

if TYPE_CHECKING:
    from ai_usage.runtime import Runtime


class _Folding(Console):
    """rich writes its own colours beside the text, so the text alone is folded: no name steers the terminal."""

    def render(self, *given: Any, **named: Any) -> Iterator[Segment]:
        for text, style, control in super().render(*given, **named):
            yield Segment(text if control else outside.terminal(text), style, control)


out = _Folding()
err = _Folding(stderr=True)


def plain(text: str) -> str:
    """Text inside something that has rich's markup, or in a cell of a grid, which is measured before it is folded."""
    return escape(outside.terminal(text))


def write(text: str) -> None:
    """An answer in a format for programs: to a program as it is, to a terminal folded."""
    sys.stdout.write(outside.terminal(text) if sys.stdout.isatty() else text)


@contextmanager
def opened() -> Iterator[Runtime]:
    """The runtime of the environment's settings, with its log in the format that they ask for."""
    from ai_usage.runtime import Runtime
    from ai_usage.settings import load_settings

    settings = load_settings()
    files.keep_private(settings.data_dir, settings.file_group)
    runtime = Runtime(settings)
    logs.configure(runtime.settings.log_format)
    try:
        with runtime.held():
            yield runtime
    finally:
        runtime.close()
