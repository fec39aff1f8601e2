"""Request bodies against the OpenAPI subset. Belongs here: finding the operation of a request, and validating its body."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILES = Path(__file__).parents[1] / "fixtures" / "metabase"


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    document = json.loads((FILES / "openapi-subset.json").read_text())
    for path, operations in json.loads((FILES / "openapi-more.json").read_text())["paths"].items():
        document["paths"].setdefault(path, {}).update(operations)
    return document


@lru_cache(maxsize=1)
def _paths() -> list[tuple[re.Pattern[str], str]]:
    made = [(re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", path) + "$"), path) for path in _document()["paths"]]
    return sorted(made, key=lambda pair: pair[1].count("{"))


def operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation of this request; None when Metabase has none that we know."""
    for pattern, template in _paths():
        if pattern.match(path) and method.lower() in _document()["paths"][template]:
            return _document()["paths"][template][method.lower()]
    return None


def problems(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a body by the schema; an unknown operation is wrong as a whole."""
    found = operation(method, path)
    if found is None:
        return [f"{method} {path} is no operation of the contract"]
    if "requestBody" not in found:
        return []
    return _differences(json.dumps(found["requestBody"]["content"]["application/json"]["schema"]), json.dumps(body))


@lru_cache(maxsize=4096)  # half of a walk's CPU, and a hundred walks send the same bodies
def _differences(schema: str, body: str) -> list[str]:
    validator = Draft202012Validator({**json.loads(schema), "components": _document()["components"]})
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(json.loads(body))]
