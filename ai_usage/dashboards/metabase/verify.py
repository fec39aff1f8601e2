"""The proof that every card runs and every filter filters: the only test that finds an inert mapping.

Belongs here: running each card through its dashboard with and without each filter. With a value that no row has, a filter that works
leaves nothing; one that is mapped nowhere leaves everything. Does not belong here: whether figures are right (the warehouse's checks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ai_usage.dashboards.metabase.content import _find_dashboard
from ai_usage.dashboards.metabase.desired import DashboardWish
from ai_usage.dashboards.metabase.errors import ConnectionLostError, MetabaseError
from ai_usage.dashboards.metabase.identity import parameter_id
from ai_usage.dashboards.metabase.run import Run

NOBODY = "no row has this value (ai-usage verify)"
ALWAYS, NEVER = "1900-01-01~2999-12-30", "2999-12-31~2999-12-31"


@dataclass(frozen=True)
class Proof:
    """One card, alone or under one filter. `unproved` when the card has no data without the filter."""

    card: str
    filter: str | None
    state: Literal["ok", "failed", "unproved"]
    sentence: str


def verify(run: Run) -> list[Proof]:
    """Every card of every dashboard, and every filter mapped to it. Writes nothing."""
    from ai_usage.dashboards.metabase import content

    run.write = False
    run.start()
    content.collections(run)
    content.cards(run)
    found: list[Proof] = []
    on_dashboards = {tile.card for wish in run.desired.dashboards for tile in wish.tiles}
    for wish in run.desired.dashboards:
        held = _find_dashboard(run, wish, run.collections.get(wish.collection))
        if held is None:
            found.append(Proof(wish.key, None, "failed", "Metabase has no such dashboard; run `ai-usage metabase apply`."))
            continue
        found += _dashboard(run, wish, held)
    for card in run.desired.cards:
        if card.key not in on_dashboards:
            found.append(_alone(run, card.key))
    return found


def _alone(run: Run, key: str) -> Proof:
    """A card on no dashboard: an alert's. No rows is its good state."""
    if key not in run.cards:
        return Proof(key, None, "failed", "Metabase has no such card; run `ai-usage metabase apply`.")
    try:
        rows = run.client.query(f"/api/card/{run.cards[key]}/query", {"parameters": [], "ignore_cache": True})
    except ConnectionLostError:
        raise
    except MetabaseError as error:
        return Proof(key, None, "failed", str(error))
    return Proof(key, None, "ok", f"{len(rows)} rows")


def _dashboard(run: Run, wish: DashboardWish, held: dict[str, Any]) -> list[Proof]:
    found = []
    dated = {p["slug"]: p["type"].startswith("date/") for p in wish.parameters}
    for tile in wish.tiles:
        if tile.card is None:
            continue
        place = next(
            (d for d in held.get("dashcards") or [] if d.get("card_id") is not None and d["card_id"] == run.cards.get(tile.card)), None
        )
        if place is None:
            found.append(Proof(tile.card, None, "failed", "the dashboard does not show the card; run `ai-usage metabase apply`."))
            continue
        path = f"/api/dashboard/{held['id']}/dashcard/{place['id']}/card/{place['card_id']}/query"
        everything = {slug: ALWAYS for slug in tile.filters if dated[slug]}
        try:
            whole = run.client.query(path, _body(wish, everything))
            found.append(Proof(tile.card, None, "ok", f"{len(whole)} rows"))
            for slug in tile.filters:
                value = NEVER if dated[slug] else [NOBODY]
                nothing = run.client.query(path, _body(wish, {**everything, slug: value}))
                found.append(_compare(tile.card, slug, whole, nothing))
        except ConnectionLostError:
            raise
        except MetabaseError as error:
            found.append(Proof(tile.card, None, "failed", str(error)))
    return found


def _body(wish: DashboardWish, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameters": [
            {"id": parameter_id(wish.key, p["slug"]), "type": p["type"], "value": values.get(p["slug"])} for p in wish.parameters
        ]
    }


def _compare(card: str, slug: str, whole: list[list[Any]], nothing: list[list[Any]]) -> Proof:
    if not _has_data(whole):
        return Proof(card, slug, "unproved", "without the filter the card has no data, so nothing can be told; load data and verify again.")
    if nothing == whole:
        return Proof(card, slug, "failed", "a value that no row has changes nothing: the filter is inert; run `ai-usage metabase apply`.")
    if _has_data(nothing):
        return Proof(card, slug, "failed", "a value that no row has still leaves data: the filter acts on something else.")
    return Proof(card, slug, "ok", "a value that no row has leaves nothing")


def _has_data(rows: list[list[Any]]) -> bool:
    """Whether any figure is there: an aggregate over nothing is one row of NULL or 0."""
    return any(cell not in (None, 0, "0", 0.0) for row in rows for cell in row)
