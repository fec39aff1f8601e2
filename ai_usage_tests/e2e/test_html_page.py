"""Ways through the offline report in a real Chromium: links to a card, keys instead of a pointer, from a name to its page, a phone, colours.

Belongs here: how a reader gets about, whatever the figures. Does not belong here: figures against SQL (`test_html_report.py`), each dashboard's cards
and paper (`test_html_suite.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_usage_tests.browser import Opened, chromium_page
from ai_usage_tests.e2e.test_html_report import write
from ai_usage_tests.unit.test_dashboards_data import build_marts

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write(build_marts(users=12, days=70), path)
    return path


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with chromium_page() as page:
        yield page


def test_links_lead_to_a_card_and_survive_a_filter(opened: Opened, report: Path) -> None:
    opened.open(report, "#cost_allocation/chargeback?platform=cursor")
    page = opened.page
    assert page.evaluate("document.activeElement.dataset.card") == "chargeback"
    top = page.locator("[data-card=chargeback]").bounding_box()
    assert top is not None and 0 <= top["y"] < 700, "in view, below the filters"
    links = page.locator(".contents a").all_inner_texts()
    assert "What to save" in links and links.index("What to save") < links.index("Departments")
    page.locator(".contents a", has_text="Departments").click()
    assert page.evaluate("location.hash") == "#cost_allocation/department_table?platform=cursor"
    names = page.locator("main button.tool").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert len(names) == len(set(names)) > 20, "each button says of which card it is"


def test_keys_read_a_chart_and_narrow_the_page(opened: Opened, report: Path) -> None:
    opened.open(report, "#cost_allocation")
    page = opened.page
    page.focus("[data-card=cost_by_day] .plot")
    page.keyboard.press("End")
    assert page.locator("#tip").is_visible() and "Oct 31, 2026" in page.locator("#tip").inner_text()
    assert page.locator("#live").inner_text().startswith("Oct 31, 2026: ")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#live").inner_text().startswith("Oct 30, 2026: ")
    page.keyboard.press("Enter")
    opened.settled()
    assert "date=2026-10-30..2026-10-30" in page.evaluate("location.hash")
    page.go_back()
    page.wait_for_function("!location.hash.includes('date=')")
    opened.settled()
    name = page.locator("[data-card=cost_by_department] .narrow").first
    chosen = name.inner_text()
    name.click()
    page.wait_for_function("location.hash.includes('department=')")
    opened.settled()
    assert page.locator("[data-card=cost_by_department] .bar-name").all_inner_texts() == [chosen]


def test_a_phone_shows_four_figures_one_chart_and_one_list_first(report: Path) -> None:
    with chromium_page(390, 844) as phone:
        phone.open(report, "#executive_summary")
        cards = "[...document.querySelectorAll('.card')].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top"
        order = phone.page.evaluate(f"{cards} || a.getBoundingClientRect().left - b.getBoundingClientRect().left).map(c => c.dataset.card)")
        assert order[:6] == ["spend", "projection", "budget_used", "cost_per_active", "cost_by_day", "top_spenders"]
        assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


CONTRAST = """(() => {
  const css = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = css.getPropertyValue(name).trim().replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const against = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  return [
    ...["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8", "--good", "--bad"].map((name) => [name, against(name, "--surface"), 3]),
    ...["--ink", "--ink-2", "--ink-3", "--bad", "--accent"].flatMap((name) => ["--surface", "--page"].map((on) => [`${name} on ${on}`, against(name, on), 4.5])),
  ].filter(([, found, least]) => found < least);
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_marks_and_words_stand_out_from_their_ground(report: Path, dark: bool) -> None:
    with chromium_page(800, 600, dark=dark) as page:
        page.open(report, "#data_trust")
        assert page.page.evaluate(CONTRAST) == []
