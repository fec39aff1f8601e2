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
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ai_usage.errors import SettingsError
from ai_usage.guards.outgoing import is_loopback
from ai_usage.settings import Settings, load_settings, variable
from ai_usage.sources.errors import PermanentError
from ai_usage.sources.traffic import Traffic
from ai_usage.warehouse import DuckDBWarehouse, Warehouse

if TYPE_CHECKING:
    from ai_usage.loading import Forgotten, Loader
    from ai_usage.sources.anthropic.analytics import AnalyticsClient
    from ai_usage.sources.anthropic.client import AnthropicClient
    from ai_usage.sources.cursor.client import CursorClient
    from ai_usage.sources.google_sheets.client import SheetsClient

A = TypeVar("A", bound="AnthropicClient")


class Runtime:
    """One process' connections. `close()` ends them; using it again opens new ones."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self.job_labels: Callable[[], Mapping[str, str]] = dict
        """What BigQuery's jobs are labelled with; Dagster's definitions put asset, run and partition here."""
        self.traffic = Traffic()
        """What the vendors were asked since it was last taken: all clients of this process count here."""

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

    @cached_property
    def cursor(self) -> CursorClient:
        from ai_usage.sources.cursor.client import CursorClient

        settings = self.settings
        if settings.cursor_admin_api_key is None:
            raise PermanentError(settings.off()["cursor"])
        return CursorClient(
            settings.cursor_base_url, settings.cursor_admin_api_key.get_secret_value(), settings.spool_dir,
            rate_factor=settings.cursor_rate_factor, patience_s=settings.http_patience_s, backoff_s=settings.http_backoff_s,
            connections=settings.windows_in_flight, source="cursor", traffic=self.traffic, bounds=settings.http_bounds,
        )  # fmt: skip

    @cached_property
    def anthropic(self) -> AnthropicClient:
        from ai_usage.sources.anthropic.client import AnthropicClient

        return self._anthropic(AnthropicClient, "anthropic")

    @cached_property
    def anthropic_analytics(self) -> AnalyticsClient:
        """The analytics endpoints of the organisation whose Admin key is set."""
        from ai_usage.sources.anthropic.analytics import AnalyticsClient

        return self._anthropic(AnalyticsClient, "anthropic")

    @cached_property
    def claude_enterprise(self) -> AnalyticsClient:
        from ai_usage.sources.anthropic.analytics import AnalyticsClient

        return self._anthropic(AnalyticsClient, "claude_enterprise")

    def _anthropic(self, kind: type[A], source: str) -> A:
        settings = self.settings
        name = "anthropic_admin_api_key" if source == "anthropic" else "anthropic_analytics_api_key"
        key = getattr(settings, name)
        if key is None:
            raise PermanentError(settings.off()[source])
        return kind(
            settings.anthropic_base_url, key.get_secret_value(), settings.spool_dir, key_setting=variable(name),
            rate_factor=settings.anthropic_rate_factor, patience_s=settings.http_patience_s, backoff_s=settings.http_backoff_s,
            connections=settings.windows_in_flight, source=source, traffic=self.traffic, bounds=settings.http_bounds,
        )  # fmt: skip

    @cached_property
    def sheets(self) -> SheetsClient:
        from ai_usage.sources.google_sheets.client import SheetsClient

        settings = self.settings
        if settings.sheet_id is None:
            raise PermanentError(settings.off()["google_sheets"])
        local = is_loopback(settings.sheets_base_url)
        given: Path | str | None = settings.google_application_credentials
        if settings.sheet_credentials is not None:
            given = settings.sheet_credentials.get_secret_value()
        if given is None and not local:
            raise PermanentError(
                "the Google Sheet cannot be read without GOOGLE_APPLICATION_CREDENTIALS; set it to a service account's JSON key file."
            )
        return SheetsClient(
            settings.sheets_base_url, settings.sheet_id, given, settings.spool_dir,
            patience_s=settings.http_patience_s, backoff_s=settings.http_backoff_s, source="google_sheets", traffic=self.traffic,
            bounds=settings.http_bounds,
        )  # fmt: skip

    def fresh_sheets(self) -> SheetsClient:
        """A client that has read nothing yet: one for each run, so that all tabs of a run are of one moment."""
        if "sheets" in self.__dict__:
            self.sheets.close()
            del self.__dict__["sheets"]
        return self.sheets

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
        for name in ("cursor", "anthropic", "anthropic_analytics", "claude_enterprise", "sheets"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
