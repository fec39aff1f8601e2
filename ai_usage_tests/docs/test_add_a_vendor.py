"""A vendor is data: the package that docs/how-to/add-a-vendor.md writes, built and installed as it stands there, is everywhere a vendor should be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/how-to/add-a-vendor.md"
SNIPPET = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DAYS = ("2026-11-03", "2026-11-04")
# Acme's books: cents by day, person and model. Two pages a question.
BOOKS = [
    (DAYS[0], "ana@example.com", "acme-large", "1234.5"),
    (DAYS[0], None, "acme-large", "65.5"),
    (DAYS[1], "ben@example.com", "acme-small", "0.00002"),
    (DAYS[1], "ana@example.com", "acme-large", "250"),
]
BILLED = {DAYS[0]: Decimal(13), DAYS[1]: Decimal("2.5000002")}  # by hand: 1,300 cents; 250.00002 cents

ASK = """
import json, sys
from datetime import date
import dagster as dg
from ai_usage import tables, vendors
from ai_usage.alerts.passes import sources_on
from ai_usage.defs.operations.jobs import assets_of, on
from ai_usage.defs.sources import assets
from ai_usage.docsgen import pages
from ai_usage.operations import completeness, doctor
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.transform import build
first, last = sys.argv[1:]
runtime = Runtime()
found = {
    "off": Settings(acme_admin_key=None).off()["acme"],
    "doctor": [(f.what, f.state, f.sentence) for f in doctor.examine(runtime)],
    "on": on(runtime.settings), "assets": assets_of("acme"), "alerts": sources_on(runtime.settings),
    "owed": [e.name for e in completeness.to_be_held(runtime.settings)], "labels": vendors.labels(),
    "docs": {"settings": pages.settings_table(), "tables": pages.tables_page(), ".env": pages.env_example()},
}
made = dg.materialize(
    [a for a in assets if a.key.to_user_string() in found["assets"]], resources={"runtime": runtime},
    tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
)
found["checks"] = {f"{e.asset_key.to_user_string()}/{e.check_name}": e.passed for e in made.get_asset_check_evaluations()}
with runtime.held():
    build(runtime.warehouse, date.fromisoformat(first), date.fromisoformat(last), as_of=date(2026, 12, 1))
    for name, sql in {
        "facts": "SELECT CAST(cost_date AS STRING) AS day, CAST(SUM(cost_usd) AS STRING) AS usd FROM fct_cost_daily GROUP BY 1 ORDER BY 1",
        "people": "SELECT user_email, CAST(SUM(cost_usd) AS STRING) AS usd FROM fct_cost_daily GROUP BY 1 ORDER BY 1 NULLS LAST",
        "usage": "SELECT platform, SUM(requests) AS requests FROM fct_usage_daily GROUP BY 1",
        "focus": "SELECT ServiceName, BillingAccountName, InvoiceIssuerName, CAST(SUM(BilledCost) AS STRING) AS usd FROM vw_focus GROUP BY 1, 2, 3",
        "health": "SELECT DISTINCT source FROM vw_data_health WHERE source = 'acme'",
    }.items():
        found[name] = [list(row.values()) for row in runtime.warehouse.select(sql).to_pylist()]
print(json.dumps(found))
"""


class Acme(BaseHTTPRequestHandler):
    """Answers from the books; a question has two pages."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        if "from" not in asked:  # doctor, which wants to know what time it is here
            return self._answer(404, {})
        held = [b for b in BOOKS if asked["from"][0] <= b[0] <= asked["to"][0]]
        if self.headers["authorization"] != "Bearer acme-key-of-a-test":
            return self._answer(401, {})
        if parts.path == "/v1/costs":
            rows: list[dict[str, Any]] = [{"day": d, "user_email": who, "model": m, "amount_cents": cents} for d, who, m, cents in held]
        else:
            rows = [
                {"day": d, "user_email": who, "model": m, "input_tokens": 10, "output_tokens": 5, "requests": 2} for d, who, m, _ in held
            ]
        page = 1 if "page" not in asked else 2
        half = (len(rows) + 1) // 2
        shown, more = (rows[:half], "second") if page == 1 and len(rows) > 1 else (rows[half:] if page == 2 else rows, None)
        return self._answer(200, {"data": shown, "next_page": more})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def acme() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Acme)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's package as a wheel, unpacked where Python finds it."""
    source, site = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    snippets = SNIPPET.findall(PAGE.read_text(encoding="utf-8"))
    assert len(snippets) == 9
    for name, text in snippets:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", source / "dist"], cwd=source, check=True, capture_output=True
    )
    (wheel,) = (source / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return site


@pytest.fixture(scope="module")
def found(acme: str, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the platform says with the package installed: one process, which finds it as any process would."""
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-c", ASK, *DAYS], cwd=home, capture_output=True, text=True, timeout=300,
        env={
            "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(installed), "AI_USAGE_DATA_DIR": str(home / "data"),
            "AI_USAGE_START_DATE": DAYS[0], "ACME_ADMIN_KEY": "acme-key-of-a-test", "AI_USAGE_ACME_BASE_URL": acme,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_it_is_on_by_its_key_and_examined_by_doctor(found: dict[str, Any], acme: str) -> None:
    assert found["off"] == "Acme AI is off: ACME_ADMIN_KEY is not set."
    assert ["Acme AI", "ok", f"{acme} accepts ACME_ADMIN_KEY; yesterday has 0 lines of cost."] in found["doctor"]
    assert found["on"] == ["acme", "uploads"] and found["alerts"] == ["acme", "claude_ai"]
    assert found["owed"] == ["costs", "usage"] and found["assets"] == ["raw_acme_costs", "raw_acme_usage"]


def test_its_cents_reach_facts_people_and_focus(found: dict[str, Any]) -> None:
    assert found["checks"] and all(found["checks"].values()), found["checks"]
    assert found["checks"]["raw_acme_costs/conservation"]
    assert {day: Decimal(usd) for day, usd in found["facts"]} == BILLED
    assert {who: Decimal(usd) for who, usd in found["people"]} == {
        "ana@example.com": Decimal("14.845"), "ben@example.com": Decimal("0.0000002"), None: Decimal("0.655")
    }  # fmt: skip
    assert found["usage"] == [["acme", 8]]
    assert [[*names, Decimal(usd)] for *names, usd in found["focus"]] == [["Acme AI", "Acme", "Acme", sum(BILLED.values())]]
    assert found["health"] == [["acme"]]


def test_people_read_its_name_and_documentation_has_it(found: dict[str, Any]) -> None:
    labels = found["labels"]
    assert labels["source"]["acme"] == labels["platform"]["acme"] == "Acme AI"
    assert list(labels["platform"])[-1] == "acme", "colours of the others stay"
    docs = found["docs"]
    assert "`ACME_ADMIN_KEY`" in docs["settings"] and "AI_USAGE_ACME_BASE_URL=https://api.acme.example" in docs[".env"]
    assert "### `raw_acme_costs`" in docs["tables"] and "acme_ai/sql/acme/stg_acme_cost.sql" in docs["tables"]
