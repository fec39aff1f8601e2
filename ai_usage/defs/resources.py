"""Dagster's resources beside the runtime: BigQuery through dagster-gcp, with what its resource lacks, an endpoint.

Belongs here: resources and what binds them to the runtime. With `AI_USAGE_WAREHOUSE=bigquery` the warehouse takes its client from this one, so
that an asset of your own that asks for `bigquery` talks to the same project, location and address.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import ResourceDefinition
from dagster_gcp import BigQueryResource
from pydantic import Field

from ai_usage.defs.telemetry import job_labels
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.warehouse.bigquery import connect


class EndpointBigQueryResource(BigQueryResource):
    """dagster-gcp's resource for any endpoint; without TLS it sends no credentials, as emulators want it."""

    endpoint: str | None = Field(default=None, description="Another address of BigQuery's API.")
    key_file: str | None = Field(default=None, description="A service account's JSON key file; else Google's default search.")

    @contextmanager
    def get_client(self) -> Iterator[Any]:
        client = connect(str(self.project), self.location or "US", self.endpoint, Path(self.key_file) if self.key_file else None)
        try:
            yield client
        finally:
            client.close()

    @classmethod
    def of(cls, settings: Settings) -> "EndpointBigQueryResource":
        key = settings.google_application_credentials
        return cls(
            project=settings.bigquery_project, location=settings.bigquery_location, endpoint=settings.bigquery_endpoint,
            key_file=str(key) if key else None,
        )  # fmt: skip


def bind(runtime: Runtime) -> dict[str, Any]:
    """The resources that the runtime's settings call for; the runtime works through them from now on."""
    if runtime.settings.warehouse != "bigquery" or runtime.settings.bigquery_project is None:
        return {}
    resource = EndpointBigQueryResource.of(runtime.settings)
    runtime.job_labels = job_labels
    runtime.bigquery_client = lambda: resource.get_client().__enter__()  # type: ignore[method-assign]
    # Not as it is: what a launch may configure, it may point elsewhere or fill from an environment variable.
    return {"bigquery": ResourceDefinition.hardcoded_resource(resource)}
