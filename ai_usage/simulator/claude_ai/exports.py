"""The two CSV files that claude.ai's console exports, written from the books.

Belongs here: the audit log and the spend report as the vendor writes them, and what was spent beyond the seats.
Does not belong here: conversations and messages of a day (world.py), how the files are read.

The audit log agrees with `world.claude_ai_usage` on conversations, projects and files, and says nothing of messages. Its dict columns are
Python literals. The spend report sums over its range and has no days; the books (`Books.claude_ai_spend_usd_by_day_user`) have.
"""

from __future__ import annotations

import csv
import io
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ..numbers import plain
from ..subscriptions import days

if TYPE_CHECKING:
    from ..world import World

AUDIT_HEADER = (
    "created_at", "actor_info", "event", "event_info", "entity_info", "ip_address", "device_id", "user_agent", "client_platform",
)  # fmt: skip
SPEND_HEADER = (
    "email", "account_uuid", "product", "model", "model_family", "total_requests", "total_prompt_tokens", "total_completion_tokens",
    "total_net_spend_usd", "total_gross_spend_usd",
)  # fmt: skip
_CLIENTS = ("web_claude_ai", "desktop_app", "ios", "android")
# Product, model, family, nano-USD a prompt token and a completion token.
_PRODUCTS = (
    ("Chat", "claude-sonnet-5", "Sonnet", 3_000, 15_000),
    ("Chat", "claude-opus-5", "Opus", 5_000, 25_000),
    ("Claude Code", "claude-opus-5", "Opus", 5_000, 25_000),
)
_LATE = timedelta(hours=23, minutes=59)


class Spend(NamedTuple):
    """What one person spent beyond the seat on one day with one product and model; money in nano-USD."""

    requests: int
    prompt: int
    completion: int
    net: int
    gross: int


def usd(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)


def spend(world: World) -> dict[tuple[date, str, int], Spend]:
    """By (day, e-mail, place in the list of products): the books of overage."""
    found = {}
    for day, email in world.claude_ai_usage:
        rng = random.Random(f"claude_ai_spend/{world.seed}/{day}/{email}")
        for place, (_, _, _, each_prompt, each_completion) in enumerate(_PRODUCTS):
            if rng.random() < 0.75:
                continue
            requests = 1 + int(rng.random() * 40)
            prompt, completion = requests * (200 + int(rng.random() * 9000)), requests * (50 + int(rng.random() * 900))
            gross = prompt * each_prompt + completion * each_completion
            found[day, email, place] = Spend(requests, prompt, completion, gross * 9 // 10, gross)
    return found


def spend_report(world: World, first: date, last: date) -> str:
    """The export of that range: one row a person, product and model, summed."""
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * 5)
    for (day, email, place), one in world.claude_ai_spend.items():
        if first <= day <= last:
            sums[email, place] = [a + b for a, b in zip(sums[email, place], one, strict=True)]
    rows = []
    for (email, place), (requests, prompt, completion, net, gross) in sorted(sums.items()):
        product, model, family, _, _ = _PRODUCTS[place]
        rows.append(
            (email, _uuid("person", email), product, model, family, requests, prompt, completion, plain(usd(net)), plain(usd(gross)))
        )
    return _csv(SPEND_HEADER, rows)


def audit_log(world: World, begin: datetime, end: datetime) -> str:
    """The export of the events from `begin` to before `end`, the newest first."""
    found = [
        event
        for day in days(begin.astimezone(UTC).date(), end.astimezone(UTC).date())
        for event in _events(world, day)
        if begin <= event[0] < end
    ]
    found.sort(key=lambda event: (event[0], repr(event)), reverse=True)
    return _csv(AUDIT_HEADER, [(f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00", *rest) for at, *rest in found])


def _events(world: World, day: date) -> Iterator[tuple[Any, ...]]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)

    def row(rng: random.Random, actor: dict[str, Any], event: str, entity: dict[str, Any], info: dict[str, Any], client: str):
        at = midnight + timedelta(microseconds=int(rng.random() * _LATE / timedelta(microseconds=1)))
        address = f"192.0.2.{int(rng.random() * 250) + 1}"
        return at, repr(actor), event, repr(info), repr(entity), address, "", "Mozilla/5.0 (simulated)", client

    for person in world.cast.people:
        counts = world.claude_ai_usage.get((day, person.email))
        if counts is None:
            continue
        rng = random.Random(f"claude_ai_log/{world.seed}/{day}/{person.email}")
        client = _CLIENTS[person.index % len(_CLIENTS)]
        written = person.email.capitalize() if person.index % 2 else person.email  # the log keeps the letters that were typed
        actor = {
            "name": f'{person.first} "{person.last}" O\'Neil',
            "uuid": _uuid("person", person.email),
            "metadata": {"email_address": written},
        }
        yield row(rng, actor, "user_signed_in_sso", {}, {"mfa": True}, client)

        def entity(kind: str, n: int, project: str | None = None, day: date = day, email: str = person.email) -> dict[str, Any]:
            return {
                "type": kind,
                "uuid": _uuid(kind, email, str(day), str(n)),
                "name": None,
                "metadata": {"project_uuid": project} if project else {},
            }

        for n in range(counts["projects"]):
            yield row(rng, actor, "project_created", entity("project", n), {}, client)
        for n in range(counts["conversations"]):
            project = entity("project", n)["uuid"] if n < counts["projects"] else None
            yield row(rng, actor, "conversation_created", entity("chat_conversation", n, project), {}, client)
            if rng.random() < 0.3:  # the same conversation again: no second one
                yield row(rng, actor, "conversation_renamed", entity("chat_conversation", n, project), {}, client)
        for n in range(counts["files"]):
            yield row(rng, actor, "file_uploaded", entity("file", n), {"file_kind": "document"}, client)
        if rng.random() < 0.2:  # one of another day: tidying up is no use
            yield row(rng, actor, "conversation_deleted", entity("chat_conversation", 10_000), {}, client)
    rng = random.Random(f"claude_ai_log/{world.seed}/{day}")
    if rng.random() < 0.5:
        yield row(rng, {}, "sso_login_failed", {}, {}, "")


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))


def _csv(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()
