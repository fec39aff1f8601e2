"""Wishes as Metabase's JSON, and Metabase's JSON as something that can be compared.

Belongs here: the two directions, side by side, so that they cannot drift apart. Metabase answers with fresh `lib/uuid`s, with
template tags as a map or (from 0.63) as a list, and with the older query format where it was asked for; all of that is one thing
here. Does not belong here: requests.
"""

from __future__ import annotations

from typing import Any

from ai_usage.dashboards.metabase.desired import CardWish, DashboardWish, Tile
from ai_usage.dashboards.metabase.identity import parameter_id, tag_id

Fields = dict[tuple[str, str], int]


def card_body(card: CardWish, database: int, fields: Fields, collection: int) -> dict[str, Any]:
    """The body of POST and PUT /api/card, without the entity id."""
    tags = {
        tag.name: {
            "id": tag_id(card.key, tag.name), "name": tag.name, "display-name": tag.label, "type": "dimension",
            "dimension": ["field", {}, fields[tag.table, tag.column]], "widget-type": tag.widget,
        }
        for tag in card.query.tags
    }  # fmt: skip
    stage: dict[str, Any] = {"lib/type": "mbql.stage/native", "native": card.query.sql}
    if tags:
        stage["template-tags"] = tags
    return {
        "name": card.name, "description": card.description, "display": card.display, "collection_id": collection, "type": "question",
        "dataset_query": {"lib/type": "mbql/query", "database": database, "stages": [stage]},
        "visualization_settings": card.settings,
        "parameters": [
            {
                "id": tag_id(card.key, tag.name), "type": tag.widget, "name": tag.label, "slug": tag.name,
                "target": ["dimension", ["template-tag", tag.name]],
            }
            for tag in card.query.tags
        ],
    }  # fmt: skip


def comparable_card(card: dict[str, Any]) -> dict[str, Any]:
    """What of a card is ours to decide, in one form for the body we send and the answer we get."""
    return {
        "name": card.get("name"),
        "description": card.get("description"),
        "display": card.get("display"),
        "collection_id": card.get("collection_id"),
        "type": card.get("type") or "question",
        "archived": bool(card.get("archived")),
        "query": comparable_query(card.get("dataset_query")),
        "visualization_settings": pruned(card.get("visualization_settings") or {}),
        "parameters": sorted(
            ({k: p.get(k) for k in ("id", "type", "name", "slug", "target")} for p in card.get("parameters") or []),
            key=lambda p: str(p["id"]),
        ),
    }


def comparable_query(query: Any) -> dict[str, Any] | None:
    """A native query as database, SQL and tags; None for anything else, such as the `{}` that some versions store."""
    if not isinstance(query, dict):
        return None
    stages = query.get("stages")
    if isinstance(stages, list) and len(stages) == 1 and "native" in stages[0]:
        text, tags = stages[0]["native"], stages[0].get("template-tags") or {}
    elif isinstance(query.get("native"), dict):
        text, tags = query["native"].get("query"), query["native"].get("template-tags") or {}
    else:
        return None
    listed = tags if isinstance(tags, list) else list(tags.values())
    return {
        "database": query.get("database"),
        "sql": text,
        "tags": {
            tag["name"]: {
                "type": tag.get("type"), "widget-type": tag.get("widget-type"), "display-name": tag.get("display-name"),
                "field": field_id(tag.get("dimension")), "required": bool(tag.get("required")), "default": tag.get("default"),
            }
            for tag in listed
        },
    }  # fmt: skip


def field_id(dimension: Any) -> int | None:
    """The field of `["field", {…}, 141]` and of the older `["field", 141, null]`."""
    found = [part for part in dimension if isinstance(part, int)] if isinstance(dimension, list) else []
    return found[0] if len(found) == 1 else None


def dashboard_body(wish: DashboardWish, collection: int, cards: dict[str, int], held: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of PUT /api/dashboard/:id. Its arrays replace what is there: a tile that is there keeps its id, a new one is negative."""
    free = list(held)
    dashcards = []
    for place, tile in enumerate(wish.tiles, start=1):
        same = next((d for d in free if _same_tile(d, tile, cards)), None)
        if same is not None:
            free.remove(same)
        dashcards.append({"id": same["id"] if same else -place, **_dashcard(wish, tile, cards)})
    return {
        "name": wish.name, "description": wish.description, "collection_id": collection, "archived": False, "width": "full",
        "auto_apply_filters": True, "parameters": [dict(p) for p in wish.parameters], "tabs": [], "dashcards": dashcards,
    }  # fmt: skip


def _same_tile(dashcard: dict[str, Any], tile: Tile, cards: dict[str, int]) -> bool:
    if tile.card is not None:
        return dashcard.get("card_id") == cards[tile.card]
    return dashcard.get("card_id") is None and (dashcard.get("visualization_settings") or {}).get("text") == tile.text


def _dashcard(wish: DashboardWish, tile: Tile, cards: dict[str, int]) -> dict[str, Any]:
    """A mapping without `card_id` is accepted and does nothing, so it is always sent."""
    card = cards[tile.card] if tile.card is not None else None
    virtual: dict[str, Any] = {
        "virtual_card": {"name": None, "display": "text", "visualization_settings": {}, "dataset_query": {}, "archived": False}
    }
    return {
        "card_id": card, "row": tile.row, "col": tile.col, "size_x": tile.size_x, "size_y": tile.size_y,
        "visualization_settings": {} if card is not None else {**virtual, "text": tile.text},
        "parameter_mappings": [
            {"parameter_id": parameter_id(wish.key, name), "card_id": card, "target": ["dimension", ["template-tag", name]]}
            for name in tile.filters
        ],
    }  # fmt: skip


def comparable_dashboard(dashboard: dict[str, Any]) -> dict[str, Any]:
    keys = ("id", "slug", "name", "type", "sectionId", "default")
    return {
        "name": dashboard.get("name"),
        "description": dashboard.get("description"),
        "collection_id": dashboard.get("collection_id"),
        "archived": bool(dashboard.get("archived")),
        "width": dashboard.get("width") or "fixed",
        "auto_apply_filters": dashboard.get("auto_apply_filters", True),
        "parameters": [{k: p.get(k) for k in keys} for p in dashboard.get("parameters") or []],
        "tabs": [t.get("name") for t in dashboard.get("tabs") or []],
        "tiles": sorted((_comparable_tile(d) for d in dashboard.get("dashcards") or []), key=repr),
    }


def _comparable_tile(dashcard: dict[str, Any]) -> dict[str, Any]:
    mappings = [
        {"parameter_id": m.get("parameter_id"), "card_id": m.get("card_id"), "target": (m.get("target") or [])[:2]}
        for m in dashcard.get("parameter_mappings") or []
    ]
    return {
        **{k: dashcard.get(k) for k in ("card_id", "row", "col", "size_x", "size_y")},
        "visualization_settings": pruned(dashcard.get("visualization_settings") or {}),
        "parameter_mappings": sorted(mappings, key=lambda m: str(m["parameter_id"])),
        "series": [s.get("id") for s in dashcard.get("series") or []],
    }


def pruned(value: Any) -> Any:
    """Without keys that hold nothing: Metabase leaves them out or adds them as it likes."""
    if isinstance(value, dict):
        kept = {k: pruned(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v is not None and v != {} and v != []}
    return [pruned(v) for v in value] if isinstance(value, list) else value


def difference(wanted: dict[str, Any], held: dict[str, Any]) -> list[str]:
    """The names of what differs; a short value is shown as `name: held -> wanted`."""
    found = []
    for key, value in wanted.items():
        if held.get(key) != value:
            short = all(v is None or (isinstance(v, str | int | bool) and len(str(v)) <= 40) for v in (value, held.get(key)))
            found.append(f"{key}: {held.get(key)!r} -> {value!r}" if short else _inner(key, value, held.get(key)))
    return found


def _inner(key: str, wanted: Any, held: Any) -> str:
    if isinstance(wanted, dict) and isinstance(held, dict):
        names = [k for k in {**wanted, **held} if wanted.get(k) != held.get(k)]
        return f"{key} ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
    return key
