"""What a Metabase shall hold, computed from the repository and the settings alone: no request, no id of an instance.

Belongs here: collections, cards, dashboards, subscriptions, alerts and events as plain values that name each other by key. Does not
belong here: finding them in an instance (`run.py` and its stages).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ai_usage import tables
from ai_usage.dashboards.metabase import visual
from ai_usage.dashboards.metabase.config import MetabaseConfig
from ai_usage.dashboards.metabase.identity import entity_id, marked, parameter_id
from ai_usage.dashboards.metabase.native import ROW_LIMIT, Native, Tag, is_personal, native
from ai_usage.dashboards.metabase.suite import Alert, Subscription, Suite
from ai_usage.dashboards.spec import Card, Dashboard

ROOT = "suite"
STATES = "state_of_the_data"
HEADLINE = "headline"
PERIODS = {
    "all": None, "this_month": "thismonth", "last_month": "past1months", "last_30_days": "past30days", "last_90_days": "past90days",
}  # fmt: skip


@dataclass(frozen=True)
class FieldWish:
    """What Metabase shall know of one column. Only the keys given here are compared and written."""

    table: str
    column: str
    wanted: dict[str, Any]


@dataclass(frozen=True)
class CollectionWish:
    key: str
    name: str
    description: str
    parent: str | None
    readers: tuple[str, ...]


@dataclass(frozen=True)
class CardWish:
    key: str
    name: str
    description: str
    display: str
    collection: str
    query: Native
    settings: dict[str, Any]

    @property
    def entity_id(self) -> str:
        return entity_id(self.key)


@dataclass(frozen=True)
class Tile:
    """One place on a dashboard: a card with the filters that act on it, or a text."""

    card: str | None
    text: str
    row: int
    col: int
    size_x: int
    size_y: int
    filters: tuple[str, ...] = ()


@dataclass(frozen=True)
class DashboardWish:
    key: str
    name: str
    description: str
    collection: str
    parameters: tuple[dict[str, Any], ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Mail:
    """A subscription of a dashboard, or an alert on a card of rows that should not be there."""

    key: str
    title: str
    dashboard: str
    schedule: str
    hour: int
    recipients: tuple[str, ...]
    card: str | None = None


@dataclass(frozen=True)
class Desired:
    tables: dict[str, dict[str, Any]]
    fields: tuple[FieldWish, ...]
    collections: tuple[CollectionWish, ...]
    cards: tuple[CardWish, ...]
    dashboards: tuple[DashboardWish, ...]
    mails: tuple[Mail, ...]
    suite: Suite
    notes: tuple[str, ...] = field(default=())

    def columns(self) -> set[tuple[str, str]]:
        """Every (table, column) that Metabase must have read before cards can be made."""
        return {(t.table, t.column) for card in self.cards for t in card.query.tags} | {(f.table, f.column) for f in self.fields}


def desire(dashboards: Sequence[Dashboard], suite: Suite, config: MetabaseConfig) -> Desired:
    """Everything, in the order in which it is made."""
    notes: list[str] = []
    collections, cards, wishes = [], [], []
    readers: dict[str, tuple[str, ...]] = {}
    for dashboard in dashboards:
        personal = is_personal(dashboard)
        readers[dashboard.key] = config.readers(tuple(dashboard.visible_to), personal, f"{dashboard.key}/dashboard.yaml")
        if not readers[dashboard.key]:
            notes.append(f"nobody but administrators may open {dashboard.title}: it shows people, and no audience it names may see them.")
        cards += [
            _headline_card(dashboard, config),
            _states_card(dashboard, config),
            *(_card(dashboard, card, config) for card in dashboard.cards if card.kind != "note"),
        ]
        wishes.append(_dashboard(dashboard))
    everyone = tuple(sorted({key for found in readers.values() for key in found}))
    collections.append(CollectionWish(ROOT, "AI Usage", "What AI tools cost and what comes of it.", None, everyone))
    collections += [CollectionWish(d.key, d.title, d.question, ROOT, readers[d.key]) for d in dashboards]
    mails = _mails(dashboards, suite, config, readers, notes)
    by_key = {d.key: d for d in dashboards}
    cards += [_alert_card(by_key[a.dashboard], a, config) for a in suite.alerts if any(m.key == a.key for m in mails)]
    views = {card.source.view for d in dashboards for card in d.cards if card.kind != "note"}
    return Desired(
        tables={view: {"description": f"{tables.BY_NAME[view].description} One row: {tables.BY_NAME[view].grain}."} for view in sorted(views)},
        fields=tuple(_fields(views, {(t.table, t.column) for c in cards for t in c.query.tags if t.widget == "string/="})),
        collections=tuple(collections), cards=tuple(cards), dashboards=tuple(wishes), mails=tuple(mails), suite=suite, notes=tuple(notes),
    )  # fmt: skip


def _fields(views: set[str], chosen_from: set[tuple[str, str]]) -> list[FieldWish]:
    found = []
    for view in sorted(views):
        for column in tables.BY_NAME[view]:
            wanted: dict[str, Any] = {"description": column.description + (f" Unit: {column.unit}." if column.unit else "")}
            if column.unit == "USD":
                wanted["semantic_type"] = "type/Currency"
                wanted["settings"] = {"currency": "USD"}
            elif column.name.endswith("email"):
                wanted["semantic_type"] = "type/Email"
            elif (view, column.name) in chosen_from:
                wanted["semantic_type"] = "type/Category"
            if (view, column.name) in chosen_from:
                wanted["has_field_values"] = "list"
            found.append(FieldWish(view, column.name, wanted))
    return found


def _card(dashboard: Dashboard, card: Card, config: MetabaseConfig) -> CardWish:
    key = f"{dashboard.key}/{card.key}"
    query = native(dashboard, card, config)
    said = [card.question, card.description, _reach(dashboard, card)]
    if card.limit and card.kind in ("bar", "table", "heatmap"):
        said.append(f"The {card.limit} largest are shown.")
    elif card.kind == "table":
        said.append(f"At most {ROW_LIMIT:,} rows are shown.")
    if dashboard.smallest_group:
        said.append(f"Groups of fewer than {config.minimum_group} people are left out.")
    description = marked(" ".join(s for s in said if s), key)
    return CardWish(key, card.title, description, visual.display(card), dashboard.key, query, visual.settings(dashboard, card, query))


def _reach(dashboard: Dashboard, card: Card) -> str:
    """What the card speaks of, and the filters that never act on it. The offline report says so when one is set; Metabase shows the same card under
    any filter without a word."""
    missing = [f for f in dashboard.filters if f.key not in card.filters]
    dates = "All dates on record" if any(f.type == "date_range" for f in missing) else None
    others = ", ".join(f.label.lower() for f in missing if f.type == "multi_select")
    return " ".join(f"{words}." for words in (card.scope or dates, f"Not filtered by {others}" if others else None) if words)


# What the page says in its header. Nobody may notice that the machine stands still but the one who looks: a judgement of the day before yesterday says so.
STATES_SQL = """
SELECT said AS state_of_the_data, as_of FROM (
  SELECT 1 AS place, CONCAT('Nothing was read or judged since ', CAST(MAX(DATE(judged_at)) AS STRING)) AS said, MAX(judged_at) AS as_of
  FROM {sources} HAVING DATE_DIFF(CURRENT_DATE(), MAX(DATE(judged_at)), DAY) > 1
  UNION ALL
  SELECT 2 AS place, source_said AS said, MAX(judged_at) AS as_of FROM {sources} WHERE source_state != 'read' GROUP BY source_said
  UNION ALL
  SELECT 3 AS place, 'All sources are read' AS said, MAX(judged_at) AS as_of FROM {sources} HAVING COUNTIF(source_state != 'read') = 0
) AS found
ORDER BY place, said
"""
HEADLINE_SQL = "SELECT sentence FROM {headlines} WHERE dashboard = '{dashboard}'"
COLUMNS, HEADLINE_TILE, STATES_TILE = 24, 2, 3  # of a dashboard's grid


def _headline_card(dashboard: Dashboard, config: MetabaseConfig) -> CardWish:
    key = f"{dashboard.key}/{HEADLINE}"
    sql = HEADLINE_SQL.format(headlines=config.database.table("vw_headlines"), dashboard=dashboard.key)
    said = "Whole company, latest month. No filter acts on it."
    query = Native(config.translate(sql), (), {})
    shown = {"column_settings": {}, "scalar.field": "sentence", "scalar.compact_primary_number": False}
    return CardWish(key, "In one sentence", marked(said, key), "scalar", dashboard.key, query, shown)


def _states_card(dashboard: Dashboard, config: MetabaseConfig) -> CardWish:
    key = f"{dashboard.key}/{STATES}"
    query = Native(config.translate(STATES_SQL.format(sources=config.database.table("vw_sources"))), (), {})
    said = "Each source that is late, missing, refused or failed, as of the last run. Data Trust has each endpoint."
    return CardWish(
        key, "State of the data", marked(said, key), "table", dashboard.key, query, {"column_settings": {}, "table.pivot": False}
    )


def _alert_card(dashboard: Dashboard, alert: Alert, config: MetabaseConfig) -> CardWish:
    card = dashboard.card(alert.card)
    key = f"{dashboard.key}/alert_{alert.key}"
    query = native(dashboard, card, config, last_days=alert.days, above=f"{alert.above:f}")
    said = f"Has rows only when {card.measures[0].label} of the last {alert.days} days is above {alert.above:f}; then Metabase sends it."
    shown = visual.settings(dashboard, card, query)["column_settings"]
    return CardWish(key, alert.title, marked(said, key), "table", dashboard.key, query, {"column_settings": shown, "table.pivot": False})


def _dashboard(dashboard: Dashboard) -> DashboardWish:
    parameters = []
    for wanted in dashboard.filters:
        dated = wanted.type == "date_range"
        made: dict[str, Any] = {
            "id": parameter_id(dashboard.key, wanted.key), "slug": wanted.key, "name": wanted.label,
            "type": "date/all-options" if dated else "string/=", "sectionId": "date" if dated else "string",
        }  # fmt: skip
        if PERIODS[wanted.default]:
            made["default"] = PERIODS[wanted.default]
        parameters.append(made)
    tiles = (
        Tile(f"{dashboard.key}/{HEADLINE}", "", 0, 0, COLUMNS, HEADLINE_TILE, ()),
        Tile(f"{dashboard.key}/{STATES}", "", HEADLINE_TILE, 0, COLUMNS, STATES_TILE, ()),
        *(
            Tile(
                None if card.kind == "note" else f"{dashboard.key}/{card.key}", card.text or "",
                card.grid.y + HEADLINE_TILE + STATES_TILE, card.grid.x, card.grid.w, card.grid.h, tuple(card.filters),
            )
            for card in dashboard.cards
        ),
    )  # fmt: skip
    said = marked(f"{dashboard.question} For: {dashboard.audience}.", dashboard.key)
    return DashboardWish(dashboard.key, dashboard.title, said, dashboard.key, tuple(parameters), tiles)


def _mails(
    dashboards: Sequence[Dashboard], suite: Suite, config: MetabaseConfig, readers: dict[str, tuple[str, ...]], notes: list[str]
) -> list[Mail]:
    """Mails with recipients. A mail runs with its maker's rights, so an audience gets only what it may open itself."""
    found = []
    mails: list[Subscription | Alert] = [*suite.subscriptions, *suite.alerts]
    for mail in mails:
        recipients = config.recipients.get(mail.audience, ())
        if not recipients:
            notes.append(f"`{mail.key}` is not made: AI_USAGE_METABASE_RECIPIENTS names nobody for {mail.audience}.")
        elif mail.dashboard in readers and mail.audience not in readers[mail.dashboard]:
            notes.append(f"`{mail.key}` is not made: {mail.audience} may not open {mail.dashboard}, and a mail would show it to them.")
        elif isinstance(mail, Alert):
            card = f"{mail.dashboard}/alert_{mail.key}"
            found.append(Mail(mail.key, mail.title, mail.dashboard, "daily", mail.hour, recipients, card))
        else:
            found.append(Mail(mail.key, mail.title, mail.dashboard, mail.schedule, mail.hour, recipients))
    return found


def tag_of(card: CardWish, name: str) -> Tag:
    return next(tag for tag in card.query.tags if tag.name == name)
