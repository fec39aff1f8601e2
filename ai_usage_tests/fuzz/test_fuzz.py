"""Each input of the corpus, random ones beside it, and in `make prove` two minutes of the fuzzer itself."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ai_usage_tests.fuzz.__main__ import CORPUS
from ai_usage_tests.fuzz.targets import TARGETS
from ai_usage_tests.proving import only_in_prove

ROOT = Path(__file__).resolve().parents[2]
each_target = pytest.mark.parametrize("name", TARGETS)


@each_target
def test_what_once_mattered(name: str) -> None:
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        began = time.process_time()
        TARGETS[name](file.read_bytes())
        assert time.process_time() - began < 5, file.name


@each_target
@settings(max_examples=40)
@given(data=st.data())
@example(data=None)
def test_random_mixtures_of_the_corpus(name: str, data: st.DataObject | None) -> None:
    """Pieces of the corpus put together anew, with noise between them."""
    if data is None:
        TARGETS[name](b"")
        return
    known = [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]
    pieces = data.draw(
        st.lists(st.one_of(st.sampled_from(known), st.binary(max_size=20), st.text(max_size=20).map(str.encode)), max_size=4)
    )
    cuts = [piece[data.draw(st.integers(0, 5)) :] for piece in pieces]
    TARGETS[name](data.draw(st.sampled_from(known))[:1] + b"".join(cuts))


@only_in_prove
@each_target
def test_two_minutes_of_the_fuzzer(name: str) -> None:
    done = subprocess.run(["scripts/fuzz", name, "120"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
