"""Kept answers stand for GoogleSQL: what is new is asked, what is held is not, and what is wrong is seen.

Belongs here: the keeping alone, with an engine of three lines. What GoogleSQL answers is asked everywhere else in this folder.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ai_usage import tables
from ai_usage_tests.parity.answers import FILE, KEEP, KeptAnswers, StaleAnswer, canonical, load, save
from ai_usage_tests.parity.googlesql import Answer, GoogleSQLError
from ai_usage_tests.parity.witness import _digest

SQL = "SELECT 1 AS v"
ONE = (["v"], ["INT64"], [(1,)])


class Engine:
    """Counts what it is asked."""

    def __init__(self, *rows: Any, error: str = "") -> None:
        self.rows, self.error, self.asked = list(rows), error, 0

    def run(self, *_: Any) -> Answer:
        self.asked += 1
        if self.error:
            raise GoogleSQLError(self.error)
        return Answer(("v",), ("INT64",), self.rows)

    def columns(self, *_: Any) -> list[tuple[str, str]]:
        self.asked += 1
        return [("v", "INT64")]


def not_started() -> Any:
    raise AssertionError("a question that is held starts no engine")


def confirms(answers: KeptAnswers, found: Any = ONE, sql: str = SQL, in_order: bool = False) -> bool:
    return answers.confirms(answers.question(sql, {}, [], {}), sql, {}, {}, found, in_order=in_order)


def told(*rows: Any, error: str = "") -> dict[str, Any]:
    """What is held once an engine with these rows was asked."""
    answers = KeptAnswers(lambda: Engine(*rows, error=error), {}, prove=False)  # type: ignore[arg-type, return-value]
    with suppress(GoogleSQLError):
        confirms(answers)
    return answers.used


def test_a_new_question_is_asked_once_and_a_held_one_never() -> None:
    engine = Engine((1,))
    answers = KeptAnswers(lambda: engine, {}, prove=False)  # type: ignore[arg-type, return-value]
    assert confirms(answers) and confirms(answers) and engine.asked == 1
    held = KeptAnswers(not_started, answers.used, prove=False)
    assert confirms(held) and not confirms(held, (["v"], ["INT64"], [(2,)]))
    with pytest.raises(AssertionError, match="starts no engine"):
        confirms(held, sql="SELECT 2 AS v")


def test_a_wrong_kept_answer_is_seen_when_everything_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEEP, raising=False)
    with pytest.raises(StaleAnswer, match="find out why"):
        confirms(KeptAnswers(lambda: Engine((1,)), told((2,)), prove=True))  # type: ignore[arg-type, return-value]
    assert confirms(KeptAnswers(lambda: Engine((1,)), told((1,)), prove=True))  # type: ignore[arg-type, return-value]
    declared = KeptAnswers(lambda: Engine(), {}, prove=False)  # type: ignore[arg-type, return-value]
    declared.columns(SQL)
    [asked] = declared.used
    with pytest.raises(StaleAnswer):
        KeptAnswers(lambda: Engine(), {asked: [["v", "STRING"]]}, prove=True).columns(SQL)  # type: ignore[arg-type, return-value]


def test_a_refusal_is_an_answer() -> None:
    held = KeptAnswers(not_started, told(error="numeric overflow"), prove=False)
    with pytest.raises(GoogleSQLError, match="numeric overflow"):
        confirms(held)


def test_names_types_rows_and_their_order_are_all_of_the_answer() -> None:
    held = KeptAnswers(not_started, told((1,), (2,)), prove=False)
    assert confirms(held, (["v"], ["INT64"], [(2,), (1,)])), "in any order, where the statement has none"
    for other in ((["w"], ["INT64"], [(1,), (2,)]), (["v"], ["NUMERIC"], [(1,), (2,)]), (["v"], ["INT64"], [(1,), (2,), (2,)])):
        assert not confirms(held, other)
    ordered = KeptAnswers(lambda: Engine((1,), (2,)), {}, prove=False)  # type: ignore[arg-type, return-value]
    assert not confirms(ordered, (["v"], ["INT64"], [(2,), (1,)]), in_order=True)


def test_equal_values_are_written_alike_and_others_are_not() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert canonical(Decimal("1.500000000")) == canonical(Decimal("1.5")) and canonical(Decimal("-0E-9")) == canonical(Decimal(0))
    assert canonical(noon) == canonical(noon.astimezone(timezone(timedelta(hours=5)))) and canonical(-0.0) == canonical(0.0)
    values = [Decimal("1.000000001"), Decimal(1), Decimal(10), "1", 1, None, "None", date(2026, 11, 22), "2026-11-22", noon, 1.0, True, []]
    written = [repr(canonical(value)) for value in values]
    assert len(set(written)) == len(values)


def test_a_row_that_differs_in_one_value_makes_another_question() -> None:
    table = tables.BY_NAME["sheet_issues"] if not tables.BY_NAME["sheet_issues"].view else tables.BY_NAME["raw_fetches"]
    with duckdb.connect() as con:
        con.execute(table.duckdb_ddl())
        text = next(c for c in table.columns if c.type.value == "STRING" and c.nullable).name
        seen = {_digest(con, table)}
        required = {c.name: {"STRING": "'x'", "DATE": "DATE '2026-11-22'", "TIMESTAMP": "TIMESTAMPTZ '2026-11-22 12:00:00+00'",
                             "BOOL": "TRUE"}.get(c.type.value, "0") for c in table.columns if not c.nullable}  # fmt: skip
        for value in ("NULL", "'NULL'", "''", "'a, b'", "'a'"):
            con.execute(f"DELETE FROM {table.name}")
            filled = {**required, text: value}
            con.execute(f"INSERT INTO {table.name} ({', '.join(filled)}) VALUES ({', '.join(filled.values())})")
            seen.add(_digest(con, table))
    assert len(seen) == 6


def test_the_file_is_as_it_is_written(tmp_path: Path) -> None:
    save(load(), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == FILE.read_bytes()
