"""A card as one native query of Metabase: the spec's aggregate around the card's SQL, with field filters where the table is.

Belongs here: query text. A field filter binds to a column of one physical table and expands to that table's name, so it must stand
in the innermost SELECT, beside the table unaliased. While sqlglot translates, a filter is a column of a reserved name. Does not
belong here: ids, requests, how a figure looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from ai_usage import tables
from ai_usage.dashboards.metabase.config import MetabaseConfig
from ai_usage.dashboards.query import GRAINS, measure_sql
from ai_usage.dashboards.spec import Card, Dashboard, Dimension, SpecError
from ai_usage.tables.schema import Type

DAYS_AS_DAYS, DAYS_AS_WEEKS = 93, 800
"""As `query.resolve_grain`: up to 93 days a bucket is a day, up to 800 a week."""
ROW_LIMIT = 2000
"""Metabase shows no more rows of a table; what lies beyond would be cut without a word."""
_HOLE = re.compile(r"AND\s+(?:[\"`]?\w+[\"`]?\.)*[\"`]?__(filter|instead)_(\w+?)__\b[\"`]?")
OTHER = "other"
CALENDAR = "vw_days"


@dataclass(frozen=True)
class Tag:
    """One template tag: a field filter on a column of the mart."""

    name: str
    label: str
    kind: str
    table: str
    column: str

    @property
    def widget(self) -> str:
        return "date/all-options" if self.kind == "date_range" else "string/="


@dataclass(frozen=True)
class Native:
    """SQL of the engine's own dialect with `{{tags}}`, its tags, and column -> label of the pivoted columns."""

    sql: str
    tags: tuple[Tag, ...]
    pivoted: dict[str, str]


def native(dashboard: Dashboard, card: Card, config: MetabaseConfig, *, last_days: int | None = None, above: str | None = None) -> Native:
    """The card's query. `last_days` and `above` make the query of an alert: the groups whose first measure passed a limit lately."""
    alert = above is not None
    tags = () if alert else tuple(_tag(dashboard, card, key) for key in card.filters)
    spread = _pivot_columns(dashboard, card)
    lines = [
        "SELECT",
        ",\n".join(_columns(dashboard, card, spread)),
        "FROM (",
        _rows(dashboard, card, config, tags, last_days),
        ") AS card",
    ]
    groups = _groups(card, spread)
    if groups:
        lines.append("GROUP BY " + ", ".join(str(i + 1) for i in range(len(groups))))
        lines.append("ORDER BY " + ", ".join([_place(dashboard, card)] if card.kind == "bridge" else _order(card, groups)))
    if not alert and card.kind in ("bar", "table") and (card.limit or card.kind == "table"):
        lines.append(f"LIMIT {card.limit or ROW_LIMIT}")
    text = "\n".join(lines)
    if card.kind == "heatmap" and card.limit and not alert:
        text = _largest_rows(card, text)
    if alert:
        text = f"SELECT * FROM (\n{text}\n) AS found WHERE `{card.measures[0].key}` > {above}"
    if any(sign in text for sign in ("{{", "}}", "[[", "]]")):
        raise SpecError(
            f"{dashboard.key}/{card.key}: `{{{{`, `}}}}`, `[[` and `]]` mean something to Metabase; leave them out of SQL and labels."
        )
    return Native(_HOLE.sub(_hole, config.translate(text)), tags, {c: label for c, label, _ in spread})


def _hole(found: re.Match[str]) -> str:
    """`a AND FALSE OR {{x}}` is `{{x}}`: a value that is chosen takes the place of the one that stands while none is."""
    return f"[[AND {'FALSE OR ' if found[1] == 'instead' else ''}{{{{{found[2]}}}}}]]"


def is_personal(dashboard: Dashboard) -> bool:
    """Whether a dashboard can show a single person: a card groups by, or a filter acts on, a column that names people."""
    columns = {d.column for c in dashboard.cards for d in c.dimensions}
    columns |= {c.filter_source(key) for c in dashboard.cards if c.kind != "note" for key in c.filters}
    sources = {c.source.plain.get(d.column, d.column) for c in dashboard.cards if c.kind != "note" for d in c.dimensions}
    return any(re.search(r"(^|_)(user|person|e?mail|people_name)(_|$)", name) for name in columns | sources)


def _tag(dashboard: Dashboard, card: Card, key: str) -> Tag:
    wanted = dashboard.filter(key)
    view, column = (CALENDAR, "day") if wanted.type == "date_range" and card.of_months else (card.source.view, card.filter_source(key))
    if view not in tables.BY_NAME or column not in tables.BY_NAME[view].column_names:
        raise SpecError(f"{dashboard.key}/{card.key}: the filter {key} acts on {view}.{column}, which ai_usage/tables does not declare.")
    declared = tables.BY_NAME[view].column(column).type
    if declared != (Type.DATE if wanted.type == "date_range" else Type.STRING):
        raise SpecError(
            f"{dashboard.key}/{card.key}: the filter {key} is a {wanted.type} and {view}.{column} is {declared}; use a matching column."
        )
    return Tag(key, wanted.label, wanted.type, view, column)


def _rows(dashboard: Dashboard, card: Card, config: MetabaseConfig, tags: tuple[Tag, ...], last_days: int | None) -> str:
    """The card's own SELECT with the holes for filters; around it, the time buckets of the grain `auto`."""
    select = sqlglot.parse_one(card.source.text, read="bigquery")
    if tags and any(select.find_all(exp.Window)):
        raise SpecError(f"{dashboard.key}/{card.key}: a window function would see filtered rows in Metabase; move it into the mart view.")
    table = select.find(exp.Table)
    if table is None:
        raise SpecError(f"{dashboard.key}/{card.key}: its SQL reads no table; read one mart view.")
    table.replace(sqlglot.parse_one(f"SELECT 1 FROM {config.database.table(card.source.view)}", read="bigquery").find(exp.Table))
    for column in select.find_all(exp.Column):
        column.set("table", None)
    conditions = [_condition(card, config, tag) for tag in tags]
    if dashboard.smallest_group:
        _check_people(dashboard, card)
        conditions.insert(0, sqlglot.parse_one(f"`{dashboard.smallest_group}` >= {config.minimum_group}", read="bigquery"))
    if last_days is not None:
        day = card.filter_source("date")
        conditions.insert(0, sqlglot.parse_one(f"`{day}` >= DATE_SUB(CURRENT_DATE(), INTERVAL {last_days} DAY)", read="bigquery"))
    if conditions:
        where = select.args.get("where")
        parts = [exp.Paren(this=where.this) if where else exp.true(), *conditions]
        select.set("where", exp.Where(this=exp.and_(*parts, copy=False, wrap=False)))
    text = str(select.sql(dialect="bigquery", pretty=True, comments=False))
    automatic = [d for d in card.group_by if d.grain == "auto"]
    if not automatic:
        return text
    return f"SELECT *, {', '.join(f'{_bucket(d)} AS `{d.column}__bucket`' for d in automatic)}\nFROM (\n{text}\n) AS line"


def _condition(card: Card, config: MetabaseConfig, tag: Tag) -> exp.Expr:
    """Where a filter acts. A field filter compares one column, so a period alone cannot say which months it touches: the calendar does."""
    if tag.table == CALENDAR:
        days = f"SELECT month FROM {config.database.table(CALENDAR)} WHERE TRUE AND __filter_{tag.name}__"
        touched = f"month IN ({days})"
        if card.latest:
            month = card.filter_source("date")
            touched = f"{month} = (SELECT MAX({month}) FROM {config.database.table(card.source.view)} WHERE {touched})"
        return sqlglot.parse_one(touched, read="bigquery")
    if tag.name in card.unset:
        return sqlglot.parse_one(f"(`{tag.column}` = {_text(card.unset[tag.name])} AND __instead_{tag.name}__)", read="bigquery")
    return exp.column(f"__filter_{tag.name}__")


def _check_people(dashboard: Dashboard, card: Card) -> None:
    if dashboard.smallest_group not in tables.BY_NAME[card.source.view].column_names:
        raise SpecError(
            f"{dashboard.key}/{card.key}: smallest_group names the column {dashboard.smallest_group}, which {card.source.view} lacks; "
            "count the people of a row there."
        )


def _bucket(dimension: Dimension) -> str:
    day = f"line.`{dimension.column}`"
    length = f"DATE_DIFF(MAX({day}) OVER (), MIN({day}) OVER (), DAY)"
    return (
        f"CASE WHEN {length} < {DAYS_AS_DAYS} THEN {day} WHEN {length} < {DAYS_AS_WEEKS} "
        f"THEN CAST(DATE_TRUNC({day}, ISOWEEK) AS DATE) ELSE CAST(DATE_TRUNC({day}, MONTH) AS DATE) END"
    )


def _groups(card: Card, spread: list[tuple[str, str, str]]) -> list[Dimension]:
    """The columns to group by. A pivot whose values nobody named stays a column of its own."""
    return [*card.group_by, *([card.pivot] if card.pivot and not spread else [])]


def _columns(dashboard: Dashboard, card: Card, spread: list[tuple[str, str, str]]) -> list[str]:
    columns = [f"  {_dimension(dashboard, d)} AS `{d.column}`" for d in _groups(card, spread)]
    for name, _, condition in spread:
        columns.append(f"  SUM(CASE WHEN {condition} THEN card.`{card.measures[0].sum}` END) AS `{name}`")
    return columns + [f"  {measure_sql(m)} AS `{m.key}`" for m in card.measures]


def _dimension(dashboard: Dashboard, dimension: Dimension) -> str:
    if dimension.grain == "auto":
        return f"card.`{dimension.column}__bucket`"
    if dimension.grain in GRAINS:
        return f"CAST(DATE_TRUNC(card.`{dimension.column}`, {GRAINS[dimension.grain]}) AS DATE)"
    return labelled(dashboard, dimension.column)


def labelled(dashboard: Dashboard, column: str) -> str:
    """What people read in place of the stored value; values without a label stay."""
    labels = {value: label for value, label in dashboard.labels.get(column, {}).items() if value != label}
    if not labels:
        return f"card.`{column}`"
    cases = " ".join(f"WHEN {_text(value)} THEN {_text(label)}" for value, label in labels.items())
    return f"CASE card.`{column}` {cases} ELSE card.`{column}` END"


def _pivot_columns(dashboard: Dashboard, card: Card) -> list[tuple[str, str, str]]:
    """(column, label, condition): one per labelled value, and one for all others so that the parts add up to the whole."""
    labels = dashboard.labels.get(card.pivot.column, {}) if card.pivot else {}
    if not card.pivot or not labels:
        return []
    column = f"card.`{card.pivot.column}`"
    found = [(f"{card.pivot.column}_{i}", label, f"{column} = {_text(value)}") for i, (value, label) in enumerate(labels.items(), 1)]
    rest = f"{column} IS NULL OR {column} NOT IN ({', '.join(_text(value) for value in labels)})"
    return [*found, (f"{card.pivot.column}_{OTHER}", "Other", rest)]


def _order(card: Card, groups: list[Dimension]) -> list[str]:
    names = [d.column for d in groups]
    order = [f"`{card.sort.by}` {card.sort.order.upper()}"] if card.sort else []
    return order + [f"`{name}`" for name in names if not (card.sort and card.sort.by == name)]


def _place(dashboard: Dashboard, card: Card) -> str:
    """The order of `labels.yaml`: a bridge is walked from its start."""
    column = card.group_by[0].column
    cases = " ".join(f"WHEN {_text(value)} THEN {place}" for place, value in enumerate(dashboard.labels.get(column, {})))
    return f"MIN(CASE card.`{column}` {cases} END)"


def _largest_rows(card: Card, text: str) -> str:
    """A heat map's limit counts its rows, not its cells: the rows with the largest totals, each with all of its cells."""
    row, cell = card.group_by[0].column, card.measures[0].key
    by_figure = card.sort is None or card.sort.by == cell
    order = card.sort.order.upper() if card.sort else "DESC"
    names = ", ".join(f"`{name}`" for name in [d.column for d in card.group_by] + [cell])
    return (
        f"SELECT {names} FROM (\nSELECT *, DENSE_RANK() OVER (ORDER BY {f'`row_total` {order}, ' if by_figure else ''}`{row}`) AS row_place\n"
        f"FROM (\nSELECT *, SUM(`{cell}`) OVER (PARTITION BY `{row}`) AS row_total FROM (\n{text}\n) AS cells\n) AS totals\n) AS ranked\n"
        f"WHERE row_place <= {card.limit} ORDER BY row_place, `{card.group_by[1].column}`"
    )


def _text(value: str) -> str:
    return str(exp.Literal.string(value).sql(dialect="bigquery"))
