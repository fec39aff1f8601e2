"""`ai-usage metabase …` as people call it, and the serving copy."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from ai_usage import tables
from ai_usage.cli.metabase import app, config_of
from ai_usage.errors import PlatformError
from ai_usage.outputs.postgres import copy_marts
from ai_usage.settings import Settings, variable
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError
from ai_usage.warehouse.postgres_dialect import to_postgres
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.metabase.engines import BigQuery
from ai_usage_tests.metabase.standin import StandIn

N = Decimal


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Calls a command with these settings and no others."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)

    def run(*arguments: str, **variables: str):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, list(arguments))

    return run


def settings_for(metabase: StandIn, folder: Path) -> dict[str, str]:
    key = folder / "key.json"
    key.write_text("{}")
    return {
        "METABASE_URL": metabase.url, "METABASE_API_KEY": metabase.api_key, "AI_USAGE_METABASE_ENGINE": "bigquery",
        "AI_USAGE_METABASE_BIGQUERY_PROJECT": "project", "AI_USAGE_METABASE_BIGQUERY_DATASET": metabase.engine.dataset,
        "AI_USAGE_METABASE_BIGQUERY_CREDENTIALS": str(key), "AI_USAGE_HTTP_BACKOFF_S": "0.01",
        "AI_USAGE_METABASE_RECIPIENTS": '{"finance": ["fin@example.com"]}',
    }  # fmt: skip


def test_plan_apply_verify_and_export_check(call, bigquery: BigQuery, tmp_path: Path) -> None:
    """2 while something would change, 0 when nothing does; a hand-made edit is 2 again and named."""
    with StandIn(bigquery) as metabase:
        first = call("plan", **settings_for(metabase, tmp_path))
        assert first.exit_code == 2, first.output
        assert "create dashboard cost_allocation" in first.stdout
        assert "create alert More than 5 % of the AI cost of 30 days has no owner" in first.stdout
        applied = call("apply")
        assert applied.exit_code == 0, applied.output
        for command in ("plan", "export-check", "apply"):
            again = call(command)
            assert (again.exit_code, again.stdout) == (0, ""), again.output
        card = next(iter(metabase.cards.values()))
        card["name"] = "edited by hand"
        checked = call("export-check")
        assert checked.exit_code == 2 and checked.stdout.count("\n") == 1 and "'edited by hand' ->" in checked.stdout
        assert call("apply").exit_code == 0 and card["name"] != "edited by hand"
        proved = call("verify")
        assert proved.exit_code == 0 and "0 failed" in proved.stderr, proved.output
        tile = next(t for b in metabase.boards.values() for t in b["dashcards"] if t["parameter_mappings"])
        for mapping in tile["parameter_mappings"]:
            del mapping["card_id"]
        assert call("verify").exit_code == 1
        assert metabase.invalid == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "METABASE_URL is not set"),
        ({"METABASE_URL": "https://m"}, "METABASE_POSTGRES_URL is not set"),
        ({"METABASE_URL": "https://m", "METABASE_POSTGRES_URL": "nonsense"}, "is not of the form postgresql://"),
        ({"METABASE_URL": "https://m", "AI_USAGE_METABASE_ENGINE": "bigquery"}, "no project is named; set AI_USAGE_BIGQUERY_PROJECT"),
        (
            {"METABASE_URL": "https://m", "AI_USAGE_METABASE_ENGINE": "bigquery", "AI_USAGE_BIGQUERY_PROJECT": "p"},
            "AI_USAGE_METABASE_BIGQUERY_CREDENTIALS is not set",
        ),
        ({"METABASE_URL": "m"}, "must begin with http"),
        ({"METABASE_URL": "https://m", "AI_USAGE_METABASE_GROUPS": "Finance"}, "which is no JSON; write an object"),
        ({"METABASE_URL": "https://m", "METABASE_POSTGRES_URL": "postgresql://u@h/d", "AI_USAGE_METABASE_PERSONAL": "boss"}, "names the audience 'boss'"),
    ],
)  # fmt: skip
def test_a_setting_that_is_missing_or_wrong_is_one_sentence(call, variables: dict[str, str], said: str) -> None:
    result = call("plan", **variables)
    assert isinstance(result.exception, PlatformError) and said in str(result.exception)


def test_settings_become_a_configuration(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, METABASE_URL="https://m/", METABASE_POSTGRES_URL="postgresql://r:s3cret@h/d", metabase_personal="finance, managers",
        metabase_recipients={"finance": ["a@example.com"]},
    )  # fmt: skip
    config = config_of(settings)
    assert (config.url, config.personal, config.recipients) == ("https://m", ("finance", "managers"), {"finance": ("a@example.com",)})
    assert (config.database.engine, config.database.schema, config.database.details["password"]) == ("postgres", "ai_usage", "s3cret")
    assert "s3cret" not in repr(config) and "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "project", "dataset"),
    [
        ({}, "warehouse-project", "warehouse"),
        ({"metabase_bigquery_dataset": "served"}, "warehouse-project", "served"),
        ({"metabase_bigquery_project": "other", "metabase_bigquery_dataset": "served"}, "other", "served"),
    ],
    ids=["the warehouse's", "another dataset", "another project"],
)
def test_metabase_reads_the_warehouses_dataset_unless_told_otherwise(
    given: dict[str, str], project: str, dataset: str, tmp_path: Path
) -> None:
    key = tmp_path / "key.json"
    key.write_text("{}")
    settings = Settings(
        _env_file=None, METABASE_URL="https://m", metabase_engine="bigquery", metabase_bigquery_credentials=key,
        bigquery_project="warehouse-project", bigquery_dataset="warehouse", **given,
    )  # fmt: skip
    database = config_of(settings).database
    assert (database.details["project-id"], database.schema) == (project, dataset)


# The serving copy ---------------------------------------------------------------------------------------------


def test_publish_copies_every_mart_to_the_last_digit(call, postgres_url: str, company_file: Path) -> None:
    result = call("publish", AI_USAGE_SERVING_URL=f"{postgres_url}?schema=served", AI_USAGE_DUCKDB_PATH=str(company_file))
    assert result.exit_code == 0, result.output
    with psycopg.connect(postgres_url) as con:
        for table in tables.MARTS:
            there = con.execute(f"SELECT count(*) FROM served.{table.name}".encode()).fetchone()
            assert f"{table.name}: {there[0]:,} rows" in result.stdout
        assert con.execute("SELECT sum(cost_usd) FROM served.vw_cost_allocation").fetchone() == (N("145.000000000"),)


def test_a_second_copy_replaces_the_first_and_keeps_what_was_granted(postgres_url: str, new_desk) -> None:
    """0.123456789 USD survives digit for digit; a changed declaration makes the table anew; a failure leaves the old copy."""
    desk: Desk = new_desk()
    cost = {
        "platform": "cursor", "vendor": "V", "cost_type": "usage", "attribution": "direct", "settle_state": "settled", "source": "s",
        "user_email": "a@example.com", "cost_date": date(2026, 1, 1),
    }  # fmt: skip
    desk.lay("fct_cost_daily", {**cost, "cost_usd": N("0.123456789")})
    mart = [tables.BY_NAME["vw_cost_allocation"]]
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute("DROP SCHEMA IF EXISTS again CASCADE")
        con.execute("DROP ROLE IF EXISTS reader")
        con.execute("CREATE ROLE reader")
        assert copy_marts(desk.warehouse, postgres_url, "again", mart) == {"vw_cost_allocation": 1}
        con.execute("GRANT SELECT ON again.vw_cost_allocation TO reader")
        desk.lay("fct_cost_daily", {**cost, "cost_usd": N(1), "model": "m"})
        copy_marts(desk.warehouse, postgres_url, "again", mart)
        assert con.execute("SELECT sum(cost_usd) FROM again.vw_cost_allocation").fetchone() == (N("1.123456789"),)
        assert con.execute("SELECT has_table_privilege('reader', 'again.vw_cost_allocation', 'SELECT')").fetchone() == (True,)
        con.execute("CREATE FUNCTION again.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.cost_usd := 0; RETURN NEW; END $$")
        con.execute("CREATE TRIGGER no BEFORE INSERT ON again.vw_cost_allocation FOR EACH ROW EXECUTE FUNCTION again.no()")
        with pytest.raises(WarehouseError, match="nothing was published"):
            copy_marts(desk.warehouse, postgres_url, "again", mart)
        assert con.execute("SELECT sum(cost_usd) FROM again.vw_cost_allocation").fetchone() == (N("1.123456789"),)
        con.execute("ALTER TABLE again.vw_cost_allocation DROP COLUMN model")
        copy_marts(desk.warehouse, postgres_url, "again", mart)
        assert con.execute("SELECT max(model) FROM again.vw_cost_allocation").fetchone() == ("m",)


def test_an_unreachable_postgres_is_one_sentence_without_the_password(company_warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError, match="the serving copy was not written") as found:
        copy_marts(company_warehouse, "postgresql://u:s3cret@127.0.0.1:9/d?schema=x", "x", [tables.BY_NAME["vw_data_health"]])
    assert "s3cret" not in str(found.value)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("SELECT SAFE_DIVIDE(1, 4)", N("0.25")),
        ("SELECT SAFE_DIVIDE(1, 0)", None),
        ("SELECT 1 / 4", N("0.25")),
        ("SELECT SAFE_DIVIDE(1 + 2, 1 + 3)", N("0.75")),
        ("SELECT COUNTIF(x > 9) FROM (SELECT 1 AS x)", 0),
        ("SELECT COUNTIF(x > 9) FROM (SELECT 1 AS x) WHERE x > 5", 0),
        ("SELECT DATE_TRUNC(DATE '2026-11-22', ISOWEEK) = DATE '2026-11-16'", True),
        ("SELECT CAST(DATE_TRUNC(DATE '2026-11-22', MONTH) AS STRING)", "2026-11-01"),
        ("SELECT CAST(DATE_SUB(DATE '2026-03-01', INTERVAL 1 DAY) AS STRING)", "2026-02-28"),
        ("SELECT DATE_DIFF(DATE '2026-03-01', DATE '2026-02-01', DAY)", 28),
        ("SELECT LOGICAL_OR(x > 1) FROM (SELECT 1 AS x UNION ALL SELECT 2)", True),
        ("SELECT CASE 'a' WHEN 'a' THEN 'it\\'s' END", "it's"),
    ],
)
def test_bigquery_sql_says_the_same_on_postgres(postgres_url: str, asked: str, answer: object) -> None:
    """The answers are GoogleSQL's, from its documentation."""
    with psycopg.connect(postgres_url) as con:
        assert con.execute(to_postgres(asked).encode()).fetchone() == (answer,)
