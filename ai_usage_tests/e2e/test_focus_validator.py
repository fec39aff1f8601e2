"""What the FOCUS project's own validator (focus-validator 2.2.1) says of our files: nothing but its own defects, each shown here on its own.

Belongs here: runs of the real validator and the list of what is wrong with it. `scripts/focus-validator` installs it; where that fails these tests
fail, since a claim of conformance that nobody checked is worth nothing. What the columns say is in `unit/test_focus_mart.py`.
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from ai_usage.finance import focus
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage_tests.fixtures.desk import Desk, curated
from ai_usage_tests.parity.test_models_agree import AS_OF, FIRST, UGLY, simulated, ugly
from ai_usage_tests.proving import only_in_prove, some
from ai_usage_tests.unit.test_focus_mart import book
from ai_usage_tests.unit.test_sql_marts import cost

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
D, N = date, Decimal
NOV = D(2026, 11, 1)
# What our vendors support. Price lists and negotiated prices are theirs to publish: no unit price is claimed (docs/how-to/focus.md).
CRITERIA = ",".join(
    f"{name}_SUPPORTED"
    for name in (
        "USAGE_MEASUREMENT", "SUB_ACCOUNT", "TAGGING", "ACCOUNT_NAMING", "UNIT_PRICING", "BILLING_BASED_ON_PROVISIONED_RESOURCES",
        "RESOURCE_TYPE_ASSIGNMENT",
    )
)  # fmt: skip

SEATS = {"EffectiveCost-C-005-C"}
"""Wants EffectiveCost 0 of every purchase. FOCUS: of those that cover future charges. A seat covers no other row, so its cost is its own."""
NO_INVOICE = {"InvoiceId-C-005-C"}
INVOICE = {"InvoiceId-C-004-C"}
"""InvoiceId must be null, and must not be null: one of the two rules fails for any file."""
MIXED = {"InvoiceId-C-003-C", *NO_INVOICE, *INVOICE, "InvoiceId-C-000-O"}
"""Their parent asks for one of the two for the file as a whole; FOCUS asks for each row."""
NO_ROWS = {
    "ChargeCategory-C-000-M", "ChargeCategory-C-003-M", "ChargeFrequency-C-000-O", "ChargeFrequency-C-003-M", "ServiceCategory-C-000-M",
    "ServiceCategory-C-003-M", "ServiceSubcategory-C-000-O", "ServiceSubcategory-C-003-M", "ServiceSubcategory-C-004-M",
}  # fmt: skip
"""Of a file without rows the rules on allowed values fail, though no value is forbidden."""

Validate = Callable[[Path], set[str]]


@pytest.fixture(scope="module")
def validate(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    report = tmp_path_factory.mktemp("focus") / "report.xml"

    def run(file: Path) -> set[str]:
        """The rules that this file breaks in the validator's eyes."""
        report.write_text("")
        done = subprocess.run(
            [str(ROOT / "scripts" / "focus-validator"), str(file), str(report), CRITERIA],
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0 and report.stat().st_size, f"the validator did not run: {done.stdout[-800:]} {done.stderr[-1500:]}"
        suites = ElementTree.parse(report).getroot()
        cases = [case for case in suites.iter("testcase") if case.find("skipped") is None]
        assert len(cases) > 150, f"only {len(cases)} rules were looked at"
        return {case.attrib["name"].split(" ")[0] for case in cases if case.find("failure") is not None or case.find("error") is not None}

    return run


def exported(desk: Desk, month: date = NOV) -> tuple[Path, Path]:
    settings = Settings(data_dir=desk.folder / "data", duckdb_path=desk.path, _env_file=None)
    table, parquet, _ = focus.export(Runtime(settings), month).files
    return table, parquet


def test_a_company_with_everything_conforms(new_desk, tmp_path: Path, validate: Validate) -> None:
    """Simulated vendors of every kind with ugly rows laid beside them, both months' rows of it in one file: as CSV, and when proving as Parquet too."""
    desk = new_desk()
    simulated(desk, tmp_path)
    ugly(desk)
    curated(desk, FIRST, UGLY + timedelta(days=1), AS_OF)
    said = {"platform": "claude_ai", "vendor": "Anthropic", "source": "s"}
    desk.lay(
        "fct_cost_daily", cost(D(2026, 11, 3), "-12.5", None, cost_type="credit", **said), cost(D(2026, 11, 3), "0.19", None, cost_type="tax", **said),
        cost(D(2026, 11, 3), "-0.000000001", None, cost_type="adjustment", **said),
    )  # fmt: skip
    kinds = {r["k"] for r in desk.ask("SELECT DISTINCT CONCAT(ChargeCategory, ' ', COALESCE(ConsumedUnit, '')) AS k FROM vw_focus")}
    assert {"Usage Tokens", "Usage Requests", "Usage Units", "Purchase ", "Credit ", "Tax ", "Adjustment "} <= kinds
    assert desk.one("SELECT COUNT(*) AS n FROM vw_focus WHERE x_UserEmail IS NULL") > 0, "unattributed cost is there"
    for file in some(exported(desk)[:1], exported(desk)):  # that the Parquet file holds the same: unit/test_focus_files.py
        assert validate(file) == SEATS | NO_INVOICE


# Two that show a defect of the validator alone, with files whose every column the tests above and below judge too.
@only_in_prove
def test_without_seats_and_with_invoices_another_rule_fails(desk: Desk, validate: Validate) -> None:
    """Reproduces two defects: no purchase, no complaint about EffectiveCost; every charge invoiced, and InvoiceId had to be null."""
    desk.tab("invoices", {"platform": "cursor", "invoice_month": NOV, "invoice_number": "INV-1", "cost_type": "usage", "amount_usd": N(3)})
    desk.lay("fct_cost_daily", cost(D(2026, 11, 3), "3"))
    table, _ = exported(desk)
    assert validate(table) == INVOICE


def test_corrections_conform_and_leave_the_month_half_invoiced(desk: Desk, validate: Validate) -> None:
    """A correction has no quantity and no invoice. Reproduces the defect that a file may not mix charges with and without an invoice."""
    desk.tab("invoices", {"platform": "cursor", "invoice_month": NOV, "invoice_number": "INV-1", "cost_type": "usage", "amount_usd": N(3)})
    line = {"platform": "cursor", "booked_month": NOV, "note": "restated"}
    book(
        desk,
        {**line, "cost_date": D(2026, 11, 2), "booked_on": D(2026, 11, 2), "cost_usd": N(4), "is_correction": False},
        {**line, "cost_date": D(2026, 10, 9), "booked_on": D(2026, 11, 20), "cost_usd": N("-2.5"), "is_correction": True},
    )
    table, _ = exported(desk)
    assert validate(table) == MIXED


@only_in_prove
def test_a_file_without_rows_breaks_rules_on_values_that_are_not_there(desk: Desk, validate: Validate) -> None:
    table, _ = exported(desk)
    assert validate(table) == NO_ROWS


def test_the_validator_sees_what_is_wrong(desk: Desk, tmp_path: Path, validate: Validate) -> None:
    """Else its silence proves nothing: a wrong category, a quantity left out, tags that are no JSON, a day without a time."""
    desk.lay("fct_cost_daily", cost(D(2026, 11, 3), "3"))
    table, _ = exported(desk)
    rows = pa_csv.read_csv(table, convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(table_header(table), pa.string())))
    wrong = {
        "ChargeCategory": "Fee",
        "PricingQuantity": "",
        "Tags": "{department}",
        "ChargePeriodStart": "2026-11-03",
        "ServiceSubcategory": "Bots",
    }
    for name, value in wrong.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array([value]))
    spoiled = tmp_path / "spoiled.csv"
    pa_csv.write_csv(rows, spoiled)
    found = validate(spoiled)
    assert found >= {"ChargeCategory-C-003-M", "Tags-C-001-M", "ChargePeriodStart-C-002-M"}


def table_header(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[0].split(",")
