"""Metabase's settings: docs/settings.md.

Belongs here: where Metabase is, who may do what in it, and what it reads. Does not belong here: the serving copy's own address, which runs write to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from ai_usage.guards.fields import MaybeAddress, plain


class MetabaseSettings(BaseModel):
    """A base of `Settings`, as each vendor's class is."""

    metabase_url: MaybeAddress = Field(None, validation_alias=plain("METABASE_URL"), description="Metabase's address. Absent: no Metabase.")
    metabase_api_key: SecretStr | None = Field(
        None, validation_alias=plain("METABASE_API_KEY"), description="An API key of Metabase whose group is Administrators."
    )
    metabase_user: str | None = Field(
        None,
        validation_alias=plain("METABASE_USER"),
        description="An administrator's e-mail, instead of a key; an empty Metabase gets this account.",
    )
    metabase_password: SecretStr | None = Field(None, validation_alias=plain("METABASE_PASSWORD"), description="That account's password.")
    metabase_engine: Literal["postgres", "bigquery"] = Field("postgres", description="Which database Metabase reads the marts from.")
    metabase_database: str = Field(
        "AI Usage", min_length=1, description="The connection's name in Metabase; `apply` owns the connection of this name."
    )
    metabase_postgres_url: SecretStr | None = Field(
        None,
        validation_alias=plain("METABASE_POSTGRES_URL"),
        description="Where Metabase finds the serving copy: `postgresql://reader:password@host:5432/database?schema=ai_usage`.",
    )
    metabase_bigquery_project: str | None = Field(
        None, description="BigQuery project that Metabase reads. Absent: AI_USAGE_BIGQUERY_PROJECT."
    )
    metabase_bigquery_dataset: str | None = Field(
        None, description="BigQuery dataset that holds the marts. Absent: AI_USAGE_BIGQUERY_DATASET."
    )
    metabase_bigquery_credentials: Path | None = Field(
        None, description="JSON key file of a service account of Metabase's own: Data Viewer, Metadata Viewer, Job User."
    )
    metabase_groups: dict[str, str] = Field(
        {"finance": "Finance", "managers": "Managers", "engineers": "Engineers"},
        description='Audience to the name of its permission group, as JSON: `{"finance": "Finance"}`.',
    )
    metabase_personal: str = Field("finance", description="Audiences, by comma, that may open dashboards which show single people.")
    metabase_explorers: str = Field("", description="Audiences, by comma, that may use the query builder, and so see the whole connection.")
    metabase_minimum_group: int = Field(
        5, ge=3, description="Where people are shown as groups, Metabase shows none of fewer people than this."
    )
    metabase_recipients: dict[str, list[str]] = Field(
        {}, description='Audience to the e-mail addresses of its subscriptions and alerts, as JSON: `{"finance": ["ana@example.com"]}`.'
    )
    metabase_dedicated: bool = Field(
        True, description="False when others use this Metabase too: its instance-wide cache is then left alone."
    )
    metabase_patience_s: float = Field(300, gt=0, description="Seconds to wait for Metabase to start, and for it to read the tables.")
