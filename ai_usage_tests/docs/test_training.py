"""The training's answers and the dashboards' words hold: queries of docs/training.md on data with known totals, and one glossary in two places."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from ai_usage.dashboards.load import default_root, load_dashboards
from ai_usage_tests.unit.test_dashboards_data import build_marts, querier

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def marts() -> Any:
    return build_marts()


def answers(marts: Any) -> list[list[dict[str, Any]]]:
    queries = re.findall(r"^```sql\n(.*?)^```", (DOCS / "training.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [querier(marts)(q).to_pylist() for q in queries]


def test_the_answers_of_the_training_are_the_facts(marts: Any) -> None:
    """Each answer again from the facts alone, without a mart."""

    def fact(sql: str) -> Any:
        return marts.execute(sql).fetchall()[0][0]

    month, departments, over, seats, unexplained, file = answers(marts)
    so_far = fact("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_date BETWEEN '2026-10-01' AND '2026-10-29'")
    assert month[0]["spent"] == so_far and month[0]["budget"] == 5000, "the 30th and 31st are open"
    assert month[0]["low"] < month[0]["projected"] < month[0]["high"]
    september = fact("SELECT SUM(cost_usd) FROM fct_cost_daily WHERE date_trunc('month', cost_date) = '2026-09-01'")
    assert sum(r["usd"] for r in departments) == september == file[0]["usd"]
    assert departments[0]["usd"] == max(r["usd"] for r in departments)
    assert over and all(r["variance_usd"] == 900 - r["cost_usd"] < 0 for r in over)
    idle = {(r["month"], r["platform"]): (r["people"], r["idle_usd"]) for r in seats if r["seat_state"] == "idle"}
    assert idle[date(2026, 9, 1), "cursor"] == (1, Decimal(40)), "Ida never worked"
    assert {(r["platform"], r["month"].month) for r in unexplained} >= {("cursor", 9), ("claude_api", 9)}, "3.21 that nothing explains"
    assert all(r["unknown_usd"] == Decimal("3.21") for r in unexplained if r["platform"] == "cursor" and r["month"].month in (8, 9))


def test_the_glossary_of_the_dashboards_is_the_glossary() -> None:
    words = yaml.safe_load((default_root() / "glossary.yaml").read_text(encoding="utf-8"))
    page = dict(re.findall(r"^\| ([^|]+?) \| (.+?) \|$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {w: page.get(w, "").split("; see [")[0] for w in words} == words
    used = {t for d in load_dashboards() for t in d.terms}
    assert used <= set(words)


def test_the_guide_names_every_dashboard() -> None:
    guide = (DOCS / "finance-guide.md").read_text(encoding="utf-8")
    for dashboard in load_dashboards():
        assert f"## {dashboard.title}" in guide
