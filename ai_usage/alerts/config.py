"""The alerts that there are, as the files say: `sql/alerts/alerts.yaml`, and a file of the user's that changes it.

Belongs here: names, types and defaults of what a file may say, and errors in one sentence. Does not belong here: what a condition's SQL says.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ai_usage.dashboards.card_sql import SpecError
from ai_usage.dashboards.strict_yaml import read_yaml, sentence
from ai_usage.errors import SettingsError
from ai_usage.warehouse import models

FIELDS = frozenset({"subject", "figure", "usual", "more", "percent_more", "percent_of", "days", "last_day", "month"})
SHOWN = "sql/alerts/alerts.yaml"
Threshold = int | Decimal


class _Changed(BaseModel):
    """What a user's file may change of an alert."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool | None = None
    title: str | None = None
    severity: Literal["info", "warning", "error"] | None = None
    audience: list[str] | None = None
    quiet_hours: int | None = Field(None, ge=1)
    look_back: Literal["month"] | int | None = None
    parameters: dict[str, int | float] = {}
    headline: str | None = None
    dashboard: str | None = None


class _Declared(_Changed):
    """What the repository's own file says of an alert."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    title: str
    condition: str
    severity: Literal["info", "warning", "error"]
    audience: list[str] = Field(min_length=1)
    quiet_hours: int = Field(ge=1)
    headline: str
    dashboard: str
    clock: bool = False
    source: Literal["sql", "runs"] = Field("sql", alias="from")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    audiences: dict[str, str]
    alerts: dict[str, _Declared]


class _Changes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    audiences: dict[str, str] = {}
    alerts: dict[str, _Changed] = {}


@dataclass(frozen=True)
class Alert:
    """One alert. `sql` is None where the causes are failed runs; `look_back` is days, `month`, or None for all days."""

    name: str
    title: str
    condition: str
    severity: str
    audience: tuple[str, ...]
    quiet_hours: int
    look_back: int | Literal["month"] | None
    parameters: Mapping[str, Threshold]
    headline: str
    dashboard: str
    clock: bool
    enabled: bool
    sql: str | None


@dataclass(frozen=True)
class Config:
    """Every alert by name, and what each audience is."""

    alerts: Mapping[str, Alert]
    audiences: Mapping[str, str]


def load_config(changes: Path | None = None, root: Path | None = None) -> Config:
    """The repository's alerts with the changes of a user's file. Raises `SettingsError`: file, key, remedy."""
    folder = root or models.sql_root() / "alerts"
    try:
        declared = _read(folder / "alerts.yaml", SHOWN, _File)
        asked = _read(changes, str(changes), _Changes) if changes else _Changes()
    except SpecError as error:
        raise SettingsError(str(error)) from None
    audiences = {**declared.audiences, **asked.audiences}
    for name in asked.alerts:
        if name not in declared.alerts:
            raise SettingsError(f"{changes}: alerts.{name}: there is no such alert; use one of {', '.join(declared.alerts)}.")
    alerts = {}
    for name, one in declared.alerts.items():
        alert = _alert(name, one, folder)
        if name in asked.alerts:
            alert = _changed(alert, asked.alerts[name], str(changes))
        _check(alert, audiences, str(changes) if name in asked.alerts else SHOWN)
        alerts[name] = alert
    return Config(alerts, audiences)


def _read(path: Path, shown: str, kind: type[Any]) -> Any:
    found = read_yaml(path, shown)
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise SpecError(sentence(shown, error)) from None


def _alert(name: str, one: _Declared, folder: Path) -> Alert:
    sql = None
    if one.source == "sql":
        path = folder / f"{name}.sql"
        try:
            sql = path.read_text(encoding="utf-8")
        except OSError:
            raise SettingsError(f"{SHOWN}: alerts.{name}: there is no file {path.name} beside it; write the condition there.") from None
    return Alert(
        name, one.title, one.condition, one.severity, tuple(one.audience), one.quiet_hours, one.look_back,
        {key: _threshold(value) for key, value in one.parameters.items()}, one.headline, one.dashboard, one.clock, one.enabled is not False, sql,
    )  # fmt: skip


def _threshold(value: float) -> Threshold:
    """A whole number is a count, any other number exact decimal: YAML's 0.2 is not the float's 0.200000000000000011."""
    return value if isinstance(value, int) else Decimal(str(value))


def _changed(alert: Alert, asked: _Changed, shown: str) -> Alert:
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in asked.model_dump(exclude={"parameters"}).items()
        if value is not None
    }
    if "look_back" in given and (alert.look_back == "month" or alert.look_back is None):
        raise SettingsError(f"{shown}: alerts.{alert.name}.look_back: the days of this alert are fixed by its condition; remove the key.")
    parameters = dict(alert.parameters)
    for name, value in asked.parameters.items():
        if name not in parameters:
            raise SettingsError(
                f"{shown}: alerts.{alert.name}.parameters.{name}: there is no such threshold; use {', '.join(parameters) or 'none'}."
            )
        if isinstance(parameters[name], int) and not isinstance(value, int):
            raise SettingsError(f"{shown}: alerts.{alert.name}.parameters.{name}: {value} is not a whole number; write one.")
        if value < 0:
            raise SettingsError(f"{shown}: alerts.{alert.name}.parameters.{name}: {value} is negative; write 0 or more.")
        parameters[name] = int(value) if isinstance(parameters[name], int) else Decimal(str(value))
    return replace(alert, **given, parameters=parameters)


def _check(alert: Alert, audiences: Mapping[str, str], shown: str) -> None:
    for name in alert.audience:
        if name not in audiences:
            raise SettingsError(f"{shown}: alerts.{alert.name}.audience: there is no audience {name!r}; add it under `audiences`.")
    if isinstance(alert.look_back, int) and not 1 <= alert.look_back <= 366:
        raise SettingsError(f"{shown}: alerts.{alert.name}.look_back: {alert.look_back} days cannot be looked at; write 1 to 366.")
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(alert.headline) if name is not None}
    except ValueError as error:
        raise SettingsError(f"{shown}: alerts.{alert.name}.headline: {error}; write each brace with its pair.") from None
    unknown = sorted(used - FIELDS)
    if unknown:
        raise SettingsError(f"{shown}: alerts.{alert.name}.headline: {{{unknown[0]}}} is unknown; use {', '.join(sorted(FIELDS))}.")
