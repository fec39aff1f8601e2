"""Every card runs on both engines, and a filter that does not filter is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage import tables
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.metabase import DatabaseConfig, MetabaseConfig
from ai_usage.dashboards.metabase.identity import entity_id
from ai_usage.dashboards.metabase.native import native
from ai_usage.dashboards.query import card_query
from ai_usage.dashboards.spec import SpecError
from ai_usage.warehouse.postgres_dialect import to_postgres
from ai_usage_tests.fixtures.desk import rows_for_views
from ai_usage_tests.metabase.engines import BigQuery
from ai_usage_tests.metabase.scene import apply, prove
from ai_usage_tests.metabase.standin import StandIn


@pytest.fixture(scope="module", params=["bigquery", "postgres"])
def filled(request: pytest.FixtureRequest):
    """The whole suite, applied, on each engine."""
    with StandIn(request.getfixturevalue(request.param)) as server:
        apply(server)
        yield server
        assert server.invalid == []


def card(metabase: StandIn, key: str) -> dict:
    return next(c for c in metabase.cards.values() if c["entity_id"] == entity_id(key))


def test_every_card_runs_and_every_filter_filters(filled: StandIn) -> None:
    """Each mapped filter of the two dashboards of cost and productivity is proved; a card without data may be unproved, none fails."""
    writes = len(filled.writes())
    found = prove(filled)
    assert [p for p in found if p.state == "failed"] == []
    proved = {(p.card, p.filter) for p in found if p.state == "ok"}
    for dashboard in load_dashboards(keys=["cost_allocation", "productivity_analytics"]):
        for one in dashboard.cards:
            assert (
                {(f"{dashboard.key}/{one.key}", f) for f in [None, *one.filters]} <= proved
                or one.kind == "note"
                or one.latest  # the company's forty days hold no whole month before another
            )
    assert len(filled.writes()) == writes, "verify writes nothing"


def test_figures_are_those_of_the_spec_to_six_decimals(filled: StandIn, company_warehouse) -> None:
    """Metabase's rows of the cards whose shape is the spec's own query equal that query on the warehouse. Metabase answers in JSON floats, hence six."""
    compared = 0
    for dashboard in load_dashboards(keys=["cost_allocation", "productivity_analytics"]):
        for one in dashboard.cards:
            if one.kind == "note" or one.pivot or one.limit:
                continue
            rows = filled.run_card(card(filled, f"{dashboard.key}/{one.key}")["id"], {})
            assert rows["status"] == "completed", rows.get("error")
            query = card_query(one)
            expected = company_warehouse.select(query.sql, query.params).to_pylist()
            labels = [dashboard.labels.get(d.column, {}) for d in one.group_by]
            assert sorted(map(repr, (as_text(row) for row in rows["data"]["rows"]))) == sorted(
                repr(as_text([labels[i].get(v, v) if i < len(labels) else v for i, v in enumerate(row.values())])) for row in expected
            ), one.key
            compared += 1
    assert compared >= 14


def as_text(row: list) -> list[str]:
    return [f"{Decimal(str(v)):.6f}" if isinstance(v, int | float | Decimal) else str(v) for v in row]


def test_a_department_filter_leaves_the_sum_of_its_parts(filled: StandIn) -> None:
    """Real values: the two departments and nobody's share of the cost add up to the whole, worked out by hand.

    A day costs (1+2+3+4+5+6)/8 + 1 = 3.625; forty days 145. Sales is Cem's 3/8 a day: 15. Nobody's: 40. Eng: 90.
    """
    board = next(b for b in filled.boards.values() if b["name"] == "Cost Allocation")
    number = card(filled, "cost_allocation/billed_cost")["id"]
    tile = next(t for t in board["dashcards"] if t["card_id"] == number)
    ids = {p["slug"]: p["id"] for p in board["parameters"]}

    def cost(**values: object) -> float:
        sent = [{"id": ids[slug], "value": values.get(slug)} for slug in ids]
        return filled.run_dashcard(board["id"], tile["id"], number, {"parameters": sent})["data"]["rows"][0][0]

    assert cost() == 145
    assert (cost(department=["Sales"]), cost(department=["Eng"]), cost(department=["(no department)"])) == (15, 90, 40)
    assert cost(department=["Sales", "Eng"]) == 105
    assert cost(date="2026-11-20~2026-11-21") == 7.25


def test_a_period_takes_every_month_that_it_touches(filled: StandIn) -> None:
    """Two days of November choose November whole, and no day of it chooses none: 21 days of 3.625."""
    board = next(b for b in filled.boards.values() if b["name"] == "Data Trust")
    number = card(filled, "data_trust/months")["id"]
    tile = next(t for t in board["dashcards"] if t["card_id"] == number)
    period = next(p["id"] for p in board["parameters"] if p["slug"] == "date")

    def booked(days: str) -> list:
        found = filled.run_dashcard(board["id"], tile["id"], number, {"parameters": [{"id": period, "value": days}]})["data"]
        return [row[4] for row in found["rows"]]  # after month, state, meaning and closing: what is booked

    assert booked("2026-11-20~2026-11-21") == [76.125]
    assert booked("2026-09-20~2026-09-21") == []


def test_pivoted_columns_add_up_to_the_whole(filled: StandIn) -> None:
    """Ana 1/8, Cem 3/8, Dia 4/8, Fay 6/8 a day and the seat's 1 on Cursor: 110; Ben and Eve on Claude Code: 35."""
    rows = filled.run_card(card(filled, "cost_allocation/cost_by_person")["id"], {})["data"]["rows"]
    columns = list(zip(*rows, strict=True))
    cursor, code, others = sum(v or 0 for v in columns[3]), sum(v or 0 for v in columns[4]), [sum(v or 0 for v in c) for c in columns[5:9]]
    assert (cursor, code, others, sum(columns[9])) == (110, 35, [0, 0, 0, 0], 145)
    assert sum(columns[10]) == 145, "nothing is a credit, so gross is net"
    assert sum(columns[11]) == pytest.approx(1)


def test_the_smallest_group_decides_what_teams_see(bigquery: BigQuery) -> None:
    """Three people of Eng use Cursor: 20 + 23 + 25 lines a day, 2720 in forty days. Two use Claude Code, and Sales is one person."""

    def lines(minimum: int) -> object:
        with StandIn(bigquery) as metabase:
            apply(metabase, minimum_group=minimum)
            return metabase.run_card(card(metabase, "team_productivity/accepted_lines")["id"], {})["data"]["rows"][0][0]

    assert (lines(3), lines(4)) == (2720, None)


def test_a_card_with_an_alias_and_a_condition_is_filtered_beside_the_unaliased_table(tmp_path: Path) -> None:
    """The alias goes, its columns lose it, the card's own condition stays in brackets; on each engine the table is as its driver writes it."""
    folder = tmp_path / "spend"
    folder.mkdir()
    (folder / "dashboard.yaml").write_text(BOARD)
    (folder / "01.sql").write_text(
        "SELECT v.cost_date, v.platform, v.cost_usd FROM vw_cost_allocation AS v WHERE v.cost_usd > 0 OR v.cost_usd < 0"
    )
    board = load_dashboards(tmp_path)[0]
    for engine, translate, table in (
        ("bigquery-cloud-sdk", str, "`d.vw_cost_allocation`"),
        ("postgres", to_postgres, '"d"."vw_cost_allocation"'),
    ):
        made = native(board, board.cards[0], MetabaseConfig("http://m", DatabaseConfig("n", engine, "d", {}), translate)).sql
        said = " ".join(made.split())
        assert (
            f"SELECT cost_date, platform, cost_usd FROM {table} WHERE ( cost_usd > 0 OR cost_usd < 0 ) [[AND {{{{date}}}}]] [[AND {{{{platform}}}}]]"
            in said
        )


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT cost_date, platform, cost_usd, '{{x}}' AS y FROM vw_cost_allocation", "mean something to Metabase"),
        (
            "SELECT cost_date, platform, SUM(cost_usd) OVER () AS cost_usd FROM vw_cost_allocation",
            "a window function would see filtered rows",
        ),
        ("SELECT model AS cost_date, platform, cost_usd FROM vw_cost_allocation", "use a matching column"),
    ],
)
def test_a_card_that_metabase_would_get_wrong_is_refused(tmp_path: Path, sql: str, said: str) -> None:
    folder = tmp_path / "spend"
    folder.mkdir()
    (folder / "dashboard.yaml").write_text(BOARD)
    (folder / "01.sql").write_text(sql)
    board = load_dashboards(tmp_path)[0]
    with pytest.raises(SpecError, match=said):
        native(board, board.cards[0], MetabaseConfig("http://m", DatabaseConfig("n", "postgres", "d", {}), to_postgres))


BOARD = """
key: spend
title: Spend
question: What?
audience: Finance
filters: [{key: date, label: Period, type: date_range}, {key: platform, label: Platform, type: multi_select}]
cards:
  - key: cost
    kind: kpi
    title: Cost
    sql: 01.sql
    filters: {date: cost_date, platform: platform}
    measures: [{key: cost, label: Cost, unit: usd, sum: cost_usd}]
    grid: {x: 0, y: 0, w: 24, h: 2}
"""


@pytest.mark.parametrize("version", ["v0.62.4", "v0.64.1"])
def test_a_mapping_without_card_id_is_found(bigquery: BigQuery, version: str) -> None:
    """Trap 1: Metabase accepts it and ignores the filter. export-check sees it too."""
    from ai_usage_tests.metabase.scene import plan

    with StandIn(bigquery, version=version) as metabase:
        apply(metabase)
        board = next(b for b in metabase.boards.values() if b["name"] == "Cost Allocation")
        shown = next(
            t for t in board["dashcards"] if t["parameter_mappings"]
        )  # the state of the data comes first, and no filter acts on it
        del shown["parameter_mappings"][1]["card_id"]
        failed = [p for p in prove(metabase) if p.state == "failed"]
        assert [(p.card, p.filter) for p in failed] == [("cost_allocation/billed_cost", "department")]
        assert "inert" in failed[0].sentence
        assert [c.name for c in plan(metabase)] == ["cost_allocation"]


def test_a_filter_on_an_aliased_table_fails_on_bigquery(bigquery: BigQuery) -> None:
    """Trap 4: the driver writes the table's name, so a query that calls it otherwise cannot be filtered."""
    with StandIn(bigquery) as metabase:
        apply(metabase)
        one = card(metabase, "cost_allocation/billed_cost")
        stage = one["dataset_query"]["stages"][0]
        assert "FROM `ai_usage.vw_cost_allocation`\n" in stage["native"]
        stage["native"] = stage["native"].replace("FROM `ai_usage.vw_cost_allocation`", "FROM `ai_usage.vw_cost_allocation` AS v")
        failed = [p for p in prove(metabase) if p.state == "failed"]
        assert failed and failed[0].card == "cost_allocation/billed_cost" and "Unrecognized name" in failed[0].sentence


def test_a_card_without_data_is_unproved_and_not_called_good(desk, empty_file) -> None:
    rows_for_views(desk.warehouse, tables.MARTS)
    with StandIn(BigQuery(desk.warehouse, "ai_usage")) as metabase:
        apply(metabase)
        states = {(p.state) for p in prove(metabase) if p.filter}
        assert states == {"unproved"}


def test_a_dashboard_that_is_not_there_fails(bigquery: BigQuery) -> None:
    with StandIn(bigquery) as metabase:
        apply(metabase)
        next(b for b in metabase.boards.values() if b["name"] == "Cost Allocation")["archived"] = True
        assert [p.card for p in prove(metabase) if p.state == "failed"] == ["cost_allocation"]


# The official client as a witness -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def official() -> list[str]:
    """Metabase's own command line: `mb` on the PATH, or where AI_USAGE_METABASE_CLI says."""
    found = os.environ.get("AI_USAGE_METABASE_CLI") or shutil.which("mb")
    if not found or not shutil.which("node"):
        pytest.skip("Metabase's command line is not here; `npm install -g @metabase/cli` brings it, or set AI_USAGE_METABASE_CLI.")
    return [found]


def ask(official: list[str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder), "MB_CLI_DISABLE_KEYRING": "1"}
    return subprocess.run([*official, *arguments], capture_output=True, text=True, env=environment, timeout=120)


def test_the_official_client_reads_the_stand_in_and_accepts_every_query(official: list[str], bigquery: BigQuery, tmp_path: Path) -> None:
    """It parses cards and dashboards strictly, and validates each query of ours against Metabase's schema."""
    with StandIn(bigquery) as metabase:
        apply(metabase)
        access = ["--url", metabase.url, "--api-key", metabase.api_key]
        board = next(iter(metabase.boards))
        shown = ask(official, tmp_path, "dashboard", "get", str(board), "--full", "--json", "--max-bytes", "0", *access)
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert len(json.loads(shown.stdout)["dashcards"]) == len(metabase.boards[board]["dashcards"])
        one = next(iter(metabase.cards))
        shown = ask(official, tmp_path, "card", "get", str(one), "--full", "--json", "--max-bytes", "0", *access)
        assert shown.returncode == 0, shown.stdout + shown.stderr
        sent = [body["dataset_query"] for method, path, body in metabase.log if method == "POST" and path == "/api/card"]
        for number, query in enumerate(sent):
            file = tmp_path / f"{number}.json"
            file.write_text(json.dumps(query))
            said = ask(official, tmp_path, "query", "--dry-run", "--file", str(file), *access)
            assert said.returncode == 0, said.stdout + said.stderr
        broken = json.loads(json.dumps(sent[0]).replace('["field", {}, ', '["field", null, '))
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        assert ask(official, tmp_path, "query", "--dry-run", "--file", str(tmp_path / "broken.json"), *access).returncode == 2
