"""A vendor is data: its name stands in its own folders, and what is declared of it fits together."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ai_usage import vendors
from ai_usage.settings import SWITCHES, Settings, is_key, variable
from ai_usage.settings import VENDORS as SETTINGS
from ai_usage.sources import registry
from ai_usage.warehouse import vendor_models

ROOT = Path(__file__).resolve().parents[2]
ROOMS = re.compile(r"(sources|simulator|defs|staging)/(cursor|anthropic|claude_ai)/|__pycache__|tables/lineage\.json")
# "cursor" alone is also a place in a list of pages, in a database and on a screen.
NAME = re.compile(r"(?i:anthropic|claude)|\bCursor\b|['\"/_]cursor['\"/_]|\bcursor_(admin|base|key|events|rate|usage|members|spend)")

ONE_BILL = "the rule by which two reports of one bill, a range of days and days, count once"
FIGURES = "a check or figure of one vendor's alone, which has not moved to its declaration yet"
TAB = "the sheet's tab bears the name, and so do its tables"
WORLD = "the simulated company, which knows whom it simulates"
WORDS = "says to people what a platform's figures leave out"
ALLOWED = {
    "ai_usage/cli/demo.py": WORLD,
    "ai_usage/cli/run.py": ONE_BILL,
    "ai_usage/defs/checks.py": ONE_BILL,
    "ai_usage/defs/curated/money.py": FIGURES,
    "ai_usage/docsgen/scale.py": "the company whose scale docs/scale.md measures",
    "ai_usage/finance/readiness.py": ONE_BILL,
    "ai_usage/loading/exports.py": ONE_BILL,
    "ai_usage/operations/uploads.py": ONE_BILL,
    "ai_usage/settings/__init__.py": "examples in descriptions",
    "ai_usage/simulator/__main__.py": WORLD,
    "ai_usage/simulator/books.py": WORLD,
    "ai_usage/simulator/catalog.py": WORLD,
    "ai_usage/simulator/control.py": WORLD,
    "ai_usage/simulator/faults.py": WORLD,
    "ai_usage/simulator/google_sheets/content.py": WORLD,
    "ai_usage/simulator/key_owners.py": WORLD,
    "ai_usage/simulator/server.py": WORLD,
    "ai_usage/simulator/subscriptions.py": WORLD,
    "ai_usage/simulator/vendors.py": WORLD,
    "ai_usage/simulator/world.py": WORLD,
    "ai_usage/sources/google_sheets/README.md": TAB,
    "ai_usage/sources/google_sheets/records.py": TAB,
    "ai_usage/sources/uploads/README.md": "lists the kinds of files",
    "ai_usage/sources/uploads/client.py": "an example of a file's name",
    "ai_usage/sources/uploads/csv_file.py": "knows an export that looks like a stand-in and is none",
    "ai_usage/tables/tabs.py": TAB,
    "ai_usage/tables/use.py": WORDS,
    "ai_usage/transform/days.py": ONE_BILL,
    "ai_usage/transform/invariants.py": ONE_BILL,
    "ai_usage/transform/totals.py": ONE_BILL,
    "ai_usage/warehouse/sheet_models.py": TAB,
    "sql/alerts/alerts.yaml": FIGURES,
    "sql/alerts/prices_explain.sql": FIGURES,
    "sql/dashboards/platform_roi/dashboard.yaml": WORDS,
    "sql/dashboards/productivity_analytics/dashboard.yaml": WORDS,
    "sql/marts/vw_unmapped.sql": FIGURES,
    "sql/marts/vw_use_and_cost.sql": "what is done on a seat of another platform does not stand against this one's cost",
    "sql/staging/google_sheets/stg_sheet_usage.sql": TAB,
    "sql/staging/stg_set_aside.sql": ONE_BILL,
}


def test_no_vendors_name_stands_outside_its_rooms() -> None:
    """The list only shrinks: a file that names one must be in it, and one that no longer does must not."""
    files = [
        p
        for folder in ("ai_usage", "sql")
        for p in (ROOT / folder).rglob("*")
        if p.suffix in {".py", ".sql", ".yaml", ".md", ".js", ".html"}
    ]
    found = {p.relative_to(ROOT).as_posix() for p in files if not ROOMS.search(p.as_posix()) and NAME.search(p.read_text(encoding="utf-8"))}
    assert sorted(found - ALLOWED.keys()) == [], "move it into the vendor's folder, or let its declaration say it"
    assert sorted(ALLOWED.keys() - found) == [], "names no vendor any more: take it off the list"


def test_what_is_declared_fits_together() -> None:
    assert [v.settings for v in registry.VENDORS if v.settings] == list(SETTINGS)
    assert [s.source for s in SWITCHES] == list(registry.SOURCES), "each source has its switch, in one order"
    assert all(s.setting in Settings.model_fields and s.url in Settings.model_fields for s in SWITCHES)
    platforms = [p.key for p in registry.PLATFORMS]
    assert len(set(platforms)) == len(platforms) and len({p.colour for p in registry.PLATFORMS}) == len(platforms)
    assert {key for keys in registry.TELLS.values() for key in keys} <= set(platforms)
    bills = [e for e in registry.ENDPOINTS.values() if e.vendor_total]
    assert all(e.staged_as for e in bills) and len({e.staged_as for e in bills}) == len(bills)
    tables = [e.table.name for e in registry.ENDPOINTS.values()]
    assert len(set(tables)) == len(tables), "two endpoints fill one table"
    own = {t.name for module in vendors.parts("tables") for t in module.RAW}
    assert {t for t in tables if not t.startswith("raw_sheet_")} == own


def test_every_vendors_key_can_be_deployed() -> None:
    """Compose hands each over as a file that `scripts/secrets` makes; Terraform makes each source's secret."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    scripts, terraform = (
        (ROOT / "scripts/secrets").read_text(encoding="utf-8"),
        (ROOT / "deploy/terraform/main.tf").read_text(encoding="utf-8"),
    )
    for name in (n for vendor in SETTINGS for n in vendor.model_fields if is_key(n)):
        assert name in compose["services"]["code"]["secrets"] and name in compose["secrets"], f"{name}: docker-compose.yml"
        assert re.search(rf"\b{name}\b", scripts), f"{name}: scripts/secrets"
    for switch in (s for s in SWITCHES if is_key(s.setting)):
        assert f'"{variable(switch.setting)}"' in terraform, f"{switch.source}: deploy/terraform/main.tf"


def test_a_platform_that_a_person_writes_has_one_invoice() -> None:
    """claude_anything is Anthropic's, as the sheet's rows always were; no pattern covers another one."""
    sql = vendor_models.all_sql()["stg_invoicing"]
    patterns = re.findall(r"'([^']+)' AS platform_like", sql)
    assert "claude%" in patterns and "cursor" in patterns
    for platform in (*(p.key for p in registry.PLATFORMS), "claude_of_tomorrow"):
        matching = [p for p in patterns if re.fullmatch(p.replace("%", ".*"), platform)]
        assert len(matching) == 1, platform
