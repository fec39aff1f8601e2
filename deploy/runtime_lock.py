"""`python runtime_lock.py requirements.lock [NAME ...]`: the part of the lock that an image needs.

Belongs here: reading uv's "# via" lines. The lock holds what developers need too; this prints, with every hash, only what the
project's own dependencies need, or what the named packages need. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROJECT = "ai-usage-analytics (pyproject.toml)"


def sections(lock: str) -> dict[str, tuple[str, set[str]]]:
    """{package: (its lines, who needs it)}"""
    found = {}
    for text in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        name = re.match(r"[A-Za-z0-9._-]+", text)
        assert name is not None
        via = re.search(r"# via(.*)", text, re.DOTALL)
        found[name.group()] = (text, {line.strip(" #\n") for line in via.group(1).splitlines()} - {""} if via else set())
    return found


def needed(lock: str, names: list[str]) -> list[str]:
    """The packages, in the lock's order."""
    held = sections(lock)
    missing = set(names) - set(held)
    if missing:
        raise SystemExit(f"{', '.join(sorted(missing))}: not in the lock; run `make lock`.")
    wanted = set(names) or {name for name, (_, via) in held.items() if PROJECT in via}
    while more := {name for name, (_, via) in held.items() if via & wanted} - wanted:
        wanted |= more
    return [name for name in held if name in wanted]


def main() -> None:
    path, *names = sys.argv[1:]
    lock = Path(path).read_text(encoding="utf-8")
    held = sections(lock)
    sys.stdout.write("".join(held[name][0] for name in needed(lock, names)))


if __name__ == "__main__":
    main()
