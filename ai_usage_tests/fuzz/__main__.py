"""`python -m ai_usage_tests.fuzz TARGET [SECONDS]`: atheris, guided by coverage, until an input breaks a rule or the time is over.

An input may take 5 s and the process 500 MB beyond what importing takes. What breaks is written to `build/fuzz/`; put it into `corpus/TARGET/` with the mend.
"""

from __future__ import annotations

import sys
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
WORK = Path("build") / "fuzz"
MEGABYTES = 800


def main(name: str, seconds: str = "1800") -> None:
    import atheris

    with atheris.instrument_imports(
        include=["ai_usage.sources", "ai_usage.guards", "ai_usage.settings", "ai_usage.warehouse.guard", "ai_usage.warehouse.dialect"]
    ):
        from ai_usage_tests.fuzz.targets import TARGETS
    found = WORK / name
    found.mkdir(parents=True, exist_ok=True)
    options = [
        "-timeout=5",
        f"-rss_limit_mb={MEGABYTES}",
        f"-max_total_time={seconds}",
        "-max_len=4096",
        f"-artifact_prefix={WORK}/{name}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
