"""A copy computes the facts anew, and proves of them what a run proves: on either engine, in the transaction that writes them. What the platform noted
of itself cannot be computed and comes along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai_usage import tables, transform
from ai_usage.operations import copying
from ai_usage.transform import totals
from ai_usage.warehouse import WarehouseError, models
from ai_usage_tests.fixtures.desk import NOON, Desk

pytestmark = pytest.mark.either_engine

DAY = date(2026, 11, 1)
TODAY = DAY + timedelta(days=40)
ANA = "ana@example.com"


def told(desk: Desk, usd: str, **fetch: Any) -> None:
    """One event of 1.5 USD, and the total that the vendor's records had when they were decoded."""
    desk.events(DAY, {"user_email": ANA, "charged_usd": Decimal("1.5"), "input_tokens": 7}, vendor_total_usd=Decimal(usd), **fetch)


def made(source: Desk) -> None:
    """Facts as somebody without the proofs would have written them."""
    source.run("fct_usage_daily", DAY, DAY)
    source.run("fct_cost_daily", DAY, DAY)


@pytest.mark.both_engines
def test_a_copy_proves_its_facts(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    """The source's fact holds 1.5 USD where the vendor's own total of the day is 2: no total that finance could trust, so it is not copied."""
    source = new_desk()
    told(source, "2")
    made(source)
    with pytest.raises(
        WarehouseError, match=r"fct_cost_daily: each vendor's own total counts once, .*the difference is 0\.5.*nothing was written"
    ):
        copying.copy(source.warehouse, desk.warehouse, today=TODAY)
    assert desk.one("SELECT COUNT(*) AS n FROM fct_cost_daily") == 0
    assert desk.one("SELECT vendor_total_usd FROM stg_current_fetches") == 2, "the vendor's words are there, whatever follows from them"
    told(source, "1.5", at=NOON + timedelta(hours=1))
    report = copying.copy(source.warehouse, desk.warehouse, today=TODAY)
    assert (report.already_there, report.fetches, report.differences) == (1, 1, [])
    assert desk.ask("SELECT cost_date, user_email, cost_usd FROM fct_cost_daily") == [
        {"cost_date": DAY, "user_email": ANA, "cost_usd": Decimal("1.5")}
    ]


def test_a_copy_proves_its_usage(desk: Desk, new_desk: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that drops rows, made on purpose: seven tokens of staging stand in no fact."""
    source = new_desk()
    told(source, "1.5")
    made(source)
    honest = models.model

    def spoiled(name: str) -> Any:
        model = honest(name)
        return (
            model
            if name != "fct_usage_daily"
            else type(model)(model.table, f"SELECT * FROM ({model.sql.rstrip().rstrip(';')}\n) WHERE FALSE", model.path)
        )

    monkeypatch.setattr(models, "model", spoiled)
    with pytest.raises(
        WarehouseError, match=r"fct_usage_daily: every token, request and accepted line .*the difference is 1(\.0+)?, 7(\.0+)?, "
    ):
        copying.copy(source.warehouse, desk.warehouse, today=TODAY)
    assert desk.one("SELECT COUNT(*) AS n FROM fct_usage_daily") == 0


CAUSE = {
    "alert": "data_old",
    "cause_key": "cursor",
    "severity": "error",
    "level": 1,
    "subject": "Cursor",
    "headline": "é.",
    "unit": "hours",
    "figure": Decimal("30.5"),
}
SENT = {**CAUSE, "audience": "finance", "destination": "finance 1 (mailtos)", "told": "open", "event": "sent"}
CHECK = {"run_id": "r1", "asset": "raw_cursor_events", "check_name": "grain", "state": "failed", "blocking": True, "checked_at": NOON}
ASKED = {"hour": NOON, "source": "cursor", "endpoint": "e", "requests": 3, "retries": 2, "seconds": Decimal("0.25"), "run_id": "r1"}


def noted(desk: Desk, table: str) -> list[dict[str, Any]]:
    return desk.ask(f"SELECT * FROM {table} ORDER BY {', '.join(tables.BY_NAME[table].key)}")


def test_a_copy_takes_along_what_the_platform_noted(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    """Who was told what, what checks found, how vendors answered (or did not): each row once, beside those that the target has of its own."""
    source = new_desk()
    told(source, "1.5")
    made(source)
    source.lay("alert_log", {**CAUSE, "logged_at": NOON, "seq": 1, "event": "opened"}, {**SENT, "logged_at": NOON, "seq": 2})
    source.lay("check_results", CHECK)
    source.lay("vendor_requests", {**ASKED, "status": 429}, {**ASKED, "status": None})
    copying.copy(source.warehouse, desk.warehouse, today=TODAY)
    names = ("alert_log", "check_results", "vendor_requests")
    first = {name: noted(source, name) for name in names}
    assert [len(rows) for rows in first.values()] == [2, 1, 2]
    assert {name: noted(desk, name) for name in names} == first
    assert desk.ask("SELECT state, messages_sent, last_told_at FROM vw_alerts") == [
        {"state": "open", "messages_sent": 1, "last_told_at": NOON}
    ]

    source.lay("alert_log", {**CAUSE, "logged_at": NOON + timedelta(hours=2), "seq": 1, "event": "resolved", "ending": "over"})
    copying.copy(source.warehouse, desk.warehouse, today=TODAY)
    assert {name: noted(desk, name) for name in names} == {name: noted(source, name) for name in names}
    assert desk.one("SELECT state FROM vw_alerts") == "resolved"

    back = new_desk()
    back.lay("alert_log", {**CAUSE, "logged_at": NOON - timedelta(days=1), "seq": 1, "event": "opened", "cause_key": "of its own"})
    copying.copy(desk.warehouse, back.warehouse, today=TODAY)
    assert [row["cause_key"] for row in noted(back, "alert_log")] == ["of its own", "cursor", "cursor", "cursor"]


def test_every_table_is_copied_or_computed(desk: Desk) -> None:
    """A new table of the platform's own is a note until somebody says otherwise."""
    moved = {"raw_fetches", *(t.name for t in (*copying.RAW_ROWS, *copying.NOTES)), "month_closings", "closed_cost", "closed_invoices"}
    stored = {t.name for t in tables.ALL if not t.view}
    computed = {*transform.order(), *totals.NAMES}
    assert moved | computed == stored and not moved & computed


def test_notes_that_get_lost_on_the_way_are_told(new_desk: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = new_desk(), new_desk()
    source.lay("alert_log", *({**CAUSE, "logged_at": NOON, "seq": n, "event": "opened"} for n in (1, 2)))
    publish = target.warehouse.publish
    with monkeypatch.context() as patched:
        patched.setattr(target.warehouse, "publish", lambda rows, fetches: publish({t: d.slice(0, 1) for t, d in rows.items()}, fetches))
        with pytest.raises(WarehouseError, match=r"alert_log: 2 rows left and 1 arrived; run the copy again"):
            copying.copy(source.warehouse, target.warehouse, today=TODAY)
    copying.copy(source.warehouse, target.warehouse, today=TODAY)
    assert noted(target, "alert_log") == noted(source, "alert_log")
