"""Dagster objects only: assets, checks, jobs, schedules, sensors. What they do is done elsewhere; each asset stays short."""

import warnings

import dagster as dg

# `backfill_policy` is called beta in 1.13 and warns once for each asset; the version is pinned below 1.14.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
