"""The stand-in's collections, cards, dashboards, mails and timelines, and running queries.

Belongs here: objects in collections and the traps on them. A part of `State`.
"""

from __future__ import annotations

import copy
import re
import secrets
import uuid
from datetime import date, timedelta
from typing import Any

from ai_usage_tests.metabase.engines import QueryError

TODAY = date(2026, 11, 22)


class Content:
    """Mixed into `State`, which has the ids, the switches and `refusal`."""

    def start_content(self) -> None:
        self.collections: dict[int, dict[str, Any]] = {}
        self.cards: dict[int, dict[str, Any]] = {}
        self.boards: dict[int, dict[str, Any]] = {}
        self.pulses: dict[int, dict[str, Any]] = {}
        self.notifications: dict[int, dict[str, Any]] = {}
        self.lines: dict[int, dict[str, Any]] = {}
        self.events: dict[int, dict[str, Any]] = {}

    # Collections ----------------------------------------------------------------------------------------------

    def list_collections(self, query: Any) -> Any:
        """With the root, whose id is a word; a parent only as the end of `location`."""
        root = {"id": "root", "name": "Our analytics"}
        return [root, *(copy.deepcopy(c) for c in self.collections.values() if not c["archived"])]

    def create_collection(self, body: Any) -> Any:
        number = next(self.ids)
        parent = body.get("parent_id")
        location = f"{self.collections[parent]['location']}{parent}/" if parent else "/"
        self.collections[number] = {
            "id": number, "name": body["name"], "description": body.get("description"), "location": location, "archived": False,
            "entity_id": secrets.token_urlsafe(16)[:21],
        }  # fmt: skip
        for group in self.group_names:  # what the parent allows; at the top All Users may do everything
            inherited = self.read.get(str(group), {}).get(str(parent), "none") if parent else ("write" if group == 1 else "none")
            self.read.setdefault(str(group), {})[str(number)] = inherited
        return {**self.collections[number], "parent_id": parent}

    def update_collection(self, number: int, body: Any) -> Any:
        held = self._known(self.collections, number)
        held.update({k: v for k, v in body.items() if k in ("name", "description", "archived") and v is not None})
        if "parent_id" in body:
            parent = body["parent_id"]
            held["location"] = f"{self.collections[parent]['location']}{parent}/" if parent else "/"
        return held

    def items(self, number: int, query: Any) -> Any:
        self._known(self.collections, number)
        found = []
        for model, held in (("card", self.cards), ("dashboard", self.boards), ("timeline", self.lines)):
            if query.get("models") in (None, model):
                found += [
                    {"id": x["id"], "model": model, "name": x["name"], "description": x.get("description")}
                    for x in held.values()
                    if x["collection_id"] == number and not x["archived"] and not (model == "timeline" and query.get("models") is None)
                ]
        return {"data": found, "total": len(found)}

    # Cards ----------------------------------------------------------------------------------------------------

    def translate(self, body: Any) -> Any:
        by_id = {c["entity_id"]: c["id"] for c in self.cards.values()}
        wanted = body["entity_ids"].get("card", [])
        return {
            "entity_ids": {
                e: {"id": by_id[e], "type": "card", "status": "ok"} if e in by_id else {"type": "card", "status": "not-found"}
                for e in wanted
            }
        }

    def create_card(self, body: Any) -> Any:
        query = body["dataset_query"]
        tags = (query.get("native") or {}).get("template-tags") or {}
        if query.get("type") == "native" and any(isinstance((t.get("dimension") or [0, 0])[1], dict) for t in tags.values()):
            raise self.refusal(500, "class clojure.lang.PersistentArrayMap cannot be cast to class java.lang.Number")  # trap 2
        if any(c["entity_id"] == body.get("entity_id") for c in self.cards.values()):
            raise self.refusal(400, "duplicate key value violates unique constraint on entity_id")
        number = next(self.ids)
        card = {**self._card_defaults(), **copy.deepcopy(body), "id": number}
        card.update(database_id=query.get("database"), table_id=None)
        card["entity_id"] = body.get("entity_id") or secrets.token_urlsafe(16)[:21]
        if self.store_empty_query:  # trap 2: 2xx, and nothing stored
            card["dataset_query"] = {}
        self.cards[number] = card
        return self.get_card(number, {})

    def _card_defaults(self) -> dict[str, Any]:
        return {
            "description": None, "collection_id": None, "archived": False, "type": "question", "parameters": [], "parameter_mappings": [],
            "cache_ttl": None, "enable_embedding": False, "result_metadata": None, "creator_id": 3, "query_type": "native",
        }  # fmt: skip

    def get_card(self, number: int, query: Any) -> Any:
        """MBQL 5 with fresh uuids; from 0.63 the tags are a list (trap 3)."""
        card = copy.deepcopy(self._known(self.cards, number))
        for stage in card["dataset_query"].get("stages", []):
            stage["lib/uuid"] = str(uuid.uuid4())
            tags = stage.get("template-tags")
            for tag in (tags or {}).values():
                if "dimension" in tag:
                    tag["dimension"] = ["field", {"lib/uuid": str(uuid.uuid4()), "base-type": "type/Text"}, tag["dimension"][-1]]
            if tags and self.major >= 63:
                stage["template-tags"] = list(tags.values())
        native = card["dataset_query"].get("stages", [{}])[0].get("native")
        if query.get("legacy-mbql") == "true" and native:
            held = self.cards[number]["dataset_query"]["stages"][0].get("template-tags") or {}
            tags = {n: {**t, "dimension": ["field", t["dimension"][-1], None]} for n, t in held.items()}
            card["dataset_query"] = {
                "type": "native",
                "database": card["dataset_query"]["database"],
                "native": {"query": native, "template-tags": tags},
            }
        return card

    def update_card(self, number: int, body: Any) -> Any:
        held = self._known(self.cards, number)
        if body.get("archived") and not held["archived"]:
            self.notifications = {k: n for k, n in self.notifications.items() if n["payload"]["card_id"] != number}
        held.update(copy.deepcopy(body))
        return self.get_card(number, {})

    # Dashboards -----------------------------------------------------------------------------------------------

    def create_dashboard(self, body: Any) -> Any:
        """Neither dashcards nor an entity id are taken."""
        number = next(self.ids)
        self.boards[number] = {
            "id": number, "name": body["name"], "description": body.get("description"), "collection_id": body.get("collection_id"),
            "parameters": copy.deepcopy(body.get("parameters") or []), "dashcards": [], "tabs": [], "archived": False, "width": "fixed",
            "auto_apply_filters": True, "public_uuid": None, "cache_ttl": None, "entity_id": secrets.token_urlsafe(16)[:21], "creator_id": 3, "enable_embedding": False,
        }  # fmt: skip
        return self.boards[number]

    def get_dashboard(self, number: int, query: Any) -> Any:
        board = copy.deepcopy(self._known(self.boards, number))
        for tile in board["dashcards"]:
            tile["card"] = self.get_card(tile["card_id"], {}) if tile["card_id"] else None
        return board

    def update_dashboard(self, number: int, body: Any) -> Any:
        """Arrays replace: what is left out is deleted (trap 7). A positive id must be there already."""
        board = self._known(self.boards, number)
        if body.get("dashcards") is not None:
            held = {t["id"]: t for t in board["dashcards"]}
            made = []
            for tile in body["dashcards"]:
                if tile["id"] > 0 and tile["id"] not in held:
                    raise self.refusal(400, f"dashcard {tile['id']} is not on this dashboard")
                place = tile["id"] if tile["id"] > 0 else next(self.ids)
                old = held.get(
                    place, {"series": [], "inline_parameters": None, "dashboard_tab_id": None, "entity_id": secrets.token_urlsafe(16)[:21]}
                )
                made.append({**old, **copy.deepcopy(tile), "id": place, "dashboard_id": number})
            board["dashcards"] = made
        board.update({k: copy.deepcopy(v) for k, v in body.items() if k != "dashcards" and v is not None})
        return self.get_dashboard(number, {})

    # Queries --------------------------------------------------------------------------------------------------

    def run_card(self, number: int, body: Any) -> Any:
        values = {tuple(p["target"][1]): p.get("value") for p in body.get("parameters") or [] if p.get("target")}
        return self._execute(number, {name[1]: value for name, value in values.items()})

    def run_dashcard(self, board: int, place: int, number: int, body: Any) -> Any:
        """A mapping counts only with its card id (trap 1). A parameter that is not sent has its default."""
        dashboard = self._known(self.boards, board)
        tile = next((t for t in dashboard["dashcards"] if t["id"] == place and t["card_id"] == number), None)
        if tile is None:
            raise self.refusal(404, "Not found.")
        values = {p["id"]: p.get("default") for p in dashboard["parameters"]}
        values.update({p["id"]: p.get("value") for p in body.get("parameters") or []})
        given = {
            m["target"][1][1]: values.get(m["parameter_id"])
            for m in tile.get("parameter_mappings") or []
            if m.get("card_id") == number and m["target"][0] == "dimension"
        }
        return self._execute(number, given)

    def _execute(self, number: int, values: dict[str, Any]) -> Any:
        query = self._known(self.cards, number)["dataset_query"]
        if not query.get("stages"):
            return {"status": "failed", "error": "the card has no query"}
        stage = query["stages"][0]
        tags = stage.get("template-tags") or {}

        def optional(match: re.Match[str]) -> str:
            name = match.group(2)
            value = values.get(name)
            if value in (None, [], ""):
                return ""
            return match.group(1) + self._condition(tags[name], value) + match.group(3)

        sql = re.sub(r"\[\[(.*?)\{\{(\w+)\}\}(.*?)\]\]", optional, stage["native"])
        try:
            rows = self.engine.run(sql)
        except QueryError as error:
            return {"status": "failed", "error": str(error), "data": {"rows": [], "cols": []}}
        return {"status": "completed", "row_count": len(rows), "data": {"rows": rows, "cols": []}}

    def _condition(self, tag: dict[str, Any], value: Any) -> str:
        """A field filter as the driver writes it: the physical table's column, whatever the query calls the table."""
        number = tag["dimension"][-1]
        table = next(t for t in self.tables.values() for f in t["fields"] if f["id"] == number)
        column = self.engine.column(table["name"], self.field(number)["name"])
        if tag["widget-type"] == "date/all-options":
            first, last = self._period(value)
            return f"{column} BETWEEN DATE '{first}' AND DATE '{last}'"
        chosen = value if isinstance(value, list) else [value]
        quoted = ", ".join("'" + str(v).replace("'", "''") + "'" for v in chosen)
        return f"{column} IN ({quoted})"

    def _period(self, value: str) -> tuple[date, date]:
        if value == "past30days":
            return TODAY - timedelta(days=30), TODAY - timedelta(days=1)
        first, _, last = value.partition("~")
        return date.fromisoformat(first), date.fromisoformat(last or first)

    # Mails ----------------------------------------------------------------------------------------------------

    def list_pulses(self, query: Any) -> Any:
        board = int(query["dashboard_id"]) if "dashboard_id" in query else None
        return [copy.deepcopy(p) for p in self.pulses.values() if board in (None, p["dashboard_id"]) and not p["archived"]]

    def create_pulse(self, body: Any) -> Any:
        number = next(self.ids)
        self._check_pulse(body)
        channels = [{"id": next(self.ids), **c} for c in copy.deepcopy(body["channels"])]
        self.pulses[number] = {
            "parameters": [],
            "skip_if_empty": False,
            "archived": False,
            **copy.deepcopy(body),
            "channels": channels,
            "id": number,
        }
        return self.pulses[number]

    def _check_pulse(self, body: Any) -> None:
        if any("enabled" not in c for c in body["channels"]):
            raise self.refusal(500, "Assert failed: (boolean? enabled)")
        tiles = {t["id"]: t["card_id"] for b in self.boards.values() for t in b["dashcards"]}
        for card in body["cards"]:
            if tiles.get(card["dashboard_card_id"]) != card["id"]:
                raise self.refusal(400, f"dashboard_card_id {card['dashboard_card_id']} does not show card {card['id']}")

    def update_pulse(self, number: int, body: Any) -> Any:
        """Defaults are applied again: without `archived` it comes back to life."""
        self._check_pulse(body)
        self._known(self.pulses, number).update({"skip_if_empty": False, "archived": False, **copy.deepcopy(body)})
        return self.pulses[number]

    def list_notifications(self, query: Any) -> Any:
        return [
            copy.deepcopy(n) for n in self.notifications.values() if str(n["payload"]["card_id"]) == query.get("card_id") and n["active"]
        ]

    def create_notification(self, body: Any) -> Any:
        number = next(self.ids)
        made = {"active": True, "creator_id": 3, **copy.deepcopy(body), "id": number}
        made["payload"] = {"id": next(self.ids), **made["payload"]}
        self.notifications[number] = self._with_part_ids(made, {})
        return self.notifications[number]

    def update_notification(self, number: int, body: Any) -> Any:
        held = self._known(self.notifications, number)
        self.notifications[number] = self._with_part_ids({**held, **copy.deepcopy(body)}, held)
        return self.notifications[number]

    def _with_part_ids(self, made: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
        """A part without the id of one that is there is deleted and recreated (trap 8)."""
        for kind in ("subscriptions", "handlers"):
            known = {p["id"] for p in held.get(kind, [])}
            made[kind] = [p if p.get("id") in known else {**p, "id": next(self.ids)} for p in made[kind]]
        return made

    # Timelines ------------------------------------------------------------------------------------------------

    def list_timelines(self, query: Any) -> Any:
        with_events = query.get("include") == "events"
        found = [copy.deepcopy(t) for t in self.lines.values() if not t["archived"]]
        return [{**t, **({"events": self._events_of(t["id"])} if with_events else {})} for t in found]

    def _events_of(self, number: int) -> list[dict[str, Any]]:
        return [copy.deepcopy(e) for e in self.events.values() if e["timeline_id"] == number and not e.get("archived")]

    def create_timeline(self, body: Any) -> Any:
        number = next(self.ids)
        self.lines[number] = {"archived": False, **copy.deepcopy(body), "id": number}
        return self.lines[number]

    def create_event(self, body: Any) -> Any:
        number = next(self.ids)
        self.events[number] = {"archived": False, **copy.deepcopy(body), "id": number}
        return self.events[number]

    def update_event(self, number: int, body: Any) -> Any:
        self._known(self.events, number).update(copy.deepcopy(body))
        return self.events[number]
