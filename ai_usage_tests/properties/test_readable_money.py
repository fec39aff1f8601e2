"""One field of a record says something odd, whichever field, whoever's record: what can be read of its money counts.

Belongs here: law 5 over every endpoint that bills, at the decoder. Does not belong here: that facts hold the same money (`test_cursor_billing.py`),
answers that are no records (`unit/test_odd_answers.py`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage.sources import registry
from ai_usage.sources.decode import Decoder
from ai_usage_tests.fixtures.desk import NOON, spooled

DAY, N = date(2026, 11, 10), Decimal
INSTANT = f"{DAY}T00:00:00Z"


class Bill(NamedTuple):
    """How one endpoint tells money. `decides` are the fields without which nobody can say how much was billed on which day in US dollars."""

    record: Callable[[Decimal], dict[str, Any]]
    decides: frozenset[str]
    per_usd: int = 100


def analytics(cents: Decimal) -> dict[str, Any]:
    group = {
        "model": "m",
        "token_type": "output_tokens",
        "cost_type": "tokens",
        "product": "chat",
        "actor": {"type": "user", "email_address": "ana@example.com"},
    }
    return {
        "starting_at": INSTANT,
        "group": group,
        "cost": {"amount": f"{cents:f}", "list_amount": "900", "currency": "USD", "requests": 3},
    }


ANALYTICS = Bill(analytics, frozenset({"starting_at", "cost.amount", "cost.currency"}))
BILLS = {
    "cursor filtered-usage-events": Bill(
        lambda cents: {
            "timestamp": "1794312000000", "userEmail": "ana@example.com", "serviceAccountId": "sa", "model": "m", "kind": "Usage-based", "maxMode": False,
            "isChargeable": True, "requestsCosts": 1.5, "chargedCents": float(cents), "cursorTokenFee": 0.5,
            "tokenUsage": {"inputTokens": 9, "outputTokens": 4, "totalCents": 7.5},
        },
        frozenset({"timestamp", "isChargeable", "chargedCents"}),
    ),
    "anthropic cost_report": Bill(
        lambda cents: {
            "starting_at": INSTANT, "amount": f"{cents:f}", "currency": "USD", "cost_type": "tokens", "description": "d", "model": "m",
            "token_type": "output_tokens", "service_tier": "standard", "context_window": "0-200k", "inference_geo": "us", "workspace_id": "w",
        },
        frozenset({"starting_at", "amount", "currency"}),
    ),
    "anthropic analytics/cost": ANALYTICS,
    "claude_enterprise analytics/cost": ANALYTICS,
    "claude_ai spend": Bill(
        lambda usd: {
            "period_start": str(DAY), "period_end": str(DAY), "email": "ana@example.com", "product": "Chat", "model": "m", "total_requests": "3",
            "total_prompt_tokens": "70", "total_net_spend_usd": f"{usd:f}", "total_gross_spend_usd": "900",
        },
        frozenset({"period_start", "period_end", "total_net_spend_usd"}),
        per_usd=1,
    ),
}  # fmt: skip
ODD = (None, "null", "n/a", "\ud83d", True, [], {"a": 1}, 1e30, "many", ...)  # ... is a field that is not there
CHARGEABLE = frozenset({"isChargeable"})
FIELDS = {name: sorted(_paths) for name, bill in BILLS.items() for _paths in [
    {f"{outer}.{inner}" for outer, value in bill.record(N(1)).items() if isinstance(value, dict) for inner in value}
    | {outer for outer, value in bill.record(N(1)).items() if not isinstance(value, dict)}
]}  # fmt: skip


def broken(record: dict[str, Any], path: str, odd: Any) -> dict[str, Any]:
    *outer, last = path.split(".")
    inside = record
    for name in outer:
        inside = inside[name]
    if odd is ...:
        del inside[last]
    else:
        inside[last] = odd
    return record


def hides(path: str, odd: Any, bill: Bill) -> bool:
    """Whether a person could not say what the record bills. An absent flag is false, and one that is true is the flag: so the money is known."""
    if path not in bill.decides:
        return False
    return not (path in CHARGEABLE and odd in (None, ..., True))


RECORDS = st.sampled_from(sorted(BILLS)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.lists(st.tuples(st.integers(-(10**6), 10**9), st.sampled_from(FIELDS[name]), st.sampled_from(ODD)), min_size=4, max_size=30),
    )
)


@settings(max_examples=8)
@example(
    (
        "claude_ai spend",
        [(100, "email", ...), (200, "total_requests", 1e30), (400, "total_net_spend_usd", "n/a"), (800, "period_start", "many")],
    )
)
@example(("cursor filtered-usage-events", [(100, "userEmail", True), (200, "isChargeable", ...), (400, "chargedCents", True)]))
@example(("cursor filtered-usage-events", [(-100, "isChargeable", ...), (200, "userEmail", ...), (-300, "model", None)]))
@given(RECORDS)
def test_what_can_be_read_of_the_money_counts(told: tuple[str, list[tuple[int, str, Any]]]) -> None:
    """Law 5: a record whose money, currency and day are readable counts, unattributed if need be, whatever else it lacks. One that hides them is rejected
    with its reason, and its day counts as read, with so many records of unknown money. None stops the rest."""
    name, records = told
    bill, endpoint = BILLS[name], next(e for (source, own), e in registry.ENDPOINTS.items() if f"{source} {own}" == name)
    sent, usd, hidden = [bill.record(N(1))], N(1) / bill.per_usd, 0
    for amount, path, odd in records:
        sent.append(broken(bill.record(N(amount) / 100), path, odd))
        if hides(path, odd, bill):
            hidden += 1
        elif not (path in CHARGEABLE and odd in (None, ...)):
            usd += N(amount) / 100 / bill.per_usd
        elif amount < 0:  # negative, and not billed: nobody knows what that is
            hidden += 1
    with tempfile.TemporaryDirectory() as folder, Decoder() as decoder:
        walk = spooled(Path(folder), endpoint, DAY, records=[json.dumps(r).encode() for r in sent])
        (day,) = decoder.load([walk])
        rows = decoder.rows({(str(walk.path), DAY): "f"}, NOON)
        rejects = decoder.rejects({(str(walk.path), DAY): "f"}, NOON).to_pylist()
    assert (day.vendor_total_usd, day.unknown_money) == (usd, hidden)
    assert rows.num_rows == len(sent) - hidden == day.rows
    assert all(r["reason"] and r["remedy"] and r["payload"] for r in rejects)
    assert len({r["record_number"] for r in rejects if not r["is_counted"]}) == hidden, (
        "each record that does not count is named with its line"
    )
