"""Every asset of the package, found once a process. Belongs here: finding them, and what can be asked of all."""

from __future__ import annotations

from functools import lru_cache

import dagster as dg

from ai_usage import defs


@lru_cache(maxsize=1)
def all_assets() -> tuple[dg.AssetsDefinition, ...]:
    """Every asset that a module under `defs/` defines, with its checks."""
    return tuple(a for a in dg.load_assets_from_package_module(defs) if isinstance(a, dg.AssetsDefinition))


def blocking_checks() -> list[dg.AssetCheckKey]:
    """The checks that hold back what comes after them."""
    return [spec.key for asset in all_assets() for spec in asset.check_specs if spec.blocking]
