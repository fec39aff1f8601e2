"""The sentence that each dashboard opens with, in situations whose figures were worked out by hand.

Belongs here: `vw_headlines`, and where it is shown. Does not belong here: the forecast and the budgets themselves.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ai_usage.alerts import wording
from ai_usage.alerts.config import load_config
from ai_usage.alerts.plan import Due, Event
from ai_usage.dashboards import load_dashboards
from ai_usage.dashboards.metabase.desired import HEADLINE_SQL
from ai_usage_tests.fixtures.desk import NOON, Desk
from ai_usage_tests.unit.test_sql_marts import ANA, BEN, cost

D, N = date, Decimal
OCT, NOV = D(2026, 10, 1), D(2026, 11, 1)
EVER = {"valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)}


def said(desk: Desk, dashboard: str = "executive_summary") -> str:
    (row,) = desk.ask(HEADLINE_SQL.format(headlines="vw_headlines", dashboard=dashboard))
    return row["sentence"]


def planned(desk: Desk, usd: str, hour: int, **more: str) -> None:
    rows = [{"month": NOV, "budget_usd": N(usd)}, *({"month": NOV, "department": d, "budget_usd": N(b)} for d, b in more.items())]
    desk.tab("budgets", *rows, at=NOON + timedelta(hours=hour))


def spent(first: date, last: date, usd: str = "10", **more: object) -> list[dict]:
    return [cost(first + timedelta(n), usd, **more) for n in range((last - first).days + 1)]


def test_a_month_as_it_goes(desk: Desk) -> None:
    """Ana of Eng costs 10 a day on every day: October 310, and November will cost 300, whatever the weekday."""
    assert said(desk) == "No cost is on record yet: run ai-usage run, or ai-usage demo to see what it will look like."

    desk.lay("dim_user_assignments", {"email": ANA, "department": "Eng", **EVER}, {"email": BEN, "department": "Sales", **EVER})
    desk.lay("fct_cost_daily", *spent(OCT, D(2026, 10, 31)))
    assert said(desk) == "October 2026 cost $310, and no budget is set."

    desk.lay("fct_cost_daily", cost(NOV, "10"))
    assert said(desk) == "November 2026 ends near $300, $10 less than October, and no budget is set."

    # Ben's seats are no usage, and nothing is known of seats ahead: 50 more by the tenth. October's first ten days had none, and as much of Eng.
    desk.lay(
        "fct_cost_daily", *spent(D(2026, 11, 2), D(2026, 11, 10)), *spent(NOV, D(2026, 11, 10), "5", email=BEN, cost_type="subscription")
    )
    assert said(desk) == "November 2026 ends near $350, $40 more than October, and no budget is set; Sales grew most since October."
    assert said(desk, "platform_roi") == "Cursor costs most in November 2026 so far: $150 of $150."

    planned(desk, "300", 1)
    assert said(desk) == "November 2026 ends near $350, $50 over budget; Sales grew most since October."
    planned(desk, "300", 2, Eng="250", Sales="149.99")  # by pace Eng ends at 300 and Sales at 150
    assert said(desk) == "November 2026 ends near $350, $50 over budget; Eng and Sales are over their own."
    planned(desk, "349.60", 4)
    assert said(desk) == "November 2026 ends near $350, as its budget; Sales grew most since October."
    planned(desk, "4350", 5, Eng="250")
    assert said(desk) == "November 2026 ends near $350, $4,000 under budget; Eng is over its own."
    planned(desk, "4350", 6)

    desk.lay("fct_cost_daily", cost(D(2026, 11, 5), "-1001500", None, cost_type="credit", source="sheet_adjustments"))
    assert said(desk) == "November 2026 ends near -$1,001,150, $1,005,500 under budget."

    state = {"state": "late", "is_owed": True, "due_day": NOV, "judged_at": datetime(2026, 11, 30, tzinfo=UTC), "endpoint": "e"}
    state |= {"source": "cursor", "source_state": "late", "source_said": "Cursor: not read since 28 Nov (late)"}
    desk.lay("source_states", state, {**state, "source": "x", "is_owed": False, "source_said": "X: refused"})
    assert said(desk).endswith("$1,005,500 under budget. Cursor: not read since 28 Nov (late).")


def test_a_closed_month_and_who_used_it(desk: Desk) -> None:
    """October was closed at 310 with 0.40 that is no department's. Ana used it in both months, Ben and a service in October alone."""
    desk.lay("dim_user_assignments", {"email": ANA, "department": "Eng", **EVER})
    desk.lay("dim_users", {"email": "bot@example.com", "kind": "service"})
    rows = [*spent(OCT, D(2026, 10, 31)), cost(OCT, "0.40", None)]
    desk.lay("fct_cost_daily", *rows)
    kept = ("cost_date", "platform", "vendor", "user_email", "cost_type", "cost_usd", "attribution", "source")
    closed = [{n: r[n] for n in kept} | {"booked_on": r["cost_date"], "closing_id": "c"} for r in rows]
    desk.lay("closed_cost", *({**r, "department": "Eng" if r["user_email"] else None, "is_correction": False} for r in closed))
    desk.lay("month_closings", {"month": OCT, "action": "close", "closing_id": "c", "decided_at": NOON, "as_of": NOON})
    assert said(desk) == "October 2026 is closed at $310, and no budget is set."
    assert said(desk, "cost_allocation") == "Eng has the largest part of October 2026: $310 of $310; less than $1 is of no department."
    used = [(OCT, ANA), (OCT, BEN), (OCT, "bot@example.com"), (D(2026, 9, 30), ANA)]
    row = {"platform": "cursor", "source": "s", "requests": 1}
    desk.lay("fct_usage_daily", *({**row, "usage_date": day, "user_email": who} for day, who in used))
    assert said(desk, "team_productivity") == "2 people used AI tools in October 2026.", "September's cost is not on record"
    desk.lay("fct_cost_daily", cost(D(2026, 9, 1), "1"))
    assert said(desk, "productivity_analytics") == "2 people used AI tools in October 2026, 1 more than in September."


def test_every_dashboard_has_its_sentence(desk: Desk) -> None:
    found = {row["dashboard"] for row in desk.ask("SELECT dashboard FROM vw_headlines")}
    assert found == {dashboard.key for dashboard in load_dashboards()}


def test_a_digest_opens_with_it_and_a_single_alert_does_not() -> None:
    config = load_config()
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    name = next(iter(config.alerts))
    told = {"alert": name, "severity": "error", "subject": "s", "headline": "It is over.", "logged_at": at}
    item = Due("open", Event(**dict.fromkeys(Event.__dataclass_fields__) | told), False)
    lead = "November ends near $1, [x](https://x.example) over budget."
    digest = wording.message(config, [item, item], None, at, lead)
    assert digest.text.splitlines()[2] == lead
    assert digest.markdown.startswith("November ends near $1, (x)(https:")
    assert digest.html.index("November ends near") < digest.html.index("It is over.")
    assert "November ends" not in wording.message(config, [item], None, at, lead).text
