"""Which packages declare a vendor: the folders of `sources/` that hold a `vendor.py`, and what entry points of the group `ai_usage.vendors` name.

Belongs here: finding them, by name alone, so that a table or a setting of a vendor can be had without its client. Does not belong here: what a
vendor declares (`sources/vendor.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

GROUP = "ai_usage.vendors"
OWN = Path(__file__).parent / "sources"


@lru_cache(maxsize=1)
def packages() -> tuple[str, ...]:
    """The packages of all vendors: ours by name, then those that other distributions bring, by name."""
    own = sorted(path.parent.name for path in OWN.glob("*/vendor.py"))
    brought = sorted({entry.value for entry in entry_points(group=GROUP)})
    return (*(f"ai_usage.sources.{name}" for name in own), *brought)


def parts(name: str) -> Iterator[ModuleType]:
    """The module of that name of each vendor that has one: settings, tables or vendor."""
    for package in packages():
        if find_spec(f"{package}.{name}") is not None:
            yield import_module(f"{package}.{name}")


def declared() -> Iterator[Any]:
    """The declaration of each vendor, a `sources.vendor.Vendor`: for rooms that lie below `sources/`."""
    return (module.VENDOR for module in parts("vendor"))


def labels() -> dict[str, dict[str, str]]:
    """What people read in place of a platform and of a source, each {value: label}; platforms in the order of their colours."""
    found = list(declared())
    platforms = sorted((p for vendor in found for p in vendor.platforms), key=lambda p: (p.colour, p.key))
    sources: dict[str, str] = {}
    for vendor in found:
        titles = {switch.source: switch.title for switch in (vendor.settings.switches if vendor.settings else ())}
        sources |= titles | ({vendor.name: vendor.title} if vendor.name in titles else {})
        sources |= {upload.endpoint.source: f"{vendor.title} exports" for upload in vendor.exports.values()}
    return {"platform": {p.key: p.label for p in platforms}, "source": sources}


@lru_cache(maxsize=1)
def sql_folders() -> tuple[Path, ...]:
    """Where vendors that other distributions bring keep their staging models: the folder `sql` of the package."""
    brought = (package for package in packages() if not package.startswith("ai_usage.sources."))
    folders = (Path(str(find_spec(package).submodule_search_locations[0])) / "sql" for package in brought)  # type: ignore[union-attr, index]
    return tuple(folder for folder in folders if folder.is_dir())
