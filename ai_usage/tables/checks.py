"""What the checks of each run found, kept where dashboards can read it.

Belongs here: declarations about the platform's own checks. Does not belong here: what vendors said (`raw.py`) and what it means (`marts.py`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Column, Table, boolean, integer, string, timestamp

STATES = ("passed", "warning", "failed")

_RESULT: tuple[Column, ...] = (
    string("asset", "The table or step that was checked.", nullable=False),
    string("check_name", "The check; docs/assets.md says what each means.", nullable=False),
    string(
        "state",
        "passed; warning: the run went on; failed: the figure may be wrong, or nothing after it was run.",
        nullable=False,
        allowed=STATES,
    ),
    boolean("blocking", "Whether a failure stops everything that depends on the table.", nullable=False),
    string("expected", "What should be."),
    string("actual", "What is."),
    string("what_to_do", "The remedy; NULL when it passed."),
    timestamp("checked_at", "When.", nullable=False),
    string("run_id", "Dagster's id of the run.", nullable=False),
)

check_results = Table(
    name="check_results",
    layer="operations",
    description="What every check of every run found. Written once, after everything else of the run; kept for AI_USAGE_CHECK_KEEP_DAYS.",
    grain="one run, asset and check",
    key=("run_id", "asset", "check_name"),
    columns=_RESULT,
)

vw_check_results = Table(
    name="vw_check_results",
    layer="mart",
    view=True,
    description="What each check found when it last ran. A check that a failure before it kept from running shows an older time than the others.",
    grain="one asset and check",
    key=("asset", "check_name"),
    columns=(*_RESULT, integer("severity", "For sorting: 2 failed, 1 warning, 0 passed.", nullable=False)),
)

CHECKS: tuple[Table, ...] = (check_results,)
MARTS: tuple[Table, ...] = (vw_check_results,)
