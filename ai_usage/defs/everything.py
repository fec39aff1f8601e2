"""Every asset and check of the package, found once a process. Belongs here: finding them, and what can be asked of all."""

from __future__ import annotations

from functools import lru_cache

import dagster as dg

from ai_usage import defs
from ai_usage.defs import alone


@lru_cache(maxsize=1)
def all_assets() -> tuple[dg.AssetsDefinition, ...]:
    """Every asset that a module under `defs/` defines, with the checks that are part of it."""
    return tuple(a for a in dg.load_assets_from_package_module(defs) if isinstance(a, dg.AssetsDefinition))


def all_checks() -> tuple[dg.AssetCheckSpec, ...]:
    """Every check, whether it is part of an asset or a step of its own."""
    return tuple(spec for found in (*all_assets(), *alone.checks) for spec in found.check_specs)


def blocking_checks() -> list[dg.AssetCheckKey]:
    """The checks that hold back what comes after them."""
    return [spec.key for spec in all_checks() if spec.blocking]
