"""No question makes DuckDB compare each row of one side with each row of the other: a company twice as large would wait four times as long."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from ai_usage import tables
from ai_usage.alerts import conditions
from ai_usage.alerts.config import load_config
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.query import FilterValues, card_query
from ai_usage.tables.schema import Column, Type
from ai_usage.warehouse import dialect, duckdb_sql, models
from ai_usage_tests.fixtures.desk import Desk

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 28)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
EACH_WITH_EACH = {"NESTED_LOOP_JOIN", "BLOCKWISE_NL_JOIN", "CROSS_PRODUCT", "POSITIONAL_JOIN"}
# The plan's side gives one row whatever the tables hold.
ONE_ROW = {"UNGROUPED_AGGREGATE", "SIMPLE_AGGREGATE", "DUMMY_SCAN", "EXPRESSION_SCAN", "COLUMN_DATA_SCAN"}
SAME_ROWS = {"PROJECTION", "FILTER", "STREAMING_WINDOW", "WINDOW", "ORDER_BY", "LIMIT", "TOP_N", "CTE_SCAN"}

# Name: why it may. It only shrinks: a line whose plan has no such join any more fails.
FORECAST = "days of a quarter with platforms, of which there are some ten, whatever the company's size"
PRICES = "our list of prices, which stands in the SQL, with the models of a day"
PLATFORMS = "our list of platforms by the beginning of their names, some rows, which stands in the SQL"
FACTORS = "the orders in which some factors change, which stand in the SQL, with people, models and departments of two periods"
MEASURES = "the six kinds of token that a record may have, which stand in the SQL, with the records of a day"
BUDGET = "lines of a budget, written by hand, with departments and platforms; '(all)' stands for any of them"
ALLOWED = {
    **dict.fromkeys(("stg_anthropic_charges", "stg_charges", "stg_charge_measures", "vw_focus"), MEASURES),
    **dict.fromkeys(("stg_adjustments_cost", "stg_sheet_cost", "stg_cost", "fct_cost_daily"), PLATFORMS),
    **dict.fromkeys(("vw_chargeback", "cost_allocation/chargeback"), PLATFORMS),
    **dict.fromkeys(("vw_change_drivers", "executive_summary/why_changed", "cost_allocation/why_changed"), FACTORS),
    **dict.fromkeys(("vw_budgets", "executive_summary/budgets", "alert budget"), BUDGET),
    "vw_headlines": "one row, which says which month it is about, with the days of that month and of the one before, and the forecast's own joins",
    "vw_forecast": FORECAST,
    **{f"executive_summary/{card}": FORECAST for card in ("projection", "month_to_end", "platform_outlook")},
    "stg_anthropic_list_value": PRICES,
    "stg_list_value": PRICES,
    "vw_reconciliation": PRICES,
    **{f"data_trust/{card}": PRICES for card in ("vendor_difference", "invoice_difference", "unexplained", "reconciliation")},
    "alert prices_explain": PRICES,
    "alert closed_month_changed": "two checks with closed months",
}

VALUES = {
    Type.STRING: "'v' || (i * 7 % 40)", Type.INT64: "i % 50", Type.NUMERIC: "CAST(i % 90 AS DECIMAL(38, 9))", Type.BOOL: "i % 3 = 0",
    Type.DATE: "DATE '2026-11-01' + CAST(i % 28 AS INTEGER)", Type.TIMESTAMP: "TIMESTAMPTZ '2026-11-01 00:00:00+00' + to_hours(CAST(i AS INTEGER))",
}  # fmt: skip


def value(column: Column) -> str:
    if column.allowed:
        listed = ", ".join(f"'{v}'" for v in column.allowed)
        return f"[{listed}][1 + i % {len(column.allowed)}]"
    return VALUES[column.type]


@pytest.fixture(scope="module")
def planned(new_desk: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with 400 rows in every table, whose optimizer treats them as it would treat millions."""
    desk: Desk = new_desk()
    with duckdb.connect(str(desk.path)) as con:
        con.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'top_n_window_elimination'")
        con.execute("SET nested_loop_join_threshold = 0; SET merge_join_threshold = 0")
        for table in (t for t in tables.ALL if not t.view):
            con.execute(f'INSERT INTO "{table.name}" SELECT {", ".join(value(c) for c in table.columns)} FROM range(400) AS r(i)')
        yield con


def statements() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, BigQuery SQL and parameters of every model, view, card and alert condition."""
    days = {"start_date": FIRST, "end_date": LAST, "as_of_date": NOW.date(), "processed_at": NOW}
    for model in models.all_models().values():
        if model.table.view:
            yield model.table.name, f"SELECT * FROM {model.table.name}", {}
        else:
            yield model.table.name, model.sql, days
    for dashboard in load_dashboards():
        for card in (c for c in dashboard.cards if c.kind != "note"):
            asked = card_query(card, FilterValues(FIRST, LAST))
            yield f"{dashboard.key}/{card.key}", asked.sql, asked.params
    for alert in load_config().alerts.values():
        if alert.sql:
            yield f"alert {alert.name}", alert.sql, dict(conditions.bound(alert, NOW.date(), NOW, ["cursor", "anthropic"]))


def plan(con: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    asked = duckdb_sql.statement(sql, ranged="start_date" in parameters)
    given = {name: v for name, v in parameters.items() if name in asked.parameters}
    found: list[dict[str, Any]] = json.loads(con.execute(f"EXPLAIN (FORMAT JSON) {asked.text}", given).fetchall()[0][1])
    return found


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


def is_one_row(side: dict[str, Any], defined: dict[str, dict[str, Any]]) -> bool:
    """Whether a side of a join has at most one row by its shape; `defined` are the plan's CTEs by their number."""
    name, below = side["name"].strip(), side["children"]
    if name == "CTE_SCAN":
        below = [defined[side["extra_info"]["CTE Index"]]]
    if name in EACH_WITH_EACH:
        return all(is_one_row(one, defined) for one in below)
    return name in ONE_ROW or (name in SAME_ROWS and len(below) == 1 and is_one_row(below[0], defined))


def each_with_each(trees: list[dict[str, Any]]) -> list[str]:
    every = [node for tree in trees for node in nodes(tree)]
    defined = {n["extra_info"]["Table Index"]: n["children"][0] for n in every if n["name"].strip() == "CTE"}
    return [
        f"{node['name'].strip()} {node['extra_info']}"
        for node in every
        if node["name"].strip() in EACH_WITH_EACH and not any(is_one_row(side, defined) for side in node["children"])
    ]


def test_no_question_compares_each_row_with_each(planned: duckdb.DuckDBPyConnection) -> None:
    found, asked = {}, 0
    for name, sql, parameters in statements():
        asked += 1
        if wrong := each_with_each(plan(planned, sql, parameters)):
            found[name] = wrong
    assert asked > 160
    assert not found.keys() - ALLOWED.keys(), "\n".join(f"{name}: {joins}" for name, joins in found.items() if name not in ALLOWED)
    assert not ALLOWED.keys() - found.keys(), "these are mended; take their lines away"


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("SELECT * FROM dim_users AS a LEFT JOIN dim_users AS b ON a.is_active AND a.email = b.email", True),
        ("SELECT * FROM dim_users AS a CROSS JOIN raw_fetches AS b", True),
        ("SELECT * FROM dim_users AS a INNER JOIN raw_fetches AS b ON a.email != b.fetch_id", True),
        ("SELECT * FROM dim_users AS a CROSS JOIN (SELECT MAX(usage_date) AS d FROM raw_fetches) AS b", False),
        (
            "WITH m AS (SELECT MAX(usage_date) AS d FROM raw_fetches) SELECT a.email FROM dim_users AS a CROSS JOIN m AS x CROSS JOIN m AS y",
            False,
        ),
        (
            "WITH m AS (SELECT usage_date AS d FROM raw_fetches LIMIT 9) SELECT a.email FROM dim_users AS a CROSS JOIN m AS x CROSS JOIN m AS y",
            True,
        ),
        ("SELECT * FROM dim_users AS a LEFT JOIN raw_fetches AS b ON a.email = b.fetch_id AND b.fetched_at > a.updated_at", False),
    ],
)
def test_the_plan_tells(planned: duckdb.DuckDBPyConnection, sql: str, wrong: bool) -> None:
    assert bool(each_with_each(plan(planned, sql, {}))) == wrong


# The joins that were mended say what they said ------------------------------------------------------------------------

BEFORE = {
    "marts/vw_use_and_cost": (
        "p.platform = c.platform AND",
        "p.platform = 'claude_code' AND",
    ),
    "marts/vw_unmapped": ("o.kind = k.kind", "o.kind = 'key'"),
    "staging/stg_anthropic_usage": (
        "CASE WHEN r.subscription_type = 'enterprise' THEN r.usage_date END = e.usage_date",
        "r.usage_date = e.usage_date AND r.subscription_type = 'enterprise'",
    ),
}
WORDS = {
    "platform": ("claude_code", "cursor"), "source": ("anthropic", "claude_enterprise"), "cost_type": ("usage", "overage", "subscription"),
    "endpoint": ("usage_report/claude_code", "analytics/users"), "subscription_type": ("enterprise", "team"), "state": ("complete",),
    "model_breakdown": ('[{"model": "a", "tokens": {"input": 1}}]',),
    "customer_type": ("api", "subscription"), "attribution": ("unattributed", "direct"), "origin": ("api",),
}  # fmt: skip


def drawn(column: Column, draw: random.Random) -> str:
    if column.nullable and draw.random() < 0.25:
        return "NULL"
    if column.type is Type.STRING:
        return f"'{draw.choice(WORDS.get(column.name, column.allowed or ('a', 'b')))}'"
    day = f"2026-11-{draw.randint(1, 2):02}"
    return {
        Type.INT64: str(draw.randint(0, 3)), Type.NUMERIC: str(draw.randint(-2, 5)), Type.BOOL: str(draw.random() < 0.5),
        Type.DATE: f"DATE '{day}'", Type.TIMESTAMP: f"TIMESTAMPTZ '{day} {draw.randint(0, 23):02}:00:00+00'",
    }[column.type]  # fmt: skip


@pytest.mark.parametrize("name", BEFORE)
def test_a_mended_join_answers_as_before(new_desk: Any, name: str) -> None:
    """On random companies of a few people, days and keys, with NULL wherever it may be: the same rows, as often."""
    new, old = BEFORE[name]
    model = models.model(name.partition("/")[2])
    assert model.sql.count(new) == 1
    mended, before = (dialect.to_duckdb(models.view_sql(replace(model, sql=sql))) for sql in (model.sql, model.sql.replace(new, old)))
    unmatched = dialect.to_duckdb(models.view_sql(replace(model, sql=model.sql.replace(new, f"FALSE AND {new}"))))
    needed, wanted = set(), [model.table.name]
    while wanted:
        read = models.model(wanted.pop())
        for other in read.inputs:
            if other not in needed:
                needed.add(other)
                wanted += [other] if tables.BY_NAME[other].view else []
    rows = matched = 0
    draw = random.Random(7)
    with duckdb.connect(str(new_desk().path)) as con:
        con.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'top_n_window_elimination'")
        for _ in range(20):
            for table in (tables.BY_NAME[n] for n in sorted(needed) if not tables.BY_NAME[n].view):
                lines = ", ".join(f"({', '.join(drawn(c, draw) for c in table.columns)})" for _ in range(12))
                con.execute(f'DELETE FROM "{table.name}"; INSERT INTO "{table.name}" VALUES {lines}')
            one, other, none = (sorted(map(repr, con.execute(sql).fetchall())) for sql in (mended, before, unmatched))
            assert one == other
            rows += len(one)
            matched += one != none
    assert rows > 10 and matched > 2, "else nothing was joined"
