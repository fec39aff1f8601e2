"""Encoding is exact, the file is closed in itself, and nothing from data can become markup."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.dashboards import (
    Checks,
    EncodeError,
    ReportMeta,
    load_dashboards,
    meta_from_marts,
    render_report,
    write_report,
)
from ai_usage.dashboards.encode import SAFE, decode_table, encode_table, unpack
from ai_usage.dashboards.html import SCRIPTS, TEMPLATES, ReportError, vega_bundle
from ai_usage.transform import totals
from ai_usage_tests.browser import chromium_path
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_dashboards_data import HOSTILE_DEPARTMENT, HOSTILE_NAME, build_marts, querier

NOW = datetime(2026, 11, 1, 14, 5, tzinfo=UTC)
MONEY = pa.decimal128(38, 9)


@pytest.fixture(scope="module")
def page() -> str:
    query = querier(build_marts(days=40))
    return render_report(load_dashboards(), query, meta_from_marts(query, generated_at=NOW, checks=Checks(3, 1)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.decimals(min_value=-(10**28), max_value=10**28, places=9)),
            st.one_of(st.none(), st.integers(min_value=-(2**63), max_value=2**63 - 1)),
            st.one_of(st.none(), st.text()),
        )
    )
)
def test_what_goes_in_comes_out_to_the_last_digit(
    rows: list[tuple[Decimal | None, int | None, str | None]],
) -> None:
    rows = [(m, n, None if s is None else s.encode("utf-8", "ignore").decode()) for m, n, s in rows]
    table = pa.table({
        "money": pa.array([r[0] for r in rows], MONEY),
        "count": pa.array([r[1] for r in rows], pa.int64()),
        "name": pa.array([r[2] for r in rows], pa.string()),
    })  # fmt: skip
    text = encode_table(table, "t")
    assert re.fullmatch(r"[A-Za-z0-9+/=]*", text)
    back = decode_table(text)
    assert back["money"] == [r[0] for r in rows] and back["name"] == [r[2] for r in rows]
    assert back["count"] == [None if r[1] is None else Decimal(r[1]) for r in rows]
    for value in unpack(text)["columns"]["money"]["values"]:
        assert not isinstance(value, float) and (not isinstance(value, int) or abs(value) <= SAFE)


def test_other_types_and_refusals() -> None:
    table = pa.table({
        "day": pa.array([date(2026, 1, 2), None, date(2026, 1, 1)]),
        "at": pa.array([datetime(2026, 1, 1, 3, tzinfo=UTC)] * 3, pa.timestamp("us", tz="UTC")),
        "yes": pa.array([True, False, None]),
        "huge": pa.array([Decimal(2**70), None, Decimal(1)], pa.decimal128(38, 0)),
    })  # fmt: skip
    back = decode_table(encode_table(table, "t"))
    assert back["day"] == ["2026-01-02", None, "2026-01-01"] and back["at"][0] == "2026-01-01T03:00:00Z"
    assert back["yes"] == ["true", "false", None] and back["huge"] == [Decimal(2**70), None, Decimal(1)]
    with pytest.raises(EncodeError, match="float cannot carry money"):
        encode_table(pa.table({"x": [1.5]}), "cost/01.sql")
    with pytest.raises(EncodeError, match="more than 9 decimals"):
        encode_table(pa.table({"x": pa.array([Decimal("1.5")], pa.decimal128(38, 10))}), "t")


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    shell = page.replace(vega_bundle(), "")
    assert not re.findall(r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?\s*(?:https?:)?//""", shell)
    assert "@import" not in shell and "url(http" not in shell
    assert "://" not in shell.replace("http://www.w3.org/2000/svg", "").replace("http://schemas.openxmlformats.org", ""), (
        "but for names of namespaces"
    )
    assert re.findall(r"<(?:iframe|object|embed|form|base)\b", shell) == []
    assert re.findall(r"<link\b[^>]*>", shell) == ['<link rel="icon" href="data:,">']


def test_the_policy_admits_exactly_the_scripts_of_this_file(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    text = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in text and "unsafe-eval" not in text and "connect-src" not in text
    scripts = text.split("script-src ")[1].split(";")[0]
    assert "unsafe-inline" not in scripts and scripts.count("'sha256-") == 2


def test_hostile_text_is_nowhere_in_the_markup(page: str) -> None:
    page = page.replace(vega_bundle(), "")
    for text in (HOSTILE_NAME, HOSTILE_DEPARTMENT, "onerror=", "evil.example", "Almond", "@example.com"):
        assert text not in page
    assert page.count("</script>") == page.count("<script")
    for body in re.findall(r'<script type="text/plain"[^>]*>(.*?)</script>', page, re.DOTALL):
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", body)


def test_the_page_never_makes_markup_from_text() -> None:
    for name in SCRIPTS:
        source = (TEMPLATES / name).read_text(encoding="utf-8")
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "fetch(",
        ):
            assert word not in source, f"{name}: {word}"


def test_equal_queries_are_embedded_once_and_the_same_data_gives_the_same_file() -> None:
    query = querier(build_marts(users=5, days=20))
    asked: list[str] = []

    def counting(sql: str) -> pa.Table:
        asked.append(sql)
        return query(sql)

    meta = ReportMeta(generated_at=NOW, as_of=NOW)
    first = render_report(load_dashboards(), counting, meta)
    assert len(asked) == 26 == first.count('id="data-')
    assert render_report(load_dashboards(), query, meta) == first


def test_an_empty_warehouse_still_gives_a_report() -> None:
    connection = build_marts(users=2, days=3)
    for name in ("fct_cost_daily", "fct_usage_daily", "raw_fetches", *totals.NAMES):
        connection.execute(f"DELETE FROM {name}")
    query = querier(connection)
    meta = meta_from_marts(query, generated_at=NOW)
    assert meta.settled_share is None and meta.data_through is None
    assert "<main" in render_report(load_dashboards(), query, meta)
    with pytest.raises(ReportError, match="no dashboard"):
        render_report([], query, meta)


def test_the_status_comes_from_the_marts() -> None:
    meta = meta_from_marts(querier(build_marts()), generated_at=NOW, checks=Checks(5), version="1", note="Demo")
    assert meta.settled_through == date(2026, 9, 30) and meta.data_through == date(2026, 10, 31)
    assert meta.settled_share is not None and 0 < meta.settled_share < 1
    assert meta.as_of == datetime(2026, 11, 1, 6, tzinfo=UTC) and meta.payload()["as_of"] == "2026-11-01T06:00:00Z"
    with pytest.raises(ValueError, match="no time zone"):
        ReportMeta(generated_at=datetime(2026, 1, 1), as_of=NOW).payload()


def test_the_days_that_a_source_did_not_tell_are_known(desk: Desk) -> None:
    """Of six days Cursor told its bill of four, one attempt failed and one was never made; of the last a part is held. Members' days failed once more.
    A file claims its own days only, so nothing of its source is missing."""
    days = {d: date(2026, 11, d) for d in range(1, 8)}
    for d in (1, 2, 4, 6):
        at = datetime(2026, 11, d, 20 if d == 6 else 12, tzinfo=UTC) + timedelta(days=0 if d == 6 else 1)
        desk.fetch("cursor", "filtered-usage-events", days[d], at=at, vendor_total_usd=Decimal(0))
    desk.fetch("cursor", "filtered-usage-events", days[3], state="failed")
    for d in range(1, 7):
        desk.fetch("cursor", "daily-usage-data", days[d], state="failed" if d == 2 else "empty")
    desk.fetch("claude_ai", "spend", days[7], origin="upload", vendor_total_usd=Decimal(5))
    # The cost report failed on the 2nd, and the second report of the bill knows of no money that day.
    desk.fetch("anthropic", "cost_report", days[1], vendor_total_usd=Decimal(1))
    desk.fetch("anthropic", "cost_report", days[2], state="failed")
    desk.fetch("anthropic", "analytics/cost", days[2], vendor_total_usd=Decimal(0))
    anthropic, cursor = meta_from_marts(desk.warehouse.select, generated_at=NOW).held
    assert (anthropic.source, anthropic.cost_gaps) == ("anthropic", ((days[2], days[2]),))
    assert (cursor.source, cursor.first_day, cursor.last_day) == ("cursor", days[1], days[6])
    assert cursor.cost_gaps == ((days[3], days[3]), (days[5], days[6]))
    assert cursor.gaps == ((days[2], days[3]), (days[5], days[6]))


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    query = querier(build_marts(users=2, days=3))
    meta = ReportMeta(generated_at=NOW, as_of=NOW)
    path = tmp_path / "out" / "report.html"
    size = write_report(path, load_dashboards(), query, meta)
    before = path.read_bytes()
    assert size == len(before)

    def broken(sql: str) -> pa.Table:
        raise RuntimeError("the warehouse went away")

    with pytest.raises(RuntimeError):
        write_report(path, load_dashboards(), broken, meta)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_missing_browser_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(AssertionError, match="apt-get install chromium"):
        chromium_path()
