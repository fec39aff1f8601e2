"""Reading a YAML file strictly, and saying what is wrong with it in one sentence: file, key, remedy.

Belongs here: repeated keys, unreadable files, the words of a validation error. Does not belong here: what a
dashboard is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ai_usage.dashboards.card_sql import SpecError


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # ten times as fast where PyYAML has libyaml
    """YAML in which a repeated key is an error, not a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key `{key}` is repeated", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, shown: str) -> dict[str, Any]:
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 (it is a SafeLoader)
    except FileNotFoundError:
        raise SpecError(f"{shown}: the file does not exist; create it.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise SpecError(f"{shown}{where}: {getattr(error, 'problem', 'not readable as YAML')}; correct it.") from None
    if not isinstance(value, dict):
        raise SpecError(f"{shown}: the file must be a mapping of keys to values; start with `key:`.")
    return value


def sentence(shown: str, error: ValidationError) -> str:
    """The first problem as one sentence: file, key, what to do."""
    first = error.errors()[0]
    parts = [str(p) if isinstance(p, str) else f"[{p}]" for p in first["loc"]]
    where = ".".join(parts).replace(".[", "[") or "the file"
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{shown}: {where}: the key is not known; correct its spelling or remove it."
    if kind == "missing":
        return f"{shown}: {where}: the key is missing; add it."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{shown}: {where}: {message}."
