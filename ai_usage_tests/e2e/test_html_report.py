"""The offline report in a real Chromium: opened from disk, driven like a reader would, compared with SQL.

Every expected figure comes from `card_query` on the same DuckDB, never from the page's own data. Belongs
here: what a reader sees and does. Does not belong here: the spec's rules and the encoding
(`unit/test_dashboards_*`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ai_usage.dashboards import Card, Checks, FilterValues, load_dashboards, meta_from_marts, write_report
from ai_usage.dashboards.query import card_query, compared_period
from ai_usage.transform import totals
from ai_usage.warehouse import models
from ai_usage_tests.browser import Opened, choose, chromium_page, csv_text, exact, read_csv
from ai_usage_tests.fixtures.desk import put_rows_for_views
from ai_usage_tests.proving import PROVE, some
from ai_usage_tests.unit.test_dashboards_data import (
    FORMULA_NAME,
    HOSTILE_DEPARTMENT,
    HOSTILE_NAME,
    LAST_DAY,
    build_marts,
    querier,
    to_duckdb,
)

pytestmark = pytest.mark.browser
DASHBOARDS = {d.key: d for d in load_dashboards()}
COST, USE = DASHBOARDS["cost_allocation"], DASHBOARDS["productivity_analytics"]
LAST_30 = FilterValues(LAST_DAY - timedelta(days=29), LAST_DAY)
SUMMED = {c.key for d in DASHBOARDS.values() for c in d.cards if c.kind == "kpi" and not c.measures[0].ratio}


def write(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    query = querier(connection)
    now = datetime(2026, 11, 1, 14, 5, tzinfo=UTC)
    meta = meta_from_marts(query, generated_at=now, checks=Checks(42, 2), version="0.1.0", note="Demo data")
    return write_report(path, list(DASHBOARDS.values()), query, meta)


@pytest.fixture(scope="module")
def marts() -> duckdb.DuckDBPyConnection:
    """Rows for views: each figure of a page is asked of SQL, and planning the views below it is most of what an answer costs."""
    made = build_marts()
    put_rows_for_views(made, [model.table for model in models.views()])
    return made


@pytest.fixture(scope="module")
def report(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write(marts, path)
    return path


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with chromium_page() as page:
        yield page


def rows(marts: duckdb.DuckDBPyConnection, card: Card, values: FilterValues, **how: Any) -> list[dict[str, Any]]:
    query = card_query(card, values, **how)
    return marts.execute(to_duckdb(query.sql), query.params).to_arrow_table().to_pylist()


def kpi(opened: Opened, key: str) -> Decimal | None:
    return exact(opened.page.locator(f"[data-card={key}] .value").get_attribute("title"))


def same(shown: Decimal | None, expected: Any, summed: bool) -> None:
    if expected is None or shown is None:
        assert shown is None and not expected, "no rows: SQL counts 0, the page says that nothing is on record"
    elif summed:
        assert shown == Decimal(expected)
    else:
        assert abs(shown - Decimal(str(expected))) <= Decimal("1e-9")


def check_kpis(opened: Opened, marts: duckdb.DuckDBPyConnection, values: FilterValues, dashboard: Any = COST) -> None:
    for card in dashboard.cards:
        if card.kind == "kpi":
            expected = rows(marts, card, values)[0][card.measures[0].key]
            same(kpi(opened, card.key), expected, card.key in SUMMED)


def test_it_opens_from_disk_without_any_request(opened: Opened, report: Path) -> None:
    opened.requests.clear()
    opened.open(report, "#cost_allocation")
    page = opened.page
    for dashboard in DASHBOARDS.values():
        page.click(f"#tab-{dashboard.key}")
        page.wait_for_selector(f"#tab-{dashboard.key}[aria-selected=true]")
        opened.settled()
        for card in dashboard.cards:
            assert page.locator(f"[data-card={card.key}] h2").inner_text() == card.title
            if card.kind in ("line", "stacked_bar"):
                assert page.locator(f"[data-card={card.key}] .plot svg path").count() > 3
    assert opened.network == [] and opened.errors == []
    assert {u.split(":")[0] for u in opened.requests} <= {"file", "data", "about"}
    status = page.locator(".status-line").inner_text()
    assert "Data as of Nov 1, 2026, 06:00 UTC" in status
    assert "42 checks passed · 2 warnings" in status and "settled" in status
    assert "Demo data" in page.locator(".note-line").inner_text()


def test_nothing_held_is_nothing_good(opened: Opened, tmp_path: Path) -> None:
    """No run, no source: no green light on checks that nobody made, and no praise of records that nobody read."""
    marts = build_marts(users=2, days=3)
    for name in ("fct_cost_daily", "fct_usage_daily", "raw_fetches", "raw_rejects", "alert_log", *totals.NAMES):
        marts.execute(f"DELETE FROM {name}")
    query = querier(marts)
    meta = meta_from_marts(query, generated_at=datetime(2026, 11, 1, 14, 5, tzinfo=UTC))
    write_report(tmp_path / "empty.html", list(DASHBOARDS.values()), query, meta)
    opened.open(tmp_path / "empty.html", "#data_trust")
    page = opened.page
    assert "no check was recorded" in page.locator(".status-line").inner_text() and page.locator(".dot.good").count() == 0
    assert page.locator("[data-card=rejected] .value").inner_text() == "–"
    assert page.locator("[data-card=rejects] .empty").inner_text().startswith("Nothing on record")
    assert page.locator("[data-card=alerts] .empty").inner_text().startswith("Nothing on record")


def test_names_are_data_and_never_markup(opened: Opened, report: Path) -> None:
    opened.open(report, "#cost_allocation?date=all")
    page = opened.page
    assert page.evaluate("window.pwned") is None
    names = page.locator("[data-card=cost_by_person] tbody th").all_inner_texts()
    assert HOSTILE_NAME in names and FORMULA_NAME in names
    assert HOSTILE_DEPARTMENT in page.locator("[data-card=cost_by_department] .bar-name").all_inner_texts()
    assert page.locator("main img, main script, main b:has-text('R&D')").count() == 0
    # Even markup that got in would run nothing and reach nothing: the page's policy refuses both.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned=1\">')")
    refused = page.evaluate("fetch('https://example.com/').then(() => 'sent', () => 'refused')")
    assert refused == "refused" and page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in e for e in opened.errors)
    opened.errors.clear()
    opened.requests.clear()


@pytest.mark.parametrize("preset", ["this_month", "last_month", "last_30_days", "last_90_days", "all"])
def test_each_period(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection, preset: str) -> None:
    opened.open(report, "#cost_allocation")
    opened.page.select_option("select[data-filter=date]", preset)
    opened.settled()
    values = {
        "this_month": FilterValues(date(2026, 10, 1), LAST_DAY),
        "last_month": FilterValues(date(2026, 9, 1), date(2026, 9, 30)),
        "last_30_days": LAST_30,
        "last_90_days": FilterValues(LAST_DAY - timedelta(days=89), LAST_DAY),
        "all": FilterValues(),
    }[preset]
    opened.page.wait_for_function(f"document.querySelector('select[data-filter=date]').value === '{preset}'")
    check_kpis(opened, marts, values)
    opened.page.click("#tab-productivity_analytics")
    opened.page.wait_for_selector("[data-card=accepted_lines] .value")
    opened.settled()
    check_kpis(opened, marts, values, USE)


FILTERS = [
    {"department": ["Data", "(no department)"]},
    {"user": ["(unattributed)"]},
    {"department": ["Data", "Product"], "platform": ["claude_api", "claude_code"]},
]
# One value of one filter: test_html_suite.py.
ONE_VALUE: list[dict[str, list[str]]] = [{"department": ["Data"]}, {"platform": ["cursor"]}, {"user": ["barbara.fir@example.com"]}]


@pytest.mark.parametrize("chosen", some(FILTERS, FILTERS + ONE_VALUE))
def test_each_filter_reaches_every_card(
    opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection, chosen: dict[str, list[str]]
) -> None:
    opened.open(report, "#cost_allocation?date=2026-09-10..2026-10-20")
    known = {r[0] for r in marts.execute("SELECT DISTINCT user_email FROM vw_cost_allocation").fetchall()}
    chosen = {k: [v if k != "user" or v in known else sorted(known)[1] for v in vs] for k, vs in chosen.items()}
    for key, names in chosen.items():
        choose(opened, key, *names)
    values = FilterValues(date(2026, 9, 10), date(2026, 10, 20), chosen)
    check_kpis(opened, marts, values)
    for card in COST.cards:
        if card.kind == "kpi":
            continue
        _, body, _ = read_csv(opened, card.key)
        expected = rows(marts, card, values, pivot=False)
        groups, measure = len(card.group_by), card.measures[0]
        # A table with `compare` keeps a row for what is gone: its figure is empty.
        shown = {tuple(line[:groups]): Decimal(line[groups]) for line in body if line[groups]}
        wanted = {tuple(csv_text(r[d.column]) for d in card.group_by): r[measure.key] for r in expected if r[measure.key] is not None}
        assert shown == wanted, card.key
    # A bookmark of this view shows the same figures; another tab keeps the filters.
    address = opened.page.url
    opened.open(report, "#" + address.split("#")[1])
    check_kpis(opened, marts, values)
    opened.open(report, "#productivity_analytics?" + address.split("?")[1])
    check_kpis(opened, marts, values, USE)


def test_figures_are_compared_with_the_period_before(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    opened.open(report, "#cost_allocation")
    before = compared_period(LAST_30)
    assert before is not None
    card = COST.card("billed_cost")
    old, new = (rows(marts, card, v)[0]["cost"] for v in (before, LAST_30))
    delta = opened.page.locator("[data-card=billed_cost] .delta")
    assert exact((delta.get_attribute("title") or "").split(",")[0]) == old
    change = (new / old - 1) * 100
    assert f"{abs(change):.1f}%" in delta.inner_text() and ("▲" if change > 0 else "▼") in delta.inner_text()
    opened.open(report, f"#cost_allocation?date={LAST_DAY - timedelta(days=99)}..{LAST_DAY}")
    assert delta.inner_text() == "Not compared: records begin Jul 4, 2026"
    opened.open(report, "#cost_allocation?date=all")
    assert "Choose a period" in delta.inner_text()


def test_tables_sort_by_any_column(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    opened.open(report, "#cost_allocation?date=all")
    table = opened.page.locator("[data-card=cost_by_person] table").first
    heads = table.locator("thead th")
    assert heads.nth(3).get_attribute("aria-sort") == "descending"
    expected = rows(marts, COST.card("cost_by_person"), FilterValues(), pivot=False)
    titles = [t.get_attribute("title") for t in table.locator("tbody tr td:nth-child(4)").all()]
    assert [exact(t) for t in titles] == [r["cost"] for r in expected]
    for index in range(heads.count()):
        for order in ("ascending", "descending"):
            if heads.nth(index).get_attribute("aria-sort") != order:
                heads.nth(index).locator("button").click()
            if heads.nth(index).get_attribute("aria-sort") != order:
                heads.nth(index).locator("button").click()
            assert [h.get_attribute("aria-sort") for h in heads.all()].count(order) == 1
            cells = table.locator(f"tbody tr > :nth-child({index + 1})")
            if index >= 3:
                figures = [f for f in (exact(c.get_attribute("title")) for c in cells.all()) if f is not None]
                assert figures == sorted(figures, reverse=order == "descending")
            else:
                texts = [t.casefold() for t in cells.all_inner_texts() if t[:1].isalpha() and t.isascii()]
                assert texts == sorted(texts, reverse=order == "descending")


def test_a_csv_file_is_exact_and_safe(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    opened.open(report, "#cost_allocation?date=all")
    head, body, text = read_csv(opened, "cost_by_person")
    assert text.startswith("\ufeff") and "\r\n" in text and "\n" not in text.replace("\r\n", "")
    assert head == ["Name", "E-mail", "Department", "Billed cost (USD)", "Gross cost (USD)", "Share of gross (fraction)",
                    "Cursor (USD)", "Claude Code (USD)", "Claude API (USD)", "Claude.ai (USD)"]  # fmt: skip
    card = COST.card("cost_by_person")
    expected = rows(marts, card, FilterValues(), pivot=False)
    total = sum(r["gross"] for r in expected)
    assert len(body) == len(expected)
    for line, row in zip(body, expected, strict=True):
        assert line[:3] == [csv_text(row[k]) for k in ("user_name", "user_email", "department")]
        assert Decimal(line[3]) == row["cost"]
        assert Decimal(line[4]) == row["gross"]
        assert Decimal(line[5]) == (row["gross"] / total).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    spread = {(r["user_email"], r["platform"], r["department"]): r["cost"] for r in rows(marts, card, FilterValues())}
    for line in body:
        for platform, cell in zip(("cursor", "claude_code", "claude_api", "claude_ai"), line[6:], strict=True):
            expected_cell = spread.get((line[1], platform, line[2]))
            assert cell == "" if expected_cell is None else Decimal(cell) == expected_cell
    assert "'" + FORMULA_NAME in [line[0] for line in body], "a formula is text"
    assert not [c for line in body for c in line if c[:1] in "=@+" and c]


def test_charts_turn_into_tables_and_say_what_they_show(opened: Opened, report: Path) -> None:
    opened.open(report, "#cost_allocation")
    page = opened.page
    plot = page.locator("[data-card=cost_by_day] .plot")
    assert "Billed cost over time: USD from" in (plot.get_attribute("aria-label") or "")
    assert "USD" in plot.inner_text() and "Day (UTC)" in plot.inner_text()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.wait_for_selector("#tip:not([hidden])")
    assert "Total" in page.locator("#tip").inner_text()
    toggle = page.locator("[data-card=cost_by_day] .tool").first
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "true" and plot.count() == 0
    assert page.locator("[data-card=cost_by_day] tbody tr").count() > 60
    toggle.click()
    page.wait_for_selector("[data-card=cost_by_day] .plot svg")


def test_unknown_is_a_dash_and_nothing_is_said_to_be_nothing(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    opened.open(report, "#productivity_analytics?platform=claude_api")
    page = opened.page
    assert page.locator("[data-card=accepted_lines] .value").inner_text() == "–"
    assert page.locator("[data-card=requests] .value").inner_text() != "–"
    assert "Not reported" in page.locator("[data-card=lines_over_time] .empty").inner_text()
    opened.open(report, "#cost_allocation?date=2020-01-01..2020-02-01&department=Nobody")
    assert page.locator("[data-card=billed_cost] .value").inner_text() == "–"
    assert "Nothing on record" in page.locator("[data-card=cost_by_day] .empty").inner_text()
    choose(opened, "department", "Nobody")
    assert "department" not in page.url
    page.click(".reset")
    page.wait_for_function("!location.hash.includes('2020')")
    opened.settled()
    check_kpis(opened, marts, LAST_30)


def test_cards_that_a_filter_does_not_reach_say_so(opened: Opened, report: Path) -> None:
    opened.open(report, "#cost_allocation")
    assert opened.page.locator("[data-card=department_by_month] .badge").inner_text() == "All dates on record"
    assert opened.page.locator("[data-card=department_by_month] thead th").count() == 1 + 4 + 1, "Jul to Oct, and Total"


def test_a_card_of_its_own_scope_says_which_filters_do_not_act(opened: Opened, report: Path) -> None:
    """Budgets know department and month, the projection neither; a filter that nobody set is not named."""
    page = opened.page
    opened.open(report, "#cost_allocation?department=Data")
    assert page.locator("[data-card=budgets] .badge").inner_text() == "Months that the period touches"
    opened.open(report, "#cost_allocation?department=Data&platform=cursor&user=grace.birch@example.com")
    assert page.locator("[data-card=budgets] .badge").inner_text() == "Months that the period touches · Not filtered by platform, person"
    assert page.locator("[data-card=seats] .badge").inner_text() == "Months that the period touches", "all of them act there"
    assert page.locator("[data-card=department_by_month] .badge").inner_text() == "All dates on record", "its three filters act"
    opened.open(report, "#executive_summary?department=Data&platform=cursor&user=grace.birch@example.com")
    badge = page.locator("[data-card=budget_used] .badge").inner_text()
    assert badge == "Months that the period touches · Not filtered by person"
    for key in ("projection", "month_to_end"):
        badge = page.locator(f"[data-card={key}] .badge")
        assert badge.inner_text() == "Latest month, whole company · Not filtered by department, platform, person"
        assert badge.evaluate("e => e.scrollWidth <= e.clientWidth"), f"{key}: its words are cut off"
        figure = page.locator(f"[data-card={key}] :is(.value, .plot)")
        assert badge.evaluate("e => e.getBoundingClientRect().bottom") <= figure.evaluate("e => e.getBoundingClientRect().top") + 1, key
        assert page.locator(f"[data-card={key}] .delta").evaluate_all("all => all.every(e => e.scrollHeight <= e.clientHeight + 1)"), key
    opened.open(report, "#executive_summary?department=Data")
    assert page.locator("[data-card=platform_outlook] .badge").inner_text() == "Latest month, all departments · Not filtered by department"
    assert page.locator("[data-card=freshness] .badge").inner_text() == "Everything on record · Not filtered by department"
    assert page.locator("[data-card=spend] .badge").count() == 0
    opened.open(report, "#data_trust?date=2020-01-01..2020-01-31&department=Data")
    assert page.locator("[data-card=rejected] .delta").inner_text() == "Every record could be used."
    assert page.locator("[data-card=rejected] .badge").inner_text() == "All sources · Not filtered by department", "good news too"


def test_people_of_several_weeks_and_platforms_are_not_added_up(opened: Opened, report: Path) -> None:
    """One person on two platforms is one person; lines, which can be added up, keep their total."""
    opened.open(report, "#productivity_analytics")
    page = opened.page
    tips = {}
    for key in ("adoption", "lines_over_time"):
        plot = page.locator(f"[data-card={key}] .plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_selector("#tip:not([hidden])")
        tips[key] = page.locator("#tip").inner_text()
        page.locator(f"[data-card={key}] .tool").first.click()
        page.wait_for_selector(f"[data-card={key}] tbody tr")
    assert "Cursor" in tips["adoption"] and "Claude Code" in tips["adoption"] and "Total" not in tips["adoption"]
    assert "Total" in tips["lines_over_time"]
    assert page.locator("[data-card=lines_over_time] tfoot").count() == 1
    assert page.locator("[data-card=adoption] tfoot").count() == 0


def test_the_keyboard_reaches_tabs_filters_and_sorting(opened: Opened, report: Path) -> None:
    opened.open(report, "#cost_allocation")
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tab-cost_allocation"
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#tab-productivity_analytics[aria-selected=true]")
    opened.settled()
    assert page.evaluate("document.activeElement.id") == "tab-productivity_analytics"
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#tab-cost_allocation[aria-selected=true]")
    opened.settled()
    page.focus("button[data-filter=platform]")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    opened.settled()
    assert "platform=" in page.url
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.filter") == "platform"
    assert page.locator("#filter-platform").is_hidden()
    seen = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.className + ':' + document.activeElement.textContent"))
        if "sort:Billed cost" in seen:
            break
    assert "sort:Billed cost" in seen
    page.keyboard.press("Enter")
    assert page.locator("[data-card=department_table] th[aria-sort=ascending]").inner_text() == "Billed cost"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus is visible"


def test_sums_beyond_the_exact_range_of_numbers_stay_exact(opened: Opened, tmp_path: Path) -> None:
    marts = build_marts(users=4, days=40)
    for amount in ("20000000.123456789", "0.000000001", "-0.100000007", "9007199.254740993"):
        marts.execute(
            "INSERT INTO fct_cost_daily SELECT * REPLACE (CAST(? AS DECIMAL(38,9)) AS cost_usd, "
            "'adjustment' AS cost_type) FROM fct_cost_daily LIMIT 1",
            [amount],
        )
    write(marts, tmp_path / "big.html")
    opened.open(tmp_path / "big.html", "#cost_allocation?date=all")
    check_kpis(opened, marts, FilterValues())
    assert kpi(opened, "billed_cost") == marts.execute("SELECT SUM(cost_usd) FROM vw_cost_allocation").fetchall()[0][0]


def test_themes_widths_and_paper(report: Path) -> None:
    seen = []
    for dark in (False, True):
        with chromium_page(1024, 800, dark=dark) as opened:
            opened.open(report, "#cost_allocation")
            page = opened.page
            seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            for width in (1024,) if dark else (390, 820, 1024, 1440, 2560):
                page.set_viewport_size({"width": width, "height": 900})
                page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
                fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert fits, f"{width}: sideways scroll"
            page.emulate_media(media="print")
            assert page.locator("#filters").is_hidden() and page.locator("#printed").is_visible()
            assert "Period: Oct 2, 2026 to Oct 31, 2026" in page.locator("#printed").inner_text()
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(set(seen)) == 2


def test_a_hundred_people_and_two_years_stay_under_ten_megabytes(tmp_path: Path) -> None:
    """One megabyte for the page itself, and of the other nine what falls to the days drawn: five months here, two years in `make prove`."""
    days = 730 if PROVE else 146
    marts = build_marts(users=100, days=days, platforms=("cursor", "claude_code"), hostile=False)
    path = tmp_path / "big.html"
    size = write(marts, path)
    assert size < 1_000_000 + 9_000_000 * days // 730
    with chromium_page() as opened:
        started = time.perf_counter()
        opened.open(path, "#cost_allocation")
        first = time.perf_counter() - started
        check_kpis(opened, marts, LAST_30)
        started = time.perf_counter()
        opened.page.select_option("select[data-filter=date]", "all")
        opened.settled()
        filtered = time.perf_counter() - started
        check_kpis(opened, marts, FilterValues())
    print(f"\n{size / 1e6:.2f} MB, opens in {first:.2f} s, all dates in {filtered:.2f} s")
