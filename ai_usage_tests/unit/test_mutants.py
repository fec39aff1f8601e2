"""The list of mutants follows the product: each can be applied, and names tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_usage_tests.mutants.changes import CHANGES, Change

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.name)
def test_each_mutant_can_be_applied(change: Change) -> None:
    text = (ROOT / change.path).read_text(encoding="utf-8")
    assert text.count(change.old) == 1, (
        f"{change.path} holds the text of {change.name} {text.count(change.old)} times; follow the code in changes.py"
    )
    assert change.new != change.old
    assert change.tests and all((ROOT / test.partition("::")[0]).exists() for test in change.tests)


def test_names_are_unique_and_forty_or_more() -> None:
    names = [c.name for c in CHANGES]
    assert len(set(names)) == len(names) >= 40
