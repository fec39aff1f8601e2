"""claude.ai's spend report as its console writes it today: the vendor's own file name, 17 columns, a row for each channel, rows of the organization.

Belongs here: that one form, from the file to the facts, worked out by hand. Overlaps are properties/test_claude_ai_overlap.py's.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage.loading import Loader
from ai_usage.loading.exports import read_export
from ai_usage.sources.claude_ai import exports
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import ContractError
from ai_usage.sources.uploads import client as uploads
from ai_usage_tests.fixtures.desk import Desk, curated

D, N = date, Decimal
EVA, TOM = "eva@example.com", "tom@example.com"
HEADER = (
    "user_email,account_uuid,product,model,total_requests,total_prompt_tokens,total_completion_tokens,total_net_spend_usd,total_gross_spend_usd,user_id,"
    "total_uncached_input_tokens,total_cache_read_tokens,total_cache_write_5m_tokens,total_cache_write_1h_tokens,total_web_search_count,slack_channel_id,"
    "teams_channel_id"
)
ROWS = (
    f"{EVA},e1,Claude Code,claude-opus-5,4,1000,200,3.000000000499,4,u1,100,700,150,50,0,,",
    f'{EVA},e1,Chat,claude-opus-5,1,10,20,0,"1,200.25",u1,10,0,0,0,1,,',
    f"{TOM},t1,Claude Tag,claude-sonnet-5,2,13,5,0.10,0.10,u2,3,10,0,0,0,C1,",
    f"{TOM},t1,Claude Tag,claude-sonnet-5,3,25,7,0.20,0.20,u2,5,20,0,0,0,,T9",
    "(org service usage),(org service),Code Review,claude-opus-5,7,50,10,5.5,5.5,,50,0,0,0,0,,",
    "(org service usage),(org service),(other),,,,,0.0,0.0,,,,,,,,",
)


def take(desk: Desk, name: str) -> set[str]:
    path = desk.folder / name
    path.write_text("\n".join((HEADER, *ROWS)) + "\n", encoding="utf-8")
    kind = uploads.kind_of(name)
    assert kind == "claude_ai_spend"
    export = read_export(desk.warehouse, path, kind, desk.spool, D(2026, 11, 22), D(2026, 1, 1))
    report = Loader(desk.warehouse).load(export.endpoint, export.walks, origin="upload")
    assert report.rejected == 0
    curated(desk, D(2026, 11, 1), D(2026, 11, 15), D(2026, 11, 22))
    return set(report.unknown_fields)


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("spend-report-0b0c7e9e-1111-4222-8333-444455556666-2026-11-01-to-2026-11-15.csv", Window(D(2026, 11, 1), D(2026, 11, 15))),
        ("claude_ai_spend.2026-11-01_2026-11-15.csv", Window(D(2026, 11, 1), D(2026, 11, 15))),
        ("claude_ai_spend 2026-11-01_to_2026-11-15.csv", Window(D(2026, 11, 1), D(2026, 11, 15))),
        ("spend-report-0b0c7e9e-1111-4222-8333-444455556666.csv", None),
    ],
)
def test_the_range_is_read_from_the_vendors_name(name: str, window: Window | None) -> None:
    assert exports.period_in(Path(name).name) == window


def test_half_a_month_is_nobodys_where_it_is_the_organizations(desk: Desk) -> None:
    assert take(desk, "spend-report-0b0c7e9e-1111-4222-8333-444455556666-2026-11-01-to-2026-11-15.csv") == set(), "no column is unknown"
    paid = {r["user_email"]: r["usd"] for r in desk.ask("SELECT user_email, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY user_email")}
    assert paid == {EVA: N(3), TOM: N("0.3"), None: N("5.5")}
    assert desk.one("SELECT COUNT(DISTINCT attribution) FROM fct_cost_daily WHERE user_email IS NULL AND attribution = 'unattributed'") == 1
    assert [r["email"] for r in desk.ask("SELECT email FROM dim_users ORDER BY email")] == [EVA, TOM]
    assert desk.one("SELECT COUNT(*) FROM fct_usage_daily WHERE input_tokens IS NOT NULL OR requests IS NOT NULL") == 0, (
        "whose day is not told"
    )
    assert desk.one("SELECT SUM(list_usd) FROM fct_usage_daily") == N("1210.05")


def test_one_day_tells_cached_and_uncached_tokens(desk: Desk) -> None:
    take(desk, "spend-report-0b0c7e9e-1111-4222-8333-444455556666-2026-11-09-to-2026-11-09.csv")
    (row,) = desk.ask(
        "SELECT usage_date, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, requests, web_searches FROM fct_usage_daily "
        "WHERE user_email = @who AND source = 'claude_ai_spend'", who=EVA,
    )  # fmt: skip
    assert tuple(row.values()) == (D(2026, 11, 9), 110, 700, 200, 220, 5, 1)
    assert {r["timing"] for r in desk.ask("SELECT timing FROM fct_cost_daily")} == {"day"}


@pytest.mark.parametrize(
    ("row", "is_total"),
    [
        ("Total,,,,17,1098,242,8.800000000499,1220.35", True),
        ("(total),,,,17,1098,242,8.80,1220.35", True),
        (",Grand Total,,,,,,8.8,", True),
        (",,,,17,1098,242,8.800000000499,1220.35", True),
        (",,,,1,1,1,8.7,9", False),
        ("(org service usage),(org service),Review,claude-opus-5,7,50,10,8.800000000499,1210.05", False),
        ("Total (USD),,,,,,,1,1", True),
        ("Summe gesamt,,,,,,,,", True),
        ("All users,,,,,,,8.80,1210.05", True),
        ("Everybody,all,,,17,1098,242,8.80,1210.05", True),
        ("Everybody,all,,,17,1098,242,8.80,1210.06", False),
        ("Everybody,all,,,17,1098,242,8.8,", True),
        ("total@example.com,t9,Chat,claude-opus-5,7,50,10,8.800000000499,9", False),
    ],
)
def test_a_row_that_sums_the_others_is_refused_by_its_number(tmp_path: Path, row: str, is_total: bool) -> None:
    """3.000000000499 + 0.10 + 0.20 + 5.5 = 8.800000000499 net, and 4 + 1200.25 + 0.10 + 0.20 + 5.5 = 1210.05 gross: added once more, they would double the
    bill. Whatever the row is called; only what the organization spent itself has no address and is no total."""
    path = tmp_path / "spend-report-2026-11-01-to-2026-11-15.csv"
    path.write_text("\n".join((HEADER, *ROWS, row)) + "\n", encoding="utf-8")
    period = Window(D(2026, 11, 1), D(2026, 11, 15))
    if is_total:
        with pytest.raises(ContractError, match=r"row 8 is a total"):
            exports.spend_rows(path, period)
    else:
        assert len(exports.spend_rows(path, period)) == len(ROWS) + 1
