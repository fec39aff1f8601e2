"""Collections, cards and dashboards.

Belongs here: how each is found again, compared, written. A card is found by its entity id, which follows from its key. Collections
and dashboards take no entity id when they are made, so they are found by the mark in their description, a dashboard only inside our
collection. What bears no mark, or a card that bears one with another id (a copy made by hand), is somebody else's and stays.
"""

from __future__ import annotations

from typing import Any

from ai_usage.dashboards.metabase.desired import CardWish, DashboardWish
from ai_usage.dashboards.metabase.errors import MetabaseError
from ai_usage.dashboards.metabase.identity import entity_id, mark_of, marked
from ai_usage.dashboards.metabase.payloads import (
    card_body,
    comparable_card,
    comparable_dashboard,
    comparable_query,
    dashboard_body,
    difference,
)
from ai_usage.dashboards.metabase.run import Run


def collections(run: Run) -> None:
    """One for the suite, below it one for each dashboard: permissions are given to collections."""
    held = _marked_collections(run)
    for wish in run.desired.collections:
        parent = run.collections.get(wish.parent) if wish.parent else None
        body = {"name": wish.name, "description": marked(wish.description, wish.key), "parent_id": parent}
        there = held.get(wish.key)
        if there is None:
            if run.change("create", "collection", wish.name):
                run.collections[wish.key] = int(run.client.post("/api/collection", body)["id"])
                if wish.parent is None:  # children inherit what their parent allows when they are made
                    run.put_graph("/api/collection/graph", {"1": {str(run.collections[wish.key]): "none"}})
            continue
        run.collections[wish.key] = int(there["id"])
        seen = {"name": there.get("name"), "description": there.get("description"), "parent_id": _parent(there)}
        fields = difference(body, seen)
        if fields and run.change("update", "collection", wish.name, fields):
            run.client.put(f"/api/collection/{there['id']}", {**body, "archived": False})


def _marked_collections(run: Run) -> dict[str, dict[str, Any]]:
    """Our collections by key; of two with one mark the older one is ours."""
    found: dict[str, dict[str, Any]] = {}
    for collection in sorted(run.list("/api/collection"), key=lambda c: str(c["id"]).zfill(12)):
        key = mark_of(collection.get("description"))
        if key and isinstance(collection["id"], int) and not collection.get("archived"):
            found.setdefault(key, collection)
    return found


def _parent(collection: dict[str, Any]) -> int | None:
    """`parent_id`, or the end of `location`, `/4/7/`, where a list leaves it out."""
    if collection.get("parent_id") is not None:
        return int(collection["parent_id"])
    parts = [p for p in str(collection.get("location") or "").split("/") if p]
    return int(parts[-1]) if parts else None


def cards(run: Run) -> None:
    """Every card, by entity id: one that was moved, renamed or put into the trash is found and put right."""
    held = _translate(run, [card.entity_id for card in run.desired.cards])
    for wish in run.desired.cards:
        there = held.get(wish.entity_id)
        if there is not None:
            run.cards[wish.key] = there
        collection = run.collections.get(wish.collection)
        ready = run.database is not None and collection is not None and all((t.table, t.column) in run.fields for t in wish.query.tags)
        if there is None:
            if run.change("create", "card", wish.key):
                assert run.database is not None and collection is not None
                body = card_body(wish, run.database, run.fields, collection)
                _create_card(run, wish, body)
            continue
        if not ready:
            run.change("update", "card", wish.key, ["query"])
            continue
        assert run.database is not None and collection is not None
        body = card_body(wish, run.database, run.fields, collection)
        fields = difference(comparable_card(body), comparable_card(run.client.get(f"/api/card/{there}")))
        if fields and run.change("update", "card", wish.key, fields):
            answer = run.client.put(f"/api/card/{there}", {**body, "archived": False})
            _check_stored(run, wish, body, answer)


def _create_card(run: Run, wish: CardWish, body: dict[str, Any]) -> None:
    """Make a card. Some versions store an empty query at POST and keep it at PUT, so what came back is compared, and sent once more."""
    answer = run.client.post("/api/card", {**body, "entity_id": wish.entity_id})
    run.cards[wish.key] = int(answer["id"])
    if answer.get("entity_id") != wish.entity_id:
        raise MetabaseError(
            f"Metabase gave the card {wish.key} the entity id {answer.get('entity_id')!r} instead of {wish.entity_id!r}; remove that card and report it."
        )
    if comparable_query(answer.get("dataset_query")) != comparable_query(body["dataset_query"]):
        answer = run.client.put(f"/api/card/{answer['id']}", body)
    _check_stored(run, wish, body, answer)


def _check_stored(run: Run, wish: CardWish, body: dict[str, Any], answer: dict[str, Any]) -> None:
    if comparable_query(answer.get("dataset_query")) != comparable_query(body["dataset_query"]):
        raise MetabaseError(
            f"Metabase stored another query for the card {wish.key} than the one sent; its version mistreats native queries, so upgrade it."
        )


def _translate(run: Run, ids: list[str]) -> dict[str, int]:
    """Entity ids of cards that exist, with the instance's own ids."""
    if not run.live or not ids:
        return {}
    found = run.client.post("/api/eid-translation/translate", {"entity_ids": {"card": ids}})["entity_ids"]
    return {eid: int(said["id"]) for eid, said in found.items() if said.get("status") == "ok" and said.get("id")}


def dashboards(run: Run) -> None:
    """Each dashboard by one PUT of everything: arrays replace, so nothing of ours is left out and nothing else survives."""
    for wish in run.desired.dashboards:
        collection = run.collections.get(wish.collection)
        there = _find_dashboard(run, wish, collection)
        if there is None and not run.change("create", "dashboard", wish.key):
            continue
        if there is None:
            assert collection is not None
            shell = {"name": wish.name, "description": wish.description, "collection_id": collection, "parameters": list(wish.parameters)}
            there = run.client.get(f"/api/dashboard/{run.client.post('/api/dashboard', shell)['id']}")
            run.dashboards[wish.key] = int(there["id"])
            _put_dashboard(run, wish, there, collection)
            continue
        run.dashboards[wish.key] = int(there["id"])
        if collection is None or any(t.card not in run.cards for t in wish.tiles if t.card):
            run.change("update", "dashboard", wish.key, ["tiles"])
            continue
        body = dashboard_body(wish, collection, run.cards, there.get("dashcards") or [])
        fields = difference(comparable_dashboard(body), comparable_dashboard(there))
        if fields and run.change("update", "dashboard", wish.key, fields):
            _put_dashboard(run, wish, there, collection)


def _put_dashboard(run: Run, wish: DashboardWish, there: dict[str, Any], collection: int) -> None:
    body = dashboard_body(wish, collection, run.cards, there.get("dashcards") or [])
    run.client.put(f"/api/dashboard/{there['id']}", body)
    held = run.client.get(f"/api/dashboard/{there['id']}")
    wrong = difference(comparable_dashboard(body), comparable_dashboard(held))
    if wrong:
        raise MetabaseError(
            f"Metabase stored the dashboard {wish.key} otherwise than it was sent ({'; '.join(wrong)}); report it with its version."
        )


def _find_dashboard(run: Run, wish: DashboardWish, collection: int | None) -> dict[str, Any] | None:
    if collection is None:
        return None
    items = run.list(f"/api/collection/{collection}/items", models="dashboard")
    ours = sorted(int(i["id"]) for i in items if mark_of(i.get("description")) == wish.key)
    found = run.client.get(f"/api/dashboard/{ours[0]}") if ours else None
    return dict(found) if found else None


def obsolete(run: Run) -> None:
    """What the repository no longer names goes to the trash: cards and dashboards that are ours, then collections left empty."""
    kept_cards = {card.key for card in run.desired.cards}
    kept = {c.key for c in run.desired.collections}
    root = next((c.key for c in run.desired.collections if c.parent is None), "")
    if root not in run.collections:
        return
    for key, collection in _marked_collections(run).items():
        if key not in kept and _parent(collection) != run.collections[root]:
            continue  # a copy or a collection of another suite
        items = run.list(f"/api/collection/{collection['id']}/items")
        gone = 0
        for item in items:
            mark = mark_of(item.get("description"))
            if item["model"] == "card" and mark and mark not in kept_cards:
                card = run.client.get(f"/api/card/{item['id']}")
                if card.get("entity_id") == entity_id(mark):
                    gone += 1
                    if run.change("archive", "card", mark):
                        run.client.put(f"/api/card/{item['id']}", {"archived": True})
            elif item["model"] == "dashboard" and mark == key and key not in kept:
                gone += 1
                if run.change("archive", "dashboard", key):
                    run.client.put(f"/api/dashboard/{item['id']}", {"archived": True})
        if key not in kept and gone == len(items) and run.change("archive", "collection", str(collection["name"])):
            run.client.put(f"/api/collection/{collection['id']}", {"archived": True})
