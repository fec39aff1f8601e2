"""How a card looks in Metabase: its kind of picture, axes, units, colours.

Belongs here: `display` and `visualization_settings`. Settings are keyed by column as Metabase's own page writes them: compact JSON.
Does not belong here: the query. Colours are those of the offline report (`templates/report.css`), safe for colour-blind readers.
"""

from __future__ import annotations

import json
from typing import Any

from ai_usage.dashboards.metabase.native import Native
from ai_usage.dashboards.spec import Card, Dashboard, Dimension, Measure

COLOURS = ("#0a5ea8", "#dd7610", "#0f9a7c", "#d08bbd", "#2f93d6", "#7a2f00", "#7d6c00", "#8a919d")
OVER = "#9a3d00"
HEAT = ("#ffffff", COLOURS[0])
UNITS = {
    "usd": "USD", "pct": "%", "pull_requests": "pull requests", "usd_per_line": "USD per line", "usd_per_person": "USD per person",
    "timestamp": "UTC",
}  # fmt: skip
TIME = {"auto": "Day, week or month (UTC)", "day": "Day (UTC)", "week": "Week starting (UTC)", "month": "Month (UTC)"}


def display(card: Card) -> str:
    """Metabase's name of the picture. It has no heat map for SQL: a pivoted table with a colour scale takes its place."""
    if card.kind == "kpi":
        return "scalar"
    if card.kind in ("table", "heatmap"):
        return "table"
    if card.kind == "bar" and card.group_by[0].grain is None and len(card.group_by) == 1:
        return "row"
    return {"line": "line", "bridge": "waterfall"}.get(card.kind, "bar")


def settings(dashboard: Dashboard, card: Card, query: Native) -> dict[str, Any]:
    """`visualization_settings` of the card."""
    made: dict[str, Any] = {"column_settings": _columns(card, query)}
    if card.kind == "kpi":
        return {**made, "scalar.field": card.measures[0].key}
    if card.kind == "heatmap":
        return {**made, **_heatmap(card)}
    if card.kind == "table":
        over = [m.key for m in card.measures if m.limit]
        marked = [{"columns": over, "type": "single", "operator": ">", "value": 1, "color": OVER, "highlight_row": False}] if over else []
        return {**made, "table.pivot": False, **({"table.column_formatting": marked} if marked else {})}
    return {**made, **_chart(dashboard, card)}


def unit_name(measure: Measure) -> str:
    return UNITS.get(measure.unit, measure.unit)


def _key(column: str) -> str:
    return json.dumps(["name", column], separators=(",", ":"))


def _columns(card: Card, query: Native) -> dict[str, Any]:
    made: dict[str, Any] = {_key(d.column): {"column_title": _title(d)} for d in card.dimensions if d.column not in query.pivoted}
    if query.pivoted and card.pivot:
        made.pop(_key(card.pivot.column), None)
    for column, label in query.pivoted.items():
        made[_key(column)] = {"column_title": label, **_number(card.measures[0])}
    for measure in card.measures:
        made[_key(measure.key)] = {"column_title": measure.label, **_number(measure)}
    return made


def _title(dimension: Dimension) -> str:
    return "Day, week or month" if dimension.grain == "auto" else dimension.label


def _number(measure: Measure) -> dict[str, Any]:
    if measure.unit.startswith("usd"):
        digits = 4 if measure.unit == "usd_per_line" else 2
        return {"number_style": "currency", "currency": "USD", "currency_style": "symbol", "currency_in_header": False, "decimals": digits}
    if measure.unit == "pct":
        return {"number_style": "percent", "decimals": 1}
    if measure.unit in ("date", "timestamp"):
        return {"date_style": "YYYY/M/D"}
    return {"number_style": "decimal", "decimals": 0 if measure.ratio is None else 2}


def _chart(dashboard: Dashboard, card: Card) -> dict[str, Any]:
    first, measure = card.group_by[0], card.measures[0]
    over_time = first.grain is not None
    unit = unit_name(measure)
    made: dict[str, Any] = {
        "graph.dimensions": [d.column for d in card.group_by],
        "graph.metrics": [measure.key],
        "graph.x_axis.title_text": TIME[first.grain] if first.grain else first.label,
        "graph.y_axis.title_text": measure.label if measure.label.lower().endswith(unit.lower()) else f"{measure.label}, {unit}",
        "graph.x_axis.scale": "timeseries" if over_time else "ordinal",
        "series_settings": _series(dashboard, card),
    }
    if card.kind == "stacked_bar":
        made["stackable.stack_type"] = "stacked"
    if not over_time:
        made["graph.show_values"] = True
    if card.kind == "bridge":
        made |= {
            "waterfall.show_total": True,
            "waterfall.increase_color": COLOURS[1],
            "waterfall.decrease_color": COLOURS[0],
            "waterfall.total_color": COLOURS[7],
        }
    return made


def _series(dashboard: Dashboard, card: Card) -> dict[str, Any]:
    """A value keeps its colour on every page: its place in labels.yaml. Values without a label get Metabase's own."""
    if len(card.group_by) < 2:
        return {card.measures[0].key: {"color": COLOURS[0], "title": card.measures[0].label}}
    labels = dashboard.labels.get(card.group_by[1].column, {})
    return {label: {"color": COLOURS[place % len(COLOURS)]} for place, label in enumerate(labels.values())}


def _heatmap(card: Card) -> dict[str, Any]:
    measure = card.measures[0]
    across = next((d for d in card.group_by if d.grain), card.group_by[1])
    return {
        "table.pivot": True,
        "table.pivot_column": across.column,
        "table.cell_column": measure.key,
        "table.column_formatting": [
            {
                "columns": [measure.key],
                "type": "range",
                "colors": list(HEAT),
                "min_type": None,
                "max_type": None,
                "min_value": 0,
                "max_value": 100,
            }
        ],
    }
