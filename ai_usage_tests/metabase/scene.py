"""How tests say what they mean: a configuration for an engine, and plan, apply and verify against a stand-in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_usage.dashboards.load import default_root, load_dashboards
from ai_usage.dashboards.metabase import Change, DatabaseConfig, MetabaseConfig, Run, load_suite
from ai_usage.dashboards.metabase.client import Client
from ai_usage.dashboards.metabase.config import bigquery_details, postgres_details
from ai_usage.dashboards.metabase.desired import Desired, desire
from ai_usage.dashboards.metabase.verify import Proof, verify
from ai_usage.warehouse.postgres_dialect import to_postgres
from ai_usage_tests.metabase.standin import StandIn

GROUPS = {"finance": "Finance", "managers": "Managers", "engineers": "Engineers"}
SECRET = "unrepeatable-word"


def config(metabase: StandIn, **more: Any) -> MetabaseConfig:
    if metabase.engine.engine == "postgres":
        schema, details = postgres_details(f"postgresql://reader:{SECRET}@db:5432/marts?schema={metabase.engine.schema}")
        database = DatabaseConfig("AI Usage", "postgres", schema, details)
    else:
        dataset, details = bigquery_details("project", metabase.engine.dataset, SECRET)
        database = DatabaseConfig("AI Usage", "bigquery-cloud-sdk", dataset, details)
    made = MetabaseConfig(
        metabase.url, database, to_postgres if metabase.engine.engine == "postgres" else str, api_key=metabase.api_key, groups=GROUPS,
        recipients={"finance": ("fin@example.com",)}, patience_s=5,
    )  # fmt: skip
    return replace(made, **more)


_COMPUTED: dict[str, Desired] = {}


def wanted(settings: MetabaseConfig, root: Path | None = None) -> Desired:
    """A suite is computed once for each configuration and content of its files: it takes 0.4 s."""
    files = sorted((root or default_root()).rglob("*"))
    key = repr((replace(settings, url=""), [(str(f), f.read_bytes()) for f in files if f.is_file()]))
    if key not in _COMPUTED:
        dashboards = load_dashboards(root)
        _COMPUTED[key] = desire(dashboards, load_suite(dashboards, root), settings)
    return _COMPUTED[key]


def walk(metabase: StandIn, *, write: bool, root: Path | None = None, send_secrets: bool = False, **more: Any) -> Run:
    settings = config(metabase, **more)
    client = Client(settings.url, secrets=settings.secrets, tries=3, backoff_s=0.001, timeout_s=30)
    run = Run(client, settings, wanted(settings, root), write=write, send_secrets=send_secrets)
    try:
        run.walk()
    finally:
        client.close()
    return run


def plan(metabase: StandIn, **more: Any) -> list[Change]:
    return walk(metabase, write=False, **more).changes


def apply(metabase: StandIn, **more: Any) -> Run:
    return walk(metabase, write=True, **more)


def prove(metabase: StandIn, root: Path | None = None, **more: Any) -> list[Proof]:
    settings = config(metabase, **more)
    client = Client(settings.url, secrets=settings.secrets, tries=1)
    try:
        return verify(Run(client, settings, wanted(settings, root), write=False))
    finally:
        client.close()
