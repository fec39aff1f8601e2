"""A question that reads the lines below a card's GROUP BY answers what it would answer above it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ai_usage.dashboards import query
from ai_usage.dashboards.query import FilterValues, card_query, lines_of
from ai_usage.dashboards.spec import load_dashboards
from ai_usage_tests.fixtures.helpers import Desk

N, D = Decimal, date
GROUPED = [(d, c) for d in load_dashboards() for c in d.cards if c.kind != "note" and "GROUP BY" in c.source.text]
TEXT = "SELECT d, k, SUM(x) AS x, SUM(CASE WHEN k = 'a' THEN x ELSE 0 END) AS of_a, CASE WHEN SUM(x) > 0 THEN k END AS who FROM vw_t GROUP BY d, k"


def asked(text: str, added: str, plain: str) -> str:
    return " ".join(lines_of(text, frozenset(added.split()), frozenset(plain.split())).split())


def test_sums_are_read_from_the_lines() -> None:
    assert asked(TEXT, "x", "d") == "SELECT d, x AS x FROM vw_t"
    assert asked(TEXT, "of_a x", "k") == "SELECT k, x AS x, CASE WHEN k = 'a' THEN x ELSE 0 END AS of_a FROM vw_t"


@pytest.mark.parametrize(
    ("added", "plain", "why"),
    [
        ("x", "who", "who depends on a group's sum"),
        ("who", "d", "what is no sum would be added up once for each line"),
        ("d", "k", "the same for a column of the group"),
        ("x", "x", "the least of the sums is not the least of the lines"),
    ],
)
def test_otherwise_the_group_stays(added: str, plain: str, why: str) -> None:
    assert asked(TEXT, added, plain) == TEXT, why


@pytest.mark.parametrize("text", ["SELECT d, x FROM vw_t", "SELECT d, SUM(x) AS x FROM vw_t GROUP BY d HAVING SUM(x) > 1"])
def test_nothing_else_is_touched(text: str) -> None:
    assert asked(text, "x", "d") == text


@pytest.mark.parametrize(("dashboard", "card"), GROUPED, ids=lambda x: x.key)
def test_both_ways_answer_alike(desk: Desk, dashboard, card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that cancel out, nobody's, two tokens of one model, a credit; with and without filters."""
    cost = {"platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s"}
    day = D(2026, 10, 2)
    desk.lay(
        "fct_cost_daily",
        *(
            {**cost, "cost_date": day, "user_email": who, "cost_usd": N(usd), **more}
            for who, usd, more in (
                ("a@example.com", "1.1", {}), ("a@example.com", "-1.1", {"token_type": "output"}), ("b@example.com", "0.000000001", {}),
                ("b@example.com", "7", {"cost_date": D(2026, 9, 2)}), (None, "3", {"attribution": "unattributed", "settle_state": "open"}),
                ("b@example.com", "-2", {"cost_type": "credit", "platform": "claude_api"}), ("b@example.com", "4", {"model": "m"}),
            )
        ),
    )  # fmt: skip
    chosen = {"platform": ["cursor"]} if "platform" in card.filters else {}
    for values in (FilterValues(), FilterValues(D(2026, 10, 1), D(2026, 10, 31), chosen)):
        flat = card_query(card, values)
        with monkeypatch.context() as patched:
            patched.setattr(query, "lines_of", lambda text, added, plain: text)
            grouped = card_query(card, values)
        answer = desk.warehouse.select(flat.sql, flat.params).to_pylist()
        assert answer == desk.warehouse.select(grouped.sql, grouped.params).to_pylist() and answer
