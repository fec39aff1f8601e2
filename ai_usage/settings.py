"""Every setting, typed, from environment variables or a `.env` file.

Belongs here: names, types, defaults and one sentence each; `docs/settings.md` is made from this file. Does not belong
here: anything that acts on a setting. Keys are `SecretStr`: they print as stars.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CURSOR_URL = "https://api.cursor.com"
SHEETS_URL = "https://sheets.googleapis.com"
ANTHROPIC_URL = "https://api.anthropic.com"


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names the variable, the value and the remedy."""


def _plain(name: str) -> AliasChoices:
    return AliasChoices(name)


class Settings(BaseSettings):
    """The platform's settings. Paths that are not set lie below `AI_USAGE_DATA_DIR`."""

    model_config = SettingsConfigDict(env_prefix="AI_USAGE_", env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True)

    warehouse: Literal["duckdb", "bigquery"] = Field("duckdb", description="Which engine holds the tables.")
    data_dir: Path = Field(Path("data"), description="Everything the platform writes lies below it.")
    duckdb_path: Path | None = Field(None, description="The DuckDB file. Default: `ai_usage.duckdb` in the data folder.")
    duckdb_lock_wait_s: float = Field(60, ge=0, description="Seconds to wait for another process that holds the DuckDB file.")
    bigquery_project: str | None = Field(None, description="The Google Cloud project whose BigQuery holds the dataset and is billed.")
    bigquery_dataset: str = Field("ai_usage", description="The dataset that holds every table; it must be there.")
    bigquery_location: str = Field("US", description="Where the dataset lies: US, EU or a region.")
    bigquery_endpoint: str | None = Field(
        None, description="Another address of BigQuery's API, such as an emulator's; with http:// no credentials are sent."
    )
    bigquery_max_bytes_billed: int = Field(
        100_000_000_000, ge=10_000_000, description="A BigQuery job that would bill more bytes than this is refused."
    )
    start_date: date = Field(date(2026, 1, 1), description="First UTC day of history, YYYY-MM-DD; no day before it is read.")
    settle_days: int = Field(35, ge=1, le=366, description="How many past days the daily run reads again, since vendors still change them.")
    uploads_dir: Path | None = Field(None, description="Drop folder for CSV files. Default: `uploads` in the data folder.")
    report_path: Path | None = Field(None, description="Where the HTML report is written. Default: `report.html` in the data folder.")
    superseded_keep_days: int = Field(1100, ge=1, description="How long raw rows of versions that a later one replaced are kept, in days.")
    spool_keep_days: int = Field(400, ge=1, description="How long the vendors' bytes are kept as evidence, in days.")

    cursor_base_url: str = Field(CURSOR_URL, description="Cursor's Admin API.")
    cursor_admin_api_key: SecretStr | None = Field(
        None, validation_alias=_plain("CURSOR_ADMIN_API_KEY"), description="Cursor Admin API key. Absent: Cursor is off."
    )
    cursor_rate_factor: float = Field(
        1.0, ge=0, description="Multiplies Cursor's documented request limits (60 a minute for events, 20 else); 0 lifts them."
    )
    windows_in_flight: int = Field(4, ge=1, le=32, description="How many windows of an endpoint are read at once.")

    sheets_base_url: str = Field(SHEETS_URL, description="Google Sheets' API.")
    sheet_id: str | None = Field(None, description="The id in the sheet's URL. Absent: the sheet is off.")
    google_application_credentials: Path | None = Field(
        None,
        validation_alias=_plain("GOOGLE_APPLICATION_CREDENTIALS"),
        description="A service account's JSON key file. Absent with a local base URL: anonymous.",
    )

    anthropic_base_url: str = Field(ANTHROPIC_URL, description="Anthropic's Admin API.")
    anthropic_admin_api_key: SecretStr | None = Field(
        None, validation_alias=_plain("ANTHROPIC_ADMIN_API_KEY"), description="Anthropic Admin API key. Absent: Claude is off."
    )
    anthropic_rate_factor: float = Field(
        1.0, ge=0, description="Multiplies Anthropic's documented 100 requests a minute; 0 lifts the limit."
    )
    http_patience_s: float = Field(300, gt=0, description="Seconds after which a request that keeps failing is given up.")
    http_backoff_s: float = Field(1.0, gt=0, description="First pause between tries in seconds; it doubles each time.")
    demo: bool = Field(False, description="True in the demo: pages say that the people in them do not exist.")

    @field_validator("cursor_base_url", "sheets_base_url", "anthropic_base_url", "bigquery_endpoint")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def duckdb_file(self) -> Path:
        return (self.duckdb_path or self.data_dir / "ai_usage.duckdb").resolve()

    @property
    def spool_dir(self) -> Path:
        return (self.data_dir / "spool").resolve()

    @property
    def uploads(self) -> Path:
        return (self.uploads_dir or self.data_dir / "uploads").resolve()

    @property
    def report_file(self) -> Path:
        return (self.report_path or self.data_dir / "report.html").resolve()

    @property
    def cursor_is_on(self) -> bool:
        return self.cursor_admin_api_key is not None

    @property
    def anthropic_is_on(self) -> bool:
        return self.anthropic_admin_api_key is not None

    @property
    def sheet_is_on(self) -> bool:
        return self.sheet_id is not None

    def off(self) -> dict[str, str]:
        """{source: the sentence that says why it is off}."""
        reasons = {}
        if not self.cursor_is_on:
            reasons["cursor"] = "Cursor is off: CURSOR_ADMIN_API_KEY is not set."
        if not self.anthropic_is_on:
            reasons["anthropic"] = "Claude is off: ANTHROPIC_ADMIN_API_KEY is not set."
        if not self.sheet_is_on:
            reasons["google_sheets"] = "The Google Sheet is off: AI_USAGE_SHEET_ID is not set."
        return reasons


def only_these(variables: Mapping[str, str]) -> None:
    """Make these the only settings of this process: other variables and the `.env` file no longer count."""
    Settings.model_config["env_file"] = None
    for name in [*map(variable, Settings.model_fields), "DAGSTER_HOME"]:
        os.environ.pop(name, None)
    os.environ.update(variables)


def variable(name: str) -> str:
    """The environment variable of a settings field."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"AI_USAGE_{name.upper()}"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `SettingsError` is one sentence for the first value that cannot be used."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        field = next((f for f in Settings.model_fields if name in (f, variable(f))), None)
        value = "" if field is None or "key" in field else f" to {first.get('input')!r}"
        said = first["msg"].removeprefix("Value error, ")
        what = Settings.model_fields[field].description if field else ""
        raise SettingsError(f"{variable(field) if field else name} is set{value}: {said[:1].lower()}{said[1:]}. {what}".strip()) from None


def markdown() -> str:
    """The table of `docs/settings.md`."""
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        kind = str(field.annotation).replace("typing.", "").replace("pathlib._local.", "").replace("pathlib.", "").replace("datetime.", "")
        kind = (
            kind.removeprefix("<class '")
            .removesuffix("'>")
            .replace("pydantic.types.", "")
            .replace("Literal", "")
            .strip("[]")
            .replace("', '", "' or '")
        )
        default = "" if field.default is None or field.default_factory else f"`{field.default}`"
        lines.append(f"| `{variable(name)}` | {kind.replace(' | None', '').replace('|', 'or')} | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
