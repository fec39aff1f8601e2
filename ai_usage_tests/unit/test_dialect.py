"""BigQuery's SQL on DuckDB: one case per measured difference, with the answer that GoogleSQL gives, known by hand.

A repair must hold wherever the expression stands: each case is also asked inside parentheses, a CTE, a WHERE and a CASE.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from ai_usage.warehouse import WarehouseError, dialect

D, N = date, Decimal


def answer(sql: str) -> list[tuple]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        return con.execute(dialect.to_duckdb(sql)).fetchall()


CASES: list[tuple[str, Any]] = [
    # NUMERIC has nine decimals, not three
    ("CAST('1.123456789' AS NUMERIC)", N("1.123456789")),
    ("NUMERIC '1.123456789'", N("1.123456789")),
    ("SAFE_CAST('x' AS NUMERIC)", None),
    ("CAST(CAST('1.123456789' AS NUMERIC) * CAST('1.5' AS NUMERIC) AS NUMERIC)", N("1.685185184")),
    # NUMERIC / NUMERIC, SAFE_DIVIDE and AVG stay NUMERIC
    ("CAST(1 AS NUMERIC) / 3", N("0.333333333")),
    ("CAST(2 AS NUMERIC) / CAST(3 AS NUMERIC)", N("0.666666667")),
    ("SAFE_DIVIDE(CAST(1 AS NUMERIC), 3)", N("0.333333333")),
    ("SAFE_DIVIDE(CAST(1 AS NUMERIC), 0)", None),
    ("CAST(CAST(5 AS NUMERIC) / 2 AS INT64)", 3),
    ("CAST(CAST(-5 AS NUMERIC) / 2 AS INT64)", -3),
    ("ROUND(CAST('2.5' AS NUMERIC))", N(3)),
    ("ROUND(CAST('-0.125' AS NUMERIC), 2)", N("-0.13")),
    ("7 / 2", 3.5),
    # DATE arithmetic stays DATE
    ("DATE_TRUNC(DATE '2026-11-15', MONTH)", D(2026, 11, 1)),
    ("DATE_TRUNC(DATE '2026-11-15', QUARTER)", D(2026, 10, 1)),
    ("DATE_TRUNC(DATE '2026-11-22', WEEK)", D(2026, 11, 22)),
    ("DATE_TRUNC(DATE '2026-11-22', ISOWEEK)", D(2026, 11, 16)),
    ("DATE_ADD(DATE '2026-01-31', INTERVAL 1 MONTH)", D(2026, 2, 28)),
    ("DATE_SUB(DATE '2026-03-31', INTERVAL 1 MONTH)", D(2026, 2, 28)),
    ("DATE_SUB(DATE_ADD(DATE_TRUNC(DATE '2024-02-10', MONTH), INTERVAL 1 MONTH), INTERVAL 1 DAY)", D(2024, 2, 29)),
    ("CAST(DATE_TRUNC(DATE '2026-11-15', MONTH) AS STRING)", "2026-11-01"),
    ("CONCAT('m', CAST(DATE_ADD(DATE '2026-01-31', INTERVAL 1 DAY) AS STRING))", "m2026-02-01"),
    ("LAST_DAY(DATE '2024-02-10')", D(2024, 2, 29)),
    ("DATE_DIFF(DATE '2026-11-01', DATE '2026-10-31', MONTH)", 1),
    ("DATE_DIFF(DATE '2026-11-01', DATE '2026-11-03', DAY)", -2),
    # EXTRACT
    ("EXTRACT(DAYOFWEEK FROM DATE '2026-11-22')", 1),
    ("EXTRACT(DAYOFWEEK FROM DATE '2026-11-28')", 7),
    ("EXTRACT(ISOWEEK FROM DATE '2026-12-31')", 53),
    ("EXTRACT(DATE FROM TIMESTAMP '2026-11-22 23:59:59+00')", D(2026, 11, 22)),
    ("DATE(TIMESTAMP '2026-11-22 03:00:00+00', 'America/Los_Angeles')", D(2026, 11, 21)),
    # TIMESTAMP_DIFF counts whole units
    ("TIMESTAMP_DIFF(TIMESTAMP '2026-11-22 11:00:00+00', TIMESTAMP '2026-11-22 10:59:00+00', HOUR)", 0),
    ("TIMESTAMP_DIFF(TIMESTAMP '2026-11-22 12:30:00+00', TIMESTAMP '2026-11-22 10:00:00+00', HOUR)", 2),
    ("TIMESTAMP_DIFF(TIMESTAMP '2026-11-22 10:00:00+00', TIMESTAMP '2026-11-22 12:30:00+00', HOUR)", -2),
    ("TIMESTAMP_DIFF(TIMESTAMP '2026-11-23 01:00:00+00', TIMESTAMP '2026-11-22 23:00:00+00', DAY)", 0),
    ("TIMESTAMP_DIFF(TIMESTAMP '2026-11-22 10:00:01.5+00', TIMESTAMP '2026-11-22 10:00:00+00', MILLISECOND)", 1500),
    # DIV
    ("DIV(1 + 6, 1 + 1)", 3),
    ("DIV(17, 7 * 2)", 1),
    ("DIV(-7, 2)", -3),
    ("3 * DIV(7, 2)", 9),
    ("12 - DIV(7, 2) * 2", 6),
    ("100 / DIV(9, 2)", 25.0),
    ("DIV(DIV(17, 2), 3)", 2),
    # NORMALIZE
    ("NORMALIZE('Zoe\\u0308')", "Zo\u00eb"),
    # what is alike must stay so
    ("REGEXP_REPLACE('a+b@x', r'\\+[^@]*@', '@')", "a@x"),
    ("SPLIT('a;b', ';')[SAFE_OFFSET(5)]", None),
    ("TO_HEX(SHA256('a'))", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("JSON_VALUE('{\"a\": {\"b\": 1}}', '$.a.b')", "1"),
]
AROUND = {
    "alone": "SELECT {} AS v",
    "parentheses": "SELECT ({}) AS v",
    "cte": "WITH c AS (SELECT {} AS v) SELECT v FROM c",
    "case": "SELECT CASE WHEN TRUE THEN {} END AS v",
    "beside a division": "SELECT {} AS v, 1 / 2 AS other",
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("expression", "expected"), CASES, ids=[c[0] for c in CASES])
def test_an_expression_answers_as_googlesql_does(expression: str, expected: Any, around: str) -> None:
    found = answer(AROUND[around].format(expression))[0][0]
    assert found == expected and type(found) is type(expected)


STATEMENTS: list[tuple[str, list]] = [
    ("SELECT COUNTIF(x) FROM UNNEST([CAST(NULL AS BOOL)]) AS x", [(0,)]),
    ("SELECT COUNTIF(x > 1) FROM UNNEST([1, 2, 3]) AS x WHERE x > 5", [(0,)]),
    ("SELECT COUNTIF(x > 1) FROM UNNEST([1, 2, 3, NULL]) AS x", [(2,)]),
    ("SELECT COUNTIF(x > 1) OVER () FROM UNNEST([1, 2]) AS x", [(1,), (1,)]),
    ("SELECT x, pos FROM UNNEST(['a', 'b']) AS x WITH OFFSET AS pos ORDER BY pos", [("a", 0), ("b", 1)]),
    ("SELECT x FROM UNNEST(['a', 'b']) AS x WITH OFFSET AS pos WHERE pos = 0", [("a",)]),
    ("SELECT x, pos + 1 FROM UNNEST(['a', 'b']) AS x WITH OFFSET AS pos ORDER BY pos", [("a", 1), ("b", 2)]),
    ("SELECT x, pos - 1 FROM UNNEST(['a', 'b']) AS x WITH OFFSET AS pos ORDER BY pos", [("a", -1), ("b", 0)]),
    ("SELECT x, 10 - pos FROM UNNEST(['a', 'b']) AS x WITH OFFSET AS pos ORDER BY pos", [("a", 10), ("b", 9)]),
    ("SELECT AVG(x) FROM UNNEST([NUMERIC '0.1', NUMERIC '0.2', NUMERIC '0.2']) AS x", [(N("0.166666667"),)]),
    ("SELECT SUM(x) / COUNT(*) FROM UNNEST([NUMERIC '1', NUMERIC '1', NUMERIC '2']) AS x", [(N("1.333333333"),)]),
    ("SELECT SUM(x) FROM UNNEST([NUMERIC '0.1', NUMERIC '0.2']) AS x", [(N("0.3"),)]),
    ("SELECT AVG(x) FROM UNNEST([1, 2]) AS x", [(1.5,)]),
    (
        "SELECT d FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2024-02-28', DATE '2024-03-01')) AS d ORDER BY d",
        [(D(2024, 2, 28),), (D(2024, 2, 29),), (D(2024, 3, 1),)],
    ),
    ("SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x", [(None,), (1,), (2,)]),
    ("SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x DESC", [(2,), (1,), (None,)]),
    ("SELECT ANY_VALUE(n HAVING MAX x) FROM (SELECT 'a' AS n, 1 AS x UNION ALL SELECT 'b', 2)", [("b",)]),
    ("SELECT MAX(TIMESTAMP('1970-01-01')) FROM UNNEST([1])", [(datetime(1970, 1, 1, tzinfo=UTC),)]),
]


@pytest.mark.parametrize(("sql", "expected"), STATEMENTS, ids=[s[0] for s in STATEMENTS])
def test_a_statement_answers_as_googlesql_does(sql: str, expected: list) -> None:
    assert answer(sql) == expected


def test_division_by_a_declared_numeric_column_is_numeric(desk) -> None:
    """Types come from the declarations, through a CTE and a join too."""
    desk.lay("fct_cost_daily", {"cost_usd": N(1), "user_email": "a"}, {"cost_usd": N("0.000000001"), "user_email": "b"})
    sql = (
        "WITH c AS (SELECT SUM(f.cost_usd) AS usd, COUNT(*) AS n FROM fct_cost_daily AS f) "
        "SELECT usd / 3 AS a, SAFE_DIVIDE(usd, n) AS b FROM c"
    )
    (row,) = desk.ask(sql)
    assert row == {"a": N("0.333333334"), "b": N("0.500000001")}
    assert desk.one("SELECT AVG(cost_usd) FROM fct_cost_daily") == N("0.500000001")


def test_parameters_are_bound_and_never_spliced(desk) -> None:
    """A quote in a value is a quote in a value."""
    assert dialect.parameters("SELECT @a, @b_2 FROM t WHERE x = @a") == {"a", "b_2"}
    assert "$a" in dialect.to_duckdb("SELECT @a")
    hostile = "'; DROP TABLE raw_fetches; --"
    assert desk.one("SELECT @x", x=hostile) == hostile
    assert desk.one("SELECT COUNT(*) FROM UNNEST(@x) AS v WHERE v IN UNNEST(@x)", x=[hostile, "b"]) == 2


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT (1", "", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE x"])
def test_what_is_no_single_statement_is_refused_in_one_sentence(sql: str) -> None:
    with pytest.raises(WarehouseError) as caught:
        dialect.parse(sql)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("SELECT 1 UNION ALL SELECT 2", True),
        ("(SELECT 1)", True),
        ("INSERT INTO t SELECT 1", False),
        ("DELETE FROM t WHERE TRUE", False),
        ("UPDATE t SET a = 1 WHERE TRUE", False),
        ("DROP TABLE t", False),
        ("CREATE TABLE t AS SELECT 1", False),
        ("TRUNCATE TABLE t", False),
        ("MERGE t USING s ON TRUE WHEN MATCHED THEN DELETE", False),
    ],
)
def test_only_queries_are_read_only(sql: str, reads: bool) -> None:
    assert dialect.is_read_only(sql) is reads


def test_references_are_the_tables_read_without_own_ctes() -> None:
    assert dialect.references("WITH a AS (SELECT * FROM t1) SELECT * FROM a JOIN t2 ON a.x = t2.x WHERE EXISTS (SELECT 1 FROM t3)") == {
        "t1",
        "t2",
        "t3",
    }
