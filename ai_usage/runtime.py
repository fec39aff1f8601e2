"""What a run needs, made from settings once: the warehouse, the vendors' clients, the loader. No Dagster here.

Belongs here: which class serves which setting. Tests replace `Runtime` whole, or hand it other settings. Clients are made when
first used, so that a wrong key of one vendor troubles nobody else.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ai_usage.loading import Loader
from ai_usage.settings import Settings, SettingsError, load_settings, variable
from ai_usage.sources.anthropic.analytics import AnalyticsClient
from ai_usage.sources.anthropic.client import AnthropicClient
from ai_usage.sources.cursor.client import CursorClient
from ai_usage.sources.errors import PermanentError
from ai_usage.sources.google_sheets.client import SheetsClient
from ai_usage.warehouse import DuckDBWarehouse, Warehouse

A = TypeVar("A", bound=AnthropicClient)


class Runtime:
    """One process' connections. `close()` ends them; using it again opens new ones."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def warehouse(self) -> Warehouse:
        if self.settings.warehouse == "bigquery":
            raise SettingsError("AI_USAGE_WAREHOUSE is set to 'bigquery', which this version cannot write yet; set it to 'duckdb'.")
        return DuckDBWarehouse(self.settings.duckdb_file, lock_wait_s=self.settings.duckdb_lock_wait_s)

    @cached_property
    def cursor(self) -> CursorClient:
        settings = self.settings
        if settings.cursor_admin_api_key is None:
            raise PermanentError(settings.off()["cursor"])
        return CursorClient(
            settings.cursor_base_url, settings.cursor_admin_api_key.get_secret_value(), settings.spool_dir,
            rate_factor=settings.cursor_rate_factor, patience_s=settings.http_patience_s, backoff_s=settings.http_backoff_s,
            connections=settings.windows_in_flight,
        )  # fmt: skip

    @cached_property
    def anthropic(self) -> AnthropicClient:
        return self._anthropic(AnthropicClient, "anthropic")

    @cached_property
    def anthropic_analytics(self) -> AnalyticsClient:
        """The analytics endpoints of the organisation whose Admin key is set."""
        return self._anthropic(AnalyticsClient, "anthropic")

    @cached_property
    def claude_enterprise(self) -> AnalyticsClient:
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
            connections=settings.windows_in_flight,
        )  # fmt: skip

    @cached_property
    def sheets(self) -> SheetsClient:
        settings = self.settings
        if settings.sheet_id is None:
            raise PermanentError(settings.off()["google_sheets"])
        local = settings.sheets_base_url.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
        given: Path | str | None = settings.google_application_credentials
        if settings.sheet_credentials is not None:
            given = settings.sheet_credentials.get_secret_value()
        if given is None and not local:
            raise PermanentError(
                "the Google Sheet cannot be read without GOOGLE_APPLICATION_CREDENTIALS; set it to a service account's JSON key file."
            )
        return SheetsClient(
            settings.sheets_base_url, settings.sheet_id, given, settings.spool_dir,
            patience_s=settings.http_patience_s, backoff_s=settings.http_backoff_s,
        )  # fmt: skip

    def fresh_sheets(self) -> SheetsClient:
        """A client that has read nothing yet: one for each run, so that all tabs of a run are of one moment."""
        if "sheets" in self.__dict__:
            self.sheets.close()
            del self.__dict__["sheets"]
        return self.sheets

    def loader(self, run_id: str | None = None) -> Loader:
        return Loader(self.warehouse, run_id)

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
