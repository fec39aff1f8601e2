"""`sql/dashboards/metabase.yaml`, read strictly: subscriptions, alerts, events, the cache.

Belongs here: the models and their rules. Does not belong here: dashboards (`../spec.py`), what Metabase makes of it (`desired.py`).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from ai_usage.dashboards.load import default_root
from ai_usage.dashboards.spec import Dashboard, Key, SpecError, Strict
from ai_usage.dashboards.strict_yaml import read_yaml, sentence

FILE = "metabase.yaml"
Hour = Annotated[int, Field(ge=0, le=23)]


class Subscription(Strict):
    """A dashboard sent by e-mail."""

    key: Key
    title: str
    dashboard: Key
    audience: Key
    schedule: Literal["daily", "weekly", "monthly"]
    hour: Hour = 8


class Alert(Strict):
    """A card whose first measure must not pass `above` over the last `days` days."""

    key: Key
    title: str
    dashboard: Key
    card: Key
    above: Decimal
    days: Annotated[int, Field(ge=1, le=400)]
    hour: Hour = 8
    audience: Key

    @field_validator("above", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        if isinstance(value, float):
            raise ValueError('a limit with a fraction is written in quotes, for example "0.05", so that it stays exact')
        return Decimal(value) if isinstance(value, int | str) else value


class Event(Strict):
    """A mark on time axes."""

    key: Key
    date: date
    title: str
    description: str = ""
    dashboards: Annotated[list[Key], Field(min_length=1)]


class Cache(Strict):
    min_duration_ms: Annotated[int, Field(ge=0)]
    multiplier: Annotated[int, Field(ge=1)]


class Suite(Strict):
    """The whole file; every part may be absent."""

    cache: Cache | None = None
    subscriptions: list[Subscription] = []
    alerts: list[Alert] = []
    events: list[Event] = []


def load_suite(dashboards: list[Dashboard], root: Path | None = None) -> Suite:
    """Read the file beside the dashboards; an absent one is an empty suite."""
    path = (root or default_root()) / FILE
    if not path.exists():
        return Suite()
    try:
        suite = Suite.model_validate(read_yaml(path, FILE))
    except ValidationError as error:
        raise SpecError(sentence(FILE, error)) from None
    known = {d.key: d for d in dashboards}
    named = [(s.key, s.dashboard) for s in suite.subscriptions] + [(a.key, a.dashboard) for a in suite.alerts]
    named += [(e.key, d) for e in suite.events for d in e.dashboards]
    for key, dashboard in named:
        if dashboard not in known:
            raise SpecError(f"{FILE}: `{key}` names the dashboard `{dashboard}`, which does not exist; use one of {', '.join(known)}.")
    for alert in suite.alerts:
        card = next((c for c in known[alert.dashboard].cards if c.key == alert.card and c.measures), None)
        if card is None or "date" not in card.filters:
            raise SpecError(f"{FILE}: alert `{alert.key}` needs a card with a measure and a date filter, and `{alert.card}` is none.")
    keys = [s.key for s in suite.subscriptions] + [a.key for a in suite.alerts] + [e.key for e in suite.events]
    twice = next((k for k in keys if keys.count(k) > 1), None)
    if twice:
        raise SpecError(f"{FILE}: two entries share the key `{twice}`; rename one.")
    return suite
