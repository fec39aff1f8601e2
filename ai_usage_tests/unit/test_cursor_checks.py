"""What the checks of Cursor's tables say: the vendor's own running total beside the events, kinds that nobody knows, money that cannot be read."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from ai_usage.defs import sources
from ai_usage.defs.curated import assets as curated
from ai_usage.loading import Loader
from ai_usage.settings import Settings
from ai_usage.sources.anthropic.records import COST
from ai_usage.sources.cursor.checks import KINDS_KNOWN, SPEND_AGREES
from ai_usage.sources.cursor.records import EVENTS, SPEND
from ai_usage.sources.endpoint import Window
from ai_usage_tests.fixtures.desk import Desk, event, spooled

N = Decimal
START, READ_ON = date(2026, 11, 1), date(2026, 11, 5)
READ = datetime(2026, 11, 5, 6, tzinfo=UTC)


def spent(desk: Desk, **cents: float) -> None:
    """Cursor's running totals by member, read on the fifth at 06:00; the cycle began on the first."""
    rows = [
        {"user_id": m, "email": f"{m}@Example.com", "cycle_spend_usd": N(str(c)) / 100, "cycle_start_at": datetime(2026, 11, 1, tzinfo=UTC)}
        for m, c in cents.items()
    ]
    desk.fetch("cursor", "spend", READ_ON, "raw_cursor_spend", *rows, at=READ, window_start=None)


def used(desk: Desk, day: date, *events: tuple[str | None, str, float, bool], hour: int = 12) -> None:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    desk.events(
        day, *({"user_email": m and f"{m}@example.com", "kind": k, "charged_usd": N(str(c)) / 100, "is_chargeable": f, "event_at": at} for m, k, c, f in events)
    )  # fmt: skip


def metadata(result: dg.AssetCheckResult) -> dict[str, str]:
    return {k: str(getattr(v, "value", v)) for k, v in result.metadata.items()}


def agrees(desk: Desk) -> dg.AssetCheckResult:
    return sources.judged(desk.warehouse, SPEND_AGREES, Window(READ_ON, READ_ON))


DAYS = [START + timedelta(days=n) for n in range(4)]
PAID, PLAN = "Usage-based", "Included in Business"


@pytest.mark.parametrize("held", [DAYS, DAYS[2:]], ids=["the whole cycle", "half of it"])
def test_events_above_the_vendors_total_are_wrong_whatever_is_held(desk: Desk, held: list[date]) -> None:
    """300 cents of an unknown kind beside 200 billed: Cursor says 200. The kind is named, with 3.00 USD."""
    for day in held:
        used(desk, day, *([("ana", PAID, 200, True), ("ana", "Gift Card", 300, True)] if day == DAYS[2] else []), ("ben", PLAN, 900, True))
    spent(desk, ana=200, ben=0)
    result = agrees(desk)
    assert not result.passed
    assert "3.0" in str(result.description) and "'Gift Card'" in str(result.description), result.description
    assert metadata(result)["sample"].splitlines()[2].startswith("| Gift Card | billed | 1 |")


@pytest.mark.parametrize(
    ("ana", "passes"),
    [(200, True), (199, True), (198, True), (196, False), (150, False)],
)  # 200 billed by hand: 1 % of Cursor's figure and a cent is what still moves
def test_the_tolerance_above(desk: Desk, ana: float, passes: bool) -> None:
    for day in DAYS:
        used(desk, day, *([("ana", PAID, 200, True)] if day == DAYS[1] else []))
    spent(desk, ana=ana)
    assert agrees(desk).passed is passes


@pytest.mark.parametrize(
    ("held", "ana", "passes"),
    [(DAYS, 500, True), (DAYS, 601, False), (DAYS[1:], 601, True), (DAYS[1:], 100, False)],
)  # 200 are held, on one day: a day's worth is twice 200 more; the part of the cycle that is not held explains any lack, and no surplus
def test_events_below_may_lack_days_that_are_not_held(desk: Desk, held: list[date], ana: float, passes: bool) -> None:
    for day in held:
        used(desk, day, *([("ana", PAID, 200, True)] if day == DAYS[1] else []))
    spent(desk, ana=ana)
    assert agrees(desk).passed is passes


def test_what_happened_after_the_vendors_total_was_read_is_not_compared(desk: Desk) -> None:
    """Events of the fifth at 05:00 may not be summed yet, those of 12:00 came later; 500 cents of the fourth must be."""
    for day in DAYS:
        used(desk, day, *([("ana", PAID, 500, True)] if day == DAYS[3] else []))
    desk.events(
        READ_ON,
        *({"user_email": "ana@example.com", "charged_usd": N(7), "event_at": datetime(2026, 11, 5, h, tzinfo=UTC)} for h in (5, 12)),
    )
    spent(desk, ana=500)
    assert agrees(desk).passed


def test_only_listed_members_are_compared_and_events_that_name_nobody_explain_a_lack(desk: Desk) -> None:
    for day in DAYS:
        used(desk, day, *([("agent", PAID, 99999, True), ("ana", PAID, 200, True), (None, PAID, 5000, True)] if day == DAYS[1] else []))
    spent(desk, ana=5200)
    assert agrees(desk).passed


def test_a_member_above_is_not_hidden_by_another_one_below(desk: Desk) -> None:
    for day in DAYS:
        used(desk, day, *([("ana", PAID, 200, True), ("ben", PAID, 100, True)] if day == DAYS[1] else []))
    spent(desk, ana=100, ben=200)
    assert not agrees(desk).passed


def test_unknown_kinds_are_named_with_their_events_and_usd(desk: Desk) -> None:
    used(
        desk,
        DAYS[0],
        ("ana", "Custom Subscription", 125, True),
        ("ana", "Custom Subscription", 25, True),
        ("ana", PAID, 10, True),
        ("ana", "New", 9, False),
        ("ana", "Free", 0, False),
    )
    result = sources.judged(desk.warehouse, KINDS_KNOWN, Window(DAYS[0], DAYS[0]))
    assert not result.passed and result.severity == dg.AssetCheckSeverity.WARN
    assert re.sub(r"0+ USD", " USD", metadata(result)["actual"]) == (
        "Custom Subscription: 2 events, 1.5 USD; New, not billed: 1 events, 0.09 USD"
    )
    assert desk.one("SELECT SUM(cost_usd) FROM stg_cursor_cost") == N("1.6"), "they are billed"


# Through Dagster ----------------------------------------------------------------------------------------------------


def test_a_day_with_one_bad_record_stops_nothing(desk: Desk) -> None:
    """The raw asset ends well, its failed check names day, record and file, and both vendors' facts are written by the assets that follow."""
    day = DAYS[0]
    bad = [
        event(day, cents=100),
        {**event(day), "chargedCents": "n/a"},
        {k: v for k, v in event(day, cents=50).items() if k != "userEmail"},
    ]
    desk.load_day(
        COST, day, [{"starting_at": f"{day}T00:00:00Z", "amount": "1200", "currency": "USD", "cost_type": "tokens", "model": "m"}]
    )
    client = SimpleNamespace(events=lambda window: spooled(desk.spool, EVENTS, window.first, window.last, bad))
    runtime: Any = SimpleNamespace(
        warehouse=desk.warehouse, today=READ_ON, yesterday=DAYS[-1], settings=Settings(_env_file=None),
        traffic=SimpleNamespace(lines=list), loader=lambda run_id: Loader(desk.warehouse, run_id),
        client=lambda source, maker: client,
    )  # fmt: skip
    facts = [curated.dim_api_keys, curated.fct_cost_daily]
    [events] = [a for a in sources.assets if a.key == dg.AssetKey("raw_cursor_events")]
    done = dg.materialize([events, *facts], resources={"runtime": runtime}, partition_key=str(day), raise_on_error=False)
    assert done.success
    checks = {e.check_name: e for e in done.get_asset_check_evaluations() if e.asset_key.to_user_string() == "raw_cursor_events"}
    assert checks["conservation"].passed and not checks["money_readable"].passed
    assert checks["money_readable"].severity == dg.AssetCheckSeverity.ERROR and not checks["money_readable"].blocking
    named = str(checks["money_readable"].metadata["sample"].value)
    assert str(day) in named and "| 2 |" in named and "chargedCents is not a number" in named and ".ndjson.zst" in named
    found = desk.ask("SELECT vendor, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY 1 ORDER BY 1")
    assert [tuple(r.values()) for r in found] == [("Anthropic", N(12)), ("Cursor", N("1.5"))]
    assert SPEND.vendor_total is None
