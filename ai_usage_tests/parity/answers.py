"""What GoogleSQL answered, kept: `answers.json` maps the digest of a question to the digest of its answer, so that only what is new is asked.

Belongs here: `KeptAnswers`, the digests and the file. A question is everything that decides its answer: the version of GoogleSQL, the statement
as it is sent, its parameters, the columns and the rows of every table that it reads. An answer is names, types and rows; an error is its message.

With AI_USAGE_TEST_PROVE=1 everything is asked anew, and an answer that is not the kept one is an error. After `sql/` or a world of the tests
changed, keep what is new and drop what nobody asks any more:

    .venv/bin/python -m ai_usage_tests.parity.answers
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ai_usage import tables
from ai_usage.tables.schema import Table
from ai_usage_tests.parity.googlesql import GoogleSQL, GoogleSQLError, Row

FILE = Path(__file__).with_name("answers.json")
PROVE = bool(os.environ.get("AI_USAGE_TEST_PROVE"))
KEEP = "AI_USAGE_TEST_KEEP_ANSWERS"
ENGINE = f"zetasql {version('zetasql')}"


class StaleAnswer(AssertionError):
    """GoogleSQL's answer is not the one that is kept."""


class KeptAnswers:
    """GoogleSQL, asked once for each question. `engine` is started where a question is new; `used` collects what was asked."""

    def __init__(self, engine: Callable[[], GoogleSQL], held: Mapping[str, Any], *, prove: bool = PROVE) -> None:
        self._start, self._held, self._prove = engine, dict(held), prove
        self._engine: GoogleSQL | None = None
        self.used: dict[str, Any] = {}

    @property
    def engine(self) -> GoogleSQL:
        if self._engine is None:
            self._engine = self._start()
        return self._engine

    def columns(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        """Names and types of the statement's output over the declared tables; see `GoogleSQL.columns`."""
        words = set(re.findall(r"\w+", sql))
        declared = [t for t in tables.ALL if t.name in words]
        asked = digest("columns", ENGINE, sql, sorted((parameters or {}).items()), [_shape(t) for t in declared])
        return [(name, kind) for name, kind in self._answer(asked, lambda: [list(pair) for pair in self.engine.columns(sql, parameters)])]

    def question(self, sql: str, given: Mapping[str, Any], read: Sequence[Table], rows: Mapping[str, str]) -> str:
        """The digest of a question; `rows` holds one of the rows of each table that is read."""
        return digest("rows", ENGINE, sql, canonical(given), [(_shape(t), rows[t.name]) for t in read])

    def is_asked(self, question: str) -> bool:
        """Whether GoogleSQL itself will be asked."""
        return question not in self.used and (self._prove or question not in self._held)

    def confirms(
        self, question: str, sql: str, given: Mapping[str, Any], content: Mapping[str, Sequence[Row]],
        found: tuple[Sequence[str], Sequence[str], Sequence[Row]], *, in_order: bool,
    ) -> bool:  # fmt: skip
        """Whether GoogleSQL answers with these names, types and rows. `content` holds the tables' rows where `is_asked`.

        Raises GoogleSQLError where GoogleSQL refuses the statement, and StaleAnswer where the kept answer is not GoogleSQL's.
        """

        def ask() -> str:
            try:
                answer = self.engine.run(sql, given, content)
            except GoogleSQLError as error:
                return f"error: {error}"
            return _said(answer.names, answer.types, answer.rows, in_order)

        kept = self._answer(question, ask)
        if kept.startswith("error: "):
            raise GoogleSQLError(kept.removeprefix("error: "))
        names, types, rows = found
        return bool(kept == _said(names if kept.startswith("named ") else [""], types, rows, in_order))

    def _answer(self, asked: str, ask: Callable[[], Any]) -> Any:
        if asked in self.used:
            return self.used[asked]
        if self.is_asked(asked):
            answer = ask()
            if asked in self._held and answer != self._held[asked] and not os.environ.get(KEEP):
                raise StaleAnswer(
                    f"GoogleSQL answers {answer!r} and {FILE.name} holds {self._held[asked]!r}; find out why, then run "
                    "`.venv/bin/python -m ai_usage_tests.parity.answers`."
                )
        else:
            answer = self._held[asked]
        self.used[asked] = answer
        return answer


def _said(names: Sequence[str], types: Sequence[str], rows: Sequence[Row], in_order: bool) -> str:
    """Columns of GoogleSQL without a name have any name."""
    named = all(names)
    said = [json.dumps(canonical(row)) for row in rows]
    return f"{'named' if named else 'rows'} {digest(list(names) if named else [], list(types), said if in_order else sorted(said))}"


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def canonical(value: Any) -> Any:
    """A value as JSON holds it, equal for equal values of one type, whichever engine they come from."""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return ["d", "0" if text in ("-0", "") else text]
    if isinstance(value, datetime):
        return ["t", round(value.timestamp() * 1_000_000)]
    if isinstance(value, date):
        return ["D", value.isoformat()]
    if isinstance(value, float):
        return ["f", repr(value + 0.0)]
    if isinstance(value, bytes):
        return ["b", value.hex()]
    if isinstance(value, Mapping):
        return sorted((key, canonical(v)) for key, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [canonical(v) for v in value]
    return value


def _shape(table: Table) -> list[Any]:
    return [table.name, [(c.name, c.type.value) for c in table.columns]]


def load() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.exists() else {}


def save(answers: Mapping[str, Any], file: Path) -> None:
    """One line an answer, sorted: a change of one model shows as the lines of its questions."""
    lines = (f"{json.dumps(asked)}: {json.dumps(answer, ensure_ascii=False)}" for asked, answer in sorted(answers.items()))
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    import pytest

    os.environ[KEEP] = str(FILE)
    sys.exit(pytest.main(["-n", "0", "-q", "-p", "no:local_bigquery", str(Path(__file__).parent)]))
