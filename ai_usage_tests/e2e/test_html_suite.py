"""The five dashboards in a real Chromium: every card against SQL, files that spreadsheets read, paper, and assistive technology.

Belongs here: what every dashboard must do. Does not belong here: the single behaviours of filters, sorting and charts
(`test_html_report.py`).
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe

from ai_usage.dashboards import FilterValues, load_dashboards, meta_from_marts, write_report
from ai_usage.dashboards.html import TEMPLATES
from ai_usage.dashboards.meta import Held
from ai_usage.dashboards.query import card_query, compared_period
from ai_usage.warehouse import models
from ai_usage_tests.browser import Opened, choose, chromium_page, csv_text, exact, saved
from ai_usage_tests.e2e.test_html_report import kpi, rows, same, write
from ai_usage_tests.fixtures.desk import put_rows_for_views
from ai_usage_tests.proving import some
from ai_usage_tests.unit.test_dashboards_data import FORMULA_NAME, HOSTILE_NAME, LAST_DAY, build_marts, querier
from ai_usage_tests.unit.test_dashboards_query import PERIOD_BEFORE

pytestmark = pytest.mark.browser
DASHBOARDS = {d.key: d for d in load_dashboards()}
LAST_30 = FilterValues(date(2026, 10, 2), LAST_DAY)
every_dashboard = pytest.mark.parametrize("key", list(DASHBOARDS))


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


def table_of(opened: Opened, card: str) -> list[list[str]]:
    text = saved(opened, card, "Download CSV").decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]


def check_dashboard(opened: Opened, marts: duckdb.DuckDBPyConnection, key: str, values: FilterValues) -> None:
    """Every card shows what SQL answers for the same filters."""
    for card in DASHBOARDS[key].cards:
        if card.kind == "note":
            continue
        expected = rows(marts, card, values, pivot=False)
        measure = card.measures[0]
        if card.kind == "kpi":
            same(kpi(opened, card.key), expected[0][measure.key] if expected else None, measure.ratio is None)
            continue
        if not expected:
            assert opened.page.locator(f"[data-card={card.key}] .empty").count() == 1, card.key
            continue
        groups = len(card.group_by)
        shown = {tuple(line[:groups]): line[groups] for line in table_of(opened, card.key) if line[groups]}
        wanted = {tuple(csv_text(r[d.column]) for d in card.group_by): r[measure.key] for r in expected if r[measure.key] is not None}
        assert set(shown) == set(wanted), card.key
        for group, figure in wanted.items():
            if measure.unit in ("date", "timestamp"):
                assert shown[group][:10] == str(figure)[:10], (card.key, group)
            else:
                off = abs(Decimal(shown[group]) - Decimal(str(figure)))
                assert off <= (Decimal("1e-9") if measure.ratio or measure.share else 0), (card.key, group)


CHOSEN = {"department": ["Data", "Product"], "platform": ["cursor", "claude_api"], "user": ["grace.birch@example.com"]}


EVERY = [(key, by) for key, board in DASHBOARDS.items() for by in CHOSEN if by in {f.key for f in board.filters}]


# Each dashboard unfiltered and by one filter, the filters taking turns; which cards a filter reaches is one script's affair, and test_html_report.py tries
# every filter on one dashboard.
@pytest.mark.parametrize(
    ("key", "by"),
    [
        *((key, "") for key in DASHBOARDS),
        *some([pairs[n % len(pairs)] for n, key in enumerate(DASHBOARDS) if (pairs := [p for p in EVERY if p[0] == key])], EVERY),
    ],
)
def test_every_card_shows_what_sql_says(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection, key: str, by: str) -> None:
    chosen = {by: CHOSEN[by]} if by else {}
    if by and key == "team_productivity":  # which groups are large enough to be shown is the data's affair
        found = marts.execute(f"SELECT DISTINCT {by} FROM vw_team_productivity WHERE week BETWEEN '2026-10-01' AND '2026-10-31' ORDER BY 1")
        chosen = {by: [value for (value,) in found.fetchall()][:2]}
        assert chosen[by]
    opened.open(report, f"#{key}?date=2026-10-02..2026-10-31")
    for name, values in chosen.items():
        choose(opened, name, *values)
    check_dashboard(opened, marts, key, FilterValues(LAST_30.date_from, LAST_30.date_to, chosen))
    assert opened.network == [] and opened.errors == []


def test_the_projection_shows_its_range_and_the_budget(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    """The synthetic month is over, but its last two days are open: the forecast begins after the last day that counts."""
    opened.open(report)
    page = opened.page
    assert page.locator("h1").inner_text() == "Executive Summary", "it is the first page"
    (row,) = marts.execute(
        "SELECT projected_usd, low_usd, high_usd, budget_usd FROM vw_forecast WHERE level = 'company' AND cost_date = DATE '2026-10-31'"
    ).fetchall()
    assert row[1] < row[0] < row[2], "there is something to forecast"
    assert kpi(opened, "projection") == row[0]
    title = page.locator("[data-card=projection] .delta").first.get_attribute("title") or ""
    assert [exact(part) for part in title.split(" to ")] == [row[1], row[2]]
    legend = page.locator("[data-card=month_to_end] .legend").inner_text()
    assert [word in legend for word in ("Spent", "Projected", "Budget of the month", "Range")] == [True] * 4
    assert "Left:" in page.locator("[data-card=budget_used] .delta").inner_text()
    assert "Of budget:" in page.locator("[data-card=projection] .delta").last.inner_text()
    assert page.locator("[data-card=projection] .badge").inner_text() == "Latest month, whole company"


def test_a_bridge_is_walked_from_its_start_and_months_stand_newest_first(opened: Opened, report: Path) -> None:
    """The parts that are drawn sum to where the bridge ends; what is not explained stands there at zero too."""
    opened.open(report, "#executive_summary?date=2026-10-01..2026-10-31")
    steps = opened.page.locator("[data-card=why_changed] .steps li")
    names = steps.locator(".bar-name").all_inner_texts()
    assert names[0] == "Before" and names[-2:] == ["Not explained", "Now"]
    *parts, now = [exact(step.get_attribute("title")) for step in steps.all()]
    assert sum(parts) == now == kpi(opened, "spend")
    heads = opened.page.locator("[data-card=month_by_platform] thead th").all_inner_texts()
    assert heads == ["Platform", "Oct 2026", "Sep 2026", "Aug 2026", "Jul 2026", "Total"]


def test_no_bridge_is_drawn_over_a_day_that_is_not_held(opened: Opened, marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Cursor's bill of 3 September is missing: less of it would look like fewer days of use. Of Claude alone nothing is missing."""
    gap = (date(2026, 9, 3), date(2026, 9, 3))
    meta = replace(meta_from_marts(querier(marts), generated_at=datetime(2026, 11, 1, tzinfo=UTC)), held=(
        Held("cursor", date(2026, 7, 4), LAST_DAY, (gap,), (gap,), ("cursor",)),))  # fmt: skip
    write_report(tmp_path / "gap.html", [DASHBOARDS["executive_summary"]], querier(marts), meta)
    opened.open(tmp_path / "gap.html", "#executive_summary?date=2026-10-01..2026-10-31")
    bridge = opened.page.locator("[data-card=why_changed]")
    assert bridge.locator(".empty").inner_text() == "Not compared: Cursor lacks Sep 3." and bridge.locator(".steps").count() == 0
    opened.open(tmp_path / "gap.html", "#executive_summary?date=2026-10-01..2026-10-31&platform=claude_api")
    assert bridge.locator(".steps").count() == 1


def test_this_month_stands_beside_the_same_days_of_last_month(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    opened.open(report, "#executive_summary?date=2026-10-01..2026-10-20")
    card = DASHBOARDS["executive_summary"].card("spend")
    values = FilterValues(date(2026, 10, 1), date(2026, 10, 20))
    before = compared_period(values)
    assert before == FilterValues(date(2026, 9, 1), date(2026, 9, 20))
    shown = opened.page.locator("[data-card=spend] .delta").get_attribute("title") or ""
    assert exact(shown.split(",")[0]) == rows(marts, card, before)[0]["cost"]
    opened.open(report, "#executive_summary?date=2026-10-01..2026-10-31")
    assert "Sep 1 – Sep 30" in (opened.page.locator("[data-card=spend] .delta").get_attribute("title") or "")


@pytest.mark.parametrize(
    ("board", "card", "period", "words"),
    [
        ("executive_summary", "spend", "2026-10-29..2026-10-30", "Oct 27 – Oct 28"),
        ("cost_allocation", "billed_cost", "2026-10-01..2026-10-20", "Sep 1 – Sep 20"),
        ("cost_allocation", "billed_cost", "2026-09-01..2026-09-30", "Aug 1 – Aug 31"),
    ],
)
def test_every_dashboard_compares_by_one_rule(
    opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection, board: str, card: str, period: str, words: str
) -> None:
    opened.open(report, f"#{board}?date={period}")
    shown = opened.page.locator(f"[data-card={card}] .delta").get_attribute("title") or ""
    assert shown.endswith(f", {words}")
    first, last = (datetime.strptime(f"{day} 2026", "%b %d %Y").date() for day in words.split(" – "))
    assert exact(shown) == rows(marts, DASHBOARDS[board].card(card), FilterValues(first, last))[0]["cost"]


def test_the_page_and_sql_compare_with_the_same_period(opened: Opened) -> None:
    """The script alone, on an empty page: the calendar's months, which no one report holds."""
    opened.page.goto("about:blank")
    script = (TEMPLATES / "periods.js").read_text(encoding="utf-8")
    before = opened.page.evaluate(
        f"periods => {{ const AIU = {{}};\n{script}\nreturn periods.map(([from, to]) => AIU.compared({{ from, to }})); }}",
        [list(period) for period in PERIOD_BEFORE],
    )
    assert dict(zip(PERIOD_BEFORE, ((b["from"], b["to"]) for b in before), strict=True)) == PERIOD_BEFORE


def test_nothing_is_compared_where_a_day_is_not_held(opened: Opened) -> None:
    """The script alone: Cursor was asked from Sep 5, its bill of Oct 3 is not held, another report of Oct 9 neither; data reach Oct 31."""
    opened.page.goto("about:blank")
    script = (TEMPLATES / "periods.js").read_text(encoding="utf-8")
    held = [{"source": "cursor", "first_day": "2026-09-05", "last_day": "2026-10-31", "cost_gaps": [["2026-10-03", "2026-10-03"]],
             "gaps": [["2026-10-03", "2026-10-03"], ["2026-10-09", "2026-10-12"]], "platforms": ["cursor"]}]  # fmt: skip

    def lacking(
        *sides: tuple[str, str], of_cost: bool = True, folded: str | None = None, first: str = "2026-09-01", platforms: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        return opened.page.evaluate(
            f"([card, span, sides, rest]) => {{ const AIU = {{}};\n{script}\nreturn AIU.lacking(card, span, sides, rest); }}",
            [{"of_cost": of_cost, "monthly_before": folded}, {"first": first, "last": "2026-10-31"},
             [{"from": a, "to": b} for a, b in sides], {"held": held, "through": "2026-10-31", "platforms": platforms}],
        )  # fmt: skip

    late, early = ("2026-10-18", "2026-10-31"), ("2026-10-04", "2026-10-17")
    assert lacking(late, early) is None, "the bill of all of these days is held"
    assert lacking(late, early, of_cost=False) == {"source": "cursor", "days": [["2026-10-09", "2026-10-12"]]}
    assert lacking(early, ("2026-09-20", "2026-10-03")) == {"source": "cursor", "days": [["2026-10-03", "2026-10-03"]]}
    missing = (early, ("2026-09-20", "2026-10-03"))
    assert lacking(*missing, platforms=("claude_api", "claude_code")) is None, "Cursor's days are no days of Claude"
    assert (
        lacking(*missing, platforms=("cursor",)) == lacking(*missing, platforms=("claude_api", "cursor")) == lacking(*missing) is not None
    )
    assert lacking(("2026-09-09", "2026-09-16"), ("2026-09-01", "2026-09-08")) == {
        "source": "cursor",
        "days": [["2026-09-01", "2026-09-04"]],
    }
    assert lacking(late, early, first="2026-10-05") == {"begins": "2026-10-05"}
    assert lacking(("2026-10-31", "2026-11-01"), ("2026-10-29", "2026-10-30")) == {"ahead": "2026-11-01"}
    assert lacking(late, ("2026-10-01", "2026-10-02"), folded="2026-10-05") == {"folded": "2026-10-05"}
    assert lacking(late, ("2026-09-10", "2026-09-30"), folded="2026-10-01") == {"folded": "2026-10-01"}


def test_tables_show_the_change_and_keep_what_is_gone(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    """Change = now minus before for every department and in total; who spent before and not now has a row."""
    opened.open(report, "#cost_allocation?date=2026-10-31..2026-10-31")
    card = DASHBOARDS["cost_allocation"].card("cost_by_person")
    days = [FilterValues(date(2026, 10, n), date(2026, 10, n)) for n in (31, 30)]
    now, before = ({r["user_email"]: r["cost"] for r in rows(marts, card, v, pivot=False)} for v in days)
    assert set(before) - set(now), "a Saturday after a Friday: somebody is gone"
    shown = {line[1]: line for line in table_of(opened, "cost_by_person")}
    assert set(shown) == set(now) | set(before)
    for email, line in shown.items():
        assert Decimal(line[4]) == now.get(email, 0) - before.get(email, 0)
        assert (line[3] == "") == (email not in now)
    total = opened.page.locator("[data-card=cost_by_person] tfoot td").nth(3).get_attribute("title")
    assert exact(total) == sum(now.values()) - sum(before.values())


@every_dashboard
def test_a_file_gives_what_each_ratio_was_divided_from(opened: Opened, report: Path, key: str) -> None:
    """Each ratio of each file is its numerator over its denominator, which stand beside it, to half of its ninth decimal."""
    opened.open(report, f"#{key}?date=all")
    for card in DASHBOARDS[key].cards:
        ratios = [m for m in card.measures if m.ratio]
        if card.kind in ("kpi", "note") or not ratios or opened.page.locator(f"[data-card={card.key}] .empty").count():
            continue
        text = saved(opened, card.key, "Download CSV").decode("utf-8-sig")
        head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        for measure in ratios:
            (top,), (bottom,) = (
                [n for n, name in enumerate(head) if name == f"{measure.label}, {term}"] for term in ("numerator", "denominator")
            )
            assert head[top - 1].startswith(measure.label) and bottom == top + 1
            for line in lines:
                if line[top - 1]:
                    again = Decimal(line[top]) * measure.per / Decimal(line[bottom])
                    assert abs(again - Decimal(line[top - 1])) <= Decimal("5e-10"), (card.key, line)


def test_an_xlsx_file_has_typed_cells(opened: Opened, report: Path, marts: duckdb.DuckDBPyConnection) -> None:
    """Read by a library that knows nothing of ours: numbers are numbers, days are days, text is text and no formula."""
    opened.open(report, "#cost_allocation?date=all")
    content = saved(opened, "chargeback", "Download XLSX")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
    book = openpyxl.load_workbook(io.BytesIO(content))
    figures, about = book["Figures"], book["About"]
    head = [c.value for c in figures[1]]
    assert head == [
        "Month",
        "Cost center",
        "Department",
        "E-mail",
        "Name",
        "Platform",
        "Vendor",
        "Cost type",
        "State",
        "Corrects month",
        "Billed cost (USD)",
        "To book (USD)",
    ]
    expected = rows(marts, DASHBOARDS["cost_allocation"].card("chargeback"), FilterValues())
    assert figures.max_row == len(expected) + 1 and figures.freeze_panes == "A2" and figures.auto_filter.ref
    keys = ("month", "cost_center", "department", "user_email", "user_name", "platform", "vendor", "cost_type", "settle_state")
    wanted = {tuple(r[k] for k in keys): r["cost"] for r in expected}
    for row in figures.iter_rows(min_row=2):
        assert isinstance(row[0].value, datetime) and row[10].data_type == "n" and row[10].number_format == "#,##0.00"
        assert all(c.data_type in ("s", "n", "d") for c in row), "nothing is a formula"
        key = (row[0].value.date(), *(c.value for c in row[1:9]))
        assert abs(Decimal(repr(row[10].value)) - wanted.pop(key)) < Decimal("1e-8")
    assert not wanted
    names = {c.value for c in figures["E"]}
    assert HOSTILE_NAME in names and FORMULA_NAME in names
    said = {r[0].value: r[1].value for r in about.iter_rows()}
    assert said["Dashboard"] == "Cost Allocation" and "UTC" in said["Data as of"] and "settled" in said["State"]
    assert "Period: all dates" in said["Filters"]


@pytest.mark.parametrize(
    ("page", "card", "filters", "scope"),
    [
        ("cost_allocation", "budgets", "Period: Oct 1, 2026 to Oct 31, 2026 · Department: Data",
         "Months that the period touches · Not filtered by platform, person"),
        ("cost_allocation", "department_by_month", "Department: Data · Platform: Cursor · Person: grace.birch@example.com", "All dates on record"),
        ("cost_allocation", "cost_by_person", "Period: Oct 1, 2026 to Oct 31, 2026 · Department: Data · Platform: Cursor · Person: grace.birch@example.com",
         None),
        ("executive_summary", "platform_outlook", "Platform: Cursor", "Latest month, all departments · Not filtered by department, person"),
        ("executive_summary", "freshness", "None acts on this table", "Everything on record · Not filtered by department, platform, person"),
    ],
)  # fmt: skip
def test_a_file_names_only_the_filters_that_act_on_it(
    opened: Opened, report: Path, page: str, card: str, filters: str, scope: str | None
) -> None:
    opened.open(report, f"#{page}?date=2026-10-01..2026-10-31&department=Data&platform=cursor&user=grace.birch@example.com")
    book = openpyxl.load_workbook(io.BytesIO(saved(opened, card, "Download XLSX")))
    said = {r[0].value: r[1].value for r in book["About"].iter_rows()}
    assert said["Filters"] == filters and said.get("Scope") == scope


ON_PAPER = """(() => {
  const seen = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return [
    Math.min(...seen.map((e) => parseFloat(getComputedStyle(e).fontSize))) * 0.75,
    [...document.querySelectorAll(".card")].filter((c) => c.checkVisibility() && c.getBoundingClientRect().right > document.body.clientWidth + 1)
      .map((c) => c.dataset.card),
    [...document.querySelectorAll(".left-out h2")].map((h) => h.textContent),
    document.querySelector("#foot").textContent,
  ];
})()"""


@every_dashboard
def test_paper_is_a4_and_the_first_page_is_one_sheet(opened: Opened, report: Path, key: str) -> None:
    """No text under 8 pt, nothing wider than its sheet; what the one sheet leaves to the screen is named on it."""
    opened.open(report, f"#{key}")
    content = opened.page.pdf(prefer_css_page_size=True, print_background=True)
    sizes = {tuple(round(float(x)) for x in box.split()[2:]) for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", content)}
    assert sizes == {(595, 842)}
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert pages == 1 if key == "executive_summary" else pages < 20
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    smallest, wide, left_out, said = opened.page.evaluate(ON_PAPER)
    assert smallest >= 8 and wide == [] and all(title in said for title in left_out)
    opened.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.page.evaluate("document.body.classList.contains('paper')") is False, "the screen is as before"


@pytest.mark.parametrize(
    ("key", "width"),
    some([(key, (1440, 820)[n % 2]) for n, key in enumerate(DASHBOARDS)], [(key, width) for key in DASHBOARDS for width in (1440, 820)]),
)
def test_assistive_technology_finds_nothing_serious(opened: Opened, report: Path, key: str, width: int) -> None:
    """axe-core's rules on the whole page. Its script is let in by hand: the page's own policy admits none."""
    opened.page.set_viewport_size({"width": width, "height": 1000})
    opened.open(report, f"#{key}")
    found = Axe().run(opened.page, options={"resultTypes": ["violations"]})
    serious = [
        (v["id"], v["impact"], [n["target"] for n in v["nodes"]][:3])
        for v in found.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    opened.page.set_viewport_size({"width": 1440, "height": 1000})
    assert serious == []


@every_dashboard
def test_every_page_says_as_of_and_what_is_final_and_explains_its_words(opened: Opened, report: Path, key: str) -> None:
    opened.open(report, f"#{key}")
    status = opened.page.locator(".status-line").inner_text()
    assert "Data as of" in status and "settled" in status and "provisional" in status
    opened.page.click(".words summary")
    assert opened.page.locator(".words dt").all_inner_texts() == DASHBOARDS[key].terms


def test_large_data_keeps_its_sums(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    """Beyond the limit old days are added up by month: totals of whole months and of the latest days stay exact, and the page says so."""
    from ai_usage.dashboards import html

    monkeypatch.setattr(html, "DETAIL_ROWS", 500)
    monkeypatch.setattr(html, "DETAIL_DAYS", 40)
    write(marts, tmp_path / "large.html")
    opened.open(tmp_path / "large.html", "#cost_allocation?date=all")
    assert "before Sep 1, 2026 days are grouped by month" in opened.page.locator(".status-line").inner_text()
    for values in (FilterValues(), FilterValues(date(2026, 8, 1), date(2026, 8, 31)), FilterValues(date(2026, 10, 5), LAST_DAY)):
        period = f"{values.date_from or ''}..{values.date_to or ''}"
        opened.open(tmp_path / "large.html", f"#cost_allocation?date={period}")
        for card in ("billed_cost", "people", "unattributed_share"):
            expected: Any = rows(marts, DASHBOARDS["cost_allocation"].card(card), values)[0]
            same(kpi(opened, card), next(iter(expected.values())), card != "unattributed_share")
    # 42 days from Sep 20: the 42 before begin on Aug 9, and August has no days any more. All of August begins on its first.
    for period, said in (("2026-09-20..2026-10-31", True), ("2026-09-01..2026-09-30", False)):
        opened.open(tmp_path / "large.html", f"#cost_allocation?date={period}")
        words = "Not compared: days before Sep 1, 2026 are grouped by month"
        assert (opened.page.locator("[data-card=billed_cost] .delta").inner_text() == words) is said
        assert (opened.page.locator("[data-card=department_table] .badge").all_inner_texts() == [words]) is said
        assert ("Change" in opened.page.locator("[data-card=department_table] thead th").all_inner_texts()) is not said


def test_card_query_knows_what_a_ratio_is_per() -> None:
    text = card_query(DASHBOARDS["platform_roi"].card("cost_per_million")).sql
    assert (
        "SAFE_DIVIDE(SUM(card.`cost_with_tokens_usd`) * 1000000, CASE WHEN SUM(card.`tokens_with_cost`) > 0 THEN SUM(card.`tokens_with_cost`) END)"
        in text
    )
