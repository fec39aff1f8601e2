"""What a run needs, made from settings once: the warehouse, the vendors' clients, the loader. No Dagster here.

Belongs here: which class serves which setting. Tests replace `Runtime` whole, or hand it other settings. Clients are made when
first used, so that a wrong key of one vendor troubles nobody else, and imported then, so that a question to the warehouse waits for none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ai_usage.errors import SettingsError
from ai_usage.settings import Settings, load_settings
from ai_usage.sources.traffic import Traffic
from ai_usage.warehouse import DuckDBWarehouse, Warehouse

if TYPE_CHECKING:
    from ai_usage.loading import Forgotten, Loader
    from ai_usage.sources.vendor import Client, Link, Maker


class Runtime:
    """One process' connections. `close()` ends them; using it again opens new ones."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self.job_labels: Callable[[], Mapping[str, str]] = dict
        """What BigQuery's jobs are labelled with; Dagster's definitions put asset, run and partition here."""
        self.traffic = Traffic()
        """What the vendors were asked since it was last taken: all clients of this process count here."""
        self._clients: dict[tuple[str, Maker], Client] = {}

    @cached_property
    def warehouse(self) -> Warehouse:
        return self.engine(self.settings.warehouse)

    @contextmanager
    def held(self) -> Iterator[None]:
        """For a run or a command: the warehouse may stay open between two calls, see `DuckDBWarehouse.held`. Touches nothing by itself."""
        if self.settings.warehouse != "duckdb":
            yield
            return
        with self.warehouse.held():
            yield

    def existing(self) -> Warehouse:
        """The warehouse for somebody who reads: one that is not there is said to be absent, not made empty, and one of before an upgrade gets its views."""
        self.warehouse.select("SELECT COUNT(*) AS n FROM raw_fetches")
        self.warehouse.ensure()
        return self.warehouse

    def engine(self, name: str) -> Warehouse:
        """The warehouse of that name, whichever the settings choose for runs."""
        settings = self.settings
        if name == "duckdb":
            return DuckDBWarehouse(settings.duckdb_file, lock_wait_s=settings.duckdb_lock_wait_s)
        if settings.bigquery_project is None:
            raise SettingsError(
                "BigQuery is asked for and AI_USAGE_BIGQUERY_PROJECT is not set; set it to the project that holds the dataset."
            )
        from ai_usage.warehouse.bigquery import BigQueryWarehouse  # Google's libraries take a second to import

        return BigQueryWarehouse(
            self.bigquery_client, settings.bigquery_project, settings.bigquery_dataset, location=settings.bigquery_location,
            max_bytes_billed=settings.bigquery_max_bytes_billed, labels=lambda: self.job_labels(),
        )  # fmt: skip

    def bigquery_client(self) -> Any:
        """A new client of Google's library; in Dagster's processes its resource makes it."""
        from ai_usage.warehouse.bigquery import connect

        settings = self.settings
        return connect(
            str(settings.bigquery_project), settings.bigquery_location, settings.bigquery_endpoint, settings.google_application_credentials
        )

    def client(self, source: str, maker: Maker | None = None) -> Client:
        """The client of a source, made when first asked for; `maker`: the declared one that makes it, where a source has several.

        Raises `SettingsError` where the source is off or its settings do not fit together.
        """
        from ai_usage.sources.registry import SOURCES

        make = maker or SOURCES[source].client
        if (source, make) not in self._clients:
            self._clients[source, make] = make(self.settings, self._link(source))
        return self._clients[source, make]

    def fresh(self, source: str) -> Client:
        """A client of that source that has read nothing yet: one for each run, so that all that it answers is of one moment."""
        for key in [key for key in self._clients if key[0] == source]:
            self._clients.pop(key).close()
        return self.client(source)

    def _link(self, source: str) -> Link:
        from ai_usage.sources.vendor import Link

        settings = self.settings
        http = {
            "patience_s": settings.http_patience_s, "backoff_s": settings.http_backoff_s, "source": source, "traffic": self.traffic,
            "bounds": settings.http_bounds,
        }  # fmt: skip
        return Link(source, settings.spool_dir, http, settings.windows_in_flight, settings.google_application_credentials)

    @cached_property
    def forgotten(self) -> Forgotten:
        from ai_usage.loading import Forgotten

        return Forgotten(self.warehouse)

    def hurried(self, lock_wait_s: float = 10.0) -> Runtime:
        """The same with a short wait for the DuckDB file: Dagster ends a schedule or sensor that thinks for a minute."""
        found = copy.copy(self)
        found.settings = self.settings.model_copy(update={"duckdb_lock_wait_s": min(lock_wait_s, self.settings.duckdb_lock_wait_s)})
        found.__dict__.pop("warehouse", None)
        return found

    def loader(self, run_id: str | None = None) -> Loader:
        from ai_usage.loading import Loader

        return Loader(self.warehouse, run_id, self.forgotten)

    @property
    def today(self) -> date:
        return datetime.now(UTC).date()

    @property
    def yesterday(self) -> date:
        return self.today - timedelta(days=1)

    def close(self) -> None:
        while self._clients:
            self._clients.popitem()[1].close()
