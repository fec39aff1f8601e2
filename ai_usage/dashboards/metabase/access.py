"""Who may see what: permission groups and the two permission graphs.

Belongs here: groups, data permissions, collection permissions. Permissions add up, and everybody is in All Users, so that group is
locked out first. Only our groups, our database and our collections are written. The open-source edition knows no permission on
rows; `sandboxes` is never sent.
"""

from __future__ import annotations

from typing import Any

from ai_usage.dashboards.metabase.run import Run

ALL_USERS = "All Users"


def groups(run: Run) -> None:
    """The audiences' groups, by name. Their members are people's affair."""
    held = {g["name"]: int(g["id"]) for g in run.list("/api/permissions/group")}
    run.groups[ALL_USERS] = held.get(ALL_USERS, 1)
    for name in dict.fromkeys(run.config.groups.values()):
        if name in held:
            run.groups[name] = held[name]
        elif run.change("create", "group", name):
            run.groups[name] = int(run.client.post("/api/permissions/group", {"name": name})["id"])


def lock_data(run: Run) -> None:
    """Take the new database from All Users, before anything else is made."""
    everyone = {str(run.database): {"view-data": "unrestricted", "create-queries": "no"}}
    run.put_graph("/api/permissions/graph", {"1": everyone})


def data(run: Run) -> None:
    """What each group may do with the database itself: nothing but what saved questions show, or the query builder."""
    explorers = {run.config.groups[key] for key in run.config.explorers if key in run.config.groups}
    held = run.client.get("/api/permissions/graph")["groups"] if run.live and run.database is not None else {}
    wanted: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys([ALL_USERS, *run.config.groups.values()]):
        asked = "query-builder" if name in explorers else "no"
        group = run.groups.get(name)
        has = _queries(held.get(str(group), {}).get(str(run.database), {}).get("create-queries"))
        if has != asked and run.change("update", "data permissions", name, [f"create-queries: {has!r} -> {asked!r}"]):
            wanted[str(group)] = {str(run.database): {"view-data": "unrestricted", "create-queries": asked}}
    if wanted:
        run.put_graph("/api/permissions/graph", wanted)


def _queries(value: Any) -> str:
    """`create-queries` is a word, or a map of schemas to words; absent means no."""
    if isinstance(value, dict):
        words = {_queries(v) for v in value.values()}
        return words.pop() if len(words) == 1 else "mixed"
    return str(value or "no")


def collections(run: Run) -> None:
    """Each dashboard's collection is read by its audiences and by nobody else of ours; the whole suite's by all of them."""
    held = run.client.get("/api/collection/graph")["groups"] if run.live else {}
    wanted: dict[str, dict[str, Any]] = {}
    for collection in run.desired.collections:
        readers = {run.config.groups[key] for key in collection.readers}
        place = run.collections.get(collection.key)
        for name in dict.fromkeys([ALL_USERS, *run.config.groups.values()]):
            asked = "read" if name in readers else "none"
            group = run.groups.get(name)
            has = held.get(str(group), {}).get(str(place)) or "none"
            if has == asked:
                continue
            if run.change("update", "collection permissions", f"{collection.name}, {name}", [f"{has} -> {asked}"]) and group and place:
                wanted.setdefault(str(group), {})[str(place)] = asked
    if wanted:
        run.put_graph("/api/collection/graph", wanted)
