"""`make licences`: the licence of every package that the product installs, against a list of those that ask for nothing but attribution.

Belongs here: what is allowed, what is excepted and why. The closure is computed from installed metadata, so development tools do not count.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "ai-usage-analytics"
ALLOWED = (
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-CMU", "MIT-0", "PSF-2.0",
    "Python-2.0", "Unlicense", "Zlib", "CNRI-Python",
)  # fmt: skip
# Not permissive, and used as they are from their own wheels: nothing of ours is derived from them, and each can be exchanged by its user.
EXCEPTED = {
    "certifi": ("MPL-2.0", "a list of certificates, unmodified"),
    "tqdm": ("MPL-2.0 AND MIT", "a library of another library, unmodified"),
    "psycopg": ("LGPL-3.0-only", "imported as a library, unmodified"),
    "psycopg-binary": ("LGPL-3.0-only", "the same, compiled"),
    "psycopg2-binary": ("LGPL with exceptions", "Dagster's driver, imported as a library, unmodified"),
}
# What packages write instead of an SPDX expression.
_WORDS = (
    (r"apache", "Apache-2.0"), (r"\bmit\b|expat", "MIT"), (r"isc", "ISC"), (r"2-clause|simplified bsd", "BSD-2-Clause"), (r"bsd", "BSD-3-Clause"),
    (r"python software foundation|psf", "PSF-2.0"), (r"unlicense", "Unlicense"), (r"mozilla|mpl", "MPL-2.0"), (r"lgpl|lesser", "LGPL"),
    (r"gpl|general public", "GPL"),
)  # fmt: skip


def closure(root: str = ROOT) -> dict[str, Distribution]:
    """Every installed package that the root needs, itself not among them."""
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset())]
    while waiting:
        name, extras = waiting.pop()
        key = (canonicalize_name(name), extras)
        if key in asked:
            continue
        asked.add(key)
        try:
            held = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform
        found[canonicalize_name(name)] = held
        for line in held.requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
                waiting.append((need.name, frozenset(need.extras)))
    found.pop(canonicalize_name(root), None)
    return dict(sorted(found.items()))


def licence(held: Distribution) -> str:
    """An SPDX expression as well as it can be read: the expression itself, else classifiers, else the old field's first line."""
    said = held.metadata
    if said.get("License-Expression"):
        return str(said["License-Expression"])
    classifiers = [
        c.rpartition("::")[2].strip() for c in said.get_all("Classifier") or () if c.startswith("License ::") and c.count("::") > 1
    ]
    # A classifier says "BSD License" where the field says which one, and the field may hold a whole text: its first line is its name.
    field = str(said.get("License") or "").strip().splitlines()[:1]
    for text in (*classifiers, *field):
        for pattern, spdx in _WORDS:
            if re.search(pattern, text, re.IGNORECASE):
                return spdx
    return "unknown: " + ", ".join([*classifiers, *field])[:60]


def permitted(expression: str) -> bool:
    """Whether an SPDX expression can be kept by keeping allowed licences alone: one of OR, all of AND."""
    plain = expression.replace("(", " ").replace(")", " ")
    if plain != expression:  # with brackets every licence that is named must be allowed: no choice is made here
        return all(part.strip().partition(" WITH ")[0] in ALLOWED for part in re.split(r"\s+(?:AND|OR)\s+", plain))
    return any(
        all(part.strip().partition(" WITH ")[0] in ALLOWED for part in re.split(r"\s+AND\s+", choice))
        for choice in re.split(r"\s+OR\s+", plain)
    )


def main() -> int:
    wrong = []
    for name, held in closure().items():
        found = licence(held)
        excepted = EXCEPTED.get(name)
        print(f"{name:36} {held.version:14} {found}{f'  (excepted: {excepted[1]})' if excepted else ''}")  # noqa: T201
        if not permitted(found) and not excepted:
            wrong.append(
                f"{name} {held.version} is under {found}, which scripts/licences.py does not allow; exchange it, or except it with a reason."
            )
    print("\n".join(wrong), file=sys.stderr)  # noqa: T201
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
