"""The connection, waiting for its tables and columns, and what Metabase knows of them.

Belongs here: the database, sync, field ids, descriptions. A secret reads back as a mask: it is never compared, the mask never sent.
Field ids differ from instance to instance and are looked up each time.
"""

from __future__ import annotations

import time
from typing import Any

from ai_usage.dashboards.metabase.access import ALL_USERS, lock_data
from ai_usage.dashboards.metabase.config import SECRETS
from ai_usage.dashboards.metabase.errors import MetabaseError
from ai_usage.dashboards.metabase.payloads import difference
from ai_usage.dashboards.metabase.run import Run


def connect(run: Run) -> None:
    """The database by its name and engine, made or corrected, then every wanted column's field id."""
    wanted = run.config.database
    same = [d for d in run.list("/api/database") if d["name"] == wanted.name and d["engine"] == wanted.engine]
    body = {"name": wanted.name, "engine": wanted.engine, "details": wanted.details}
    if not same:
        made = run.change("create", "database", f"{wanted.name} ({wanted.engine})")
        run.change("update", "data permissions", ALL_USERS, ["create-queries -> 'no'"])
        if made:
            run.database = int(run.client.post("/api/database", body)["id"])
            lock_data(run)
            _sync(run)
        return
    run.database = min(int(d["id"]) for d in same)
    held = run.client.get(f"/api/database/{run.database}").get("details") or {}
    open_keys = {k: v for k, v in wanted.details.items() if k not in SECRETS}
    fields = difference(open_keys, held)
    if run.send_secrets:
        fields.append("the secret is sent again")
    if fields and run.change("update", "database", wanted.name, fields):
        run.client.put(f"/api/database/{run.database}", body)
    _sync(run)


def _sync(run: Run) -> None:
    """Field ids of every wanted column. Sync runs in Metabase's background, so what is missing is waited for, by name."""
    wanted = run.desired.columns()
    missing = _read(run, wanted)
    if missing and run.write:
        run.client.post(f"/api/database/{run.database}/sync_schema")
        deadline = time.monotonic() + run.config.patience_s
        pause = 0.05
        while missing and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, 3.0)
            missing = _read(run, wanted)
    if missing:
        named = ", ".join(f"{t}.{c}" for t, c in sorted(missing)[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        if run.write:
            raise MetabaseError(
                f"Metabase has not found {named} in schema {run.config.database.schema} after {run.config.patience_s:.0f} s; "
                "are the marts there, and may its user read them? Then run apply again."
            )
        run.notes.append(f"Metabase has not read {named} yet; apply asks it to and waits.")


def _read(run: Run, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    schema = run.config.database.schema
    for table in run.client.get(f"/api/database/{run.database}/metadata").get("tables") or []:
        if table.get("schema") in (schema, None, ""):
            for field in table.get("fields") or []:
                run.fields[table["name"], field["name"]] = int(field["id"])
    return wanted - run.fields.keys()


def describe(run: Run) -> None:
    """Descriptions, semantic types and dropdowns, from `ai_usage/tables`."""
    if run.database is None:
        run.change("create", "metadata", f"of {len(run.desired.tables)} tables and {len(run.desired.fields)} columns")
        return
    found = run.client.get(f"/api/database/{run.database}/metadata").get("tables") or []
    held = {t["name"]: t for t in found if t.get("schema") in (run.config.database.schema, None, "")}
    rescan = False
    for name, wanted in run.desired.tables.items():
        if name in held and (fields := difference(wanted, held[name])) and run.change("update", "table", name, _names(fields)):
            run.client.put(f"/api/table/{held[name]['id']}", wanted)
    for wish in run.desired.fields:
        field = next((f for f in held.get(wish.table, {}).get("fields") or [] if f["name"] == wish.column), None)
        fields = _field_difference(wish.wanted, field) if field else []
        if field and fields and run.change("update", "field", f"{wish.table}.{wish.column}", _names(fields)):
            run.client.put(f"/api/field/{field['id']}", {**wish.wanted, **_settings(wish.wanted, field)})
            rescan = rescan or "has_field_values" in wish.wanted
    if rescan:
        run.client.post(f"/api/database/{run.database}/rescan_values")


def _settings(wanted: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """Our settings of a field laid over those that somebody else made."""
    return {"settings": {**(held.get("settings") or {}), **wanted["settings"]}} if "settings" in wanted else {}


def _field_difference(wanted: dict[str, Any], held: dict[str, Any]) -> list[str]:
    seen = {k: held.get(k) for k in wanted}
    if "settings" in wanted:
        seen["settings"] = {k: (held.get("settings") or {}).get(k) for k in wanted["settings"]}
    return difference(wanted, seen)


def _names(fields: list[str]) -> list[str]:
    """Descriptions are long: the name of what differs is enough."""
    return [f.split(":")[0] if f.startswith("description") else f for f in fields]
