"""Expressions on both engines: what `dialect.py` repairs, what is alike without it, and what stays different.

Belongs here: single expressions and small statements, values and types. Whole models are in `test_models_agree.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from ai_usage.remembered import unrecorded
from ai_usage.warehouse import WarehouseError, dialect, duckdb_sql, models
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.parity.googlesql import GoogleSQLError
from ai_usage_tests.parity.witness import Disagreement
from ai_usage_tests.unit.test_dialect import CASES, STATEMENTS

ROOT = models.sql_root().parent

# Alike on both, beside the cases that the unit tests work out by hand.
MORE = [
    "NUMERIC '123456789012345.123456789' / 7", "SAFE_DIVIDE(NUMERIC '-12345678.123456789', NUMERIC '0.7')", "NUMERIC '0.000000001' / 2",
    "NUMERIC '-0.000000001' / 2", "NUMERIC '-2' / -3", "NUMERIC '10' / 3 / 3", "NUMERIC '1' / 2.5", "NUMERIC '1' / CAST(3 AS FLOAT64)",
    "NUMERIC '99999999999999999.999999999' / NUMERIC '0.9'", "SAFE_DIVIDE(CAST(NULL AS NUMERIC), 0)", "SAFE_DIVIDE(1, 0)",
    "TRIM(' \\t\\u00a0a b\\u3000\\n')", "LTRIM('\\t a ')", "RTRIM(' a \\u2003')", "TRIM('\\u200b a\\ufeff')", "TRIM('xax', 'x')", "LOWER('ÄÖ')",
    "CAST(NUMERIC '0.5' AS INT64)", "CAST(NUMERIC '-1.5' AS INT64)", "CAST(NUMERIC '922337203.685477580' * 1000000000 AS INT64)",
    "CAST(NUMERIC '0.000000001' * NUMERIC '0.5' AS NUMERIC)", "CAST(NUMERIC '-0.000000001' * NUMERIC '0.5' AS NUMERIC)",
    "CAST(DIV(CAST(9007199254740993 AS NUMERIC) * CAST(1000 AS NUMERIC), CAST(3 AS NUMERIC)) AS INT64)",
    "CAST(DIV(CAST(-7 AS NUMERIC), CAST(2 AS NUMERIC)) AS INT64)", "MOD(-7, 3)", "ABS(NUMERIC '-0.000000001')", "1 + NUMERIC '0.5'",
    "DATE_DIFF(DATE '2026-03-31', DATE '2026-02-28', MONTH)", "DATE_ADD(DATE '2026-01-31', INTERVAL 1 MONTH)",
    "EXTRACT(DAY FROM LAST_DAY(DATE '2026-02-03'))", "TIMESTAMP(DATE '2026-02-03')", "DATE(TIMESTAMP '2026-11-22 23:59:59.999999+00')",
    "JSON_VALUE('{\"a\": null}', '$.a')", "JSON_VALUE('{\"a\": {\"b\": 1}}', '$.a')", "CAST(JSON_VALUE('{\"a\": \"12\"}', '$.a') AS INT64)",
    "ARRAY_LENGTH(JSON_QUERY_ARRAY(CAST(NULL AS STRING)))", "ARRAY_LENGTH(SPLIT('', ';'))", "TO_HEX(SHA256('é'))", "'é' > 'z'", "'b' > 'B'",
    "REGEXP_EXTRACT('Ana  B C', r'^\\S+\\s+(.+)$')", "REGEXP_EXTRACT('Ana', r'^\\S+\\s+(.+)$')", "REGEXP_REPLACE('a; b,c', r'[;,\\s]+', ';')",
    "FORMAT_DATE('%Y-%m', DATE '2026-01-02')", "EXTRACT(ISOYEAR FROM DATE '2027-01-01')", "GREATEST(DATE '2026-02-03', NULL)", "LEAST(1, NULL)",
]  # fmt: skip

# What stays different, and why `sql/` does not meet it. Each stands in docs/decisions/0003-one-sql.md.
DIFFERENT = [
    "ROUND(NUMERIC '2.5')", "CEIL(NUMERIC '1.1')", "FLOOR(NUMERIC '1.1')", "TRUNC(NUMERIC '1.9')", "SIGN(NUMERIC '-2')",
    "DIV(NUMERIC '7', NUMERIC '2')", "NUMERIC '0.5' * NUMERIC '0.5'", "JSON_VALUE('{\"a\": 1.50}', '$.a')", "JSON_VALUE('no JSON', '$.a')",
    "SAFE_CAST('1.5' AS INT64)", "SUBSTR('abc', 0, 2)", "UPPER('ß')", "1 / 0", "DIV(5, 0)",
]  # fmt: skip

# One statement for each repair: right with it, and wrong or refused without it.
NEEDS = {
    "_repair_division": "SELECT NUMERIC '12345678.123456789' / NUMERIC '0.7' AS v",
    "_repair_wide_div": "SELECT CAST(DIV(CAST(9007199254740993 AS NUMERIC) * CAST(1000 AS NUMERIC), CAST(7 AS NUMERIC)) AS INT64) AS v",
    "_repair_type": "SELECT CAST('1.123456789' AS NUMERIC) AS v",
    "_repair_count_if": "SELECT COUNTIF(x > 1) AS v FROM UNNEST([1, 2, 3]) AS x WHERE x > 5",
    "_repair_dates": "SELECT DATE_TRUNC(DATE '2026-11-15', MONTH) AS v",
    "_repair_extract": "SELECT EXTRACT(DAYOFWEEK FROM DATE '2026-11-22') AS v",
    "_repair_timestamp_diff": "SELECT TIMESTAMP_DIFF(TIMESTAMP '2026-11-22 11:00:00+00', TIMESTAMP '2026-11-22 10:59:00+00', HOUR) AS v",
    "_repair_offset": "SELECT x, pos FROM UNNEST(['a', 'b']) AS x WITH OFFSET AS pos ORDER BY pos",
    "_repair_div": "SELECT DIV(1 + 6, 1 + 1) AS v",
    "_repair_trim": "SELECT TRIM('ana@example.com\\t') AS v",
    "_repair_normalize": "SELECT NORMALIZE('Zoe\\u0308') AS v",
}


@pytest.fixture(scope="module")
def both(new_desk) -> Desk:
    return new_desk()


@pytest.mark.parametrize("expression", [*(c[0] for c in CASES if not c[0].startswith("ROUND(")), *MORE])
def test_an_expression_has_one_value_and_type_wherever_it_stands(both: Desk, expression: str) -> None:
    both.ask(
        f"WITH c AS (SELECT {expression} AS inside) SELECT {expression} AS alone, ({expression}) AS parentheses, inside, "
        f"CASE WHEN TRUE THEN {expression} END AS chosen, 1 / 2 AS beside FROM c"
    )


@pytest.mark.parametrize("statement", [sql for sql, _ in STATEMENTS])
def test_a_statement_has_one_answer(both: Desk, statement: str) -> None:
    both.ask(statement)


def test_divisions_of_money_are_exact(both: Desk) -> None:
    """Random amounts to 1e11 USD with nine decimals: the double of DuckDB has 15 digits and would miss the last ones."""
    dice = random.Random(7)
    for column in range(4):
        pairs = [(dice.randint(-(10**20), 10**20), dice.randint(1, 10 ** dice.randint(9, 18))) for _ in range(25)]
        parts = ", ".join(f"NUMERIC '{a}E-9' / NUMERIC '{b}E-9' AS q{n}" for n, (a, b) in enumerate(pairs))
        both.ask(f"SELECT {column} AS n, {parts}")


def test_trim_takes_off_the_white_space_of_unicode(both: Desk) -> None:
    """Every character of the basic plane, alone: exactly those that GoogleSQL takes off are taken off."""
    characters = [chr(n) for n in (*range(1, 0xD800), *range(0xE000, 0x10000))]
    assert len(both.ask("SELECT x FROM UNNEST(@x) AS x WHERE TRIM(x) = '' ORDER BY x", x=characters)) == 25


@pytest.mark.parametrize("expression", DIFFERENT)
def test_what_stays_different_is_written_down(both: Desk, expression: str) -> None:
    """Once it agrees, the line goes: from here, and from the page."""
    with pytest.raises((Disagreement, WarehouseError, GoogleSQLError)):
        both.ask(f"SELECT {expression} AS v")
    page = (ROOT / "docs" / "decisions" / "0003-one-sql.md").read_text(encoding="utf-8")
    assert f"`{expression}`" in page


# The witness can object ---------------------------------------------------------------------------------------------


def forget_translations() -> None:
    dialect.to_duckdb.cache_clear()
    duckdb_sql.statement.cache_clear()


@pytest.fixture
def fresh_translation() -> Iterator[None]:
    forget_translations()
    with unrecorded():
        yield
    forget_translations()


@pytest.mark.parametrize("repair", NEEDS)
@pytest.mark.usefixtures("fresh_translation")
def test_without_a_repair_the_witness_objects(both: Desk, repair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail proves nothing: each repair is taken out, and its statement must then differ or be refused."""
    both.ask(NEEDS[repair])
    if repair == "_repair_offset":
        monkeypatch.setattr(dialect, repair, lambda node: node)
    else:
        monkeypatch.setattr(dialect, "_REPAIRS", tuple(r for r in dialect._REPAIRS if r.__name__ != repair))
    forget_translations()
    with pytest.raises((Disagreement, WarehouseError)):
        both.ask(NEEDS[repair])


def test_every_repair_has_such_a_statement() -> None:
    assert set(NEEDS) == {name for name in vars(dialect) if name.startswith("_repair_")}
