"""Every vendor, source and endpoint that there is, from the vendors' declarations.

Belongs here: the set, and what can be asked of all. Does not belong here: declarations (each vendor's `vendor.py`), finding them (`ai_usage/vendors.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import PurePath

from ai_usage import vendors
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import PermanentError
from ai_usage.sources.vendor import Platform, Source, Upload, Vendor

VENDORS: tuple[Vendor, ...] = tuple(vendors.declared())

SOURCES: dict[str, Source] = {source.name: source for vendor in VENDORS for source in vendor.sources}
"""What a key opens, by name."""

VENDOR_OF: dict[str, Vendor] = {source.name: vendor for vendor in VENDORS for source in vendor.sources}

STANDS_IN: dict[str, Upload] = {kind: upload for vendor in VENDORS for kind, upload in vendor.stands_in.items()}
"""Files that stand in for what an API did not give, by the beginning of their names."""

EXPORTS: dict[str, Upload] = {kind: upload for vendor in VENDORS for kind, upload in vendor.exports.items()}
"""Files behind which no API stands, by the beginning of their names."""

ASKED: tuple[Endpoint, ...] = tuple(question.endpoint for vendor in VENDORS for question in vendor.questions)
"""Those that a run asks; the others are files that somebody drops."""

ENDPOINTS: dict[tuple[str, str], Endpoint] = {(e.source, e.name): e for e in (*ASKED, *(upload.endpoint for upload in EXPORTS.values()))}

EXPORTED: tuple[str, ...] = tuple(dict.fromkeys(upload.endpoint.source for upload in EXPORTS.values()))
"""Sources that are files alone: they are always on."""

PLATFORMS: tuple[Platform, ...] = tuple(sorted((p for vendor in VENDORS for p in vendor.platforms), key=lambda p: (p.colour, p.key)))
"""Every platform, in the order of colours."""

TELLS: dict[str, tuple[str, ...]] = {name: source.platforms for name, source in SOURCES.items() if source.platforms} | {
    upload.endpoint.source: tuple(p.key for p in vendor.platforms) for vendor in VENDORS for upload in vendor.exports.values()
}
"""Of which platforms each source tells cost and use: a day that it lacks is missing from these and from no other."""


def endpoint_of(spooled: PurePath) -> Endpoint | None:
    """The endpoint of a file of the spool, by its path below it: SOURCE/ENDPOINT/MONTH/FILE, where an endpoint's name may have a slash too."""
    source, *name = spooled.parts[:-2]
    return ENDPOINTS.get((source, "/".join(name)))


def left_out(endpoint: Endpoint, names: Collection[str]) -> bool:
    """Whether the names, each a source/endpoint such as SOURCE/usage, leave the endpoint out."""
    return f"{endpoint.source}/{endpoint.name}" in names


def history(endpoint: Endpoint, given: Mapping[str, int]) -> int | None:
    """How many days back the vendor answers: as given for the endpoint or its source, else by its documentation; None where neither says."""
    return given.get(f"{endpoint.source}/{endpoint.name}", given.get(endpoint.source, endpoint.history_days))


def check_names(names: Collection[str]) -> None:
    """Raise `PermanentError` for a name that no endpoint has, with the nearest one that there is."""
    known = [f"{source}/{name}" for source, name in ENDPOINTS]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}" if near else f"name one of {', '.join(known)}"
            raise PermanentError(f"AI_USAGE_LEAVE_OUT names {name!r}, which is not an endpoint; {hint}.")
