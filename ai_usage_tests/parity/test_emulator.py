"""Where BigQuery's emulator answers otherwise than Google's own executor: the executor is right, and the page says so.

Belongs here: expressions whose answer the emulator gets wrong, so that nobody takes it for BigQuery's word. Each stands in
docs/decisions/0012-bigquery.md.
"""

from __future__ import annotations

import pytest

from ai_usage.warehouse import models
from ai_usage_tests.fixtures.bigquery import Place
from ai_usage_tests.parity.answers import KeptAnswers

PAGE = models.sql_root().parent / "docs" / "decisions" / "0012-bigquery.md"
DEVIATES = [
    "SAFE_DIVIDE(NUMERIC '1', 3)", "NUMERIC '99999999999999999.999999999' / NUMERIC '0.9'", "DIV(1 + 6, 1 + 1)", "3 * DIV(7, 2)",
    "CAST(DIV(CAST(9007199254740993 AS NUMERIC) * CAST(1000 AS NUMERIC), CAST(3 AS NUMERIC)) AS INT64)", "TRIM('\\ta')",
    "CAST(NUMERIC '1.50' AS STRING)",
]  # fmt: skip
ALIKE = ["NUMERIC '0.1' + NUMERIC '0.2'", "SAFE_CAST('x' AS NUMERIC)", "DATE_TRUNC(DATE '2026-11-22', ISOWEEK)", "LOWER('ÄÖ')"]
TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


def agrees(google: KeptAnswers, place: Place, expression: str) -> bool:
    """Whether the emulator answers with GoogleSQL's type and value."""
    sql = f"SELECT {expression} AS v"
    found = place.client.query_and_wait(sql)
    kind = found.schema[0].field_type
    question = google.question(sql, {}, [], {})
    return google.confirms(question, sql, {}, {}, (["v"], [TYPES.get(kind, kind)], [tuple(row) for row in found]), in_order=False)


@pytest.mark.parametrize("expression", DEVIATES)
def test_where_the_emulator_deviates_is_written_down(google: KeptAnswers, bigquery_place: Place, expression: str) -> None:
    """Once it agrees, the line goes: from here, and from the page."""
    assert not agrees(google, bigquery_place, expression)
    assert f"`{expression}`" in PAGE.read_text(encoding="utf-8")


def test_where_it_does_not_deviate_the_comparison_says_so(google: KeptAnswers, bigquery_place: Place) -> None:
    for expression in ALIKE:
        assert agrees(google, bigquery_place, expression), expression
