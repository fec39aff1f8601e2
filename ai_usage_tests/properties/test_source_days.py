"""A source's day that cannot be proved holds back no other source and no other day.

Belongs here: whichever of some sources' days fail, all others equal those of a run in which nothing did, and those that fail stand as they were. Does not
belong here: what can fail (`unit/test_sql_curated.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import chain, combinations, product

from ai_usage import transform
from ai_usage.defs.curated.assets import _cost_totals
from ai_usage.sources.endpoint import Window
from ai_usage_tests.fixtures.desk import NOON, Desk
from ai_usage_tests.proving import some

FIRST, LAST = date(2026, 11, 3), date(2026, 11, 4)
CLOCK = {"as_of_date": date(2026, 11, 22), "processed_at": NOON}
ANA = "ana@example.com"
# {source: (endpoint, name of its rows in the fact, platform, USD of a day)}
TOLD = {
    "anthropic": ("cost_report", "anthropic_cost_report", "claude_api", Decimal("2.50")),
    "claude_enterprise": ("analytics/cost", "claude_enterprise_cost", "claude_ai", Decimal("3.25")),
    "cursor": ("filtered-usage-events", "cursor_events", "cursor", Decimal("1.10")),
}
STOOD = Decimal("0.40")  # what an earlier run wrote of each source and day
PAIRS = list(product(TOLD, (FIRST, LAST)))
FAILING = some(
    [PAIRS[:1], PAIRS[1:4]],
    list(chain.from_iterable(combinations(PAIRS, n) for n in range(len(PAIRS) + 1))),
)


def lay(desk: Desk) -> None:
    """Each source tells one line of each day, and a sheet pays for a seat, which no vendor's total speaks of."""
    for day in (FIRST, LAST):
        usd = {source: told[3] for source, told in TOLD.items()}
        cost = {
            "amount_usd": usd["anthropic"],
            "currency": "USD",
            "model": "claude-sonnet-4-5",
            "cost_type": "tokens",
            "token_type": "output_tokens",
        }
        desk.fetch("anthropic", "cost_report", day, "raw_anthropic_cost", cost, vendor_total_usd=usd["anthropic"])
        line = {"actor_email": ANA, "product": "chat", "amount_usd": usd["claude_enterprise"], "currency": "USD"}
        desk.fetch(
            "claude_enterprise", "analytics/cost", day, "raw_claude_enterprise_cost", line, vendor_total_usd=usd["claude_enterprise"]
        )
        desk.events(day, {"charged_usd": usd["cursor"], "user_email": ANA}, vendor_total_usd=usd["cursor"])
    desk.tab("people", {"email": ANA, "department": "Research", "valid_from": date(2026, 1, 1)})


def test_whichever_source_days_fail_all_others_are_those_of_an_undisturbed_run(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    desk.keep_open()
    lay(desk)
    facts = "SELECT source, cost_date, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY source, cost_date"
    named = {told[1]: source for source, told in TOLD.items()}
    for failing in FAILING:
        desk.warehouse.execute("DELETE FROM fct_cost_daily WHERE TRUE")
        for source, (_, staged, platform, _usd) in TOLD.items():
            row = {
                "platform": platform,
                "vendor": "v",
                "cost_type": "usage",
                "attribution": "direct",
                "settle_state": "settled",
                "source": staged,
            }
            desk.lay("fct_cost_daily", *({**row, "cost_date": day, "cost_usd": STOOD} for day in (FIRST, LAST)))
        for source, day in PAIRS:
            off = Decimal("0.001") if (source, day) in failing else 0
            change = {"source": source, "endpoint": TOLD[source][0], "day": day, "usd": TOLD[source][3] + off}
            desk.warehouse.execute(
                "UPDATE raw_fetches SET vendor_total_usd = @usd WHERE source = @source AND endpoint = @endpoint AND usage_date = @day",
                change,
            )
        written = transform.write_days(desk.warehouse, "fct_cost_daily", FIRST, LAST, CLOCK)
        held = {(s, day) for one in written.held for s in one.sources for day in Window(one.first, one.last).days}
        assert {pair for pair in held if pair[0] != "claude_ai"} == set(failing), "claude.ai's own report is of Claude Enterprise's bill"
        found = {(named[row["source"]], row["cost_date"]): row["usd"] for row in desk.ask(facts)}
        assert found == {(s, day): STOOD if (s, day) in failing else TOLD[s][3] for s, day in PAIRS}
        told = {(r["source"], r["usage_date"]) for r in desk.ask("SELECT source, usage_date FROM held_back")}
        assert told == held
        sums = _cost_totals(desk, Window(FIRST, LAST), written)  # type: ignore[arg-type]
        proved = sum((TOLD[s][3] for s, day in PAIRS if (s, day) not in failing), Decimal(0))
        assert sums["staged_usd"] == sums["fact_usd"] == proved, "the check after the write compares what was written"
