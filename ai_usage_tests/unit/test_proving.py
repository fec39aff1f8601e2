"""Each kind of chain meets each fault, and each endpoint is met the order of the tests names only what exists."""

from __future__ import annotations

import pytest

from ai_usage_tests import proving

KINDS = {"cursor": ["a", "b", "c"], "number": ["d"]}


def test_once_meets_every_fault_in_every_kind_and_every_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "PROVE", False)
    assert proving.once(["x", "y", "z"], KINDS) == [("x", "a"), ("y", "b"), ("z", "c"), ("x", "d"), ("y", "d"), ("z", "d")]
    monkeypatch.setattr(proving, "PROVE", True)
    assert len(proving.once(["x", "y", "z"], KINDS)) == 12


def test_once_skips_what_does_not_apply_and_refuses_to_leave_an_endpoint_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "PROVE", False)
    assert proving.once(["x", "y", "z"], {"k": ["a", "b"]}, lambda fault, name: (fault, name) != ("x", "a")) == [
        ("x", "b"), ("y", "b"), ("z", "a"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'b', 'c'"):
        proving.once(["x"], {"k": ["a", "b", "c"]})
