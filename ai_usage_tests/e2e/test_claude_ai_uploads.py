"""claude.ai's exports through the real command: dropped, named, loaded by Dagster, equal to the books, refused in words.

The tests of this module share one company and go on with it, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage.defs.checks import money_readable
from ai_usage.operations.uploads import FileOutcome, load_uploads
from ai_usage.sources.claude_ai.records import SPEND
from ai_usage.sources.endpoint import Window
from ai_usage_tests.fixtures.company import DAYS, FIRST, LAST, Company, Prepared, assert_sentence, build, company, plain, rows

MIDDLE = DAYS[4]


@pytest.fixture(scope="module")
def firm(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("exports"), data=prepared.data) as found:
        yield found


def downloaded(firm: Company, name: str, text: str) -> Path:
    """A file as the browser saved it, outside the drop folder."""
    path = firm.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def assert_claude_ai(firm: Company, first=FIRST, last=LAST) -> None:
    """Conversations and messages by person and day, and spend by person, are the books; the marts show the same sum."""
    world = firm.world
    held = rows(
        firm.db,
        "SELECT usage_date, user_email, SUM(conversations)::INT, SUM(messages)::INT FROM fct_usage_daily "
        "WHERE platform = 'claude_ai' AND source != 'claude_ai_spend' GROUP BY ALL",
    )
    assert {(d, e): (c, m) for d, e, c, m in held} == {
        k: (v["conversations"], v["messages"]) for k, v in world.truth.claude_ai_usage_by_day_user().items()
    }
    spent: dict[str, Decimal] = {}
    for (_, email), usd in world.truth.claude_ai_spend_usd_by_day_user(first, last).items():
        spent[email] = spent.get(email, Decimal(0)) + usd
    assert spent
    for table in ("fct_cost_daily", "vw_cost_allocation"):
        assert dict(rows(firm.db, f"SELECT user_email, SUM(cost_usd) FROM {table} WHERE cost_type = 'overage' GROUP BY 1")) == spent, table
    [totals] = rows(
        firm.db,
        """SELECT (SELECT SUM(vendor_total_usd) FROM stg_current_fetches WHERE source = 'claude_ai'),
             (SELECT SUM(cost_usd) FROM vw_monthly_finance WHERE cost_type = 'overage')""",
    )
    assert set(totals) == {sum(spent.values())}


def test_exports_equal_the_books_and_are_put_away(firm: Company) -> None:
    """Two overlapping logs that cut days at noon, as somebody drops them, and a spend report as it was downloaded; the sheet has the same days."""
    drop = firm.data / "uploads"
    drop.mkdir(exist_ok=True)
    noon = [f"{d}T12:00:00+00:00" for d in (DAYS[3], DAYS[6])]
    early, late = (datetime.fromisoformat(n) for n in noon)
    (drop / "claude_ai_audit_log-november.csv").write_text(firm.world.export_audit_log(FIRST, LAST, begin=early))
    (drop / "claude_ai_audit_log-october.csv").write_text(firm.world.export_audit_log(FIRST, LAST, end=late))
    file = downloaded(firm, "spend-report (1).csv", firm.world.export_spend(FIRST, MIDDLE))
    said = assert_sentence(firm.cli("upload", str(file)), "which days", "--from")
    assert "\n" not in said
    done = firm.cli("upload", str(file), "--from", str(FIRST), "--to", str(MIDDLE))
    assert done.returncode == 0, plain(done.stderr)
    assert_claude_ai(firm, FIRST, MIDDLE)
    names = {re.sub(r"^[\dT]+-", "", p.name) for p in (drop / "loaded").iterdir()}
    assert len(names) == 3 and not list(drop.glob("*.csv")) and not (drop / "refused").exists()
    kept = "".join(p.read_text() for p in (drop / "loaded").glob("*audit*"))
    assert "192.0.2." not in kept and "Mozilla" not in kept
    assert file.exists(), "the download is copied, not taken"


def test_the_days_after_it_are_added(firm: Company) -> None:
    after = MIDDLE + timedelta(days=1)
    (firm.data / "uploads" / f"claude_ai_spend.{after}_{LAST}.csv").write_text(firm.world.export_spend(after, LAST))
    assert [o.reason for o in loaded(firm)] == [None]
    assert_claude_ai(firm)


def test_an_overlapping_range_is_refused_and_the_money_stands(firm: Company) -> None:
    file = downloaded(firm, "again.csv", firm.world.export_spend(DAYS[2], DAYS[7]))
    done = firm.cli("upload", str(file), "--from", str(DAYS[2]), "--to", str(DAYS[7]))
    assert_sentence(done, f"{DAYS[2]} to {DAYS[7]}", f"{FIRST} to {MIDDLE}", "count twice")
    [note] = (firm.data / "uploads" / "refused").glob("*.txt")
    assert "count twice" in note.read_text()
    assert_claude_ai(firm)


def loaded(firm: Company, within: Window | None = None) -> list[FileOutcome]:
    """What a run does with the drop folder and the facts, without starting a command for it."""
    with firm.runtime() as runtime, runtime.held():
        outcomes = load_uploads(runtime, within=within)
        build(runtime, FIRST, LAST)
    return outcomes


def test_the_whole_range_takes_the_place_of_its_parts(firm: Company) -> None:
    (firm.data / "uploads" / f"claude_ai_spend.{FIRST}_{LAST}.replace.csv").write_text(firm.world.export_spend(FIRST, LAST))
    assert [o.reason for o in loaded(firm)] == [None]
    assert_claude_ai(firm)
    assert rows(firm.db, "SELECT DISTINCT cost_date FROM fct_cost_daily WHERE cost_type = 'overage' ORDER BY 1") == [(day,) for day in DAYS]


def test_an_export_waits_for_a_run_that_rebuilds_its_days(firm: Company) -> None:
    """Else its money would be in raw and in no fact: the days of the run are rebuilt, not the days of the file."""
    waiting = firm.data / "uploads" / f"claude_ai_spend.{FIRST}_{LAST}.csv"
    waiting.write_text(firm.world.export_spend(FIRST, LAST).replace("claude-opus-5", "claude-opus-5-1"))
    for narrow in (Window(DAYS[8], LAST), Window(FIRST, DAYS[8])):
        [left] = loaded(firm, narrow)
        assert left.waits and "ai-usage upload" in left.waits and waiting.exists()
    [taken] = loaded(firm, Window(FIRST, LAST))
    assert taken.waits is None and not waiting.exists()
    assert_claude_ai(firm)
    assert rows(firm.db, "SELECT COUNT(*) FROM fct_cost_daily WHERE model = 'claude-opus-5-1'") != [(0,)]


def test_money_that_cannot_be_read_is_named_and_the_rest_counts(firm: Company) -> None:
    """The row is a reject and named, the other rows count, and a corrected file mends it. (A command that says so: test_failures.py, of lost rows.)"""
    good = firm.world.export_spend(FIRST, LAST)
    row = r"(?m)^(ana[^\n]*?,Chat,(?:[^,\n]*,){5})([^,\n]*),"
    bad, lost = re.sub(row, r"\g<1>many,", good, count=1), re.search(row, good)
    assert bad != good and lost is not None
    waiting = firm.data / "uploads" / f"claude_ai_spend.{FIRST}_{LAST}.csv"
    waiting.write_text(bad)
    assert [o.reason for o in loaded(firm)] == [None]
    with firm.runtime() as runtime:
        found = money_readable(runtime.warehouse, SPEND, Window(FIRST, LAST))
    assert not found.passed and found.severity.value == "ERROR" and found.metadata["actual"].value == "1", found.metadata
    assert_claude_ai_overage(firm, lacks=Decimal(lost[2]))
    waiting.write_text(good)
    loaded(firm)
    assert_claude_ai(firm)


def assert_claude_ai_overage(firm: Company, lacks: Decimal) -> None:
    books = sum(firm.world.truth.claude_ai_spend_usd_by_day_user().values(), Decimal(0))
    assert rows(firm.db, "SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'overage'") == [(books - lacks,)]
