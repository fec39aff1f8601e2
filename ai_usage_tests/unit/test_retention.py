"""The page that says what is deleted when is the code's own list, and the list is whole."""

from __future__ import annotations

import re
from pathlib import Path

from ai_usage import tables
from ai_usage.operations.retention import KEPT
from ai_usage.settings import Settings

PRODUCT = Path(__file__).resolve().parents[2] / "ai_usage"


def test_each_setting_of_a_retention_stands_in_the_list_once_and_something_obeys_it() -> None:
    settings = [k.setting for k in KEPT if k.setting]
    assert sorted(settings) == sorted(n for n in Settings.model_fields if n.endswith("_keep_days"))
    code = "".join(
        p.read_text()
        for p in PRODUCT.rglob("*.py")
        if p.parent.name != "settings" and (p.name != "retention.py" or p.parent.name == "operations")
    )
    assert all(re.search(rf"settings\.{name}\b", code) for name in settings)


def test_each_stored_table_is_kept_by_one_rule_and_deleted_by_those_that_say_so() -> None:
    stored = {t.name for t in tables.ALL if not t.view}
    ends = {True: [], False: []}  # whether something ends it by age
    for kept in KEPT:
        ends[bool(kept.setting) or kept.until.startswith("at once")] += list(kept.tables)
    raw = {t.name for t in tables.RAW} - {"raw_fetches"}
    assert sorted(ends[False] + ["check_results"]) == sorted(stored), "each of them once"
    assert set(ends[True]) == raw | {"check_results"}


def test_what_deletes_rows_by_age_deletes_from_these_tables_alone() -> None:
    """Each DELETE of the product that looks at a moment: of raw tables by `clean_up`, and of results of checks."""
    found = set()
    for path in PRODUCT.rglob("*.py"):
        for line in path.read_text().splitlines():
            if "DELETE FROM" in line and re.search(r"@before|@orphaned|\{kept\}|\{gone\}", line):
                found.add(path.relative_to(PRODUCT).as_posix())
    assert found == {"operations/retention.py", "operations/check_results.py"}
