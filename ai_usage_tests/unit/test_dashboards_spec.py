"""The dashboard spec: what is read, and that every refusal is one sentence with file, key and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ai_usage.dashboards.load import default_root, load_dashboard, load_dashboards
from ai_usage.dashboards.spec import Dashboard, SpecError

SQL = "-- Grain: day.\n" + "SELECT cost_date, platform, SUM(cost_usd) AS cost_usd FROM vw_cost_allocation GROUP BY 1, 2\n"
YAML = """
key: demo
title: Demo
question: What?
audience: Everybody
filters:
  - {key: date, label: Period, type: date_range, default: last_30_days}
  - {key: platform, label: Platform, type: multi_select}
cards:
  - key: cost
    kind: kpi
    title: Cost
    sql: 01_cost.sql
    filters: {date: cost_date, platform: platform}
    measures: [{key: cost, label: Cost, unit: usd, sum: cost_usd}]
    compare: true
    grid: {x: 0, y: 0, w: 6, h: 2}
"""


def folder(tmp_path: Path, yaml: str = YAML, sql: str = SQL) -> Path:
    root = tmp_path / "demo"
    root.mkdir(exist_ok=True)
    (root / "dashboard.yaml").write_text(yaml, encoding="utf-8")
    (root / "01_cost.sql").write_text(sql, encoding="utf-8")
    return root


def test_a_good_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("platform: {cursor: Ours}\nkind: {seat: Seats}\n", encoding="utf-8")
    dashboard = load_dashboard(folder(tmp_path))
    assert isinstance(dashboard, Dashboard)
    card = dashboard.card("cost")
    assert card.source.view == "vw_cost_allocation"
    assert card.filter_source("date") == "cost_date"
    assert dashboard.labels["kind"] == {"seat": "Seats"}
    assert dashboard.labels["platform"]["cursor"] == "Ours" and dashboard.labels["platform"]["claude_code"] == "Claude Code", (
        "vendors declare their platforms, and the file has the last word"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: Cost", "titel: Cost", "cards[0].title: the key is missing"),
        ("title: Cost\n", "title: Cost\n    colour: red\n", "cards[0].colour: the key is not known"),
        ("unit: usd", "unit: dollars", "cards[0].measures[0].unit"),
        ("sum: cost_usd", "avg: cost_usd", "cards[0].measures[0].avg: the key is not known"),
        ("sum: cost_usd", "sum: cost_usd, share: cost_usd", "exactly one of sum"),
        ("sum: cost_usd", "ratio: [cost_usd]", "cards[0].measures[0].ratio"),
        ("sum: cost_usd", "sum: cost_eur", "names the column `cost_eur`, which 01_cost.sql does not return"),
        (
            "platform: platform}\n    measures",
            "platform: plattform}\n    measures",
            "use one of cost_date, platform, cost_usd",
        ),
        ("platform: platform}\n    measures", "tool: platform}\n    measures", "`filters` does not declare"),
        ("sql: 01_cost.sql", "sql: ../01_cost.sql", "is not a file of this folder"),
        ("sql: 01_cost.sql", "sql: 02_cost.sql", "the file does not exist"),
        ("w: 6", "w: 25", "cards[0].grid.w"),
        ("x: 0", "x: 20", "exceeds the 24 columns"),
        ("kind: kpi", "kind: pie", "cards[0].kind"),
        ("kind: kpi", "kind: line", "one or two group_by"),
        ("kind: kpi\n", "kind: kpi\n    kind: table\n", "the key `kind` is repeated"),
        ("key: demo", "key: other", "differs from its folder `demo`"),
        ("default: last_30_days", "default: yesterday", "filters[0].default"),
        ("cards:", "cards: [", "dashboard.yaml, line"),
    ],
)
def test_a_wrong_spec_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in YAML
    with pytest.raises(SpecError) as caught:
        load_dashboard(folder(tmp_path, YAML.replace(old, new, 1)))
    message = str(caught.value)
    assert said in message, message
    assert "\n" not in message and message.endswith(".") and message.startswith("demo/"), message


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM vw_cost_allocation", "name the columns"),
        ("SELECT cost_date FROM vw_cost_allocation WHERE cost_date > @day", "takes no parameters"),
        ("WITH a AS (SELECT 1 AS x FROM vw_a) SELECT x FROM a", "no CTE and no subquery"),
        ("SELECT x FROM (SELECT x FROM vw_a)", "no CTE and no subquery"),
        ("SELECT a.x FROM vw_a AS a JOIN vw_b AS b ON a.x = b.x", "exactly one mart view"),
        ("SELECT cost_usd FROM raw_cost", "exactly one mart view"),
        ("SELECT SUM(x) FROM vw_a", "column 1 has no name"),
        ("SELECT x, y AS x FROM vw_a", "column `x` appears twice"),
        ("SELECT x FROM vw_a LIMIT 5", "no LIMIT"),
        ("DELETE FROM vw_a WHERE TRUE", "exactly one SELECT"),
        ("SELECT x FROM vw_a; SELECT y FROM vw_a", "exactly one SELECT"),
        ("SELECT FROM WHERE", "correct it"),
        (SQL.replace("cost_date,", "DATE_TRUNC(cost_date, MONTH) AS cost_date,"), "handed through unchanged"),
    ],
)
def test_a_card_that_is_not_one_plain_select_is_refused(tmp_path: Path, sql: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_dashboard(folder(tmp_path, sql=sql))
    assert said in str(caught.value), caught.value
    assert "\n" not in str(caught.value)


def test_overlapping_cards_and_unused_files_are_refused(tmp_path: Path) -> None:
    second = YAML + YAML.split("cards:\n")[1].replace("key: cost\n", "key: again\n", 1)
    with pytest.raises(SpecError, match="overlap on the grid"):
        load_dashboard(folder(tmp_path, second))
    root = folder(tmp_path)
    (root / "09_left.sql").write_text(SQL, encoding="utf-8")
    with pytest.raises(SpecError, match=re.escape("no card uses 09_left.sql")):
        load_dashboard(root)


def test_what_several_dashboards_ask_is_one_file_beside_them() -> None:
    files = sorted(default_root().rglob("*.sql"))
    assert len({f.read_text(encoding="utf-8") for f in files}) == len(files), "two files are the same question"
    asking = {f.name: {d.key for d in load_dashboards() for c in d.cards if c.sql == f.name} for f in files if f.parent == default_root()}
    assert asking and all(len(keys) > 1 for keys in asking.values()), asking


def test_the_dashboards_of_the_repository_are_valid_and_fill_the_grid() -> None:
    dashboards = load_dashboards()
    assert {"cost_allocation", "productivity_analytics"} <= {d.key for d in dashboards}
    assert default_root().name == "dashboards"
    for dashboard in dashboards:
        assert {"date", "department", "platform"} <= {f.key for f in dashboard.filters}
        rows: dict[int, int] = {}
        for card in dashboard.cards:
            for y in range(card.grid.y, card.grid.y + card.grid.h):
                rows[y] = rows.get(y, 0) + card.grid.w
        assert set(rows.values()) == {24}, "the wall has no holes"
    with pytest.raises(SpecError, match="there is no dashboard `nothing`"):
        load_dashboards(keys=["nothing"])


def test_ratios_say_that_they_are_an_allocation() -> None:
    card = load_dashboards(keys=["productivity_analytics"])[0].card("cost_per_line")
    assert "allocation" in card.description and "allocation" in card.question.lower()
