"""Apply each wrong change alone to a copy of the checkout, run the tests that should see it, and list who did.

    python -m ai_usage_tests.mutants              every mutant
    python -m ai_usage_tests.mutants cents page   those whose name holds one of the words
    python -m ai_usage_tests.mutants --list       names and laws

Exit status 1 when a mutant survives, when its text is no longer in the product, or when the named tests fail without it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from ai_usage_tests.mutants.changes import CHANGES, Change

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 300  # the dearest selection takes some 30 s on a quiet machine


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant. `killer` is the test that failed; None for a survivor, with the reason in `said`."""

    change: Change
    killer: str | None
    said: str
    seconds: float


def copy_of_checkout(folder: Path) -> Path:
    """The files that git knows, as they are in the working tree, in a new folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, listed)):
        target = folder / name
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    return folder


def run_tests(copy: Path, tests: Sequence[str], workers: int = 0) -> tuple[int, str]:
    """Exit status and output of pytest over these tests, with the copy's code in place of the installed one."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-n",
        str(workers),
        "--durations=0",
        *tests,
    ]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AI_USAGE", "PYTEST", "DAGSTER"))}
    env = kept | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=env, capture_output=True, text=True, timeout=LONGEST_S * (1 + 3 * bool(workers)), check=False
        )
    except subprocess.TimeoutExpired:
        return -1, f"the tests took longer than {LONGEST_S} s"
    return done.returncode, done.stdout + done.stderr


def judge(change: Change, copy: Path) -> Verdict:
    """Apply the change, run its tests, undo it."""
    begun = time.monotonic()
    path = copy / change.path
    whole = path.read_text(encoding="utf-8")
    if whole.count(change.old) != 1:
        return Verdict(
            change, None, f"its text stands {whole.count(change.old)} times in {change.path}; follow the code in changes.py", 0.0
        )
    path.write_text(whole.replace(change.old, change.new), encoding="utf-8")
    try:
        code, output = run_tests(copy, change.tests)
    finally:
        path.write_text(whole, encoding="utf-8")
    seconds = time.monotonic() - begun
    failed = re.search(r"^(?:FAILED|ERROR) (\S+::\S+)", output, re.MULTILINE)
    if code == 1 and failed:
        return Verdict(change, failed[1].removeprefix("ai_usage_tests/"), "killed", seconds)
    said = "survived" if code == 0 else f"pytest ended with {code} and named no test: {output.strip()[-300:]}"
    return Verdict(change, None, said, seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen mutants; the exit status."""
    parser = argparse.ArgumentParser(description="Show that the tests see each of these wrong changes.")
    parser.add_argument("words", nargs="*", help="only mutants whose name holds one of them")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--list", action="store_true", help="print names and laws, run nothing")
    chosen_by = parser.parse_args(arguments)
    chosen = [c for c in CHANGES if not chosen_by.words or any(w in c.name for w in chosen_by.words)]
    if not chosen:
        print(f"no mutant's name holds {', '.join(chosen_by.words)}; --list names them.", file=sys.stderr)
        return 2
    if chosen_by.list:
        print("\n".join(f"{c.name:36} {c.law}" for c in chosen))
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(chosen_by.jobs):
            copies.put(copy_of_checkout(Path(folder) / str(number)))
        whole = copies.get()
        code, output = run_tests(whole, sorted({t for c in chosen for t in c.tests}), chosen_by.jobs)
        copies.put(whole)
        if code:
            print(f"The tests fail without any mutant, so they would prove nothing:\n{output[-3000:]}", file=sys.stderr)
            return 1

        def one(change: Change) -> Verdict:
            copy = copies.get()
            try:
                verdict = judge(change, copy)
            finally:
                copies.put(copy)
            print(
                f"{'killed  ' if verdict.killer else 'SURVIVED'} {change.name:36} {verdict.killer or verdict.said} ({verdict.seconds:.0f} s)",
                flush=True,
            )
            return verdict

        with ThreadPoolExecutor(chosen_by.jobs) as pool:
            verdicts = list(pool.map(one, chosen))
    survivors = [v for v in verdicts if not v.killer]
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} mutants killed.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
