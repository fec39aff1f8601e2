"""A person's question: what it may name, and that it ends within its bounds."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from ai_usage.cli import ask
from ai_usage.cli.app import app
from ai_usage.dashboards.load import load_dashboards
from ai_usage.warehouse import WarehouseError, guard
from ai_usage_tests.fixtures.desk import Desk

FOREVER = "SELECT COUNT(*) AS n FROM " + ", ".join(f"UNNEST(GENERATE_ARRAY(1, 100000)) AS {x}" for x in "abc") + " WHERE a * b + c = 7"


def asked(desk: Desk, sql: str, seconds: float = 60, memory_mb: int = 500) -> list[dict]:
    return [row for batch in desk.warehouse.ask(sql, seconds=seconds, memory_mb=memory_mb) for row in batch.to_pylist()]


def test_a_question_ends_by_its_time_and_its_memory(desk: Desk) -> None:
    began = time.monotonic()
    with pytest.raises(WarehouseError, match="within 1 s; .*AI_USAGE_QUERY_TIMEOUT_S"):
        asked(desk, FOREVER, seconds=1)
    assert time.monotonic() - began < 20
    hungry = "SELECT STRING_AGG(CAST(a AS STRING) || '-' || CAST(b AS STRING)) AS s FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS a, UNNEST(GENERATE_ARRAY(1, 9000)) AS b"
    with pytest.raises(WarehouseError, match="more than 100 MB of memory; .*AI_USAGE_QUERY_MEMORY_MB"):
        asked(desk, hungry, memory_mb=100)
    assert asked(desk, "SELECT 1 AS a") == [{"a": 1}], "and the next one is answered"


def test_ctrl_c_ends_a_question_at_once(desk: Desk) -> None:
    threading.Timer(1, signal.raise_signal, [signal.SIGINT]).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        asked(desk, FOREVER)
    assert time.monotonic() - began < 20


def test_a_large_answer_comes_in_batches_and_none_is_a_batch_too(desk: Desk) -> None:
    batches = desk.warehouse.ask(
        "SELECT a, b FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a, UNNEST(GENERATE_ARRAY(1, 100000)) AS b", seconds=60, memory_mb=500
    )
    assert next(batches).num_rows == 0 and next(batches).num_rows > 0
    batches.close()
    assert [b.column_names for b in desk.warehouse.ask("SELECT 1 AS a FROM raw_fetches WHERE FALSE", seconds=60, memory_mb=500)] == [["a"]]


@pytest.mark.parametrize(
    "source",
    ["read_blob('{}')", "read_text('{}')", "read_csv('{}')", "glob('{}')", "duckdb_settings()", "query('SELECT 1')", "query_table('raw_fetches')", "pragma_version()",
     "(SELECT * FROM read_blob('{}'))", "raw_fetches, LATERAL read_blob('{}')", "raw_fetches CROSS JOIN LATERAL read_blob('{}')"],
)  # fmt: skip
def test_no_function_reads_as_a_table_and_not_the_warehouses_own_file(desk: Desk, source: str) -> None:
    for put in (desk.warehouse.select, lambda sql: asked(desk, sql)):
        with pytest.raises(WarehouseError, match="is no table|is no function|cannot be read"):
            put(f"SELECT * FROM {source.format(desk.warehouse.path)}")


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM `{}`", "SELECT * FROM `{}`.raw_fetches", "SELECT * FROM main.raw_fetches", "SELECT * FROM pragma_database_list", "SELECT * FROM duckdb_logs",
     "SELECT * FROM pg_catalog.pg_settings", "SELECT * FROM sqlite_master", "SELECT * FROM other_dataset.people", "SELECT * FROM information_schema.role_table_grants",
     "SELECT * FROM (WITH `{0}` AS (SELECT 1 AS a) SELECT a FROM `{0}`) AS x, `{0}`"],
)  # fmt: skip
def test_a_question_names_declared_tables_alone(sql: str) -> None:
    with pytest.raises(WarehouseError, match="there is no table|is not shown here"):
        guard.check(sql.format("/data/ai_usage.duckdb"))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT current_setting('temp_directory')", "current_setting is no function"),
        ("SELECT getvariable('x')", "getvariable is no function"),
        ("SELECT write_log('x')", "write_log is no function"),
        ("SELECT sleep_ms(100000)", "sleep_ms is no function"),
        ("SELECT 1 FROM raw_fetches WHERE json_serialize_sql('SELECT 1') = 'x'", "json_serialize_sql is no function"),
        ("SELECT @x", "no parameters"),
        ("SELECT ?", "no parameters"),
        ("SELECT @@version", "no parameters"),
        ("SELECT * INTO x FROM raw_fetches", "only a SELECT"),
        ("WITH x AS (DELETE FROM raw_fetches) SELECT * FROM x", "only a SELECT"),
        ("COPY raw_fetches TO 'x.csv'", "only a SELECT"),
        ("PRAGMA database_list", "only a SELECT"),
        ("SET memory_limit = '9GB'", "only a SELECT"),
    ],
)
def test_a_question_asks_with_the_dialects_own_means(sql: str, why: str) -> None:
    with pytest.raises(WarehouseError, match=why):
        guard.check(sql)


def test_what_a_card_asks_a_person_may_ask() -> None:
    for dashboard in load_dashboards():
        for card in (c for c in dashboard.cards if c.sql):
            guard.check(re.sub(r"@\w+", "NULL", card.source.text))


def test_what_the_engine_does_not_let_go_of_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One function over one long text hears no interruption; the command then ends its process."""
    monkeypatch.setattr("ai_usage.warehouse.duckdb._GRACE_S", 0.05)
    told: list[str | None] = []
    deaf = "SELECT EDIT_DISTANCE(REPEAT('a', 20000), REPEAT('b', 20000)) AS n"
    with pytest.raises(WarehouseError, match="within 0 s"):
        list(desk.warehouse.ask(deaf, seconds=0.01, memory_mb=500, stuck=told.append))
    (sentence,) = told
    assert sentence and "AI_USAGE_QUERY_TIMEOUT_S" in sentence


HUNGRY = """
import sys
from pathlib import Path
from ai_usage.guards.memory import limited_memory
from ai_usage.warehouse import DuckDBWarehouse
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
for sql in sys.argv[2:]:
    try:
        with limited_memory(100):
            list(warehouse.ask(sql, seconds=60, memory_mb=100))
    except Exception as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux keeps a limit of a process's memory.")
def test_one_long_value_meets_the_limit_too(desk: Desk) -> None:
    """DuckDB's own memory_limit does not see the text that one function makes."""
    asked = ["SELECT REPEAT('x', 2000000000)", "SELECT GENERATE_ARRAY(1, 1000000000)"]
    done = subprocess.run([sys.executable, "-c", HUNGRY, str(desk.path), *asked], capture_output=True, text=True, timeout=120, check=True)
    assert [line.partition(";")[0] for line in done.stdout.splitlines()] == ["the query needs more than 100 MB of memory"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux keeps a limit of a process's memory.")
def test_a_query_leaves_the_process_no_limit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that asks twice, or goes on to something larger, may take what it could take before."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(desk.path))
    seen = []
    real = ask.show
    monkeypatch.setattr(ask, "show", lambda *args: (seen.append(resource.getrlimit(resource.RLIMIT_DATA)), real(*args)))
    assert CliRunner().invoke(app, ["query", "SELECT 1 AS n"]).exit_code == 0
    assert seen != [before], "the query itself is limited"
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize(
    "sql", ["SELECT " + "(" * 3000 + "1" + ")" * 3000, "SELECT " + "1 + " * 5000 + "1", "SELECT " + "NOT " * 3000 + "TRUE"]
)
def test_deep_nesting_is_one_sentence(desk: Desk, sql: str) -> None:
    with pytest.raises(WarehouseError, match="nested too deeply"):
        desk.warehouse.select(sql)


@pytest.mark.parametrize("place", ["information_schema", "INFORMATION_SCHEMA"])
def test_tables_and_columns_are_listed(desk: Desk, place: str) -> None:
    found = asked(
        desk,
        f"SELECT c.table_name FROM {place}.columns AS c INNER JOIN {place}.TABLES AS t ON c.table_name = t.table_name WHERE c.column_name = 'fetch_id'",
    )
    assert "raw_fetches" in {row["table_name"] for row in found}


@pytest.mark.parametrize(
    ("sql", "near"),
    [
        ("SELECT 1 FROM raw_fetchs", "no table raw_fetchs here; did you mean raw_fetches"),
        ("SELECT fetchid FROM raw_fetches", "no column fetchid here; did you mean fetch_id"),
        ("SELECT f.fetchid FROM raw_fetches AS f", "no column fetchid here; did you mean fetch_id"),
        ("SELECT zzzzzz FROM raw_fetches", "no column zzzzzz here; SELECT table_name"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(desk: Desk, sql: str, near: str) -> None:
    with pytest.raises(WarehouseError, match=re.escape(near)):
        asked(desk, sql)


@pytest.mark.parametrize("sql", ["FROM raw_fetches |> LIMIT x1", "FROM raw_fetches |> LIMIT 1 |> LIMIT y"])
def test_what_the_parser_itself_stumbles_over_is_one_sentence(sql: str) -> None:
    with pytest.raises(WarehouseError, match="cannot be read as BigQuery dialect"):
        guard.check(sql)
