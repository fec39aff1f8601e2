"""What an installation decides: which Metabase, which database behind it, who may see what.

Belongs here: the typed form of those settings, and what they mean together. Does not belong here: environment variables
(`ai_usage/settings/`), HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from ai_usage.dashboards.metabase.errors import MetabaseError

Translate = Callable[[str], str]
SECRETS = frozenset({"password", "service-account-json"})
"""Keys of `details` that Metabase reads back as a mask: never compared, and the mask is never sent."""


@dataclass(frozen=True)
class DatabaseConfig:
    """The connection that Metabase gets. `schema` is the Postgres schema or the BigQuery dataset that holds the marts."""

    name: str
    engine: Literal["bigquery-cloud-sdk", "postgres"]
    schema: str
    details: dict[str, Any] = field(repr=False)

    def table(self, view: str) -> str:
        """How a card names a view, in BigQuery dialect. On BigQuery it must be one token: a field filter there expands to
        `dataset.view`.`column`, which no other spelling of the table matches."""
        return f"`{self.schema}.{view}`" if self.engine == "bigquery-cloud-sdk" else f"`{self.schema}`.`{view}`"


@dataclass(frozen=True)
class MetabaseConfig:
    """One Metabase and what it shall hold. `translate` turns BigQuery dialect into the engine's."""

    url: str
    database: DatabaseConfig
    translate: Translate
    api_key: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    groups: dict[str, str] = field(default_factory=dict)
    """Audience key -> the name of its permission group."""
    personal: tuple[str, ...] = ("finance",)
    """Audiences that may see figures of single people."""
    explorers: tuple[str, ...] = ()
    """Audiences that may use the query builder on every table of the database, and so see everything in it."""
    minimum_group: int = 5
    recipients: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Audience key -> e-mail addresses of subscriptions and alerts."""
    dedicated: bool = True
    """False on an instance that others use too: what counts for the whole instance is then left alone."""
    patience_s: float = 300.0

    @property
    def secrets(self) -> tuple[str, ...]:
        held = [self.api_key, self.password, *(str(v) for k, v in self.database.details.items() if k in SECRETS)]
        return tuple(s for s in held if s)

    def readers(self, visible_to: tuple[str, ...], personal: bool, where: str) -> tuple[str, ...]:
        """The audiences that may open a dashboard: those it names, and of them only the trusted ones if it shows people."""
        unknown = [key for key in visible_to if key not in self.groups]
        if unknown:
            raise MetabaseError(
                f"{where}: visible_to names the audience {unknown[0]!r}, which AI_USAGE_METABASE_GROUPS does not know; "
                f"use one of {', '.join(self.groups) or 'none'}, or add it there."
            )
        return tuple(key for key in visible_to if not personal or key in self.personal)


def postgres_details(url: str) -> tuple[str, dict[str, Any]]:
    """(schema, details) from `postgresql://user:password@host:port/database?schema=name&sslmode=require`."""
    parts = urlsplit(url)
    try:
        port = parts.port or 5432
    except ValueError:
        port = 0
    options = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or not parts.path.strip("/") or not parts.username or not port:
        raise MetabaseError("METABASE_POSTGRES_URL is not of the form postgresql://user:password@host:5432/database; correct it.")
    schema = options.get("schema", "ai_usage")
    return schema, {
        "host": parts.hostname,
        "port": port,
        "dbname": unquote(parts.path.strip("/")),
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "ssl": options.get("sslmode", "disable") not in ("disable", "allow", "prefer"),
        "schema-filters-type": "inclusion",
        "schema-filters-patterns": schema,
    }


def bigquery_details(project: str, dataset: str, service_account_json: str) -> tuple[str, dict[str, Any]]:
    """(dataset, details). `include-user-id-and-hash` stays off: it would defeat BigQuery's own result cache."""
    return dataset, {
        "project-id": project,
        "service-account-json": service_account_json,
        "dataset-filters-type": "inclusion",
        "dataset-filters-patterns": dataset,
        "use-jvm-timezone": False,
        "include-user-id-and-hash": False,
        "advanced-options": False,
    }
