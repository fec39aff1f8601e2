"""What is left out because it can have no row has none, and nothing else changes.

Belongs here: the rule of `emptiness.py` by hand and against DuckDB, and answers with and without it over companies that lack some tables. Does not belong
here: what a model says.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import duckdb
import pytest

from ai_usage import tables
from ai_usage.sources import registry
from ai_usage.tables.schema import Column, Table, Type
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import ProofError, dialect, duckdb_sql, emptiness, models
from ai_usage_tests.fixtures.desk import NOON, Desk
from ai_usage_tests.proving import some

FIRST, LAST = date(2026, 11, 20), date(2026, 11, 22)
GIVEN = {"start_date": FIRST, "end_date": LAST, "as_of_date": LAST, "processed_at": NOON}

# {statement over a and b: whether it has no row where (a has none, b has none, neither has any)}
SHAPES = {
    "SELECT x FROM a": (True, False, True),
    "SELECT a.x FROM a INNER JOIN b ON a.x = b.x": (True, True, True),
    "SELECT a.x FROM a, b": (True, True, True),
    "SELECT a.x FROM a CROSS JOIN b": (True, True, True),
    "SELECT a.x FROM a LEFT JOIN b ON a.x = b.x": (True, False, True),
    "SELECT a.x FROM a RIGHT JOIN b ON a.x = b.x": (False, True, True),
    "SELECT a.x FROM a FULL JOIN b ON a.x = b.x": (False, False, True),
    "SELECT a.x FROM a LEFT JOIN a AS c ON a.x = c.x INNER JOIN b ON a.x = b.x": (True, True, True),
    "SELECT x FROM a UNION ALL SELECT x FROM b": (False, False, True),
    "SELECT x FROM a UNION DISTINCT SELECT x FROM a": (True, False, True),
    "SELECT x FROM a EXCEPT DISTINCT SELECT x FROM b": (True, False, True),
    "SELECT x FROM a INTERSECT DISTINCT SELECT x FROM b": (True, True, True),
    "SELECT x FROM a UNION ALL SELECT 1": (False, False, False),
    "SELECT COUNT(*) AS x FROM a": (False, False, False),
    "SELECT COALESCE(SUM(x), 0) + 1 AS x FROM a": (False, False, False),
    "SELECT SUM(SUM(x)) OVER () AS x FROM a": (False, False, False),
    "SELECT SUM(x) OVER () AS x FROM a": (True, False, True),
    "SELECT FIRST_VALUE(x IGNORE NULLS) OVER (ORDER BY x) AS x FROM a": (True, False, True),
    "SELECT 1 AS x FROM a HAVING COUNT(*) = 0": (False, False, False),
    "SELECT x, COUNT(*) FROM a GROUP BY x": (True, False, True),
    "SELECT COUNT(*) FROM a GROUP BY ROLLUP (x)": (False, False, False),
    "SELECT COUNT(*) FROM a GROUP BY GROUPING SETS ((x), ())": (False, False, False),
    "SELECT DISTINCT x FROM a ORDER BY x LIMIT 3": (True, False, True),
    "SELECT x FROM a QUALIFY ROW_NUMBER() OVER (PARTITION BY x) = 1": (True, False, True),
    "SELECT x FROM (SELECT x FROM a) AS c": (True, False, True),
    "SELECT n FROM (SELECT COUNT(*) AS n FROM a) AS c CROSS JOIN b": (False, True, True),
    "SELECT y FROM a, UNNEST([1, 2]) AS y": (True, False, True),
    "SELECT 1 AS x": (False, False, False),
    "SELECT x FROM b WHERE x IN (SELECT x FROM a)": (False, True, True),
    "SELECT (SELECT MAX(x) FROM a) AS x FROM b": (False, True, True),
    "WITH c AS (SELECT x FROM a) SELECT x FROM c": (True, False, True),
    "WITH a AS (SELECT x FROM b) SELECT x FROM a": (False, True, True),
    "WITH c AS (SELECT x FROM a), d AS (SELECT x FROM c UNION ALL SELECT x FROM b) SELECT d.x FROM d LEFT JOIN c ON d.x = c.x": (False, False, True),
    "SELECT x FROM (WITH a AS (SELECT x FROM b) SELECT x FROM a) AS c": (False, True, True),
}  # fmt: skip


@pytest.mark.parametrize("sql", SHAPES)
def test_a_statement_has_no_row_where_the_rule_says_so(sql: str) -> None:
    rule = emptiness.rule(sql)
    assert tuple(emptiness.holds(rule, empty) for empty in ({"a"}, {"b"}, {"a", "b"})) == SHAPES[sql]


def test_no_statement_that_the_rule_calls_empty_has_a_row_in_duckdb() -> None:
    for has_a, has_b in product((True, False), repeat=2):
        with duckdb.connect() as con:
            con.execute("CREATE TABLE a (x INT); CREATE TABLE b (x INT)")
            for name, has in (("a", has_a), ("b", has_b)):
                con.execute(f"INSERT INTO {name} SELECT 1 WHERE {has}")
            empty = {name for name, has in (("a", has_a), ("b", has_b)) if not has}
            for sql in SHAPES:
                found = con.execute(dialect.to_duckdb(sql)).fetchall()
                assert not (emptiness.holds(emptiness.rule(sql), empty) and found), (sql, empty)


# Companies ----------------------------------------------------------------------------------------------------------


TEXTS = {
    "currency": "USD",
    "platform": "claude_code",
    "department": "Research",
    "model_breakdown": '[{"model": "m", "tokens": {"input": 5}}]',
}
CLOCK = {
    "event_at": NOON,
    "period_start": FIRST,
    "period_end": LAST,
    "valid_from": date(2026, 1, 1),
    "valid_to": LAST,
    "cycle_start_at": NOON,
}
OURS = {"usage_date", "fetch_id", "fetched_at", "ingest_date", "unread", "written_amount", "extra"}


def cell(column: Column, n: int) -> Any:
    if column.name in TEXTS | CLOCK:
        return (TEXTS | CLOCK)[column.name]
    if column.type is Type.STRING:
        return column.allowed[n % len(column.allowed)] if column.allowed else f"{'ana' if n % 2 else 'ben'}@example.com"
    return {Type.INT64: n, Type.NUMERIC: Decimal(n), Type.BOOL: n % 2 == 0, Type.DATE: LAST, Type.TIMESTAMP: NOON}.get(column.type)


@pytest.fixture(scope="module")
def company(new_desk: Callable[[], Desk]) -> Desk:
    """Every endpoint that there is tells some rows of three days, and every curated table holds some, whatever they mean."""
    desk = new_desk()

    def rows(table: Table) -> list[dict[str, Any]]:
        return [{c.name: cell(c, n) for c in table.columns if c.name not in OURS} for n in range(1, 4)]

    for (source, name), endpoint in registry.ENDPOINTS.items():
        for day in (FIRST + timedelta(days=n) for n in range(3)):
            total = Decimal(6) if endpoint.vendor_total else None
            desk.fetch(source, name, day, endpoint.table.name, *rows(endpoint.table), vendor_total_usd=total)
    for table in (t for t in tables.ALL if t.layer == "curated"):
        desk.lay(table.name, *({"usage_date": LAST} | row if "usage_date" in table.column_names else row for row in rows(table)))
    return desk


STORED = sorted(t.name for t in tables.ALL if not t.view and t.layer != "curated")
ONE_VENDOR = [name for name in STORED if name.startswith(("raw_anthropic", "raw_claude", "raw_sheet"))]
LACKING = some([ONE_VENDOR], [ONE_VENDOR, *(random.Random(n).sample(STORED, len(STORED) // 2) for n in range(12))])
# What nothing else reads answers for all that it reads.
READ = {name for m in models.all_models().values() for name in m.inputs}
VIEWS = some((m.table for m in models.views() if m.table.name not in READ), (m.table for m in models.views()))
BY_DAY = some(
    (models.model(name).table for name in ("stg_cost", "stg_usage")),
    (m.table for m in models.views() if models.is_ranged_staging(m.table.name)),
)


def test_every_view_answers_the_same_whichever_tables_are_empty(company: Desk) -> None:
    """Over all days, against the stored view, and over a day range, against the statement with nothing left out."""
    asked = [(view, ranged) for ranged, views in ((False, VIEWS), (True, BY_DAY)) for view in views]
    for lacking in LACKING:
        with company.warehouse._open() as con:
            con.execute("BEGIN")
            for name in lacking:
                con.execute(f'DELETE FROM "{name}"')
            empty = duckdb_sql.empty_tables(con)
            assert empty >= set(lacking)
            void = emptiness.empty_models(empty)
            told = 0
            for view, ranged in asked:
                sql = f"SELECT {', '.join(view.column_names)} FROM {view.name}"
                whole, pruned = (duckdb_sql.statement(sql, ranged=ranged, empty=e) for e in (frozenset[str](), empty))
                if whole.text == pruned.text:
                    continue
                one, other = (
                    sorted(map(repr, con.execute(s.text, {n: v for n, v in GIVEN.items() if n in s.parameters}).fetchall()))
                    for s in (whole, pruned)
                )
                assert one == other, (view.name, ranged, lacking)
                told += bool(one)
            assert told > 3, "views that were written out anew have rows, else this proves little"
            for name in sorted(void - {view.name for view, _ in asked}):
                assert not con.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall(), name
            con.execute("ROLLBACK")


def test_the_file_is_asked_again_after_whatever_may_have_filled_a_table(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    people = "SELECT COUNT(*) AS n FROM stg_departments"
    assert desk.one(people) == 0
    desk.tab("people", {"email": "ana@example.com", "department": "Research"})  # by hand
    assert desk.one(people) == 1
    desk.warehouse.execute("DELETE FROM raw_sheet_people WHERE TRUE")
    assert desk.one(people) == 0
    kept = desk.warehouse._kept
    assert kept is not None
    published = {tables.BY_NAME["raw_sheet_people"]: tables.BY_NAME["raw_sheet_people"].arrow_schema().empty_table()}
    desk.warehouse.publish(published, tables.BY_NAME["raw_fetches"].arrow_schema().empty_table())
    assert kept.empty is not None and not kept.empty & {"raw_sheet_people", "raw_fetches"}, "what may have been filled is not called empty"
    desk.warehouse.rewrite(["DELETE FROM raw_fetches WHERE TRUE"], {}, {})
    assert kept.empty is None


def test_a_view_that_somebody_replaced_is_asked_as_it_stands_until_it_is_deployed_anew(new_desk: Callable[[], Desk]) -> None:
    desk = new_desk()
    (name, *_) = sorted(emptiness.empty_models(frozenset({"raw_sheet_adjustments"})) & {t.name for t in tables.MARTS})
    with desk.warehouse._open() as con:
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS n FROM range(7)")
    assert desk.one(f"SELECT COUNT(*) AS n FROM {name}") == 7
    desk.warehouse.create_view(tables.BY_NAME[name])
    assert desk.one(f"SELECT COUNT(*) AS n FROM {name}") == 0


@pytest.mark.parametrize("staged", [Decimal("5"), None])
def test_a_proof_fails_where_one_side_alone_has_rows(new_desk: Callable[[], Desk], staged: Decimal | None) -> None:
    """5 USD of staging and a fact that holds none; a fact of 5 USD where no vendor told anything."""
    desk = new_desk()
    model = models.model("fct_cost_daily")
    if staged:
        desk.events(LAST, {"charged_usd": staged, "user_email": "ana@example.com"}, vendor_total_usd=staged)
        sql = f"SELECT * FROM ({model.sql}) AS made WHERE FALSE"
    else:
        row = {"cost_date": f"DATE '{LAST}'", "platform": "'cursor'", "vendor": "'Cursor'", "cost_type": "'usage'", "attribution": "'direct'",
               "settle_state": "'settled'", "source": "'cursor_events'", "cost_usd": "CAST(5 AS NUMERIC)", "processed_at": "@processed_at"}  # fmt: skip
        cells = (f"{row.get(c.name) or f'CAST(NULL AS {c.type.value})'} AS {c.name}" for c in model.table.columns)
        sql = f"SELECT {', '.join(cells)}"
    with pytest.raises(ProofError, match=r"staged cost = fct_cost_daily, per day does not hold, the difference is 5\."):
        desk.warehouse.replace(model.table, sql, GIVEN, FACTS["fct_cost_daily"])
    assert desk.one("SELECT COUNT(*) AS n FROM fct_cost_daily") == 0
