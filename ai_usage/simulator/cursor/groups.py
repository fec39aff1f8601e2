"""Cursor's billing groups: departments as the vendor knows them.

Belongs here: GET /teams/groups and /teams/groups/:id; spendCents is on-demand spend of the cycle, as in
the examples.
Does not belong here: authentication (cursor.py). The service account is no member, hence in no group.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from ..cast import Account
from ..numbers import cents
from ..subscriptions import days, next_month

UNASSIGNED = "Unassigned"
_CREATED, _UPDATED = "2026-01-15T10:30:00.000Z", "2026-01-20T14:22:00.000Z"


def _spending(world, cycle: date) -> dict[str, dict[Account, dict[date, int]]]:
    """Micro-cents by group, member and day; every member appears in a group of the cycle."""
    last = min(date.fromordinal(next_month(cycle).toordinal() - 1), world.last_day)
    accounts = {a.user_id: a for a in world.cast.accounts}
    found: dict[str, dict[Account, dict[date, int]]] = defaultdict(lambda: defaultdict(dict))
    for account in accounts.values():
        found[_group(world, account, last)][account] = {}
    for day in days(max(cycle, world.first_day), last):
        for user_id, part in world.ledger(day).accounts.items():
            if part.charged:
                account = accounts[user_id]
                found[_group(world, account, day)][account][day] = part.charged
    return found


def _group(world, account: Account, day: date) -> str:
    row = world.cast.assignment_on(account.email, day)
    return row.department if row else UNASSIGNED


def _member(world, account: Account, spent: dict[date, int], left: str | None, daily: bool) -> dict:
    row = {
        "userId": account.user_id,
        "name": account.name,
        "email": account.email,
        "joinedAt": _CREATED,
        "leftAt": left,
        "spendCents": cents(sum(spent.values())),
    }
    return row | {"dailySpend": _daily(spent)} if daily else row


def _daily(spent: dict[date, int]) -> list[dict[str, Any]]:
    return [{"date": str(day), "spendCents": cents(micro)} for day, micro in sorted(spent.items())]


def _render(world, cycle: date, name: str, members: dict[Account, dict[date, int]], daily: bool) -> dict[str, Any]:
    today = min(date.fromordinal(next_month(cycle).toordinal() - 1), world.last_day)
    current: list[dict] = []
    former: list[dict] = []
    total: dict[date, int] = defaultdict(int)
    for account, spent in members.items():
        left = None
        if account.removed:
            left = f"{cycle.replace(day=6)}T17:00:00.000Z"
        elif _group(world, account, today) != name:
            left = f"{world.cast.moved_on}T00:00:00.000Z"
        row = _member(world, account, spent, left, daily)
        (current if left is None else former).append(row)
        for day, micro in spent.items():
            total[day] += micro
    return {
        "id": "group_unassigned" if name == UNASSIGNED else f"group_{name}Example",
        "name": name,
        "type": "BILLING",
        "directoryGroupId": None,
        "memberCount": len(current),
        "createdAt": _CREATED,
        "updatedAt": _UPDATED,
        "spendCents": cents(sum(total.values())),
        "currentMembers": current,
        "formerMembers": former,
        "dailySpend": _daily(total),
    }


def _cycle(cycle: date) -> dict[str, str]:
    return {"cycleStart": f"{cycle}T00:00:00.000Z", "cycleEnd": f"{next_month(cycle)}T00:00:00.000Z"}


def groups_answer(world, cycle: date) -> dict[str, Any]:
    found = _spending(world, cycle)
    names = sorted(name for name in found if name != UNASSIGNED)
    return {
        "groups": [_render(world, cycle, name, found[name], False) for name in names],
        "unassignedGroup": _render(world, cycle, UNASSIGNED, found.get(UNASSIGNED, {}), False),
        "billingCycle": _cycle(cycle),
    }


def group_answer(world, cycle: date, group_id: str) -> dict[str, Any] | None:
    for name, members in _spending(world, cycle).items():
        group = _render(world, cycle, name, members, True)
        if group["id"] == group_id:
            return {"group": group, "billingCycle": _cycle(cycle)}
    return None
