"""As known on an earlier date: the same moment gives the same figures and the same bytes, or is refused.

Belongs here: which versions count at a moment, what cleaning leaves for it, and the report's bytes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ai_usage.finance import closing
from ai_usage.operations import as_of, report, retention
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.warehouse import WarehouseError
from ai_usage_tests.fixtures.desk import Desk, curated

D, N = date, Decimal
FIRST = datetime(2026, 10, 20, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = D(2026, 10, 5)


class Office(Runtime):
    """A runtime on a warehouse that was filled by hand."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(Settings(_env_file=None, data_dir=desk.folder, duckdb_path=desk.warehouse.path, start_date=D(2026, 10, 1)))
        self.desk = desk
        self.__dict__["warehouse"] = desk.warehouse  # open already


@pytest.fixture
def office(desk: Desk) -> Office:
    """On 20 October the vendor said 10 USD of Ana for the 5th; on 20 November it said 12, and the sheet moved her to Law."""
    desk.tab("people", {"email": "ana@example.com", "department": "Eng"}, day=D(2026, 10, 20), at=FIRST)
    desk.events(DAY, {"user_email": "ana@example.com", "charged_usd": N(10)}, at=FIRST, vendor_total_usd=N(10), content_sha256="a")
    desk.tab("people", {"email": "ana@example.com", "department": "Law"}, day=D(2026, 11, 20), at=LATER)
    desk.events(DAY, {"user_email": "ana@example.com", "charged_usd": N(12)}, at=LATER, vendor_total_usd=N(12), content_sha256="b")
    desk.events(D(2026, 11, 3), {"user_email": "ana@example.com", "charged_usd": N(1)}, at=LATER, vendor_total_usd=N(1), content_sha256="c")
    curated(desk, D(2026, 10, 1), D(2026, 11, 19), D(2026, 11, 20))
    return Office(desk)


def told(office: Office, moment: datetime, tmp_path: Path) -> list[tuple]:
    then = as_of.rebuild(office.warehouse, tmp_path / f"{moment:%Y%m%dT%H%M%S}.duckdb", moment)
    rows = then.select("SELECT cost_date, department, cost_usd, settle_state FROM vw_cost_allocation ORDER BY cost_date").to_pylist()
    return [tuple(r.values()) for r in rows]


def test_an_earlier_moment_shows_what_was_known_then(office: Office, tmp_path: Path) -> None:
    assert told(office, FIRST, tmp_path) == [(DAY, "Eng", N(10), "provisional")]
    assert [row[:3] for row in told(office, LATER, tmp_path)] == [(DAY, "Law", N(12)), (D(2026, 11, 3), "Law", N(1))]


def test_alerts_of_a_moment_are_those_that_were_open_then(office: Office, tmp_path: Path) -> None:
    cause = {"alert": "data_old", "severity": "error", "level": 1, "subject": "s", "headline": "h", "unit": "hours", "event": "opened"}
    office.desk.lay(
        "alert_log", {**cause, "cause_key": "a", "logged_at": FIRST, "seq": 1},
        {**cause, "cause_key": "a", "logged_at": LATER, "seq": 1, "event": "resolved"}, {**cause, "cause_key": "b", "logged_at": LATER, "seq": 2},
    )  # fmt: skip
    for moment, expected in ((FIRST, {"a": "open"}), (LATER, {"a": "resolved", "b": "open"})):
        then = as_of.rebuild(office.warehouse, tmp_path / f"{moment:%m}.duckdb", moment)
        assert {r["cause_key"]: r["state"] for r in then.select("SELECT cause_key, state FROM vw_alerts").to_pylist()} == expected


def test_the_report_of_a_moment_is_the_same_byte_for_byte(office: Office, tmp_path: Path) -> None:
    """Once before anything else was learned, once after a restatement, a closing and a cleaning."""
    moment = FIRST + timedelta(hours=1)
    one, two, now = tmp_path / "one.html", tmp_path / "two.html", tmp_path / "now.html"
    report.write_html_report(office, one, as_of=moment)
    office.desk.events(
        DAY,
        {"user_email": "ana@example.com", "charged_usd": N(99)},
        at=LATER + timedelta(hours=1),
        vendor_total_usd=N(99),
        content_sha256="d",
    )
    curated(office.desk, D(2026, 10, 1), D(2026, 11, 19), D(2027, 1, 20))
    report.write_html_report(office, two, as_of=moment)
    report.write_html_report(office, now)
    assert one.read_bytes() == two.read_bytes() != now.read_bytes()
    assert list(office.settings.data_dir.glob("as-of-*")) == [], "the file that it was computed in is gone"


def test_what_was_cleaned_away_is_refused_and_what_a_closed_month_needs_is_kept(office: Office, tmp_path: Path, monkeypatch) -> None:
    """The month is closed on what was known at LATER; then the vendor changes it twice, and cleaning removes what is 0 days old."""
    warehouse = office.warehouse
    curated(office.desk, D(2026, 10, 1), D(2026, 11, 19), D(2027, 1, 20))
    monkeypatch.setattr(closing, "blockers", lambda *_: [])
    closing.close(warehouse, D(2026, 10, 1), author="Controlling", today=D(2027, 1, 20))
    decided = office.desk.one("SELECT as_of FROM month_closings")
    for usd in (50, 60):
        office.desk.events(
            DAY,
            {"user_email": "ana@example.com", "charged_usd": N(usd)},
            at=decided + timedelta(minutes=usd),
            vendor_total_usd=N(usd),
            content_sha256=f"x{usd}",
        )
    office.settings.superseded_keep_days = 0
    monkeypatch.setattr(retention, "datetime", _Tomorrow)
    assert retention.clean_up(office)["superseded_rows"] == 2, (
        "the first telling and the one between; a sheet of another day supersedes nothing"
    )
    assert [row[2] for row in told(office, decided, tmp_path)] == [N(12), N(1)]
    with pytest.raises(WarehouseError, match=r"2026-10-20 cannot be shown as it was known: the versions of 1 days"):
        told(office, FIRST, tmp_path)


class _Tomorrow(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(days=1)


def test_a_moment_before_anything_was_held_is_refused(office: Office, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="nothing was held on 2026-10-20 11:00 UTC; the first fetch is of 2026-10-20 12:00 UTC"):
        told(office, FIRST - timedelta(hours=1), tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31", datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2026-10-31T14:00:00Z", datetime(2026, 10, 31, 14, tzinfo=UTC)),
        ("2026-10-31T14:00:00+02:00", datetime(2026, 10, 31, 12, tzinfo=UTC)),
        ("2026-10-31 14:00", datetime(2026, 10, 31, 14, tzinfo=UTC)),
    ],
)
def test_moments_as_people_write_them(text: str, expected: datetime) -> None:
    assert as_of.moment_of(text, LATER) == expected


@pytest.mark.parametrize(("text", "said"), [("yesterday", "is no moment"), ("2026-11-21", "lies ahead"), ("31.10.2026", "is no moment")])
def test_other_moments_are_refused(text: str, said: str) -> None:
    with pytest.raises(WarehouseError, match=said):
        as_of.moment_of(text, LATER)
