"""The FOCUS files: exact, whole, in the specification's order, the same bytes for the same content, and never other money than the books'.

Belongs here: what `ai_usage/finance/focus.py` writes and refuses. What each column says is in `test_focus_mart.py`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ai_usage.cli import app as cli
from ai_usage.defs.marts import assets as marts
from ai_usage.defs.operations.assets import focus_export
from ai_usage.errors import SettingsError
from ai_usage.finance import focus
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.tables.focus import VERSIONS, focus_columns
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.unit.test_focus_mart import book
from ai_usage_tests.unit.test_sql_marts import ANA, cost

D, N = date, Decimal
NOV, OCT = D(2026, 11, 1), D(2026, 10, 1)
# The specification's own lists.
MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory",
    "ChargeClass", "ChargeDescription", "ChargePeriodStart", "ChargePeriodEnd", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "PricingQuantity", "PricingUnit", "ServiceCategory", "ServiceName",
}  # fmt: skip
BY_VERSION = {"1.2": {"ProviderName", "PublisherName"}, "1.4": {"ServiceProviderName", "HostProviderName"}}
MAY_BE_NULL = {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit", "HostProviderName"}
CHARGES = [
    cost(D(2026, 10, 31), "7"),
    cost(D(2026, 11, 1), "0.000000001", model="m"),
    cost(D(2026, 11, 2), "99999999999.999999999", model='a "quoted", name'),
    cost(D(2026, 11, 2), "-0.100000003", None, cost_type="credit"),
    cost(D(2026, 11, 30), "2.5", platform="claude_ai", vendor="Anthropic", cost_type="subscription"),
]


def runtime(desk: Desk) -> Runtime:
    return Runtime(Settings(data_dir=desk.folder / "data", duckdb_path=desk.path, _env_file=None))


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_month_is_written_to_the_last_digit(desk: Desk) -> None:
    """November: 99,999,999,999.899999997 of Cursor and 2.5 of Claude; a nano-dollar is written out, not as 1E-9."""
    desk.lay("fct_cost_daily", *CHARGES)
    written = focus.export(runtime(desk), NOV)
    assert written.billed == {"cursor": N("99999999999.899999997"), "claude_ai": N("2.5")} and written.rows == 4
    table, parquet, _ = written.files
    assert table == desk.folder / "data/exports/focus/focus-1.2-2026-11.csv"
    rows = lines(table)
    assert sorted(row["BilledCost"] for row in rows) == ["-0.100000003", "0.000000001", "2.500000000", "99999999999.999999999"]
    assert {row["BillingPeriodStart"] for row in rows} == {"2026-11-01T00:00:00Z"}
    first = next(row for row in rows if row["BilledCost"] == "0.000000001")
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    held = pq.read_table(parquet)
    assert {held.schema.field(n).type for n in ("BilledCost", "ListCost", "EffectiveCost", "PricingQuantity")} == {pa.decimal128(38, 9)}
    assert {held.schema.field(n).type for n in ("BillingPeriodEnd", "ChargePeriodStart")} == {pa.timestamp("us", tz="UTC")}
    assert [r["Tags"] for r in rows] == held["Tags"].to_pylist() and [N(r["BilledCost"]) for r in rows] == held["BilledCost"].to_pylist()
    assert 'a "quoted", name' in {row["x_Model"] for row in rows}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_columns_are_the_specifications(desk: Desk, version: str) -> None:
    """All mandatory ones, sorted, not null where they must not be; ours behind them; nothing of another version."""
    desk.lay("fct_cost_daily", *CHARGES)
    table, parquet, _ = focus.export(runtime(desk), NOV, version=version).files
    header = table.read_text(encoding="utf-8").splitlines()[0].split(",")
    ours = [name for name in header if name.startswith("x_")]
    theirs = header[: len(header) - len(ours)]
    assert header == [*sorted(theirs), *sorted(ours)] and MANDATORY | BY_VERSION[version] <= set(theirs)
    (other,) = set(VERSIONS) - {version}
    assert not BY_VERSION[other] & set(theirs)
    schema = pq.read_schema(parquet)
    assert schema.names == header
    required = (MANDATORY | BY_VERSION[version]) - MAY_BE_NULL
    assert {name for name in required if schema.field(name).nullable} == set()


def test_the_same_content_is_the_same_bytes(desk: Desk, new_desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in which rows were written, and the engine's pieces; one nano-dollar more is another file."""
    many = [*CHARGES, *(cost(D(2026, 11, 1 + n % 28), str(n), model=f"m{n % 7}") for n in range(60))]
    desk.lay("fct_cost_daily", *many)
    other = new_desk()
    other.lay("fct_cost_daily", *reversed(many))
    first = [path.read_bytes() for path in focus.export(runtime(desk), NOV).files]
    pieces = runtime(other)
    stream = pieces.warehouse.stream

    def one_by_one(*asked):
        for part in stream(*asked):
            yield from (part.slice(n, 1) for n in range(part.num_rows))

    monkeypatch.setattr(pieces.warehouse, "stream", one_by_one)
    assert [path.read_bytes() for path in focus.export(pieces, NOV).files] == first
    other.lay("fct_cost_daily", cost(D(2026, 11, 9), "0.000000001"))
    assert [path.read_bytes() for path in focus.export(runtime(other), NOV).files] != first


def test_groups_of_rows_lose_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rows in groups of two: three groups, the same rows."""
    desk.lay("fct_cost_daily", *(cost(D(2026, 11, n), str(n)) for n in range(1, 6)))
    whole = focus.export(runtime(desk), NOV)
    text = whole.files[0].read_bytes()
    monkeypatch.setattr(focus, "GROUP_ROWS", 2)
    cut = focus.export(runtime(desk), NOV)
    assert cut.files[0].read_bytes() == text and pq.ParquetFile(cut.files[1]).num_row_groups == 3
    assert (cut.rows, cut.billed_usd) == (whole.rows, whole.billed_usd) == (5, 15)


def test_the_metadata_names_the_files_and_their_money(desk: Desk) -> None:
    desk.lay("fct_cost_daily", *CHARGES, cost(D(2026, 11, 3), "1", settle_state="provisional"))
    written = focus.export(runtime(desk), NOV)
    said = json.loads(written.files[2].read_text(encoding="utf-8"))
    for file in said["x_Files"]:
        content = (written.files[2].parent / file["Name"]).read_bytes()
        assert (file["Bytes"], file["Sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    content = said["x_Content"]
    assert content["Rows"] == 5 and content["BilledCost"] == "100000000003.399999997"
    assert content["BilledCostBySettleState"] == {"provisional": "1.000000000", "settled": "100000000002.399999997"}
    definitions = said["Schema"]["ColumnDefinition"]
    assert [d["ColumnName"] for d in definitions] == [c.name for c in focus_columns("1.2")]
    billed = next(d for d in definitions if d["ColumnName"] == "BilledCost")
    assert billed == {"ColumnName": "BilledCost", "DataType": "DECIMAL", "NumericPrecision": 38, "NumberScale": 9}
    assert (said["Schema"]["FocusVersion"], said["DataGenerator"]["DataGenerator"]) == ("1.2", "AI Usage Analytics")


def test_a_change_of_columns_wants_another_creation_date() -> None:
    """FOCUS: changed columns are another schema. When this fails, set SCHEMA_CREATED to today and the ids to what they are now."""
    assert focus.SCHEMA_CREATED == "2026-11-22T00:00:00Z"
    assert [focus.schema_id(version) for version in VERSIONS] == ["ai-usage-focus-1.2-dba6a724b887", "ai-usage-focus-1.4-099468c6baf0"]


def test_a_month_without_cost_makes_files_without_rows(desk: Desk) -> None:
    desk.lay("fct_cost_daily", *CHARGES)
    written = focus.export(runtime(desk), D(2026, 12, 1))
    assert written.rows == 0 and written.billed_usd == 0
    assert len(written.files[0].read_text(encoding="utf-8").splitlines()) == 1
    assert pq.read_table(written.files[1]).num_rows == 0
    assert json.loads(written.files[2].read_text(encoding="utf-8"))["x_Content"]["BilledCost"] == "0"


def test_a_correction_stands_in_the_month_that_books_it(desk: Desk) -> None:
    """October 10 stays 10; November has its own 4 and October's -2.5."""
    line = {"platform": "cursor", "is_correction": False, "note": None}
    book(
        desk,
        {**line, "cost_date": D(2026, 10, 9), "booked_on": D(2026, 10, 9), "booked_month": OCT, "cost_usd": N(10)},
        {**line, "cost_date": D(2026, 11, 2), "booked_on": D(2026, 11, 2), "booked_month": NOV, "cost_usd": N(4)},
        {
            **line,
            "cost_date": D(2026, 10, 9),
            "booked_on": D(2026, 11, 20),
            "booked_month": NOV,
            "cost_usd": N("-2.5"),
            "is_correction": True,
        },
    )
    assert focus.export(runtime(desk), OCT).billed_usd == 10
    november = focus.export(runtime(desk), NOV)
    assert november.billed_usd == N("1.5")
    assert {(r["ChargeClass"], r["BilledCost"], r["ChargePeriodStart"][:7]) for r in lines(november.files[0])} == {
        ("", "4.000000000", "2026-11"), ("Correction", "-2.500000000", "2026-10"),
    }  # fmt: skip


def test_other_money_than_the_books_is_not_written(desk: Desk) -> None:
    """Books that put a day's cost into another month than the day that books it: refused by name, and the files of before stand."""
    desk.lay("fct_cost_daily", *CHARGES)
    before = [path.read_bytes() for path in focus.export(runtime(desk), NOV).files]
    line = {
        "platform": "cursor",
        "is_correction": False,
        "note": None,
        "cost_date": D(2026, 11, 2),
        "booked_on": D(2026, 11, 2),
    }
    book(desk, {**line, "booked_month": NOV, "cost_usd": N(4)}, {**line, "booked_month": OCT, "cost_usd": N("0.000000001")})
    with pytest.raises(
        WarehouseError, match=r"2026-11 holds 4\.000000001 USD of cursor where the books hold 4\.000000000; nothing was written"
    ):
        focus.export(runtime(desk), NOV)
    folder = desk.folder / "data/exports/focus"
    assert [path.read_bytes() for path in sorted(folder.iterdir(), key=lambda p: (".csv", ".parquet", ".json").index(p.suffix))] == before


def test_a_folder_that_cannot_be_made_is_named(desk: Desk) -> None:
    file = desk.folder / "file"
    file.write_text("")
    with pytest.raises(WarehouseError, match="cannot be written to .*AI_USAGE_EXPORT_DIR"):
        focus.export(runtime(desk), NOV, file / "below")


@pytest.mark.parametrize(
    ("text", "said"),
    [("2026-13", "is no month; write year and month, like 2026-10"), ("2026-12", "2026-12 has not begun; the latest month is 2026-11")],
)
def test_a_month_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        focus.month_to_write(text, D(2026, 11, 22))


def test_the_last_two_months_are_written_and_none_before_history() -> None:
    assert focus.recent_months(D(2027, 1, 1), D(2026, 1, 1)) == [D(2026, 12, 1), D(2027, 1, 1)]
    assert focus.recent_months(D(2026, 11, 22), D(2026, 11, 20)) == [NOV]


def test_the_command_says_what_it_wrote(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths and hashes on standard output, so that a script can check them; another version is refused."""
    desk.lay("fct_cost_daily", cost(D(2026, 10, 31), "7", ANA))
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(desk.path))
    folder = desk.folder / "out"
    done = CliRunner().invoke(cli.app, ["focus", "--month", "2026-10", "--output", str(folder), "--version", "1.4"])
    assert done.exit_code == 0, done.output
    said = dict(line.split(" sha256 ") for line in done.stdout.splitlines() if " sha256 " in line)
    assert {Path(p).name for p in said} == {f"focus-1.4-2026-10.{kind}" for kind in ("csv", "parquet", "json")}
    assert all(hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest for path, digest in said.items())
    wrong = CliRunner().invoke(cli.app, ["focus", "--month", "2026-10", "--version", "1.3"])
    assert isinstance(wrong.exception, SettingsError) and "use 1.2 or 1.4" in str(wrong.exception)


# In the daily run ---------------------------------------------------------------------------------------------------


def test_the_daily_asset_writes_this_month_and_the_one_before(desk: Desk) -> None:
    """And fails, in one sentence and without a retry, where the files would not be the books."""
    held = runtime(desk)
    months = focus.recent_months(held.today, held.settings.start_date)
    desk.lay("fct_cost_daily", *(cost(month, "1.5") for month in months))
    done = dg.materialize([focus_export], resources={"runtime": held})
    (made,) = done.asset_materializations_for_node("focus_export")
    assert [made.metadata[f"{month:%Y-%m}/cost_usd_exact"].value for month in months] == ["1.500000000"] * 2
    names = {p.name for p in (desk.folder / "data/exports/focus").iterdir()}
    assert names == {f"focus-1.2-{month:%Y-%m}.{kind}" for month in months for kind in ("csv", "parquet", "json")}
    line = {"platform": "cursor", "is_correction": False, "cost_date": months[0], "booked_on": months[0], "cost_usd": N(1)}
    book(desk, {**line, "booked_month": months[1]})
    failed = dg.materialize([focus_export], resources={"runtime": held}, raise_on_error=False)
    assert not failed.success and "nothing was written" in str(failed.failure_data_for_node("focus_export"))


def test_the_view_is_compared_with_the_books_month_by_month(desk: Desk) -> None:
    """A charge that the view shows in another month leaves the total as it is, and is seen."""
    desk.lay("fct_cost_daily", *CHARGES)
    assert marts._focus(runtime(desk)).passed
    with duckdb.connect(str(desk.path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("ALTER VIEW vw_focus RENAME TO kept")
        later = "BillingPeriodStart + INTERVAL 1 MONTH"
        con.execute(
            f"CREATE VIEW vw_focus AS SELECT * REPLACE (CASE WHEN BilledCost = 7 THEN {later} ELSE BillingPeriodStart END AS BillingPeriodStart) FROM kept"
        )
    found = marts._focus(runtime(desk))
    assert not found.passed and N(found.metadata["difference"].value) == 0
