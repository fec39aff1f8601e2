"""Keeping the platform whole: uploads, retention, backup, copy, as-of, erasure of a person, completeness, check results, doctor, metrics.

Whole pieces of work on a `Runtime`, called by assets and by the command line alike. No Dagster, no printing.
"""
