"""Every setting, typed, from environment variables or a `.env` file.

Belongs here: names, types, defaults and one sentence each; `docs/settings.md` is made from this file. Does not belong
here: anything that acts on a setting. Keys are `SecretStr`: they print as stars, and each may be given as a value, a file or a
reference to Secret Manager (`secrets.py`).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SettingsSourceError

from ai_usage import vendors
from ai_usage.errors import SettingsError
from ai_usage.guards.bounds import Bounds
from ai_usage.guards.fields import Address, MaybeAddress, plain
from ai_usage.guards.outgoing import names, without_login
from ai_usage.secrets import SECRET_MANAGER_URL, Secret, malformed
from ai_usage.settings.metabase import MetabaseSettings
from ai_usage.sources.given import Switch, VendorSettings

VENDORS: tuple[type[VendorSettings], ...] = tuple(module.SETTINGS for module in vendors.parts("settings"))
WITH_LINES = frozenset({"sheet_credentials", "alert_urls"})  # a JSON file, a list of addresses: every other key is one line


class Common(BaseSettings):
    """The settings of no vendor. Paths that are not set lie below `AI_USAGE_DATA_DIR`."""

    model_config = SettingsConfigDict(
        env_prefix="AI_USAGE_", env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    warehouse: Literal["duckdb", "bigquery"] = Field("duckdb", description="Which engine holds the tables.")
    plaintext_hosts: str = Field(
        "",
        description="Hosts, by comma, to which credentials may go without TLS, such as containers of one private network. This machine always may.",
    )
    data_dir: Path = Field(Path("data"), description="Everything the platform writes lies below it.")
    duckdb_path: Path | None = Field(None, description="The DuckDB file. Default: `ai_usage.duckdb` in the data folder.")
    duckdb_lock_wait_s: float = Field(60, ge=0, description="Seconds to wait for another process that holds the DuckDB file.")
    query_timeout_s: float = Field(300, gt=0, description="Seconds after which `ai-usage query` gives a question up.")
    query_memory_mb: int = Field(
        2000,
        ge=100,
        description="Megabytes of memory, and as many of disk, that DuckDB may use for a question of `ai-usage query`; on Linux the system keeps it.",
    )
    bigquery_project: str | None = Field(None, description="The Google Cloud project whose BigQuery holds the dataset and is billed.")
    bigquery_dataset: str = Field("ai_usage", description="The dataset that holds every table; it must be there.")
    bigquery_location: str = Field("US", description="Where the dataset lies: US, EU or a region.")
    bigquery_endpoint: MaybeAddress = Field(
        None, description="Another address of BigQuery's API, such as an emulator's; with http:// no credentials are sent."
    )
    bigquery_max_bytes_billed: int = Field(
        100_000_000_000, ge=10_000_000, description="A BigQuery job that would bill more bytes than this is refused."
    )
    start_date: date = Field(date(2026, 1, 1), description="First UTC day of history, YYYY-MM-DD; no day before it is read.")
    settle_days: int = Field(35, ge=1, le=366, description="How many past days the daily run reads again, since vendors still change them.")
    uploads_dir: Path | None = Field(None, description="Drop folder for CSV files. Default: `uploads` in the data folder.")
    export_dir: Path | None = Field(
        None,
        description="Where the daily job writes the files for other systems, such as the chargeback. Default: `exports` in the data folder.",
    )
    report_path: Path | None = Field(None, description="Where the HTML report is written. Default: `report.html` in the data folder.")
    file_group: str | None = Field(
        None, description="A group of the machine that may read what lies in the data folder. Absent: its owner alone may."
    )
    superseded_keep_days: int = Field(1100, ge=1, description="How long raw rows of versions that a later one replaced are kept, in days.")
    check_keep_days: int = Field(400, ge=1, description="How long the results of checks are kept in `check_results`, in days.")
    dagster_keep_days: int = Field(
        90,
        ge=7,
        description="How long Dagster's records of a run are kept, in days; each partition's latest materialization and check stay.",
    )
    spool_keep_days: int = Field(400, ge=1, description="How long the vendors' bytes are kept as evidence, in days.")

    windows_in_flight: int = Field(4, ge=1, le=32, description="How many windows of an endpoint are read at once.")

    google_application_credentials: Path | None = Field(
        None,
        validation_alias=plain("GOOGLE_APPLICATION_CREDENTIALS"),
        description="A service account's JSON key file. Absent with a local base URL: anonymous.",
    )
    secret_manager_base_url: Address = Field(SECRET_MANAGER_URL, description="Google Secret Manager's API, for keys given as sm://.")
    http_patience_s: float = Field(300, gt=0, description="Seconds after which a request that keeps failing is given up.")
    http_backoff_s: float = Field(1.0, gt=0, description="First pause between tries in seconds; it doubles each time.")
    http_max_mb: int = Field(
        Bounds.mb, ge=1, description="Largest answer of a vendor in MB, as sent and unpacked; a larger one is an error."
    )
    http_max_s: float = Field(
        Bounds.seconds, gt=0, description="Longest time in seconds that one answer may take to arrive, however it trickles."
    )
    http_max_pages: int = Field(
        Bounds.pages, ge=1, description="Most requests for one window of an endpoint; a chain of more pages fails, it does not end."
    )
    http_max_depth: int = Field(Bounds.depth, ge=8, description="Most levels of nesting in an answer.")
    http_max_values: int = Field(Bounds.values, ge=1000, description="Most values in an answer; they cost memory beside its bytes.")
    http_max_text: int = Field(
        Bounds.text,
        ge=1000,
        description="Longest text in an answer, in bytes. Texts longer than a thousandth of it may have ten times as many together, numbers a thousandth as many digits.",
    )
    serving_url: SecretStr | None = Field(
        None,
        description="Where each run and `ai-usage metabase publish` write the serving copy: the same form, with a user who may create tables.",
    )
    leave_out: list[str] = Field(
        [],
        description='Endpoints that are not read, as JSON: `["anthropic/usage_report/claude_code"]`. What only they tell stays unknown.',
    )
    history_days: dict[str, int] = Field(
        {},
        description='How many days back a vendor answers, where you know better than its documentation: `{"cursor": 90, '
        '"anthropic/cost_report": 400}`, by source or source/endpoint.',
    )
    history_warn_days: int = Field(30, ge=1, description="A day that is not held is warned of so many days before its vendor forgets it.")
    schedule_at: str = Field(
        "06:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="When the schedule `every_morning` reads the sources, HH:MM in AI_USAGE_SCHEDULE_ZONE. Vendors have aggregated a UTC day some hours "
        "after its end.",
    )
    schedule_zone: str = Field(
        "America/Los_Angeles", description="The time zone of AI_USAGE_SCHEDULE_AT, as the tz database names it. Days stay UTC days."
    )
    owners: list[str] = Field(
        ["team:data-platform"],
        description='Who owns the assets in Dagster\'s pages, as JSON: e-mail addresses and teams, `["team:finance-data"]`.',
    )
    hourly_refresh: bool = Field(False, description="True: the schedule `every_hour`, once it is started, reads today so far.")
    repair_after_minutes: int = Field(
        65,
        ge=0,
        description="How long after its end a failed run is repaired, once, by the daemon: longer than the hour that outages often last.",
    )
    wait_for_sources_minutes: int = Field(
        120,
        ge=1,
        description="How long the morning's transformation waits for sources that are still read; then it uses what is held, and a source's run that takes longer "
        "is ended.",
    )
    catch_up_runs: int = Field(
        4, ge=0, le=50, description="How many runs of up to 30 forgotten days each morning adds; 0 turns catching up off."
    )
    log_format: Literal["text", "json"] = Field("text", description="json: one JSON object a line, for a log collector.")
    metrics_file: Path | None = Field(
        None,
        description="Prometheus text file that each run writes when it ends, for node_exporter's textfile collector; it must end in .prom.",
    )
    alert_urls: SecretStr | None = Field(
        None,
        description="Where alerts go: each audience with its address or a list of them, as YAML or JSON. Absent: alerts are shown, not sent.",
    )
    alerts_file: Path | None = Field(None, description="A file of your own that changes thresholds, audiences and quiet periods of alerts.")
    alerts_link: str | None = Field(
        None,
        description="Where a message's link leads: the address of the report, or of Metabase. `{dashboard}` in it is replaced by the page's key.",
    )
    pages_hosts: list[str] = Field(
        [],
        description='Further names under which Dagster\'s pages are reached, as JSON: `["usage.example.com"]`. Any other name is refused.',
    )
    pages_token: SecretStr | None = Field(
        None, description="The password that Dagster's pages ask for, with any name. Needed where they listen on more than this machine."
    )
    demo: bool = Field(False, description="True in the demo: pages say that the people in them do not exist.")

    @field_validator("alerts_link")
    @classmethod
    def _is_link(cls, value: str | None) -> str | None:
        """People follow it; nothing is sent there."""
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value and value.rstrip("/")

    @field_validator("schedule_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is no time zone; write one like Europe/Berlin or UTC")
        return value

    @field_validator("owners")
    @classmethod
    def _are_owners(cls, value: list[str]) -> list[str]:
        wrong = next((o for o in value if not re.fullmatch(r"team:\S+|[^@\s]+@[^@\s]+\.[^@\s]+", o)), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is neither an e-mail address nor a team; write team:NAME")
        return value

    @field_validator("history_days")
    @classmethod
    def _are_days(cls, value: dict[str, int]) -> dict[str, int]:
        if any(days < 1 for days in value.values()):
            raise ValueError("a history has at least 1 day")
        return value

    @field_validator("metrics_file")
    @classmethod
    def _is_collected(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix != ".prom":
            raise ValueError("the collector reads files whose names end in .prom only")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _is_value_or_reference(cls, value: Any, info: ValidationInfo) -> Any:
        wrong = malformed(value.get_secret_value()) if type(value) is SecretStr else None
        if wrong:
            raise ValueError(wrong)
        return value

    @model_validator(mode="after")
    def _keys_know_where_they_come_from(self) -> Self:
        """Every field of the type, also one that is added later: a `SecretStr` becomes a `Secret`."""
        for name in type(self).model_fields:
            value = self.__dict__.get(name)
            if type(value) is SecretStr:
                lines = name in WITH_LINES
                self.__dict__[name] = Secret(
                    value.get_secret_value(), variable(name, type(self)), self.secret_manager_base_url, lines=lines
                )
        return self

    def given_keys(self) -> list[Secret]:
        """The keys that are set, whoever uses them."""
        return [v for v in map(self.__dict__.get, type(self).model_fields) if isinstance(v, Secret)]

    @property
    def hosts_in_clear(self) -> list[str]:
        return names(self.plaintext_hosts)

    @property
    def http_bounds(self) -> Bounds:
        return Bounds(self.http_max_mb, self.http_max_s, self.http_max_pages, self.http_max_depth, self.http_max_values, self.http_max_text)

    @property
    def duckdb_file(self) -> Path:
        return (self.duckdb_path or self.data_dir / "ai_usage.duckdb").resolve()

    @property
    def spool_dir(self) -> Path:
        return (self.data_dir / "spool").resolve()

    @property
    def damaged(self) -> Path:
        """Where files of the spool go that cannot be read."""
        return (self.data_dir / "damaged").resolve()

    @property
    def uploads(self) -> Path:
        return (self.uploads_dir or self.data_dir / "uploads").resolve()

    @property
    def report_file(self) -> Path:
        return (self.report_path or self.data_dir / "report.html").resolve()

    @property
    def exports(self) -> Path:
        return (self.export_dir or self.data_dir / "exports").resolve()

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME, or `dagster/` in the data folder."""
        return Path(os.environ.get("DAGSTER_HOME") or self.data_dir / "dagster").resolve()

    @property
    def any_source_is_on(self) -> bool:
        return len(self.off()) < len(SWITCHES)

    def is_on(self, source: str) -> bool:
        """Whether that source's key or id is given."""
        return source not in self.off()

    def off(self) -> dict[str, str]:
        """{source: the sentence that says why it is off}."""
        return {
            switch.source: f"{switch.subject or switch.title} is off: {variable(switch.setting)} is not set."
            for switch in SWITCHES
            if getattr(self, switch.setting) is None
        }


SWITCHES: tuple[Switch, ...] = tuple(switch for vendor in VENDORS for switch in vendor.switches)
"""What turns each source on, in the order in which sources are named everywhere."""

if TYPE_CHECKING:

    class Settings(MetabaseSettings, Common):
        """The platform's settings; a vendor's own are for its own code, which knows its class."""
else:
    # The vendors' fields follow ours: an address is checked against AI_USAGE_PLAINTEXT_HOSTS, which must be read by then.
    Settings = type(
        "Settings",
        (*reversed(VENDORS), MetabaseSettings, Common),
        {"__doc__": "The platform's settings and every vendor's.", "__module__": __name__},
    )


def only_these(variables: Mapping[str, str]) -> None:
    """Make these the only settings of this process: other variables and the `.env` file no longer count."""
    Settings.model_config["env_file"] = None
    for name in [*map(variable, Settings.model_fields), "DAGSTER_HOME", *(n for n in os.environ if n.upper().startswith("AI_USAGE_"))]:
        os.environ.pop(name, None)
    os.environ.update(variables)


def variable(name: str, of: type[BaseSettings] = Settings) -> str:
    """The environment variable of a settings field."""
    return _variables(name, of)[0]


def _variables(name: str, of: type[BaseSettings] = Settings) -> list[str]:
    alias = of.model_fields[name].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [f"AI_USAGE_{name.upper()}"]


# What other programs read under our prefixes: the vendors' own tools, Compose, this repository's tests.
OTHERS = frozenset({"METABASE_PORT", "AI_USAGE_CHROMIUM", "AI_USAGE_POSTGRES", *(name for vendor in VENDORS for name in vendor.foreign)})


def misspelled() -> str | None:
    """One sentence on the first variable, of the environment or the `.env` file, that nobody reads: any other AI_USAGE_…, and what a vendor's or
    Metabase's setting was nearly called. None where every variable is known."""
    known = {choice for name in Settings.model_fields for choice in _variables(name)}
    beginnings = tuple({name.partition("_")[0] + "_" for name in known if not name.startswith("AI_USAGE_")} - {"GOOGLE_"})
    given = {name.upper() for source in (EnvSettingsSource, DotEnvSettingsSource) for name in source(Settings).env_vars}
    for name in sorted(given - known - OTHERS):
        ours = name.startswith("AI_USAGE_") and not name.startswith("AI_USAGE_TEST_")
        if ours or name.startswith(beginnings):
            # Without the prefix, which would make any two alike.
            near = difflib.get_close_matches(name.removeprefix("AI_USAGE_"), [k.removeprefix("AI_USAGE_") for k in known], 1, 0.75)
            if near:
                return f"{name} is not a setting; did you mean {near[0] if near[0] in known else f'AI_USAGE_{near[0]}'}?"
            if ours:
                return f"{name} is not a setting; remove it, or take a name from docs/settings.md."
    return None


def is_key(name: str) -> bool:
    """Whether a settings field holds a key: its type says so."""
    return "SecretStr" in str(Settings.model_fields[name].annotation)


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `SettingsError` is one sentence for the first variable that nobody reads, or value that cannot be used."""
    wrong = misspelled()
    if wrong:
        raise SettingsError(wrong)
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except SettingsSourceError as error:
        named = next((f for f in Settings.model_fields if f'"{f}"' in str(error)), "")
        is_list = bool(named) and str(Settings.model_fields[named].annotation).startswith("list")
        form, meaning = "a list" if is_list else "an object", Settings.model_fields[named].description if named else ""
        given = {k.upper(): v for source in (DotEnvSettingsSource, EnvSettingsSource) for k, v in source(Settings).env_vars.items()}
        value = f" is set to {given.get(variable(named))!r}, which" if named else ""
        raise SettingsError(f"{variable(named) if named else 'a setting'}{value} is no JSON; write {form}. {meaning}".strip()) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        field = next((f for f in Settings.model_fields if name in (f, variable(f))), None)
        value = "" if field is None or is_key(field) else f" to {_shown(field, first.get('input'))!r}"
        said = first["msg"].removeprefix("Value error, ")
        what = Settings.model_fields[field].description if field else ""
        raise SettingsError(f"{variable(field) if field else name} is set{value}: {said[:1].lower()}{said[1:]}. {what}".strip()) from None


def _shown(field: str, value: object) -> object:
    """A value in an error: of an address without the login that somebody wrote into it."""
    return without_login(value) if isinstance(value, str) and field.endswith(("url", "endpoint")) else value
