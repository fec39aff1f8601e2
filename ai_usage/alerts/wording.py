"""Figures as people write them, and the message in three forms: plain text, Markdown for chats, HTML for e-mail.

Belongs here: words. Does not belong here: what is told to whom, and sending it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from ai_usage.alerts.conditions import Cause
from ai_usage.alerts.config import Alert, Config
from ai_usage.alerts.plan import Due
from ai_usage.guards.outside import chat, line, unlinked

CENT = Decimal("0.01")
AT_MOST = 12  # causes that one message spells out; the others are counted
TOLD = {"open": "New", "worse": "Worse", "still": "Still open", "resolved": "Resolved"}
MINUS = "\u2212"


@dataclass(frozen=True)
class Message:
    """One message for one destination."""

    subject: str
    text: str
    markdown: str
    html: str


def money(value: Decimal | None) -> str:
    """`$1,234.50`; half a cent is rounded away from zero, and money that is less than a cent is said to be so."""
    if value is None:
        return "unknown"
    sign = MINUS if value < 0 else ""
    if value and abs(value) < CENT:
        return f"{sign}less than $0.01"
    return f"{sign}${abs(value).quantize(CENT, ROUND_HALF_UP):,}"


def percent(value: Decimal | None) -> str:
    """A share as a percentage with at most one decimal: `7.3 %`; small ones keep it, so that 5.04 % is not said to be more than 5 %."""
    if value is None:
        return "unknown"
    whole = abs(value) * 100
    places = Decimal("1") if whole >= 100 else Decimal("0.1")
    if value and whole < Decimal("0.1"):
        return "less than 0.1 %"
    shown = f"{whole.quantize(places, ROUND_HALF_UP):,f}"
    return f"{MINUS if value < 0 else ''}{shown.removesuffix('.0')} %"


def quantity(value: Decimal | None, unit: str | None) -> str:
    """A figure with its unit."""
    if value is None:
        return "unknown"
    if unit == "USD":
        return money(value)
    if unit == "share":
        return percent(value)
    number = f"{value.normalize():,f}"
    return f"{number} {(unit or '').removesuffix('s') if value == 1 else unit or ''}".rstrip()


def day(value: date | None) -> str:
    """`20 November 2026`."""
    return "an unknown day" if value is None else f"{value.day} {value:%B %Y}"


def days(first: date | None, last: date | None) -> str:
    """`20 November 2026`, or `18 to 20 November 2026`."""
    if first is None or last is None or first == last:
        return day(last if first is None else first)
    if first.year != last.year:
        return f"{day(first)} to {day(last)}"
    return f"{first.day} to {day(last)}" if first.month == last.month else f"{first.day} {first:%B} to {day(last)}"


def words(alert: Alert, cause: Cause) -> dict[str, str | None]:
    """The texts that the log keeps of a cause: `headline` and `moved_by`."""
    change = None if cause.figure is None or cause.usual is None else cause.figure - cause.usual
    ratio = None if cause.figure is None or not cause.usual else cause.figure / cause.usual
    headline = alert.headline.format(
        subject=line(cause.subject), figure=quantity(cause.figure, cause.unit), usual=quantity(cause.usual, cause.unit), more=quantity(change, cause.unit),
        percent_more=percent(None if ratio is None else ratio - 1), percent_of=percent(ratio), days=days(cause.first_day, cause.last_day),
        last_day=day(cause.last_day), month=f"{cause.first_day:%B %Y}" if cause.first_day else "the month",
    )  # fmt: skip
    moved = "\n".join(line(m.name) if m.figure is None else f"{line(m.name)}: {quantity(m.figure, m.unit)}" for m in cause.movers)
    return {"headline": headline[:1].upper() + headline[1:], "moved_by": moved or None}


def message(config: Config, items: Sequence[Due], base_url: str | None, now: datetime, lead: str | None = None) -> Message:
    """One message for all that is due: one cause is told by itself, several as a digest, which `lead` opens: what the month comes to."""
    shown = [_shown(config.alerts[item.event.alert], item, base_url) for item in items[:AT_MOST]]
    new = sum(item.told != "resolved" for item in items)
    if len(items) == 1:
        subject = f"{'Resolved: ' if items[0].told == 'resolved' else ''}{shown[0]['title']}: {shown[0]['subject']}"
    else:
        over = len(items) - new
        parts = [f"{new} alert{'s' if new > 1 else ''}"] * bool(new) + [f"{over} resolved"] * bool(over)
        subject = f"AI usage: {', '.join(parts)}"
    given = {
        "subject": subject, "items": shown, "left": len(items) - len(shown), "left_titles": _counted(config, items[AT_MOST:]),
        "at": f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC", "url": _url(base_url, "data_trust"),
        "lead": line(lead) if lead and len(items) > 1 else None,
    }  # fmt: skip
    render = _templates()
    return Message(subject, *(render.get_template(f"message.{kind}.j2").render(given) for kind in ("txt", "md", "html")))


def test_message(audience: str, base_url: str | None, now: datetime) -> Message:
    """What `ai-usage alerts --test` sends."""
    given = {"audience": audience, "at": f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC", "url": _url(base_url, "data_trust")}
    subject = f"AI usage: test message for {audience}"
    text = f"This is a test. Alerts for the audience {audience} arrive here.\nSent {given['at']} by ai-usage alerts --test."
    page = _templates().get_template("message.html.j2").render(
        {"subject": subject, "items": [], "left": 0, "left_titles": "", "lead": text.splitlines()[0], **given}
    )  # fmt: skip
    return Message(subject, text, text, page)


def _shown(alert: Alert, item: Due, base_url: str | None) -> dict[str, Any]:
    event = item.event
    is_over = item.told == "resolved"
    since = f"since {day(event.since)}" if event.since else ""
    return {
        "told": TOLD[item.told], "kind": "resolved" if is_over else event.severity, "title": alert.title, "subject": _told(event.subject),
        "headline": _told(event.headline), "figure": None if event.figure is None else quantity(event.figure, event.unit), "usual": quantity(event.usual, event.unit),
        "usual_label": {"budget": "Budget", "invoice_difference": "Expected"}.get(alert.name, "Allowed" if event.unit in ("share", "hours") else "Usual"),
        "reason": None if is_over or event.likely_reason is None else _told(event.likely_reason),
        "movers": [] if is_over else [_told(mover) for mover in (event.moved_by or "").split("\n") if mover],
        "since": since, "link": _url(base_url, alert.dashboard), "is_over": is_over,
    }  # fmt: skip


def _told(text: str) -> str:
    """One line in which nothing is a link: what the log keeps may be of before that was so."""
    return unlinked(line(text))


def _counted(config: Config, items: Sequence[Due]) -> str:
    titles: dict[str, int] = {}
    for item in items:
        title = config.alerts[item.event.alert].title
        titles[title] = titles.get(title, 0) + 1
    return ", ".join(f"{title} ({n})" for title, n in titles.items())


def _url(base: str | None, dashboard: str) -> str | None:
    """Where the reader may look: the page of the report. `{dashboard}` in the setting is replaced; else it is the page's fragment."""
    if not base:
        return None
    return base.replace("{dashboard}", dashboard) if "{dashboard}" in base else f"{base.partition('#')[0]}#{dashboard}"


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    folder = Path(__file__).with_name("templates")
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=jinja2.select_autoescape(["html.j2"], default=False), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    found.filters["chat"] = chat
    return found


def labelled(found: Sequence[Cause], config: Config) -> dict[tuple[str, str], Mapping[str, Any]]:
    """`words` of every cause, by its key."""
    return {cause.key: words(config.alerts[cause.alert], cause) for cause in found}
