"""A question that reads the lines below a card's GROUP BY answers what it would answer above it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ai_usage.dashboards import query
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.query import FilterValues, card_query, lines_of
from ai_usage_tests.fixtures.desk import Desk

N, D = Decimal, date
GROUPED = [(d, c) for d in load_dashboards() for c in d.cards if c.kind != "note" and "GROUP BY" in c.source.text]
TEXT = "SELECT d, k, SUM(x) AS x, SUM(CASE WHEN k = 'a' THEN x ELSE 0 END) AS of_a, CASE WHEN SUM(x) > 0 THEN k END AS who FROM vw_t GROUP BY d, k"


ACTIVE = "SELECT d, k, MAX(CASE WHEN n > 0 THEN k END) AS who, MAX(n) AS most, MAX(CASE WHEN n > 0 THEN k ELSE d END) AS any, SUM(n) AS n FROM vw_t GROUP BY d, k"


def asked(text: str, added: str, plain: str, counted: str = "") -> str:
    return " ".join(lines_of(text, *(frozenset(names.split()) for names in (added, plain, counted))).split())


def test_sums_are_read_from_the_lines() -> None:
    assert asked(TEXT, "x", "d") == "SELECT d, x AS x FROM vw_t"
    assert asked(TEXT, "of_a x", "k") == "SELECT k, x AS x, CASE WHEN k = 'a' THEN x ELSE 0 END AS of_a FROM vw_t"


def test_who_is_counted_is_seen_in_the_lines() -> None:
    """A group's MAX of its own column is that column or NULL, so a distinct count of lines is that of groups."""
    assert asked(ACTIVE, "n", "d", "who") == "SELECT d, CASE WHEN n > 0 THEN k END AS who, n AS n FROM vw_t"
    assert asked(ACTIVE, "", "", "k") == "SELECT k FROM vw_t"


@pytest.mark.parametrize(
    ("added", "plain", "counted", "why"),
    [
        ("n", "who", "", "lines that do not meet the condition would be a group of their own"),
        ("n", "d", "most", "the values of n within a group are many"),
        ("n", "d", "any", "two columns are more than one value a group"),
        ("", "d", "n", "how many different sums is not how many different lines"),
        ("who", "d", "who", "what is added up is no name"),
    ],
)
def test_else_who_is_counted_is_counted_in_groups(added: str, plain: str, counted: str, why: str) -> None:
    assert asked(ACTIVE, added, plain, counted) == ACTIVE, why


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


@pytest.fixture(scope="module")
def company(new_desk) -> Desk:
    """Lines that cancel out, nobody's, two tokens of one model, a credit; days of two models, without activity, without cost, on a platform that tells
    no lines."""
    desk = new_desk()
    cost = {"platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s"}
    use = {"platform": "cursor", "source": "s", "requests": 1}
    day = D(2026, 10, 2)
    desk.lay(
        "fct_cost_daily",
        *(
            {**cost, "cost_date": day, "user_email": who, "cost_usd": N(usd), **more}
            for who, usd, more in (
                ("a@example.com", "1.1", {}), ("a@example.com", "-1.1", {"token_type": "output"}), ("b@example.com", "0.000000001", {}),
                ("b@example.com", "7", {"cost_date": D(2026, 9, 2)}), (None, "3", {"attribution": "unattributed", "settle_state": "open"}),
                ("b@example.com", "-2", {"cost_type": "credit", "platform": "claude_api"}), ("b@example.com", "4", {"model": "m"}),
                ("c@example.com", "20", {"cost_type": "subscription"}),
            )
        ),
    )  # fmt: skip
    desk.lay(
        "fct_usage_daily",
        *(
            {**use, "usage_date": day, "user_email": who, **more}
            for who, more in (
                ("a@example.com", {"model": "m", "loc_accepted": 5, "suggestions_shown": 9, "suggestions_accepted": 3}),
                ("a@example.com", {"model": "n", "loc_accepted": 2, "input_tokens": 10, "cache_read_tokens": 90, "commits": 1}),
                ("a@example.com", {"platform": "claude_api", "model": "n", "input_tokens": 7, "output_tokens": 2}),
                ("b@example.com", {"requests": 0, "loc_accepted": 0}),
                ("b@example.com", {"usage_date": D(2026, 9, 2), "suggestions_accepted": 4, "suggestions_rejected": 1, "pull_requests": 1}),
                ("c@example.com", {"usage_date": D(2026, 10, 3), "sessions": 2}), (None, {"requests": 8, "output_tokens": 3}),
            )
        ),
    )  # fmt: skip
    desk.lay(
        "dim_user_assignments",
        *(
            {"email": who, "department": name, "valid_from": D(1900, 1, 1), "valid_to": D(9999, 12, 31)}
            for who, name in (("a@example.com", "Core"), ("b@example.com", "Web"))
        ),
    )
    desk.total()
    return desk


@pytest.mark.parametrize(("dashboard", "card"), GROUPED, ids=lambda x: x.key)
def test_both_ways_answer_alike(company: Desk, dashboard, card, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"platform": ["cursor"]} if "platform" in card.filters else {}
    for values in (FilterValues(), FilterValues(D(2026, 10, 1), D(2026, 10, 31), chosen)):
        flat = card_query(card, values)
        with monkeypatch.context() as patched:
            patched.setattr(query, "lines_of", lambda text, *_: text)
            grouped = card_query(card, values)
        answer = company.warehouse.select(flat.sql, flat.params).to_pylist()
        assert answer == company.warehouse.select(grouped.sql, grouped.params).to_pylist() and answer
