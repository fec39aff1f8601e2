"""A copy computes the facts anew, and proves of them what a run proves: on either engine, in the transaction that writes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai_usage import copying
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.helpers import NOON, Desk

pytestmark = pytest.mark.both_engines

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
    honest = copying.models.model

    def spoiled(name: str) -> Any:
        model = honest(name)
        return (
            model
            if name != "fct_usage_daily"
            else type(model)(model.table, f"SELECT * FROM ({model.sql.rstrip().rstrip(';')}\n) WHERE FALSE", model.path)
        )

    monkeypatch.setattr(copying.models, "model", spoiled)
    with pytest.raises(
        WarehouseError, match=r"fct_usage_daily: every token, request and accepted line .*the difference is 1(\.0+)?, 7(\.0+)?, "
    ):
        copying.copy(source.warehouse, desk.warehouse, today=TODAY)
    assert desk.one("SELECT COUNT(*) AS n FROM fct_usage_daily") == 0
