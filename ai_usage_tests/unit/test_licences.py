"""Every installed package of the product has a licence that the list allows; a stranger does not slip through."""

from __future__ import annotations

import importlib.util
from email.message import Message

import pytest

from ai_usage_tests.fixtures.company import ROOT

spec = importlib.util.spec_from_file_location("licences", ROOT / "scripts" / "licences.py")
assert spec and spec.loader
licences = importlib.util.module_from_spec(spec)
spec.loader.exec_module(licences)


def test_what_the_product_installs_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0, capsys.readouterr().err
    held = licences.closure()
    assert {"dagster", "duckdb", "pyarrow", "sqlglot", "pydantic-core", "protobuf"} <= held.keys() and "pytest" not in held


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True), ("GPL-3.0-only", False), ("GPL-2.0-only OR MIT", True), ("MIT AND GPL-3.0-only", False), ("(Apache-2.0 OR MIT) AND ISC", True),
        ("(MIT OR GPL-3.0-only) AND ISC", False),
        ("Apache-2.0 WITH LLVM-exception", True), ("unknown: ", False), ("AGPL-3.0-or-later", False),
    ],
)  # fmt: skip
def test_which_expressions_can_be_kept(expression: str, allowed: bool) -> None:
    assert licences.permitted(expression) is allowed


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [("License-Expression", "GPL-3.0-only", "GPL-3.0-only"), ("Classifier", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)", "GPL"),
     ("License", "Whatever I like\nMIT", "unknown: Whatever I like"), ("License", "The MIT License", "MIT")],
)  # fmt: skip
def test_how_a_licence_is_read(field: str, value: str, found: str) -> None:
    class Held:
        metadata = Message()

    Held.metadata[field] = value
    assert licences.licence(Held) == found
