"""One walk over everything that Metabase shall hold: find it, compare it, and (unless it is a plan) write the difference.

Plan, apply and export-check are this one walk, so that a plan cannot say anything but what apply does. Belongs here: the walk, its
context, starting and logging in. Does not belong here: how each kind of object is found and written (`database.py`, `access.py`,
`content.py`, `extras.py`). Every step finds what an interrupted one left, so a second walk completes the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ai_usage.dashboards.metabase.client import Client
from ai_usage.dashboards.metabase.config import MetabaseConfig
from ai_usage.dashboards.metabase.desired import Desired
from ai_usage.dashboards.metabase.errors import ConflictError, MetabaseError

GRAPH_TRIES = 5
Action = Literal["create", "update", "archive"]


@dataclass(frozen=True)
class Change:
    """One object that is not as it shall be."""

    action: Action
    kind: str
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}" + (f": {'; '.join(self.fields)}" if self.fields else "")


class Run:
    """A walk. `write=False` only says what a writing walk would do.

    Ids of objects that a plan would create are absent from the dictionaries; what depends on them is then new too.
    """

    def __init__(self, client: Client, config: MetabaseConfig, desired: Desired, *, write: bool, send_secrets: bool = False) -> None:
        self.client, self.config, self.desired = client, config, desired
        self.write, self.send_secrets = write, send_secrets
        self.changes: list[Change] = []
        self.notes: list[str] = list(desired.notes)
        self.live = True
        """False when nobody has set the instance up and this is a plan: there is nothing to read."""
        self.database: int | None = None
        self.fields: dict[tuple[str, str], int] = {}
        self.groups: dict[str, int] = {}
        self.collections: dict[str, int] = {}
        self.cards: dict[str, int] = {}
        self.dashboards: dict[str, int] = {}

    def walk(self) -> list[Change]:
        """Everything once, in the order of what needs what. All Users are locked out before there is anything to see."""
        from ai_usage.dashboards.metabase import access, content, database, extras

        self.start()
        database.connect(self)
        access.groups(self)
        access.data(self)
        database.describe(self)
        content.collections(self)
        access.collections(self)
        content.cards(self)
        content.dashboards(self)
        content.obsolete(self)
        extras.subscriptions(self)
        extras.alerts(self)
        extras.timelines(self)
        extras.cache(self)
        self.notes += self.client.notes
        return self.changes

    def start(self) -> None:
        """Wait for Metabase, set an empty one up, log in."""
        properties = self.client.wait(self.config.patience_s)
        config = self.config
        if not properties.get("has-user-setup"):
            if not config.user or not config.password:
                raise MetabaseError(
                    f"Metabase at {config.url} has no administrator yet; set METABASE_USER (an e-mail address) and METABASE_PASSWORD, "
                    "and the first apply makes that account."
                )
            if not self.change("create", "administrator", config.user):
                self.live = False
                return
            self._set_up(str(properties.get("setup-token") or ""))
        if config.api_key:
            self.client.use_key(config.api_key)
        elif config.user and config.password:
            self.client.log_in(config.user, config.password)
        else:
            raise MetabaseError(
                "neither METABASE_API_KEY nor METABASE_USER with METABASE_PASSWORD is set; make a key under Admin settings, API keys."
            )
        me = self.client.get("/api/user/current")
        if not me.get("is_superuser"):
            raise MetabaseError(
                f"the key or user {me.get('common_name') or ''!r} is no administrator of Metabase; give the key the group Administrators."
            )
        self.me = int(me["id"])

    def _set_up(self, token: str) -> None:
        if not token:
            raise MetabaseError(f"Metabase at {self.config.url} has no administrator and hands out no setup token; set it up by hand once.")
        self.client.post(
            "/api/setup",
            {
                "token": token,
                "user": {
                    "email": self.config.user,
                    "password": self.config.password,
                    "first_name": "AI Usage",
                    "last_name": "Administrator",
                },
                "prefs": {"site_name": "AI Usage Analytics"},
            },
        )

    # What the stages use --------------------------------------------------------------------------------------

    def change(self, action: Action, kind: str, name: str, fields: Sequence[str] = ()) -> bool:
        """Note a change; True when it is to be written."""
        self.changes.append(Change(action, kind, name, tuple(fields)))
        return self.write

    def list(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """A list, whether Metabase wraps it in `data` or not; empty while the instance is."""
        if not self.live:
            return []
        found = self.client.get(path, **params)
        return list(found["data"] if isinstance(found, dict) and "data" in found else found or [])

    def put_graph(self, path: str, groups: dict[str, dict[str, Any]]) -> None:
        """Write some groups' part of a permission graph. The revision is the lock: stale means read again, a few times."""
        for attempt in range(1, GRAPH_TRIES + 1):
            revision = self.client.get(path)["revision"]
            try:
                self.client.put(path, {"revision": revision, "groups": groups})
                return
            except ConflictError:
                if attempt == GRAPH_TRIES:
                    raise MetabaseError(
                        f"the permissions at {path} changed {GRAPH_TRIES} times while they were written; who else edits them? Run apply again."
                    ) from None
