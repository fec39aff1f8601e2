"""What Metabase does by itself: subscriptions, alerts, marks on time axes, the cache.

Belongs here: how each is found again, compared, written. A mail to a channel that is not set up is accepted and never sent, so that is
reported. Updates send the ids of the parts that are there, since Metabase deletes and recreates parts with other ids.
"""

from __future__ import annotations

from typing import Any

from ai_usage.dashboards.metabase.desired import Mail
from ai_usage.dashboards.metabase.identity import mark_of, marked
from ai_usage.dashboards.metabase.payloads import difference
from ai_usage.dashboards.metabase.run import Run

PREFIX = "[ai-usage] "
EVENTS = "events"


def subscriptions(run: Run) -> None:
    """A dashboard by e-mail. Found by its name, which bears our prefix, on our dashboard."""
    mails = [m for m in run.desired.mails if m.card is None]
    _warn_without_mail(run)
    for key, dashboard in run.dashboards.items():
        wanted = {PREFIX + m.title: m for m in mails if m.dashboard == key}
        held: dict[str, dict[str, Any]] = {}
        for pulse in run.list("/api/pulse", dashboard_id=dashboard):
            if pulse.get("dashboard_id") == dashboard and str(pulse["name"]).startswith(PREFIX) and not pulse.get("archived"):
                held.setdefault(pulse["name"], pulse)
        tiles = run.client.get(f"/api/dashboard/{dashboard}").get("dashcards") or []
        for name, mail in wanted.items():
            body = _pulse(name, mail, dashboard, run.collections.get(key), tiles)
            there = held.pop(name, None)
            if there is None:
                if run.change("create", "subscription", mail.title):
                    run.client.post("/api/pulse", body)
                continue
            fields = difference(_comparable_pulse(body), _comparable_pulse(there))
            if fields and run.change("update", "subscription", mail.title, fields):
                channels = [{**_first(there.get("channels"), "channel_type", c["channel_type"]), **c} for c in body["channels"]]
                keep = {k: there[k] for k in ("parameters", "collection_id") if there.get(k) is not None}
                run.client.put(f"/api/pulse/{there['id']}", {**keep, **body, "channels": channels, "archived": bool(there.get("archived"))})
        for name, there in held.items():
            if run.change("archive", "subscription", name.removeprefix(PREFIX)):
                body = {k: there.get(k) for k in ("name", "cards", "channels", "collection_id", "parameters")}
                run.client.put(f"/api/pulse/{there['id']}", {**body, "skip_if_empty": bool(there.get("skip_if_empty")), "archived": True})
    for mail in mails:
        if mail.dashboard not in run.dashboards:
            run.change("create", "subscription", mail.title)


def _warn_without_mail(run: Run) -> None:
    if run.live and run.desired.mails and not run.client.get("/api/setting/email-configured%3F"):
        run.notes.append(
            f"Metabase has no e-mail server, so its {len(run.desired.mails)} subscriptions and alerts are stored and never sent; "
            "set MB_EMAIL_SMTP_HOST and its companions on Metabase."
        )


def _first(parts: list[dict[str, Any]] | None, key: str, value: Any) -> dict[str, Any]:
    """The id of the part that is there, so that an update changes it instead of replacing it."""
    found = next((p for p in parts or [] if p.get(key) == value), {})
    return {"id": found["id"]} if "id" in found else {}


def _pulse(name: str, mail: Mail, dashboard: int, collection: int | None, tiles: list[dict[str, Any]]) -> dict[str, Any]:
    frame = {"daily": {}, "weekly": {"schedule_day": "mon"}, "monthly": {"schedule_frame": "first"}}[mail.schedule]
    cards = sorted((t for t in tiles if t.get("card_id")), key=lambda t: (t["row"], t["col"]))
    return {
        "name": name, "dashboard_id": dashboard, "collection_id": collection, "skip_if_empty": False,
        "cards": [
            {"id": t["card_id"], "dashboard_card_id": t["id"], "include_csv": False, "include_xls": False} for t in cards
        ],
        "channels": [
            {
                "channel_type": "email", "enabled": True, "schedule_type": mail.schedule, "schedule_hour": mail.hour, **frame,
                "recipients": [{"email": e} for e in mail.recipients],
            }
        ],
    }  # fmt: skip


def _comparable_pulse(pulse: dict[str, Any]) -> dict[str, Any]:
    keys = ("channel_type", "enabled", "schedule_type", "schedule_hour", "schedule_day", "schedule_frame")
    return {
        "cards": sorted((c.get("id"), c.get("dashboard_card_id")) for c in pulse.get("cards") or []),
        "channels": [
            {**{k: c.get(k) for k in keys}, "recipients": sorted(str(r.get("email")).lower() for r in c.get("recipients") or [])}
            for c in pulse.get("channels") or []
        ],
        "skip_if_empty": bool(pulse.get("skip_if_empty")),
    }


def alerts(run: Run) -> None:
    """A notification on each alert card, sent when the card has rows. Other people's alerts on the card stay."""
    for mail in run.desired.mails:
        if mail.card is None:
            continue
        card = run.cards.get(mail.card)
        if card is None:
            run.change("create", "alert", mail.title)
            continue
        body = _notification(mail, card)
        there = run.list("/api/notification", card_id=card, payload_type="notification/card")
        same = [n for n in there if _comparable_notification(n) == _comparable_notification(body)]
        ours = next((n for n in there if n.get("creator_id") == run.me), None)
        if same:
            continue
        if ours is None:
            if run.change("create", "alert", mail.title):
                run.client.post("/api/notification", body)
            continue
        fields = difference(_comparable_notification(body), _comparable_notification(ours))
        if run.change("update", "alert", mail.title, fields):
            run.client.put(f"/api/notification/{ours['id']}", _merged(body, ours))


def _merged(body: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """The update with the ids of the parts that are there."""
    made = {**body, "id": held["id"], "active": True, "creator_id": held.get("creator_id")}
    made["payload"] = {**{k: v for k, v in (held.get("payload") or {}).items() if k in ("id",)}, **body["payload"]}
    made["subscriptions"] = [{**_first(held.get("subscriptions"), "type", s["type"]), **s} for s in body["subscriptions"]]
    made["handlers"] = [{**_first(held.get("handlers"), "channel_type", h["channel_type"]), **h} for h in body["handlers"]]
    return made


def _notification(mail: Mail, card: int) -> dict[str, Any]:
    recipients = [{"type": "notification-recipient/raw-value", "details": {"value": e}} for e in mail.recipients]
    return {
        "payload_type": "notification/card",
        "payload": {"card_id": card, "send_condition": "has_result", "send_once": False},
        "subscriptions": [{"type": "notification-subscription/cron", "cron_schedule": f"0 0 {mail.hour} * * ? *"}],
        "handlers": [{"channel_type": "channel/email", "recipients": recipients}],
    }


def _comparable_notification(notification: dict[str, Any]) -> dict[str, Any]:
    payload = notification.get("payload") or {}
    return {
        "payload": {k: payload.get(k) for k in ("card_id", "send_condition", "send_once")},
        "active": notification.get("active", True),
        "schedules": sorted(str(s.get("cron_schedule")) for s in notification.get("subscriptions") or []),
        "recipients": sorted(
            f"{h.get('channel_type')} {str((r.get('details') or {}).get('value')).lower()}"
            for h in notification.get("handlers") or []
            for r in h.get("recipients") or []
        ),
    }


def timelines(run: Run) -> None:
    """One timeline in each collection that has events: Metabase shows a timeline's marks on the questions beside it."""
    wanted: dict[str, list[Any]] = {}
    for event in run.desired.suite.events:
        for dashboard in event.dashboards:
            wanted.setdefault(dashboard, []).append(event)
    held = {t["collection_id"]: t for t in reversed(run.list("/api/timeline", include="events")) if mark_of(t.get("description"))}
    names = {c.key: c.name for c in run.desired.collections}
    for key, place in {**dict.fromkeys(wanted), **run.collections}.items():
        if key not in wanted and place not in held:
            continue
        there = held.get(place) if place is not None else None
        name = f"Events of {names[key]}"
        body = {
            "name": name,
            "description": marked("Price changes, contracts and the like.", f"{key}/{EVENTS}"),
            "icon": "star",
            "collection_id": place,
        }
        if there is None:
            if not run.change("create", "timeline", name):
                continue
            there = run.client.post("/api/timeline", body)
        _events(run, key, int(there["id"]), wanted.get(key, []), there.get("events") or [])


def _events(run: Run, key: str, timeline: int, wanted: list[Any], held: list[dict[str, Any]]) -> None:
    by_key = {mark: e for e in held if (mark := mark_of(e.get("description"))) and not e.get("archived")}
    for event in wanted:
        mark = f"{key}/{EVENTS}/{event.key}"
        body = {
            "name": event.title, "description": marked(event.description, mark), "timestamp": f"{event.date.isoformat()}T00:00:00Z",
            "timezone": "UTC", "time_matters": False, "icon": "star", "timeline_id": timeline,
        }  # fmt: skip
        there = by_key.pop(mark, None)
        if there is None:
            if run.change("create", "event", event.title):
                run.client.post("/api/timeline-event", body)
            continue
        seen = {"name": there.get("name"), "description": there.get("description"), "day": str(there.get("timestamp"))[:10]}
        fields = difference({"name": body["name"], "description": body["description"], "day": event.date.isoformat()}, seen)
        if fields and run.change("update", "event", event.title, fields):
            run.client.put(f"/api/timeline-event/{there['id']}", body)
    for mark, there in by_key.items():
        if run.change("archive", "event", f"{there.get('name')} ({mark})"):
            run.client.put(f"/api/timeline-event/{there['id']}", {"archived": True})


def cache(run: Run) -> None:
    """How long answers are kept, for the whole instance: the open-source edition knows no other scope."""
    wanted = run.desired.suite.cache
    if wanted is None or not run.config.dedicated:
        return
    strategy = {"type": "ttl", "multiplier": wanted.multiplier, "min_duration_ms": wanted.min_duration_ms}
    held = next((c.get("strategy") or {} for c in run.list("/api/cache", model="root") if c.get("model") == "root"), {})
    fields = difference(strategy, held)
    if fields and run.change("update", "cache", "of the instance", fields):
        run.client.put("/api/cache", {"model": "root", "model_id": 0, "strategy": strategy})
