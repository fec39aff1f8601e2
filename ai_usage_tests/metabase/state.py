"""What the stand-in holds and how each operation changes it. Each misbehaviour names the trap of the contract that it reproduces.

Belongs here: in-memory objects and the rules on them. Does not belong here: HTTP (`standin.py`), databases (`engines.py`).
"""

from __future__ import annotations

import copy
import itertools
import uuid
from typing import Any

from ai_usage_tests.metabase.content import Content

MASK = "**MetabasePass**"
SECRET_KEYS = ("password", "service-account-json")


class Refusal(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class State(Content):
    """`database` is the engine that runs SQL. Switches: version, set_up, api_key, sync_polls, stale_writes, store_empty_query, email."""

    refusal = Refusal

    def __init__(
        self, database: Any, *, version: str = "v0.64.1", set_up: bool = True, api_key: str = "mb_key", sync_polls: int = 2,
        stale_writes: int = 0, store_empty_query: bool = False, email: bool = True, administrator: bool = True,
    ) -> None:  # fmt: skip
        self.engine = database
        self.version, self.is_set_up, self.api_key = version, set_up, api_key
        self.sync_polls, self.stale_writes = sync_polls, stale_writes
        self.store_empty_query, self.email, self.administrator = store_empty_query, email, administrator
        self.users: dict[str, str] = {}
        self.sessions: set[str] = set()
        self.ids = itertools.count(10)
        self.db: dict[int, dict[str, Any]] = {}
        self.polls: dict[int, int] = {}
        self.tables: dict[int, dict[str, Any]] = {}
        self.group_names = {1: "All Users", 2: "Administrators"}
        self.data: dict[str, dict[str, dict[str, Any]]] = {}
        self.read: dict[str, dict[str, str]] = {}
        self.revision, self.collection_revision = 1, 1
        self.cache: dict[str, Any] = {"type": "nocache"}
        self.start_content()

    @property
    def major(self) -> int:
        return int(self.version.split(".")[1])

    # Start ----------------------------------------------------------------------------------------------------

    def authenticate(self, headers: dict[str, str]) -> None:
        if (headers.get("x-api-key") == self.api_key and self.is_set_up) or headers.get("x-metabase-session") in self.sessions:
            return
        raise Refusal(401, "Unauthenticated")

    def health(self, query: Any) -> Any:
        return {"status": "ok"}

    def properties(self, query: Any) -> Any:
        return {
            "version": {"tag": self.version}, "has-user-setup": self.is_set_up, "setup-token": None if self.is_set_up else "token",
            "token-features": {},
        }  # fmt: skip

    def setup(self, body: Any) -> Any:
        if self.is_set_up:
            raise Refusal(403, "The /api/setup route can only be used to create the first user.")
        if body["token"] != "token":
            raise Refusal(400, "Token does not match the setup token.")
        self.users[body["user"]["email"]] = body["user"]["password"]
        self.is_set_up = True
        return {"id": str(uuid.uuid4())}

    def login(self, body: Any) -> Any:
        if self.users.get(body["username"]) != body["password"]:
            raise Refusal(401, "did not match stored password")
        session = str(uuid.uuid4())
        self.sessions.add(session)
        return {"id": session}

    def current_user(self, query: Any) -> Any:
        return {
            "id": 3, "common_name": "provisioner", "is_superuser": self.administrator, "email": "key@example.com", "first_name": "p",
            "last_name": "k", "is_active": True,
        }  # fmt: skip

    # Databases ------------------------------------------------------------------------------------------------

    def _shown(self, database: dict[str, Any]) -> dict[str, Any]:
        """Secrets read back as a mask."""
        shown = copy.deepcopy(database)
        shown["details"] = {k: MASK if k in SECRET_KEYS else v for k, v in shown["details"].items()}
        return shown

    def databases(self, query: Any) -> Any:
        return {"data": [self._shown(d) for d in self.db.values()], "total": len(self.db)}

    def create_database(self, body: Any) -> Any:
        number = next(self.ids)
        self.db[number] = {"id": number, **body, "details": {**body["details"], "tunnel-enabled": False}}
        # A new database is open to All Users until somebody closes it.
        self.data.setdefault("1", {})[str(number)] = {"view-data": "unrestricted", "create-queries": "query-builder-and-native"}
        return self._shown(self.db[number])

    def get_database(self, number: int, query: Any) -> Any:
        return self._shown(self._known(self.db, number))

    def update_database(self, number: int, body: Any) -> Any:
        held = self._known(self.db, number)
        details = body.get("details") or {}
        kept = {k: held["details"].get(k) if v == MASK else v for k, v in details.items()}
        held.update({**body, "details": {**held["details"], **kept}})
        return self._shown(held)

    def sync(self, number: int, body: Any) -> Any:
        """Queued: the tables come some polls later."""
        self._known(self.db, number)
        self.polls.setdefault(number, self.sync_polls)
        return {"status": "ok"}

    def metadata(self, number: int, query: Any) -> Any:
        self._known(self.db, number)
        if number in self.polls:
            if self.polls[number] > 0:
                self.polls[number] -= 1
            else:
                self._discover(number)
        found = [t for t in self.tables.values() if t["db_id"] == number]
        return {**self._shown(self.db[number]), "tables": copy.deepcopy(found)}

    def _discover(self, number: int) -> None:
        schema = getattr(self.engine, "schema", None) or getattr(self.engine, "dataset", None)
        known = {(t["name"], f["name"]) for t in self.tables.values() if t["db_id"] == number for f in t["fields"]}
        for name, columns in self.engine.catalog().items():
            table = next((t for t in self.tables.values() if t["db_id"] == number and t["name"] == name), None)
            if table is None:
                place = next(self.ids)
                table = {"id": place, "db_id": number, "schema": schema, "name": name, "description": None, "fields": []}
                self.tables[place] = table
            for column in columns:
                if (name, column) not in known:
                    table["fields"].append(
                        {
                            "id": next(self.ids), "table_id": table["id"], "name": column, "description": None, "semantic_type": None,
                            "has_field_values": "none", "settings": None,
                        }
                    )  # fmt: skip

    def rescan(self, number: int, body: Any) -> Any:
        return {"status": "ok"}

    def update_table(self, number: int, body: Any) -> Any:
        self._known(self.tables, number).update(body)
        return self.tables[number]

    def field(self, number: int) -> dict[str, Any] | None:
        return next((f for t in self.tables.values() for f in t["fields"] if f["id"] == number), None)

    def update_field(self, number: int, body: Any) -> Any:
        held = self.field(number)
        if held is None:
            raise Refusal(404, "Not found.")
        held.update(body)
        return held

    # Permissions ----------------------------------------------------------------------------------------------

    def groups(self, query: Any) -> Any:
        return [{"id": number, "name": name, "member_count": 0} for number, name in self.group_names.items()]

    def create_group(self, body: Any) -> Any:
        if body["name"] in self.group_names.values():
            raise Refusal(400, "A group with that name already exists.")
        number = next(self.ids)
        self.group_names[number] = body["name"]
        return {"id": number, "name": body["name"]}

    def data_graph(self, query: Any) -> Any:
        return {"revision": self.revision, "groups": copy.deepcopy(self.data)}

    def put_data_graph(self, body: Any) -> Any:
        if "sandboxes" in body:
            raise Refusal(402, "Sandboxes is a paid feature not currently available to your instance.")
        self.revision = self._revise(body, self.revision)
        for group, databases in body["groups"].items():
            for number, rights in databases.items():
                self.data.setdefault(group, {}).setdefault(number, {}).update(rights)
        return self.data_graph(None)

    def collection_graph(self, query: Any) -> Any:
        """Entries of `none` are left out since 0.56.13."""
        shown = {g: {c: right for c, right in places.items() if right != "none"} for g, places in self.read.items()}
        return {"revision": self.collection_revision, "groups": shown}

    def put_collection_graph(self, body: Any) -> Any:
        self.collection_revision = self._revise(body, self.collection_revision)
        for group, places in body["groups"].items():
            self.read.setdefault(group, {}).update(places)
        return self.collection_graph(None)

    def _revise(self, body: Any, held: int) -> int:
        """409 on a stale revision; `stale_writes` lets somebody else be faster that often."""
        if self.stale_writes > 0:
            self.stale_writes -= 1
            raise Refusal(409, "Looks like someone else edited the permissions and your data is out of date.")
        if body["revision"] != held:
            raise Refusal(409, "Looks like someone else edited the permissions and your data is out of date.")
        return held + 1

    # Whole instance -------------------------------------------------------------------------------------------

    def get_cache(self, query: Any) -> Any:
        return {"data": [{"model": "root", "model_id": 0, "strategy": self.cache}], "total": 1}

    def put_cache(self, body: Any) -> Any:
        if body["model"] != "root" or body["strategy"]["type"] not in ("ttl", "nocache"):
            raise Refusal(402, "Granular caching is a paid feature not currently available to your instance.")
        self.cache = body["strategy"]
        return self.get_cache(None)

    def get_setting(self, key: str, query: Any) -> Any:
        return {"email-configured?": self.email}.get(key)

    def _known(self, held: dict[int, dict[str, Any]], number: int) -> dict[str, Any]:
        if number not in held:
            raise Refusal(404, "Not found.")
        return held[number]
